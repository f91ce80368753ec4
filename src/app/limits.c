/*
 * limits.c: the table of limits, and which of several values counts.
 */
#include "app/limits.h"

#include "app/quantity.h"

#include <stdio.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define GIB (KIB * KIB * KIB)
#define MOST_TIME WEIR_MAX_TIMEOUT_MILLISECONDS
#define MOST_BYTES (UINT64_C(1) << 50)
#define MOST_NUMBER UINT64_C(1000000)

/* docs/limits.md tells of each; a test compares them. */
const weir_limit_rule_t weir_limit_rules[WEIR_SERVING_COUNT] = {
    [WEIR_SERVING_REQUEST_TIMEOUT] = {"request-timeout", "request_timeout", WEIR_UNIT_TIME, true, false, 1, MOST_TIME,
        "30s"},
    [WEIR_SERVING_WAITING_TIMEOUT] = {"waiting-timeout", "waiting_timeout", WEIR_UNIT_TIME, true, false, 1, MOST_TIME,
        "within --request-timeout"},
    [WEIR_SERVING_CPU_TIME] = {"cpu-time", "cpu_time", WEIR_UNIT_TIME, true, true, 1, MOST_TIME,
        "that of --request-timeout"},
    [WEIR_SERVING_INSTANCE_MEMORY] = {"max-instance-memory", "max_instance_memory", WEIR_UNIT_SIZE, true, false,
        64 * KIB, 4 * GIB, "what the allocator has room for"},
    [WEIR_SERVING_REQUEST_BODY] = {"max-request-body", "max_request_body", WEIR_UNIT_SIZE, true, true, 1, MOST_BYTES,
        "none"},
    [WEIR_SERVING_RESPONSE_BODY] = {"max-response-body", "max_response_body", WEIR_UNIT_SIZE, true, true, 1, MOST_BYTES,
        "none"},
    [WEIR_SERVING_WAITING] = {"max-waiting", "max_waiting", WEIR_UNIT_NUMBER, false, false, 0, MOST_NUMBER, "1024"},
    [WEIR_SERVING_REQUEST_HEAD] = {"max-request-head", "max_request_head", WEIR_UNIT_SIZE, false, false, KIB, 32 * KIB,
        "32KiB"},
    [WEIR_SERVING_REQUEST_HEADERS] = {"max-request-headers", "max_request_headers", WEIR_UNIT_NUMBER, false, false, 1,
        256, "256"},
    [WEIR_SERVING_HEADER_TIMEOUT] = {"header-timeout", "header_timeout", WEIR_UNIT_TIME, false, false, 1, MOST_TIME,
        "2m"},
    [WEIR_SERVING_BODY_TIMEOUT] = {"body-timeout", "body_timeout", WEIR_UNIT_TIME, false, true, 1, MOST_TIME, "1m"},
    [WEIR_SERVING_IDLE_TIMEOUT] = {"idle-timeout", "idle_timeout", WEIR_UNIT_TIME, false, false, 1, MOST_TIME, "1m"},
    [WEIR_SERVING_CONNECTIONS] = {"max-connections", "max_connections", WEIR_UNIT_NUMBER, false, false, 1, MOST_NUMBER,
        "from the limits on open files, address space and memory"},
    [WEIR_SERVING_CONNECTIONS_PER_ADDRESS] = {"max-connections-per-address", "max_connections_per_address",
        WEIR_UNIT_NUMBER, false, true, 1, MOST_NUMBER, "none"},
    [WEIR_SERVING_REQUESTS_PER_CONNECTION] = {"max-requests-per-connection", "max_requests_per_connection",
        WEIR_UNIT_NUMBER, false, true, 1, MOST_NUMBER, "none"},
};

weir_serving_limit_t weir_limit_named(const char *name)
{
    unsigned limit = 0;
    while (limit < WEIR_SERVING_COUNT && strcmp(weir_limit_rules[limit].name, name) != 0) {
        limit++;
    }
    return (weir_serving_limit_t)limit;
}

