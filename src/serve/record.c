/*
 * record.c: filling the record, and telling it.
 */
#include "serve/record.h"

#include "observe/clock.h"
#include "serve/connection.h"
#include "serve/request.h"
#include "serve/shared.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static weir_component_metrics_t *metrics_of(const weir_connection_t *connection)
{
    return &connection->keeping.counted->loops[connection->loop->index];
}

static bool is_under_way(const weir_connection_t *connection)
{
    return connection->record.begun_at != 0;
}

/* Count it as one of these from now on, on what it is counted as. */
static void move_gauges(const weir_connection_t *connection, bool up)
{
    weir_component_metrics_t *metrics = metrics_of(connection);
    weir_gauge_move(&metrics->gauges[WEIR_COMPONENT_IN_FLIGHT], up);
    if (connection->keeping.waits) {
        weir_gauge_move(&metrics->gauges[WEIR_COMPONENT_WAITING], up);
    }
}

/* ---- Beginning --------------------------------------------------------------------------------------------------- */

void weir_record_begin(weir_connection_t *connection, bool has_head)
{
    if (is_under_way(connection)) {
        return;
    }
    weir_loop_t *loop = connection->loop;
    weir_record_keeping_t *keeping = &connection->keeping;
    connection->record = (weir_request_record_t){
        .route = "",
        .method = "",
        .target = "",
        .host = "",
        .client = "",
        .loop = loop->index,
        .secure = loop->server->settings.tls != NULL,
        .minor = has_head ? (uint8_t)connection->head.minor : 1,
        .begun_at = weir_monotonic_nanoseconds(),
    };
    keeping->counted = weir_metrics_component(loop->server->metrics, 0);
    keeping->method =
        has_head ? weir_method_of(connection->head.method.data, connection->head.method.size) : WEIR_METHOD_OTHER;
    keeping->waited = false;
    keeping->waits = false;
    move_gauges(connection, true);
}

/* Append a text, cut to so many bytes; the room is there. Returns where it is. */
static const char *append(char *texts, size_t *at, const char *text, size_t size, size_t most)
{
    char *start = texts + *at;
    size = size < most ? size : most;
    if (size > 0) {
        memcpy(start, text, size);
    }
    start[size] = '\0';
    *at += size + 1;
    return start;
}

/* Keep the texts for the sinks, in room that the connection's next requests use again. */
static void keep_texts(weir_connection_t *connection, const char *route)
{
    weir_record_keeping_t *keeping = &connection->keeping;
    weir_request_record_t *record = &connection->record;
    weir_bytes_t target = connection->head.target;
    size_t target_size = target.size < WEIR_RECORD_TARGET_BYTES ? target.size : WEIR_RECORD_TARGET_BYTES;
    size_t needed = WEIR_RECORD_METHOD_BYTES + WEIR_RECORD_HOST_BYTES + WEIR_RECORD_ROUTE_BYTES + target_size + 4;
    if (needed > keeping->texts_size) {
        char *texts = malloc(needed);
        if (texts == NULL) {
            return;
        }
        free(keeping->texts);
        keeping->texts = texts;
        keeping->texts_size = needed;
    }
    size_t at = 0;
    record->method = append(
        keeping->texts, &at, connection->head.method.data, connection->head.method.size, WEIR_RECORD_METHOD_BYTES);
    record->host =
        append(keeping->texts, &at, connection->head.host.data, connection->head.host.size, WEIR_RECORD_HOST_BYTES);
    record->route = append(keeping->texts, &at, route, strlen(route), WEIR_RECORD_ROUTE_BYTES);
    record->target = append(keeping->texts, &at, target.data, target.size, WEIR_RECORD_TARGET_BYTES);
}

void weir_record_route(weir_connection_t *connection)
{
    weir_record_keeping_t *keeping = &connection->keeping;
    const weir_answer_t *answer = &connection->answer;
    const weir_generation_t *generation = connection->loop->stake->generation;
    bool is_guests = answer->status == 0;
    move_gauges(connection, false);
    keeping->waits = keeping->waits && is_guests;
    keeping->counted = is_guests ? generation->counted[connection->match.route->trigger->component]
                                 : weir_metrics_component(connection->loop->server->metrics, 0);
    move_gauges(connection, true);
    if (connection->loop->server->settings.sink_count > 0) {
        keep_texts(connection, is_guests || answer->of_route != NULL ? connection->match.route->raw : "");
    }
}

