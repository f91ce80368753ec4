/*
 * maps.c: reads a maps file of /proc (proc_pid_maps(5)).
 */
#include "allocator/maps.h"

#include <ctype.h>
#include <string.h>

enum { LINES_MAX = 4 << 20 };

static const uint64_t bytes_max = UINT64_C(1) << 30;

/* "55ff24ba0000-55ff24ba1000 r--p ...": the second address. */
static bool take_end(const char *line, uint64_t *ret_end)
{
    uint64_t address[2] = {0, 0};
    for (unsigned i = 0; i < 2; i++) {
        unsigned digits = 0;
        for (; isxdigit((unsigned char)*line); line++, digits++) {
            unsigned char byte = (unsigned char)*line;
            unsigned digit = (unsigned)(isdigit(byte) ? byte - '0' : tolower(byte) - 'a' + 10);
            address[i] = address[i] << 4 | digit;
        }
        if (digits == 0 || digits > 16 || *line != (i == 0 ? '-' : ' ')) {
            return false;
        }
        line++;
    }
    *ret_end = address[1];
    return address[0] < address[1];
}

bool weir_maps_parse(weir_lines_t *lines, weir_maps_t *ret_maps)
{
    weir_maps_t maps = {0, 0};
    weir_line_t line;
    while (weir_lines_next(lines, &line)) {
        uint64_t end;
        if (memchr(line.text, '\0', line.length) != NULL || !take_end(line.text, &end) || ++maps.count > LINES_MAX) {
            return false;
        }
        if (!line.cut && line.length > 8 && strcmp(line.text + line.length - 8, " [stack]") == 0) {
            maps.stack_end = end;
        }
    }
    if (lines->failed || maps.count == 0) {
        return false;
    }
    *ret_maps = maps;
    return true;
}

bool weir_maps_read(const char *root, const char *path, weir_maps_t *ret_maps)
{
    weir_lines_t lines;
    if (!weir_lines_open(&lines, root, path, '\n', bytes_max)) {
        return false;
    }
    bool understood = weir_maps_parse(&lines, ret_maps);
    weir_lines_close(&lines);
    return understood;
}
