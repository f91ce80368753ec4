/*
 * generation_support.h: for the tests of a server with guests: an application of WAGI modules, compiled once, and
 * generations of it on real engines.
 */
#ifndef WEIR_TESTS_GENERATION_SUPPORT_H
#define WEIR_TESTS_GENERATION_SUPPORT_H

#include "client_support.h"
#include "guest_support.h"
#include "serve/server.h"

enum { COMPONENTS = 8, RUNGS = 4 };

enum { QUICK, CAT, NAP, SPINNER, HOLDER, TRAPPER, EXITER, BREAKER };

static const step_t steps_of_guests[COMPONENTS][5] = {
    [QUICK] = {{.kind = WRITE, .text = "content-type: text/plain\n\nquick"}},
    [CAT] = {{.kind = WRITE, .text = "content-type: text/plain\n\n"}, {.kind = COPY}},
    [NAP] = {{.kind = WRITE, .text = "content-type: text/plain\n\n"}, {.kind = SLEEP, .number = 5},
        {.kind = WRITE, .text = "nap"}},
    [SPINNER] = {{.kind = WORK, .number = UINT32_MAX}}, /* longer than any test takes */
    [HOLDER] = {{.kind = WRITE, .text = "content-type: text/plain\n\n"}, {.kind = COPY}},
    [TRAPPER] = {{.kind = TRAP}},
    [EXITER] = {{.kind = EXIT, .number = 3}},
    /* Its response is on its way when it traps. */
    [BREAKER] = {{.kind = WRITE, .text = "content-type: text/plain\n\nbroken"}, {.kind = SLEEP, .number = 5},
        {.kind = TRAP}},
};

/* What an engine is like: a pool with so many slots, or, with 0, none. */
typedef struct rung {
    uint32_t slots;
    uint64_t slot_bytes;
    uint32_t max_calls;
} rung_t;

typedef struct world {
    weir_manifest_t manifest;
    weir_routes_t *routes;
    weir_routes_t
        *other_routes; /* "/cat" leads to QUICK, "/quick" and "/static" to no guest, and nothing else anywhere */
    weir_manifest_t other_manifest;
    weir_guest_code_t *codes[COMPONENTS];
    const weir_guest_t *holder; /* of the generation that was made last, which owns it */
    weir_listener_t listener;
    weir_server_t *server;
    atomic_uint released; /* generations that were freed */
    atomic_uint counted;  /* generations that there were, as the server said, when the last one of these was freed */
    atomic_uint refused;  /* instances */
} world_t;

static inline wasm_engine_t *engine_of(rung_t rung)
{
    wasm_config_t *config = wasm_config_new();
    wasmtime_config_epoch_interruption_set(config, true);
    wasmtime_config_concurrency_support_set(config, false);
    wasmtime_config_memory_reservation_set(config, (uint64_t)64 << 20);
    wasmtime_config_memory_guard_size_set(config, 64 << 10);
    wasmtime_config_async_stack_size_set(config, 1 << 20);
    if (rung.slots > 0) {
        wasmtime_pooling_allocation_config_t *pool = wasmtime_pooling_allocation_config_new();
        wasmtime_pooling_allocation_config_total_memories_set(pool, rung.slots);
        wasmtime_pooling_allocation_config_total_tables_set(pool, rung.slots);
        wasmtime_pooling_allocation_config_total_core_instances_set(pool, rung.slots);
        wasmtime_pooling_allocation_config_total_component_instances_set(pool, rung.slots);
        wasmtime_pooling_allocation_config_total_stacks_set(pool, rung.slots);
        wasmtime_pooling_allocation_config_total_gc_heaps_set(pool, rung.slots);
        wasmtime_pooling_allocation_config_max_memory_size_set(pool, (size_t)rung.slot_bytes);
        wasmtime_pooling_allocation_strategy_set(config, pool);
        wasmtime_pooling_allocation_config_delete(pool);
    }
    wasm_engine_t *engine = NULL;
    int refused;
    assert_null(weir_engine_new(config, &engine, &refused));
    return engine;
}

static inline void count_release(void *context)
{
    world_t *world = context;
    atomic_store(&world->counted, weir_server_generations(world->server));
    atomic_fetch_add(&world->released, 1);
}

static inline void count_refusal(void *context, const char *component, const char *what)
{
    world_t *world = context;
    assert_true(component[0] != '\0' && what[0] != '\0');
    atomic_fetch_add(&world->refused, 1);
}

/* A generation with one engine for each rung; the guests are on the first, but for HOLDER, which is on the last. */
static inline weir_generation_t *generation_with(world_t *world, const rung_t *rungs, size_t count, bool other_routes)
{
    weir_generation_engine_t engines[RUNGS];
    weir_generation_guest_t guests[COMPONENTS] = {{.guest = NULL}};
    for (size_t i = 0; i < count; i++)
        engines[i] = (weir_generation_engine_t){engine_of(rungs[i]), rungs[i].max_calls};
    for (size_t i = 0; i < COMPONENTS; i++) {
        char *message = NULL;
        guests[i].engine = i == HOLDER ? count - 1 : 0;
        if (!weir_guest_new(engines[guests[i].engine].engine, &world->manifest, &world->manifest.components[i],
                world->codes[i], &(weir_guest_settings_t){.output = WEIR_GUEST_OUTPUT_LOGGED}, &guests[i].guest,
                &message))
            fail_msg("%s", message);
    }
    world->holder = guests[HOLDER].guest;
    weir_generation_parts_t parts = {.routes = other_routes ? world->other_routes : world->routes,
        .engines = engines,
        .engine_count = count,
        .guests = guests,
        .guest_count = COMPONENTS,
        .release = count_release,
        .context = world};
    weir_generation_t *generation = weir_generation_new(&parts);
    assert_non_null(generation);
    return generation;
}

