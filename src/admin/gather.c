/*
 * gather.c: sums over loops, and some files of proc(5).
 */
#include "admin/gather.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* ---- Sums -------------------------------------------------------------------------------------------------------- */

static void add_status(weir_sums_t *sums, uint16_t key, uint64_t count)
{
    weir_method_t method = (weir_method_t)(key >> WEIR_METRICS_STATUS_BITS);
    unsigned status = key & ((1U << WEIR_METRICS_STATUS_BITS) - 1);
    size_t at = 0;
    while (at < sums->status_count && (sums->statuses[at].method != method || sums->statuses[at].status != status)) {
        at++;
    }
    if (at == sums->status_count) {
        if (at == WEIR_SUMS_STATUSES) {
            at--; /* one of many: which it was is lost */
        } else {
            sums->statuses[at].method = method;
            sums->statuses[at].status = status;
            sums->statuses[at].count = 0;
            sums->status_count++;
        }
    }
    sums->statuses[at].count += count;
}

static void add_loop(weir_sums_t *sums, const weir_component_metrics_t *metrics)
{
    for (size_t i = 0; i < WEIR_COMPONENT_COUNTERS; i++) {
        sums->counters[i] += weir_counter_read(&metrics->counters[i]);
    }
    for (size_t i = 0; i < WEIR_COMPONENT_GAUGES; i++) {
        sums->gauges[i] += weir_counter_read(&metrics->gauges[i]);
    }
    for (size_t i = 0; i < WEIR_REQUEST_OUTCOMES; i++) {
        sums->outcomes[i] += weir_counter_read(&metrics->outcomes[i]);
    }
    for (size_t i = 0; i < WEIR_METRICS_STATUSES; i++) {
        uint64_t count = weir_counter_read(&metrics->requests[i]);
        if (count > 0) {
            add_status(sums, atomic_load_explicit(&metrics->keys[i], memory_order_relaxed), count);
            sums->requests += count;
        }
    }
    weir_histogram_read(&metrics->to_head, &sums->to_head);
    weir_histogram_read(&metrics->whole, &sums->whole);
    weir_histogram_read(&metrics->queued, &sums->queued);
}

void weir_sums_add(weir_sums_t *sums, const weir_metrics_t *metrics, size_t component)
{
    const weir_counted_t *counted = weir_metrics_component(metrics, component);
    sums->id = counted->id;
    for (unsigned loop = 0; loop < weir_metrics_loops(metrics); loop++) {
        add_loop(sums, &counted->loops[loop]);
    }
}

uint64_t weir_sums_count_statuses(const weir_sums_t *sums, unsigned low, unsigned high)
{
    uint64_t count = 0;
    for (size_t i = 0; i < sums->status_count; i++) {
        bool within = sums->statuses[i].status >= low && sums->statuses[i].status <= high;
        count += within ? sums->statuses[i].count : 0;
    }
    return count;
}

uint64_t weir_gather_loops(weir_metrics_t *metrics, weir_loop_counter_t counter)
{
    uint64_t sum = 0;
    for (unsigned loop = 0; loop < weir_metrics_loops(metrics); loop++) {
        sum += weir_counter_read(&weir_metrics_of_loop(metrics, loop)->counters[counter]);
    }
    return sum;
}

/* ---- The process ------------------------------------------------------------------------------------------------- */

/* Read a small file as text. Returns false when it cannot be had. */
static bool read_small(const char *path, char *text, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    ssize_t got = read(file, text, size - 1);
    close(file);
    text[got < 0 ? 0 : got] = '\0';
    return got > 0;
}

static void read_memory(weir_process_reading_t *reading)
{
    char text[256];
    if (read_small("/proc/self/statm", text, sizeof(text))) {
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        char *after;
        reading->virtual_bytes = strtoull(text, &after, 10) * page;
        reading->resident_bytes = strtoull(after, NULL, 10) * page;
    }
}

uint64_t weir_gather_resident_bytes(void)
{
    weir_process_reading_t reading = {0};
    read_memory(&reading);
    return reading.resident_bytes;
}

/* Field 22 of /proc/self/stat is when the process started, in ticks since the system did; the name in field 2 may hold
 * anything, and ends with the last parenthesis. */
static double read_start(void)
{
    char text[1024];
    if (!read_small("/proc/self/stat", text, sizeof(text))) {
        return 0;
    }
    const char *at = strrchr(text, ')');
    for (unsigned field = 2; at != NULL && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL) {
        return 0;
    }
    struct timespec wall;
    struct timespec running;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &running);
    double started = (double)strtoull(at, NULL, 10) / (double)sysconf(_SC_CLK_TCK);
    double ago = (double)running.tv_sec + (double)running.tv_nsec / 1e9 - started;
    return (double)wall.tv_sec + (double)wall.tv_nsec / 1e9 - ago;
}

static uint64_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    uint64_t count = 0;
    if (directory == NULL) {
        return 0;
    }
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count > 3 ? count - 3 : 0; /* but ".", ".." and the directory itself */
}

void weir_gather_process(weir_process_reading_t *ret_reading)
{
    weir_process_reading_t reading = {0};
    struct rusage usage;
    struct rlimit limit;
    read_memory(&reading);
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        reading.cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                              (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    }
    reading.started_at = read_start();
    reading.open_descriptors = count_descriptors();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        reading.max_descriptors = limit.rlim_cur;
    }
    *ret_reading = reading;
}
