/*
 * server.c: starting and stopping a server: what its threads share is made here before they start and freed after they
 * have ended.
 */
#include "serve/server.h"

#include "observe/clock.h"
#include "observe/thread.h"
#include "serve/accept.h"
#include "serve/limits.h"
#include "serve/shared.h"
#include "serve/shares.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool fail(char **ret_message, const char *what, int error)
{
    const char *remedy = "";
    /* Of what a server is made of only threads are refused with EAGAIN (pthread_create(3)). */
    if (error == EAGAIN) {
        remedy = "; no thread could be had: raise the limit on processes (ulimit -u, a control group's pids.max) or on "
                 "address space (ulimit -v)";
    } else if (error == ENOMEM) {
        remedy = "; free some memory, or raise the limit on address space (ulimit -v)";
    }
    if (asprintf(ret_message, "%s: %s%s", what, strerror(error), remedy) < 0) {
        *ret_message = NULL;
    }
    return false;
}

static void tick(void *context)
{
    weir_keeper_tick(context);
}

/* Returns how many connections were cut over all; those that the inboxes still held are among them. */
static unsigned free_server(weir_server_t *server)
{
    for (unsigned i = 0; i < server->loop_count; i++) {
        weir_loop_destroy(&server->loops[i]);
    }
    unsigned cut = atomic_load(&server->cut);
    weir_ticker_free(server->ticker);
    weir_addresses_free(server->addresses);
    weir_keeper_destroy(&server->keeper);
    pthread_mutex_destroy(&server->notices.lock);
    pthread_mutex_destroy(&server->tls_lock);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server->loops);
    weir_metrics_free(server->own_metrics);
    free(server);
    return cut;
}

static uint32_t time_slice(const weir_server_settings_t *settings)
{
    return settings->time_slice_milliseconds == 0 ? WEIR_TICK_MILLISECONDS : settings->time_slice_milliseconds;
}

static bool count_addresses(weir_server_t *server)
{
    const weir_server_settings_t *settings = &server->settings;
    uint64_t most = settings->limits.values[WEIR_SERVING_CONNECTIONS_PER_ADDRESS];
    if (most != 0) {
        /* Each loop takes one at least. */
        uint32_t connections = settings->max_connections + settings->loops;
        server->addresses = weir_addresses_new(connections, most > connections ? connections : (uint32_t)most);
        errno = server->addresses == NULL ? ENOMEM : errno;
    }
    return most == 0 || server->addresses != NULL;
}

/* Make the loops; `loop_count` counts those that were made. */
static bool make_loops(weir_server_t *server, unsigned count)
{
    server->loops = calloc(count, sizeof(*server->loops));
    if (server->loops == NULL) {
        return false;
    }
    const weir_server_settings_t *settings = &server->settings;
    for (unsigned i = 0; i < count; i++) {
        weir_loop_t *loop = &server->loops[i];
        uint32_t connections = weir_share(settings->max_connections, count, i);
        loop->server = server;
        loop->index = i;
        loop->max_connections = connections == 0 ? 1 : connections;
        loop->max_turn_ticks = WEIR_TURN_MILLISECONDS / time_slice(settings);
        loop->max_turn_ticks += loop->max_turn_ticks == 0 ? 1 : 0;
        if (!weir_loop_init(loop)) {
            return false;
        }
        server->loop_count++;
    }
    return true;
}

/* Let `count` of the threads that were started end, and wait for that. */
static void join_loops(weir_server_t *server, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        weir_inbox_wake(server->loops[i].inbox);
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(server->loops[i].thread, NULL);
    }
}

/* Wait until `count` threads have started; true when all of them can run guests. */
static bool await_prepared(weir_server_t *server, unsigned count)
{
    pthread_mutex_lock(&server->lock);
    while (server->prepared + server->unprepared < count) {
        pthread_cond_wait(&server->changed, &server->lock);
    }
    bool all = server->unprepared == 0;
    pthread_mutex_unlock(&server->lock);
    return all;
}

