/*
 * glob.h: patterns for files, as those of Rust's crate glob (0.3), which Spin uses: "?" is any character, "*" any
 * characters, "[a-z]" and "[!a-z]" one of some, and a component "**" any directories. Private to this room.
 */
#ifndef WEIR_APP_GLOB_H
#define WEIR_APP_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a text has a character that only patterns need: ? * [ or ]. Any thread. */
bool weir_glob_is_pattern(const char *text);

/* What is wrong with a pattern, as the end of a sentence that names it, static; NULL when nothing is. Any thread. */
const char *weir_glob_fault(const char *pattern, size_t size);

/*
 * Whether a text is what a pattern without fault describes; both are UTF-8. As in Spin, "*", "?" and "[…]" can stand
 * for a slash, too, and for a dot at the beginning. Takes time in proportion to the product of both sizes. Any thread.
 */
bool weir_glob_matches(const char *pattern, size_t pattern_size, const char *text, size_t text_size);

#endif
