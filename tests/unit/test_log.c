/*
 * test_log.c: what reaches standard error, byte for byte, whatever is logged and whatever standard error is.
 */
#include "cli/signals.h"
#include "observe/escape.h"
#include "observe/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
enum { LINE_MAX_BYTES = 4096 };

/* Standard error, exchanged for something that a test reads. */
typedef struct capture {
    int saved; /* the real one */
    int read_end;
} capture_t;

static capture_t capture_into(int write_end, int read_end)
{
    capture_t capture = {.saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), .read_end = read_end};
    assert_true(capture.saved >= 0);
    assert_int_equal(dup2(write_end, STDERR_FILENO), STDERR_FILENO);
    close(write_end);
    return capture;
}

static capture_t capture_start(void)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    return capture_into(ends[1], ends[0]);
}

/* Give standard error back, which closes the write end; what was written is then read until its end. */
static void capture_release(const capture_t *capture)
{
    dup2(capture->saved, STDERR_FILENO);
    close(capture->saved);
}

static char *read_all(int descriptor, size_t *ret_size)
{
    size_t size = 0, capacity = 1 << 20;
    char *bytes = malloc(capacity);
    assert_non_null(bytes);
    for (;;) {
        assert_true(size + 1 < capacity);
        ssize_t count = read(descriptor, bytes + size, capacity - size - 1);
        if (count == 0)
            break;
        assert_true(count > 0 || errno == EINTR);
        size += count > 0 ? (size_t)count : 0;
    }
    close(descriptor);
    bytes[size] = '\0';
    if (ret_size != NULL)
        *ret_size = size;
    return bytes;
}

static char *capture_end(const capture_t *capture, size_t *ret_size)
{
    capture_release(capture);
    return read_all(capture->read_end, ret_size);
}

/* ---- Escaping ---------------------------------------------------------------------------------------------------- */

