/*
 * metrics_text.c: the figures as Prometheus reads them: the text format, version 0.0.4.
 */
#include "admin/gather.h"
#include "admin/status.h"
#include "admin/write.h"
#include "observe/component_log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <wasmtime.h>

enum { POOLS_MOST = 64 };

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

static void write_head(weir_head_text_t *text, const char *name, const char *type, const char *help)
{
    weir_write(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_label(weir_head_text_t *text, const char *before, const char *label, const char *value)
{
    weir_write(text, "%s%s=", before, label);
    weir_write_label_value(text, value);
}

static void write_count(weir_head_text_t *text, uint64_t count, bool nanoseconds)
{
    if (nanoseconds) {
        weir_write(text, " %" PRIu64 ".%09" PRIu64 "\n", count / 1000000000, count % 1000000000);
    } else {
        weir_write(text, " %" PRIu64 "\n", count);
    }
}

/* A metric with one figure. */
static void write_one(weir_head_text_t *text, const char *name, const char *type, const char *help, double value)
{
    write_head(text, name, type, help);
    weir_write(text, "%s %.15g\n", name, value);
}

/* ---- Of components ----------------------------------------------------------------------------------------------- */

/*
 * Whether a family, or an outcome, that only guests have is told of these: of what the server answers itself it means
 * nothing, unless it was counted there, for an application with more components than are told apart.
 */
static bool is_told(const weir_sums_t *sums, bool of_guests, uint64_t count)
{
    return sums->id != NULL || !of_guests || count != 0;
}

/* Begin a line of a component's: the other labels follow. */
static void begin_line(weir_head_text_t *text, const char *name, const char *suffix, const weir_sums_t *sums)
{
    weir_write(text, "%s%s", name, suffix);
    write_label(text, "{", "component", sums->id == NULL ? "" : sums->id);
}

static void write_requests(weir_head_text_t *text, const weir_sums_t *sums, size_t count)
{
    static const char name[] = "weir_requests_total";
    write_head(text, name, "counter",
        "Requests that are over, by method and status of the response; \"none\" where there was none.");
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < sums[i].status_count; j++) {
            begin_line(text, name, "", &sums[i]);
            write_label(text, ",", "method", weir_method_name(sums[i].statuses[j].method));
            if (sums[i].statuses[j].status == 0) {
                weir_write(text, ",status=\"none\"}");
            } else {
                weir_write(text, ",status=\"%u\"}", sums[i].statuses[j].status);
            }
            write_count(text, sums[i].statuses[j].count, false);
        }
    }
}

static void write_outcomes(weir_head_text_t *text, const weir_sums_t *sums, size_t count)
{
    static const char name[] = "weir_request_outcomes_total";
    static const bool of_guests[WEIR_REQUEST_OUTCOMES] = {[WEIR_REQUEST_FULL] = true,
        [WEIR_REQUEST_WAITED] = true,
        [WEIR_REQUEST_INSTANCE_REFUSED] = true,
        [WEIR_REQUEST_TIMED_OUT] = true,
        [WEIR_REQUEST_CPU_OVER] = true,
        [WEIR_REQUEST_TRAPPED] = true,
        [WEIR_REQUEST_FAILED] = true};
    write_head(text, name, "counter", "Requests that are over, by how they ended.");
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < WEIR_REQUEST_OUTCOMES; j++) {
            if (!is_told(&sums[i], of_guests[j], sums[i].outcomes[j])) {
                continue;
            }
            begin_line(text, name, "", &sums[i]);
            write_label(text, ",", "outcome", weir_request_outcome_name((weir_request_outcome_t)j));
            weir_write(text, "}");
            write_count(text, sums[i].outcomes[j], false);
        }
    }
}

