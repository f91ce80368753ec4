/*
 * step_clock: a library to be preloaded (LD_PRELOAD): the clock that can be set is off by as many seconds as the file
 * that STEP_CLOCK names says at the time, as eight bytes. The clocks that cannot be set stay as they are. A namespace
 * of time has an offset for those alone, and setting the machine's clock would set everybody's.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *step;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("STEP_CLOCK");
    int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *step, PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) {
        abort();
    }
    close(file);
    step = mapped;
}

/* They take the place of the C library's. */
int stepped_clock_gettime(clockid_t clock, struct timespec *now) __asm__("clock_gettime");
int stepped_clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && step != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += *step;
    }
    return result;
}

int stepped_gettimeofday(struct timeval *now, void *zone) __asm__("gettimeofday");
int stepped_gettimeofday(struct timeval *now, void *zone)
{
    struct timespec read;
    (void)zone;
    stepped_clock_gettime(CLOCK_REALTIME, &read);
    *now = (struct timeval){read.tv_sec, read.tv_nsec / 1000};
    return 0;
}

time_t stepped_time(time_t *now) __asm__("time");
time_t stepped_time(time_t *now)
{
    struct timespec read;
    stepped_clock_gettime(CLOCK_REALTIME, &read);
    if (now != NULL) {
        *now = read.tv_sec;
    }
    return read.tv_sec;
}
