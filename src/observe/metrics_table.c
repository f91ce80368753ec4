/*
 * metrics_table.c: what Prometheus calls each counter. docs/observability.md has them too; a test compares the two.
 */
#include "observe/metrics.h"

const weir_metric_t weir_loop_counter_metrics[WEIR_LOOP_COUNTERS] = {
    [WEIR_LOOP_CONNECTIONS_ACCEPTED] = {.name = "weir_connections_accepted_total",
        .help = "Connections of clients that were accepted."},
    [WEIR_LOOP_CONNECTIONS_FAILED] = {.name = "weir_connections_failed_total",
        .help = "Connections that were accepted and closed at once, for want of memory."},
    [WEIR_LOOP_ACCEPT_PAUSES] = {.name = "weir_accept_pauses_total",
        .help = "Pauses in accepting because the system had no descriptor or memory left."},
    [WEIR_LOOP_CONNECTIONS_REFUSED] = {.name = "weir_connections_refused_total",
        .help = "Connections that were closed at once because their address had too many."},
    [WEIR_LOOP_TLS_FAILED] = {.name = "weir_tls_handshakes_failed_total",
        .help = "Connections on which TLS failed before anything came through it."},
    [WEIR_LOOP_PROXY_HEADERS_REFUSED] = {.name = "weir_proxy_headers_refused_total",
        .help = "Connections that began with no header of the PROXY protocol that counts."},
    [WEIR_LOOP_RECEIVED_BYTES] = {.name = "weir_received_bytes_total",
        .help = "Bytes of HTTP that clients have sent, without TLS."},
    [WEIR_LOOP_SENT_BYTES] = {.name = "weir_sent_bytes_total",
        .help = "Bytes of HTTP that were sent to clients, without TLS."},
    [WEIR_LOOP_BUSY_NANOSECONDS] = {.name = "weir_loop_busy_seconds_total",
        .help = "Time in which event loops did not wait for events.",
        .nanoseconds = true},
};

const weir_metric_t weir_component_counter_metrics[WEIR_COMPONENT_COUNTERS] = {
    [WEIR_COMPONENT_TRAPS] = {.name = "weir_guest_traps_total",
        .help = "Guests that trapped, before or after their response, or could not be started."},
    [WEIR_COMPONENT_INSTANCES_MADE] = {.name = "weir_guest_instances_made_total",
        .help =
            "Instances that were made, each for one request; those that failed while they started are traps alone."},
    [WEIR_COMPONENT_INSTANCES_REFUSED] = {.name = "weir_guest_instances_refused_total",
        .help = "Instances that could not be had when their turn had come; their requests wait on."},
    [WEIR_COMPONENT_CHAINED] = {.name = "weir_guest_chained_requests_total",
        .help = "Requests of other guests of the application, answered in-process."},
    [WEIR_COMPONENT_CPU_NANOSECONDS] = {.name = "weir_guest_cpu_seconds_total",
        .help = "Time that event loops have spent in guests.",
        .nanoseconds = true},
    [WEIR_COMPONENT_CPU_OVER] = {.name = "weir_guest_cpu_limits_total",
        .help = "Guests that were ended because they computed for too long, before or after their response."},
    [WEIR_COMPONENT_OVERTIMES] = {.name = "weir_guest_overtimes_total",
        .help = "Guests that were ended because they went on for too long after their response."},
};

const weir_metric_t weir_component_gauge_metrics[WEIR_COMPONENT_GAUGES] = {
    [WEIR_COMPONENT_IN_FLIGHT] = {.name = "weir_requests_in_flight",
        .help = "Requests of clients that have begun and are not over."},
    [WEIR_COMPONENT_WAITING] = {.name = "weir_requests_waiting",
        .help = "Requests of clients that wait for an instance."},
    [WEIR_COMPONENT_INSTANCES] = {.name = "weir_guest_instances",
        .help = "Instances that there are, or are being made."},
};

#define RELOAD(result_)                                                                                                \
    .name = "weir_reloads_total", .label = "result", .value = (result_), .help = "Reloads of the application."
