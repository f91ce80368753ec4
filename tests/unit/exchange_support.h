/*
 * exchange_support.h: for the tests of exchanges: runs a request on a guest as the server does, and keeps what came of
 * it.
 */
#ifndef WEIR_TESTS_EXCHANGE_SUPPORT_H
#define WEIR_TESTS_EXCHANGE_SUPPORT_H

#include "guest_support.h"

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

enum {
    PATIENCE_SECONDS = 60, /* for an event that must come; reached only by a test that fails */
};

/* ---- The waker ---- */

/* Counts the calls of a waker, and lets a test wait for the next one. */
typedef struct bell {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned rung;
    unsigned released;
} bell_t;

/* The bridge hands a waker to its threads in order, but ThreadSanitizer does not see how. */
#ifdef __SANITIZE_THREAD__
static inline void bell_give(bell_t *bell)
{
    __tsan_release(bell);
}

static inline void bell_take(bell_t *bell)
{
    __tsan_acquire(bell);
}
#else
static inline void bell_give(bell_t *bell)
{
    (void)bell;
}

static inline void bell_take(bell_t *bell)
{
    (void)bell;
}
#endif

static inline void bell_ring(void *context)
{
    bell_t *bell = context;
    bell_take(bell);
    pthread_mutex_lock(&bell->mutex);
    assert_int_equal(bell->released, 0);
    bell->rung++;
    pthread_cond_broadcast(&bell->changed);
    pthread_mutex_unlock(&bell->mutex);
}

static inline void bell_release(void *context)
{
    bell_t *bell = context;
    bell_take(bell);
    pthread_mutex_lock(&bell->mutex);
    bell->released++;
    pthread_cond_broadcast(&bell->changed);
    pthread_mutex_unlock(&bell->mutex);
}

static inline void bell_init(bell_t *bell)
{
    *bell = (bell_t){.rung = 0};
    pthread_mutex_init(&bell->mutex, NULL);
    pthread_cond_init(&bell->changed, NULL);
}

static inline weir_waker_t bell_waker(bell_t *bell)
{
    bell_give(bell);
    return (weir_waker_t){.wake = bell_ring, .release = bell_release, .context = bell};
}

static inline unsigned bell_count(bell_t *bell)
{
    pthread_mutex_lock(&bell->mutex);
    unsigned rung = bell->rung;
    pthread_mutex_unlock(&bell->mutex);
    return rung;
}

static inline struct timespec patience(void)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += PATIENCE_SECONDS;
    return deadline;
}

/* Wait until the bell has rung more than `seen` times. */
static inline void bell_wait(bell_t *bell, unsigned seen)
{
    struct timespec deadline = patience();
    int late = 0;
    pthread_mutex_lock(&bell->mutex);
    while (bell->rung == seen && late == 0)
        late = pthread_cond_timedwait(&bell->changed, &bell->mutex, &deadline);
    pthread_mutex_unlock(&bell->mutex);
    if (late != 0)
        fail_msg("nobody called the waker");
}

/* Wait until the waker has been released, and check that it was once. */
static inline void bell_free(bell_t *bell)
{
    struct timespec deadline = patience();
    int late = 0;
    pthread_mutex_lock(&bell->mutex);
    while (bell->released == 0 && late == 0)
        late = pthread_cond_timedwait(&bell->changed, &bell->mutex, &deadline);
    unsigned released = bell->released;
    pthread_mutex_unlock(&bell->mutex);
    assert_int_equal(released, 1);
    pthread_cond_destroy(&bell->changed);
    pthread_mutex_destroy(&bell->mutex);
}

/* ---- A guest with its manifest ---- */

typedef struct stage {
    weir_component_t component;
    weir_http_trigger_t trigger;
    weir_manifest_t manifest;
    weir_route_t route;
    weir_guest_t *guest;
} stage_t;

static char stage_path[] = "spin.toml";
static char stage_id[] = "hello";
static char stage_source[] = "hello.wasm";

/* The environment of components to come. */
static weir_variable_t *stage_environment;
static size_t stage_environment_count;

