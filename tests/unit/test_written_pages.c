/*
 * test_written_pages.c: how the bridge answers Wasmtime's search for written pages (PAGEMAP_SCAN): on this kernel, with
 * pages of this process.
 */
#include "allocator/budget.h"
#include "allocator/facts.h"
#include "allocator/pagemap.h"
#include "allocator/subject.h"
#include "weir_bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

enum { PAGES = 4096, RUNS_ASKED = 32 };

typedef struct scene {
    int pagemap;
    size_t page_size;
    char *pages;
    bool written[PAGES];
    weir_pagemap_region_t runs[RUNS_ASKED];
    weir_pagemap_scan_t scan;
} scene_t;

/* As Wasmtime 48 asks when it resets a memory of which so many pages may stay. */
static void ask(scene_t *scene, size_t pages_max)
{
    memset(scene->runs, 0, sizeof scene->runs);
    scene->scan = (weir_pagemap_scan_t){
        .size = sizeof scene->scan,
        .start = (uintptr_t)scene->pages,
        .end = (uintptr_t)scene->pages + PAGES * scene->page_size,
        .regions = (uintptr_t)scene->runs,
        .region_count = RUNS_ASKED,
        .pages_max = pages_max,
        .category_inverted = WEIR_PAGE_ZERO | WEIR_PAGE_FILE,
        .category_mask = WEIR_PAGE_WRITTEN | WEIR_PAGE_PRESENT | WEIR_PAGE_ZERO | WEIR_PAGE_FILE,
    };
}

static int setup(void **state)
{
    static scene_t scene;
    memset(&scene, 0, sizeof scene);
    scene.page_size = (size_t)sysconf(_SC_PAGESIZE);
    scene.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    size_t size = PAGES * scene.page_size;
    scene.pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(scene.pages, size, MADV_NOHUGEPAGE);
    *state = &scene;
    return scene.pages == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
    scene_t *scene = *state;
    munmap(scene->pages, PAGES * scene->page_size);
    if (scene->pagemap >= 0) {
        close(scene->pagemap);
    }
    return 0;
}

/* Where the kernel cannot do it there is nothing to be answered. */
static void need_kernel(scene_t *scene)
{
    ask(scene, 1);
    if (scene->pagemap < 0 || ioctl(scene->pagemap, WEIR_PAGEMAP_SCAN, &scene->scan) < 0) {
        print_message("skipped: this kernel has no PAGEMAP_SCAN (Linux 6.7): %s\n", strerror(errno));
        skip();
    }
}

static void write_page(scene_t *scene, size_t page)
{
    scene->pages[page * scene->page_size] = 1;
    scene->written[page] = true;
}

static bool is_covered(const scene_t *scene, int count, size_t page)
{
    uint64_t address = (uintptr_t)scene->pages + page * scene->page_size;
    for (int i = 0; i < count; i++) {
        if (address >= scene->runs[i].start && address < scene->runs[i].end) {
            return true;
        }
    }
    return address >= scene->scan.walk_end;
}

/* All that was written is in a run or will be given back, runs are in order and apart, and no more than may stay. */
static uint64_t check(const scene_t *scene, int count, size_t pages_max)
{
    uint64_t bytes = 0;
    assert_in_range(count, 0, RUNS_ASKED);
    for (int i = 0; i < count; i++) {
        const weir_pagemap_region_t *run = &scene->runs[i];
        assert_true(run->start < run->end);
        assert_true(run->start >= (i == 0 ? scene->scan.start : scene->runs[i - 1].end + 1));
        assert_true(run->end <= scene->scan.walk_end);
        bytes += run->end - run->start;
    }
    assert_true(scene->scan.walk_end <= scene->scan.end);
    assert_true(bytes <= pages_max * scene->page_size);
    for (size_t page = 0; page < PAGES; page++) {
        assert_true(!scene->written[page] || is_covered(scene, count, page));
    }
    return bytes / scene->page_size;
}

static int search(scene_t *scene, size_t pages_max)
{
    ask(scene, pages_max);
    int count = weir_bridge_ioctl(scene->pagemap, WEIR_PAGEMAP_SCAN, &scene->scan);
    if (count < 0) {
        fail_msg("%s", strerror(errno));
    }
    return count;
}

static void test_the_library_is_put_together_so_that_its_own_answer_is_given(void **state)
{
    (void)state;
    assert_true(weir_written_pages_are_found());
}