static int start_threads(weir_server_t *server)
{
    int error = 0;
    unsigned started = 0;
    while (error == 0 && started < server->loop_count) {
        weir_loop_t *loop = &server->loops[started];
        error = weir_thread_start(&loop->thread, WEIR_LOOP_STACK_BYTES, weir_loop_main, loop);
        started += error == 0 ? 1 : 0;
    }
    if (!await_prepared(server, started) && error == 0) {
        error = ENOMEM;
    }
    if (error != 0) {
        server->drain_until = 0;
        atomic_store(&server->stopping, true);
        join_loops(server, started);
    }
    return error;
}

/* The gates' way to tell a loop that a call is kept for it. */
static void wake_loop(void *context, unsigned loop)
{
    weir_server_t *server = context;
    weir_inbox_wake(server->loops[loop].inbox);
}

static bool take_metrics(weir_server_t *server, const weir_server_settings_t *settings)
{
    server->own_metrics = settings->metrics == NULL ? weir_metrics_new(settings->loops) : NULL;
    server->metrics = settings->metrics == NULL ? server->own_metrics : settings->metrics;
    return server->metrics != NULL;
}

/* What comes first: without it there is nothing that free_server could free. Stores errno on failure. */
static weir_server_t *new_server(const weir_server_settings_t *settings, weir_generation_t *take_generation)
{
    weir_server_t *server = settings->loops == 0 ? NULL : calloc(1, sizeof(*server));
    if (server == NULL) {
        errno = settings->loops == 0 ? EINVAL : ENOMEM;
    } else if (!take_metrics(server, settings) ||
               !weir_generation_prepare(take_generation, settings->loops, 1, server->metrics, wake_loop, server)) {
        errno = ENOMEM;
    } else if (weir_keeper_init(&server->keeper, take_generation)) {
        return server;
    }
    int error = errno;
    weir_metrics_free(server == NULL ? NULL : server->own_metrics);
    free(server);
    weir_generation_free(take_generation);
    errno = error;
    return NULL;
}

unsigned weir_server_threads(unsigned loops)
{
    return loops + 2; /* the keeper's and the ticker's */
}

