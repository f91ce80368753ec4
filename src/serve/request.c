/*
 * request.c: examining requests whose heads are sound. Refused with 400 are those without an authority, and those with
 * two different ones; Spin fails on them. After such a one the connection ends: who says two things may mean a third.
 */
#include "serve/request.h"

#include "guest/header_filter.h"
#include "observe/log.h"
#include "serve/admission.h"
#include "serve/limits.h"
#include "serve/shared.h"
#include "serve/tracing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The method, for those that the server itself tells apart. */
static bool method_is(const weir_connection_t *connection, const char *method)
{
    weir_bytes_t text = connection->head.method;
    return text.size == strlen(method) && memcmp(text.data, method, text.size) == 0;
}

_Static_assert(
    (int)WEIR_HEAD_FIELDS_MAX <= (int)WEIR_REQUEST_HEADERS_MAX, "a guest takes every head that was let through");

/* Settle the one authority. Returns false when there is none, or two. */
static bool examine_authority(weir_connection_t *connection)
{
    weir_bytes_t of_target = connection->target.authority;
    if (connection->host.size == 0) {
        connection->host = of_target;
    } else if (of_target.size > 0 && !weir_authority_equals(of_target, connection->host)) {
        return false;
    }
    return weir_authority_is_valid(connection->host) && !weir_authority_is_internal(connection->host);
}

/* The endpoints that Spin keeps for itself, by the path as it was received. */
static bool is_reserved(weir_connection_t *connection)
{
    static const char prefix[] = "/.well-known/spin/";
    size_t prefix_size = sizeof(prefix) - 1;
    weir_bytes_t path = connection->target.path;
    if (path.size < prefix_size || memcmp(path.data, prefix, prefix_size) != 0) {
        return false;
    }
    const weir_generation_t *generation = connection->loop->stake->generation;
    weir_bytes_t rest = {path.data + prefix_size, path.size - prefix_size};
    if (rest.size == 6 && memcmp(rest.data, "health", 6) == 0) {
        connection->answer = (weir_answer_t){.status = 200, .body = "OK", .body_size = 2};
    } else if (rest.size == 4 && memcmp(rest.data, "info", 4) == 0) {
        weir_admission_hold(connection);
        connection->answer = (weir_answer_t){.status = 200,
            .content_type = "application/json",
            .body = generation->info,
            .body_size = generation->info_size};
    } else {
        connection->answer = (weir_answer_t){.status = 404};
    }
    return true;
}

/* For who tries something out, once (Spin's crates/trigger-http/src/server.rs, not_found). */
static void hint_at_catch_all(struct weir_server *server, weir_bytes_t path)
{
    enum { SHOWN_BYTES = 120 };
    if (!atomic_load_explicit(&server->hinted, memory_order_relaxed) && !atomic_exchange(&server->hinted, true) &&
        isatty(STDERR_FILENO) == 1) {
        weir_log(WEIR_LOG_INFO,
            "no route matches %.*s%s, which was answered with 404; add a route \"/...\" to answer such requests",
            (int)(path.size < SHOWN_BYTES ? path.size : SHOWN_BYTES), path.data, path.size > SHOWN_BYTES ? "..." : "");
    }
}

bool weir_request_route(weir_connection_t *connection)
{
    weir_bytes_t path = connection->target.path;
    const weir_routes_t *routes = connection->loop->stake->generation->parts.routes;
    if (!weir_routes_match(routes, path.data, path.size, &connection->match)) {
        connection->answer = (weir_answer_t){.status = 404};
        hint_at_catch_all(connection->loop->server, path);
        return false;
    }
    const weir_static_response_t *response = connection->match.route->trigger->static_response;
    if (response == NULL) {
        return true;
    }
    weir_admission_hold(connection);
    connection->answer = (weir_answer_t){
        .status = response->status, .body = response->body, .body_size = response->body_size, .of_route = response};
    return false;
}

