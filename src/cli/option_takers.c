/*
 * option_takers.c: what is made of the values of options of `weir up` that are more than a text or a flag, and what
 * people are told of values that cannot be taken.
 */
#include "cli/option_takers.h"

#include "allocator/translate.h"
#include "cli/options.h"
#include "serve/ticker.h"

#include <stdlib.h>
#include <string.h>

bool weir_option_take_application(void *place, const char *value, char **ret_message)
{
    weir_up_options_t *options = place;
    if (options->application != NULL) {
        return weir_arguments_refuse(
            ret_message, "one application at a time: '%s' and '%s' were given", options->application, value);
    }
    if (value[0] == '\0') {
        return weir_arguments_refuse(
            ret_message, "the name of the application is empty; give a spin.toml, its directory or a .wasm file");
    }
    options->application = value;
    return true;
}

/* Spin: src/commands/up.rs, parse_env_var. What has another form is not shown: it may be a secret. */
bool weir_option_take_environment(void *options, const char *name, const char *value, char **ret_message)
{
    const char *equals = strchr(value, '=');
    if (equals == NULL || equals == value) {
        return weir_arguments_refuse(ret_message,
            "what %s gives has no %s; write a name and a value, as in %s GREETING=hello", name,
            equals == NULL ? "'='" : "name before its '='", name);
    }
    return weir_texts_add(&((weir_up_options_t *)options)->environment, value);
}

bool weir_option_take_format(void *options, const char *name, const char *value, char **ret_message)
{
    bool json = strcmp(value, "json") == 0;
    if (!json && strcmp(value, "plain") != 0) {
        return weir_arguments_refuse(ret_message, "%s is '%s'; it can be plain or json", name, value);
    }
    ((weir_up_options_t *)options)->json = json;
    return true;
}

bool weir_option_take_access_log_format(void *options, const char *name, const char *value, char **ret_message)
{
    bool json = strcmp(value, "json") == 0;
    if (!json && strcmp(value, "logfmt") != 0) {
        return weir_arguments_refuse(ret_message, "%s is '%s'; it can be logfmt or json", name, value);
    }
    ((weir_up_options_t *)options)->access_log_json = json;
    return true;
}

bool weir_option_take_proxy(void *options, const char *name, const char *value, char **ret_message)
{
    bool valid;
    weir_endpoint_t network;
    unsigned prefix;
    if (weir_peers_has_host_bits(value, &network, &prefix)) {
        char ip[WEIR_ENDPOINT_TEXT_BYTES];
        weir_endpoint_write_ip(&network, ip);
        return weir_arguments_refuse(ret_message,
            "%s is '%s', an address within a network; give %s/%u for all of that network, or the address without /%u",
            name, value, ip, prefix, prefix);
    }
    if (weir_trusted_proxies_add(&((weir_up_options_t *)options)->proxies, value, &valid)) {
        return true;
    }
    return !valid &&
           weir_arguments_refuse(ret_message,
               "%s is '%s'; give an IP address, a network such as 10.0.0.0/8 or fd00::/8, or loopback", name, value);
}

/* Any limit whose option is called as it is in the table. */
bool weir_option_take_limit(void *options, const char *name, const char *value, char **ret_message)
{
    char advice[160];
    weir_serving_limit_t limit = weir_limit_named(name + strspn(name, "-"));
    return weir_limits_parse(&((weir_up_options_t *)options)->limits, limit, value) ||
           weir_arguments_refuse(
               ret_message, "%s is '%s'; %s", name, value, weir_limit_advice(limit, advice, sizeof(advice)));
}

bool weir_option_take_timeout(void *place, const char *name, const char *value, char **ret_message)
{
    weir_up_options_t *options = place;
    if (weir_limits_parse(&options->limits, WEIR_SERVING_REQUEST_TIMEOUT, value)) {
        options->request_timeout_milliseconds = options->limits.values[WEIR_SERVING_REQUEST_TIMEOUT];
        return true;
    }
    if (strstr(value, "..") != NULL) {
        return weir_arguments_refuse(ret_message,
            "%s is '%s', and a range is for instances that are used again, which weir's are not; give one time", name,
            value);
    }
    return weir_arguments_refuse(ret_message,
        "%s is '%s'; give a time such as 500ms, 2s or 1m (a number alone is of seconds), at most 24h", name, value);
}

bool weir_option_take_slice(void *place, const char *name, const char *value, char **ret_message)
{
    weir_up_options_t *options = place;
    uint64_t milliseconds;
    if (strcmp(value, "0") == 0) {
        options->time_slice_milliseconds = WEIR_TICK_NEVER;
        return true;
    }
    if (!weir_duration_parse(value, &milliseconds) || milliseconds > WEIR_MAX_TIME_SLICE_MILLISECONDS) {
        return weir_arguments_refuse(ret_message,
            "%s is '%s'; give a time from 1ms to 1s, or 0, which lets guests compute without interruption", name,
            value);
    }
    options->time_slice_milliseconds = (uint32_t)milliseconds;
    return true;
}

