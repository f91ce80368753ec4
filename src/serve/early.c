/*
 * early.c: writing a response to a socket: its head, then its body, with a length, in chunks, or up to the connection's
 * end for HTTP/1.0 (RFC 9112, sections 6 and 7).
 */
#include "serve/early.h"

#include "serve/limits.h"
#include "serve/response.h"
#include "serve/shared.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum {
    PIECE_BYTES = 32 * 1024, /* of the body, at a time */
    CHUNK_BYTES = 16,        /* for the frame of a chunk: its size in hexadecimal and two line ends */
    PIECES_A_TURN = 16       /* before other connections get their turn */
};

struct weir_early {
    char *data; /* own: what is to be sent next */
    size_t capacity;
    size_t size;
    size_t sent;
    bool has_body; /* the task's body follows */
    bool chunked;
    int64_t left; /* of a body whose length was stated; -1: it was not */
    bool done;
};

static bool reserve(weir_early_t *early, size_t more)
{
    if (early->capacity - early->size >= more) {
        return true;
    }
    size_t capacity = early->size + more + PIECE_BYTES;
    char *data = realloc(early->data, capacity);
    if (data == NULL) {
        return false;
    }
    early->data = data;
    early->capacity = capacity;
    return true;
}

static bool append(weir_early_t *early, const void *bytes, size_t size)
{
    if (!reserve(early, size)) {
        return false;
    }
    if (size > 0) {
        memcpy(early->data + early->size, bytes, size);
        early->size += size;
    }
    return true;
}

__attribute__((format(printf, 2, 3))) static bool append_format(weir_early_t *early, const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    return size >= 0 && (size_t)size < sizeof(line) && append(early, line, (size_t)size);
}

