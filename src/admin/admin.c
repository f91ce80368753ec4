/*
 * admin.c: the thread: it waits for its clients and for the next second. There is room for some clients; when all of it
 * is taken, the one that has been idle longest makes room for the next one, so that nobody can keep others out by
 * holding connections open.
 */
#include "admin/admin.h"

#include "admin/client.h"
#include "admin/gather.h"
#include "admin/history.h"
#include "admin/listener.h"
#include "observe/clock.h"
#include "observe/log.h"
#include "observe/thread.h"
#include "serve/shared.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CLIENTS = 64,       /* that there is room for, */
    CLIENTS_FEWEST = 4, /* or fewer, so that they take no more than */
    CLIENTS_PART = 16,  /* this part of the descriptors that the process may open */
    ACCEPTS_A_TURN = 8,
    SECOND = 1000,
    ACCEPT_PAUSE_MILLISECONDS = 100, /* when the system has no descriptor left */
    STACK_BYTES = 512 * 1024,
    LISTENER = 0, /* the places of what is waited for; clients follow */
    STOP = 1,
    FIRST_CLIENT = 2,
};

struct weir_admin {
    weir_admin_listener_t listener;
    weir_board_t board;
    weir_admin_settings_t settings;
    bool started;
    pthread_t thread;
    int stop; /* an eventfd */
    char machine[256];

    /* The thread's own. */
    weir_history_t history;
    weir_admin_context_t context;
    size_t client_count;
    weir_admin_client_t clients[CLIENTS];
    uint64_t next_second;
    uint64_t accept_after;
};

bool weir_admin_open(const char *address, weir_admin_t **ret_admin, char **ret_message)
{
    weir_admin_t *admin = calloc(1, sizeof(*admin));
    if (admin == NULL) {
        *ret_message = NULL;
        return false;
    }
    if (!weir_admin_listener_open(address, &admin->listener, ret_message)) {
        free(admin);
        return false;
    }
    weir_board_init(&admin->board);
    admin->stop = -1;
    *ret_admin = admin;
    return true;
}

const char *weir_admin_url(const weir_admin_t *admin)
{
    return admin->listener.url;
}

bool weir_admin_is_exposed(const weir_admin_t *admin)
{
    return !admin->listener.is_loopback;
}

bool weir_admin_give(const weir_admin_t *admin, uid_t user, gid_t group)
{
    return weir_admin_listener_give(&admin->listener, user, group);
}

void weir_admin_disown(weir_admin_t *admin)
{
    close(admin->listener.descriptor);
    admin->listener.descriptor = -1;
}

weir_board_t *weir_admin_board(weir_admin_t *admin)
{
    return &admin->board;
}

/* ---- The thread -------------------------------------------------------------------------------------------------- */

/* A place for one more client: a free one, or that of the one that has waited longest for a head. NULL: all have
 * something to do. */
static weir_admin_client_t *find_place(weir_admin_t *admin)
{
    weir_admin_client_t *idlest = NULL;
    for (size_t i = 0; i < admin->client_count; i++) {
        weir_admin_client_t *client = &admin->clients[i];
        if (client->stage == WEIR_ADMIN_FREE) {
            return client;
        }
        bool idle = client->stage == WEIR_ADMIN_READING || client->stage == WEIR_ADMIN_LINGERING;
        if (idle && (idlest == NULL || client->idle_since < idlest->idle_since)) {
            idlest = client;
        }
    }
    if (idlest != NULL) {
        weir_admin_client_close(idlest);
    }
    return idlest;
}

/* Where all places are taken by clients that are sent something, the one whose time is over first. */
static weir_admin_client_t *take_place(weir_admin_t *admin)
{
    weir_admin_client_t *place = find_place(admin);
    if (place == NULL) {
        place = &admin->clients[0];
        for (size_t i = 1; i < admin->client_count; i++) {
            place = admin->clients[i].deadline < place->deadline ? &admin->clients[i] : place;
        }
        weir_admin_client_close(place);
    }
    return place;
}

static void accept_clients(weir_admin_t *admin, uint64_t now)
{
    for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
        int descriptor = accept4(admin->listener.descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0) {
            bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
            admin->accept_after = exhausted ? now + ACCEPT_PAUSE_MILLISECONDS : 0;
            return;
        }
        weir_admin_client_t *place = take_place(admin);
        if (weir_admin_client_open(place, descriptor, now)) {
            weir_admin_client_run(place, &admin->context, now); /* its request is there already, mostly */
        }
    }
}

