/*
 * allocator_lists.c: fuzzes the parsers of maps and of buddyinfo, which read line by line.
 */
#include "allocator/maps.h"
#include "allocator/memory.h"
#include "fuzz.h"

static weir_lines_t lines;

/* Pieces are whole, in order, and no longer than they may be. */
static void check_lines(const char *text, size_t size, char separator)
{
    weir_line_t line;
    size_t at = 0;
    weir_lines_open_text(&lines, text, size, separator);
    while (weir_lines_next(&lines, &line)) {
        const char *end = memchr(text + at, separator, size - at);
        size_t length = end == NULL ? size - at : (size_t)(end - (text + at));
        must_hold(line.length == (length < WEIR_LINE_BYTES - 1 ? length : WEIR_LINE_BYTES - 1));
        must_hold(line.cut || line.length == length);
        must_hold(memcmp(line.text, text + at, line.length) == 0 && line.text[line.length] == '\0');
        at += length + (end == NULL ? 0 : 1);
    }
    must_hold(at == size && weir_lines_close(&lines));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = copy_text(data, size);
    weir_maps_t maps = {4711, 4712};
    weir_free_blocks_t blocks = {4711, 4712};
    check_lines(text, size, '\n');
    check_lines(text, size, '\0');
    weir_lines_open_text(&lines, text, size, '\n');
    if (weir_maps_parse(&lines, &maps)) {
        must_hold(maps.count > 0 && maps.count <= size);
    } else {
        must_hold(maps.count == 4711 && maps.stack_end == 4712);
    }
    weir_lines_open_text(&lines, text, size, '\n');
    if (weir_free_blocks_parse(&lines, 4096, &blocks)) {
        must_hold(blocks.largest_bytes >= 4096 && (blocks.largest_bytes & (blocks.largest_bytes - 1)) == 0);
        must_hold(blocks.large_share <= 10000);
        must_hold((blocks.largest_bytes >= (2 << 20)) == (blocks.large_share > 0) || blocks.large_share == 0);
    } else {
        must_hold(blocks.largest_bytes == 4711 && blocks.large_share == 4712);
    }
    free(text);
    return 0;
}