static void write_distribution(
    weir_head_text_t *text, const char *name, const weir_sums_t *sums, const weir_distribution_t *distribution)
{
    uint64_t below = 0;
    for (size_t i = 0; i < WEIR_HISTOGRAM_BOUNDS; i++) {
        below += distribution->buckets[i];
        begin_line(text, name, "_bucket", sums);
        weir_write(text, ",le=\"%.9g\"} %" PRIu64 "\n", (double)weir_histogram_bounds[i] / 1e9, below);
    }
    begin_line(text, name, "_bucket", sums);
    weir_write(text, ",le=\"+Inf\"} %" PRIu64 "\n", distribution->count);
    begin_line(text, name, "_sum", sums);
    weir_write(text, "}");
    write_count(text, distribution->sum, true);
    begin_line(text, name, "_count", sums);
    weir_write(text, "}");
    write_count(text, distribution->count, false);
}

static void write_histograms(weir_head_text_t *text, const weir_sums_t *sums, size_t count)
{
    write_head(text, "weir_request_head_seconds", "histogram", "Time from a request's head to that of its response.");
    for (size_t i = 0; i < count; i++) {
        write_distribution(text, "weir_request_head_seconds", &sums[i], &sums[i].to_head);
    }
    write_head(
        text, "weir_request_duration_seconds", "histogram", "Time from a request's head to its end, however it ended.");
    for (size_t i = 0; i < count; i++) {
        write_distribution(text, "weir_request_duration_seconds", &sums[i], &sums[i].whole);
    }
    write_head(text, "weir_request_queue_seconds", "histogram",
        "Time that requests have waited for an instance; those that did not wait are not counted.");
    for (size_t i = 0; i < count; i++) {
        if (is_told(&sums[i], true, sums[i].queued.count)) {
            write_distribution(text, "weir_request_queue_seconds", &sums[i], &sums[i].queued);
        }
    }
}

static void write_tables(weir_head_text_t *text, const weir_sums_t *sums, size_t count)
{
    for (size_t which = 0; which < WEIR_COMPONENT_COUNTERS; which++) {
        const weir_metric_t *metric = &weir_component_counter_metrics[which];
        write_head(text, metric->name, "counter", metric->help);
        for (size_t i = 0; i < count; i++) {
            if (!is_told(&sums[i], true, sums[i].counters[which])) {
                continue;
            }
            begin_line(text, metric->name, "", &sums[i]);
            weir_write(text, "}");
            write_count(text, sums[i].counters[which], metric->nanoseconds);
        }
    }
    for (size_t which = 0; which < WEIR_COMPONENT_GAUGES; which++) {
        const weir_metric_t *metric = &weir_component_gauge_metrics[which];
        write_head(text, metric->name, "gauge", metric->help);
        for (size_t i = 0; i < count; i++) {
            if (!is_told(&sums[i], which != WEIR_COMPONENT_IN_FLIGHT, sums[i].gauges[which])) {
                continue;
            }
            begin_line(text, metric->name, "", &sums[i]);
            weir_write(text, "}");
            write_count(text, sums[i].gauges[which], metric->nanoseconds);
        }
    }
}

static void write_components(weir_head_text_t *text, const weir_metrics_t *metrics)
{
    size_t count = weir_metrics_component_count(metrics);
    weir_sums_t *sums = calloc(count, sizeof(*sums));
    if (sums == NULL) {
        text->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        weir_sums_add(&sums[i], metrics, i);
    }
    write_requests(text, sums, count);
    write_outcomes(text, sums, count);
    write_histograms(text, sums, count);
    write_tables(text, sums, count);
    free(sums);
}

/* ---- Of the server ----------------------------------------------------------------------------------------------- */

