/*
 * status.c: the JSON document, part by part.
 */
#include "admin/status.h"

#include "admin/gather.h"
#include "admin/status_limits.h"
#include "admin/write.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { POOLS_MOST = 64, TEXT_MOST = 40 };

const char *weir_engine_name(size_t engine)
{
    return engine == 0 ? "main" : "apart";
}

/* A moment in the form of RFC 3339. */
static const char *moment(int64_t seconds, char text[TEXT_MOST])
{
    struct tm parts;
    time_t time = (time_t)seconds;
    if (gmtime_r(&time, &parts) == NULL || strftime(text, TEXT_MOST, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        text[0] = '\0';
    }
    return text;
}

static void write_weir(weir_json_t *json, const weir_status_sources_t *sources)
{
    char text[TEXT_MOST];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    double uptime = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - sources->started_at;
    weir_json_open(json, "weir", '{');
    weir_json_string(json, "version", sources->version);
    weir_json_string(json, "started_at", moment((int64_t)sources->started_at, text));
    weir_json_real(json, "uptime_seconds", uptime < 0 ? 0 : uptime);
    weir_json_count(json, "pid", (uint64_t)getpid());
    weir_json_string(json, "state", weir_server_is_draining(sources->server) ? "draining" : "serving");
    weir_json_close(json, '}');
}

static void write_application(weir_json_t *json, const weir_board_application_t *application, uint64_t generation)
{
    weir_json_open(json, "application", '{');
    weir_json_string(json, "name", application == NULL ? NULL : application->name);
    weir_json_string(json, "version", application == NULL ? NULL : application->version);
    weir_json_string(json, "description", application == NULL ? NULL : application->description);
    weir_json_string(json, "manifest", application == NULL ? NULL : application->manifest);
    weir_json_count(json, "generation", generation);
    weir_json_close(json, '}');
}

/* ---- The allocator ----------------------------------------------------------------------------------------------- */

static void write_rung(weir_json_t *json, const char *name, const weir_board_rung_t *rung)
{
    weir_json_open(json, name, '{');
    weir_json_string(json, "tier", rung->tier);
    weir_json_count(json, "slots", rung->slots);
    weir_json_count(json, "slot_bytes", rung->slot_bytes);
    weir_json_count(json, "guard_bytes", rung->guard_bytes);
    weir_json_count(json, "keep_resident_bytes", rung->keep_resident_bytes);
    weir_json_count(json, "table_keep_resident_bytes", rung->table_keep_resident_bytes);
    weir_json_count(json, "stack_keep_resident_bytes", rung->stack_keep_resident_bytes);
    weir_json_count(json, "stack_bytes", rung->stack_bytes);
    weir_json_count(json, "warm_slots", rung->warm_slots);
    weir_json_count(json, "decommit_batch", rung->decommit_batch);
    weir_json_bool(json, "huge_pages_off", rung->huge_pages_off);
    weir_json_bool(json, "pagemap_scan", rung->pagemap_scan);
    weir_json_bool(json, "pulley", rung->pulley);
    weir_json_count(json, "reserved_bytes", rung->reserved_bytes);
    weir_json_close(json, '}');
}

static void write_history(weir_json_t *json, const weir_board_t *board)
{
    char text[TEXT_MOST];
    weir_json_open(json, "history", '[');
    for (size_t i = 0; i < board->history_count; i++) {
        const weir_board_change_t *change = &board->history[i];
        weir_json_open(json, NULL, '{');
        weir_json_string(json, "at", moment(change->at, text));
        weir_json_string(json, "from", change->from);
        weir_json_string(json, "to", change->to);
        weir_json_string(json, "cause", change->cause);
        weir_json_close(json, '}');
    }
    weir_json_close(json, ']');
}

static void write_pools(weir_json_t *json, const weir_pool_reading_t *pools, size_t count)
{
    weir_json_open(json, "pool", '[');
    for (size_t i = 0; i < count; i++) {
        const weir_pool_reading_t *pool = &pools[i];
        weir_json_open(json, NULL, '{');
        weir_json_string(json, "engine", weir_engine_name(pool->engine));
        weir_json_count(json, "generation", pool->generation);
        weir_json_bool(json, "current", pool->current);
        weir_json_bool(json, "pooled", pool->has_pool);
        weir_json_count(json, "live", pool->live);
        weir_json_count(json, "warm", pool->pool.unused_warm_memories);
        weir_json_count(json, "max", pool->max_calls);
        weir_json_count(json, "kept", pool->kept);
        weir_json_count(json, "waiting", pool->waiting);
        weir_json_count(
            json, "warm_bytes", pool->pool.unused_memory_bytes_resident + pool->pool.unused_table_bytes_resident);
        weir_json_close(json, '}');
    }
    weir_json_close(json, ']');
}

/* Each line of a text that is not empty, as an element. */
static void write_lines(weir_json_t *json, const char *text)
{
    while (*text != '\0') {
        char line[1024];
        size_t size = strcspn(text, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)(size < sizeof(line) ? size : sizeof(line) - 1), text);
        if (size > 0) {
            weir_json_string(json, NULL, line);
        }
        text += size + (text[size] == '\n' ? 1 : 0);
    }
}