/* ---- On its way -------------------------------------------------------------------------------------------------- */

void weir_record_wait(weir_connection_t *connection)
{
    weir_record_keeping_t *keeping = &connection->keeping;
    if (!keeping->waits) {
        weir_gauge_move(&metrics_of(connection)->gauges[WEIR_COMPONENT_WAITING], true);
    }
    keeping->waits = true;
    keeping->waited = true;
    connection->record.admitted_at = 0;
}

static void stop_waiting(weir_connection_t *connection)
{
    weir_record_keeping_t *keeping = &connection->keeping;
    if (keeping->waits) {
        weir_gauge_move(&metrics_of(connection)->gauges[WEIR_COMPONENT_WAITING], false);
        keeping->waits = false;
    }
}

void weir_record_admit(weir_connection_t *connection)
{
    weir_record_keeping_t *keeping = &connection->keeping;
    connection->record.admitted_at = keeping->waited ? weir_monotonic_nanoseconds() : connection->record.begun_at;
    stop_waiting(connection);
}

void weir_record_note(weir_connection_t *connection, weir_request_outcome_t outcome)
{
    if (!is_under_way(connection) || connection->record.outcome != WEIR_REQUEST_ANSWERED) {
        return;
    }
    connection->record.outcome = outcome;
    stop_waiting(connection); /* whatever it waited for, it will not have */
}

void weir_record_failure(weir_connection_t *connection, const weir_exchange_t *exchange)
{
    unsigned status = weir_exchange_failure_status(exchange);
    switch (weir_exchange_failure(exchange)) {
    case WEIR_FAILURE_INSTANTIATE:
    case WEIR_FAILURE_TRAP:
    case WEIR_FAILURE_PANIC:
        weir_record_note(connection, WEIR_REQUEST_TRAPPED);
        break;
    case WEIR_FAILURE_REFUSED:
        weir_record_note(connection, WEIR_REQUEST_INSTANCE_REFUSED);
        break;
    case WEIR_FAILURE_NONE:
    case WEIR_FAILURE_EXIT:
    case WEIR_FAILURE_NO_RESPONSE:
    case WEIR_FAILURE_RUN:
        /* A body that is collected for a program may be too long, or malformed, or all there is room for. */
        weir_record_note(connection, status == 400 || status == 413 ? WEIR_REQUEST_MALFORMED
                                     : status == 503                ? WEIR_REQUEST_INTERNAL
                                                                    : WEIR_REQUEST_FAILED);
        break;
    }
}

void weir_record_head(weir_connection_t *connection, unsigned status)
{
    connection->record.status = (uint16_t)status;
    connection->record.head_at = weir_monotonic_nanoseconds();
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

static void tell(weir_connection_t *connection)
{
    weir_request_record_t *record = &connection->record;
    const weir_server_settings_t *settings = &connection->loop->server->settings;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    record->begun_wall =
        (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - (int64_t)(record->ended_at - record->begun_at);
    record->client = weir_request_client(connection);
    for (size_t i = 0; i < settings->sink_count; i++) {
        settings->sinks[i].tell(settings->sinks[i].context, record);
    }
}

void weir_record_finish(weir_connection_t *connection)
{
    if (!is_under_way(connection)) {
        return;
    }
    weir_request_record_t *record = &connection->record;
    const weir_record_keeping_t *keeping = &connection->keeping;
    bool complete = connection->response == WEIR_RESPONSE_DONE && !weir_connection_is_blocked(connection);
    if (!complete) {
        weir_record_note(connection, WEIR_REQUEST_LEFT);
    }
    size_t unsent = connection->unsent_size - connection->unsent_at;
    record->sent_bytes -= unsent < record->sent_bytes ? unsent : record->sent_bytes;
    record->ended_at = weir_monotonic_nanoseconds();
    record->component = keeping->counted->id;
    move_gauges(connection, false);
    weir_metrics_note_request(metrics_of(connection), keeping->method, record, keeping->waited);
    if (connection->loop->server->settings.sink_count > 0) {
        tell(connection);
    }
    record->begun_at = 0;
}

void weir_record_free(weir_connection_t *connection)
{
    free(connection->keeping.texts);
    connection->keeping.texts = NULL;
    connection->keeping.texts_size = 0;
}
