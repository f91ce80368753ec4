/*
 * template.h: texts in which "{{ name }}" stands for a variable, taken apart as Spin does
 * (crates/expressions/src/template.rs). Private to this room.
 */
#ifndef WEIR_APP_TEMPLATE_H
#define WEIR_APP_TEMPLATE_H

#include <stddef.h>

typedef enum weir_template_part {
    WEIR_TEMPLATE_END = 0,
    WEIR_TEMPLATE_LITERAL,
    WEIR_TEMPLATE_NAME,      /* what stands between the braces, without spaces at its ends; perhaps nothing */
    WEIR_TEMPLATE_UNMATCHED, /* "{{" without "}}": the rest, with the braces */
} weir_template_part_t;

/*
 * The part of a terminated template that begins at `*at`, which moves behind it; 0 to begin. The part itself is stored
 * in `*ret_bytes` and `*ret_size` and borrows the template; both stay untouched at the end. Any thread.
 */
weir_template_part_t weir_template_next(const char *text, size_t *at, const char **ret_bytes, size_t *ret_size);

#endif
