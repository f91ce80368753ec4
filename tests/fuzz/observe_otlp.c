/*
 * observe_otlp.c: fuzzes OpenTelemetry's variables (an input is lines "NAME=value"), what a collector answers, and
 * spans of requests with such texts.
 */
#include "fuzz.h"
#include "observe/otlp_answer.h"
#include "observe/otlp_settings.h"
#include "observe/otlp_span.h"

enum { VARIABLES = 16 };

static void read_settings(const char *text)
{
    char *environment[VARIABLES + 1] = {NULL};
    char *lines = strdup(text);
    char *rest = lines;
    weir_otlp_settings_t settings;
    for (size_t i = 0; lines != NULL && i < VARIABLES && rest != NULL; i++)
        environment[i] = strsep(&rest, "\n");
    must_hold(weir_otlp_settings_read(environment, "application", NULL, "1", &settings));
    must_hold(settings.header_count <= WEIR_OTLP_HEADERS_MAX && settings.resource_count <= WEIR_OTLP_RESOURCE_MAX);
    must_hold(settings.batch_size <= settings.queue_size && settings.queue_size <= WEIR_OTLP_QUEUE_MAX);
    must_hold(!settings.is_on || (settings.url != NULL && settings.batch_size > 0));
    for (size_t i = 0; i < settings.header_count; i++)
        must_hold(
            strpbrk(settings.headers[i].name, "\r\n: ") == NULL && strpbrk(settings.headers[i].value, "\r\n") == NULL);
    weir_otlp_settings_free(&settings);
    free(lines);
}

static void write_span(const char *text, bool json)
{
    const weir_otlp_form_t form = {json, false};
    weir_otlp_bytes_t bytes = {.data = NULL};
    weir_request_record_t record = {.component = text,
        .route = text,
        .method = text,
        .target = text,
        .host = text,
        .client = text,
        .admitted_at = 1,
        .trace = {.trace_id = "x", .span_id = "y"}};
    weir_otlp_begin(&bytes, &form, NULL, 0, "1");
    weir_otlp_add(&bytes, &form, &record);
    weir_otlp_end(&bytes, &form);
    must_hold(!bytes.failed && bytes.size > 0 && bytes.data[0] == (json ? '{' : 0x0a));
    weir_otlp_bytes_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = copy_text(data, size);
    char message[64];
    uint64_t rejected;
    read_settings(text);
    for (int json = 0; json < 2; json++) {
        write_span(text, json == 1);
        char *exact = malloc(size == 0 ? 1 : size);
        must_hold(exact != NULL);
        if (size > 0)
            memcpy(exact, data, size);
        if (weir_otlp_read_rejected(exact, size, json == 1, &rejected, message, sizeof message))
            must_hold(memchr(message, '\0', sizeof message) != NULL);
        free(exact);
    }
    free(text);
    return 0;
}
