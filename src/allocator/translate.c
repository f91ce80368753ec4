/*
 * translate.c: finds messages in the catalogues, and the language that the environment asks for.
 */
#include "allocator/translate.h"

#include "weir/allocator.h"

#include <langinfo.h>
#include <locale.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Catalogues -------------------------------------------------------------------------------------------------- */

/* The header of a .mo file (GNU gettext manual, "The Format of GNU MO Files"), as offsets of its words. */
enum { MAGIC_AT = 0, COUNT_AT = 8, MESSAGES_AT = 12, TRANSLATIONS_AT = 16, HEADER_BYTES = 28, ENTRY_BYTES = 8 };

static const uint32_t magic = 0x950412de;

/* NULL: English, as the sources are. */
static _Atomic(const weir_catalogue_t *) language_in_use;

/* A word of the file; 0 beyond its end. */
static uint32_t word_at(const weir_catalogue_t *catalogue, uint64_t at)
{
    if (at + 4 > catalogue->size) {
        return 0;
    }
    const unsigned char *byte = catalogue->bytes + at;
    return (uint32_t)byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 | (uint32_t)byte[3] << 24;
}

/* The string that an entry of one of the two tables names; NULL when it is not within the file, with its terminator. */
static const char *string_at(const weir_catalogue_t *catalogue, uint64_t table, uint32_t index, size_t *ret_size)
{
    uint64_t entry = table + (uint64_t)index * ENTRY_BYTES;
    uint64_t size = word_at(catalogue, entry);
    uint64_t at = word_at(catalogue, entry + 4);
    if (at < HEADER_BYTES || at + size >= catalogue->size || catalogue->bytes[at + size] != '\0') {
        return NULL;
    }
    *ret_size = (size_t)size;
    return (const char *)catalogue->bytes + at;
}

const char *weir_catalogue_find(const weir_catalogue_t *catalogue, const char *message, size_t *ret_size)
{
    if (catalogue->size < HEADER_BYTES || word_at(catalogue, MAGIC_AT) != magic) {
        return NULL;
    }
    uint32_t messages = word_at(catalogue, MESSAGES_AT);
    uint32_t first = 0;
    uint32_t end = word_at(catalogue, COUNT_AT);
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        size_t size;
        const char *found = string_at(catalogue, messages, middle, &size);
        if (found == NULL) {
            return NULL;
        }
        /* One that has a plural goes on after its first terminator. */
        int order = strcmp(message, found);
        if (order == 0) {
            return string_at(catalogue, word_at(catalogue, TRANSLATIONS_AT), middle, ret_size);
        }
        if (order < 0) {
            end = middle;
        } else {
            first = middle + 1;
        }
    }
    return NULL;
}

const char *weir_translate(const char *message)
{
    const weir_catalogue_t *catalogue = atomic_load_explicit(&language_in_use, memory_order_acquire);
    size_t size = 0;
    /* The empty message stands for the catalogue's header. */
    const char *found = catalogue == NULL || message[0] == '\0' ? NULL : weir_catalogue_find(catalogue, message, &size);
    return found == NULL || found[0] == '\0' ? message : found;
}

const char *weir_translate_count(const char *one, const char *many, uint64_t count)
{
    const weir_catalogue_t *catalogue = atomic_load_explicit(&language_in_use, memory_order_acquire);
    size_t size = 0;
    const char *found = catalogue == NULL ? NULL : weir_catalogue_find(catalogue, one, &size);
    if (found == NULL || found[0] == '\0') {
        return count == 1 ? one : many;
    }
    /* Languages have one form, as Chinese, or two, as English: a catalogue with more does not pass its test. */
    size_t first = strlen(found);
    return count == 1 || first >= size ? found : found + first + 1;
}

/* ---- Languages --------------------------------------------------------------------------------------------------- */

/* A locale's name, or an entry of LANGUAGE, in parts: zh_CN.UTF-8@modifier. */
typedef struct locale_name {
    const char *text;
    size_t language; /* bytes of "zh" */
    size_t whole;    /* bytes of "zh_CN" */
    const char *codeset;
    size_t codeset_size;
} locale_name_t;