static bool parse_value(const weir_limit_rule_t *rule, const char *text, uint64_t *ret_value)
{
    if (rule->can_be_none && strcmp(text, "none") == 0) {
        *ret_value = 0;
        return true;
    }
    switch (rule->unit) {
    case WEIR_UNIT_TIME:
        return weir_duration_parse(text, ret_value);
    case WEIR_UNIT_SIZE:
        return weir_size_parse(text, rule->least, rule->most, ret_value);
    case WEIR_UNIT_NUMBER:
        break;
    }
    return weir_count_parse(text, rule->least, rule->most, ret_value);
}

bool weir_limits_parse(weir_limits_t *limits, weir_serving_limit_t limit, const char *text)
{
    if (!parse_value(&weir_limit_rules[limit], text, &limits->values[limit])) {
        return false;
    }
    limits->are_set[limit] = true;
    return true;
}

bool weir_limit_is_kept(weir_serving_limit_t limit)
{
    return limit == WEIR_SERVING_HEADER_TIMEOUT || limit == WEIR_SERVING_BODY_TIMEOUT ||
           limit == WEIR_SERVING_IDLE_TIMEOUT || limit == WEIR_SERVING_CONNECTIONS ||
           limit == WEIR_SERVING_CONNECTIONS_PER_ADDRESS;
}

const char *weir_limit_write_size(char *buffer, size_t size, uint64_t bytes)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB"};
    size_t unit = 0;
    while (unit < 3 && bytes >= 1024 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    snprintf(buffer, size, "%llu%s", (unsigned long long)bytes, units[unit]);
    return buffer;
}

const char *weir_limit_write(weir_serving_limit_t limit, char *buffer, size_t size, uint64_t value)
{
    weir_unit_t unit = weir_limit_rules[limit].unit;
    bool seconds = value % 1000 == 0;
    if (value == 0 && weir_limit_rules[limit].least > 0) {
        snprintf(buffer, size, "none");
    } else if (unit == WEIR_UNIT_SIZE) {
        weir_limit_write_size(buffer, size, value);
    } else if (unit == WEIR_UNIT_TIME) {
        snprintf(buffer, size, "%llu%s", (unsigned long long)(seconds ? value / 1000 : value), seconds ? "s" : "ms");
    } else {
        snprintf(buffer, size, "%llu", (unsigned long long)value);
    }
    return buffer;
}

const char *weir_limit_advice(weir_serving_limit_t limit, char *buffer, size_t size)
{
    const weir_limit_rule_t *rule = &weir_limit_rules[limit];
    const char *none = rule->can_be_none ? ", or none" : "";
    char least[24];
    char most[24];
    weir_limit_write_size(least, sizeof(least), rule->least);
    weir_limit_write_size(most, sizeof(most), rule->most);
    switch (rule->unit) {
    case WEIR_UNIT_TIME:
        snprintf(
            buffer, size, "give a time such as 500ms, 2s or 1m (a number alone is of seconds), at most 24h%s", none);
        break;
    case WEIR_UNIT_SIZE:
        snprintf(
            buffer, size, "give a number of bytes, or one with KiB, MiB or GiB, from %s to %s%s", least, most, none);
        break;
    case WEIR_UNIT_NUMBER:
        snprintf(buffer, size, "give a number from %llu to %llu%s", (unsigned long long)rule->least,
            (unsigned long long)rule->most, none);
        break;
    }
    return buffer;
}

const char *weir_limit_setter(
    const weir_limits_t *limits, weir_serving_limit_t limit, const char *component, char buffer[WEIR_LIMIT_WORDS_BYTES])
{
    const weir_limit_rule_t *rule = &weir_limit_rules[limit];
    switch (limits->sources[limit]) {
    case WEIR_LIMIT_VARIABLE:
        snprintf(buffer, WEIR_LIMIT_WORDS_BYTES, "SPIN_%s", rule->key);
        for (char *letter = buffer; *letter != '\0'; letter++) {
            *letter = (char)(*letter >= 'a' && *letter <= 'z' ? *letter - 'a' + 'A' : *letter);
        }
        break;
    case WEIR_LIMIT_RUNTIME_CONFIG:
        snprintf(buffer, WEIR_LIMIT_WORDS_BYTES, "\"%s\" of the runtime configuration", rule->key);
        break;
    case WEIR_LIMIT_APPLICATION:
        snprintf(buffer, WEIR_LIMIT_WORDS_BYTES, "\"%s\" of [application.tool.weir]", rule->key);
        break;
    case WEIR_LIMIT_COMPONENT:
        snprintf(buffer, WEIR_LIMIT_WORDS_BYTES, "\"%s\" of [component.%.128s.tool.weir]", rule->key, component);
        break;
    default:
        snprintf(buffer, WEIR_LIMIT_WORDS_BYTES, "--%s", rule->name);
        break;
    }
    return buffer;
}

