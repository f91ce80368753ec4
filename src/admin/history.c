/*
 * history.c: differences between readings.
 */
#include "admin/history.h"

#include "admin/gather.h"
#include "observe/clock.h"

#include <stdlib.h>
#include <string.h>

enum { RATES = WEIR_HISTORY_RATE_SECONDS + 1, POOLS_MOST = 64 };

bool weir_history_init(weir_history_t *history, weir_server_t *server)
{
    *history = (weir_history_t){.server = server, .at = weir_monotonic_nanoseconds()};
    history->of_components = calloc(WEIR_METRICS_COMPONENTS_MAX + 1, sizeof(*history->of_components));
    history->loops = calloc(weir_server_loops(server), sizeof(*history->loops));
    if (history->of_components == NULL || history->loops == NULL) {
        weir_history_destroy(history);
        return false;
    }
    for (size_t i = 0; i < RATES; i++) {
        history->times[i] = (double)history->at / 1e9;
    }
    return true;
}

void weir_history_destroy(weir_history_t *history)
{
    free(history->of_components);
    free(history->loops);
    history->of_components = NULL;
    history->loops = NULL;
}

static void read_loops(weir_history_t *history)
{
    weir_metrics_t *metrics = weir_server_metrics(history->server);
    for (unsigned i = 0; i < weir_server_loops(history->server); i++) {
        const weir_loop_metrics_t *loop = weir_metrics_of_loop(metrics, i);
        uint64_t busy = weir_counter_read(&loop->counters[WEIR_LOOP_BUSY_NANOSECONDS]);
        uint64_t turn_at = weir_counter_read(&loop->gauges[WEIR_LOOP_TURN_AT]);
        double fraction = (double)(busy - history->loops[i].busy_nanoseconds) / 1e9 / history->elapsed;
        bool same = turn_at != 0 && turn_at == history->loops[i].turn_at;
        history->loops[i].busy_nanoseconds = busy;
        /* A turn counts when it is over: a long one may be longer than the second in which it ends. */
        history->loops[i].busy_fraction = same ? 1 : fraction > 1 ? 1 : fraction;
        history->loops[i].same_turn = same ? history->loops[i].same_turn + 1 : 0;
        history->loops[i].turn_at = turn_at;
    }
}

static uint64_t count_live(weir_server_t *server)
{
    weir_pool_reading_t pools[POOLS_MOST];
    uint64_t live = 0;
    size_t count = weir_server_read_pools(server, pools, POOLS_MOST);
    for (size_t i = 0; i < count; i++) {
        live += pools[i].live;
    }
    return live;
}

static double quantile_in_seconds(const weir_distribution_t *distribution, double share)
{
    return distribution->count == 0 ? -1 : (double)weir_distribution_quantile(distribution, share) / 1e9;
}

/* What came between two readings. */
static weir_distribution_t difference(const weir_distribution_t *after, const weir_distribution_t *before)
{
    weir_distribution_t between = {.sum = after->sum - before->sum};
    for (size_t i = 0; i <= WEIR_HISTOGRAM_BOUNDS; i++) {
        between.buckets[i] = after->buckets[i] - before->buckets[i];
        between.count += between.buckets[i];
    }
    return between;
}

void weir_history_read(weir_history_t *history)
{
    const weir_metrics_t *metrics = weir_server_metrics(history->server);
    uint64_t now = weir_monotonic_nanoseconds();
    weir_sums_t sums = {0};
    history->elapsed = now > history->at ? (double)(now - history->at) / 1e9 : 1e-9;
    history->at = now;
    history->turn = (history->turn + 1) % RATES;
    history->times[history->turn] = (double)now / 1e9;
    size_t count = weir_metrics_component_count(metrics);
    for (size_t i = 0; i < count; i++) {
        uint64_t before = sums.requests;
        weir_sums_add(&sums, metrics, i);
        history->of_components[i][history->turn] = sums.requests - before;
    }
    uint64_t errors = weir_sums_count_statuses(&sums, 500, 999);
    weir_distribution_t between = difference(&sums.to_head, &history->to_head);
    history->seconds[history->next] = (weir_second_t){
        .requests = sums.requests - history->requests,
        .errors = errors - history->errors,
        .p50 = quantile_in_seconds(&between, 0.5),
        .p99 = quantile_in_seconds(&between, 0.99),
        .live = count_live(history->server),
        .resident_bytes = weir_gather_resident_bytes(),
    };
    history->next = (history->next + 1) % WEIR_HISTORY_SECONDS;
    history->count += history->count < WEIR_HISTORY_SECONDS ? 1 : 0;
    history->to_head = sums.to_head;
    history->requests = sums.requests;
    history->errors = errors;
    read_loops(history);
}

const weir_second_t *weir_history_at(const weir_history_t *history, size_t index)
{
    size_t oldest = (history->next + WEIR_HISTORY_SECONDS - history->count) % WEIR_HISTORY_SECONDS;
    return &history->seconds[(oldest + index) % WEIR_HISTORY_SECONDS];
}

double weir_history_rate(const weir_history_t *history, size_t component, unsigned seconds)
{
    const uint64_t *counts = history->of_components[component];
    size_t before = (history->turn + RATES - seconds) % RATES;
    double elapsed = history->times[history->turn] - history->times[before];
    return elapsed <= 0 ? 0 : (double)(counts[history->turn] - counts[before]) / elapsed;
}

bool weir_history_is_live(const weir_history_t *history)
{
    bool live = true;
    for (unsigned i = 0; i < weir_server_loops(history->server); i++) {
        live = live && history->loops[i].same_turn < WEIR_HISTORY_STUCK_READINGS;
    }
    return live;
}