static locale_name_t parse_name(const char *text, size_t size)
{
    locale_name_t name = {.text = text};
    const char *modifier = memchr(text, '@', size);
    size = modifier != NULL ? (size_t)(modifier - text) : size;
    const char *dot = memchr(text, '.', size);
    name.whole = dot != NULL ? (size_t)(dot - text) : size;
    if (dot != NULL) {
        name.codeset = dot + 1;
        name.codeset_size = size - name.whole - 1;
    }
    const char *territory = memchr(text, '_', name.whole);
    name.language = territory != NULL ? (size_t)(territory - text) : name.whole;
    return name;
}

/* Messages are UTF-8. A name without a codeset may be of another: is_utf8_here. */
static bool is_utf8(const locale_name_t *name)
{
    return name->codeset == NULL || (name->codeset_size == 5 && strncasecmp(name->codeset, "UTF-8", 5) == 0) ||
           (name->codeset_size == 4 && strncasecmp(name->codeset, "UTF8", 4) == 0);
}

/*
 * Whether a locale whose name says no codeset has UTF-8, by the C library (glibc's zh_CN is GB2312). Where it is not
 * installed that cannot be known, and UTF-8 is what terminals have.
 */
static bool is_utf8_here(const char *name)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, name, (locale_t)0);
    if (locale == (locale_t)0) {
        return true;
    }
    bool utf8 = strcasecmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    freelocale(locale);
    return utf8;
}

static bool is_named(const locale_name_t *name, const char *word)
{
    return name->whole == strlen(word) && strncmp(name->text, word, name->whole) == 0;
}

static bool is_english(const locale_name_t *name)
{
    bool english = name->language == 2 && strncmp(name->text, "en", 2) == 0;
    return english || is_named(name, "C") || is_named(name, "POSIX");
}

/* The catalogue for a name: that of its language and territory, or of its language when it has no territory. */
static const weir_catalogue_t *find_catalogue(const locale_name_t *name)
{
    for (const weir_catalogue_t *catalogue = weir_catalogues; catalogue->language != NULL; catalogue++) {
        bool alone = name->language == name->whole && name->whole > 0 &&
                     strncmp(catalogue->language, name->text, name->whole) == 0 &&
                     catalogue->language[name->whole] == '_';
        if (alone || is_named(name, catalogue->language)) {
            return catalogue;
        }
    }
    return NULL;
}

/* The first of a list with colons between, as LANGUAGE is, that there is. `*ret_known` says whether there is one. */
static const weir_catalogue_t *find_in_list(const char *list, bool *ret_known)
{
    *ret_known = false;
    while (*list != '\0') {
        size_t size = strcspn(list, ":");
        locale_name_t name = parse_name(list, size);
        const weir_catalogue_t *catalogue = find_catalogue(&name);
        *ret_known = catalogue != NULL || is_english(&name);
        if (*ret_known) {
            return catalogue;
        }
        list += size + (list[size] == ':' ? 1 : 0);
    }
    return NULL;
}

/* As gettext(3) has it: LC_ALL, LC_MESSAGES or LANG names the locale; unless that is C, LANGUAGE may list others. */
static const weir_catalogue_t *find_for_environment(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    const char *value = NULL;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0] && (value == NULL || value[0] == '\0'); i++) {
        value = getenv(variables[i]);
    }
    if (value == NULL || value[0] == '\0') {
        return NULL;
    }
    locale_name_t name = parse_name(value, strlen(value));
    bool is_plain = name.codeset == NULL && (is_named(&name, "C") || is_named(&name, "POSIX"));
    if (is_plain || !is_utf8(&name) || (name.codeset == NULL && !is_utf8_here(value))) {
        return NULL;
    }
    const char *list = getenv("LANGUAGE");
    bool known = false;
    if (list != NULL && list[0] != '\0') {
        return find_in_list(list, &known);
    }
    return find_catalogue(&name);
}

bool weir_language_set(const char *language)
{
    const weir_catalogue_t *catalogue = NULL;
    if (language == NULL) {
        catalogue = find_for_environment();
    } else {
        locale_name_t name = parse_name(language, strlen(language));
        catalogue = find_catalogue(&name);
        if (catalogue == NULL && !is_english(&name)) {
            return false;
        }
    }
    atomic_store_explicit(&language_in_use, catalogue, memory_order_release);
    return true;
}

const char *weir_language(void)
{
    const weir_catalogue_t *catalogue = atomic_load_explicit(&language_in_use, memory_order_acquire);
    return catalogue == NULL ? "en" : catalogue->language;
}
