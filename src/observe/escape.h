/*
 * escape.h: text from outside made safe to show on one line of a terminal or a log.
 */
#ifndef WEIR_OBSERVE_ESCAPE_H
#define WEIR_OBSERVE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The size in bytes of the UTF-8 character (RFC 3629) that `bytes` begins with, its code point in `*ret_code_point`.
 * Returns 0, and leaves `*ret_code_point` untouched, when there is no valid character or `size` is 0. Any thread.
 */
size_t weir_utf8_character(const char *bytes, size_t size, uint32_t *ret_code_point);

/* Whether all of `text` is UTF-8; so it is when `size` is 0. Any thread. */
bool weir_utf8_is_valid(const char *text, size_t size);

/* The most bytes that one step of weir_escape_next yields, without a terminator. */
#define WEIR_ESCAPE_MAX 8

/*
 * Take the first character of `bytes` and store how it is shown in `ret_shown` (not terminated), its size in
 * `*ret_shown_size`. Control characters become "\n", "\r", "\t", "\x1b" or "\u0085"; so do bytes that are not UTF-8
 * ("\xff"), and characters that reorder text or break lines (U+2028, U+202E). A backslash stays one. `size` must be
 * at least 1. Returns how many bytes were taken, at least 1. Any thread.
 */
size_t weir_escape_next(const char *bytes, size_t size, char ret_shown[WEIR_ESCAPE_MAX], size_t *ret_shown_size);

/* The most bytes that weir_escape_json makes of one. */
#define WEIR_ESCAPE_JSON_MAX 6

/*
 * Write a text as it stands between the quotes of a JSON string (RFC 8259, section 7), not terminated: what
 * weir_escape_next spells out becomes "\n", "\u001b" and the like, and each byte that is not UTF-8 U+FFFD. There must
 * be room for WEIR_ESCAPE_JSON_MAX times `size`. Returns how many bytes were written. Any thread.
 */
size_t weir_escape_json(const char *text, size_t size, char *ret_escaped);

#endif