bool weir_option_take_drain_timeout(void *options, const char *name, const char *value, char **ret_message)
{
    return weir_duration_parse(value, &((weir_up_options_t *)options)->drain_timeout_milliseconds) ||
           weir_arguments_refuse(ret_message,
               "%s is '%s'; give a time such as 500ms, 2s or 1m (a number alone is of seconds), at most 24h", name,
               value);
}

bool weir_option_take_drain_delay(void *options, const char *name, const char *value, char **ret_message)
{
    uint64_t *delay = &((weir_up_options_t *)options)->drain_delay_milliseconds;
    if (strcmp(value, "0") == 0 || strcmp(value, "0s") == 0) {
        *delay = 0;
        return true;
    }
    return weir_duration_parse(value, delay) ||
           weir_arguments_refuse(
               ret_message, "%s is '%s'; give a time such as 500ms, 5s or 1m, at most 24h, or 0", name, value);
}

bool weir_option_take_memory(void *place, const char *name, const char *value, char **ret_message)
{
    weir_up_options_t *options = place;
    if (weir_limits_parse(&options->limits, WEIR_SERVING_INSTANCE_MEMORY, value)) {
        options->max_instance_memory_bytes = options->limits.values[WEIR_SERVING_INSTANCE_MEMORY];
        options->limits.sources[WEIR_SERVING_INSTANCE_MEMORY] =
            name[0] == '-' ? WEIR_LIMIT_OPTION : WEIR_LIMIT_VARIABLE;
        return true;
    }
    return weir_arguments_refuse(ret_message,
        weir_translate("%s is '%s'; give a number of bytes, or one with KiB, MiB or GiB, from 64KiB to 4GiB"), name,
        value);
}

bool weir_option_take_concurrency(void *options, const char *name, const char *value, char **ret_message)
{
    return weir_concurrency_parse(value, &((weir_up_options_t *)options)->max_concurrency) ||
           weir_arguments_refuse(ret_message, weir_translate("%s is '%s'; give a number from 1 to %d"), name, value,
               WEIR_MAX_CONCURRENCY);
}

/* Split "A..B" and parse both, or "A" alone. B is the first that is too many (Rust's ranges, as Spin takes them). */
static bool parse_between(const char *value, bool (*parse)(const char *text, uint64_t *ret_number), uint32_t between[2])
{
    const char *dots = strstr(value, "..");
    uint64_t least;
    uint64_t most;
    if (dots == NULL) {
        if (!parse(value, &least)) {
            return false;
        }
        most = least;
    } else {
        char *first = strndup(value, (size_t)(dots - value));
        bool fine = first != NULL && parse(first, &least) && parse(dots + 2, &most) && least < most;
        free(first);
        if (!fine) {
            return false;
        }
        most--;
    }
    between[0] = (uint32_t)least;
    between[1] = (uint32_t)most;
    return true;
}

static bool parse_count(const char *text, uint64_t *ret_number)
{
    return weir_count_parse(text, 1, UINT32_MAX, ret_number);
}

static bool parse_idle(const char *text, uint64_t *ret_milliseconds)
{
    if (strcmp(text, "0") == 0 || strcmp(text, "0s") == 0 || strcmp(text, "0ms") == 0) {
        *ret_milliseconds = 0;
        return true;
    }
    return weir_duration_parse(text, ret_milliseconds);
}

bool weir_option_take_reuse(void *options, const char *name, const char *value, char **ret_message)
{
    weir_reuse_t *reuse = &((weir_up_options_t *)options)->reuse;
    if (strcmp(name, "--idle-instance-timeout") == 0) {
        return parse_between(value, parse_idle, reuse->idle_milliseconds) ||
               weir_arguments_refuse(ret_message,
                   "%s is '%s'; give a time such as 500ms, 1s or 1m, at most 24h, or 0, or two as in 1s..8s", name,
                   value);
    }
    bool at_once = strcmp(name, "--max-instance-concurrent-reuse-count") == 0;
    return parse_between(value, parse_count, at_once ? reuse->concurrent_requests : reuse->requests) ||
           weir_arguments_refuse(ret_message, "%s is '%s'; give a number from 1 on, or two as in 1..8", name, value);
}

bool weir_option_take_key_value(void *options, const char *name, const char *value, char **ret_message)
{
    const char *equals = strchr(value, '=');
    if (equals == NULL || equals == value) {
        return weir_arguments_refuse(ret_message,
            "what %s gives has no %s; write a key and a value, as in %s greeting=hello", name,
            equals == NULL ? "'='" : "key before its '='", name);
    }
    return weir_texts_add(&((weir_up_options_t *)options)->key_values, value);
}