static void what_could_forge_or_hide_text_is_spelled_out(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *shown;
    } CASES[] = {
        {"plain text, \"quotes\" and \\backslashes\\", "plain text, \"quotes\" and \\backslashes\\"},
        {"\n\r\t", "\\n\\r\\t"},
        {"\x01\x1b[31m\x7f", "\\x01\\x1b[31m\\x7f"},
        {"gr\xc3\xbc\xc3\x9f dich \xe4\xb8\x96\xe7\x95\x8c \xf0\x9f\x8c\x8d",
            "gr\xc3\xbc\xc3\x9f dich \xe4\xb8\x96\xe7\x95\x8c \xf0\x9f\x8c\x8d"},
        {"\xc2\x85\xc2\x9b", "\\u0085\\u009b"},         /* C1: NEL, CSI */
        {"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"}, /* line and paragraph separator */
        {"\xe2\x80\xae\xe2\x81\xa6", "\\u202e\\u2066"}, /* reorder the text around them */
        {"\xef\xbb\xbf", "\\ufeff"},                    /* byte order mark */
        {"a\xff\xfe", "a\\xff\\xfe"},                   /* never in UTF-8 */
        {"\xc3", "\\xc3"},                              /* cut short */
        {"\xe4\xb8", "\\xe4\\xb8"},
        {"\xf0\x9f\x8c", "\\xf0\\x9f\\x8c"},
        {"\xc0\xaf", "\\xc0\\xaf"}, /* overlong "/" */
        {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},
        {"\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
        {"\xc3(", "\\xc3("},                          /* a lead byte swallows nothing */
        {"\x80", "\\x80"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char shown[256];
        size_t size = 0, left = strlen(CASES[i].bytes);
        for (const char *at = CASES[i].bytes; left > 0;) {
            size_t step_size = 0;
            char step[WEIR_ESCAPE_MAX];
            size_t taken = weir_escape_next(at, left, step, &step_size);
            assert_in_range(taken, 1, left);
            assert_in_range(step_size, 1, WEIR_ESCAPE_MAX);
            memcpy(shown + size, step, step_size);
            size += step_size;
            at += taken;
            left -= taken;
        }
        shown[size] = '\0';
        assert_string_equal(shown, CASES[i].shown);
    }
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

static void a_line_says_its_level(void **state)
{
    (void)state;
    static const struct {
        weir_log_level_t highest;
        weir_log_level_t level;
        const char *line;
    } CASES[] = {
        {WEIR_LOG_INFO, WEIR_LOG_ERROR, "weir: error: number 7\n"},
        {WEIR_LOG_INFO, WEIR_LOG_WARNING, "weir: warning: number 7\n"},
        {WEIR_LOG_INFO, WEIR_LOG_INFO, "weir: number 7\n"},
        {WEIR_LOG_INFO, WEIR_LOG_DEBUG, ""},
        {WEIR_LOG_DEBUG, WEIR_LOG_DEBUG, "weir: debug: number 7\n"},
        {WEIR_LOG_ERROR, WEIR_LOG_ERROR, "weir: error: number 7\n"},
        {WEIR_LOG_ERROR, WEIR_LOG_WARNING, ""},
        {WEIR_LOG_WARNING, WEIR_LOG_INFO, ""},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        capture_t capture = capture_start();
        weir_log_set_level(CASES[i].highest);
        weir_log(CASES[i].level, "number %d", 7);
        weir_log_set_level(WEIR_LOG_INFO);
        char *text = capture_end(&capture, NULL);
        assert_string_equal(text, CASES[i].line);
        free(text);
    }
}

static void nobody_can_forge_a_line(void **state)
{
    (void)state;
    capture_t capture = capture_start();
    weir_log(WEIR_LOG_INFO, "path %s", "/a\nweir: error: \x1b[2Jall is lost\r");
    char *text = capture_end(&capture, NULL);
    assert_string_equal(text, "weir: path /a\\nweir: error: \\x1b[2Jall is lost\\r\n");
    free(text);
}

/* Log `size` times `unit` at level info and return the line. */
static char *log_repeated(const char *unit, size_t size, size_t *ret_size)
{
    size_t unit_size = strlen(unit);
    char *text = malloc(size * unit_size + 1);
    assert_non_null(text);
    for (size_t i = 0; i < size; i++)
        memcpy(text + i * unit_size, unit, unit_size);
    text[size * unit_size] = '\0';
    capture_t capture = capture_start();
    weir_log(WEIR_LOG_INFO, "%s", text);
    free(text);
    return capture_end(&capture, ret_size);
}

static bool is_utf8(const char *bytes, size_t size)
{
    uint32_t code_point;
    for (size_t at = 0, taken; at < size; at += taken) {
        taken = weir_utf8_character(bytes + at, size - at, &code_point);
        if (taken == 0)
            return false;
    }
    return true;
}

static void a_line_that_is_too_long_is_cut_and_says_so(void **state)
{
    (void)state;
    const size_t frame = strlen("weir: \n");
    static const struct {
        const char *unit;
        size_t count;
        const char *note; /* NULL: fits */
    } CASES[] = {
        {"x", 4089, NULL},
        {"x", 4090, " [cut from 4090 bytes]\n"},
        {"x", 4096, " [cut from 4096 bytes]\n"},
        {"x", 100000, " [cut from 100000 bytes]\n"},
        {"\xc3\xa9", 2044, NULL},
        {"\xc3\xa9", 2045, " [cut from 4090 bytes]\n"},
        {"\xe4\xb8\x96", 1363, NULL},
        {"\xe4\xb8\x96", 5000, " [cut from 15000 bytes]\n"},
        {"\xf0\x9f\x8c\x8d", 1022, NULL},
        {"\xf0\x9f\x8c\x8d", 1024, " [cut from 4096 bytes]\n"},
        {"\n", 2044, NULL}, /* each becomes two */
        {"\n", 2045, " [cut from 2045 bytes]\n"},
        {"\x1b", 1022, NULL}, /* each becomes four */
        {"\x1b", 1023, " [cut from 1023 bytes]\n"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        size_t size;
        char *line = log_repeated(CASES[i].unit, CASES[i].count, &size);
        assert_in_range(size, 1, LINE_MAX_BYTES);
        assert_true(is_utf8(line, size));
        assert_ptr_equal(strchr(line, '\n'), line + size - 1);
        const char *note = strstr(line, " [cut from ");
        if (CASES[i].note == NULL) {
            assert_null(note);
            assert_true(size > frame);
        } else {
            assert_non_null(note);
            assert_string_equal(note, CASES[i].note);
            assert_true(size > LINE_MAX_BYTES - 64); /* no more was cut than needs be */
        }
        free(line);
    }
}

static void errno_is_kept_and_can_be_logged(void **state)
{
    (void)state;
    capture_t capture = capture_start();
    errno = ENOSPC;
    weir_log(WEIR_LOG_WARNING, "no: %m");
    assert_int_equal(errno, ENOSPC);
    char *text = capture_end(&capture, NULL);
    assert_string_equal(text, "weir: warning: no: No space left on device\n");
    free(text);
}

static void a_closed_standard_error_does_no_harm(void **state)
{
    (void)state;
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_true(saved >= 0);
    close(STDERR_FILENO);
    errno = ENOENT;
    weir_log(WEIR_LOG_ERROR, "into nothing");
    weir_log_guest("hello", "stdout", "into nothing\n", 13);
    int errno_after = errno;
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(errno_after, ENOENT);
    /* What was lost is told as soon as somebody listens. */
    capture_t capture = capture_start();
    weir_log(WEIR_LOG_INFO, "back");
    char *text = capture_end(&capture, NULL);
    assert_string_equal(text, "weir: back\nweir: warning: 2 log lines were lost\n");
    free(text);
}

static void a_standard_error_that_fails_does_no_harm(void **state)
{
    (void)state;
    void (*handler)(int) = signal(SIGPIPE, SIG_IGN);
    for (int kind = 0; kind < 3; kind++) {
        int ends[2] = {-1, -1};
        if (kind == 0)
            assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        else if (kind == 1)
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        else
            ends[1] = open("/dev/full", O_WRONLY | O_CLOEXEC);
        assert_true(ends[1] >= 0);
        close(ends[0]);
        capture_t capture = capture_into(ends[1], -1);
        errno = ENOENT;
        weir_log(WEIR_LOG_ERROR, "into nothing");
        int errno_after = errno;
        capture_release(&capture);
        assert_int_equal(errno_after, ENOENT);
        capture = capture_start();
        weir_log(WEIR_LOG_INFO, "back");
        char *text = capture_end(&capture, NULL);
        assert_string_equal(text, "weir: back\nweir: warning: 1 log line was lost\n");
        free(text);
    }
    signal(SIGPIPE, handler);
}

static void a_file_is_written_where_the_others_who_share_it_are(void **state)
{
    (void)state;
    int file = memfd_create("standard error", MFD_CLOEXEC);
    assert_true(file >= 0);
    int shared = fcntl(file, F_DUPFD_CLOEXEC, 3);
    assert_true(shared >= 0);
    capture_t capture = capture_into(file, shared);
    ssize_t before = write(shared, "before\n", 7);
    weir_log(WEIR_LOG_INFO, "between");
    ssize_t after = write(shared, "after\n", 6);
    lseek(shared, 0, SEEK_SET);
    char *text = capture_end(&capture, NULL);
    assert_int_equal(before, 7);
    assert_int_equal(after, 6);
    assert_string_equal(text, "before\nweir: between\nafter\n");
    free(text);
}

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

enum { THREADS = 8, LINES = 400 };

static void *log_many(void *argument)
{
    int thread = *(int *)argument;
    char filler[200];
    memset(filler, 'a' + thread, sizeof filler);
    for (int i = 0; i < LINES; i++) {
        int size = 1 + (i * 37) % (int)sizeof filler;
        if (i % 2 == 0) {
            weir_log(WEIR_LOG_INFO, "thread %d line %d %.*s.", thread, i, size, filler);
        } else {
            char line[300];
            int line_size = snprintf(line, sizeof line, "thread %d line %d %.*s.\n", thread, i, size, filler);
            weir_log_guest("it", "stdout", line, (size_t)line_size);
        }
    }
    return NULL;
}

typedef struct reader {
    int descriptor;
    char *text;
} reader_t;

static void *read_in_background(void *argument)
{
    reader_t *reader = argument;
    reader->text = read_all(reader->descriptor, NULL);
    return NULL;
}

/*
 * Count the lines of log_many, each of which must be whole, and those of each thread in order. Adds to `lost` what is
 * told to be lost between them.
 */
static int count_whole_lines(char *text, int *lost)
{
    int next[THREADS] = {0}, total = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        int thread = -1, number = -1, at = 0, told = 0;
        if (sscanf(line, "weir: warning: %d log line", &told) == 1) {
            *lost += told;
            continue;
        }
        const char *body = strncmp(line, "weir: ", 6) == 0 ? line + 6 : line + strlen("[it stdout] ");
        assert_int_equal(sscanf(body, "thread %d line %d %n", &thread, &number, &at), 2);
        assert_in_range(thread, 0, THREADS - 1);
        assert_in_range(number, next[thread], LINES - 1);
        next[thread] = number + 1;
        size_t filler = strspn(body + at, (const char[]){(char)('a' + thread), '\0'});
        assert_int_equal(filler, 1 + (number * 37) % 200);
        assert_string_equal(body + at + filler, ".");
        total++;
    }
    return total;
}

static void wait_until_empty(int descriptor)
{
    int bytes = 1;
    while (bytes > 0) {
        assert_int_equal(ioctl(descriptor, FIONREAD, &bytes), 0);
        sched_yield();
    }
}

static void lines_of_several_threads_do_not_mix(void **state)
{
    (void)state;
    capture_t capture = capture_start();
    /* Room for all of it. On a busy machine lines are lost all the same, by who does not get his turn for 100 ms. */
    assert_true(fcntl(STDERR_FILENO, F_SETPIPE_SZ, 1 << 20) >= THREADS * LINES * 256);
    reader_t reader = {.descriptor = capture.read_end};
    pthread_t reading, writing[THREADS];
    int numbers[THREADS];
    assert_int_equal(pthread_create(&reading, NULL, read_in_background, &reader), 0);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&writing[i], NULL, log_many, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(writing[i], NULL);
    wait_until_empty(capture.read_end);
    weir_log_guest("it", "stdout", "end\n", 4); /* what was lost is told with the next line */
    capture_release(&capture);
    pthread_join(reading, NULL);

    static const char end[] = "[it stdout] end\n";
    const size_t size = strlen(reader.text);
    assert_true(size >= sizeof end && strcmp(reader.text + size - (sizeof end - 1), end) == 0);
    reader.text[size - (sizeof end - 1)] = '\0';
    int lost = 0;
    int whole = count_whole_lines(reader.text, &lost);
    assert_true(whole > 0);
    assert_int_equal(whole + lost, THREADS * LINES);
    free(reader.text);
}

/* ---- A standard error that does not take it all ------------------------------------------------------------------ */

static int64_t now_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Write until a descriptor, which must not block, takes nothing more. Returns how much it took. */
static size_t fill(int descriptor)
{
    static const char FILLER[4096] = {0};
    size_t filled = 0;
    for (size_t piece = sizeof FILLER; piece > 0; piece /= 2) {
        ssize_t count;
        while ((count = write(descriptor, FILLER, piece)) > 0)
            filled += (size_t)count;
        assert_int_equal(errno, EAGAIN);
    }
    return filled;
}

static void drain(int descriptor, size_t size)
{
    char bytes[4096];
    while (size > 0) {
        ssize_t count = read(descriptor, bytes, size < sizeof bytes ? size : sizeof bytes);
        assert_true(count > 0);
        size -= (size_t)count;
    }
}

static void a_full_pipe_loses_lines_soon_and_tells_how_many(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    capture_t capture = capture_into(ends[1], ends[0]);
    size_t filled = fill(STDERR_FILENO);
    int64_t start = now_milliseconds();
    for (int i = 0; i < 1000; i++)
        weir_log(WEIR_LOG_INFO, "lost %d", i);
    weir_log_guest("hello", "stderr", "a\nb\nc\n", 6);
    int64_t took = now_milliseconds() - start;
    drain(capture.read_end, filled);
    weir_log(WEIR_LOG_INFO, "found");
    weir_log(WEIR_LOG_INFO, "again");
    char *text = capture_end(&capture, NULL);
    assert_string_equal(text, "weir: found\nweir: warning: 1003 log lines were lost\nweir: again\n");
    free(text);
    /* Only the first line waits: a thousand waits of 100 ms would be 100 s. */
    assert_in_range(took, 0, 10000);
}

static void a_line_that_went_out_in_part_does_not_swallow_the_next(void **state)
{
    (void)state;
    int file = memfd_create("standard error", MFD_CLOEXEC);
    assert_true(file >= 0);
    int reader = fcntl(file, F_DUPFD_CLOEXEC, 3);
    assert_true(reader >= 0);
    struct rlimit before, tight;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = (struct rlimit){.rlim_cur = 10, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);

    capture_t capture = capture_into(file, reader);
    int set = setrlimit(RLIMIT_FSIZE, &tight);
    weir_log(WEIR_LOG_INFO, "torn in two");
    int reset = setrlimit(RLIMIT_FSIZE, &before);
    weir_log(WEIR_LOG_INFO, "whole");
    lseek(reader, 0, SEEK_SET);
    char *text = capture_end(&capture, NULL);
    signal(SIGXFSZ, handler);
    assert_int_equal(set, 0);
    assert_int_equal(reset, 0);
    assert_string_equal(text, "weir: torn\nweir: whole\nweir: warning: 1 log line was lost\n");
    free(text);
}

static atomic_int signals_handled;

static void count_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals_handled, 1);
}

