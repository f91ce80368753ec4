/*
 * response.c: making responses. A body that is complete when the head is made is copied into the response, and the
 * instance is free at once; any other is fetched from the exchange piece by piece while it is sent.
 */
#include "serve/response.h"

#include "observe/log.h"
#include "serve/limits.h"
#include "serve/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INLINE_FIELD_BYTES = 1024 };

bool weir_response_is_bodiless(const weir_connection_t *connection, unsigned status)
{
    return connection->head_only || status == 204 || status == 304;
}

/* libmicrohttpd wants both terminated, and no value empty: a space is the same to every reader. */
static bool add_header(struct MHD_Response *response, weir_pair_t header)
{
    char place[INLINE_FIELD_BYTES];
    size_t size = header.name.size + header.value.size + 3;
    char *name = size <= sizeof(place) ? place : malloc(size);
    if (name == NULL) {
        return false;
    }
    memcpy(name, header.name.data, header.name.size);
    name[header.name.size] = '\0';
    char *value = name + header.name.size + 1;
    if (header.value.size == 0) {
        strcpy(value, " ");
    } else {
        memcpy(value, header.value.data, header.value.size);
        value[header.value.size] = '\0';
    }
    bool added = MHD_add_response_header(response, name, value) == MHD_YES;
    if (name != place) {
        free(name);
    }
    return added;
}

weir_pair_t weir_response_static_header(const weir_static_response_t *response, size_t index)
{
    const weir_variable_t *header = &response->headers[index];
    return (weir_pair_t){{header->name, strlen(header->name)}, {header->value, strlen(header->value)}};
}

static size_t static_head_size(const weir_static_response_t *response)
{
    size_t size = 0;
    for (size_t i = 0; response != NULL && i < response->header_count; i++) {
        weir_pair_t header = weir_response_static_header(response, i);
        size += header.name.size + header.value.size + 5;
    }
    return size;
}

size_t weir_response_head_size(const weir_connection_t *connection)
{
    if (connection->answer.status != 0) {
        return static_head_size(connection->answer.of_route);
    }
    const weir_exchange_t *exchange = connection->task->exchange;
    size_t count = weir_exchange_header_count(exchange);
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        weir_pair_t header = weir_exchange_header(exchange, i);
        size += header.name.size + header.value.size + 5;
    }
    return size;
}

static bool add_guest_headers(const weir_connection_t *connection, struct MHD_Response *response)
{
    const weir_exchange_t *exchange = connection->task->exchange;
    size_t count = weir_exchange_header_count(exchange);
    for (size_t i = 0; i < count; i++) {
        if (!add_header(response, weir_exchange_header(exchange, i))) {
            return false;
        }
    }
    return true;
}

/* While the server drains, each response is its connection's last. */
static bool add_close(const weir_connection_t *connection, struct MHD_Response *response)
{
    return !connection->loop->draining ||
           MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES;
}

/* ---- Bodies that are still on their way -------------------------------------------------------------------------- */

static void suspend_for_body(weir_connection_t *connection)
{
    connection->wait = WEIR_WAIT_BODY;
    weir_deadline_set(&connection->loop->watches, &connection->watch_deadline, connection->loop->now);
    MHD_suspend_connection(connection->handle);
}

static ssize_t read_body(void *context, uint64_t position, char *buffer, size_t size)
{
    (void)position;
    weir_connection_t *connection = context;
    weir_task_t *task = connection->task;
    if (connection->prefix_sent < connection->prefix_size) {
        size_t left = connection->prefix_size - connection->prefix_sent;
        size_t taken = left < size ? left : size;
        memcpy(buffer, connection->prefix + connection->prefix_sent, taken);
        connection->prefix_sent += taken;
        return (ssize_t)taken;
    }
    if (connection->cut || task == NULL) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    weir_bytes_t bytes;
    switch (weir_task_body(task, &bytes)) {
    case WEIR_BODY_BYTES: {
        size_t taken = bytes.size < size ? bytes.size : size;
        memcpy(buffer, bytes.data, taken);
        weir_exchange_consume(task->exchange, taken);
        return (ssize_t)taken;
    }
    case WEIR_BODY_LATER:
        suspend_for_body(connection);
        return 0;
    case WEIR_BODY_ENDED:
        return MHD_CONTENT_READER_END_OF_STREAM;
    case WEIR_BODY_BROKEN:
        break;
    }
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* Take what is there of the body into the loop's `gathered`. Returns what is to be expected after it. */
static weir_body_state_t gather(weir_connection_t *connection, size_t *ret_size)
{
    weir_task_t *task = connection->task;
    char *gathered = connection->loop->gathered;
    size_t size = 0;
    weir_bytes_t bytes;
    weir_body_state_t state;
    while ((state = weir_task_body(task, &bytes)) == WEIR_BODY_BYTES && size < WEIR_GATHER_BYTES) {
        size_t left = WEIR_GATHER_BYTES - size;
        size_t taken = bytes.size < left ? bytes.size : left;
        memcpy(gathered + size, bytes.data, taken);
        weir_exchange_consume(task->exchange, taken);
        size += taken;
    }
    *ret_size = size;
    return state;
}

static struct MHD_Response *make_streamed(weir_connection_t *connection, size_t gathered)
{
    weir_loop_t *loop = connection->loop;
    if (gathered > 0) {
        connection->prefix = malloc(gathered);
        if (connection->prefix == NULL) {
            return NULL;
        }
        memcpy(connection->prefix, loop->gathered, gathered);
    }
    connection->prefix_size = gathered;
    connection->prefix_sent = 0;
    int64_t stated = weir_exchange_content_length(connection->task->exchange);
    uint64_t size = stated < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)stated;
    size_t block = stated >= 0 && stated < WEIR_GATHER_BYTES ? (size_t)stated + 1 : WEIR_GATHER_BYTES;
    return MHD_create_response_from_callback(size, block, read_body, connection, NULL);
}

