/*
 * response.c: responses. Head and body leave in one system call: what there is of a body is gathered in a buffer of the
 * loop, and what the client does not take is the connection's to keep. A body that is complete by then has a
 * Content-Length, and the instance is free at once.
 */
#include "serve/response.h"

#include "observe/log.h"
#include "serve/admission.h"
#include "serve/limits.h"
#include "serve/shared.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

weir_pair_t weir_response_static_header(const weir_static_response_t *response, size_t index)
{
    const weir_variable_t *header = &response->headers[index];
    return (weir_pair_t){{header->name, strlen(header->name)}, {header->value, strlen(header->value)}};
}

/* ---- Heads ------------------------------------------------------------------------------------------------------- */

static void add(weir_head_text_t *text, weir_response_form_t *form, weir_pair_t field)
{
    form->has_date = form->has_date || weir_text_is(field.name, "date");
    weir_response_head_add(text, field);
}

static void add_text(weir_head_text_t *text, const char *name, const char *value)
{
    weir_response_head_add(text, (weir_pair_t){{name, strlen(name)}, {value, strlen(value)}});
}

static void add_answer_fields(weir_head_text_t *text, weir_response_form_t *form, const weir_answer_t *answer)
{
    for (size_t i = 0; answer->of_route != NULL && i < answer->of_route->header_count; i++) {
        add(text, form, weir_response_static_header(answer->of_route, i));
    }
    if (answer->content_type != NULL) {
        add_text(text, "Content-Type", answer->content_type);
    }
    if (answer->status == 503 && answer->of_route == NULL) {
        char seconds[12];
        snprintf(seconds, sizeof(seconds), "%u", answer->retry_after == 0 ? 1 : answer->retry_after);
        add_text(text, "Retry-After", seconds);
    }
}

static void add_guest_fields(weir_head_text_t *text, weir_response_form_t *form, const weir_exchange_t *exchange)
{
    size_t count = weir_exchange_header_count(exchange);
    for (size_t i = 0; i < count; i++) {
        add(text, form, weir_exchange_header(exchange, i));
    }
}

static int64_t wall_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return now.tv_sec;
}

/* Whether so little of the request's body is to come that it is worth waiting for. */
static bool rest_is_short(const weir_connection_t *connection)
{
    return connection->head.content_length < 0 || connection->body_left <= WEIR_REST_BYTES;
}

/*
 * Whether the connection may be used again. Where the guest goes on, the request's body is its own to read. A client
 * that waits for 100 may send its body or not.
 */
static bool may_keep(const weir_connection_t *connection, bool goes_on)
{
    bool unwanted = connection->body_coming && !goes_on && (connection->owes_continue || !rest_is_short(connection));
    uint64_t most = weir_admission_server_limit(connection->loop, WEIR_SERVING_REQUESTS_PER_CONNECTION);
    bool is_last = most != 0 && connection->requests >= most;
    bool ends =
        connection->loop->draining || atomic_load_explicit(&connection->loop->server->leaving, memory_order_relaxed);
    return connection->head.keeps && !ends && !connection->answer.closes && !unwanted && !is_last;
}

/* The loop's text, with the head in it. `goes_on`: of a guest that is not at the end of its response. */
static const weir_head_text_t *compose(weir_connection_t *connection, weir_response_form_t *form, bool goes_on)
{
    weir_loop_t *loop = connection->loop;
    weir_head_text_t *text = &loop->head_text;
    const weir_answer_t *answer = &connection->answer;
    text->size = 0;
    text->failed = false;
    if (connection->owes_continue && goes_on) {
        /* It has set its head, and wants the body nevertheless, perhaps. */
        weir_head_text_add(text, weir_continue_head.data, weir_continue_head.size);
        connection->owes_continue = false;
    }
    weir_response_head_begin(text, form->status);
    if (answer->status != 0) {
        add_answer_fields(text, form, answer);
    } else {
        add_guest_fields(text, form, connection->task->exchange);
    }
    connection->framing = weir_framing_of(form);
    connection->keeps = form->keeps && connection->framing != WEIR_FRAMING_CLOSE;
    weir_response_head_end(text, form, &loop->date, wall_clock());
    return text;
}

/* ---- Bodies ------------------------------------------------------------------------------------------------------ */

/* Take what is there of the body into the loop's `gathered`. Returns what is to be expected after it. */
static weir_body_state_t gather(const weir_connection_t *connection, size_t *ret_size)
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

/* ---- Trailers ---------------------------------------------------------------------------------------------------- */

/*
 * As hyper does for Spin: what the client has said it takes, and the response's Trailer has named. For every trailer
 * all of the list is gone through, so that of a long one the end does not count.
 */
