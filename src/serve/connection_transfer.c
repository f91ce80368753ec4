/*
 * connection_transfer.c: what a connection receives and sends, and what is kept of it: what was received from one turn
 * to the next, and what the client has not taken yet. The rest of the room sees bytes of the input, and pieces to send.
 */
#include "serve/connection.h"
#include "serve/limits.h"

#include <stdlib.h>
#include <string.h>

/* ---- Receiving --------------------------------------------------------------------------------------------------- */

weir_received_t weir_connection_receive(weir_connection_t *connection)
{
    weir_loop_t *loop = connection->loop;
    bool ends = connection->peer_closed;
    if (!connection->transport.readable) {
        return ends ? WEIR_RECEIVED_END : WEIR_RECEIVED_NOTHING;
    }
    size_t size = connection->input_size;
    if (size > 0 && connection->input != loop->received) {
        memmove(loop->received, connection->input, size);
    }
    connection->input = loop->received;
    ssize_t more = weir_transport_receive(&connection->transport, loop->received + size, WEIR_RECEIVE_BYTES - size);
    free(connection->kept);
    connection->kept = NULL;
    if (more > 0) {
        connection->input_size = size + (size_t)more;
        connection->received = true;
        connection->heard = true;
        weir_count(&loop->metrics->counters[WEIR_LOOP_RECEIVED_BYTES], (uint64_t)more);
        connection->active_at = loop->now;
        return WEIR_RECEIVED_SOME;
    }
    if (more == WEIR_TRANSPORT_LATER) {
        return ends ? WEIR_RECEIVED_END : WEIR_RECEIVED_NOTHING;
    }
    if (more == WEIR_TRANSPORT_BROKEN) {
        if (connection->transport.tls != NULL && !connection->heard) {
            weir_count(&loop->metrics->counters[WEIR_LOOP_TLS_FAILED], 1);
        }
        weir_connection_close(connection);
        return WEIR_RECEIVED_END;
    }
    connection->transport.readable = false;
    connection->peer_closed = true;
    return WEIR_RECEIVED_END;
}

void weir_connection_use(weir_connection_t *connection, size_t size)
{
    connection->input += size;
    connection->input_size -= size;
}

bool weir_connection_keep_input(weir_connection_t *connection)
{
    if (connection->input_size == 0) {
        free(connection->kept);
        connection->kept = NULL;
        return true;
    }
    if (connection->kept != NULL) {
        return true;
    }
    connection->kept = malloc(connection->input_size);
    if (connection->kept == NULL) {
        return false;
    }
    memcpy(connection->kept, connection->input, connection->input_size);
    connection->input = connection->kept;
    return true;
}

/* ---- Sending ----------------------------------------------------------------------------------------------------- */

/* Keep what is left of these bytes after `sent` of them. */
static bool keep_unsent(weir_connection_t *connection, const struct iovec *pieces, size_t count, size_t sent)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += pieces[i].iov_len;
    }
    connection->unsent = malloc(size - sent);
    if (connection->unsent == NULL) {
        return false;
    }
    connection->unsent_at = 0;
    connection->unsent_size = 0;
    for (size_t i = 0; i < count; i++) {
        size_t skipped = sent < pieces[i].iov_len ? sent : pieces[i].iov_len;
        sent -= skipped;
        memcpy(connection->unsent + connection->unsent_size, (const char *)pieces[i].iov_base + skipped,
            pieces[i].iov_len - skipped);
        connection->unsent_size += pieces[i].iov_len - skipped;
    }
    return true;
}

static void note_sent(weir_connection_t *connection, ssize_t sent)
{
    if (sent > 0) {
        connection->sent = true;
        weir_count(&connection->loop->metrics->counters[WEIR_LOOP_SENT_BYTES], (uint64_t)sent);
    }
}

bool weir_connection_send(weir_connection_t *connection, const struct iovec *pieces, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += pieces[i].iov_len;
    }
    if (size == 0) {
        return true;
    }
    ssize_t sent = weir_transport_send(&connection->transport, pieces, count);
    note_sent(connection, sent);
    if (sent == (ssize_t)size) {
        return true;
    }
    if (sent == WEIR_TRANSPORT_BROKEN) {
        weir_connection_close(connection);
        return false;
    }
    if (!keep_unsent(connection, pieces, count, sent < 0 ? 0 : (size_t)sent)) {
        weir_record_note(connection, WEIR_REQUEST_INTERNAL);
        weir_connection_close(connection);
        return false;
    }
    return true;
}

bool weir_connection_is_blocked(const weir_connection_t *connection)
{
    return connection->unsent != NULL || connection->transport.blocked;
}

bool weir_connection_flush(weir_connection_t *connection)
{
    if (connection->transport.blocked) {
        ssize_t flushed = weir_transport_flush(&connection->transport);
        if (flushed == WEIR_TRANSPORT_BROKEN) {
            weir_connection_close(connection);
        }
        if (flushed != 0) {
            return false;
        }
        connection->sent = true;
    }
    while (connection->unsent_at < connection->unsent_size) {
        struct iovec rest = {
            connection->unsent + connection->unsent_at, connection->unsent_size - connection->unsent_at};
        ssize_t sent = weir_transport_send(&connection->transport, &rest, 1);
        if (sent == WEIR_TRANSPORT_LATER) {
            return false;
        }
        if (sent < 0) {
            weir_connection_close(connection);
            return false;
        }
        connection->unsent_at += (size_t)sent;
        note_sent(connection, sent);
    }
    free(connection->unsent);
    connection->unsent = NULL;
    connection->unsent_size = 0;
    connection->unsent_at = 0;
    return !connection->transport.blocked;
}