/* All but the guest, at the route "/hi/...". The stage must not be moved afterwards. */
static inline void stage_prepare(stage_t *stage, engine_t *engine)
{
    engine_handle_traps(engine);
    *stage = (stage_t){.component = {.id = stage_id,
                           .source = stage_source,
                           .source_place = {7, 10},
                           .environment = stage_environment,
                           .environment_count = stage_environment_count}};
    stage->manifest = (weir_manifest_t){.path = stage_path, .components = &stage->component, .component_count = 1};
    stage->route = (weir_route_t){.trigger = &stage->trigger,
        .raw = "/hi/...",
        .matched = "/hi/...",
        .base = "/hi",
        .raw_base = "/hi",
        .wildcard = true};
}

/* Make a guest at the route "/hi/..." from wasm, which is freed. The stage must not be moved afterwards. */
static inline void stage_init(stage_t *stage, engine_t *engine, wasm_byte_vec_t wasm)
{
    stage_prepare(stage, engine);
    weir_guest_file_t file = {.bytes = wasm.data, .size = wasm.size};
    char *message = NULL;
    weir_guest_code_t *code = weir_guest_code_new();
    assert_non_null(code);
    bool made = weir_guest_code_compile(code, engine->engine, &stage->manifest, &stage->component, &file, &message) &&
                weir_guest_new(engine->engine, &stage->manifest, &stage->component, code,
                    &(weir_guest_settings_t){.output = WEIR_GUEST_OUTPUT_LOGGED}, &stage->guest, &message);
    weir_guest_code_free(code);
    wasm_byte_vec_delete(&wasm);
    if (!made)
        fail_msg("%s", message);
}

static inline void stage_free(stage_t *stage)
{
    weir_guest_free(stage->guest);
}

/* ---- A request ---- */

/* Zero it, and fill in what is not as usual. */
typedef struct ask {
    const char *method; /* GET */
    const char *target; /* /hi/there?a=1&b=2 */
    const weir_pair_t *headers;
    size_t header_count;
    const char *body; /* NULL: none */
    size_t body_size;
    bool chunked;     /* the body's length is not told in advance */
    size_t piece;     /* feed so many bytes at once; 0: all */
    bool abort;       /* the client goes away instead of ending its body */
    size_t take;      /* take so many bytes of the response at once; 0: all */
    bool leave_early; /* free the exchange as soon as there is a head */
} ask_t;

static inline weir_request_t request_of(const ask_t *ask)
{
    const char *target = ask->target != NULL ? ask->target : "/hi/there?a=1&b=2";
    size_t path_size = strcspn(target, "?");
    const char *query = target + path_size + (target[path_size] == '?');
    return (weir_request_t){.method = bytes_of(ask->method != NULL ? ask->method : "GET"),
        .target = bytes_of(target),
        .path = {target, path_size},
        .query = bytes_of(query),
        .host = bytes_of("example.com:3000"),
        .version = bytes_of("HTTP/1.1"),
        .headers = ask->headers,
        .header_count = ask->header_count,
        .has_body = ask->body != NULL,
        .content_length = ask->body == NULL ? 0
                          : ask->chunked    ? -1
                                            : (int64_t)ask->body_size,
        .client_address = "192.0.2.7:4711",
        .client_ip = "192.0.2.7",
        .server_port = 3000};
}

static inline weir_route_match_t match_of(const stage_t *stage, const weir_request_t *request)
{
    const size_t base_size = sizeof "/hi" - 1;
    return (weir_route_match_t){.route = &stage->route,
        .path_info = request->path.data + base_size,
        .path_info_size = request->path.size - base_size};
}

/* ---- What came of it ---- */

typedef struct answer {
    bool started;
    bool had_head;
    weir_exchange_state_t state; /* the last */
    uint16_t status;
    int64_t content_length;
    text_t headers; /* "name: value\n" for each */
    text_t body;
    bool complete;      /* the body ended as it should */
    bool ended_at_head; /* the guest had ended when its head was there */
    bool ended;         /* it had in the end */
    char *log;
} answer_t;