static bool is_announced(const weir_exchange_t *exchange, weir_bytes_t name)
{
    char word[64];
    if (name.size >= sizeof(word)) {
        return false;
    }
    memcpy(word, name.data, name.size);
    word[name.size] = '\0';
    size_t left = WEIR_TRAILERS_MAX_BYTES;
    size_t count = weir_exchange_header_count(exchange);
    for (size_t i = 0; i < count; i++) {
        weir_pair_t header = weir_exchange_header(exchange, i);
        if (!weir_text_is(header.name, "trailer")) {
            continue;
        }
        size_t size = header.value.size < left ? header.value.size : left;
        if (weir_list_has((weir_bytes_t){header.value.data, size}, word)) {
            return true;
        }
        left -= size;
    }
    return false;
}

/* Write what follows the last chunk of a response: its trailers, and an empty line. Returns whether there are any. */
static bool compose_end(const weir_connection_t *connection)
{
    const weir_exchange_t *exchange = connection->task->exchange;
    weir_head_text_t *text = &connection->loop->end_text;
    size_t count = connection->head.takes_trailers ? weir_exchange_trailer_count(exchange) : 0;
    text->size = 0;
    text->failed = false;
    if (count == 0) {
        return false;
    }
    weir_head_text_add(text, "0\r\n", 3);
    for (size_t i = 0; i < count; i++) {
        weir_pair_t trailer = weir_exchange_trailer(exchange, i);
        if (trailer.name.size > 0 && weir_trailer_is_allowed(trailer.name) && is_announced(exchange, trailer.name)) {
            weir_response_head_add(text, trailer);
        }
    }
    bool any = text->size > 3 && !text->failed;
    weir_head_text_add(text, "\r\n", 2);
    return any && !text->failed;
}

/* The body is complete: the guest may go on alone, without the rest of the request's. */
static void finish(weir_connection_t *connection)
{
    weir_task_t *task = connection->task;
    connection->response = WEIR_RESPONSE_DONE;
    connection->task = NULL;
    if (task == NULL) {
        return;
    }
    if (connection->body_coming) {
        weir_exchange_feed_end(task->exchange, true);
    }
    weir_task_detach(task);
}

/* What follows the last chunk of a body. */
static struct iovec end_of(const weir_connection_t *connection, bool has_trailers)
{
    static const char last[] = "0\r\n\r\n";
    const weir_head_text_t *text = &connection->loop->end_text;
    return has_trailers ? (struct iovec){text->data, text->size}
                        : (struct iovec){(char *)(uintptr_t)last, sizeof(last) - 1};
}

/* Send a head, if there is one, and so much of the body; at its end with what `end` has. False: the connection is
 * closed. */
static bool send_piece(
    weir_connection_t *connection, const weir_head_text_t *head, weir_bytes_t body, const struct iovec *end)
{
    static const char line_end[] = "\r\n";
    bool chunked = connection->framing == WEIR_FRAMING_CHUNKS;
    char frame[WEIR_CHUNK_FRAME_BYTES];
    struct iovec pieces[5];
    size_t count = 0;
    if (head != NULL) {
        pieces[count++] = (struct iovec){head->data, head->size};
    }
    if (body.size > 0 && connection->framing != WEIR_FRAMING_NONE) {
        if (chunked) {
            pieces[count++] = (struct iovec){frame, weir_chunk_begin(frame, body.size)};
        }
        pieces[count++] = (struct iovec){(char *)(uintptr_t)body.data, body.size};
        connection->record.sent_bytes += body.size;
        if (chunked) {
            pieces[count++] = (struct iovec){(char *)(uintptr_t)line_end, sizeof(line_end) - 1};
        }
    }
    if (end != NULL && chunked) {
        pieces[count++] = *end;
    }
    return weir_connection_send(connection, pieces, count);
}

static void begin_with(
    weir_connection_t *connection, weir_response_form_t *form, weir_bytes_t body, bool ends, bool has_trailers)
{
    const weir_head_text_t *head = compose(connection, form, !ends);
    if (head->failed) {
        weir_record_note(connection, WEIR_REQUEST_INTERNAL);
        weir_log(WEIR_LOG_ERROR, "a connection was closed without an answer: out of memory");
        weir_connection_close(connection);
        return;
    }
    weir_record_head(connection, form->status);
    connection->response = WEIR_RESPONSE_BODY;
    struct iovec end = end_of(connection, has_trailers);
    if (ends) {
        finish(connection);
    }
    send_piece(connection, head, body, ends ? &end : NULL);
}

/* ---- Answers of the server --------------------------------------------------------------------------------------- */

static void answer(weir_connection_t *connection)
{
    const weir_answer_t *own = &connection->answer;
    weir_response_form_t form = {.status = own->status,
        .minor = connection->head.minor,
        .head_only = connection->head_only,
        .length = weir_status_is_bodiless(own->status) ? -1 : (int64_t)own->body_size,
        .keeps = may_keep(connection, false)};
    begin_with(connection, &form, (weir_bytes_t){own->body, own->body_size}, true, false);
}

