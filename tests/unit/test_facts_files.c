/*
 * test_facts_files.c: the parsers of the texts in /proc and /sys, each on its own.
 */
#include "allocator/maps.h"
#include "allocator/memory.h"
#include "allocator/pressure.h"
#include "allocator/procfs.h"
#include "facts_support.h"

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

static void a_number_is_read_only_when_the_whole_text_is_one(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        uint64_t value;
    } cases[] = {
        {"0", true, 0},
        {"42\n", true, 42},
        {"  7 \n", true, 7},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999999", false, 0},
        {"", false, 0},
        {"\n", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {"1 2", false, 0},
        {"max", false, 0},
        {"0x10", false, 0},
        {"1e3", false, 0},
        {"12a", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 4711;
        bool valid = weir_procfs_number(cases[i].text, &value);
        if (valid != cases[i].valid || value != (valid ? cases[i].value : 4711)) {
            fail_msg("'%s': %d, %llu", cases[i].text, valid, (unsigned long long)value);
        }
    }
}

static void a_field_in_kibibytes_is_read_only_when_its_line_is_whole(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        uint64_t value;
    } cases[] = {
        {"MemTotal:       3 kB\n", true, 3072},
        {"A: 1 kB\nMemTotal:\t3 kB", true, 3072},
        {"\n\nMemTotal: 0 kB\n", true, 0},
        {"MemTotal: 18014398509481983 kB\n", true, UINT64_C(18014398509481983) * 1024},
        {"MemTotal: 18014398509481984 kB\n", false, 0},
        {"MemTotal: 3\n", false, 0},
        {"MemTotal: 3 MB\n", false, 0},
        {"MemTotal: 3 kBx\n", false, 0},
        {"MemTotal: -3 kB\n", false, 0},
        {"MemTotal: kB\n", false, 0},
        {"MemTotal:", false, 0},
        {"MemTotal", false, 0},
        {"xMemTotal: 3 kB\n", false, 0},
        {"MemTotalX: 3 kB\n", false, 0},
        {"", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 4711;
        bool valid = weir_procfs_kibibytes(cases[i].text, "MemTotal", &value);
        if (valid != cases[i].valid || value != (valid ? cases[i].value : 4711)) {
            fail_msg("'%s': %d, %llu", cases[i].text, valid, (unsigned long long)value);
        }
    }
}

static void a_statistic_is_read_from_its_own_line(void **state)
{
    uint64_t value = 4711;
    (void)state;
    assert_true(weir_procfs_statistic("anon 1\ninactive_file 17\n", "inactive_file", &value));
    assert_int_equal(value, 17);
    assert_false(weir_procfs_statistic("total_inactive_file 18\n", "inactive_file", &value));
    assert_false(weir_procfs_statistic("inactive_file 18 x\n", "inactive_file", &value));
    assert_false(weir_procfs_statistic("inactive_file\n", "inactive_file", &value));
    assert_int_equal(value, 17);
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static void a_file_that_is_not_a_small_text_is_not_read(void **state)
{
    char buffer[16];
    (void)state;
    put("/whole", "fifteen letters");
    put("/too-long", "sixteen letters.");
    put_bytes("/nul", "a\0b", 3);
    put("/directory/file", "");
    assert_int_equal(mkfifo(in_tree("/fifo"), 0600), 0);
    assert_true(weir_procfs_read(tree, "/whole", buffer, sizeof buffer));
    assert_string_equal(buffer, "fifteen letters");
    assert_false(weir_procfs_read(tree, "/too-long", buffer, sizeof buffer));
    assert_false(weir_procfs_read(tree, "/nul", buffer, sizeof buffer));
    assert_false(weir_procfs_read(tree, "/directory", buffer, sizeof buffer));
    assert_false(weir_procfs_read(tree, "/missing", buffer, sizeof buffer));
    assert_true(weir_procfs_read(tree, "/fifo", buffer, sizeof buffer)); /* nobody writes: its end, at once */
    assert_string_equal(buffer, "");
    assert_true(weir_procfs_read(tree, "/directory/file", buffer, sizeof buffer));
    assert_string_equal(buffer, "");
}

static void a_maps_file_is_counted_or_not_understood(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        uint64_t count;
        uint64_t stack_end;
    } cases[] = {
        {"1000-2000 r--p 0 0:0 0\n", true, 1, 0},
        {"1000-2000 r--p 0 0:0 0\n3000-4000 rw-p 0 0:0 0 [stack]\n", true, 2, 0x4000},
        {"1000-2000 r--p 0 0:0 0 no newline at the end", true, 1, 0},
        {"FFFFFFFFFF600000-ffffffffff601000 --xp 0 0:0 0 [vsyscall]\n", true, 1, 0},
        {"", false, 0, 0},
        {"\n", false, 0, 0},
        {"hello\n", false, 0, 0},
        {"2000-1000 r--p\n", false, 0, 0},
        {"1000-2000\n", false, 0, 0},
        {"1000- r--p\n", false, 0, 0},
        {"00000000000000001-2000 r--p\n", false, 0, 0},
        {"1000-2000 r--p 0 0:0 0\ngarbage\n", false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_maps_t maps = {4711, 4712};
        put("/maps", cases[i].text);
        bool valid = weir_maps_read(tree, "/maps", &maps);
        bool as_expected = valid ? maps.count == cases[i].count && maps.stack_end == cases[i].stack_end
                                 : maps.count == 4711 && maps.stack_end == 4712;
        if (valid != cases[i].valid || !as_expected) {
            fail_msg("'%s': %d, %llu", cases[i].text, valid, (unsigned long long)maps.count);
        }
    }
}

static void a_mapping_with_a_long_path_counts_once(void **state)
{
    char text[2048];
    weir_maps_t maps;
    (void)state;
    snprintf(text, sizeof text, "1000-2000 r--p 0 0:0 0 /%01500d\n3000-4000 r--p 0 0:0 0\n", 0);
    put("/maps", text);
    assert_true(weir_maps_read(tree, "/maps", &maps));
    assert_int_equal(maps.count, 2);
}

static void a_link_that_does_not_fit_is_not_read(void **state)
{
    char buffer[8];
    (void)state;
    put_link("/fits", "1234567");
    put_link("/not", "12345678");
    put("/file", "1");
    assert_true(weir_procfs_link(tree, "/fits", buffer, sizeof buffer));
    assert_string_equal(buffer, "1234567");
    assert_false(weir_procfs_link(tree, "/not", buffer, sizeof buffer));
    assert_false(weir_procfs_link(tree, "/file", buffer, sizeof buffer));
    assert_int_equal(weir_procfs_exists(tree, "/file"), 1);
    assert_int_equal(weir_procfs_exists(tree, "/missing"), 0);
    assert_int_equal(weir_procfs_exists(tree, "/file/below"), 0);
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

static weir_lines_t lines;

/* Whole texts of many sizes around the buffer's, against what they were made from. */
static void lines_come_whole_whatever_their_length(void **state)
{
    static const size_t lengths[] = {0, 1, 100, WEIR_LINE_BYTES - 3, WEIR_LINE_BYTES - 2, WEIR_LINE_BYTES - 1,
        WEIR_LINE_BYTES, WEIR_LINE_BYTES + 1, 3 * WEIR_LINE_BYTES};
    char *text = malloc(COUNT(lengths) * (3 * WEIR_LINE_BYTES + 1));
    (void)state;
    assert_non_null(text);
    for (size_t first = 0; first < COUNT(lengths); first++) {
        for (size_t file = 0; file < 2; file++) {
            size_t size = 0;
            for (size_t i = 0; i < COUNT(lengths); i++) {
                size_t length = lengths[(first + i) % COUNT(lengths)];
                memset(text + size, 'a' + (int)i, length);
                text[size + length] = '\n';
                size += length + 1;
            }
            weir_line_t line;
            if (file == 1) {
                put_bytes("/lines", text, size);
                assert_true(weir_lines_open(&lines, tree, "/lines", '\n', size));
            } else {
                weir_lines_open_text(&lines, text, size, '\n');
            }
            for (size_t i = 0; i < COUNT(lengths); i++) {
                size_t length = lengths[(first + i) % COUNT(lengths)];
                size_t kept = length < WEIR_LINE_BYTES - 1 ? length : WEIR_LINE_BYTES - 1;
                assert_true(weir_lines_next(&lines, &line));
                assert_int_equal(line.length, kept);
                assert_int_equal(strlen(line.text), kept);
                assert_true(kept == 0 || (line.text[0] == 'a' + (int)i && line.text[kept - 1] == 'a' + (int)i));
                assert_int_equal(line.cut, length >= WEIR_LINE_BYTES - 1);
            }
            assert_false(weir_lines_next(&lines, &line));
            assert_false(weir_lines_next(&lines, &line));
            assert_true(weir_lines_close(&lines));
        }
    }
    free(text);
}

static void a_file_that_is_too_long_fails_and_is_not_cut(void **state)
{
    weir_line_t line;
    (void)state;
    put("/lines", "one\ntwo\n");
    assert_true(weir_lines_open(&lines, tree, "/lines", '\n', 7));
    assert_false(weir_lines_next(&lines, &line));
    assert_false(weir_lines_close(&lines));
    assert_false(weir_lines_open(&lines, tree, "/missing", '\n', 7));
    make_parents("/directory/x");
    assert_true(weir_lines_open(&lines, tree, "/directory", '\n', 7));
    assert_false(weir_lines_next(&lines, &line));
    assert_false(weir_lines_close(&lines));
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static void a_part_that_is_larger_than_its_whole_is_not_believed(void **state)
{
    weir_memory_t memory;
    (void)state;
    weir_memory_parse("MemTotal: 100 kB\nMemAvailable: 100 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n", &memory);
    assert_known(memory.available, 102400);
    assert_known(memory.swap_free, 0);
    weir_memory_parse("MemTotal: 100 kB\nMemAvailable: 101 kB\nSwapTotal: 1 kB\nSwapFree: 2 kB\n", &memory);
    assert_known(memory.total, 102400);
    assert_known(memory.swap_total, 1024);
    assert_int_equal(memory.available.knowledge, WEIR_UNKNOWN);
    assert_int_equal(memory.swap_free.knowledge, WEIR_UNKNOWN);
    weir_memory_parse("MemTotal: 99999999999999999 kB\nMemAvailable: 5 kB\n", &memory);
    assert_int_equal(memory.total.knowledge, WEIR_UNKNOWN);
    assert_int_equal(memory.available.knowledge, WEIR_UNKNOWN);
}

static void free_blocks_are_counted_or_not_understood(void **state)
{
    static const struct {
        const char *text;
        uint64_t page_size;
        bool valid;
        uint64_t largest;
        uint64_t share;
    } cases[] = {
        {"Node 0, zone Normal 1 0 0\n", 4096, true, 4096, 0},
        {"Node 0, zone   Normal   0 0 0 0 0 0 0 0 0 1 0 \n", 4096, true, 2 << 20, 10000},
        {"Node 0, zone   DMA 512 0 0 0 0 0 0 0 0 0\nNode 1, zone Normal 0 0 0 0 0 0 0 0 0 3\n", 4096, true, 2 << 20,
            7500},
        {"Node 0, zone Normal 0 0 0 0 0 1\n", 65536, true, 2 << 20, 10000},
        {"Node 0, zone Normal 0 0 0\n", 4096, false, 0, 0},
        {"Node 0, zone Normal\n", 4096, false, 0, 0},
        {"Node 0, zone Normal 1 x\n", 4096, false, 0, 0},
        {"Node 0, zone Normal 1 2x\n", 4096, false, 0, 0},
        {"Node 0, zone Normal 1 -2\n", 4096, false, 0, 0},
        {"Node 0, zone Normal 99999999999999999999\n", 4096, false, 0, 0},
        {"Node 0, zone Normal 9999999999999999\n", 4096, false, 0, 0},
        {"Node 0, zone Normal 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n", 4096, false, 0, 0},
        {"Node x, zone Normal 1\n", 4096, false, 0, 0},
        {"Node 0, area Normal 1\n", 4096, false, 0, 0},
        {"Node 0, zone Normal 1\ngarbage\n", 4096, false, 0, 0},
        {"", 4096, false, 0, 0},
        {"Node 0, zone Normal 1 0 0\n", 0, false, 0, 0},
        {"Node 0, zone Normal 1 0 0\n", UINT64_MAX, false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_free_blocks_t blocks = {4711, 4712};
        weir_lines_open_text(&lines, cases[i].text, strlen(cases[i].text), '\n');
        bool valid = weir_free_blocks_parse(&lines, cases[i].page_size, &blocks);
        bool as_expected = valid ? blocks.largest_bytes == cases[i].largest && blocks.large_share == cases[i].share
                                 : blocks.largest_bytes == 4711 && blocks.large_share == 4712;
        if (valid != cases[i].valid || !as_expected) {
            fail_msg("'%s': %d, %llu, %llu", cases[i].text, valid, (unsigned long long)blocks.largest_bytes,
                (unsigned long long)blocks.large_share);
        }
    }
}

static void the_state_of_huge_pages_is_the_word_in_brackets(void **state)
{
    static const char *const wrong[] = {"", "\n", "always madvise never\n", "[always] [madvise] never\n",
        "always [madvise] never", "madvise\n", "[ALWAYS] madvise never\n", "[always] madvise never\nx"};
    weir_huge_pages_t pages = WEIR_HUGE_PAGES_NEVER;
    (void)state;
    assert_true(weir_huge_pages_parse("[always] madvise never\n", &pages));
    assert_int_equal(pages, WEIR_HUGE_PAGES_ALWAYS);
    assert_true(weir_huge_pages_parse("always [madvise] never\n", &pages));
    assert_int_equal(pages, WEIR_HUGE_PAGES_MADVISE);
    assert_true(weir_huge_pages_parse("always madvise [never]\n", &pages));
    assert_int_equal(pages, WEIR_HUGE_PAGES_NEVER);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_false(weir_huge_pages_parse(wrong[i], &pages));
    }
}

static void stalls_are_read_in_hundredths_of_a_percent(void **state)
{
    static const struct {
        const char *text;
        int some; /* -1: unknown */
        int full;
    } cases[] = {
        {"some avg10=0.00 avg60=1.00 avg300=2.00 total=5\nfull avg10=0.01 avg60=0.00 avg300=0.00 total=0\n", 0, 1},
        {"some avg10=100.00 avg60=0.00\nfull avg10=99.99 \n", 10000, 9999},
        {"full avg10=3.07 avg60=0.00\n", -1, 307},
        {"some avg10=3.07 avg60=0.00\n", 307, -1},
        {"some avg10=100.01 avg60=0.00\nfull avg10=101.00 avg60\n", -1, -1},
        {"some avg10=-1.00 avg60=0.00\nfull avg10=+1.00 \n", -1, -1},
        {"some avg10=1.0 avg60=0.00\nfull avg10=1 \n", -1, -1},
        {"some avg10=1.000 avg60=0.00\nfull avg10=1.00", -1, -1},
        {"some avg10=99999999999999999999.00 x\nfull avg10=nan \n", -1, -1},
        {"some avg60=1.00 avg10=1.00\n", -1, -1},
        {"some\nfull\n", -1, -1},
        {"", -1, -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_fact_t some = {WEIR_KNOWN, 4711, "a"};
        weir_fact_t full = {WEIR_KNOWN, 4711, "b"};
        weir_stall_parse(cases[i].text, &some, &full);
        int got_some = some.knowledge == WEIR_KNOWN ? (int)some.value : -1;
        int got_full = full.knowledge == WEIR_KNOWN ? (int)full.value : -1;
        if (got_some != cases[i].some || got_full != cases[i].full || some.source[0] != 'a') {
            fail_msg("'%s': %d, %d", cases[i].text, got_some, got_full);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_read_only_when_the_whole_text_is_one),
        cmocka_unit_test(a_field_in_kibibytes_is_read_only_when_its_line_is_whole),
        cmocka_unit_test(a_statistic_is_read_from_its_own_line),
        IN_TREE(a_file_that_is_not_a_small_text_is_not_read),
        IN_TREE(a_maps_file_is_counted_or_not_understood),
        IN_TREE(a_mapping_with_a_long_path_counts_once),
        IN_TREE(a_link_that_does_not_fit_is_not_read),
        IN_TREE(lines_come_whole_whatever_their_length),
        IN_TREE(a_file_that_is_too_long_fails_and_is_not_cut),
        cmocka_unit_test(a_part_that_is_larger_than_its_whole_is_not_believed),
        cmocka_unit_test(free_blocks_are_counted_or_not_understood),
        cmocka_unit_test(the_state_of_huge_pages_is_the_word_in_brackets),
        cmocka_unit_test(stalls_are_read_in_hundredths_of_a_percent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