const char *weir_limit_words(
    const weir_limits_t *limits, weir_serving_limit_t limit, const char *component, char buffer[WEIR_LIMIT_WORDS_BYTES])
{
    bool is_of_request = limit == WEIR_SERVING_CPU_TIME && limits->is_cpu_time_of_request;
    weir_serving_limit_t which = is_of_request ? WEIR_SERVING_REQUEST_TIMEOUT : limit;
    const char *kind = weir_limit_rules[which].unit == WEIR_UNIT_TIME ? "time limit" : "limit";
    char setter[WEIR_LIMIT_WORDS_BYTES];
    char line[48] = "";
    weir_limit_setter(limits, which, component, setter);
    if (limits->lines[which] != 0) {
        snprintf(line, sizeof(line), " (line %lu of the manifest)", (unsigned long)limits->lines[which]);
    }
    if (limits->sources[which] == WEIR_LIMIT_DEFAULT) {
        snprintf(buffer, WEIR_LIMIT_WORDS_BYTES, "the default %s, which %.128s changes", kind, setter);
    } else {
        snprintf(buffer, WEIR_LIMIT_WORDS_BYTES, "the %s that %.180s sets%s", kind, setter, line);
    }
    return buffer;
}

/* Whether `other` is the stricter of two values, 0 being none. */
static bool is_stricter(uint64_t other, uint64_t one)
{
    return one == 0 || (other != 0 && other < one);
}

static void resolve(weir_limits_t *limits, weir_serving_limit_t limit, const weir_limits_t *options,
    const weir_limits_t *application, const weir_limits_t *component)
{
    const weir_limits_t *from = NULL;
    weir_limit_source_t source = WEIR_LIMIT_DEFAULT;
    if (options->are_set[limit]) {
        from = options;
        source = options->sources[limit] == WEIR_LIMIT_DEFAULT ? WEIR_LIMIT_OPTION
                                                               : (weir_limit_source_t)options->sources[limit];
    } else if (application->are_set[limit]) {
        from = application;
        source = WEIR_LIMIT_APPLICATION;
    }
    if (component != NULL && component->are_set[limit] &&
        (!options->are_set[limit] || is_stricter(component->values[limit], options->values[limit]))) {
        from = component;
        source = WEIR_LIMIT_COMPONENT;
    }
    if (from != NULL) {
        limits->values[limit] = from->values[limit];
        limits->lines[limit] = from->lines[limit];
    } else {
        (void)parse_value(&weir_limit_rules[limit], weir_limit_rules[limit].fallback, &limits->values[limit]);
    }
    limits->sources[limit] = (uint8_t)source;
    limits->are_set[limit] = true;
}

weir_limits_t weir_limits_resolve(
    const weir_limits_t *options, const weir_limits_t *application, const weir_limits_t *component)
{
    static const weir_serving_limit_t cpu_time = WEIR_SERVING_CPU_TIME;
    weir_limits_t limits = {.are_set = {false}};
    for (unsigned limit = 0; limit < WEIR_SERVING_COUNT; limit++) {
        resolve(&limits, (weir_serving_limit_t)limit, options, application, component);
    }
    limits.is_cpu_time_of_request = limits.sources[cpu_time] == WEIR_LIMIT_DEFAULT;
    if (limits.is_cpu_time_of_request) {
        limits.values[cpu_time] = limits.values[WEIR_SERVING_REQUEST_TIMEOUT];
    }
    return limits;
}