static void write_loops(weir_head_text_t *text, const weir_status_sources_t *sources)
{
    weir_metrics_t *metrics = weir_server_metrics(sources->server);
    uint64_t connections = 0;
    for (unsigned i = 0; i < weir_server_loops(sources->server); i++) {
        connections += weir_server_read_loop(sources->server, i).connections;
    }
    for (size_t i = 0; i < WEIR_LOOP_COUNTERS; i++) {
        const weir_metric_t *metric = &weir_loop_counter_metrics[i];
        write_head(text, metric->name, "counter", metric->help);
        weir_write(text, "%s", metric->name);
        write_count(text, weir_gather_loops(metrics, (weir_loop_counter_t)i), metric->nanoseconds);
    }
    write_one(text, "weir_connections", "gauge", "Connections of clients that are open.", (double)connections);
    write_one(text, "weir_loops", "gauge", "Event loops.", weir_server_loops(sources->server));
    write_one(text, "weir_loops_live", "gauge", "1 when every event loop turns or sleeps, 0 when one is stuck.",
        weir_history_is_live(sources->history) ? 1 : 0);
    write_one(text, "weir_draining", "gauge", "1 once the server has begun to stop.",
        weir_server_is_draining(sources->server) ? 1 : 0);
}

static void write_process_counters(weir_head_text_t *text, const weir_metrics_t *metrics)
{
    for (size_t i = 0; i < WEIR_PROCESS_COUNTERS; i++) {
        const weir_metric_t *metric = &weir_process_counter_metrics[i];
        if (i == 0 || strcmp(metric->name, weir_process_counter_metrics[i - 1].name) != 0) {
            write_head(text, metric->name, "counter", metric->help);
        }
        weir_write(text, "%s", metric->name);
        if (metric->label != NULL) {
            write_label(text, "{", metric->label, metric->value);
            weir_write(text, "}");
        }
        write_count(text, weir_metrics_read(metrics, (weir_process_counter_t)i), metric->nanoseconds);
    }
}

static void write_last_reload(weir_head_text_t *text, const weir_status_sources_t *sources)
{
    weir_board_t *board = sources->board;
    pthread_mutex_lock(&board->lock);
    bool refused = board->reload.refused;
    int64_t done_at = board->reload.done_at;
    int64_t not_after = board->certificate_not_after;
    pthread_mutex_unlock(&board->lock);
    write_one(text, "weir_last_reload_successful", "gauge",
        "1 when nothing of the last reload was refused, and before the first.", refused ? 0 : 1);
    write_one(text, "weir_last_reload_success_timestamp_seconds", "gauge",
        "When the last reload was of which nothing was refused, or else the start.",
        done_at == 0 ? sources->started_at : (double)done_at);
    if (not_after != 0) {
        write_one(text, "weir_tls_certificate_not_after_timestamp_seconds", "gauge",
            "When the certificate in use expires (notAfter).", (double)not_after);
    }
}

static void write_logs(weir_head_text_t *text)
{
    write_one(text, "weir_component_log_lost_bytes_total", "counter",
        "Bytes that components wrote and that did not get to their files.", (double)weir_component_logs_lost());
}

/* Of the pools of all generations: those of earlier ones hold instances, too, until they are over. */
static void write_pools(weir_head_text_t *text, const weir_status_sources_t *sources)
{
    weir_pool_reading_t pools[POOLS_MOST];
    size_t count = weir_server_read_pools(sources->server, pools, POOLS_MOST);
    enum { STATES = 4 };
    static const char *const states[STATES] = {"live", "warm", "max", "kept"};
    write_head(text, "weir_pool_slots", "gauge",
        "Slots: live ones hold an instance; warm ones are unused and keep memory; max is how many may be live, of "
        "which kept ones are for components that hold none.");
    for (size_t engine = 0; engine < 2; engine++) {
        uint64_t sums[STATES] = {0};
        bool found = false;
        for (size_t i = 0; i < count; i++) {
            bool same = pools[i].engine == engine;
            sums[0] += same ? pools[i].live : 0;
            sums[1] += same ? pools[i].pool.unused_warm_memories : 0;
            sums[2] += same && pools[i].current ? pools[i].max_calls : 0;
            sums[3] += same ? pools[i].kept : 0;
            found = found || same;
        }
        for (size_t state = 0; found && state < STATES; state++) {
            weir_write(text, "weir_pool_slots{engine=\"%s\",state=\"%s\"} %" PRIu64 "\n", weir_engine_name(engine),
                states[state], sums[state]);
        }
    }
    uint64_t warm_bytes = 0;
    uint64_t generation = 0;
    for (size_t i = 0; i < count; i++) {
        warm_bytes += pools[i].pool.unused_memory_bytes_resident + pools[i].pool.unused_table_bytes_resident;
        generation = pools[i].current ? pools[i].generation : generation;
    }
    write_one(text, "weir_pool_warm_bytes", "gauge", "Resident bytes that unused slots keep.", (double)warm_bytes);
    write_one(text, "weir_generation", "gauge",
        "The number of the generation that serves; each change makes a new one.", (double)generation);
    write_one(text, "weir_generations", "gauge", "Generations that there are: the current one, and those that end.",
        weir_server_generations(sources->server));
}

