/*
 * limits.c: from the table of limits to the settings of a server.
 */
#include "cli/limits.h"

#include "allocator/translate.h"
#include "observe/log.h"

static uint32_t connections(const weir_limits_t *limits, uint32_t most)
{
    uint64_t wanted = limits->values[WEIR_SERVING_CONNECTIONS];
    if (wanted > most) {
        weir_log(WEIR_LOG_WARNING,
            weir_translate("%llu connections at once were asked for with --max-connections, and there is room for %u; "
                           "raise the limit on open files (ulimit -n) or on address space (ulimit -v)"),
            (unsigned long long)wanted, (unsigned)most);
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