static void *log_one_line(void *argument)
{
    weir_log(WEIR_LOG_INFO, "%s", (const char *)argument);
    return NULL;
}

/*
 * Interrupt a thread that waits with its line, then make room. Returns false when that took so long that the line may
 * have been given up.
 */
static bool interrupt_a_waiting_line(char *line, char **ret_text, size_t *ret_size)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    size_t filled = fill(ends[1]);
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    capture_t capture = capture_into(ends[1], ends[0]);
    pthread_t writing;
    int64_t start = now_milliseconds();
    assert_int_equal(pthread_create(&writing, NULL, log_one_line, line), 0);
    for (int interruption = 0; interruption < 20; interruption++) {
        int seen = atomic_load(&signals_handled);
        pthread_kill(writing, SIGUSR1);
        while (atomic_load(&signals_handled) == seen && now_milliseconds() - start < 50)
            sched_yield();
    }
    drain(capture.read_end, filled);
    bool in_time = now_milliseconds() - start < 50;
    pthread_join(writing, NULL);
    *ret_text = capture_end(&capture, ret_size);
    return in_time;
}

static void a_signal_does_not_lose_a_line(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = count_signal}, before;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0); /* without SA_RESTART: what waits returns EINTR */
    char line[2000];
    memset(line, 'y', sizeof line);
    line[sizeof line - 1] = '\0';
    char *text;
    size_t size;
    int rounds = 0;
    while (!interrupt_a_waiting_line(line, &text, &size)) {
        free(text);
        capture_t capture = capture_start();
        weir_log(WEIR_LOG_INFO, "what was lost is told here");
        free(capture_end(&capture, NULL));
        assert_true(++rounds < 200);
    }
    assert_int_equal(size, strlen("weir: ") + strlen(line) + 1);
    assert_memory_equal(text + strlen("weir: "), line, strlen(line));
    free(text);
    sigaction(SIGUSR1, &before, NULL);
}

