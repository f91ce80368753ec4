/*
 * accept.c: accepting connections. All loops watch the same listening socket; epoll wakes one of them for a new
 * connection, but not evenly, so a loop that has more to do than another gives it the next one.
 */
#include "serve/accept.h"

#include "observe/log.h"
#include "serve/connection.h"
#include "serve/limits.h"
#include "serve/notice.h"
#include "serve/shared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct weir_arrival {
    weir_message_t message;
    int descriptor;
    socklen_t address_size;
    struct sockaddr_storage address;
};

static uint32_t connection_count(const weir_loop_t *loop)
{
    return atomic_load_explicit(&loop->connection_count, memory_order_relaxed);
}

static uint64_t key_of(const weir_loop_t *loop, const weir_arrival_t *arrival)
{
    return weir_client_key(loop, (const struct sockaddr *)&arrival->address, arrival->address_size);
}

static void adopt(weir_loop_t *loop, const weir_arrival_t *arrival)
{
    if (!weir_connection_open(
            loop, arrival->descriptor, (const struct sockaddr *)&arrival->address, arrival->address_size)) {
        weir_log(WEIR_LOG_ERROR, "a new connection was closed: %s", strerror(errno));
    }
}

void weir_accept_arrival(weir_loop_t *loop, weir_message_t *message)
{
    weir_arrival_t *arrival = WEIR_CONTAINER(message, weir_arrival_t, message);
    adopt(loop, arrival);
    free(arrival);
}

void weir_accept_refuse(weir_loop_t *loop, weir_message_t *message)
{
    weir_arrival_t *arrival = WEIR_CONTAINER(message, weir_arrival_t, message);
    weir_addresses_leave(loop->server->addresses, key_of(loop, arrival));
    close(arrival->descriptor);
    free(arrival);
    atomic_fetch_add(&loop->server->cut, 1);
}

/* What a loop has to do already, in connections. */
static uint64_t load_of(const weir_loop_t *loop)
{
    uint64_t computing = atomic_load_explicit(&loop->computing, memory_order_relaxed);
    return connection_count(loop) + computing * WEIR_COMPUTING_CONNECTIONS;
}

weir_loop_t *weir_accept_choose(weir_loop_t *loop)
{
    struct weir_server *server = loop->server;
    weir_loop_t *chosen = loop;
    uint64_t least = load_of(loop);
    for (unsigned i = 0; !loop->draining && i < server->loop_count; i++) {
        weir_loop_t *other = &server->loops[i];
        uint64_t load = load_of(other);
        if (load < least && connection_count(other) < other->max_connections) {
            least = load;
            chosen = other;
        }
    }
    return chosen;
}

void weir_accept_notice_crowd(weir_loop_t *loop)
{
    static const weir_serving_limit_t limit = WEIR_SERVING_CONNECTIONS_PER_ADDRESS;
    const weir_limits_t *limits = &loop->server->settings.limits;
    char words[WEIR_LIMIT_WORDS_BYTES];
    weir_notice(loop, WEIR_NOTICE_CROWD, "a client's connection was closed: its address has %llu already, %s",
        (unsigned long long)limits->values[limit], weir_limit_words(limits, limit, "", words));
}

/* `own_sent` is room for what the loop gets. */
static void send_to(weir_loop_t *chosen, weir_arrival_t *own_sent, const weir_arrival_t *arrival)
{
    atomic_fetch_add_explicit(&chosen->connection_count, 1, memory_order_relaxed);
    *own_sent = *arrival;
    own_sent->message.kind = WEIR_MESSAGE_CONNECTION;
    weir_inbox_put(chosen->inbox, &own_sent->message);
}

static void place(weir_loop_t *loop, const weir_arrival_t *arrival)
{
    if (!weir_addresses_enter(loop->server->addresses, key_of(loop, arrival))) {
        weir_count(&loop->metrics->counters[WEIR_LOOP_CONNECTIONS_REFUSED], 1);
        weir_accept_notice_crowd(loop);
        close(arrival->descriptor);
        return;
    }
    weir_loop_t *chosen = weir_accept_choose(loop);
    weir_arrival_t *sent = chosen == loop ? NULL : malloc(sizeof(*sent));
    if (sent == NULL) {
        atomic_fetch_add_explicit(&loop->connection_count, 1, memory_order_relaxed);
        adopt(loop, arrival);
        return;
    }
    send_to(chosen, sent, arrival);
}

/* What accept4 said, in the three ways that matter. */
typedef enum outcome {
    ACCEPTED,
    SKIPPED,   /* this connection is gone; the next may be there */
    EMPTY,     /* there is none now */
    EXHAUSTED, /* the system lacks something, or refuses for another reason; errno says what */
} outcome_t;

