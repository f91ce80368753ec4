/*
 * readings.c: what others may see of a server while it serves: through atomics, and the lock of the generations.
 */
#include "serve/generation_internal.h"
#include "serve/server.h"
#include "serve/shared.h"
#include "serve/shares.h"

weir_metrics_t *weir_server_metrics(const weir_server_t *server)
{
    return server->metrics;
}

unsigned weir_server_loops(const weir_server_t *server)
{
    return server->loop_count;
}

weir_loop_reading_t weir_server_read_loop(const weir_server_t *server, unsigned loop)
{
    const weir_loop_t *its = &server->loops[loop];
    return (weir_loop_reading_t){
        .connections = atomic_load_explicit(&its->connection_count, memory_order_relaxed),
        .requests = atomic_load_explicit(&its->request_count, memory_order_relaxed),
    };
}

bool weir_server_is_draining(const weir_server_t *server)
{
    return atomic_load(&server->leaving) || atomic_load(&server->stopping);
}

typedef struct visit {
    uint64_t current;
    weir_pool_reading_t *readings;
    size_t count;
    size_t most;
} visit_t;

/* A gauge of all guests on an engine, over all loops. */
static uint64_t add_up(const weir_generation_t *generation, size_t engine, weir_component_gauge_t gauge)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < generation->parts.guest_count; i++) {
        const weir_generation_guest_t *guest = &generation->parts.guests[i];
        for (unsigned loop = 0; guest->guest != NULL && guest->engine == engine && loop < generation->loop_count;
            loop++) {
            sum += weir_counter_read(&generation->counted[i]->loops[loop].gauges[gauge]);
        }
    }
    return sum;
}

/* Whether a guest holds an instance on a loop, of whatever generation. */
static bool is_busy(const weir_generation_t *generation, size_t guest, unsigned loop)
{
    return weir_counter_read(&generation->counted[guest]->loops[loop].gauges[WEIR_COMPONENT_INSTANCES]) > 0;
}

/* Of the calls of an engine, over all loops: nothing is kept on a loop on which nobody holds any. */
static uint64_t count_kept(const weir_generation_t *generation, size_t engine)
{
    uint64_t kept = 0;
    for (unsigned loop = 0; loop < generation->loop_count; loop++) {
        uint32_t busy = 0;
        uint32_t silent = 0;
        for (size_t i = 0; i < generation->parts.guest_count; i++) {
            const weir_generation_guest_t *guest = &generation->parts.guests[i];
            bool counts = guest->guest != NULL && guest->engine == engine;
            bool holds = counts && is_busy(generation, i, loop);
            busy += holds ? 1 : 0;
            silent += counts && !holds ? 1 : 0;
        }
        uint32_t share = generation->parts.engines[engine].max_calls / generation->loop_count;
        kept += busy == 0 ? 0 : weir_share_kept(share, silent);
    }
    return kept;
}

static void read_pool(visit_t *visit, const weir_generation_t *generation, size_t engine)
{
    bool current = generation->number == visit->current;
    weir_pool_reading_t reading = {
        .generation = generation->number,
        .current = current,
        .engine = engine,
        .max_calls = generation->parts.engines[engine].max_calls,
        .waiting = current ? add_up(generation, engine, WEIR_COMPONENT_WAITING) : 0,
        .kept = current ? count_kept(generation, engine) : 0,
    };
    reading.has_pool = weir_engine_pool_metrics(generation->parts.engines[engine].engine, &reading.pool);
    /* Every instance has a fiber's stack, be it a component's or a module's. */
    reading.live = reading.has_pool ? reading.pool.stacks : add_up(generation, engine, WEIR_COMPONENT_INSTANCES);
    visit->readings[visit->count++] = reading;
}

static void read_generation(void *context, const weir_generation_t *generation)
{
    visit_t *visit = context;
    for (size_t i = 0; i < generation->parts.engine_count && visit->count < visit->most; i++) {
        read_pool(visit, generation, i);
    }
}

size_t weir_server_read_pools(weir_server_t *server, weir_pool_reading_t *ret_readings, size_t most)
{
    visit_t visit = {.current = atomic_load(&server->keeper.number), .readings = ret_readings, .most = most};
    weir_keeper_visit(&server->keeper, read_generation, &visit);
    return visit.count;
}