static void test_pages_that_were_written_are_found_and_no_others(void **state)
{
    scene_t *scene = *state;
    volatile char read_only = 0;
    need_kernel(scene);
    write_page(scene, 0);
    write_page(scene, 7);
    write_page(scene, 8);
    write_page(scene, PAGES - 1);
    read_only = (char)(read_only + scene->pages[20 * scene->page_size]);
    int count = search(scene, PAGES);
    assert_int_equal(count, 3);
    assert_int_equal(check(scene, count, PAGES), 4);
    assert_int_equal(scene->scan.walk_end, scene->scan.end);
}

static void test_nothing_was_written(void **state)
{
    scene_t *scene = *state;
    need_kernel(scene);
    assert_int_equal(search(scene, PAGES), 0);
    assert_int_equal(scene->scan.walk_end, scene->scan.end);
}

/* Wasmtime takes 32 runs: what lies close to each other is joined, and nothing is left to be given back. */
static void test_many_runs_become_as_many_as_were_asked_for(void **state)
{
    scene_t *scene = *state;
    need_kernel(scene);
    for (size_t page = 0; page < PAGES; page += 2) {
        write_page(scene, page);
    }
    int count = search(scene, PAGES);
    check(scene, count, PAGES);
    assert_int_equal(scene->scan.walk_end, scene->scan.end);
}

static void test_the_smallest_gaps_are_closed(void **state)
{
    scene_t *scene = *state;
    need_kernel(scene);
    /* Twenty groups of ten pages, each two apart, and far from each other */
    for (size_t group = 0; group < 20; group++) {
        for (size_t page = 0; page < 10; page++) {
            write_page(scene, group * 200 + page * 2);
        }
    }
    int count = search(scene, PAGES);
    assert_int_equal(count, 20);
    assert_int_equal(check(scene, count, PAGES), 20 * 19);
}

static void test_no_more_is_kept_than_may_be(void **state)
{
    static const size_t most[] = {1, 2, 31, 32, 33, 100, 500, 1000};
    scene_t *scene = *state;
    need_kernel(scene);
    for (size_t page = 0; page < PAGES; page += 3) {
        write_page(scene, page);
    }
    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
        int count = search(scene, most[i]);
        check(scene, count, most[i]);
        assert_true(scene->scan.walk_end < scene->scan.end);
    }
}

static void test_any_pattern_is_covered(void **state)
{
    scene_t *scene = *state;
    uint64_t random = 88172645463325252U;
    need_kernel(scene);
    for (unsigned round = 0; round < 60; round++) {
        madvise(scene->pages, PAGES * scene->page_size, MADV_DONTNEED);
        memset(scene->written, 0, sizeof scene->written);
        unsigned one_of = 1 + round * 4;
        for (size_t page = 0; page < PAGES; page++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            if (random % one_of == 0) {
                write_page(scene, page);
            }
        }
        size_t most = round % 2 == 0 ? PAGES : 1 + random % PAGES;
        check(scene, search(scene, most), most);
    }
}

/* Documentation/admin-guide/mm/pagemap.rst: bit 62 */
static bool is_away(const scene_t *scene, size_t page)
{
    uint64_t entry = 0;
    off_t at = (off_t)(((uintptr_t)scene->pages / scene->page_size + page) * sizeof entry);
    return pread(scene->pagemap, &entry, sizeof entry, at) == (ssize_t)sizeof entry && (entry >> 62 & 1) != 0;
}

/* The kernel takes such pages out of the table while they are away. */
static void test_pages_that_are_swapped_out_are_found(void **state)
{
    enum { PAGE_OUT = 21 /* MADV_PAGEOUT, Linux 5.4 */, WRITES = 20 };
    scene_t *scene = *state;
    need_kernel(scene);
    for (size_t page = 0; page < WRITES; page++) {
        write_page(scene, page * 2);
    }
    madvise(scene->pages, PAGES * scene->page_size, PAGE_OUT);
    int away = 0;
    for (size_t page = 0; page < WRITES; page++) {
        away += is_away(scene, page * 2) ? 1 : 0;
    }
    if (away == 0) {
        print_message("skipped: no page could be swapped out here (no swap space?)\n");
        skip();
    }
    /* As Wasmtime asks, they are overlooked; should that change, nothing of this is needed any more. */
    ask(scene, PAGES);
    int seen = ioctl(scene->pagemap, WEIR_PAGEMAP_SCAN, &scene->scan);
    assert_int_equal(seen, WRITES - away);
    int count = search(scene, PAGES);
    assert_int_equal(count, WRITES);
    assert_int_equal(check(scene, count, PAGES), WRITES);
}

