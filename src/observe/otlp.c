/*
 * otlp.c: batches as OpenTelemetry's batching span processor makes them, attempts and pauses as OTLP's specification
 * says (opentelemetry-proto, docs/specification.md, "OTLP/HTTP").
 */
#include "observe/otlp.h"

#include "observe/clock.h"
#include "observe/log.h"
#include "observe/otlp_answer.h"
#include "observe/record_queue.h"
#include "observe/thread.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STACK_BYTES = 1 << 19,           /* the bridge runs on it */
    RECORD_BYTES = 512,              /* what a record takes in a queue, as a rule */
    FIRST_PAUSE_MILLISECONDS = 1000, /* before another attempt; then it doubles */
    LAST_PAUSE_MILLISECONDS = 16000,
    NEWS_MILLISECONDS = 60 * 1000, /* between lines about what was lost */
};

typedef enum rest {
    REST_NONE = 0,
    REST_FILL = 1,  /* it is woken when there is a batch */
    REST_SLEEP = 2, /* and then by everything */
} rest_t;

struct weir_otlp {
    weir_otlp_settings_t settings;
    weir_otlp_form_t form;
    const char *version;
    weir_otlp_post_t post;
    weir_metrics_t *metrics; /* or NULL */
    char place[80];          /* the collector, for people: scheme, host and port */
    unsigned queue_count;

    sem_t wake;
    sem_t ended;
    atomic_int rest; /* a rest_t */
    atomic_bool is_ending;
    atomic_uint_least64_t end_at; /* on the monotonic clock, in milliseconds; once it ends */
    atomic_uint waiting;          /* spans in the queues */
    atomic_uint_least64_t lost;

    /* The thread's. */
    pthread_t thread;
    bool has_thread;
    uint64_t told; /* of what was lost */
    uint64_t tell_at;
    char reason[WEIR_OTLP_REASON_BYTES]; /* of the last loss; "": no room in a queue */
    weir_otlp_bytes_t bytes;
    weir_otlp_answer_t answer;
    weir_record_queue_t *queues[];
};

static void count(const weir_otlp_t *otlp, weir_process_counter_t counter, uint64_t spans)
{
    if (otlp->metrics != NULL)
        weir_metrics_count(otlp->metrics, counter, spans);
}

/* Also to be told of. */
static void count_lost(weir_otlp_t *otlp, uint64_t spans)
{
    atomic_fetch_add_explicit(&otlp->lost, spans, memory_order_relaxed);
    count(otlp, WEIR_PROCESS_SPANS_LOST, spans);
}

/* ---- News -------------------------------------------------------------------------------------------------------- */

static void tell(weir_otlp_t *otlp, bool always)
{
    uint64_t lost = atomic_load_explicit(&otlp->lost, memory_order_relaxed);
    uint64_t now = lost == otlp->told ? 0 : weir_monotonic_milliseconds();
    if (lost == otlp->told || (now < otlp->tell_at && !always))
        return;
    weir_log(WEIR_LOG_WARNING, "lost %" PRIu64 " %s for the collector at %s: %s", lost - otlp->told,
        lost - otlp->told == 1 ? "span" : "spans", otlp->place,
        otlp->reason[0] == '\0' ? "more came than it took meanwhile" : otlp->reason);
    otlp->told = lost;
    otlp->tell_at = now + NEWS_MILLISECONDS;
    otlp->reason[0] = '\0';
}

__attribute__((format(printf, 3, 4))) static void lose(weir_otlp_t *otlp, uint64_t spans, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(otlp->reason, sizeof otlp->reason, format, arguments);
    va_end(arguments);
    count_lost(otlp, spans);
    tell(otlp, false);
}

/* ---- Sending ----------------------------------------------------------------------------------------------------- */

