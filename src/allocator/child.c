/*
 * child.c: runs a function in a child process that has a deadline.
 */
#include "allocator/child.h"

#include "allocator/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the parent keeps of a child. */
typedef struct watch {
    pid_t child;
    int report;     /* read end, or -1 once it has ended */
    int complaints; /* read end of the child's standard error, or -1 */
    char *bytes;
    size_t size;
    size_t received; /* at most size + 1: one byte too many is as wrong as one too few */
    char text[400];  /* of the complaints, as they came */
    size_t text_length;
    unsigned refused; /* reads that were refused although there was something to read, one after another */
    int read_error;   /* why the report could not be read, or 0 */
    int poll_error;   /* why it could not be waited for, or 0 */
    struct rusage usage;
    double deadline;
} watch_t;

/* So often a read may say "not now" of what poll(2) called readable. */
enum {
    REFUSED_READS = 100,
    LATE_READS_MAX = 64, /* what two pipes hold */
};

double weir_clock_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* ---- In the child ------------------------------------------------------------------------------------------------ */

void weir_child_volunteer_for_oom(void)
{
    int descriptor = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (descriptor >= 0) {
        ssize_t ignored = write(descriptor, "1000", 4);
        (void)ignored;
        close(descriptor);
    }
}

static void limit_self(uint32_t milliseconds)
{
    /* 1, not 0: a core pattern that is a pipe is called for a limit of 0 as well, and not for 1 (core(5)). */
    struct rlimit core;
    if (getrlimit(RLIMIT_CORE, &core) == 0) {
        core.rlim_cur = core.rlim_max == 0 ? 0 : 1;
        setrlimit(RLIMIT_CORE, &core);
    }
    /* Belt and braces: a child whose parent cannot kill it any more ends by itself, spinning or waiting. It may use all
     * processors meanwhile. */
    rlim_t seconds = milliseconds / 1000 + 2;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    rlim_t processor_seconds = seconds * (processors > 0 ? (rlim_t)processors : 1);
    struct rlimit cpu;
    if (getrlimit(RLIMIT_CPU, &cpu) == 0 && (cpu.rlim_cur == RLIM_INFINITY || cpu.rlim_cur > processor_seconds)) {
        cpu.rlim_cur = processor_seconds;
        setrlimit(RLIMIT_CPU, &cpu);
    }
    signal(SIGALRM, SIG_DFL);
    signal(SIGXCPU, SIG_DFL);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error, no end: RLIMIT_FSIZE counts memfds, too */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigaddset(&set, SIGXCPU);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    alarm((unsigned)seconds);
}

