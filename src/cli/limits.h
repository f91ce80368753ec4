/*
 * limits.h: the limits that count for a server, where people have set them and where not.
 */
#ifndef WEIR_CLI_LIMITS_H
#define WEIR_CLI_LIMITS_H

#include "cli/application.h"
#include "cli/bounds.h"
#include "serve/server.h"

/*
 * Write the limits of options, manifest and process into a server's settings. Connections that are more than the
 * process can hold are not promised: that is logged.
 */
void weir_limits_apply(
    const weir_application_t *application, const weir_bounds_t *bounds, weir_server_settings_t *settings);

#endif
