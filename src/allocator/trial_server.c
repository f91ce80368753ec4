/*
 * trial_server.c: a process with one thread that forks trials for one with many.
 *
 * They speak over a pair of sockets, in messages that are structures as they are in memory, for both are the same
 * program. The server ends when its parent does: its socket closes then, and the kernel sends a signal besides. It can
 * also fork a process for other work; of that it knows no more than when it has ended: a pipe closes then.
 */
#include "allocator/trial_server.h"

#include "allocator/child.h"
#include "allocator/process.h"
#include "allocator/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Beyond a trial's own deadline, for the ways there and back. */
static const double grace_milliseconds = 2000;

/* So long an earlier process is waited for that should have ended. */
enum { END_MILLISECONDS = 1000 };

/* Its parent starts meanwhile, and has better use for the processors. */
enum { CONFINE_MILLISECONDS = 100 };

struct weir_trial_server {
    pid_t process;
    int socket;
    pthread_mutex_t lock;
    uint64_t serial; /* of the last request: an answer that came too late is not taken for another's */
};

typedef struct request {
    uint64_t serial;
    weir_spawned_function_t spawned; /* not a trial: run this in a process, with the descriptor that comes with it */
    weir_facts_t facts;
    weir_plan_t plan;
} request_t;

typedef struct answer {
    uint64_t serial;
    weir_verdict_t verdict;
    int error; /* why nothing was spawned, or 0 */
} answer_t;

/* A process that the server has spawned. */
typedef struct spawned {
    pid_t process; /* 0: there is none */
    int ending;    /* read end of a pipe that it holds the other end of */
} spawned_t;

/* Room for one descriptor beside a message, aligned as the kernel wants it. */
typedef union ancillary {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
} ancillary_t;

/* ---- The server -------------------------------------------------------------------------------------------------- */

/* False at the end. `*ret_code` is the file that came with it, or -1. */
static bool receive_request(int channel, request_t *request, int *ret_code)
{
    ancillary_t ancillary;
    struct iovec part = {request, sizeof *request};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = ancillary.bytes, .msg_controllen = sizeof ancillary.bytes};
    ssize_t got;
    do {
        got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    *ret_code = -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (got > 0 && header != NULL && header->cmsg_type == SCM_RIGHTS) {
        memcpy(ret_code, CMSG_DATA(header), sizeof *ret_code);
    }
    return got == (ssize_t)sizeof *request;
}

/* What the operator sends to the whole process group is for the parent; this ends with it. */
static void ignore_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGQUIT};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        signal(signals[i], SIG_IGN);
    }
}

static _Noreturn void run_spawned(weir_spawned_function_t function, int channel, int server_channel, pid_t parent)
{
    prctl(PR_SET_NAME, "weir-work");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(0);
    }
    close(server_channel);
    _exit(function(channel));
}

/* Its pipe has ended, so it has, or is about to. */
static void reap(spawned_t *spawned)
{
    int status;
    while (waitpid(spawned->process, &status, 0) < 0 && errno == EINTR) {
    }
    close(spawned->ending);
    *spawned = (spawned_t){0, -1};
}

/* Returns 0 or an errno. The descriptor stays the caller's. */
static int spawn(spawned_t *spawned, weir_spawned_function_t function, int descriptor, int server_channel)
{
    int ends[2];
    if (spawned->process != 0) {
        struct pollfd ending = {spawned->ending, POLLIN, 0}; /* it may be within its exit */
        if (poll(&ending, 1, END_MILLISECONDS) <= 0) {
            return EBUSY;
        }
        reap(spawned);
    }
    if (descriptor < 0) {
        return EBADF;
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return errno;
    }
    pid_t parent = getpid();
    pid_t process = fork();
    if (process == 0) {
        close(ends[0]);
        run_spawned(function, descriptor, server_channel, parent);
    }
    int error = process < 0 ? errno : 0;
    close(ends[1]);
    if (process < 0) {
        close(ends[0]);
        return error;
    }
    *spawned = (spawned_t){process, ends[0]};
    return 0;
}

/* Wait for a request, and reap what was spawned when it has ended. False when there is no waiting. */
static bool await_request(int channel, spawned_t *spawned)
{
    for (;;) {
        /* poll(2) leaves out descriptors below 0. */
        struct pollfd polled[2] = {{channel, POLLIN, 0}, {spawned->ending, POLLIN, 0}};
        if (poll(polled, 2, -1) < 0) {
            if (errno != EINTR) {
                return false;
            }
            continue;
        }
        if (polled[1].revents != 0) {
            reap(spawned);
        }
        if (polled[0].revents != 0) {
            return true;
        }
    }
}

static _Noreturn void serve(
    int channel, pid_t parent, void (*enter)(void *context), void (*confine)(void *context), void *context)
{
    request_t request;
    int code;
    spawned_t spawned = {0, -1};
    prctl(PR_SET_NAME, "weir-trials");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(0);
    }
    ignore_signals();
    if (enter != NULL) {
        enter(context);
    }
    if (confine != NULL) {
        struct pollfd first = {channel, POLLIN, 0};
        poll(&first, 1, CONFINE_MILLISECONDS);
        confine(context);
    }
    while (await_request(channel, &spawned) && receive_request(channel, &request, &code)) {
        answer_t answer;
        memset(&answer, 0, sizeof answer);
        request.plan.code = code;
        answer.serial = request.serial;
        if (request.spawned != NULL) {
            answer.error = spawn(&spawned, request.spawned, code, channel);
        } else {
            weir_trial_run(&request.facts, &request.plan, &answer.verdict);
        }
        if (code >= 0) {
            close(code);
        }
        if (send(channel, &answer, sizeof answer, MSG_NOSIGNAL) != (ssize_t)sizeof answer) {
            break;
        }
    }
    _exit(0);
}

