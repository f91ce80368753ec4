/*
 * generation.c: making and freeing what requests are served with.
 */
#include "serve/generation.h"

#include "serve/generation_internal.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <wasmtime.h>

static bool are_sound(const weir_generation_parts_t *parts)
{
    bool sound = parts->routes != NULL && parts->engine_count > 0;
    for (size_t i = 0; sound && i < parts->engine_count; i++) {
        sound = parts->engines[i].engine != NULL && parts->engines[i].max_calls > 0;
    }
    for (size_t i = 0; sound && i < parts->guest_count; i++) {
        sound = parts->guests[i].guest == NULL || parts->guests[i].engine < parts->engine_count;
    }
    return sound;
}

/* The text of a document, or NULL. json_dumps (2.14) leaves a hole where its buffer could not grow. */
static char *text_of(const json_t *document)
{
    size_t size = json_dumpb(document, NULL, 0, JSON_INDENT(2));
    char *text = size == 0 ? NULL : malloc(size + 1);
    if (text == NULL || json_dumpb(document, text, size, JSON_INDENT(2)) != size) {
        free(text);
        return NULL;
    }
    text[size] = '\0';
    return text;
}

/* What /.well-known/spin/info answers, as Spin's: pretty JSON, and no key for what is not there. */
static char *describe_application(const weir_generation_parts_t *parts)
{
    json_t *info = json_object();
    int failed = json_object_set_new(info, "name", json_string(parts->name == NULL ? "" : parts->name));
    if (parts->version != NULL) {
        failed |= json_object_set_new(info, "version", json_string(parts->version));
    }
    char *text = failed == 0 ? text_of(info) : NULL;
    json_decref(info);
    return text;
}

static void *copy_of(const void *array, size_t count, size_t size)
{
    void *copy = calloc(count + 1, size);
    if (copy != NULL && count > 0) {
        memcpy(copy, array, count * size);
    }
    return copy;
}

weir_generation_t *weir_generation_new(const weir_generation_parts_t *take_parts)
{
    if (!are_sound(take_parts)) {
        errno = EINVAL;
        return NULL;
    }
    weir_generation_t *generation = calloc(1, sizeof(*generation));
    void *engines = copy_of(take_parts->engines, take_parts->engine_count, sizeof(*take_parts->engines));
    void *guests = copy_of(take_parts->guests, take_parts->guest_count, sizeof(*take_parts->guests));
    char *info = describe_application(take_parts);
    if (generation == NULL || engines == NULL || guests == NULL || info == NULL) {
        free(generation);
        free(engines);
        free(guests);
        free(info);
        errno = ENOMEM;
        return NULL;
    }
    generation->parts = *take_parts;
    generation->parts.engines = engines;
    generation->parts.guests = guests;
    generation->parts.name = NULL; /* they are in the text */
    generation->parts.version = NULL;
    generation->info = info;
    generation->info_size = strlen(info);
    for (size_t i = 0; i < take_parts->guest_count; i++) {
        const weir_guest_t *guest = take_parts->guests[i].guest;
        generation->may_chain = generation->may_chain || (guest != NULL && weir_guest_may_chain(guest));
    }
    atomic_init(&generation->references, 1);
    return generation;
}

static void free_stakes(weir_stake_t *stakes, unsigned count)
{
    for (unsigned i = 0; stakes != NULL && i < count; i++) {
        free(stakes[i].lanes);
        free(stakes[i].queues);
    }
    free(stakes);
}

static void free_gates(weir_gate_t *gates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        weir_gate_destroy(&gates[i]);
    }
    free(gates);
}

void weir_generation_free(weir_generation_t *own_generation)
{
    if (own_generation == NULL) {
        return;
    }
    weir_generation_parts_t *parts = &own_generation->parts;
    for (size_t i = 0; i < parts->guest_count; i++) {
        weir_guest_free(parts->guests[i].guest);
    }
    for (size_t i = 0; i < parts->engine_count; i++) {
        weir_engine_delete(parts->engines[i].engine);
    }
    if (parts->release != NULL) {
        parts->release(parts->context);
    }
    free((void *)(uintptr_t)parts->guests);
    free((void *)(uintptr_t)parts->engines);
    free(own_generation->info);
    free(own_generation->counted);
    free_stakes(own_generation->stakes, own_generation->loop_count);
    if (own_generation->gates != NULL) {
        free_gates(own_generation->gates, parts->engine_count);
    }
    free(own_generation);
}

static bool prepare_lanes(weir_generation_t *generation, weir_stake_t *stake, unsigned loops)
{
    const weir_generation_parts_t *parts = &generation->parts;
    stake->generation = generation;
    stake->lanes = calloc(parts->engine_count, sizeof(*stake->lanes));
    stake->queues = calloc(parts->guest_count + 1, sizeof(*stake->queues));
    if (stake->lanes == NULL || stake->queues == NULL) {
        free(stake->lanes);
        free(stake->queues);
        return false;
    }
    for (size_t i = 0; i < parts->engine_count; i++) {
        stake->lanes[i].share = parts->engines[i].max_calls / loops;
        weir_list_init(&stake->lanes[i].turns);
        weir_list_init(&stake->lanes[i].chained);
    }
    for (size_t i = 0; i < parts->guest_count; i++) {
        weir_queue_init(&stake->queues[i]);
        if (parts->guests[i].guest != NULL) {
            stake->lanes[parts->guests[i].engine].components++;
        }
    }
    return true;
}

static weir_stake_t *make_stakes(weir_generation_t *generation, unsigned loops)
{
    weir_stake_t *stakes = calloc(loops, sizeof(*stakes));
    for (unsigned i = 0; stakes != NULL && i < loops; i++) {
        if (!prepare_lanes(generation, &stakes[i], loops)) {
            free_stakes(stakes, i);
            return NULL;
        }
    }
    return stakes;
}

/* Where each guest's requests are counted. */
static const weir_counted_t **count_guests(const weir_generation_parts_t *parts, weir_metrics_t *metrics)
{
    const weir_counted_t **counted = calloc(parts->guest_count + 1, sizeof(const weir_counted_t *));
    for (size_t i = 0; counted != NULL && i < parts->guest_count; i++) {
        const weir_guest_t *guest = parts->guests[i].guest;
        counted[i] = weir_metrics_of_component(metrics, guest == NULL ? NULL : weir_guest_id(guest));
    }
    return counted;
}

bool weir_generation_prepare(weir_generation_t *generation, unsigned loops, uint64_t number, weir_metrics_t *metrics,
    void (*wake)(void *context, unsigned loop), void *context)
{
    const weir_generation_parts_t *parts = &generation->parts;
    weir_stake_t *stakes = make_stakes(generation, loops);
    weir_gate_t *gates = calloc(parts->engine_count, sizeof(*gates));
    const weir_counted_t **counted = count_guests(parts, metrics);
    size_t made = 0;
    while (stakes != NULL && gates != NULL && counted != NULL && made < parts->engine_count &&
           weir_gate_init(&gates[made], parts->engines[made].max_calls % loops, loops, wake, context)) {
        made++;
    }
    if (made < parts->engine_count) {
        free_stakes(stakes, loops);
        free_gates(gates, made);
        free(counted);
        return false;
    }
    generation->counted = counted;
    generation->stakes = stakes;
    generation->gates = gates;
    generation->loop_count = loops;
    generation->number = number;
    return true;
}

void weir_generation_tick(const weir_generation_t *generation)
{
    for (size_t i = 0; i < generation->parts.engine_count; i++) {
        wasmtime_engine_increment_epoch(generation->parts.engines[i].engine);
    }
}
