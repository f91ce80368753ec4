/*
 * test_otlp_settings.c: OpenTelemetry's variables for traces, as its specification has them, and what is said of those
 * that weir does not serve.
 */
#include "observe/otlp_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define ENDPOINT "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318"

enum { VARIABLES = 6 };

static weir_otlp_settings_t read_of(const char *const *variables)
{
    char *environment[VARIABLES + 1] = {NULL};
    for (size_t i = 0; i < VARIABLES && variables[i] != NULL; i++)
        environment[i] = strdup(variables[i]);
    weir_otlp_settings_t settings;
    assert_true(weir_otlp_settings_read(environment, "application", "1.2", "0.1", &settings));
    for (size_t i = 0; i < VARIABLES; i++)
        free(environment[i]);
    return settings;
}

/* The warnings, one a line. */
static void join_warnings(const weir_otlp_settings_t *settings, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < settings->warning_count; i++) {
        assert_null(strchr(settings->warnings[i], '\n'));
        size_t length = strlen(text);
        snprintf(text + length, size - length, "%s\n", settings->warnings[i]);
    }
}

static void test_spans_are_exported_where_there_is_an_endpoint(void **state)
{
    (void)state;
    static const struct {
        const char *variables[VARIABLES];
        const char *url; /* NULL: they are not */
        const char *warning;
    } cases[] = {
        {{NULL}, NULL, NULL},
        {{"OTEL_EXPORTER_OTLP_ENDPOINT="}, NULL, NULL},
        {{ENDPOINT}, "http://collector:4318/v1/traces", NULL},
        {{"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318/"}, "http://collector:4318/v1/traces", NULL},
        {{"OTEL_EXPORTER_OTLP_ENDPOINT=https://c/base"}, "https://c/base/v1/traces", NULL},
        {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c/x"}, "http://c/x", NULL},
        {{ENDPOINT, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c"}, "http://c", NULL},
        {{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317"}, NULL, "OTEL_EXPORTER_OTLP_ENDPOINT is no http or https URL"},
        {{"OTEL_EXPORTER_OTLP_ENDPOINT=http://user:secret@c/"}, NULL, "is no http or https URL"},
        {{"OTEL_EXPORTER_OTLP_ENDPOINT=http:///x"}, NULL, "is no http or https URL"},
        {{ENDPOINT, "OTEL_SDK_DISABLED=true"}, NULL, NULL},
        {{ENDPOINT, "OTEL_SDK_DISABLED=TRUE"}, NULL, NULL},
        {{ENDPOINT, "OTEL_SDK_DISABLED=false"}, "http://collector:4318/v1/traces", NULL},
        {{ENDPOINT, "OTEL_SDK_DISABLED=1"}, "http://collector:4318/v1/traces", NULL}, /* only true is true */
        {{ENDPOINT, "OTEL_TRACES_EXPORTER=none"}, NULL, NULL},
        {{ENDPOINT, "OTEL_TRACES_EXPORTER=otlp"}, "http://collector:4318/v1/traces", NULL},
        {{ENDPOINT, "OTEL_TRACES_EXPORTER=console, otlp"}, "http://collector:4318/v1/traces", "'console'"},
        {{ENDPOINT, "OTEL_TRACES_EXPORTER=zipkin"}, NULL, "'zipkin' is not served"},
        {{ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, NULL, "OTEL_EXPORTER_OTLP_PROTOCOL is grpc"},
        {{ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json"},
            "http://collector:4318/v1/traces", NULL},
        {{ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL=thrift"}, "http://collector:4318/v1/traces", "is 'thrift'"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char warnings[2048];
        weir_otlp_settings_t settings = read_of(cases[i].variables);
        join_warnings(&settings, warnings, sizeof warnings);
        if (settings.is_on != (cases[i].url != NULL))
            fail_msg("case %zu: %s", i, settings.is_on ? "on" : "off");
        if (settings.is_on)
            assert_string_equal(settings.url, cases[i].url);
        if (cases[i].warning == NULL)
            assert_string_equal(warnings, "");
        else if (strstr(warnings, cases[i].warning) == NULL)
            fail_msg("case %zu: %s", i, warnings);
        assert_null(strstr(warnings, "secret"));
        weir_otlp_settings_free(&settings);
    }
}

static void test_without_more_it_is_as_the_specification_says(void **state)
{
    (void)state;
    weir_otlp_settings_t settings = read_of((const char *const[VARIABLES]){ENDPOINT});
    assert_false(settings.json);
    assert_null(settings.certificate);
    assert_int_equal(settings.header_count, 0);
    assert_int_equal(settings.timeout_milliseconds, 10000);
    assert_int_equal(settings.export_milliseconds, 30000);
    assert_int_equal(settings.delay_milliseconds, 5000);
    assert_int_equal(settings.queue_size, 2048);
    assert_int_equal(settings.batch_size, 512);
    assert_int_equal(settings.sampler.kind, WEIR_SAMPLER_ALWAYS_ON);
    assert_true(settings.sampler.parent_decides);
    weir_otlp_settings_free(&settings);
}

/* "name=value;" each, in their order. */
static void join(const weir_otlp_text_t *texts, size_t count, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(text);
        snprintf(text + length, size - length, "%s=%s;", texts[i].name, texts[i].value);
    }
}

static void test_lists_are_decoded_and_what_is_malformed_in_them_is_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *variables[VARIABLES];
        const char *headers;
        const char *resource; /* what comes before telemetry.sdk.name */
        unsigned warnings;
    } cases[] = {
        {{ENDPOINT}, "", "service.name=application;service.version=1.2;", 0},
        {{ENDPOINT, "OTEL_EXPORTER_OTLP_HEADERS=a=1, b = two%20words ,c="}, "a=1;b=two words;c=;",
            "service.name=application;service.version=1.2;", 0},
        {{ENDPOINT, "OTEL_EXPORTER_OTLP_HEADERS=a=1", "OTEL_EXPORTER_OTLP_TRACES_HEADERS=b=2"}, "b=2;",
            "service.name=application;service.version=1.2;", 0},
        {{ENDPOINT, "OTEL_EXPORTER_OTLP_HEADERS=a,=b,c d=e,f=%0d%0aevil: 1,Host=x,content-length=1,g=%00,h=1"}, "h=1;",
            "service.name=application;service.version=1.2;", 7},
        {{ENDPOINT, "OTEL_EXPORTER_OTLP_HEADERS=a=b=c,d=%zz%4"}, "a=b=c;d=%zz%4;",
            "service.name=application;service.version=1.2;", 0},
        {{ENDPOINT, "OTEL_SERVICE_NAME=service"}, "", "service.name=service;", 0},
        {{ENDPOINT, "OTEL_RESOURCE_ATTRIBUTES=service.name=other,k=v%2C"}, "",
            "service.name=other;k=v,;service.version=1.2;", 0},
        {{ENDPOINT, "OTEL_RESOURCE_ATTRIBUTES=service.name=other,k=v", "OTEL_SERVICE_NAME=service"}, "",
            "service.name=service;k=v;", 0},
        {{ENDPOINT, "OTEL_RESOURCE_ATTRIBUTES=nonsense,,k=v"}, "", "k=v;service.name=application;service.version=1.2;",
            1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[2048];
        weir_otlp_settings_t settings = read_of(cases[i].variables);
        join(settings.headers, settings.header_count, text, sizeof text);
        assert_string_equal(text, cases[i].headers);
        join(settings.resource, settings.resource_count, text, sizeof text);
        char *own = strstr(text, "telemetry.sdk.name=weir;telemetry.sdk.language=c;telemetry.sdk.version=0.1;");
        assert_non_null(own);
        *own = '\0';
        assert_string_equal(text, cases[i].resource);
        if (settings.warning_count != cases[i].warnings)
            fail_msg("case %zu: %zu warnings", i, settings.warning_count);
        join_warnings(&settings, text, sizeof text);
        assert_null(strstr(text, "evil"));
        weir_otlp_settings_free(&settings);
    }
}

static void test_lists_are_bounded(void **state)
{
    (void)state;
    static char list[8192] = "OTEL_EXPORTER_OTLP_HEADERS=";
    for (unsigned i = 0; i < WEIR_OTLP_HEADERS_MAX + 40; i++) {
        size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, "h%u=%u,", i, i);
    }
    weir_otlp_settings_t settings = read_of((const char *const[VARIABLES]){ENDPOINT, list});
    assert_int_equal(settings.header_count, WEIR_OTLP_HEADERS_MAX);
    assert_int_equal(settings.warning_count, WEIR_OTLP_WARNINGS_MAX);
    weir_otlp_settings_free(&settings);
    memcpy(list, "OTEL_RESOURCE_ATTRIBUTES=a=", 27);
    settings = read_of((const char *const[VARIABLES]){ENDPOINT, list});
    assert_true(settings.resource_count <= WEIR_OTLP_RESOURCE_MAX);
    weir_otlp_settings_free(&settings);
}

static void test_numbers_outside_their_bounds_are_warned_of_and_count_as_not_set(void **state)
{
    (void)state;
    static const char *const values[] = {
        "-1", "many", "1e3", "", "99999999999999999999", " 5", "5 ", "0x10", "3600001"};
    for (size_t i = 0; i < COUNT(values); i++) {
        char variable[80];
        snprintf(variable, sizeof variable, "OTEL_EXPORTER_OTLP_TIMEOUT=%s", values[i]);
        weir_otlp_settings_t settings = read_of((const char *const[VARIABLES]){ENDPOINT, variable});
        assert_int_equal(settings.timeout_milliseconds, 10000);
        assert_int_equal(settings.warning_count, values[i][0] == '\0' ? 0 : 1);
        weir_otlp_settings_free(&settings);
    }
    weir_otlp_settings_t settings = read_of((const char *const[VARIABLES]){ENDPOINT, "OTEL_EXPORTER_OTLP_TIMEOUT=1",
        "OTEL_BSP_MAX_QUEUE_SIZE=100", "OTEL_BSP_SCHEDULE_DELAY=0", "OTEL_BSP_EXPORT_TIMEOUT=3600000"});
    assert_int_equal(settings.timeout_milliseconds, 1);
    assert_int_equal(settings.queue_size, 100);
    assert_int_equal(settings.batch_size, 100); /* no more than the queue has */
    assert_int_equal(settings.delay_milliseconds, 0);
    assert_int_equal(settings.export_milliseconds, 3600000);
    assert_int_equal(settings.warning_count, 0);
    weir_otlp_settings_free(&settings);
}

static void test_samplers_are_known_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *argument;
        weir_sampler_t sampler;
        unsigned warnings;
    } cases[] = {
        {"always_on", "", {WEIR_SAMPLER_ALWAYS_ON, false, 1}, 0},
        {"always_off", "nonsense", {WEIR_SAMPLER_ALWAYS_OFF, false, 1}, 0},
        {"traceidratio", "0.25", {WEIR_SAMPLER_RATIO, false, 0.25}, 0},
        {"traceidratio", "", {WEIR_SAMPLER_RATIO, false, 1}, 0},
        {"traceidratio", "1.5", {WEIR_SAMPLER_RATIO, false, 1}, 1},
        {"traceidratio", "nan", {WEIR_SAMPLER_RATIO, false, 1}, 1},
        {"traceidratio", "-0.1", {WEIR_SAMPLER_RATIO, false, 1}, 1},
        {"parentbased_traceidratio", "0", {WEIR_SAMPLER_RATIO, true, 0}, 0},
        {"parentbased_always_on", "", {WEIR_SAMPLER_ALWAYS_ON, true, 1}, 0},
        {"parentbased_always_off", "", {WEIR_SAMPLER_ALWAYS_OFF, true, 1}, 0},
        {"jaeger_remote", "", {WEIR_SAMPLER_ALWAYS_ON, true, 1}, 1},
        {"", "", {WEIR_SAMPLER_ALWAYS_ON, true, 1}, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char name[80];
        char argument[80];
        snprintf(name, sizeof name, "OTEL_TRACES_SAMPLER=%s", cases[i].name);
        snprintf(argument, sizeof argument, "OTEL_TRACES_SAMPLER_ARG=%s", cases[i].argument);
        weir_otlp_settings_t settings = read_of((const char *const[VARIABLES]){ENDPOINT, name, argument});
        assert_int_equal(settings.sampler.kind, cases[i].sampler.kind);
        assert_int_equal(settings.sampler.parent_decides, cases[i].sampler.parent_decides);
        assert_true(
            settings.sampler.ratio >= cases[i].sampler.ratio && settings.sampler.ratio <= cases[i].sampler.ratio);
        assert_int_equal(settings.warning_count, cases[i].warnings);
        weir_otlp_settings_free(&settings);
    }
}

static void test_what_is_not_served_is_named(void **state)
{
    (void)state;
    static const char *const variables[] = {"OTEL_EXPORTER_OTLP_COMPRESSION=gzip",
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE=/c", "OTEL_EXPORTER_OTLP_CLIENT_KEY=/k", "OTEL_PROPAGATORS=b3",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=3", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT=3", "OTEL_CONFIG_FILE=/c"};
    static const char *const served[] = {"OTEL_EXPORTER_OTLP_COMPRESSION=none", "OTEL_PROPAGATORS=tracecontext,baggage",
        "OTEL_PROPAGATORS=tracecontext", "OTEL_METRICS_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_CERTIFICATE=/c"};
    for (size_t i = 0; i < COUNT(variables); i++) {
        weir_otlp_settings_t settings = read_of((const char *const[VARIABLES]){ENDPOINT, variables[i]});
        assert_int_equal(settings.warning_count, 1);
        assert_int_equal(strncmp(settings.warnings[0], variables[i], strcspn(variables[i], "=")), 0);
        weir_otlp_settings_free(&settings);
    }
    for (size_t i = 0; i < COUNT(served); i++) {
        weir_otlp_settings_t settings = read_of((const char *const[VARIABLES]){ENDPOINT, served[i]});
        assert_int_equal(settings.warning_count, 0);
        weir_otlp_settings_free(&settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_are_exported_where_there_is_an_endpoint),
        cmocka_unit_test(test_without_more_it_is_as_the_specification_says),
        cmocka_unit_test(test_lists_are_decoded_and_what_is_malformed_in_them_is_left_out),
        cmocka_unit_test(test_lists_are_bounded),
        cmocka_unit_test(test_numbers_outside_their_bounds_are_warned_of_and_count_as_not_set),
        cmocka_unit_test(test_samplers_are_known_by_name),
        cmocka_unit_test(test_what_is_not_served_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