static void of_several_threads_that_nobody_reads_each_line_is_whole_or_counted(void **state)
{
    (void)state;
    capture_t capture = capture_start();
    pthread_t writing[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&writing[i], NULL, log_many, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(writing[i], NULL);
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    size_t size;
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    ssize_t got = read(capture.read_end, text, (1 << 20) - 1);
    assert_true(got > 0);
    size = (size_t)got;
    weir_log(WEIR_LOG_INFO, "found");
    char *end = capture_end(&capture, NULL);
    assert_int_equal(flags & O_NONBLOCK, 0); /* others write there too */
    assert_int_equal(text[size - 1], '\n');
    int lost = 0, lost_at_last = 0;
    int lines = count_whole_lines(text, &lost);
    assert_in_range(lines, 1, THREADS * LINES - 1); /* it is more than a pipe holds */
    assert_int_equal(sscanf(end, "weir: found\nweir: warning: %d log line", &lost_at_last), 1);
    assert_int_equal(lines + lost + lost_at_last, THREADS * LINES);
    free(end);
    free(text);
}

/* ---- A standard error that nobody reads, in a process of its own ------------------------------------------------- */

/* What a process is denied, as by an older kernel or another user's pipe. */
enum { NO_PWRITEV2 = 1, NO_OPEN = 2 };

static bool deny(int denied)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, denied & NO_PWRITEV2 ? SYS_pwritev2 : UINT32_MAX, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, denied & NO_OPEN ? SYS_openat : UINT32_MAX, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = COUNT(filter), .filter = filter};
    return denied == 0 ||
           (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

typedef enum kind { PIPE, SOCKET, TERMINAL } kind_t;

/* A blocking one, and what reads it. Returns how many bytes it holds once it is full. */
static size_t make_full(kind_t kind, int *ret_write_end, int *ret_read_end)
{
    int ends[2];
    if (kind == PIPE) {
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    } else if (kind == SOCKET) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    } else {
        char name[128];
        ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(ends[0] >= 0);
        assert_int_equal(grantpt(ends[0]), 0);
        assert_int_equal(unlockpt(ends[0]), 0);
        assert_int_equal(ptsname_r(ends[0], name, sizeof name), 0);
        ends[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(ends[1] >= 0);
        struct termios settings;
        assert_int_equal(tcgetattr(ends[1], &settings), 0);
        cfmakeraw(&settings);
        assert_int_equal(tcsetattr(ends[1], TCSANOW, &settings), 0);
    }
    int flags = fcntl(ends[1], F_GETFL);
    assert_int_equal(fcntl(ends[1], F_SETFL, flags | O_NONBLOCK), 0);
    size_t filled = fill(ends[1]);
    assert_int_equal(fcntl(ends[1], F_SETFL, flags), 0);
    *ret_write_end = ends[1];
    *ret_read_end = ends[0];
    return filled;
}

enum { WATCHDOG_SECONDS = 60, STUBBORN_THREADS = 4, STUBBORN_LINES = 500 };

static void *log_stubbornly(void *argument)
{
    (void)argument;
    for (int i = 0; i < STUBBORN_LINES; i++) {
        weir_log(WEIR_LOG_INFO, "lost %d", i);
        weir_log_guest("hello", "stderr", "lost too\n", 9);
    }
    return NULL;
}

/* The exit status is 0 when all was as it should be. `turn` says when the reader has read. */
static int log_where_nobody_reads(int turn)
{
    pthread_t threads[STUBBORN_THREADS];
    for (int i = 0; i < STUBBORN_THREADS; i++)
        if (pthread_create(&threads[i], NULL, log_stubbornly, NULL) != 0)
            return 3;
    for (int i = 0; i < STUBBORN_THREADS; i++)
        pthread_join(threads[i], NULL);
    char byte = 0;
    if (write(turn, &byte, 1) != 1 || read(turn, &byte, 1) != 1)
        return 4;
    weir_log(WEIR_LOG_INFO, "found");
    return 0;
}

static void nobody_who_logs_is_blocked_by_who_does_not_read(void **state)
{
    (void)state;
    static const struct {
        kind_t kind;
        int denied;
    } CASES[] = {
        {PIPE, 0},
        {PIPE, NO_PWRITEV2},
        {PIPE, NO_PWRITEV2 | NO_OPEN},
        {SOCKET, 0},
        {TERMINAL, 0},
        {TERMINAL, NO_OPEN},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        int write_end, read_end, turns[2];
        size_t filled = make_full(CASES[i].kind, &write_end, &read_end);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, turns), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            /* A wait for each line would be 4,000 of 100 ms. */
            alarm(WATCHDOG_SECONDS);
            close(turns[0]);
            _exit(dup2(write_end, STDERR_FILENO) >= 0 && deny(CASES[i].denied) ? log_where_nobody_reads(turns[1]) : 2);
        }
        close(turns[1]);
        char byte;
        ssize_t got = read(turns[0], &byte, 1); /* 0 when it ended */
        if (got == 1) {
            drain(read_end, filled);
            assert_int_equal(write(turns[0], &byte, 1), 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        /* A terminal moves what it holds to its reader's side later, and takes some lines more. */
        if (CASES[i].kind != TERMINAL) {
            static const char EXPECTED[] = "weir: found\nweir: warning: 4000 log lines were lost\n";
            assert_int_equal(2 * STUBBORN_THREADS * STUBBORN_LINES, 4000);
            char text[sizeof EXPECTED] = {0};
            for (size_t at = 0; at < sizeof EXPECTED - 1; at += (size_t)got) {
                got = read(read_end, text + at, sizeof EXPECTED - 1 - at);
                assert_true(got > 0);
            }
            assert_string_equal(text, EXPECTED);
        }
        close(write_end);
        close(read_end);
        close(turns[0]);
    }
}

static void a_second_signal_ends_the_program_whoever_reads(void **state)
{
    (void)state;
    static const struct {
        int denied;
        bool full;
    } CASES[] = {
        {0, true},
        {NO_PWRITEV2, true},
        {NO_PWRITEV2 | NO_OPEN, true},
        {0, false},
        {NO_PWRITEV2, false},
        {NO_PWRITEV2 | NO_OPEN, false},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        int write_end, read_end;
        size_t filled = make_full(PIPE, &write_end, &read_end);
        if (!CASES[i].full)
            drain(read_end, filled);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(WATCHDOG_SECONDS);
            if (dup2(write_end, STDERR_FILENO) < 0 || !deny(CASES[i].denied) || !weir_signals_init())
                _exit(2);
            weir_signals_serving();
            raise(SIGTERM);
            weir_signals_wait();
            for (;;)
                raise(SIGTERM); /* what comes at once after the first is the same wish */
        }
        close(write_end);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 1);
        if (CASES[i].full)
            drain(read_end, filled);
        char *text = read_all(read_end, NULL);
        assert_string_equal(text, CASES[i].full ? "" : "weir: warning: ended at once by a second signal\n");
        free(text);
    }
}

