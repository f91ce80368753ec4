/*
 * collector.c: between what the exporter posts and what the bridge takes.
 */
#include "cli/collector.h"

#include "weir_bridge.h"

#include <stdio.h>
#include <string.h>

enum { HEADERS_MAX = WEIR_OTLP_HEADERS_MAX + 2 };

/* As RFC 9110, section 5.6.7, writes it now. */
static bool parse_date(const char *text, time_t *ret_time)
{
    struct tm parts = {.tm_isdst = 0};
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (end == NULL || *end != '\0') {
        return false;
    }
    *ret_time = timegm(&parts);
    return true;
}

uint64_t weir_collector_retry_after(const char *text, time_t now)
{
    enum { MOST_SECONDS = 60 * 60 };
    uint64_t seconds = 0;
    time_t then;
    if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0') {
        for (; *text != '\0' && seconds <= MOST_SECONDS; text++) {
            seconds = seconds * 10 + (uint64_t)(*text - '0');
        }
    } else if (parse_date(text, &then) && then > now) {
        seconds = (uint64_t)(then - now);
    }
    return (seconds < MOST_SECONDS ? seconds : MOST_SECONDS) * 1000;
}

static weir_bytes_t bytes_of(const char *text)
{
    return (weir_bytes_t){text, strlen(text)};
}

void weir_collector_post(const weir_otlp_request_t *request, weir_otlp_answer_t *ret_answer)
{
    weir_pair_t headers[HEADERS_MAX] = {
        {bytes_of("content-type"), bytes_of(request->content_type)},
        {bytes_of("user-agent"), bytes_of("weir/" WEIR_VERSION)},
    };
    size_t count = 2;
    for (size_t i = 0; i < request->header_count && count < HEADERS_MAX; i++) {
        headers[count++] = (weir_pair_t){bytes_of(request->headers[i].name), bytes_of(request->headers[i].value)};
    }
    const weir_post_t post = {.size = sizeof post,
        .url = request->url,
        .authorities = request->certificate,
        .headers = headers,
        .header_count = count,
        .body = {request->body, request->body_size},
        .timeout_milliseconds = request->timeout_milliseconds,
        .answer_bytes_max = sizeof ret_answer->body};
    weir_post_answer_t answer;
    char *why;
    if (!weir_post(&post, &answer, &why)) {
        snprintf(ret_answer->reason, sizeof ret_answer->reason, "%s", why);
        weir_bridge_text_free(why);
        return;
    }
    ret_answer->status = answer.status;
    ret_answer->retry_after_milliseconds =
        answer.retry_after == NULL ? 0 : weir_collector_retry_after(answer.retry_after, time(NULL));
    ret_answer->body_size = answer.body.size < sizeof ret_answer->body ? answer.body.size : sizeof ret_answer->body;
    if (ret_answer->body_size > 0) {
        memcpy(ret_answer->body, answer.body.data, ret_answer->body_size);
    }
    weir_bridge_text_free(answer.retry_after);
    wasm_byte_vec_delete(&answer.body);
}
