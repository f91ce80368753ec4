/*
 * limits.h: the bounds on requests, connections and guests that people can set, in one table: as options of `weir up`,
 * and in the manifest's [application.tool.weir] and [component.ID.tool.weir], which Spin leaves to tools. Pure
 * functions; any thread.
 */
#ifndef WEIR_APP_LIMITS_H
#define WEIR_APP_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum weir_serving_limit {
    WEIR_SERVING_REQUEST_TIMEOUT = 0,
    WEIR_SERVING_WAITING_TIMEOUT,
    WEIR_SERVING_CPU_TIME,
    WEIR_SERVING_INSTANCE_MEMORY,
    WEIR_SERVING_REQUEST_BODY,
    WEIR_SERVING_RESPONSE_BODY,
    WEIR_SERVING_WAITING, /* from here on they are of the server as a whole */
    WEIR_SERVING_REQUEST_HEAD,
    WEIR_SERVING_REQUEST_HEADERS,
    WEIR_SERVING_HEADER_TIMEOUT,
    WEIR_SERVING_BODY_TIMEOUT,
    WEIR_SERVING_IDLE_TIMEOUT,
    WEIR_SERVING_CONNECTIONS,
    WEIR_SERVING_CONNECTIONS_PER_ADDRESS,
    WEIR_SERVING_REQUESTS_PER_CONNECTION,
    WEIR_SERVING_COUNT,
} weir_serving_limit_t;

/* In which a limit's number is: milliseconds, bytes, or itself. */
typedef enum weir_unit {
    WEIR_UNIT_TIME = 0,
    WEIR_UNIT_SIZE,
    WEIR_UNIT_NUMBER,
} weir_unit_t;

typedef struct weir_limit_rule {
    const char *name; /* of the option, without "--" */
    const char *key;  /* in the manifest */
    weir_unit_t unit;
    bool of_component; /* a component can have its own */
    bool can_be_none;  /* "none" lifts it */
    uint64_t least;
    uint64_t most;
    const char *fallback; /* what counts when nothing is said, as people write it: a value, "none", or in words */
} weir_limit_rule_t;

extern const weir_limit_rule_t weir_limit_rules[WEIR_SERVING_COUNT];

/* Who has set a limit that counts. */
typedef enum weir_limit_source {
    WEIR_LIMIT_DEFAULT = 0,
    WEIR_LIMIT_OPTION,
    WEIR_LIMIT_VARIABLE,       /* of the environment, in place of the option */
    WEIR_LIMIT_RUNTIME_CONFIG, /* in place of that */
    WEIR_LIMIT_APPLICATION,
    WEIR_LIMIT_COMPONENT,
} weir_limit_source_t;

enum { WEIR_LIMIT_WORDS_BYTES = 256 };

/* Limits, by weir_serving_limit_t. Zeroed: none is set. */
typedef struct weir_limits {
    uint64_t values[WEIR_SERVING_COUNT]; /* 0: there is none */
    bool are_set[WEIR_SERVING_COUNT];    /* somebody said so */
    uint32_t lines[WEIR_SERVING_COUNT];  /* of the manifest, where it stands there; else 0 */
    uint8_t sources[WEIR_SERVING_COUNT]; /* weir_limit_source_t; before they are resolved, 0 for an option's */
    bool is_cpu_time_of_request;         /* there is none of its own */
} weir_limits_t;

/* The limit whose option has this name, without "--"; WEIR_SERVING_COUNT when there is none. */
weir_serving_limit_t weir_limit_named(const char *name);

/* Set a limit from what somebody wrote. Returns false, and changes nothing, when that is no value of it. */
bool weir_limits_parse(weir_limits_t *limits, weir_serving_limit_t limit, const char *text);

/* Whether a server keeps it as it is from its start to its end. Others change when the application is loaded anew. */
bool weir_limit_is_kept(weir_serving_limit_t limit);

/* What a value of this limit looks like, for people: "give a time such as ...". Returns `buffer`. */
const char *weir_limit_advice(weir_serving_limit_t limit, char *buffer, size_t size);

/* Write a size with the largest unit that it is a whole number of, as it can be given: "64MiB". Returns `buffer`. */
const char *weir_limit_write_size(char *buffer, size_t size, uint64_t bytes);

/* Write a value of a limit as it can be given: "64MiB", "1500ms", "2s", "none". Returns `buffer`. */
const char *weir_limit_write(weir_serving_limit_t limit, char *buffer, size_t size, uint64_t value);

/*
 * What has set a limit that counts, after weir_limits_resolve: "--cpu-time", or "\"cpu_time\" of
 * [component.ID.tool.weir]"; cut where the buffer ends. Returns `buffer`.
 */
const char *weir_limit_setter(const weir_limits_t *limits, weir_serving_limit_t limit, const char *component,
    char buffer[WEIR_LIMIT_WORDS_BYTES]);

/* The same as part of a sentence: "the time limit that ... sets", with its line, or "the default time limit ...". */
const char *weir_limit_words(const weir_limits_t *limits, weir_serving_limit_t limit, const char *component,
    char buffer[WEIR_LIMIT_WORDS_BYTES]);

/*
 * What counts, where `options` were given on the command line, or for it, `application` and `component` stand in the
 * manifest (NULL: it is about no component): an option wins over the application's value, that over the default. A
 * component's own value counts in place of all these, but never for more than an option allows. All are set then, 0
 * being none, except for those whose default is in words: they are 0, but that the time for waiting stays 0, which is:
 * together with the time for the request; and that of the processor is that of the request.
 */
weir_limits_t weir_limits_resolve(
    const weir_limits_t *options, const weir_limits_t *application, const weir_limits_t *component);

#endif