/* ---- What guests write ------------------------------------------------------------------------------------------- */

static void what_a_guest_writes_is_split_into_lines(void **state)
{
    (void)state;
#define BYTES(text) text, sizeof(text) - 1
    static const struct {
        const char *component;
        const char *bytes;
        size_t size;
        const char *lines;
    } CASES[] = {
        {"hello", BYTES(""), ""},
        {"hello", BYTES("one\n"), "[hello stderr] one\n"},
        {"hello", BYTES("no newline"), "[hello stderr] no newline\n"},
        {"hello", BYTES("one\ntwo\nthree"), "[hello stderr] one\n[hello stderr] two\n[hello stderr] three\n"},
        {"hello", BYTES("dos\r\nunix\n"), "[hello stderr] dos\n[hello stderr] unix\n"},
        {"hello", BYTES("\n\r\n\n"), "[hello stderr] \n[hello stderr] \n[hello stderr] \n"},
        {"hello", BYTES("a\rb\r"), "[hello stderr] a\\rb\\r\n"},
        {"hello", BYTES("nul \0 byte\n"), "[hello stderr] nul \\x00 byte\n"},
        {"hello", BYTES("\x1b[31mred\xff\n"), "[hello stderr] \\x1b[31mred\\xff\n"},
        {"a\nb", BYTES("x\n"), "[a\\nb stderr] x\n"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        capture_t capture = capture_start();
        weir_log_guest(CASES[i].component, "stderr", CASES[i].bytes, CASES[i].size);
        char *text = capture_end(&capture, NULL);
        assert_string_equal(text, CASES[i].lines);
        free(text);
    }
}

static void a_long_line_of_a_guest_goes_on_in_further_lines(void **state)
{
    (void)state;
    enum { SIZE = 30000 };
    char *bytes = malloc(SIZE + 2);
    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE; i += 3)
        memcpy(bytes + i, "\xe4\xb8\x96", 3);
    memcpy(bytes + SIZE, "\n", 2);
    capture_t capture = capture_start();
    weir_log_guest("hello", "stdout", bytes, SIZE + 1);
    char *text = capture_end(&capture, NULL);
    size_t seen = 0, lines = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest), lines++) {
        static const char PREFIX[] = "[hello stdout] ";
        assert_true(strlen(line) < LINE_MAX_BYTES);
        assert_memory_equal(line, PREFIX, strlen(PREFIX));
        assert_true(is_utf8(line, strlen(line)));
        seen += strlen(line) - strlen(PREFIX);
    }
    assert_int_equal(seen, SIZE); /* nothing is missing */
    assert_int_equal(lines, 8);   /* and no line is shorter than it has to be */
    free(text);
    free(bytes);
}

