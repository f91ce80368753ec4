/*
 * request.c: examining requests. Refused with 400 are those that two programs could read differently (a doubled
 * Content-Length, Transfer-Encoding or Host, Transfer-Encoding in HTTP/1.0: RFC 9112, sections 3.2, 6.1 and 6.3), those
 * without an authority, and those with two different ones; Spin fails on the latter two.
 */
#include "serve/request.h"

#include "observe/log.h"
#include "serve/admission.h"
#include "serve/limits.h"
#include "serve/shared.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static bool append_field(weir_loop_t *loop, weir_pair_t field)
{
    if (loop->field_count == loop->field_capacity) {
        size_t capacity = loop->field_capacity == 0 ? 32 : loop->field_capacity * 2;
        weir_pair_t *fields = realloc(loop->fields, capacity * sizeof(*fields));
        if (fields == NULL) {
            return false;
        }
        loop->fields = fields;
        loop->field_capacity = capacity;
    }
    loop->fields[loop->field_count++] = field;
    return true;
}

static enum MHD_Result take_field(
    void *context, enum MHD_ValueKind kind, const char *name, size_t name_size, const char *value, size_t value_size)
{
    (void)kind;
    weir_pair_t field = {{name, name_size}, {value == NULL ? "" : value, value_size}};
    return append_field(context, field) ? MHD_YES : MHD_NO;
}

/* Fill the loop's `fields` with the request's headers; their number is bounded by the connection's memory. */
static bool gather_fields(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    loop->field_count = 0;
    int count = MHD_get_connection_values_n(connection->handle, MHD_HEADER_KIND, take_field, loop);
    return count >= 0 && (size_t)count == loop->field_count;
}

static bool text_is(weir_bytes_t text, const char *word)
{
    return text.size == strlen(word) && strncasecmp(text.data, word, text.size) == 0;
}

/* The headers that decide how the request is read. Returns false when they are ambiguous. */
static bool examine_fields(weir_connection_t *connection)
{
    const weir_loop_t *loop = connection->loop;
    unsigned hosts = 0;
    unsigned lengths = 0;
    unsigned encodings = 0;
    for (size_t i = 0; i < loop->field_count; i++) {
        weir_bytes_t name = loop->fields[i].name;
        weir_bytes_t value = loop->fields[i].value;
        if (text_is(name, "host")) {
            hosts++;
            connection->host = value;
        } else if (text_is(name, "content-length")) {
            lengths++;
            /* libmicrohttpd has checked that it is a number that fits. */
            connection->content_length = strtoll(value.data, NULL, 10);
        } else if (text_is(name, "transfer-encoding")) {
            encodings++;
        } else if (text_is(name, "expect")) {
            connection->expects_continue = text_is(value, "100-continue");
        }
    }
    if (hosts > 1 || lengths > 1 || encodings > 1 || (encodings > 0 && lengths > 0)) {
        return false;
    }
    if (encodings > 0 && strcmp(connection->version, "HTTP/1.0") == 0) {
        return false;
    }
    if (encodings > 0) {
        connection->content_length = -1;
    }
    connection->has_body = connection->content_length != 0;
    return true;
}

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
    const struct weir_server *server = connection->loop->server;
    weir_bytes_t rest = {path.data + prefix_size, path.size - prefix_size};
    if (rest.size == 6 && memcmp(rest.data, "health", 6) == 0) {
        connection->answer = (weir_answer_t){.status = 200, .body = "OK", .body_size = 2};
    } else if (rest.size == 4 && memcmp(rest.data, "info", 4) == 0) {
        connection->answer = (weir_answer_t){
            .status = 200, .content_type = "application/json", .body = server->info, .body_size = server->info_size};
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

void weir_request_examine(weir_connection_t *connection)
{
    connection->head_only = strcmp(connection->method, "HEAD") == 0;
    if (!gather_fields(connection)) {
        weir_log(WEIR_LOG_ERROR, "a request was answered with 500: out of memory");
        connection->answer = (weir_answer_t){.status = 500};
        return;
    }
    if (connection->loop->field_count > WEIR_REQUEST_HEADERS_MAX) {
        connection->answer = (weir_answer_t){.status = 431, .at_once = true};
        return;
    }
    if (!examine_fields(connection)) {
        /* Where the body ends is unknown: nothing after the headers may be taken for a request. */
        connection->answer = (weir_answer_t){.status = 400, .at_once = true};
        return;
    }
    if (!weir_method_is_valid(connection->method)) {
        connection->answer = (weir_answer_t){.status = 400};
        return;
    }
    if (strcmp(connection->method, "CONNECT") == 0) {
        connection->answer = (weir_answer_t){.status = 501};
        return;
    }
    unsigned status = weir_target_parse(connection->line, connection->line_size, &connection->target);
    if (status == 0 && !examine_authority(connection)) {
        status = 400;
    }
    if (status != 0) {
        connection->answer = (weir_answer_t){.status = status};
        return;
    }
    if (is_reserved(connection)) {
        return;
    }
    weir_request_route(connection);
}

/* The client's address in words, once a connection. */
static void describe_client(weir_connection_t *connection)
{
    if (connection->client_ip[0] != '\0') {
        return;
    }
    strcpy(connection->client_ip, "0.0.0.0");
    strcpy(connection->client_address, "0.0.0.0:0");
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection->handle, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == NULL || info->client_addr == NULL) {
        return;
    }
    char ip[INET6_ADDRSTRLEN];
    if (info->client_addr->sa_family == AF_INET) {
        struct sockaddr_in address;
        memcpy(&address, info->client_addr, sizeof(address));
        inet_ntop(AF_INET, &address.sin_addr, ip, sizeof(ip));
        snprintf(connection->client_address, sizeof(connection->client_address), "%s:%u", ip,
            (unsigned)ntohs(address.sin_port));
    } else if (info->client_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 address;
        memcpy(&address, info->client_addr, sizeof(address));
        inet_ntop(AF_INET6, &address.sin6_addr, ip, sizeof(ip));
        snprintf(connection->client_address, sizeof(connection->client_address), "[%s]:%u", ip,
            (unsigned)ntohs(address.sin6_port));
    } else {
        return;
    }
    strcpy(connection->client_ip, ip);
}