/* Do nothing for a time, unless the end comes. */
static void rest_for(weir_otlp_t *otlp, uint64_t milliseconds)
{
    uint64_t until = weir_monotonic_milliseconds() + milliseconds;
    for (uint64_t now = weir_monotonic_milliseconds(); now < until && !atomic_load(&otlp->is_ending);
        now = weir_monotonic_milliseconds())
        (void)weir_semaphore_wait(&otlp->wake, until - now);
}

/* Whether another attempt may end better. */
static bool is_worth_another(const weir_otlp_answer_t *answer)
{
    unsigned status = answer->status;
    return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

/* Doubled each time, and spread by a fifth, so that many who lost a collector do not come back at once. */
static uint64_t pause_after(unsigned attempt, const weir_otlp_answer_t *answer)
{
    uint64_t pause = (uint64_t)FIRST_PAUSE_MILLISECONDS << (attempt < 4 ? attempt : 4);
    unsigned char random;
    if (answer->retry_after_milliseconds > 0)
        return answer->retry_after_milliseconds;
    pause = pause < LAST_PAUSE_MILLISECONDS ? pause : LAST_PAUSE_MILLISECONDS;
    weir_trace_random(&random, sizeof random);
    return pause * (205 + random % 103) / 256;
}

/* Until when a batch may be tried. The end of the exporter may come meanwhile. */
static uint64_t limit_of(const weir_otlp_t *otlp, uint64_t deadline)
{
    uint64_t end = atomic_load(&otlp->is_ending) ? atomic_load(&otlp->end_at) : UINT64_MAX;
    return end < deadline ? end : deadline;
}

static void take_answer(weir_otlp_t *otlp, uint64_t spans)
{
    const weir_otlp_answer_t *answer = &otlp->answer;
    uint64_t rejected = 0;
    char message[WEIR_OTLP_REASON_BYTES / 2];
    if (answer->status < 200 || answer->status > 299) {
        if (answer->status == 0)
            lose(otlp, spans, "%s", answer->reason);
        else
            lose(otlp, spans, "it answered with status %u", answer->status);
        return;
    }
    if (weir_otlp_read_rejected(answer->body, answer->body_size, otlp->form.json, &rejected, message, sizeof message) &&
        rejected > 0) {
        rejected = rejected < spans ? rejected : spans;
        lose(otlp, rejected, "it took only some: %s", message);
    }
    count(otlp, WEIR_PROCESS_SPANS_EXPORTED, spans - rejected);
}

/* Post what is in `bytes`, again and again while that may help and there is time. */
static void send(weir_otlp_t *otlp, uint64_t spans)
{
    const weir_otlp_settings_t *settings = &otlp->settings;
    uint64_t deadline = weir_monotonic_milliseconds() + settings->export_milliseconds;
    weir_otlp_request_t request = {
        .url = settings->url,
        .certificate = settings->certificate,
        .headers = settings->headers,
        .header_count = settings->header_count,
        .content_type = otlp->form.json ? "application/json" : "application/x-protobuf",
        .body = otlp->bytes.data,
        .body_size = otlp->bytes.size,
    };
    for (unsigned attempt = 0;; attempt++) {
        uint64_t now = weir_monotonic_milliseconds();
        uint64_t limit = limit_of(otlp, deadline);
        if (now >= limit)
            break;
        request.timeout_milliseconds =
            settings->timeout_milliseconds < limit - now ? settings->timeout_milliseconds : limit - now;
        otlp->answer.status = 0;
        otlp->answer.body_size = 0;
        otlp->answer.retry_after_milliseconds = 0;
        otlp->answer.reason[0] = '\0';
        otlp->post(&request, &otlp->answer);
        /* At the end each batch has one attempt, so that a collector that is away holds up no stop. */
        if (!is_worth_another(&otlp->answer) || atomic_load(&otlp->is_ending))
            break;
        uint64_t pause = pause_after(attempt, &otlp->answer);
        if (weir_monotonic_milliseconds() + pause >= deadline)
            break;
        tell(otlp, false); /* of what found no room meanwhile */
        rest_for(otlp, pause);
    }
    take_answer(otlp, spans);
}

/* Send a batch of what waits, if anything does; returns whether something did. */
static bool export_batch(weir_otlp_t *otlp)
{
    const weir_otlp_settings_t *settings = &otlp->settings;
    unsigned spans = 0;
    weir_otlp_begin(&otlp->bytes, &otlp->form, settings->resource, settings->resource_count, otlp->version);
    for (bool more = true; more && spans < settings->batch_size;) {
        more = false;
        for (unsigned i = 0; i < otlp->queue_count && spans < settings->batch_size; i++) {
            const weir_request_record_t *record = weir_record_queue_first(otlp->queues[i]);
            if (record == NULL)
                continue;
            weir_otlp_add(&otlp->bytes, &otlp->form, record);
            weir_record_queue_drop(otlp->queues[i]);
            spans++;
            more = true;
        }
    }
    atomic_fetch_sub(&otlp->waiting, spans);
    if (spans == 0)
        return false;
    weir_otlp_end(&otlp->bytes, &otlp->form);
    if (otlp->bytes.failed) {
        weir_otlp_bytes_free(&otlp->bytes);
        lose(otlp, spans, "out of memory");
    } else {
        send(otlp, spans);
    }
    return true;
}

/* ---- The thread -------------------------------------------------------------------------------------------------- */

/* Wait for a span; what came before it was seen that the thread sleeps is found by looking once more. */
static void await_span(weir_otlp_t *otlp)
{
    atomic_store(&otlp->rest, REST_SLEEP);
    while (!atomic_load(&otlp->is_ending) && atomic_load(&otlp->waiting) == 0)
        sem_wait(&otlp->wake);
    atomic_store(&otlp->rest, REST_NONE);
}

/* Wait until there is a batch, or those that there are have waited long enough. */
static void await_batch(weir_otlp_t *otlp)
{
    uint64_t until = weir_monotonic_milliseconds() + otlp->settings.delay_milliseconds;
    atomic_store(&otlp->rest, REST_FILL);
    for (uint64_t now = weir_monotonic_milliseconds(); now < until; now = weir_monotonic_milliseconds()) {
        if (atomic_load(&otlp->is_ending) || atomic_load(&otlp->waiting) >= otlp->settings.batch_size)
            break;
        atomic_store(&otlp->rest, REST_FILL);
        (void)weir_semaphore_wait(&otlp->wake, until - now);
    }
    atomic_store(&otlp->rest, REST_NONE);
}

static void *export_spans(void *context)
{
    weir_otlp_t *otlp = context;
    for (;;) {
        bool is_ending = atomic_load(&otlp->is_ending); /* before the last look */
        if (!is_ending) {
            await_span(otlp);
            await_batch(otlp);
        }
        if (!export_batch(otlp) && is_ending)
            break;
    }
    sem_post(&otlp->ended);
    return NULL;
}

static void take(void *context, const weir_request_record_t *record)
{
    weir_otlp_t *otlp = context;
    if ((record->trace.flags & WEIR_TRACE_SAMPLED) == 0 || !weir_trace_has_span(&record->trace))
        return;
    weir_record_queue_t *queue = otlp->queues[record->loop < otlp->queue_count ? record->loop : 0];
    unsigned before = atomic_fetch_add(&otlp->waiting, 1);
    if (before >= otlp->settings.queue_size || !weir_record_queue_put(queue, record)) {
        atomic_fetch_sub(&otlp->waiting, 1);
        count_lost(otlp, 1);
        return;
    }
    int rest = atomic_load(&otlp->rest);
    if ((rest == REST_SLEEP || (rest == REST_FILL && before + 1 >= otlp->settings.batch_size)) &&
        atomic_exchange(&otlp->rest, REST_NONE) != REST_NONE)
        sem_post(&otlp->wake);
}

/* ---- The exporter ------------------------------------------------------------------------------------------------ */

static void free_otlp(weir_otlp_t *otlp)
{
    for (unsigned i = 0; i < otlp->queue_count; i++)
        weir_record_queue_free(otlp->queues[i]);
    weir_otlp_bytes_free(&otlp->bytes);
    weir_otlp_settings_free(&otlp->settings);
    sem_destroy(&otlp->wake);
    sem_destroy(&otlp->ended);
    free(otlp);
}

weir_otlp_t *weir_otlp_new(weir_otlp_settings_t *take_settings, bool omits_queries, const char *version,
    weir_otlp_post_t post, unsigned loops, weir_metrics_t *metrics)
{
    weir_otlp_t *otlp = calloc(1, sizeof *otlp + loops * sizeof(weir_record_queue_t *));
    if (otlp == NULL) {
        weir_otlp_settings_free(take_settings);
        return NULL;
    }
    otlp->settings = *take_settings;
    memset(take_settings, 0, sizeof *take_settings);
    otlp->form = (weir_otlp_form_t){otlp->settings.json, omits_queries};
    otlp->version = version;
    otlp->post = post;
    otlp->metrics = metrics;
    const char *host = strstr(otlp->settings.url, "://");
    size_t shown = host == NULL ? 0 : (size_t)(host - otlp->settings.url) + 3;
    shown += strcspn(otlp->settings.url + shown, "/?#");
    snprintf(otlp->place, sizeof otlp->place, "%.*s", (int)shown, otlp->settings.url);
    sem_init(&otlp->wake, 0, 0);
    sem_init(&otlp->ended, 0, 0);
    size_t bytes = (size_t)otlp->settings.queue_size / (loops == 0 ? 1 : loops) * RECORD_BYTES;
    for (bool made = true; made && otlp->queue_count < loops;) {
        otlp->queues[otlp->queue_count] = weir_record_queue_new(bytes);
        made = otlp->queues[otlp->queue_count] != NULL;
        otlp->queue_count += made ? 1 : 0;
    }
    if (otlp->queue_count < loops) {
        free_otlp(otlp);
        return NULL;
    }
    return otlp;
}

bool weir_otlp_start(weir_otlp_t *otlp)
{
    int error = weir_thread_start_unsignalled(&otlp->thread, STACK_BYTES, export_spans, otlp);
    otlp->has_thread = error == 0;
    errno = error;
    return otlp->has_thread;
}

const weir_sampler_t *weir_otlp_sampler(const weir_otlp_t *otlp)
{
    return &otlp->settings.sampler;
}

weir_request_sink_t weir_otlp_sink(weir_otlp_t *otlp)
{
    return (weir_request_sink_t){take, otlp};
}

/* Let the thread end, in time. False when it has not: an attempt is under way whose own time is not over. */
static bool end_thread(weir_otlp_t *otlp)
{
    if (!otlp->has_thread)
        return true;
    atomic_store(&otlp->end_at, weir_monotonic_milliseconds() + WEIR_OTLP_MILLISECONDS_TO_END);
    atomic_store(&otlp->is_ending, true);
    sem_post(&otlp->wake);
    bool has_ended = weir_semaphore_wait(&otlp->ended, WEIR_OTLP_MILLISECONDS_TO_END + 1000);
    if (has_ended)
        pthread_join(otlp->thread, NULL);
    else
        pthread_detach(otlp->thread);
    return has_ended;
}

bool weir_otlp_free(weir_otlp_t *own_otlp)
{
    if (own_otlp == NULL)
        return true;
    if (!end_thread(own_otlp)) {
        weir_log(WEIR_LOG_WARNING, "the collector at %s did not answer within %d seconds: it lacks the last spans",
            own_otlp->place, WEIR_OTLP_MILLISECONDS_TO_END / 1000);
        return false; /* the thread may still use it, and the process ends */
    }
    tell(own_otlp, true);
    free_otlp(own_otlp);
    return true;
}