static void write_allocator(
    weir_json_t *json, const weir_board_t *board, const weir_pool_reading_t *pools, size_t pool_count)
{
    const weir_board_allocator_t *allocator = board->allocator;
    weir_json_open(json, "allocator", '{');
    weir_json_string(json, "tier", allocator == NULL ? NULL : allocator->rung.tier);
    weir_json_string(json, "summary", allocator == NULL ? NULL : allocator->summary);
    weir_json_string(json, "notice", allocator == NULL || allocator->notice[0] == '\0' ? NULL : allocator->notice);
    weir_json_open(json, "reasons", '[');
    if (allocator != NULL) {
        write_lines(json, allocator->reason);
        write_lines(json, allocator->advice);
    }
    weir_json_close(json, ']');
    weir_json_string(json, "strategy", allocator == NULL ? NULL : allocator->strategy);
    weir_json_bool(json, "reduced", allocator != NULL && allocator->reduced);
    if (allocator != NULL) {
        write_rung(json, "rung", &allocator->rung);
    } else {
        weir_json_null(json, "rung");
    }
    if (allocator != NULL && allocator->has_apart) {
        write_rung(json, "apart", &allocator->apart);
    } else {
        weir_json_null(json, "apart");
    }
    write_history(json, board);
    write_pools(json, pools, pool_count);
    weir_json_close(json, '}');
}

/* ---- What happens ------------------------------------------------------------------------------------------------ */

/* null: the system does not tell. */
static void write_known(weir_json_t *json, const char *name, uint64_t value)
{
    if (value > 0) {
        weir_json_count(json, name, value);
    } else {
        weir_json_null(json, name);
    }
}

static void write_memory(weir_json_t *json, const weir_board_t *board, const weir_process_reading_t *process)
{
    double limit = -1;
    for (size_t i = 0; i < board->limit_count; i++) {
        limit = strcmp(board->limits[i].name, "memory_bytes") == 0 ? board->limits[i].value : limit;
    }
    weir_json_open(json, "memory", '{');
    write_known(json, "resident_bytes", process->resident_bytes);
    write_known(json, "virtual_bytes", process->virtual_bytes);
    if (limit >= 0) {
        weir_json_count(json, "limit_bytes", (uint64_t)limit);
    } else {
        weir_json_null(json, "limit_bytes");
    }
    weir_json_close(json, '}');
}

static void write_loops(weir_json_t *json, const weir_status_sources_t *sources)
{
    weir_metrics_t *metrics = weir_server_metrics(sources->server);
    weir_json_open(json, "loops", '[');
    for (unsigned i = 0; i < weir_server_loops(sources->server); i++) {
        weir_loop_reading_t reading = weir_server_read_loop(sources->server, i);
        const weir_loop_metrics_t *loop = weir_metrics_of_loop(metrics, i);
        weir_json_open(json, NULL, '{');
        weir_json_count(json, "connections", reading.connections);
        weir_json_count(json, "requests", reading.requests);
        weir_json_count(json, "waiting", weir_counter_read(&loop->gauges[WEIR_LOOP_WAITING]));
        weir_json_real(json, "busy_fraction", sources->history->loops[i].busy_fraction);
        weir_json_close(json, '}');
    }
    weir_json_close(json, ']');
}

static void write_routes(weir_json_t *json, const weir_board_application_t *application)
{
    weir_json_open(json, "routes", '[');
    for (size_t i = 0; application != NULL && i < application->route_count; i++) {
        weir_json_open(json, NULL, '{');
        weir_json_string(json, "route", application->routes[i].route);
        weir_json_string(json, "component", application->routes[i].component);
        weir_json_string(json, "kind", application->routes[i].kind);
        weir_json_close(json, '}');
    }
    weir_json_close(json, ']');
}

static void write_quantiles(weir_json_t *json, const char *name, const weir_distribution_t *distribution)
{
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
    weir_json_open(json, name, '{');
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        if (distribution->count == 0) {
            weir_json_null(json, quantiles[i].name);
        } else {
            weir_json_real(
                json, quantiles[i].name, (double)weir_distribution_quantile(distribution, quantiles[i].share) / 1e9);
        }
    }
    weir_json_close(json, '}');
}