bool weir_server_start(const weir_server_settings_t *settings, weir_generation_t *take_generation,
    const weir_listener_t *listener, weir_server_t **ret_server, char **ret_message)
{
    weir_server_t *server = new_server(settings, take_generation);
    if (server == NULL) {
        return fail(ret_message, "cannot start the server", errno);
    }
    unsigned count = settings->loops;
    server->settings = *settings;
    server->listener = listener->descriptor;
    server->listener_is_shared = listener->shared;
    server->port = listener->port;
    server->tls = settings->tls;
    pthread_mutex_init(&server->tls_lock, NULL);
    pthread_mutex_init(&server->lock, NULL);
    pthread_mutex_init(&server->notices.lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    atomic_init(&server->leaving, false);
    atomic_init(&server->stopping, false);
    atomic_init(&server->listening, count + 1);
    atomic_init(&server->cut, 0);
    errno = 0;
    server->ticker = weir_ticker_new(count, time_slice(settings), tick, &server->keeper);
    if (server->ticker == NULL || !count_addresses(server) || !make_loops(server, count)) {
        int error = errno;
        free_server(server);
        return fail(ret_message, "cannot start the server", error);
    }
    if (!server->listener_is_shared && weir_listener_begin(listener) < 0) {
        int error = errno;
        free_server(server);
        return fail(ret_message, "cannot listen", error);
    }
    int error = start_threads(server);
    if (error != 0) {
        free_server(server);
        return fail(ret_message, "cannot start the server's threads", error);
    }
    *ret_server = server;
    return true;
}

bool weir_server_swap(weir_server_t *server, weir_generation_t *own_generation)
{
    uint64_t number = atomic_load(&server->keeper.number) + 1;
    if (!weir_generation_prepare(own_generation, server->loop_count, number, server->metrics, wake_loop, server)) {
        return false;
    }
    weir_keeper_swap(&server->keeper, own_generation);
    for (unsigned i = 0; i < server->loop_count; i++) {
        weir_inbox_wake(server->loops[i].inbox);
    }
    return true;
}

weir_tls_t *weir_server_new_tls(weir_server_t *server)
{
    pthread_mutex_lock(&server->tls_lock);
    weir_tls_t *tls = weir_tls_new(server->tls);
    pthread_mutex_unlock(&server->tls_lock);
    return tls;
}

void weir_server_set_tls(weir_server_t *server, const weir_tls_config_t *tls)
{
    pthread_mutex_lock(&server->tls_lock);
    server->tls = tls;
    pthread_mutex_unlock(&server->tls_lock);
}

void weir_server_nudge(weir_server_t *server)
{
    for (unsigned i = 0; i < server->loop_count; i++) {
        weir_loop_t *loop = &server->loops[i];
        loop->turns_seen = atomic_load_explicit(&loop->turns, memory_order_relaxed);
        weir_inbox_wake(loop->inbox);
    }
}

bool weir_server_has_turned(const weir_server_t *server)
{
    bool all = true;
    for (unsigned i = 0; i < server->loop_count; i++) {
        const weir_loop_t *loop = &server->loops[i];
        all = all && (atomic_load_explicit(&loop->turns, memory_order_relaxed) != loop->turns_seen ||
                         atomic_load_explicit(&loop->ended, memory_order_relaxed));
    }
    return all;
}

unsigned weir_server_generations(weir_server_t *server)
{
    return weir_keeper_count(&server->keeper);
}

unsigned weir_server_requests(const weir_server_t *server)
{
    unsigned count = 0;
    for (unsigned i = 0; i < server->loop_count; i++) {
        count += atomic_load_explicit(&server->loops[i].request_count, memory_order_relaxed);
    }
    return count;
}

/*
 * Have the system drop every packet that would begin a new connection (SYN is bit 1 of byte 13 of a TCP header, which
 * is where a listening socket's filter sees a packet), so that the listen queue can be emptied for good. Those who are
 * dropped try again and find the port closed. Where it is refused, a connection that is made between the last look at
 * the queue and the closing is lost. Linux 6.18 refuses it to those who lack CAP_NET_ADMIN.
 */
static void refuse_new_connections(int listener)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    (void)setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void weir_server_leave(weir_server_t *server)
{
    atomic_store(&server->leaving, true);
}

void weir_server_drain(weir_server_t *server)
{
    if (atomic_load(&server->stopping)) {
        return;
    }
    if (!server->listener_is_shared) {
        refuse_new_connections(server->listener);
    }
    server->drain_until = weir_monotonic_milliseconds() + server->settings.drain_timeout_milliseconds;
    atomic_store(&server->stopping, true);
    for (unsigned i = 0; i < server->loop_count; i++) {
        weir_inbox_wake(server->loops[i].inbox);
    }
}

void weir_server_wait(weir_server_t *server)
{
    if (server->joined) {
        return;
    }
    weir_server_drain(server);
    pthread_mutex_lock(&server->lock);
    while (atomic_load(&server->listening) > 1) {
        pthread_cond_wait(&server->changed, &server->lock);
    }
    pthread_mutex_unlock(&server->lock);
    if (!server->listener_is_shared) {
        /* The last loop may have been long after the first: what has come meanwhile is served, too. */
        weir_accept_last(server);
        /* On Linux this ends listening, although the socket stays open: from now on new connections are refused. */
        shutdown(server->listener, SHUT_RD);
    }
    atomic_store(&server->listening, 0);
    join_loops(server, server->loop_count);
    server->joined = true;
}

unsigned weir_server_stop(weir_server_t *own_server)
{
    weir_server_wait(own_server);
    return free_server(own_server);
}
