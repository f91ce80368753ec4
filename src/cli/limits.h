/*
 * limits.h: the limits that count for a server, where people have set them and where not.
 */
#ifndef WEIR_CLI_LIMITS_H
#define WEIR_CLI_LIMITS_H

#include "app/runtime_config.h"
#include "cli/application.h"
#include "cli/bounds.h"
#include "serve/server.h"

/*
 * Write the limits of options, manifest and process into a server's settings. Connections that are more than the
 * process can hold are not promised: that is logged.
 */
void weir_limits_apply(
    const weir_application_t *application, const weir_bounds_t *bounds, weir_server_settings_t *settings);

/* What all guests together may have open. */
typedef struct weir_guest_bounds {
    uint32_t http;    /* connections of their requests */
    uint32_t sockets; /* of their own */
    bool is_pooled;   /* connections are kept for further requests */
    uint32_t usual;   /* of the first, where nobody says otherwise */
} weir_guest_bounds_t;

/*
 * Bound what guests may have open: as the runtime configuration says, or a part of what the process may. Once: it is
 * kept until the process ends.
 */
weir_guest_bounds_t weir_limits_bound_guests(const weir_runtime_config_t *config, uint64_t descriptors);

/* What a server keeps from its start to its end. */
typedef struct weir_limits_kept {
    weir_limits_t limits; /* as they were asked for */
    uint32_t connections; /* that it holds */
    weir_guest_bounds_t bounds;
} weir_limits_kept_t;

/*
 * Warn of each limit and bound that an application, loaded anew, or the runtime configuration, read anew, would have
 * otherwise than the server keeps it: with its file, and what stays in force.
 */
void weir_limits_warn_kept(
    const weir_limits_kept_t *kept, const weir_application_t *application, const weir_runtime_config_t *config);

#endif
