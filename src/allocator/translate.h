/*
 * translate.h: messages in the language of the person who reads them, from the catalogues of po/ (GNU gettext).
 *
 * The catalogues are compiled in, and the C library's libintl has no part in it: that one translates nothing where the
 * system has not installed the locale, as in most containers, and wants setlocale(3), which a library must not call.
 */
#ifndef WEIR_ALLOCATOR_TRANSLATE_H
#define WEIR_ALLOCATOR_TRANSLATE_H

#include <stddef.h>
#include <stdint.h>

/* Marks a message that is translated elsewhere, for xgettext. */
#define WEIR_TRANSLATABLE(message) message

/*
 * A message in the language that weir_language_set has set; itself where that has no translation. xgettext finds the
 * message in the source, so it must be a literal there, or marked where it is one. A constant string. Any thread.
 */
const char *weir_translate(const char *message) __attribute__((format_arg(1)));

/* The same for a message that speaks of `count` things: `one` for one of them, `many` otherwise, both in English. */
const char *weir_translate_count(const char *one, const char *many, uint64_t count)
    __attribute__((format_arg(1), format_arg(2)));

/* A catalogue, as msgfmt writes it (a .mo file, little-endian). po/LINGUAS names them all. */
typedef struct weir_catalogue {
    const char *language; /* "zh_CN" */
    const unsigned char *bytes;
    size_t size;
} weir_catalogue_t;

/* All of them, made by CMake; the last has no language. */
extern const weir_catalogue_t weir_catalogues[];

/* The message of a catalogue, or NULL: a string of `*ret_size` bytes, and a terminator. */
const char *weir_catalogue_find(const weir_catalogue_t *catalogue, const char *message, size_t *ret_size);

#endif
