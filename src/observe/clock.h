/*
 * clock.h: the clock that never runs backwards (CLOCK_MONOTONIC), and waiting by it. In this room because every room
 * uses it, and it uses none.
 */
#ifndef WEIR_OBSERVE_CLOCK_H
#define WEIR_OBSERVE_CLOCK_H

#include <errno.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Nanoseconds, and whole milliseconds, of it. Any thread, and handlers of signals. */
static inline uint64_t weir_monotonic_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static inline uint64_t weir_monotonic_milliseconds(void)
{
    return weir_monotonic_nanoseconds() / 1000000;
}

/* A moment of it in nanoseconds, as the system's calls take it. */
static inline struct timespec weir_monotonic_moment(uint64_t nanoseconds)
{
    return (struct timespec){(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};
}

/* The moment that comes after so many nanoseconds. */
static inline struct timespec weir_monotonic_after(uint64_t nanoseconds)
{
    return weir_monotonic_moment(weir_monotonic_nanoseconds() + nanoseconds);
}

/* Wait for a semaphore, for a time at most. Returns whether it was had. */
static inline bool weir_semaphore_wait(sem_t *semaphore, uint64_t milliseconds)
{
    struct timespec until = weir_monotonic_after(milliseconds * 1000000);
    int result;
    do {
        result = sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
    } while (result < 0 && errno == EINTR);
    return result == 0;
}

#endif