/* A response to HEAD, or with a status that has no body: what is stated of a length, if it is not negative, is passed
 * on. */
static struct MHD_Response *make_bodiless(unsigned status, int64_t stated)
{
    if (status == 204) {
        return MHD_create_response_empty(MHD_RF_NONE);
    }
    struct MHD_Response *response = MHD_create_response_empty(MHD_RF_HEAD_ONLY_RESPONSE);
    if (response == NULL || stated < 0) {
        return response;
    }
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)stated);
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_LENGTH, text) != MHD_YES) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

/* The response but for its headers. Returns NULL as weir_response_of_guest does. */
static struct MHD_Response *make_response(weir_connection_t *connection, unsigned status, bool *ret_complete)
{
    if (weir_response_is_bodiless(connection, status)) {
        *ret_complete = true;
        return make_bodiless(status, weir_exchange_content_length(connection->task->exchange));
    }
    size_t size;
    weir_body_state_t state = gather(connection, &size);
    *ret_complete = state == WEIR_BODY_ENDED;
    switch (state) {
    case WEIR_BODY_ENDED:
        return MHD_create_response_from_buffer_copy(size, connection->loop->gathered);
    case WEIR_BODY_BYTES:
    case WEIR_BODY_LATER:
        return make_streamed(connection, size);
    case WEIR_BODY_BROKEN:
        break;
    }
    /* Nothing has been sent yet: the client can still be told. */
    connection->answer = (weir_answer_t){.status = 500};
    return NULL;
}

struct MHD_Response *weir_response_of_guest(weir_connection_t *connection, unsigned *ret_status, bool *ret_complete)
{
    unsigned status = weir_exchange_status(connection->task->exchange);
    bool complete;
    struct MHD_Response *response = make_response(connection, status, &complete);
    if (response == NULL) {
        return NULL;
    }
    if (!add_guest_headers(connection, response) || !add_close(connection, response)) {
        MHD_destroy_response(response);
        return NULL;
    }
    *ret_status = status;
    *ret_complete = complete;
    return response;
}

static bool add_static_headers(const weir_static_response_t *of_route, struct MHD_Response *response)
{
    for (size_t i = 0; of_route != NULL && i < of_route->header_count; i++) {
        if (!add_header(response, weir_response_static_header(of_route, i))) {
            return false;
        }
    }
    return true;
}

struct MHD_Response *weir_response_of_server(weir_connection_t *connection)
{
    const weir_answer_t *answer = &connection->answer;
    bool never_has_body = answer->status == 204 || answer->status == 304;
    struct MHD_Response *response = never_has_body ? make_bodiless(answer->status, -1)
                                                   : MHD_create_response_from_buffer_static(
                                                         answer->body_size, answer->body_size == 0 ? "" : answer->body);
    if (response == NULL) {
        return NULL;
    }
    bool added = add_static_headers(answer->of_route, response);
    if (added && answer->content_type != NULL) {
        added = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type) == MHD_YES;
    }
    if (added && answer->status == 503 && answer->of_route == NULL) {
        char seconds[12];
        snprintf(seconds, sizeof(seconds), "%d", WEIR_RETRY_AFTER_SECONDS);
        added = MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds) == MHD_YES;
    }
    if (!added || !add_close(connection, response)) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}