/* The date in the one form that RFC 9110, section 5.6.7, lets a server write, in no locale. */
static bool append_date(weir_early_t *early)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = time(NULL);
    struct tm parts;
    if (gmtime_r(&now, &parts) == NULL) {
        return true;
    }
    return append_format(early, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[parts.tm_wday], parts.tm_mday,
        months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

static bool append_status(weir_early_t *early, unsigned status)
{
    const char *reason = MHD_get_reason_phrase_for(status);
    return append_format(early, "HTTP/1.1 %u %s\r\n", status, reason == NULL ? "" : reason) &&
           append(early, "Connection: close\r\n", 19);
}

static bool append_header(weir_early_t *early, weir_pair_t header)
{
    return append(early, header.name.data, header.name.size) && append(early, ": ", 2) &&
           append(early, header.value.data, header.value.size) && append(early, "\r\n", 2);
}

static bool is_date(weir_bytes_t name)
{
    return name.size == 4 && strncasecmp(name.data, "date", 4) == 0;
}

static bool append_static_headers(weir_early_t *early, const weir_static_response_t *response, bool *ret_has_date)
{
    for (size_t i = 0; i < response->header_count; i++) {
        weir_pair_t header = weir_response_static_header(response, i);
        *ret_has_date = *ret_has_date || is_date(header.name);
        if (!append_header(early, header)) {
            return false;
        }
    }
    return true;
}

/* The headers that only an answer of the server's own has. */
static bool append_own_headers(weir_early_t *early, const weir_answer_t *answer)
{
    if (answer->content_type != NULL && !append_format(early, "Content-Type: %s\r\n", answer->content_type)) {
        return false;
    }
    return answer->status != 503 || append_format(early, "Retry-After: %d\r\n", WEIR_RETRY_AFTER_SECONDS);
}

/* The head and the body of an answer of the server's own, or of a route's. */
static bool compose_answer(weir_early_t *early, const weir_connection_t *connection)
{
    const weir_answer_t *answer = &connection->answer;
    bool has_date = false;
    if (!append_status(early, answer->status) ||
        !(answer->of_route != NULL ? append_static_headers(early, answer->of_route, &has_date)
                                   : append_own_headers(early, answer)) ||
        !(has_date || append_date(early))) {
        return false;
    }
    if (answer->status != 204 && answer->status != 304 &&
        !append_format(early, "Content-Length: %zu\r\n", answer->body_size)) {
        return false;
    }
    return append(early, "\r\n", 2) &&
           (weir_response_is_bodiless(connection, answer->status) || append(early, answer->body, answer->body_size));
}

/* The head of a guest's response; its body follows from the exchange. */
static bool compose_head(weir_early_t *early, const weir_connection_t *connection)
{
    const weir_exchange_t *exchange = connection->task->exchange;
    unsigned status = weir_exchange_status(exchange);
    bool bodiless = weir_response_is_bodiless(connection, status);
    bool has_date = false;
    if (!append_status(early, status)) {
        return false;
    }
    size_t count = weir_exchange_header_count(exchange);
    for (size_t i = 0; i < count; i++) {
        weir_pair_t header = weir_exchange_header(exchange, i);
        has_date = has_date || is_date(header.name);
        if (!append_header(early, header)) {
            return false;
        }
    }
    if (!has_date && !append_date(early)) {
        return false;
    }
    early->left = weir_exchange_content_length(exchange);
    early->has_body = !bodiless;
    if (early->left >= 0 && status != 204) {
        if (!append_format(early, "Content-Length: %lld\r\n", (long long)early->left)) {
            return false;
        }
    } else if (!bodiless && strcmp(connection->version, "HTTP/1.0") != 0) {
        early->chunked = true;
        if (!append(early, "Transfer-Encoding: chunked\r\n", 28)) {
            return false;
        }
    }
    return append(early, "\r\n", 2);
}

bool weir_early_start(weir_connection_t *connection)
{
    weir_early_t *early = calloc(1, sizeof(*early));
    if (early == NULL) {
        return false;
    }
    bool composed =
        connection->answer.status != 0 ? compose_answer(early, connection) : compose_head(early, connection);
    /* Room for one piece is kept, so that sending cannot fail for want of memory. */
    if (!composed || !reserve(early, PIECE_BYTES + CHUNK_BYTES)) {
        weir_early_free(early);
        return false;
    }
    connection->early = early;
    weir_list_append(&connection->loop->earlies, &connection->early_link);
    weir_deadline_lift(&connection->rest_deadline);
    weir_early_pump(connection);
    return true;
}

typedef enum fill {
    FILLED,   /* there is something to send */
    UNREADY,  /* there will be */
    COMPLETE, /* there is nothing more */
    FAILED,   /* there should be, but never will */
} fill_t;

static void append_piece(weir_early_t *early, weir_task_t *task, weir_bytes_t bytes)
{
    size_t taken = bytes.size < PIECE_BYTES ? bytes.size : PIECE_BYTES;
    if (early->left >= 0) {
        taken = (uint64_t)early->left < taken ? (size_t)early->left : taken;
        early->left -= (int64_t)taken;
    }
    if (early->chunked) {
        append_format(early, "%zx\r\n", taken);
    }
    append(early, bytes.data, taken);
    if (early->chunked) {
        append(early, "\r\n", 2);
    }
    weir_exchange_consume(task->exchange, taken);
}

/* Put the next piece of the task's body into the empty buffer. */
static fill_t fill(weir_early_t *early, weir_connection_t *connection)
{
    weir_task_t *task = connection->task;
    early->size = 0;
    early->sent = 0;
    if (!early->has_body || early->left == 0) {
        return COMPLETE;
    }
    weir_bytes_t bytes;
    switch (task == NULL ? WEIR_BODY_BROKEN : weir_task_body(task, &bytes)) {
    case WEIR_BODY_BYTES:
        append_piece(early, task, bytes);
        return FILLED;
    case WEIR_BODY_LATER:
        return UNREADY;
    case WEIR_BODY_BROKEN:
        return FAILED;
    case WEIR_BODY_ENDED:
        break;
    }
    early->has_body = false;
    if (early->left > 0) {
        return FAILED;
    }
    if (early->chunked) {
        append(early, "0\r\n\r\n", 5);
        return FILLED;
    }
    return COMPLETE;
}

/*
 * Send what is in the buffer. Returns false when the socket takes no more now, or never again: then errno says why.
 * `*moved` becomes true when anything was sent.
 */
static bool flush(weir_early_t *early, int descriptor, bool *moved)
{
    while (early->sent < early->size) {
        ssize_t sent =
            send(descriptor, early->data + early->sent, early->size - early->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            return false;
        }
        early->sent += (size_t)sent;
        *moved = *moved || sent > 0;
    }
    return true;
}

static void finish(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    connection->early->done = true;
    weir_connection_watch(connection, 0);
    /* The client sees the end of the answer; what it still sends is read, and dropped, for a while. */
    shutdown(connection->descriptor, SHUT_WR);
    weir_deadline_set(&loop->lingers, &connection->linger_deadline, loop->now);
    if (connection->task != NULL) {
        weir_task_t *task = connection->task;
        connection->task = NULL;
        if (connection->stage < WEIR_STAGE_RECEIVED) {
            /* Nobody feeds it any more; a guest that still reads must not wait for what is dropped. */
            weir_exchange_feed_end(task->exchange, true);
        }
        weir_task_detach(task);
    }
    if (connection->wait == WEIR_WAIT_SPACE || connection->wait == WEIR_WAIT_EARLY) {
        weir_connection_resume(connection);
    }
}

void weir_early_pump(weir_connection_t *connection)
{
    weir_early_t *early = connection->early;
    weir_loop_t *loop = connection->loop;
    if (early->done) {
        return;
    }
    bool moved = false;
    for (unsigned pieces = 0; pieces < PIECES_A_TURN; pieces++) {
        if (!flush(early, connection->descriptor, &moved)) {
            bool waits = errno == EAGAIN || errno == EWOULDBLOCK;
            if (!waits || !weir_connection_watch(connection, EPOLLOUT)) {
                weir_connection_cut(connection);
                return;
            }
            /* Only what the client takes is progress: not what it sends, nor what the guest does. */
            if (moved || !weir_deadline_is_set(&connection->linger_deadline)) {
                weir_deadline_set(&loop->stalls, &connection->linger_deadline, loop->now);
            }
            return;
        }
        weir_deadline_lift(&connection->linger_deadline);
        switch (fill(early, connection)) {
        case FILLED:
            break;
        case UNREADY:
            return;
        case COMPLETE:
            finish(connection);
            return;
        case FAILED:
            weir_connection_cut(connection);
            return;
        }
    }
    /* More can be sent at once: the event says so, after the others' turn. */
    if (!weir_connection_watch(connection, EPOLLOUT)) {
        weir_connection_cut(connection);
    }
}

bool weir_early_is_too_late(const weir_connection_t *connection)
{
    return MHD_get_connection_info(connection->handle, MHD_CONNECTION_INFO_HTTP_STATUS) != NULL;
}

void weir_early_check(weir_loop_t *loop)
{
    weir_link_t *next;
    for (weir_link_t *link = weir_list_first(&loop->earlies); link != NULL; link = next) {
        next = weir_list_next(&loop->earlies, link);
        weir_connection_t *connection = WEIR_CONTAINER(link, weir_connection_t, early_link);
        if (weir_early_is_too_late(connection)) {
            /* It has queued its answer, and sends it in its next turn at the earliest. */
            weir_connection_cut(connection);
        }
    }
}

bool weir_early_is_done(const weir_early_t *early)
{
    return early->done;
}

void weir_early_free(weir_early_t *own_early)
{
    if (own_early == NULL) {
        return;
    }
    free(own_early->data);
    free(own_early);
}
