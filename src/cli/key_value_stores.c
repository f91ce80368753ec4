/*
 * key_value_stores.c: a label is one of the runtime configuration; "default" is kept in the state directory where it is
 * none, and in memory without such a directory (Spin: crates/runtime-config/src/lib.rs).
 */
#include "cli/key_value_stores.h"

#include "app/text.h"
#include "cli/arguments.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char default_label[] = "default";
static const char default_file[] = "sqlite_key_value.db";

typedef struct weir_key_value_place {
    char *label;
    char *file; /* NULL: in memory */
    weir_kv_store_t *store;
} weir_key_value_place_t;

static const char *first(const char *option, const char *config)
{
    return option != NULL ? option : config;
}

/* The file of the default store, NULL for one in memory. */
static char *default_place(const weir_manifest_t *manifest, const weir_runtime_config_t *config,
    const weir_up_options_t *options, bool *ret_failed)
{
    const char *state_dir = first(options->state_dir, config->state_dir);
    char *file = NULL;
    *ret_failed = false;
    if (state_dir == NULL ? manifest->is_wasm : state_dir[0] == '\0') {
        return NULL;
    }
    *ret_failed = (state_dir != NULL ? asprintf(&file, "%s/%s", state_dir, default_file)
                                     : asprintf(&file, "%s/.spin/%s", manifest->directory, default_file)) < 0;
    return *ret_failed ? NULL : file;
}

static const weir_key_value_config_t *configured(const weir_runtime_config_t *config, const char *label)
{
    for (size_t i = 0; i < config->key_value_store_count; i++) {
        if (strcmp(config->key_value_stores[i].label, label) == 0) {
            return &config->key_value_stores[i];
        }
    }
    return NULL;
}

static weir_key_value_place_t *find(const weir_key_value_stores_t *stores, const char *label)
{
    for (size_t i = 0; i < stores->place_count; i++) {
        if (strcmp(stores->places[i].label, label) == 0) {
            return &stores->places[i];
        }
    }
    return NULL;
}

/* Add the store of a label that is defined. Returns NULL when memory runs out. */
static weir_key_value_place_t *add(weir_key_value_stores_t *stores, const weir_manifest_t *manifest,
    const weir_runtime_config_t *config, const weir_up_options_t *options, const char *label, char **ret_message)
{
    const weir_key_value_config_t *given = configured(config, label);
    weir_key_value_place_t *places = realloc(stores->places, (stores->place_count + 1) * sizeof stores->places[0]);
    bool failed = false;
    if (places == NULL) {
        return NULL;
    }
    stores->places = places;
    weir_key_value_place_t *place = &places[stores->place_count];
    *place = (weir_key_value_place_t){.label = strdup(label)};
    if (given == NULL) {
        place->file = default_place(manifest, config, options, &failed);
    } else if (given->path != NULL) {
        place->file = strdup(given->path);
        failed = place->file == NULL;
    }
    if (failed || place->label == NULL || !weir_kv_new_sqlite(place->file, &place->store, ret_message)) {
        free(place->label);
        free(place->file);
        return NULL;
    }
    stores->place_count++;
    return place;
}

static bool add_component(weir_key_value_stores_t *stores, const weir_manifest_t *manifest,
    const weir_runtime_config_t *config, const weir_up_options_t *options, const weir_component_t *component,
    char **ret_message)
{
    weir_component_stores_t *own = &stores->components[stores->component_count++];
    own->items = calloc(component->key_value_store_count + 1, sizeof own->items[0]);
    for (size_t i = 0; own->items != NULL && i < component->key_value_store_count; i++) {
        const weir_placed_text_t *label = &component->key_value_stores[i];
        if (strcmp(label->text, default_label) != 0 && configured(config, label->text) == NULL) {
            return weir_arguments_refuse(ret_message,
                "%s:%u:%u: no key-value store %s is defined for component %s; define it in the file of "
                "--runtime-config-file: [key_value_store.%s], type = \"spin\", path = \"FILE\"",
                weir_shown(manifest->path).text, (unsigned)label->place.line, (unsigned)label->place.column,
                weir_quote(label->text).text, weir_quote(component->id).text, weir_shown(label->text).text);
        }
        weir_key_value_place_t *place = find(stores, label->text);
        place = place != NULL ? place : add(stores, manifest, config, options, label->text, ret_message);
        if (place == NULL) {
            return false;
        }
        own->items[own->count++] = (weir_granted_store_t){label->text, place->store};
    }
    return own->items != NULL;
}

