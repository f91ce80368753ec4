/*
 * manifest_source.c: reads where a component's wasm file comes from (Spin's crates/manifest/src/schema/common.rs,
 * ComponentSource): a path, a URL with its digest, or a registry, which weir does not read.
 */
#include "app/manifest_reader.h"
#include "app/shown_url.h"

#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define DIGEST_PREFIX "sha256:"
enum { DIGEST_DIGITS = 64 };

static const weir_key_rule_t SOURCE_KEYS[] = {
    {"path", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL}, /* no key of Spin's: to say how a path is written */
    {"url", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
    {"digest", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
    {"registry", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
    {"package", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
    {"version", WEIR_SHAPE_STRING, WEIR_KEY_READ, NULL},
};

/* The path of a file below the manifest's directory. */
static char *copy_path(const weir_reader_t *reader, const char *file)
{
    weir_text_t path = {0};
    const char *directory = reader->manifest.directory;
    if (file[0] != '/' && strcmp(directory, ".") != 0) {
        weir_text_add(&path, directory, strlen(directory));
        if (directory[strlen(directory) - 1] != '/')
            weir_text_add(&path, "/", 1);
    }
    weir_text_add(&path, file, strlen(file));
    return weir_text_take(&path);
}

/* A URL that can be fetched at all: http or https, a host, and nothing that would have to be encoded. */
static bool is_url(const char *url)
{
    size_t scheme = strncasecmp(url, "https://", 8) == 0 ? 8 : strncasecmp(url, "http://", 7) == 0 ? 7 : 0;
    if (scheme == 0 || url[scheme] == '\0' || strchr("/?#:", url[scheme]) != NULL)
        return false;
    for (const char *at = url; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7F)
            return false;
    }
    return true;
}

/* The digits of "sha256:..." in lower case, to be freed with free(3). NULL: memory ran out, or it is no digest. */
static char *copy_digest(const char *digest, bool *ret_valid)
{
    *ret_valid = strncmp(digest, DIGEST_PREFIX, strlen(DIGEST_PREFIX)) == 0;
    const char *digits = digest + (*ret_valid ? strlen(DIGEST_PREFIX) : 0);
    *ret_valid =
        *ret_valid && strlen(digits) == DIGEST_DIGITS && strspn(digits, "0123456789abcdefABCDEF") == DIGEST_DIGITS;
    char *copy = *ret_valid ? weir_text_copy(digits) : NULL;
    for (size_t i = 0; copy != NULL && copy[i] != '\0'; i++)
        copy[i] = copy[i] >= 'A' && copy[i] <= 'F' ? (char)(copy[i] - 'A' + 'a') : copy[i];
    return copy;
}

static bool fail_registry(weir_reader_t *reader, const weir_toml_t *source, const char *where)
{
    const weir_toml_t *package = weir_toml_member(source, "package");
    const weir_toml_t *version = weir_toml_member(source, "version");
    if (package == NULL || version == NULL)
        return weir_reader_fail(reader, source->place,
            "\"source\" in %s is neither a URL with its digest nor a package with its version; write source = "
            "\"FILE.wasm\"",
            where);
    return weir_reader_fail(reader, source->place,
        "\"source\" in %s is the package %s of a registry, and weir reads none; fetch it (wkg get %s@%s), and write "
        "source = \"FILE.wasm\"",
        where, weir_quote(package->string).text, weir_shown(package->string).text, weir_shown(version->string).text);
}

static bool read_url(weir_reader_t *reader, const weir_toml_t *source, const char *where, weir_component_t *component)
{
    const weir_toml_t *url = weir_toml_member(source, "url"), *digest = weir_toml_member(source, "digest");
    static const char *const OTHERS[] = {"registry", "package", "version"};
    for (size_t i = 0; i < COUNT(OTHERS); i++) {
        const weir_toml_t *other = weir_toml_member(source, OTHERS[i]);
        if (other != NULL)
            return weir_reader_fail(reader, other->key_place,
                "\"source\" in %s has a URL, and \"%s\" belongs to a registry; remove one of them", where, OTHERS[i]);
    }
    if (url == NULL || digest == NULL)
        return weir_reader_fail(reader, source->place,
            "\"%s\" is missing in \"source\" of %s; write { url = \"https://...\", digest = \"sha256:...\" }",
            url == NULL ? "url" : "digest", where);
    if (weir_url_has_user(url->string))
        return weir_reader_fail(reader, url->place,
            "\"%s\" in \"source\" of %s has a user name or a password before its host, which weir does not send, and "
            "which no manifest should hold; download the file, and write source = \"FILE.wasm\"",
            weir_show_url(url->string).text, where);
    if (!is_url(url->string))
        return weir_reader_fail(reader, url->place,
            "\"%s\" in \"source\" of %s is not a URL that can be fetched; write one that begins with https:// or "
            "http://",
            weir_show_url(url->string).text, where);
    bool valid;
    component->source_digest = copy_digest(digest->string, &valid);
    if (!valid)
        return weir_reader_fail(reader, digest->place,
            "digest %s in \"source\" of %s is not \"sha256:\" and 64 hexadecimal digits; take them from sha256sum(1)",
            weir_quote(digest->string).text, where);
    component->source_url = weir_text_copy(url->string);
    return component->source_url != NULL && component->source_digest != NULL;
}

bool weir_reader_source(weir_reader_t *reader, const weir_toml_t *table, const char *where, weir_component_t *component)
{
    const weir_toml_t *source = weir_toml_member(table, "source");
    if (source == NULL)
        return weir_reader_fail_missing(reader, table, where, "source", "add source = \"FILE.wasm\"");
    component->source_place = source->place;
    if (source->type == WEIR_TOML_TABLE) {
        if (!weir_reader_check_inner(reader, source, where, "source", SOURCE_KEYS, COUNT(SOURCE_KEYS)))
            return false;
        const weir_toml_t *path = weir_toml_member(source, "path");
        if (path != NULL)
            return weir_reader_fail(reader, path->key_place,
                "\"source\" in %s is a table with a path, and a path stands alone; write source = %s", where,
                weir_quote(path->string).text);
        bool is_remote = weir_toml_member(source, "url") != NULL || weir_toml_member(source, "digest") != NULL;
        return is_remote ? read_url(reader, source, where, component) : fail_registry(reader, source, where);
    }
    if (source->string[0] == '\0')
        return weir_reader_fail(
            reader, source->place, "\"source\" in %s is empty; write the path of a wasm file", where);
    component->source = copy_path(reader, source->string);
    return component->source != NULL;
}