static outcome_t accept_one(const struct weir_server *server, weir_arrival_t *ret_arrival)
{
    ret_arrival->address_size = sizeof(ret_arrival->address);
    ret_arrival->descriptor = accept4(server->listener, (struct sockaddr *)&ret_arrival->address,
        &ret_arrival->address_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (ret_arrival->descriptor >= 0) {
        return ACCEPTED;
    }
    switch (errno) {
    case EAGAIN:
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
        /* There is none, or it no longer listens. */
        return EMPTY;
    case ECONNABORTED:
    case EINTR:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:
    case ETIMEDOUT:
        /* Errors of the connection itself, which is gone: accept(2) asks to go on. */
        return SKIPPED;
    default:
        return EXHAUSTED;
    }
}

static void pause_accepting(weir_loop_t *loop)
{
    if (!loop->accept_refused) {
        bool files = errno == EMFILE || errno == ENFILE;
        weir_notice(loop, WEIR_NOTICE_ACCEPT, "new connections have to wait: accept: %s%s", strerror(errno),
            files ? "; raise the limit on open files (ulimit -n)" : "");
        loop->accept_refused = true;
    }
    weir_count(&loop->metrics->counters[WEIR_LOOP_ACCEPT_PAUSES], 1);
    loop->accept_after = loop->now + WEIR_ACCEPT_PAUSE_MILLISECONDS;
}

void weir_accept(weir_loop_t *loop)
{
    weir_arrival_t arrival;
    memset(&arrival, 0, sizeof(arrival));
    for (unsigned i = 0; i < WEIR_ACCEPTS_A_TURN && connection_count(loop) < loop->max_connections; i++) {
        outcome_t outcome = accept_one(loop->server, &arrival);
        if (outcome == ACCEPTED) {
            loop->accept_refused = false;
            place(loop, &arrival);
        } else if (outcome == EMPTY) {
            break;
        } else if (outcome == EXHAUSTED) {
            pause_accepting(loop);
            break;
        }
    }
    weir_accept_update(loop);
}

void weir_accept_update(weir_loop_t *loop)
{
    if (loop->accept_after != 0 && loop->now >= loop->accept_after) {
        loop->accept_after = 0;
    }
    bool wanted = !loop->draining && loop->accept_after == 0 && connection_count(loop) < loop->max_connections;
    if (wanted == loop->listening) {
        return;
    }
    static weir_source_t source = WEIR_SOURCE_LISTENER;
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &source};
    if (epoll_ctl(loop->epoll, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, loop->server->listener, &event) == 0) {
        loop->listening = wanted;
    } else if (wanted) {
        loop->accept_after = loop->now + WEIR_ACCEPT_PAUSE_MILLISECONDS;
    }
}

static void report_emptied(weir_loop_t *loop)
{
    struct weir_server *server = loop->server;
    loop->emptied = true;
    if (atomic_fetch_sub(&server->listening, 1) == 2) {
        pthread_mutex_lock(&server->lock);
        pthread_cond_broadcast(&server->changed);
        pthread_mutex_unlock(&server->lock);
    }
}

void weir_accept_remaining(weir_loop_t *loop)
{
    weir_arrival_t arrival;
    memset(&arrival, 0, sizeof(arrival));
    /* Not for ever in one turn, for an error can repeat itself; a draining loop has its next turn soon. */
    unsigned skipped = 0;
    if (!loop->emptied && loop->server->listener_is_shared) {
        report_emptied(loop); /* what the queue holds is for the next process that listens */
    }
    while (!loop->emptied && loop->accept_after == 0 && skipped < WEIR_ACCEPTS_A_TURN &&
           connection_count(loop) < loop->max_connections) {
        outcome_t outcome = accept_one(loop->server, &arrival);
        if (outcome == ACCEPTED) {
            place(loop, &arrival);
        } else if (outcome == SKIPPED) {
            skipped++;
        } else if (outcome == EMPTY) {
            report_emptied(loop);
        } else if (outcome == EXHAUSTED) {
            pause_accepting(loop);
        }
    }
}

/* The loop with the fewest connections. */
static weir_loop_t *choose_last(struct weir_server *server)
{
    weir_loop_t *chosen = &server->loops[0];
    for (unsigned i = 1; i < server->loop_count; i++) {
        chosen = connection_count(&server->loops[i]) < connection_count(chosen) ? &server->loops[i] : chosen;
    }
    return chosen;
}

void weir_accept_last(struct weir_server *server)
{
    weir_arrival_t arrival;
    memset(&arrival, 0, sizeof(arrival));
    unsigned skipped = 0;
    for (;;) {
        outcome_t outcome = accept_one(server, &arrival);
        if (outcome == ACCEPTED) {
            weir_loop_t *chosen = choose_last(server);
            weir_arrival_t *sent = malloc(sizeof(*sent));
            if (sent == NULL || !weir_addresses_enter(server->addresses, key_of(chosen, &arrival))) {
                free(sent);
                close(arrival.descriptor);
                atomic_fetch_add(&server->cut, 1);
                continue;
            }
            send_to(chosen, sent, &arrival);
        } else if (outcome != SKIPPED || ++skipped > WEIR_LISTEN_BACKLOG) {
            break;
        }
    }
}

void weir_accept_give_up(weir_loop_t *loop)
{
    weir_arrival_t arrival;
    memset(&arrival, 0, sizeof(arrival));
    unsigned skipped = 0;
    while (!loop->emptied) {
        outcome_t outcome = accept_one(loop->server, &arrival);
        if (outcome == ACCEPTED) {
            close(arrival.descriptor);
            atomic_fetch_add(&loop->server->cut, 1);
        } else if (outcome != SKIPPED || ++skipped > WEIR_LISTEN_BACKLOG) {
            report_emptied(loop);
        }
    }
}
