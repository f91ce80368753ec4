/*
 * manifest_support.h: texts that the tests of manifests are made of, and parsing with a clear failure.
 */
#ifndef WEIR_TESTS_MANIFEST_SUPPORT_H
#define WEIR_TESTS_MANIFEST_SUPPORT_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#include "app/manifest.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Three lines, so that what follows begins on line 4. */
#define HEAD                                                                                                           \
    "spin_manifest_version = 2\n"                                                                                      \
    "[application]\n"                                                                                                  \
    "name = \"app\"\n"
/* Three lines: 4 to 6 behind HEAD. */
#define TRIGGER                                                                                                        \
    "[[trigger.http]]\n"                                                                                               \
    "route = \"/hello\"\n"                                                                                             \
    "component = \"hello\"\n"
/* Two lines: 7 and 8 behind HEAD and TRIGGER; what follows is still in the component, on line 9. */
#define COMPONENT                                                                                                      \
    "[component.hello]\n"                                                                                              \
    "source = \"hello.wasm\"\n"

/* Parse a text that has to be right. */
static inline weir_manifest_t parse_text(const char *path, const char *text)
{
    /* Exactly as large as the text, so that a sanitizer sees a byte too much. */
    size_t size = strlen(text);
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, text, size);
    weir_manifest_t manifest;
    char *message = NULL;
    bool parsed = weir_manifest_parse(path, copy, size, &manifest, &message);
    free(copy);
    if (!parsed)
        fail_msg("%s", message);
    assert_null(message);
    return manifest;
}

/* Parse a text that has to be wrong; returns what is said about it, to be freed with free(3). */
static inline char *parse_error(const char *text, size_t size)
{
    weir_manifest_t manifest, untouched;
    memset(&manifest, 0xA5, sizeof manifest);
    untouched = manifest;
    char *message = NULL;
    if (weir_manifest_parse("spin.toml", text, size, &manifest, &message))
        fail_msg("this was let pass:\n%s", text);
    assert_memory_equal(&manifest, &untouched, sizeof manifest);
    assert_non_null(message);
    assert_null(strpbrk(message, "\n\r\t\x1b")); /* one line, whatever it quotes */
    return message;
}

/* A text, or the path of one, and what must be said about it. */
typedef struct wrong {
    const char *text;
    const char *message;
} wrong_t;

#endif