weir_status_t weir_trial_server_start(weir_trial_server_t **ret_server)
{
    return weir_trial_server_start_confined(NULL, NULL, NULL, ret_server);
}

pid_t weir_trial_server_process(const weir_trial_server_t *server)
{
    return server == NULL ? 0 : server->process;
}

weir_status_t weir_trial_server_start_confined(
    void (*enter)(void *context), void (*confine)(void *context), void *context, weir_trial_server_t **ret_server)
{
    int channels[2];
    if (weir_process_has_threads()) {
        return WEIR_ERROR_THREADS;
    }
    weir_trial_server_t *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return WEIR_ERROR_MEMORY;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channels) != 0) {
        free(server);
        return WEIR_ERROR_SYSTEM;
    }
    pid_t parent = getpid();
    server->process = fork();
    if (server->process == 0) {
        close(channels[0]);
        serve(channels[1], parent, enter, confine, context);
    }
    close(channels[1]);
    if (server->process < 0) {
        close(channels[0]);
        free(server);
        return WEIR_ERROR_SYSTEM;
    }
    server->socket = channels[0];
    pthread_mutex_init(&server->lock, NULL);
    *ret_server = server;
    return WEIR_OK;
}

void weir_trial_server_stop(weir_trial_server_t *own_server)
{
    int status;
    if (own_server == NULL) {
        return;
    }
    close(own_server->socket);
    /* It may be amid a trial, whose child dies with it. */
    kill(own_server->process, SIGKILL);
    while (waitpid(own_server->process, &status, 0) < 0 && errno == EINTR) {
    }
    pthread_mutex_destroy(&own_server->lock);
    free(own_server);
}

/* ---- Its clients ------------------------------------------------------------------------------------------------- */

static bool send_request(int channel, const request_t *request)
{
    ancillary_t ancillary;
    request_t copy = *request;
    struct iovec part = {&copy, sizeof copy};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (request->plan.code >= 0) {
        memset(&ancillary, 0, sizeof ancillary);
        message.msg_control = ancillary.bytes;
        message.msg_controllen = sizeof ancillary.bytes;
        ancillary.header.cmsg_level = SOL_SOCKET;
        ancillary.header.cmsg_type = SCM_RIGHTS;
        ancillary.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&ancillary.header), &request->plan.code, sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(channel, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof copy;
}

/* Wait for the answer to a request, and pass over those to others. */
static bool receive_answer(weir_trial_server_t *server, double until, answer_t *answer)
{
    for (;;) {
        struct pollfd polled = {server->socket, POLLIN, 0};
        double left = until - weir_clock_milliseconds();
        int ready = left <= 0 ? 0 : poll(&polled, 1, (int)left + 1);
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready <= 0) {
            errno = ready == 0 ? ETIMEDOUT : errno;
            return false;
        }
        ssize_t got = recv(server->socket, answer, sizeof *answer, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got != (ssize_t)sizeof *answer) {
            errno = got < 0 ? errno : EPIPE;
            return false;
        }
        if (answer->serial == server->serial) {
            return true;
        }
    }
}

void weir_trial_server_run(
    weir_trial_server_t *server, const weir_facts_t *facts, const weir_plan_t *plan, weir_verdict_t *ret_verdict)
{
    answer_t answer;
    request_t request = {.facts = *facts, .plan = *plan};
    pthread_mutex_lock(&server->lock);
    request.serial = ++server->serial;
    bool good = send_request(server->socket, &request) &&
                receive_answer(server, weir_clock_milliseconds() + plan->deadline + grace_milliseconds, &answer);
    int error_number = errno;
    pthread_mutex_unlock(&server->lock);
    if (good) {
        *ret_verdict = answer.verdict;
        return;
    }
    *ret_verdict =
        (weir_verdict_t){.outcome = WEIR_OUTCOME_SYSTEM, .limit = WEIR_LIMIT_UNKNOWN, .error_number = error_number};
    snprintf(ret_verdict->call, sizeof ret_verdict->call, "recv");
    snprintf(ret_verdict->message, sizeof ret_verdict->message, "no trial: the trial server does not answer: %s",
        strerror(error_number));
}

bool weir_trial_server_spawn(weir_trial_server_t *server, weir_spawned_function_t function, int *ret_channel)
{
    int channels[2];
    answer_t answer = {.error = 0};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channels) != 0) {
        return false;
    }
    request_t request;
    memset(&request, 0, sizeof request);
    request.spawned = function;
    request.plan.code = channels[1];
    pthread_mutex_lock(&server->lock);
    request.serial = ++server->serial;
    bool good = send_request(server->socket, &request) &&
                receive_answer(server, weir_clock_milliseconds() + grace_milliseconds, &answer);
    int error = good ? answer.error : errno;
    pthread_mutex_unlock(&server->lock);
    close(channels[1]);
    if (error != 0) {
        close(channels[0]);
        errno = error;
        return false;
    }
    *ret_channel = channels[0];
    return true;
}