static void write_rung(weir_head_text_t *text, const weir_board_allocator_t *allocator)
{
    static const char *const tiers[] = {"standard", "compact", "ondemand"};
    const weir_board_rung_t *rung = &allocator->rung;
    write_head(text, "weir_allocator_tier", "gauge", "1 for the tier of the instance allocator that is in use.");
    for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        weir_write(text, "weir_allocator_tier{tier=\"%s\"} %d\n", tiers[i], strcmp(rung->tier, tiers[i]) == 0 ? 1 : 0);
    }
    write_one(text, "weir_allocator_reduced", "gauge",
        "1 when, for want of something on this machine, it is less than would have been wanted.",
        allocator->reduced ? 1 : 0);
    write_one(text, "weir_allocator_slots", "gauge", "Instances that it has room for.", rung->slots);
    write_one(
        text, "weir_allocator_slot_bytes", "gauge", "Address space of a memory's slot.", (double)rung->slot_bytes);
    write_one(text, "weir_allocator_keep_resident_bytes", "gauge", "What an unused memory's slot may keep resident.",
        (double)rung->keep_resident_bytes);
    write_one(text, "weir_allocator_reserved_bytes", "gauge", "Address space that it reserves in full.",
        (double)rung->reserved_bytes);
}

/* A gauge of what the system tells where it can, and then never 0. */
static void write_known(weir_head_text_t *text, const char *name, const char *help, uint64_t value)
{
    if (value > 0) {
        write_one(text, name, "gauge", help, (double)value);
    }
}

static void write_process(weir_head_text_t *text, const weir_status_sources_t *sources)
{
    weir_process_reading_t process;
    weir_gather_process(&process);
    write_head(text, "weir_build_info", "gauge", "1; the labels tell what runs.");
    weir_write(text, "weir_build_info{version=\"%s\",wasmtime=\"%s\"} 1\n", sources->version, WASMTIME_VERSION);
    write_one(text, "process_cpu_seconds_total", "counter", "CPU time of the process.", process.cpu_seconds);
    write_known(text, "process_resident_memory_bytes", "Resident memory of the process.", process.resident_bytes);
    write_known(text, "process_virtual_memory_bytes",
        "Address space of the process; a pool reserves much more than it uses.", process.virtual_bytes);
    write_known(text, "process_open_fds", "Open descriptors.", process.open_descriptors);
    write_one(text, "process_max_fds", "gauge", "The limit on open descriptors.", (double)process.max_descriptors);
    write_one(text, "process_start_time_seconds", "gauge", "When the process started, in seconds since 1970.",
        sources->started_at);
}

void weir_status_write_metrics(const weir_status_sources_t *sources, weir_head_text_t *text)
{
    const weir_metrics_t *metrics = weir_server_metrics(sources->server);
    write_process(text, sources);
    write_components(text, metrics);
    write_loops(text, sources);
    write_last_reload(text, sources);
    write_process_counters(text, metrics);
    write_logs(text);
    write_pools(text, sources);
    pthread_mutex_lock(&sources->board->lock);
    if (sources->board->allocator != NULL) {
        write_rung(text, sources->board->allocator);
    }
    pthread_mutex_unlock(&sources->board->lock);
}