bool weir_key_value_stores_make(const weir_manifest_t *manifest, const weir_runtime_config_t *config,
    const weir_up_options_t *options, weir_key_value_stores_t *ret_stores, char **ret_message)
{
    weir_key_value_stores_t stores = {.places = NULL};
    *ret_message = NULL;
    stores.components = calloc(manifest->component_count + 1, sizeof stores.components[0]);
    bool made = stores.components != NULL;
    for (size_t i = 0; made && i < manifest->component_count; i++) {
        made = add_component(&stores, manifest, config, options, &manifest->components[i], ret_message);
    }
    if (made && options->key_values.count > 0 && find(&stores, default_label) == NULL) {
        made = add(&stores, manifest, config, options, default_label, ret_message) != NULL;
    }
    if (!made) {
        weir_key_value_stores_free(&stores);
        return false;
    }
    *ret_stores = stores;
    return true;
}

/* ---- --key-value ------------------------------------------------------------------------------------------------- */

/* Somebody who waits for a store. */
typedef struct outcome {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_there;
    char *failure;
} outcome_t;

static void take_outcome(void *context, const weir_kv_answer_t *answer)
{
    outcome_t *outcome = context;
    pthread_mutex_lock(&outcome->lock);
    outcome->is_there = true;
    if (answer->status != WEIR_KV_DONE) {
        outcome->failure = strdup(answer->message == NULL ? "it was changed" : answer->message);
    }
    pthread_cond_signal(&outcome->changed);
    pthread_mutex_unlock(&outcome->lock);
}

bool weir_key_value_stores_set(
    const weir_key_value_stores_t *stores, const weir_up_options_t *options, char **ret_message)
{
    size_t count = options->key_values.count;
    *ret_message = NULL;
    if (count == 0) {
        return true;
    }
    weir_bytes_t *bytes = calloc(2 * count, sizeof bytes[0]);
    if (bytes == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const char *text = options->key_values.items[i];
        const char *equals = strchr(text, '=');
        bytes[i] = (weir_bytes_t){text, (size_t)(equals - text)};
        bytes[count + i] = (weir_bytes_t){equals + 1, strlen(equals + 1)};
    }
    outcome_t outcome = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    const weir_kv_request_t request = {
        .operation = WEIR_KV_SET, .label = default_label, .keys = bytes, .key_count = count, .values = bytes + count};
    weir_kv_submit(find(stores, default_label)->store, &request, take_outcome, &outcome);
    free(bytes);
    pthread_mutex_lock(&outcome.lock);
    while (!outcome.is_there) {
        pthread_cond_wait(&outcome.changed, &outcome.lock);
    }
    pthread_mutex_unlock(&outcome.lock);
    if (outcome.failure != NULL) {
        weir_arguments_refuse(ret_message, "--key-value: %s", outcome.failure);
        free(outcome.failure);
        return false;
    }
    return true;
}

/* ---- The rest ---------------------------------------------------------------------------------------------------- */

const char *weir_key_value_stores_file(const weir_key_value_stores_t *stores, size_t index)
{
    return stores->places[index].file;
}

void weir_key_value_stores_free(weir_key_value_stores_t *stores)
{
    for (size_t i = 0; i < stores->place_count; i++) {
        free(stores->places[i].label);
        free(stores->places[i].file);
        weir_kv_release(stores->places[i].store);
    }
    for (size_t i = 0; i < stores->component_count; i++) {
        free(stores->components[i].items);
    }
    free(stores->places);
    free(stores->components);
    *stores = (weir_key_value_stores_t){.places = NULL};
}
