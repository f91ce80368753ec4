/*
 * trial.c: runs a guest without a client.
 */
#include "guest/trial.h"

#include "guest/exchange_internal.h"
#include "guest/guest_internal.h"
#include "guest/header_filter.h"
#include "observe/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Waiting for the waker --------------------------------------------------------------------------------------- */

/* A timer may hold on to the waker after the run has ended, so the later of the two frees it. */
typedef struct bell {
    pthread_mutex_t mutex;
    pthread_cond_t rang_or_released;
    bool rang;
    unsigned references;
} bell_t;

static bell_t *new_bell(void)
{
    bell_t *bell = calloc(1, sizeof *bell);
    if (bell == NULL)
        return NULL;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes); /* none of these fails on Linux */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&bell->rang_or_released, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&bell->mutex, NULL);
    bell->references = 2;
    return bell;
}

static void ring(void *context)
{
    bell_t *bell = context;
    pthread_mutex_lock(&bell->mutex);
    bell->rang = true;
    pthread_cond_signal(&bell->rang_or_released);
    pthread_mutex_unlock(&bell->mutex);
}

static void let_go(void *context)
{
    bell_t *bell = context;
    pthread_mutex_lock(&bell->mutex);
    bool last = --bell->references == 0;
    pthread_mutex_unlock(&bell->mutex);
    if (!last)
        return;
    pthread_cond_destroy(&bell->rang_or_released);
    pthread_mutex_destroy(&bell->mutex);
    free(bell);
}

/*
 * Until it has rung since the last time; false at the deadline. A guest that spins is woken at once after each slice,
 * so ringing is not enough to go on.
 */
static bool wait_for(bell_t *bell, uint64_t deadline)
{
    const struct timespec until = weir_monotonic_moment(deadline);
    int error = 0;
    pthread_mutex_lock(&bell->mutex);
    while (!bell->rang && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&bell->rang_or_released, &bell->mutex, &until);
    bool rang = bell->rang;
    bell->rang = false;
    pthread_mutex_unlock(&bell->mutex);
    return rang && weir_monotonic_nanoseconds() < deadline;
}

/* ---- A request --------------------------------------------------------------------------------------------------- */

static void drop_body(weir_exchange_t *exchange)
{
    for (;;) {
        weir_bytes_t bytes = weir_exchange_body(exchange);
        if (bytes.size == 0)
            return;
        weir_exchange_consume(exchange, bytes.size);
    }
}

/* Run it as far as it goes now; true when there is no more to it. */
static bool run_exchange(weir_exchange_t *exchange)
{
    weir_exchange_state_t state = weir_exchange_poll(exchange);
    if (state == WEIR_EXCHANGE_HEAD)
        drop_body(exchange);
    return state == WEIR_EXCHANGE_FAILED || state == WEIR_EXCHANGE_REFUSED ||
           (weir_exchange_ended(exchange) && weir_exchange_body_ended(exchange));
}

static weir_guest_trial_t run_to_end(weir_exchange_t *exchange, bell_t *bell, uint32_t milliseconds)
{
    const uint64_t deadline = weir_monotonic_nanoseconds() + milliseconds * UINT64_C(1000000);
    while (!run_exchange(exchange)) {
        if (!wait_for(bell, deadline))
            return WEIR_GUEST_TRIAL_LATE;
    }
    weir_failure_kind_t failure = exchange->call != NULL ? weir_call_failure(exchange->call, NULL) : WEIR_FAILURE_NONE;
    return failure == WEIR_FAILURE_INSTANTIATE || failure == WEIR_FAILURE_REFUSED ? WEIR_GUEST_TRIAL_NO_INSTANCE
                                                                                  : WEIR_GUEST_TRIAL_DONE;
}