#define TLS_RELOAD(result_)                                                                                            \
    .name = "weir_tls_reloads_total", .label = "result", .value = (result_), .help = "Reloads of certificate and key."
#define FALLBACK(cause_)                                                                                               \
    .name = "weir_allocator_fallbacks_total", .label = "cause", .value = (cause_),                                     \
    .help = "How often the pooling allocator was disabled while serving."
#define REDUCTION(cause_)                                                                                              \
    .name = "weir_allocator_reductions_total", .label = "cause", .value = (cause_),                                    \
    .help = "How often the pooling allocator was reduced while serving."

#define ACCESS_LINES(result_)                                                                                          \
    .name = "weir_access_log_lines_total", .label = "result", .value = (result_),                                      \
    .help = "Lines of the access log, written or lost."
#define SPANS(result_)                                                                                                 \
    .name = "weir_trace_spans_total", .label = "result", .value = (result_),                                           \
    .help = "Spans of requests, taken by the collector or lost."

const weir_metric_t weir_process_counter_metrics[WEIR_PROCESS_COUNTERS] = {
    [WEIR_PROCESS_RELOADS_DONE] = {RELOAD("done")},
    [WEIR_PROCESS_RELOADS_REFUSED] = {RELOAD("refused")},
    [WEIR_PROCESS_TLS_RELOADS_DONE] = {TLS_RELOAD("done")},
    [WEIR_PROCESS_TLS_RELOADS_REFUSED] = {TLS_RELOAD("refused")},
    [WEIR_PROCESS_ALLOCATOR_FALLBACKS + WEIR_METRICS_REFUSAL] = {FALLBACK("refusal")},
    [WEIR_PROCESS_ALLOCATOR_FALLBACKS + WEIR_METRICS_GROUP_LEFT] = {FALLBACK("group_left")},
    [WEIR_PROCESS_ALLOCATOR_FALLBACKS + WEIR_METRICS_AVAILABLE] = {FALLBACK("available")},
    [WEIR_PROCESS_ALLOCATOR_FALLBACKS + WEIR_METRICS_SWAPPING] = {FALLBACK("swapping")},
    [WEIR_PROCESS_ALLOCATOR_FALLBACKS + WEIR_METRICS_GROUP_STALL] = {FALLBACK("group_stall")},
    [WEIR_PROCESS_ALLOCATOR_FALLBACKS + WEIR_METRICS_STALL] = {FALLBACK("stall")},
    [WEIR_PROCESS_ALLOCATOR_REDUCTIONS + WEIR_METRICS_REFUSAL] = {REDUCTION("refusal")},
    [WEIR_PROCESS_ALLOCATOR_REDUCTIONS + WEIR_METRICS_GROUP_LEFT] = {REDUCTION("group_left")},
    [WEIR_PROCESS_ALLOCATOR_REDUCTIONS + WEIR_METRICS_AVAILABLE] = {REDUCTION("available")},
    [WEIR_PROCESS_ALLOCATOR_REDUCTIONS + WEIR_METRICS_SWAPPING] = {REDUCTION("swapping")},
    [WEIR_PROCESS_ALLOCATOR_REDUCTIONS + WEIR_METRICS_GROUP_STALL] = {REDUCTION("group_stall")},
    [WEIR_PROCESS_ALLOCATOR_REDUCTIONS + WEIR_METRICS_STALL] = {REDUCTION("stall")},
    [WEIR_PROCESS_ALLOCATOR_RAISES] = {.name = "weir_allocator_raises_total",
        .help = "How often the allocator was raised again."},
    [WEIR_PROCESS_ACCESS_LINES_WRITTEN] = {ACCESS_LINES("written")},
    [WEIR_PROCESS_ACCESS_LINES_LOST] = {ACCESS_LINES("lost")},
    [WEIR_PROCESS_SPANS_EXPORTED] = {SPANS("exported")},
    [WEIR_PROCESS_SPANS_LOST] = {SPANS("lost")},
};