weir_task_t *weir_request_start(weir_connection_t *connection, const weir_permit_t *take_permit)
{
    weir_loop_t *loop = connection->loop;
    const struct weir_server *server = loop->server;
    if (!gather_fields(connection)) {
        weir_admission_leave(loop, take_permit);
        return NULL;
    }
    describe_client(connection);
    weir_request_t request = {
        .method = {connection->method, strlen(connection->method)},
        .target = connection->target.target,
        .path = connection->target.path,
        .query = connection->target.query,
        .host = connection->host,
        .version = {connection->version, strlen(connection->version)},
        .headers = loop->fields,
        .header_count = loop->field_count,
        .has_body = connection->has_body,
        .content_length = connection->content_length,
        .secure = false,
        .client_address = connection->client_address,
        .client_ip = connection->client_ip,
        .server_port = server->port,
        .collected = connection->has_collected ? &connection->collected : NULL,
    };
    return weir_task_start(
        loop, connection, NULL, take_permit, weir_admission_guest(connection), &request, &connection->match);
}

static size_t count_byte(const char *text, size_t size, char byte)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        count += text[i] == byte ? 1 : 0;
    }
    return count;
}

size_t weir_request_memory(weir_connection_t *connection)
{
    /* The text, cookies a second time, and a record for each header, each argument of the query and each cookie. */
    enum { RECORD_BYTES = 80 };
    if (!gather_fields(connection)) {
        return WEIR_CONNECTION_BYTES;
    }
    const weir_loop_t *loop = connection->loop;
    size_t bytes = connection->line_size;
    size_t records = 2 + loop->field_count + count_byte(connection->line, connection->line_size, '&');
    for (size_t i = 0; i < loop->field_count; i++) {
        weir_bytes_t value = loop->fields[i].value;
        bytes += loop->fields[i].name.size + 2 * value.size + 8;
        records += count_byte(value.data, value.size, ';');
    }
    return bytes + records * RECORD_BYTES;
}