/* Wasmtime by itself gives back what lies behind the 32nd run. */
static void test_a_pool_keeps_all_that_its_guest_has_written(void **state)
{
    enum { WRITES = 100, KEEP = 4 << 20 };
    const weir_rung_t rung = {.tier = WEIR_TIER_STANDARD,
        .slots = 2,
        .slot_bytes = UINT64_C(4) << 30,
        .guard_bytes = UINT64_C(32) << 20,
        .memory_keep_resident_bytes = KEEP,
        .table_elements = 1000,
        .memories_per_slot = 1,
        .tables_per_slot = 1,
        .core_instances_per_slot = 1,
        .stack_bytes = 1 << 20,
        .warm_slots = 2,
        .pagemap_scan = true};
    scene_t *scene = *state;
    weir_facts_t facts;
    weir_needs_t needs = {.minimum_memory_bytes = KEEP};
    weir_module_shape_t shape;
    weir_trouble_t trouble = {.outcome = WEIR_OUTCOME_PASSED};
    weir_subject_t subject;
    weir_instance_t instance = {.store = NULL};
    weir_pool_metrics_t metrics = {.memories = 0};
    need_kernel(scene);
    weir_facts_read_all(weir_machine_real(), &facts);
    weir_needs_complete(&facts, &needs, &needs);
    weir_module_shape_make(&needs, &shape);
    bool made = weir_subject_make(&subject, &rung, &trouble) && weir_subject_load(&subject, &needs, &shape, -1) &&
                weir_instance_open(&subject, &instance);
    if (!made) {
        print_message("skipped: no such pool here: %s: %s\n", trouble.stage, trouble.message);
        weir_subject_free(&subject);
        skip();
    }
    const int32_t page = (int32_t)scene->page_size;
    const int32_t range[] = {0, WRITES * 2 * page, 2 * page};
    assert_true(weir_instance_call(&subject, &instance, "dirty", range, 3, NULL));
    weir_instance_close(&instance);
    assert_true(weir_engine_pool_metrics(subject.engine, &metrics));
    /* Some pages beside them are written by the trial's module itself. Without a search all of it would stay. */
    assert_in_range(metrics.unused_memory_bytes_resident, WRITES * scene->page_size, 2 * WRITES * scene->page_size);
    weir_subject_free(&subject);
}

static void test_other_calls_reach_the_system_as_they_are(void **state)
{
    scene_t *scene = *state;
    int ends[2];
    int waiting = -1;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    assert_int_equal(weir_bridge_ioctl(ends[0], FIONREAD, &waiting), 0);
    assert_int_equal(waiting, 3);
    errno = 0;
    assert_int_equal(weir_bridge_ioctl(-1, FIONREAD, &waiting), -1);
    assert_int_equal(errno, EBADF);
    ask(scene, 1);
    errno = 0;
    assert_int_equal(weir_bridge_ioctl(ends[0], WEIR_PAGEMAP_SCAN, &scene->scan), -1);
    assert_int_equal(errno, ENOTTY);
    close(ends[0]);
    close(ends[1]);
    /* A search that is not Wasmtime's gets what it asked for. */
    need_kernel(scene);
    write_page(scene, 3);
    ask(scene, PAGES);
    scene->scan.category_mask = WEIR_PAGE_WRITTEN;
    scene->scan.category_inverted = 0;
    scene->scan.return_mask = WEIR_PAGE_WRITTEN;
    assert_int_equal(weir_bridge_ioctl(scene->pagemap, WEIR_PAGEMAP_SCAN, &scene->scan), 1);
    assert_int_equal(scene->runs[0].categories, WEIR_PAGE_WRITTEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_library_is_put_together_so_that_its_own_answer_is_given),
        cmocka_unit_test_setup_teardown(test_pages_that_were_written_are_found_and_no_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_was_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_runs_become_as_many_as_were_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_smallest_gaps_are_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_more_is_kept_than_may_be, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_pattern_is_covered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages_that_are_swapped_out_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_pool_keeps_all_that_its_guest_has_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_calls_reach_the_system_as_they_are, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