static inline weir_generation_t *generation_of(world_t *world, rung_t rung)
{
    return generation_with(world, &rung, 1, false);
}

static inline void compile_all(world_t *world)
{
    wasm_engine_t *engine = engine_of((rung_t){.slots = 0});
    for (size_t i = 0; i < COMPONENTS; i++) {
        wasm_byte_vec_t wasm = module_of(steps_of_guests[i]);
        weir_guest_file_t file = {.bytes = wasm.data, .size = wasm.size};
        char *message = NULL;
        world->codes[i] = weir_guest_code_new();
        assert_non_null(world->codes[i]);
        if (!weir_guest_code_compile(
                world->codes[i], engine, &world->manifest, &world->manifest.components[i], &file, &message))
            fail_msg("%s", message);
        wasm_byte_vec_delete(&wasm);
    }
    wasm_engine_delete(engine);
}

static inline void parse(const char *text, weir_manifest_t *ret_manifest, weir_routes_t **ret_routes)
{
    char *message = NULL;
    if (!weir_manifest_parse("spin.toml", text, strlen(text), ret_manifest, &message) ||
        !weir_routes_build(ret_manifest, ret_routes, &message))
        fail_msg("%s", message);
}

#define COMPONENT(name) "[component." name "]\nsource = \"" name ".wasm\"\n"
#define TRIGGER(route, name)                                                                                           \
    "[[trigger.http]]\nroute = \"" route "\"\ncomponent = \"" name "\"\nexecutor = { type = \"wagi\" }\n"
#define STATIC(route, body) "[[trigger.http]]\nroute = \"" route "\"\nstatic_response = { body = \"" body "\" }\n"
#define HEAD "spin_manifest_version = 2\n[application]\nname = \"a\"\n"

/* Components are numbered as they stand in the manifest, which is in the order of their names. */
static inline void world_prepare(world_t *world)
{
    memset(world, 0, sizeof(*world));
    parse(HEAD COMPONENT("a-quick") COMPONENT("b-cat") COMPONENT("c-nap") COMPONENT("d-spinner") COMPONENT("e-holder")
              COMPONENT("f-trapper") COMPONENT("g-exiter") COMPONENT("h-breaker") TRIGGER("/quick", "a-quick")
                  TRIGGER("/cat", "b-cat") TRIGGER("/nap", "c-nap") TRIGGER("/spinner", "d-spinner")
                      TRIGGER("/holder", "e-holder") TRIGGER("/trapper", "f-trapper") TRIGGER("/exiter", "g-exiter")
                          TRIGGER("/breaker", "h-breaker") STATIC("/static", "static"),
        &world->manifest, &world->routes);
    parse(HEAD COMPONENT("a-quick") COMPONENT("b-cat") TRIGGER("/cat", "a-quick") STATIC("/quick", "now static")
              STATIC("/static", "other static"),
        &world->other_manifest, &world->other_routes);
    assert_string_equal(world->manifest.components[HOLDER].id, "e-holder");
    compile_all(world);
    char *message = NULL;
    if (!weir_listener_open("127.0.0.1:0", &world->listener, &message))
        fail_msg("%s", message);
}

static inline void world_serve(
    world_t *world, const weir_server_settings_t *settings, weir_generation_t *(*make)(world_t *))
{
    char *message = NULL;
    if (!weir_server_start(settings, make(world), &world->listener, &world->server, &message))
        fail_msg("%s", message);
}

static inline void world_start_with(
    world_t *world, unsigned loops, uint64_t timeout, uint64_t idle, weir_generation_t *(*make)(world_t *))
{
    weir_server_settings_t settings = {
        .loops = loops,
        .max_waiting = 64,
        .max_connections = 128,
        .request_timeout_milliseconds = timeout,
        .idle_timeout_milliseconds = idle,
        .drain_timeout_milliseconds = 30000,
        .refused = count_refusal,
        .context = world,
    };
    world_prepare(world);
    world_serve(world, &settings, make);
}

static inline void world_start(world_t *world, unsigned loops, uint64_t timeout, weir_generation_t *(*make)(world_t *))
{
    world_start_with(world, loops, timeout, 0, make);
}

static inline unsigned world_stop(world_t *world)
{
    unsigned cut = weir_server_stop(world->server);
    weir_listener_close(&world->listener);
    for (size_t i = 0; i < COMPONENTS; i++)
        weir_guest_code_free(world->codes[i]);
    weir_routes_free(world->routes);
    weir_routes_free(world->other_routes);
    weir_manifest_free(&world->manifest);
    weir_manifest_free(&world->other_manifest);
    return cut;
}

#endif
