/*
 * features.c: tries in a child process what the kernel grants. Each attempt does what the pool would do and looks at
 * the result; the numbers are the kernel's, for the C library's headers may be older than it.
 */
#include "allocator/features.h"

#include "allocator/child.h"
#include "allocator/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DEADLINE_MILLISECONDS = 2000 };

/* An attempt's state, in memory that the child shares. */
typedef enum state {
    NOT_TRIED = 0,
    TRYING,
    GRANTED,
    REFUSED,
    UNCLEAR, /* something else was lacking */
} state_t;

typedef struct attempts {
    uint8_t states[WEIR_FEATURES];
} attempts_t;

static size_t page_size(void)
{
    long bytes = sysconf(_SC_PAGESIZE);
    return bytes > 0 ? (size_t)bytes : 4096;
}

/* What a call that failed has answered. */
static state_t refusal(void)
{
    return errno == ENOMEM || errno == EMFILE || errno == ENFILE ? UNCLEAR : REFUSED;
}

static state_t granted_if(bool granted)
{
    return granted ? GRANTED : REFUSED;
}

/* Pages that hold something; NULL when there is no memory. */
static char *written_pages(size_t count)
{
    size_t size = page_size();
    char *pages = mmap(NULL, count * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        pages[i * size] = 1;
    }
    return pages;
}

/* Written first: that is what a compiler does. */
static state_t try_executable_memory(void)
{
    char *page = written_pages(1);
    if (page == NULL || mprotect(page, page_size(), PROT_READ | PROT_EXEC) != 0) {
        return refusal();
    }
    return GRANTED;
}

/* Of three pages the middle one is untouched: the scan must find the two others. */
static state_t try_pagemap_scan(void)
{
    size_t size = page_size();
    char *pages = mmap(NULL, 3 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int descriptor = pages == MAP_FAILED ? -1 : open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return refusal();
    }
    /* The middle one must not come along as a part of a huge page. */
    madvise(pages, 3 * size, MADV_NOHUGEPAGE);
    pages[0] = 1;
    pages[2 * size] = 1;
    weir_pagemap_region_t regions[3];
    memset(regions, 0, sizeof regions);
    weir_pagemap_scan_t scan = {
        .size = sizeof scan,
        .start = (uintptr_t)pages,
        .end = (uintptr_t)pages + 3 * size,
        .regions = (uintptr_t)regions,
        .region_count = 3,
        .category_mask = WEIR_PAGE_WRITTEN | WEIR_PAGE_PRESENT,
    };
    int found = ioctl(descriptor, WEIR_PAGEMAP_SCAN, &scan);
    if (found < 0) {
        return refusal();
    }
    return granted_if(found == 2 && regions[0].start == scan.start && regions[0].end == scan.start + size &&
                      regions[1].start == scan.start + 2 * size && regions[1].end == scan.end);
}

/* Two separate pages at once, as a pool gives memory back. PIDFD_SELF: since Linux 6.14. */
static state_t try_process_madvise(void)
{
#ifdef SYS_process_madvise
    enum { OWN_PROCESS = -10000 };
    size_t size = page_size();
    char *pages = written_pages(3);
    if (pages == NULL) {
        return refusal();
    }
    struct iovec parts[2] = {{pages, size}, {pages + 2 * size, size}};
    long advised = syscall(SYS_process_madvise, OWN_PROCESS, parts, 2UL, MADV_DONTNEED, 0U);
    if (advised < 0) {
        return refusal();
    }
    return granted_if(advised == (long)(2 * size) && pages[0] == 0 && pages[size] == 1 && pages[2 * size] == 0);
#else
    return UNCLEAR;
#endif
}

static state_t try_protection_keys(void)
{
    long key = syscall(SYS_pkey_alloc, 0UL, 0UL);
    if (key < 0) {
        return refusal();
    }
    syscall(SYS_pkey_free, key);
    return GRANTED;
}

static state_t try_memory_files(void)
{
    static const char contents[] = "weir";
    int descriptor = (int)syscall(SYS_memfd_create, "weir", 1U /* MFD_CLOEXEC */);
    if (descriptor < 0 || write(descriptor, contents, sizeof contents) != (ssize_t)sizeof contents) {
        return refusal();
    }
    char *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0);
    if (page == MAP_FAILED) {
        return refusal();
    }
    char back = '\0';
    page[0] = 'W';
    return granted_if(page[1] == contents[1] && pread(descriptor, &back, 1, 0) == 1 && back == contents[0]);
}

/* Of all that was not tried yet, in order. */
static int try_rest(int report, void *context)
{
    static state_t (*const functions[WEIR_FEATURES])(void) = {
        [WEIR_FEATURE_EXECUTABLE_MEMORY] = try_executable_memory,
        [WEIR_FEATURE_PAGEMAP_SCAN] = try_pagemap_scan,
        [WEIR_FEATURE_PROCESS_MADVISE] = try_process_madvise,
        [WEIR_FEATURE_PROTECTION_KEYS] = try_protection_keys,
        [WEIR_FEATURE_MEMORY_FILES] = try_memory_files,
    };
    volatile attempts_t *attempts = context;
    for (size_t i = 0; i < WEIR_FEATURES; i++) {
        if (attempts->states[i] == NOT_TRIED) {
            attempts->states[i] = TRYING;
            attempts->states[i] = (uint8_t)functions[i]();
        }
    }
    return write(report, "", 1) == 1 ? 0 : 1;
}

/* Whether another child has something left to try, after one that a signal has ended. */
static bool go_on(volatile attempts_t *attempts, const weir_child_result_t *result)
{
    /* SIGKILL is not an answer to a system call: somebody, or the kernel for want of memory, has ended the child. */
    if (result->end != WEIR_CHILD_SIGNAL || result->detail == SIGKILL) {
        return false;
    }
    for (size_t i = 0; i < WEIR_FEATURES; i++) {
        if (attempts->states[i] == TRYING) {
            attempts->states[i] = REFUSED;
            return i + 1 < WEIR_FEATURES;
        }
    }
    return false;
}

void weir_features_try(weir_features_t *ret_features)
{
    weir_features_t features = {{WEIR_GRANT_UNKNOWN}};
    size_t size = page_size();
    attempts_t *attempts = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (attempts == MAP_FAILED) {
        *ret_features = features;
        return;
    }
    weir_child_result_t result;
    do {
        char report;
        weir_child_run(try_rest, attempts, DEADLINE_MILLISECONDS, &report, 1, &result);
    } while (go_on(attempts, &result));
    for (size_t i = 0; i < WEIR_FEATURES; i++) {
        uint8_t state = ((volatile attempts_t *)attempts)->states[i];
        features.grants[i] = state == GRANTED ? WEIR_GRANT_YES : state == REFUSED ? WEIR_GRANT_NO : WEIR_GRANT_UNKNOWN;
    }
    munmap(attempts, size);
    *ret_features = features;
}