/* Target and authority. Returns the status to refuse it with, or 0. */
static unsigned describe(weir_connection_t *connection)
{
    connection->head_only = method_is(connection, "HEAD");
    connection->host = connection->head.host;
    if (method_is(connection, "CONNECT")) {
        return 501;
    }
    weir_bytes_t target = connection->head.target;
    if (weir_target_parse(target.data, target.size, &connection->target) != 0 || !examine_authority(connection)) {
        return 400;
    }
    if (connection->target.asterisk && !method_is(connection, "OPTIONS")) {
        return 400; /* RFC 9112, section 3.2.4 */
    }
    unsigned status = weir_client_examine(connection);
    if (status != 0) {
        return status;
    }
    /* What is asked for by https is not told in the clear (RFC 9110, sections 4.2.2 and 7.4). */
    bool may_be_secure = weir_client_is_secure(connection) || weir_connection_is_of_proxy(connection);
    return connection->target.secure && !may_be_secure ? 421 : 0;
}

void weir_request_examine(weir_connection_t *connection)
{
    unsigned status = describe(connection);
    if (status != 0) {
        /* What follows a CONNECT may be meant for its tunnel. */
        connection->answer = (weir_answer_t){.status = status, .closes = status == 400 || status == 501};
        weir_record_note(connection, WEIR_REQUEST_MALFORMED);
    } else if (connection->target.asterisk) {
        connection->answer = (weir_answer_t){.status = 200}; /* OPTIONS (RFC 9110, section 9.3.7) */
    } else if (!is_reserved(connection)) {
        weir_request_route(connection);
    }
}

bool weir_request_keep_head(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    size_t size = connection->head.size;
    unsigned status;
    connection->own_head = malloc(size);
    if (connection->own_head == NULL) {
        return false;
    }
    memcpy(connection->own_head, connection->input, size);
    loop->fields_of = NULL;
    /* It was whole, and described, and led to a guest; it does so again. */
    weir_bytes_t text = {connection->own_head, size};
    return weir_head_parse(text, &connection->head, loop->fields, &status) == WEIR_HEAD_WHOLE &&
           describe(connection) == 0 &&
           weir_routes_match(loop->stake->generation->parts.routes, connection->target.path.data,
               connection->target.path.size, &connection->match);
}

const char *weir_request_client(weir_connection_t *connection)
{
    return weir_client_address(connection);
}

/* Have the loop's `fields` hold those of this request: they still do when it was just examined. */
static bool find_fields(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    weir_head_t head;
    unsigned status;
    if (loop->fields_of == connection) {
        return true;
    }
    weir_bytes_t text = {connection->own_head, connection->head.size};
    return connection->own_head != NULL && weir_head_parse(text, &head, loop->fields, &status) == WEIR_HEAD_WHOLE;
}

weir_task_t *weir_request_start(weir_connection_t *connection, const weir_permit_t *take_permit)
{
    weir_loop_t *loop = connection->loop;
    const struct weir_server *server = loop->server;
    if (!find_fields(connection)) {
        weir_admission_leave(loop, take_permit);
        return NULL;
    }
    const weir_trace_context_t *trace = &connection->record.trace;
    size_t header_count = connection->head.field_count;
    weir_tracing_t tracing;
    weir_tracing_carry(trace, loop->fields, header_count, &tracing);
    if (weir_trace_has_span(trace)) {
        header_count = weir_tracing_replace(&tracing, loop->fields, header_count, WEIR_HEAD_FIELDS_MAX);
        loop->fields_of = NULL;
    }
    weir_request_t request = {
        .method = connection->head.method,
        .target = connection->target.target,
        .path = connection->target.path,
        .query = connection->target.query,
        .host = connection->host,
        .version = weir_bytes_of(connection->head.minor == 0 ? "HTTP/1.0" : "HTTP/1.1"),
        .headers = loop->fields,
        .header_count = header_count,
        .has_body = connection->head.content_length != 0,
        .content_length = connection->head.content_length,
        .secure = weir_client_is_secure(connection),
        .client_address = weir_client_address(connection),
        .client_ip = weir_client_ip(connection),
        .server_port = server->port,
        .collected = connection->has_collected ? &connection->collected : NULL,
        .trace = trace,
        .added_headers = tracing.headers,
        .added_header_count = tracing.count,
    };
    return weir_task_start(
        loop, connection, NULL, take_permit, weir_admission_guest(connection), &request, &connection->match);
}