static void a_component_with_a_very_long_name_can_log(void **state)
{
    (void)state;
    char name[6000];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    capture_t capture = capture_start();
    weir_log_guest(name, "stdout", "text\n", 5);
    size_t size;
    char *text = capture_end(&capture, &size);
    assert_in_range(size, 100, 500);
    assert_string_equal(text + size - strlen("n stdout] text\n"), "n stdout] text\n");
    free(text);
}

/* ---- Colours ----------------------------------------------------------------------------------------------------- */

/* What a new process logs whose standard error is a terminal. */
static char *log_on_a_terminal(const char *no_color, const char *term)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(master >= 0);
    char name[128];
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    assert_int_equal(ptsname_r(master, name, sizeof name), 0);
    int terminal = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(terminal >= 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(terminal, STDERR_FILENO);
        no_color != NULL ? setenv("NO_COLOR", no_color, 1) : unsetenv("NO_COLOR");
        term != NULL ? setenv("TERM", term, 1) : unsetenv("TERM");
        weir_log(WEIR_LOG_WARNING, "mind");
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    char *text = calloc(1, 256);
    assert_non_null(text);
    assert_true(read(master, text, 255) > 0);
    close(terminal);
    close(master);
    return text;
}

/* Has to be the first test: each process decides once, and these are children of one that has not yet. */
static void colours_are_for_terminals_that_want_them(void **state)
{
    (void)state;
    static const struct {
        const char *no_color;
        const char *term;
        bool colour;
    } CASES[] = {
        {NULL, "xterm", true},
        {NULL, NULL, true},
        {"", "xterm", true},
        {"1", "xterm", false},
        {"0", "xterm", false},
        {NULL, "dumb", false},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char *text = log_on_a_terminal(CASES[i].no_color, CASES[i].term);
        assert_string_equal(
            text, CASES[i].colour ? "weir: \x1b[1;33mwarning:\x1b[0m mind\r\n" : "weir: warning: mind\r\n");
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_are_for_terminals_that_want_them),
        cmocka_unit_test(what_could_forge_or_hide_text_is_spelled_out),
        cmocka_unit_test(a_line_says_its_level),
        cmocka_unit_test(nobody_can_forge_a_line),
        cmocka_unit_test(a_line_that_is_too_long_is_cut_and_says_so),
        cmocka_unit_test(errno_is_kept_and_can_be_logged),
        cmocka_unit_test(a_closed_standard_error_does_no_harm),
        cmocka_unit_test(a_standard_error_that_fails_does_no_harm),
        cmocka_unit_test(a_file_is_written_where_the_others_who_share_it_are),
        cmocka_unit_test(nobody_who_logs_is_blocked_by_who_does_not_read),
        cmocka_unit_test(a_second_signal_ends_the_program_whoever_reads),
        cmocka_unit_test(lines_of_several_threads_do_not_mix),
        cmocka_unit_test(a_full_pipe_loses_lines_soon_and_tells_how_many),
        cmocka_unit_test(a_line_that_went_out_in_part_does_not_swallow_the_next),
        cmocka_unit_test(a_signal_does_not_lose_a_line),
        cmocka_unit_test(of_several_threads_that_nobody_reads_each_line_is_whole_or_counted),
        cmocka_unit_test(what_a_guest_writes_is_split_into_lines),
        cmocka_unit_test(a_long_line_of_a_guest_goes_on_in_further_lines),
        cmocka_unit_test(a_component_with_a_very_long_name_can_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
