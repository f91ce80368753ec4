/*
 * limits.c: from the table of limits to the settings of a server, and what of these a reload leaves as it is.
 */
#include "cli/limits.h"

#include "allocator/translate.h"
#include "observe/log.h"

#include <stdio.h>
#include <weir_bridge.h>

enum {
    MAX_IDLE = 64, /* connections of guests that are kept for further requests */
    VALUE_BYTES = 32,
};

static uint32_t connections(const weir_limits_t *limits, uint32_t most)
{
    uint64_t wanted = limits->values[WEIR_SERVING_CONNECTIONS];
    if (wanted > most) {
        char setter[WEIR_LIMIT_WORDS_BYTES];
        weir_log(WEIR_LOG_WARNING,
            weir_translate("%llu connections at once were asked for with %s, and there is room for %u; raise the limit "
                           "on open files (ulimit -n), or that on address space (ulimit -v) or memory"),
            (unsigned long long)wanted, weir_limit_setter(limits, WEIR_SERVING_CONNECTIONS, "", setter),
            (unsigned)most);
    }
    return wanted == 0 || wanted > most ? most : (uint32_t)wanted;
}

void weir_limits_apply(
    const weir_application_t *application, const weir_bounds_t *bounds, weir_server_settings_t *settings)
{
    weir_limits_t limits = weir_application_limits(application, WEIR_NO_COMPONENT);
    settings->limits = limits;
    settings->max_waiting = (uint32_t)limits.values[WEIR_SERVING_WAITING];
    settings->max_connections = connections(&limits, bounds->connections);
    settings->request_timeout_milliseconds = limits.values[WEIR_SERVING_REQUEST_TIMEOUT];
    settings->idle_timeout_milliseconds = limits.values[WEIR_SERVING_IDLE_TIMEOUT];
}

/* What a start makes of a runtime configuration. */
static weir_guest_bounds_t bounds_of(const weir_runtime_config_t *config, uint32_t usual)
{
    return (weir_guest_bounds_t){.http = config->http_connections.is_set ? config->http_connections.most : usual,
        .sockets = config->sockets.is_set ? config->sockets.most : usual / 2,
        .is_pooled = !config->no_connection_pooling,
        .usual = usual};
}

weir_guest_bounds_t weir_limits_bound_guests(const weir_runtime_config_t *config, uint64_t descriptors)
{
    const weir_guest_bounds_t bounds = bounds_of(config, weir_bounds_outbound(descriptors));
    uint32_t idle = bounds.http < MAX_IDLE ? bounds.http : MAX_IDLE;
    weir_outbound_bound(bounds.http, bounds.is_pooled ? idle : 0, bounds.sockets);
    return bounds;
}

/* ---- What stays as it is ----------------------------------------------------------------------------------------- */

static void warn(const char *path, uint32_t line, const char *key, const char *table, const char *is, const char *stays)
{
    char place[16] = "";
    if (line != 0) {
        snprintf(place, sizeof(place), ":%lu", (unsigned long)line);
    }
    weir_log(WEIR_LOG_WARNING, "%s%s: \"%s\" of [%s] is %s now, and %s stays in force; restart to change it", path,
        place, key, table, is, stays);
}

static void warn_of_limits(const weir_limits_kept_t *kept, const weir_application_t *application)
{
    const weir_limits_t now = weir_application_limits(application, WEIR_NO_COMPONENT);
    for (unsigned i = 0; i < WEIR_SERVING_COUNT; i++) {
        weir_serving_limit_t limit = (weir_serving_limit_t)i;
        uint64_t in_force = limit == WEIR_SERVING_CONNECTIONS ? kept->connections : kept->limits.values[i];
        if (weir_limit_is_kept(limit) && now.values[i] != kept->limits.values[i]) {
            bool is_set = now.sources[i] == WEIR_LIMIT_APPLICATION;
            char is[VALUE_BYTES];
            char stays[VALUE_BYTES];
            warn(application->manifest.path, now.lines[i], weir_limit_rules[i].key, "application.tool.weir",
                is_set ? weir_limit_write(limit, is, sizeof(is), now.values[i]) : "not set",
                weir_limit_write(limit, stays, sizeof(stays), in_force));
        }
    }
}

static void warn_of_bound(
    const char *path, const char *key, const char *table, bool is_set, uint32_t now, uint32_t in_force)
{
    char is[VALUE_BYTES];
    char stays[VALUE_BYTES];
    if (now != in_force) {
        snprintf(is, sizeof(is), "%u", (unsigned)now);
        snprintf(stays, sizeof(stays), "%u", (unsigned)in_force);
        warn(path, 0, key, table, is_set ? is : "not set", stays);
    }
}

void weir_limits_warn_kept(
    const weir_limits_kept_t *kept, const weir_application_t *application, const weir_runtime_config_t *config)
{
    const weir_guest_bounds_t *bounds = &kept->bounds;
    const weir_guest_bounds_t now = bounds_of(config, bounds->usual);
    warn_of_limits(kept, application);
    if (config->path == NULL) {
        return; /* nor was there any at the start: the options are the same */
    }
    warn_of_bound(
        config->path, "max_connections", "outbound_http", config->http_connections.is_set, now.http, bounds->http);
    warn_of_bound(config->path, "max_socket_connections", "outbound_networking", config->sockets.is_set, now.sockets,
        bounds->sockets);
    if (now.is_pooled != bounds->is_pooled) {
        warn(config->path, 0, "connection_pooling", "outbound_http", now.is_pooled ? "true" : "false",
            bounds->is_pooled ? "true" : "false");
    }
}