static inline void answer_free(answer_t *answer)
{
    free(answer->headers.bytes);
    free(answer->body.bytes);
    free(answer->log);
}

static inline void take_head(weir_exchange_t *exchange, answer_t *answer)
{
    answer->had_head = true;
    answer->status = weir_exchange_status(exchange);
    answer->content_length = weir_exchange_content_length(exchange);
    answer->ended_at_head = weir_exchange_ended(exchange);
    for (size_t i = 0; i < weir_exchange_header_count(exchange); i++) {
        weir_pair_t header = weir_exchange_header(exchange, i);
        text_append(&answer->headers, header.name.data, header.name.size);
        text_append(&answer->headers, ": ", 2);
        text_append(&answer->headers, header.value.data, header.value.size);
        text_append(&answer->headers, "\n", 1);
    }
}

static inline void take_body(weir_exchange_t *exchange, const ask_t *ask, answer_t *answer)
{
    for (;;) {
        weir_bytes_t bytes = weir_exchange_body(exchange);
        if (bytes.size == 0)
            return;
        if (ask->take > 0 && bytes.size > ask->take)
            bytes.size = ask->take;
        text_append(&answer->body, bytes.data, bytes.size);
        weir_exchange_consume(exchange, bytes.size);
    }
}

/* Feed what can be fed; `*fed` counts. At the end says so, once. */
static inline void feed(weir_exchange_t *exchange, const ask_t *ask, size_t *fed, bool *fed_end)
{
    while (ask->body != NULL && !*fed_end) {
        size_t size = ask->body_size - *fed;
        if (size == 0) {
            weir_exchange_feed_end(exchange, ask->abort);
            *fed_end = true;
            return;
        }
        if (ask->piece > 0 && size > ask->piece)
            size = ask->piece;
        size_t taken = weir_exchange_feed(exchange, (weir_bytes_t){ask->body + *fed, size});
        *fed += taken;
        if (taken == 0)
            return;
    }
}

static inline void run_started(weir_exchange_t *exchange, bell_t *bell, const ask_t *ask, answer_t *answer)
{
    size_t fed = 0;
    bool fed_end = false;
    for (;;) {
        unsigned seen = bell_count(bell);
        feed(exchange, ask, &fed, &fed_end);
        answer->state = weir_exchange_poll(exchange);
        if (answer->state == WEIR_EXCHANGE_FAILED)
            break;
        if (answer->state == WEIR_EXCHANGE_HEAD) {
            if (!answer->had_head)
                take_head(exchange, answer);
            if (ask->leave_early)
                break;
            take_body(exchange, ask, answer);
            answer->complete = weir_exchange_body_ended(exchange);
            if (answer->complete && weir_exchange_ended(exchange))
                break;
        }
        bell_wait(bell, seen);
    }
    if (!answer->had_head)
        answer->status = weir_exchange_status(exchange);
    answer->ended = weir_exchange_ended(exchange);
}

/* Run a request to its end. */
static inline answer_t run(const stage_t *stage, const ask_t *ask)
{
    answer_t answer = {.state = WEIR_EXCHANGE_PENDING};
    bell_t bell;
    bell_init(&bell);
    weir_request_t request = request_of(ask);
    weir_route_match_t match = match_of(stage, &request);
    weir_exchange_t *exchange = NULL;
    capture_t capture = capture_begin();
    answer.started = weir_exchange_start(stage->guest, &request, &match, bell_waker(&bell), &exchange);
    if (answer.started)
        run_started(exchange, &bell, ask, &answer);
    else
        assert_null(exchange);
    weir_exchange_free(exchange);
    bell_free(&bell);
    answer.log = capture_end(capture);
    return answer;
}

/* The same for a guest that is made for this one request. */
static inline answer_t run_once(engine_t *engine, wasm_byte_vec_t wasm, const ask_t *ask)
{
    stage_t stage;
    stage_init(&stage, engine, wasm);
    answer_t answer = run(&stage, ask);
    stage_free(&stage);
    return answer;
}

#endif
