/*
 * fault_allocation: the allocator of the preset "fault". In it weir's own C calls these functions by the names of the C
 * library's (see CMakeLists.txt), and so does jansson on its behalf. WEIR_FAULT_ALLOCATION=N refuses the Nth
 * allocation, N+ that one and all later ones. A child goes on counting where its parent was when it forked.
 * WEIR_FAULT_REPORT names a file that gets a line for each refusal: which one, and where in the program it was asked
 * for. WEIR_FAULT_CONTROL names a file of three numbers of 64 bits, which a test may write while the program runs: how
 * many were asked for, which is refused (0: none), and whether all later ones are, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *weir_fault_malloc(size_t size);
void *weir_fault_calloc(size_t count, size_t size);
void *weir_fault_realloc(void *memory, size_t size);
void *weir_fault_reallocarray(void *memory, size_t count, size_t size);
void *weir_fault_aligned_alloc(size_t alignment, size_t size);
char *weir_fault_strdup(const char *text);
char *weir_fault_strndup(const char *text, size_t size);
__attribute__((format(printf, 2, 0))) int weir_fault_vasprintf(char **ret_text, const char *format, va_list arguments);
__attribute__((format(printf, 2, 3))) int weir_fault_asprintf(char **ret_text, const char *format, ...);

/* The linker makes this name; addresses in a report are counted from here. NOLINTNEXTLINE(cert-dcl37-c) */
extern const char __executable_start[];

typedef struct control {
    _Atomic uint64_t asked;
    _Atomic uint64_t first; /* 0: none is refused */
    _Atomic uint64_t onward;
} control_t;

static atomic_ulong asked;
static unsigned long first; /* 0: none is refused */
static bool onward;
static int report = -1;
static control_t *control; /* NULL: there is none, and what stands above holds; children share it */

static void open_control(const char *path)
{
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    control = mapped == MAP_FAILED ? NULL : mapped;
    close(descriptor);
}

static void *jansson_malloc(size_t size)
{
    return weir_fault_malloc(size);
}

__attribute__((constructor)) static void begin(void)
{
    const char *when = getenv("WEIR_FAULT_ALLOCATION");
    const char *path = getenv("WEIR_FAULT_REPORT");
    if (when != NULL) {
        char *end;
        first = strtoul(when, &end, 10);
        onward = *end == '+';
    }
    if (path != NULL) {
        report = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    if (getenv("WEIR_FAULT_CONTROL") != NULL) {
        open_control(getenv("WEIR_FAULT_CONTROL"));
    }
    json_set_alloc_funcs(jansson_malloc, free);
}

static bool is_due(unsigned long *ret_number)
{
    if (control != NULL) {
        uint64_t number = *ret_number = atomic_fetch_add(&control->asked, 1) + 1;
        uint64_t its_first = atomic_load(&control->first);
        return its_first != 0 && (number == its_first || (number > its_first && atomic_load(&control->onward) != 0));
    }
    unsigned long number = *ret_number = atomic_fetch_add(&asked, 1) + 1;
    return first != 0 && (number == first || (number > first && onward));
}

static bool is_refused(const void *caller)
{
    unsigned long number;
    if (!is_due(&number)) {
        return false;
    }
    char line[64];
    int size = snprintf(
        line, sizeof line, "%lu %#lx\n", number, (unsigned long)((uintptr_t)caller - (uintptr_t)__executable_start));
    ssize_t written = report >= 0 ? write(report, line, (size_t)size) : 0;
    (void)written;
    errno = ENOMEM;
    return true;
}

void *weir_fault_malloc(size_t size)
{
    return is_refused(__builtin_return_address(0)) ? NULL : malloc(size);
}

void *weir_fault_calloc(size_t count, size_t size)
{
    return is_refused(__builtin_return_address(0)) ? NULL : calloc(count, size);
}

void *weir_fault_realloc(void *memory, size_t size)
{
    return is_refused(__builtin_return_address(0)) ? NULL : realloc(memory, size);
}

void *weir_fault_reallocarray(void *memory, size_t count, size_t size)
{
    return is_refused(__builtin_return_address(0)) ? NULL : reallocarray(memory, count, size);
}

void *weir_fault_aligned_alloc(size_t alignment, size_t size)
{
    return is_refused(__builtin_return_address(0)) ? NULL : aligned_alloc(alignment, size);
}

char *weir_fault_strdup(const char *text)
{
    return is_refused(__builtin_return_address(0)) ? NULL : strdup(text);
}

char *weir_fault_strndup(const char *text, size_t size)
{
    return is_refused(__builtin_return_address(0)) ? NULL : strndup(text, size);
}

int weir_fault_vasprintf(char **ret_text, const char *format, va_list arguments)
{
    if (is_refused(__builtin_return_address(0))) {
        *ret_text = (char *)(uintptr_t)8; /* its contents are undefined after a failure: nobody may use them */
        return -1;
    }
    return vasprintf(ret_text, format, arguments);
}

int weir_fault_asprintf(char **ret_text, const char *format, ...)
{
    if (is_refused(__builtin_return_address(0))) {
        *ret_text = (char *)(uintptr_t)8;
        return -1;
    }
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(ret_text, format, arguments);
    va_end(arguments);
    return size;
}
