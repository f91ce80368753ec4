/*
 * runtime_config.c: a table of the keys that Spin knows (crates/runtime-config, factor-outbound-networking,
 * factor-outbound-http), and what weir does with each.
 */
#include "app/runtime_config.h"

#include "app/complaint.h"
#include "app/near.h"
#include "app/read_file.h"
#include "app/text.h"
#include "app/toml.h"
#include "app/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 1024 * 1024 };

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const int64_t least_memory = 64 * 1024;
static const int64_t most_connections = 1000000;
static const int64_t most_memory = INT64_C(4) << 30;

typedef struct reader {
    const char *path; /* as it is shown */
    weir_runtime_config_t config;
    char *message;
} reader_t;

typedef bool (*take_t)(reader_t *reader, const weir_toml_t *value);

/* A key: `take` reads it; without one it is not served, which is warned of, or refused when `refused` is set. */
typedef struct key {
    const char *name;
    take_t take;
    const char *note; /* what follows from its not being served, and what to do */
    bool refused;
} known_key_t;

__attribute__((format(printf, 3, 4))) static bool fail(reader_t *reader, weir_place_t place, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    weir_complain_list(&reader->message, reader->path, place, format, arguments);
    va_end(arguments);
    return false;
}

__attribute__((format(printf, 3, 4))) static bool warn(reader_t *reader, weir_place_t place, const char *format, ...)
{
    weir_runtime_config_t *config = &reader->config;
    char **warnings = realloc(config->warnings, (config->warning_count + 1) * sizeof(char *));
    if (warnings == NULL)
        return false;
    config->warnings = warnings;
    va_list arguments;
    va_start(arguments, format);
    weir_complain_list(&warnings[config->warning_count], reader->path, place, format, arguments);
    va_end(arguments);
    return warnings[config->warning_count] != NULL && ++config->warning_count > 0;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

static bool take_text(reader_t *reader, const weir_toml_t *value, char **place)
{
    if (value->type != WEIR_TOML_STRING)
        return fail(
            reader, value->place, "\"%s\" must be a string, not %s", value->key, weir_toml_type_name(value->type));
    *place = weir_text_copy(value->string);
    return *place != NULL;
}

static bool take_state_dir(reader_t *reader, const weir_toml_t *value)
{
    return take_text(reader, value, &reader->config.state_dir);
}

static bool take_log_dir(reader_t *reader, const weir_toml_t *value)
{
    return take_text(reader, value, &reader->config.log_dir);
}

static bool take_memory(reader_t *reader, const weir_toml_t *value)
{
    if (value->type != WEIR_TOML_INTEGER || value->integer < least_memory || value->integer > most_memory)
        return fail(reader, value->place, "\"max_instance_memory\" must be a number of bytes from 65536 to 4294967296");
    reader->config.max_instance_memory = (uint64_t)value->integer;
    return true;
}

static bool take_networks(reader_t *reader, const weir_toml_t *value)
{
    weir_runtime_config_t *config = &reader->config;
    if (value->type != WEIR_TOML_ARRAY)
        return fail(reader, value->place,
            "\"block_networks\" must be an array of strings, not %s; write block_networks = [\"private\"]",
            weir_toml_type_name(value->type));
    config->block_networks = calloc(value->child_count + 1, sizeof(config->block_networks[0]));
    for (size_t i = 0; config->block_networks != NULL && i < value->child_count; i++) {
        const weir_toml_t *network = &value->children[i];
        if (network->type != WEIR_TOML_STRING)
            return fail(reader, network->place,
                "a network must be a string such as \"10.0.0.0/8\" or \"private\", not %s",
                weir_toml_type_name(network->type));
        char *text = weir_text_copy(network->string);
        if (text == NULL)
            return false;
        config->block_networks[config->block_network_count++] = (weir_placed_text_t){text, network->place};
    }
    return config->block_networks != NULL;
}

static bool take_bound(reader_t *reader, const weir_toml_t *value, weir_optional_bound_t *bound)
{
    if (value->type != WEIR_TOML_INTEGER || value->integer < 0 || value->integer > most_connections)
        return fail(
            reader, value->place, "\"%s\" must be a number from 0 to %lld", value->key, (long long)most_connections);
    *bound = (weir_optional_bound_t){true, (uint32_t)value->integer};
    return true;
}

static bool take_max_connections(reader_t *reader, const weir_toml_t *value)
{
    if (reader->config.http_connections.is_set)
        return fail(reader, value->key_place,
            "\"max_connections\" and \"max_concurrent_requests\" say the same; leave the latter out");
    return take_bound(reader, value, &reader->config.http_connections);
}

/* Spin's older name, which allows one more. */
static bool take_max_requests(reader_t *reader, const weir_toml_t *value)
{
    if (!take_max_connections(reader, value))
        return false;
    reader->config.http_connections.most++;
    return warn(reader, value->key_place, weir_words("\"max_concurrent_requests\" is old; write max_connections = %u"),
        (unsigned)reader->config.http_connections.most);
}

static bool take_max_sockets(reader_t *reader, const weir_toml_t *value)
{
    return take_bound(reader, value, &reader->config.sockets);
}

static bool take_pooling(reader_t *reader, const weir_toml_t *value)
{
    if (value->type != WEIR_TOML_BOOLEAN)
        return fail(reader, value->place, "\"connection_pooling\" must be true or false");
    reader->config.no_connection_pooling = !value->boolean;
    return true;
}

/* ---- Tables ------------------------------------------------------------------------------------------------------ */

static bool take_key(reader_t *reader, const weir_toml_t *value, const known_key_t *key)
{
    if (key->take != NULL)
        return key->take(reader, value);
    if (key->refused)
        return fail(reader, value->key_place, "\"%s\" is not served by weir: %s", key->name, key->note);
    return warn(
        reader, value->key_place, weir_words("\"%s\" is not served by weir: %s"), key->name, weir_words(key->note));
}

static bool take_table(reader_t *reader, const weir_toml_t *table, const known_key_t *keys, size_t count)
{
    for (size_t i = 0; i < table->child_count; i++) {
        const weir_toml_t *value = &table->children[i];
        weir_near_t near = weir_near_start(value->key);
        const known_key_t *found = NULL;
        for (size_t k = 0; k < count; k++) {
            weir_near_offer(&near, keys[k].name);
            if (strcmp(keys[k].name, value->key) == 0)
                found = &keys[k];
        }
        if (found == NULL && near.best != NULL)
            return fail(reader, value->key_place, "unknown key %s; did you mean \"%s\"?", weir_quote(value->key).text,
                near.best);
        if (found == NULL)
            return fail(reader, value->key_place, "unknown key %s; leave it out", weir_quote(value->key).text);
        if (!take_key(reader, value, found))
            return false;
    }
    return true;
}

static bool take_outbound_networking(reader_t *reader, const weir_toml_t *value)
{
    static const known_key_t keys[] = {
        {"block_networks", take_networks, NULL, false},
        {"max_socket_connections", take_max_sockets, NULL, false},
        {"max_total_connections", NULL,
            WEIR_WORDS("max_socket_connections bounds sockets, and max_connections in [outbound_http] the connections "
                       "of requests"),
            false},
    };
    if (value->type != WEIR_TOML_TABLE)
        return fail(reader, value->place, "\"outbound_networking\" must be a table; write [outbound_networking]");
    return take_table(reader, value, keys, COUNT(keys));
}

static bool take_outbound_http(reader_t *reader, const weir_toml_t *value)
{
    static const known_key_t keys[] = {
        {"connection_pooling", take_pooling, NULL, false},
        {"max_connections", take_max_connections, NULL, false},
        {"max_concurrent_requests", take_max_requests, NULL, false},
    };
    if (value->type != WEIR_TOML_TABLE)
        return fail(reader, value->place, "\"outbound_http\" must be a table; write [outbound_http]");
    return take_table(reader, value, keys, COUNT(keys));
}

/* A relative path starts from the file's own directory (crates/key-value-spin/src/lib.rs). */
static char *path_beside(const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    char *joined = NULL;
    if (path[0] == '/' || slash == NULL)
        return weir_text_copy(path);
    return asprintf(&joined, "%.*s/%s", (int)(slash - file), file, path) < 0 ? NULL : joined;
}

static bool take_store(reader_t *reader, const weir_toml_t *table, weir_key_value_config_t *store)
{
    const weir_toml_t *type = table->type == WEIR_TOML_TABLE ? weir_toml_member(table, "type") : NULL;
    store->place = table->key_place;
    store->label = weir_text_copy(table->key);
    if (store->label == NULL)
        return false;
    if (type == NULL || type->type != WEIR_TOML_STRING)
        return fail(reader, table->key_place,
            "[key_value_store.%s] has no type; write type = \"spin\", and path = \"FILE\" beside it",
            weir_shown(table->key).text);
    if (strcmp(type->string, "spin") != 0)
        return fail(reader, type->place, "key-value stores of type %s are not served; write type = \"spin\"",
            weir_quote(type->string).text);
    for (size_t i = 0; i < table->child_count; i++) {
        const weir_toml_t *value = &table->children[i];
        if (strcmp(value->key, "type") == 0)
            continue;
        if (strcmp(value->key, "path") != 0)
            return fail(reader, value->key_place,
                "unknown key %s in [key_value_store.%s]; a store of type \"spin\" has a path",
                weir_quote(value->key).text, weir_shown(table->key).text);
        if (value->type != WEIR_TOML_STRING || value->string[0] == '\0')
            return fail(reader, value->place, "\"path\" must be the path of a file, in quotes");
        store->path = path_beside(reader->config.path, value->string);
        if (store->path == NULL)
            return false;
    }
    return true;
}

static bool take_stores(reader_t *reader, const weir_toml_t *value)
{
    weir_runtime_config_t *config = &reader->config;
    if (value->type != WEIR_TOML_TABLE)
        return fail(reader, value->place, "\"key_value_store\" must be a table; write [key_value_store.LABEL]");
    config->key_value_stores = calloc(value->child_count + 1, sizeof config->key_value_stores[0]);
    for (size_t i = 0; config->key_value_stores != NULL && i < value->child_count; i++) {
        if (!take_store(reader, &value->children[i], &config->key_value_stores[config->key_value_store_count++]))
            return false;
    }
    return config->key_value_stores != NULL;
}

#define NO_SQLITE WEIR_WORDS("there is no SQLite yet")
#define NO_PROVIDER                                                                                                    \
    "variables come from SPIN_VARIABLE_*, .env and --variable; give the values there, and leave this out"
#define NO_CLIENT WEIR_WORDS("guests have no client for it, so there is nothing to bound")

static const known_key_t keys[] = {
    {"state_dir", take_state_dir, NULL, false},
    {"log_dir", take_log_dir, NULL, false},
    {"max_instance_memory", take_memory, NULL, false},
    {"outbound_networking", take_outbound_networking, NULL, false},
    {"outbound_http", take_outbound_http, NULL, false},
    {"outbound_redis", NULL, NO_CLIENT, false},
    {"outbound_pg", NULL, NO_CLIENT, false},
    {"outbound_mysql", NULL, NO_CLIENT, false},
    {"outbound_mqtt", NULL, NO_CLIENT, false},
    {"key_value_store", take_stores, NULL, false},
    {"sqlite_database", NULL, NO_SQLITE, false},
    {"llm_compute", NULL, WEIR_WORDS("there is no inference"), false},
    {"client_tls", NULL, "the certificates that it names would not be used; leave it out", true},
    {"variables_provider", NULL, NO_PROVIDER, true},
    {"config_provider", NULL, NO_PROVIDER, true},
};

/* ---- All of it --------------------------------------------------------------------------------------------------- */

bool weir_runtime_config_parse(
    const char *path, const char *text, size_t text_size, weir_runtime_config_t *ret_config, char **ret_message)
{
    weir_text_t shown = {0};
    weir_text_add_escaped(&shown, path, strlen(path));
    char *shown_path = weir_text_take(&shown);
    reader_t reader = {.path = shown_path};
    weir_toml_document_t document;
    reader.config.path = weir_text_copy(path);
    bool read = false;
    if (shown_path != NULL && reader.config.path != NULL &&
        weir_toml_parse(shown_path, text, text_size, WEIR_TOML_PRIVATE, &document, &reader.message)) {
        read = take_table(&reader, &document.root, keys, COUNT(keys));
        weir_toml_free(&document);
    }
    free(shown_path);
    if (!read) {
        weir_runtime_config_free(&reader.config);
        *ret_message = reader.message;
        return false;
    }
    *ret_config = reader.config;
    return true;
}

bool weir_runtime_config_load(const char *path, weir_runtime_config_t *ret_config, char **ret_message)
{
    char *text;
    size_t size;
    *ret_message = NULL;
    weir_read_result_t result = weir_read_file(path, BYTES_MAX, &text, &size, ret_message);
    if (result == WEIR_READ_MISSING)
        return weir_complain(ret_message, path, (weir_place_t){0, 0},
            "there is no such file; --runtime-config-file names a file in TOML");
    if (result != WEIR_READ_OK)
        return false;
    bool parsed = weir_runtime_config_parse(path, text, size, ret_config, ret_message);
    free(text);
    return parsed;
}

void weir_runtime_config_free(weir_runtime_config_t *config)
{
    for (size_t i = 0; i < config->block_network_count; i++)
        free(config->block_networks[i].text);
    for (size_t i = 0; i < config->warning_count; i++)
        free(config->warnings[i]);
    for (size_t i = 0; i < config->key_value_store_count; i++) {
        free(config->key_value_stores[i].label);
        free(config->key_value_stores[i].path);
    }
    free(config->key_value_stores);
    free(config->block_networks);
    free(config->warnings);
    free(config->path);
    free(config->state_dir);
    free(config->log_dir);
    *config = (weir_runtime_config_t){.path = NULL};
}