/* By status, over all methods; the statuses come in no order. */
static void write_statuses(weir_json_t *json, const weir_sums_t *sums)
{
    weir_json_open(json, "statuses", '{');
    for (size_t i = 0; i < sums->status_count; i++) {
        unsigned status = sums->statuses[i].status;
        uint64_t count = 0;
        bool earlier = false;
        for (size_t j = 0; j < sums->status_count; j++) {
            bool same = sums->statuses[j].status == status;
            count += same ? sums->statuses[j].count : 0;
            earlier = earlier || (same && j < i);
        }
        char name[16];
        snprintf(name, sizeof(name), "%u", status);
        if (!earlier) {
            weir_json_count(json, status == 0 ? "none" : name, count);
        }
    }
    weir_json_close(json, '}');
}

/* What is the same of a component and of all. */
static void write_sums(weir_json_t *json, const weir_sums_t *sums, double last_second, double last_minute)
{
    const uint64_t *outcomes = sums->outcomes;
    weir_json_count(json, "requests", sums->requests);
    weir_json_open(json, "rate_per_second", '{');
    weir_json_real(json, "last_second", last_second);
    weir_json_real(json, "last_minute", last_minute);
    weir_json_close(json, '}');
    write_statuses(json, sums);
    weir_json_open(json, "outcomes", '{');
    for (size_t i = 0; i < WEIR_REQUEST_OUTCOMES; i++) {
        weir_json_count(json, weir_request_outcome_name((weir_request_outcome_t)i), outcomes[i]);
    }
    weir_json_close(json, '}');
    weir_json_count(json, "in_flight", sums->gauges[WEIR_COMPONENT_IN_FLIGHT]);
    weir_json_count(json, "waiting", sums->gauges[WEIR_COMPONENT_WAITING]);
    weir_json_count(json, "instances", sums->gauges[WEIR_COMPONENT_INSTANCES]);
    write_quantiles(json, "latency_seconds", &sums->to_head);
    write_quantiles(json, "duration_seconds", &sums->whole);
    write_quantiles(json, "queue_seconds", &sums->queued);
    weir_json_count(json, "traps", sums->counters[WEIR_COMPONENT_TRAPS]);
    weir_json_count(json, "timeouts", outcomes[WEIR_REQUEST_TIMED_OUT] + outcomes[WEIR_REQUEST_CPU_OVER]);
    weir_json_count(json, "refused",
        outcomes[WEIR_REQUEST_FULL] + outcomes[WEIR_REQUEST_WAITED] + outcomes[WEIR_REQUEST_INSTANCE_REFUSED]);
    weir_json_count(json, "chained", sums->counters[WEIR_COMPONENT_CHAINED]);
    weir_json_real(json, "cpu_seconds", (double)sums->counters[WEIR_COMPONENT_CPU_NANOSECONDS] / 1e9);
}

/* With the board's lock. */
static void write_components(weir_json_t *json, const weir_status_sources_t *sources)
{
    const weir_metrics_t *metrics = weir_server_metrics(sources->server);
    weir_json_open(json, "components", '[');
    for (size_t i = 1; i < weir_metrics_component_count(metrics); i++) {
        weir_sums_t sums = {0};
        weir_sums_add(&sums, metrics, i);
        weir_json_open(json, NULL, '{');
        weir_json_string(json, "id", sums.id);
        weir_status_write_limits_of(json, sources->board, sums.id, i - 1);
        write_sums(json, &sums, weir_history_rate(sources->history, i, 1),
            weir_history_rate(sources->history, i, WEIR_HISTORY_RATE_SECONDS));
        weir_json_close(json, '}');
    }
    weir_json_close(json, ']');
}

static void write_totals(weir_json_t *json, const weir_status_sources_t *sources)
{
    weir_metrics_t *metrics = weir_server_metrics(sources->server);
    weir_sums_t sums = {0};
    double last_second = 0;
    double last_minute = 0;
    uint64_t connections = 0;
    for (size_t i = 0; i < weir_metrics_component_count(metrics); i++) {
        weir_sums_add(&sums, metrics, i);
        last_second += weir_history_rate(sources->history, i, 1);
        last_minute += weir_history_rate(sources->history, i, WEIR_HISTORY_RATE_SECONDS);
    }
    for (unsigned i = 0; i < weir_server_loops(sources->server); i++) {
        connections += weir_server_read_loop(sources->server, i).connections;
    }
    weir_json_open(json, "totals", '{');
    write_sums(json, &sums, last_second, last_minute);
    weir_json_count(json, "connections", connections);
    weir_json_count(json, "connections_accepted", weir_gather_loops(metrics, WEIR_LOOP_CONNECTIONS_ACCEPTED));
    weir_json_count(json, "received_bytes", weir_gather_loops(metrics, WEIR_LOOP_RECEIVED_BYTES));
    weir_json_count(json, "sent_bytes", weir_gather_loops(metrics, WEIR_LOOP_SENT_BYTES));
    weir_json_close(json, '}');
}