weir_guest_trial_t weir_guest_try_request(const weir_guest_t *guest, const weir_route_t *route, uint32_t milliseconds)
{
    bell_t *bell = new_bell();
    if (bell == NULL)
        return WEIR_GUEST_TRIAL_NO_REQUEST;
    const weir_bytes_t path = weir_bytes_of(route->base[0] != '\0' ? route->base : "/");
    const weir_pair_t headers[] = {
        {weir_bytes_of("Host"), weir_bytes_of("localhost")},
        {weir_bytes_of("User-Agent"), weir_bytes_of("weir-trial-request")},
    };
    const weir_request_t request = {.method = weir_bytes_of("GET"),
        .target = path,
        .path = path,
        .query = weir_bytes_of(""),
        .host = headers[0].value,
        .version = weir_bytes_of("HTTP/1.1"),
        .headers = headers,
        .header_count = sizeof headers / sizeof headers[0],
        .client_address = "127.0.0.1:0",
        .client_ip = "127.0.0.1",
        .server_port = 80};
    weir_route_match_t match = {.route = route, .path_info = path.data + path.size};
    for (size_t i = 0; i < route->parameter_count; i++) {
        const char *name = route->parameters[i].name; /* the path has it where a value would be */
        match.parameters[i] = (weir_route_value_t){name, strlen(name)};
    }
    const weir_waker_t waker = {.wake = ring, .release = let_go, .context = bell};
    weir_exchange_t *exchange;
    weir_guest_trial_t result = WEIR_GUEST_TRIAL_NO_REQUEST;
    if (weir_exchange_start(guest, &request, &match, waker, &exchange)) {
        result = run_to_end(exchange, bell, milliseconds);
        weir_exchange_free(exchange);
    }
    let_go(bell);
    return result;
}

/* ---- An instance ------------------------------------------------------------------------------------------------- */

static weir_guest_trial_t run_to_instance(weir_call_t *call, bell_t *bell, uint32_t milliseconds, char **ret_reason)
{
    const uint64_t deadline = weir_monotonic_nanoseconds() + milliseconds * UINT64_C(1000000);
    weir_call_state_t state;
    while ((state = weir_call_poll(call)) == WEIR_CALL_PENDING) {
        if (!wait_for(bell, deadline))
            return WEIR_GUEST_TRIAL_LATE;
    }
    if (state == WEIR_CALL_ENDED)
        return WEIR_GUEST_TRIAL_DONE;
    const char *reason = "";
    if (ret_reason != NULL && weir_call_failure(call, &reason) != WEIR_FAILURE_NONE)
        *ret_reason = strdup(reason);
    return WEIR_GUEST_TRIAL_NO_INSTANCE;
}

/* `ret_reason` may be NULL; else it is set where there is a reason for no instance. */
static weir_guest_trial_t try_instance(const weir_guest_t *guest, uint32_t milliseconds, char **ret_reason)
{
    bell_t *bell = new_bell();
    if (bell == NULL)
        return WEIR_GUEST_TRIAL_NO_REQUEST;
    const weir_call_request_t request = {.size = sizeof request,
        .method = weir_bytes_of("GET"),
        .scheme = weir_bytes_of("http"),
        .authority = weir_bytes_of("localhost"),
        .path_and_query = weir_bytes_of("/"),
        .instance_only = true};
    const weir_waker_t waker = {.wake = ring, .release = let_go, .context = bell};
    weir_call_t *call;
    weir_guest_trial_t result = WEIR_GUEST_TRIAL_NO_REQUEST;
    wasmtime_error_t *error = weir_call_new(guest->service, &request, waker, &call);
    if (error != NULL) {
        wasmtime_error_delete(error);
    } else {
        result = run_to_instance(call, bell, milliseconds, ret_reason);
        weir_call_free(call);
    }
    let_go(bell);
    return result;
}

weir_guest_trial_t weir_guest_try_instance(const weir_guest_t *guest, uint32_t milliseconds)
{
    return try_instance(guest, milliseconds, NULL);
}

bool weir_guest_prove_instance(const weir_guest_t *guest, uint32_t milliseconds, char **ret_reason)
{
    *ret_reason = NULL;
    weir_guest_trial_t result = try_instance(guest, milliseconds, ret_reason);
    return result == WEIR_GUEST_TRIAL_DONE || result == WEIR_GUEST_TRIAL_LATE;
}