static _Noreturn void run_child(
    weir_child_function_t function, void *context, uint32_t milliseconds, pid_t parent, int report, int complaints)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(0); /* the parent died before it could be watched */
    }
    weir_child_volunteer_for_oom();
    limit_self(milliseconds);
    /* Rust makes a backtrace with a lock held, and needs memory for that. Where that is refused, it wants to make one
     * of the refusal, and waits for the lock that it holds: what is to be a verdict would only end at the deadline. */
    setenv("RUST_BACKTRACE", "0", 1);
    setenv("RUST_LIB_BACKTRACE", "0", 1);
    /* Out of the way of the standard descriptors, in case the parent had closed those. */
    report = fcntl(report, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    complaints = fcntl(complaints, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    dup2(complaints, STDOUT_FILENO);
    dup2(complaints, STDERR_FILENO);
    _exit(function(report, context));
}

/* ---- In the parent ----------------------------------------------------------------------------------------------- */

static void close_if_open(int *descriptor)
{
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}

/* Read what is there. The descriptor is closed at its end. */
static void drain(watch_t *watch, int *descriptor)
{
    char buffer[512];
    ssize_t got = read(*descriptor, buffer, sizeof buffer);
    if (got < 0 && (errno == EINTR || errno == EAGAIN) && ++watch->refused < REFUSED_READS) {
        return;
    }
    watch->refused = 0;
    if (got <= 0) {
        watch->read_error = got < 0 && descriptor == &watch->report ? errno : watch->read_error;
        close_if_open(descriptor);
        return;
    }
    size_t count = (size_t)got;
    if (descriptor == &watch->report) {
        size_t space = watch->size - (watch->received < watch->size ? watch->received : watch->size);
        memcpy(watch->bytes + (watch->size - space), buffer, count < space ? count : space);
        watch->received += count;
        watch->received = watch->received > watch->size ? watch->size + 1 : watch->received;
    } else {
        size_t space = sizeof watch->text - watch->text_length;
        memcpy(watch->text + watch->text_length, buffer, count < space ? count : space);
        watch->text_length += count < space ? count : space;
    }
}

/* Until both pipes have ended, which is when the child has. False at the deadline, or when there is no waiting. Whoever
 * comes late still reads what a child has left behind: as much as its pipes hold, and no more if it goes on writing. */
static bool listen_until_end(watch_t *watch)
{
    unsigned late_reads = 0;
    while (watch->report >= 0 || watch->complaints >= 0) {
        double left = watch->deadline - weir_clock_milliseconds();
        /* poll(2) leaves out descriptors below 0. */
        struct pollfd polled[2] = {{watch->report, POLLIN, 0}, {watch->complaints, POLLIN, 0}};
        int ready = poll(polled, 2, left > 0 ? (int)left + 1 : 0);
        if (left <= 0 && (ready == 0 || late_reads++ >= LATE_READS_MAX)) {
            return false;
        }
        if (ready < 0 && errno != EINTR && errno != EAGAIN) {
            watch->poll_error = errno;
            return false;
        }
        if (ready > 0 && polled[0].revents != 0) {
            drain(watch, &watch->report);
        }
        if (ready > 0 && polled[1].revents != 0) {
            drain(watch, &watch->complaints);
        }
    }
    return true;
}

/* 1: reaped; 0: not yet, at the deadline; -1: there is none to reap. */
static int reap(watch_t *watch, int *ret_status)
{
    for (;;) {
        pid_t got = wait4(watch->child, ret_status, WNOHANG, &watch->usage);
        if (got == watch->child) {
            return 1;
        }
        if (got < 0 && errno != EINTR) {
            return -1;
        }
        if (weir_clock_milliseconds() >= watch->deadline) {
            return 0;
        }
        /* Its pipes have ended, so it is within its exit already, and there is nothing else to wait on. */
        struct timespec pause = {0, 200 * 1000};
        nanosleep(&pause, NULL);
    }
}

static int kill_and_reap(watch_t *watch, int *ret_status)
{
    kill(watch->child, SIGKILL);
    for (;;) {
        pid_t got = wait4(watch->child, ret_status, 0, &watch->usage);
        if (got == watch->child) {
            return 1;
        }
        if (got < 0 && errno != EINTR) {
            return -1;
        }
    }
}

static void judge(const watch_t *watch, int reaped, bool late, int status, weir_child_result_t *result)
{
    if (watch->poll_error != 0) {
        result->end = WEIR_CHILD_SYSTEM;
        result->error_number = watch->poll_error;
        result->call = "poll";
    } else if (late) {
        result->end = WEIR_CHILD_DEADLINE;
    } else if (reaped < 0) {
        /* Somebody ignores SIGCHLD or reaps for us: the status is lost, but a whole report speaks for itself. */
        result->end = watch->received == watch->size ? WEIR_CHILD_REPORTED : WEIR_CHILD_SYSTEM;
        result->error_number = result->end == WEIR_CHILD_SYSTEM ? ECHILD : 0;
        result->call = "wait4";
    } else if (watch->read_error != 0) {
        result->end = WEIR_CHILD_SYSTEM;
        result->error_number = watch->read_error;
        result->call = "read";
    } else if (WIFSIGNALED(status)) {
        result->end = WEIR_CHILD_SIGNAL;
        result->detail = WTERMSIG(status);
    } else if (watch->received == 0 || (WEXITSTATUS(status) != 0 && watch->received == watch->size)) {
        result->end = WEIR_CHILD_SILENT;
        result->detail = WEXITSTATUS(status);
    } else if (watch->received != watch->size) {
        result->end = WEIR_CHILD_SHORT;
        result->detail = WEXITSTATUS(status);
    } else {
        result->end = WEIR_CHILD_REPORTED;
    }
}

static double in_milliseconds(struct timeval time)
{
    return (double)time.tv_sec * 1e3 + (double)time.tv_usec * 1e-3;
}

static bool make_pipe(int *ret_read, int *ret_write)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    /* The read end alone: the child may wait for space, the parent must not wait for bytes. */
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *ret_read = ends[0];
    *ret_write = ends[1];
    return true;
}