static void write_recent(weir_json_t *json, const weir_history_t *history)
{
    weir_json_open(json, "recent", '{');
    weir_json_open(json, "requests", '[');
    for (size_t i = 0; i < history->count; i++) {
        weir_json_count(json, NULL, weir_history_at(history, i)->requests);
    }
    weir_json_close(json, ']');
    weir_json_open(json, "errors", '[');
    for (size_t i = 0; i < history->count; i++) {
        weir_json_count(json, NULL, weir_history_at(history, i)->errors);
    }
    weir_json_close(json, ']');
    for (unsigned which = 0; which < 2; which++) {
        weir_json_open(json, which == 0 ? "p50_seconds" : "p99_seconds", '[');
        for (size_t i = 0; i < history->count; i++) {
            const weir_second_t *second = weir_history_at(history, i);
            double value = which == 0 ? second->p50 : second->p99;
            if (value < 0) {
                weir_json_null(json, NULL);
            } else {
                weir_json_real(json, NULL, value);
            }
        }
        weir_json_close(json, ']');
    }
    weir_json_open(json, "live_instances", '[');
    for (size_t i = 0; i < history->count; i++) {
        weir_json_count(json, NULL, weir_history_at(history, i)->live);
    }
    weir_json_close(json, ']');
    weir_json_open(json, "resident_bytes", '[');
    for (size_t i = 0; i < history->count; i++) {
        write_known(json, NULL, weir_history_at(history, i)->resident_bytes);
    }
    weir_json_close(json, ']');
    weir_json_close(json, '}');
}

static void write_sandbox(weir_json_t *json, const weir_board_sandbox_t *sandbox)
{
    weir_json_open(json, "sandbox", '{');
    weir_json_bool(json, "enabled", sandbox->enabled);
    weir_json_bool(json, "no_new_privs", sandbox->no_new_privs);
    weir_json_bool(json, "seccomp", sandbox->seccomp);
    weir_json_count(json, "landlock_version", sandbox->landlock);
    weir_json_close(json, '}');
}

static void write_reload(weir_json_t *json, const weir_board_reload_t *reload)
{
    char text[TEXT_MOST];
    if (reload->at == 0) {
        weir_json_null(json, "last_reload");
        return;
    }
    weir_json_open(json, "last_reload", '{');
    weir_json_string(json, "time", moment(reload->at, text));
    weir_json_string(json, "result", reload->refused ? "refused" : "done");
    weir_json_string(json, "error", reload->error);
    weir_json_close(json, '}');
}

static void write_tls(weir_json_t *json, int64_t not_after)
{
    char text[TEXT_MOST];
    if (not_after == 0) {
        weir_json_null(json, "tls");
        return;
    }
    weir_json_open(json, "tls", '{');
    weir_json_string(json, "certificate_not_after", moment(not_after, text));
    weir_json_close(json, '}');
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

void weir_status_write(const weir_status_sources_t *sources, weir_head_text_t *text)
{
    weir_json_t json = {.text = text};
    weir_process_reading_t process;
    weir_pool_reading_t pools[POOLS_MOST];
    weir_gather_process(&process);
    size_t pool_count = weir_server_read_pools(sources->server, pools, POOLS_MOST);
    uint64_t generation = 0;
    for (size_t i = 0; i < pool_count; i++) {
        generation = pools[i].current ? pools[i].generation : generation;
    }
    weir_json_open(&json, NULL, '{');
    write_weir(&json, sources);
    weir_json_open(&json, "listen", '[');
    for (size_t i = 0; i < sources->url_count; i++) {
        weir_json_string(&json, NULL, sources->urls[i]);
    }
    weir_json_close(&json, ']');
    pthread_mutex_lock(&sources->board->lock);
    write_application(&json, sources->board->application, generation);
    write_allocator(&json, sources->board, pools, pool_count);
    write_memory(&json, sources->board, &process);
    write_routes(&json, sources->board->application);
    weir_status_write_limits(&json, sources->board, pools, pool_count);
    write_sandbox(&json, &sources->board->sandbox);
    write_reload(&json, &sources->board->reload);
    write_tls(&json, sources->board->certificate_not_after);
    write_components(&json, sources);
    pthread_mutex_unlock(&sources->board->lock);
    write_loops(&json, sources);
    write_totals(&json, sources);
    write_recent(&json, sources->history);
    weir_json_close(&json, '}');
    weir_head_text_add(text, "\n", 1);
}
