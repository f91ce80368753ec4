/*
 * ending.c: the end of a server, and what people and a service manager are told of it.
 */
#include "cli/ending.h"

#include "cli/systemd.h"
#include "observe/clock.h"
#include "observe/log.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

enum {
    UNSAID_STEPS = 20,               /* of 5 ms: an end that takes no longer needs no word */
    MANAGER_MILLISECONDS = 10 * 1000 /* what a service manager is told: beyond the drain time-out */
};

void weir_ending_leave(weir_server_t *server, uint64_t delay_milliseconds, uint64_t drain_milliseconds)
{
    if (delay_milliseconds == 0) {
        return;
    }
    const struct timespec until = weir_monotonic_after(delay_milliseconds * 1000000);
    weir_systemd_stopping(delay_milliseconds + drain_milliseconds + MANAGER_MILLISECONDS);
    weir_server_leave(server);
    weir_log(WEIR_LOG_INFO,
        "not ready any more, and serving on for %.1f s (--drain-delay) until nobody sends more; a second Ctrl-C or "
        "SIGTERM ends it at once",
        (double)delay_milliseconds / 1e3);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
        /* SIGHUP, or the same wish to end in a second signal */
    }
}

void weir_ending_begin(uint64_t drain_milliseconds)
{
    weir_systemd_stopping(drain_milliseconds + MANAGER_MILLISECONDS);
}

/* Say for what a server that drains does not end yet; nothing when there is no such thing, or not for long. */
static void announce(const weir_server_t *server, uint64_t drain_milliseconds)
{
    const struct timespec step = {0, 5 * 1000 * 1000};
    unsigned requests = weir_server_requests(server);
    for (unsigned steps = 0; requests > 0 && steps < UNSAID_STEPS; steps++) {
        nanosleep(&step, NULL);
        requests = weir_server_requests(server);
    }
    if (requests > 0) {
        weir_log(WEIR_LOG_INFO,
            "ending after %u %s in flight, in %" PRIu64 " s at the latest; a second Ctrl-C or SIGTERM ends it at once",
            requests, requests == 1 ? "request" : "requests", (drain_milliseconds + 999) / 1000);
    }
}

void weir_ending_drain(weir_server_t *server, uint64_t drain_milliseconds)
{
    weir_server_drain(server);
    announce(server, drain_milliseconds);
    weir_server_wait(server);
}

void weir_ending_stop(weir_server_t *own_server)
{
    unsigned cut = weir_server_stop(own_server);
    if (cut > 0) {
        weir_log(WEIR_LOG_WARNING, "%u %s no answer yet when the time to stop was over, and %s cut", cut,
            cut == 1 ? "request had" : "requests had", cut == 1 ? "was" : "were");
    }
}