/* The guest failed before anything of its response was sent: the server answers in its place. */
static void answer_failure(weir_connection_t *connection, unsigned status)
{
    connection->answer = (weir_answer_t){.status = status};
    weir_connection_end_task(connection);
    answer(connection);
}

/* ---- Responses of guests ----------------------------------------------------------------------------------------- */

/* Whether its body is longer than the component's may be, with so many bytes more. Then that is logged, and noted. */
static bool is_too_long(weir_connection_t *connection, uint64_t more, const char *what)
{
    const weir_task_t *task = connection->task;
    uint64_t most = task->limits->values[WEIR_SERVING_RESPONSE_BODY];
    if (most == 0 || connection->record.sent_bytes + more <= most) {
        return false;
    }
    char size[24];
    char words[WEIR_LIMIT_WORDS_BYTES];
    weir_exchange_log(task->exchange, WEIR_LOG_WARNING, "its response's body is longer than %s, %s; %s",
        weir_limit_write_size(size, sizeof(size), most),
        weir_limit_words(task->limits, WEIR_SERVING_RESPONSE_BODY, weir_exchange_guest_id(task->exchange), words),
        what);
    weir_record_note(connection, WEIR_REQUEST_FAILED);
    return true;
}

void weir_response_begin(weir_connection_t *connection)
{
    weir_task_t *task = connection->task;
    if (connection->answer.status != 0) {
        answer(connection);
        return;
    }
    if (task->state == WEIR_EXCHANGE_FAILED) {
        weir_record_failure(connection, task->exchange);
        answer_failure(connection, weir_exchange_failure_status(task->exchange));
        return;
    }
    weir_response_form_t form = {.status = weir_exchange_status(task->exchange),
        .minor = connection->head.minor,
        .head_only = connection->head_only,
        .length = weir_exchange_content_length(task->exchange)};
    size_t size;
    weir_body_state_t state = gather(connection, &size);
    if (state == WEIR_BODY_BROKEN) {
        weir_record_failure(connection, task->exchange);
        unsigned status = weir_exchange_failure_status(task->exchange);
        answer_failure(connection, status == 0 ? 500 : status);
        return;
    }
    bool ends = state == WEIR_BODY_ENDED;
    bool bodiless = form.head_only || weir_status_is_bodiless(form.status);
    uint64_t known = form.length > (int64_t)size ? (uint64_t)form.length : size;
    if (!bodiless && is_too_long(connection, known, "answered with 502")) {
        answer_failure(connection, 502);
        return;
    }
    bool has_trailers = ends && form.minor == 1 && !bodiless && compose_end(connection);
    if (has_trailers) {
        form.length = -1; /* they need chunks */
    } else if (ends && form.length < 0 && !bodiless) {
        form.length = (int64_t)size;
    }
    form.keeps = may_keep(connection, !ends);
    begin_with(connection, &form, (weir_bytes_t){connection->loop->gathered, size}, ends, has_trailers);
}

enum { IN_PLACE_BYTES = 16 * 1024 }; /* so much is worth a call of its own, rather than a copy */

/* Whether the body goes on within its limit. False: the connection is closed. */
static bool check_size(weir_connection_t *connection, size_t more)
{
    bool fits = connection->framing == WEIR_FRAMING_NONE || !is_too_long(connection, more, "it was cut");
    if (!fits) {
        weir_connection_close(connection);
    }
    return fits;
}

/* Send a large piece from where it lies. False: there is none. */
static bool send_in_place(weir_connection_t *connection)
{
    weir_exchange_t *exchange = connection->task->exchange;
    weir_bytes_t piece;
    if (weir_task_body(connection->task, &piece) != WEIR_BODY_BYTES || piece.size < IN_PLACE_BYTES) {
        return false;
    }
    piece.size = piece.size < WEIR_GATHER_BYTES ? piece.size : WEIR_GATHER_BYTES;
    if (check_size(connection, piece.size) && send_piece(connection, NULL, piece, NULL)) {
        weir_exchange_consume(exchange, piece.size);
    }
    return true;
}

bool weir_response_continue(weir_connection_t *connection)
{
    size_t size;
    if (send_in_place(connection)) {
        return true;
    }
    weir_body_state_t state = gather(connection, &size);
    if (state == WEIR_BODY_BROKEN) {
        /* The head has been sent: all that is left is not to let the body look complete. */
        weir_record_failure(connection, connection->task->exchange);
        weir_connection_close(connection);
        return true;
    }
    bool ends = state == WEIR_BODY_ENDED;
    if (size == 0 && !ends) {
        return false;
    }
    if (!check_size(connection, size)) {
        return true;
    }
    struct iovec end = {NULL, 0};
    if (ends) {
        end = end_of(connection, connection->framing == WEIR_FRAMING_CHUNKS && compose_end(connection));
        finish(connection);
    }
    send_piece(connection, NULL, (weir_bytes_t){connection->loop->gathered, size}, ends ? &end : NULL);
    return true;
}