struct weir_child {
    watch_t watch;
    double started;
    int error_number; /* why there is no process, and of which call; 0 */
    const char *call;
};

static void begin(weir_child_t *child, weir_child_function_t function, void *context, uint32_t milliseconds)
{
    watch_t *watch = &child->watch;
    int report_write = -1;
    int complaints_write = -1;
    child->started = weir_clock_milliseconds();
    watch->deadline = child->started + milliseconds;
    if (!make_pipe(&watch->report, &report_write) || !make_pipe(&watch->complaints, &complaints_write)) {
        child->error_number = errno;
        child->call = "pipe2";
    } else {
        pid_t parent = getpid();
        watch->child = fork();
        if (watch->child == 0) {
            close(watch->report);
            close(watch->complaints);
            run_child(function, context, milliseconds, parent, report_write, complaints_write);
        }
        child->error_number = watch->child < 0 ? errno : 0;
        child->call = watch->child < 0 ? "fork" : "";
    }
    /* Its ends are the child's alone now: when it is gone, so are they. */
    close_if_open(&report_write);
    close_if_open(&complaints_write);
}

static void end(weir_child_t *child, weir_child_result_t *ret_result)
{
    watch_t *watch = &child->watch;
    weir_child_result_t result = {.end = WEIR_CHILD_SYSTEM, .error_number = child->error_number, .call = child->call};
    if (watch->child > 0) {
        int status = 0;
        int reaped = listen_until_end(watch) ? reap(watch, &status) : 0;
        bool late = reaped == 0;
        if (late) {
            reaped = kill_and_reap(watch, &status);
        }
        judge(watch, reaped, late, status, &result);
        weir_text_one_line(result.complaint, sizeof result.complaint, watch->text, watch->text_length);
    }
    close_if_open(&watch->report);
    close_if_open(&watch->complaints);
    result.milliseconds = weir_clock_milliseconds() - child->started;
    result.processor_milliseconds = in_milliseconds(watch->usage.ru_utime) + in_milliseconds(watch->usage.ru_stime);
    *ret_result = result;
}

static weir_child_t new_child(void *report, size_t size)
{
    return (weir_child_t){
        .watch = {.child = -1, .report = -1, .complaints = -1, .bytes = report, .size = size}, .call = ""};
}

void weir_child_run(weir_child_function_t function, void *context, uint32_t milliseconds, void *report, size_t size,
    weir_child_result_t *ret_result)
{
    weir_child_t child = new_child(report, size);
    begin(&child, function, context, milliseconds);
    end(&child, ret_result);
}

weir_child_t *weir_child_begin(
    weir_child_function_t function, void *context, uint32_t milliseconds, void *report, size_t size)
{
    weir_child_t *child = malloc(sizeof *child);
    if (child != NULL) {
        *child = new_child(report, size);
        begin(child, function, context, milliseconds);
    }
    return child;
}

void weir_child_end(weir_child_t *own_child, weir_child_result_t *ret_result)
{
    end(own_child, ret_result);
    free(own_child);
}