/* What to wait for, and how long at most: until the next second, at which time limits are looked at, too. */
static int prepare_wait(weir_admin_t *admin, struct pollfd *polled, uint64_t now)
{
    bool accepts = now >= admin->accept_after;
    polled[LISTENER] = (struct pollfd){.fd = accepts ? admin->listener.descriptor : -1, .events = POLLIN};
    polled[STOP] = (struct pollfd){.fd = admin->stop, .events = POLLIN};
    for (size_t i = 0; i < admin->client_count; i++) {
        const weir_admin_client_t *client = &admin->clients[i];
        polled[FIRST_CLIENT + i] =
            (struct pollfd){.fd = client->stage == WEIR_ADMIN_FREE ? -1 : client->transport.descriptor,
                .events = weir_admin_client_events(client)};
    }
    uint64_t until = accepts || admin->next_second < admin->accept_after ? admin->next_second : admin->accept_after;
    return until > now ? (int)(until - now) : 0;
}

static void run_clients(weir_admin_t *admin, const struct pollfd *polled, uint64_t now)
{
    for (size_t i = 0; i < admin->client_count; i++) {
        weir_admin_client_t *client = &admin->clients[i];
        bool happened = polled[FIRST_CLIENT + i].fd >= 0 && polled[FIRST_CLIENT + i].revents != 0;
        if (happened) {
            client->transport.readable = true;
        }
        if (client->stage != WEIR_ADMIN_FREE && (happened || now >= client->deadline)) {
            weir_admin_client_run(client, &admin->context, now);
        }
    }
}

static void *admin_main(void *argument)
{
    weir_admin_t *admin = argument;
    struct pollfd polled[FIRST_CLIENT + CLIENTS];
    admin->next_second = weir_monotonic_milliseconds() + SECOND;
    for (;;) {
        int wait = prepare_wait(admin, polled, weir_monotonic_milliseconds());
        /* For no more than there is room for: poll(2) refuses more than the process may open, which may be fewer by
         * now; then clients are looked after each second. */
        if (poll(polled, FIRST_CLIENT + admin->client_count, wait) < 0 &&
            (errno == EINTR || poll(polled, FIRST_CLIENT, wait) < 0)) {
            continue; /* a signal */
        }
        uint64_t now = weir_monotonic_milliseconds();
        if (polled[STOP].revents != 0) {
            return NULL;
        }
        if (now >= admin->next_second) {
            weir_history_read(&admin->history);
            /* After a pause the seconds that were missed are not made up for. */
            admin->next_second = now - admin->next_second > SECOND ? now + SECOND : admin->next_second + SECOND;
        }
        run_clients(admin, polled, now);
        if (polled[LISTENER].revents != 0) {
            accept_clients(admin, now);
        }
    }
}

/* ---- Starting and ending ----------------------------------------------------------------------------------------- */

/* Those who look on must not take what those who are served need. */
static size_t count_places(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / CLIENTS_PART >= CLIENTS) {
        return CLIENTS;
    }
    size_t part = (size_t)limit.rlim_cur / CLIENTS_PART;
    return part < CLIENTS_FEWEST ? CLIENTS_FEWEST : part;
}

static bool prepare(weir_admin_t *admin)
{
    weir_process_reading_t process;
    weir_gather_process(&process);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (gethostname(admin->machine, sizeof(admin->machine) - 1) < 0) {
        admin->machine[0] = '\0';
    }
    admin->context = (weir_admin_context_t){
        .sources = {.server = admin->settings.server,
            .board = &admin->board,
            .history = &admin->history,
            .urls = admin->settings.urls,
            .url_count = admin->settings.url_count,
            .version = WEIR_VERSION,
            .started_at = process.started_at > 0 ? process.started_at : (double)now.tv_sec},
        .names = {.machine = admin->machine, .names = admin->settings.names, .count = admin->settings.name_count},
        .checks_host = !admin->listener.is_unix,
        .fields = calloc(WEIR_HEAD_FIELDS_MAX, sizeof(weir_pair_t)),
    };
    admin->client_count = count_places();
    admin->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return admin->context.fields != NULL && admin->stop >= 0;
}

bool weir_admin_start(weir_admin_t *admin, const weir_admin_settings_t *settings)
{
    admin->settings = *settings;
    if (!weir_history_init(&admin->history, settings->server)) {
        errno = ENOMEM;
        return false;
    }
    if (!prepare(admin)) {
        return false;
    }
    int error = weir_thread_start(&admin->thread, STACK_BYTES, admin_main, admin);
    admin->started = error == 0;
    errno = error;
    return admin->started;
}

void weir_admin_free(weir_admin_t *own_admin)
{
    if (own_admin == NULL) {
        return;
    }
    if (own_admin->started) {
        const uint64_t one = 1;
        while (write(own_admin->stop, &one, sizeof(one)) < 0 && errno == EINTR) {
        }
        pthread_join(own_admin->thread, NULL);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        weir_admin_client_close(&own_admin->clients[i]);
    }
    if (own_admin->stop >= 0) {
        close(own_admin->stop);
    }
    weir_history_destroy(&own_admin->history);
    free(own_admin->context.fields);
    weir_admin_listener_close(&own_admin->listener);
    weir_board_destroy(&own_admin->board);
    free(own_admin);
}
