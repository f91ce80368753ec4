/*
 * reload.h: loading the application anew, beside the one that is served, and serving it instead once it is proved.
 */
#ifndef WEIR_CLI_RELOAD_H
#define WEIR_CLI_RELOAD_H

#include "cli/current.h"
#include "cli/inputs.h"
#include "cli/limits.h"
#include "serve/server.h"
#include "weir/allocator.h"

#include <stdbool.h>
#include <stdint.h>

/* Borrowed, and must outlive the reloads. */
typedef struct weir_reload_settings {
    int argument_count; /* of `weir up`, as weir_up_options_parse takes them */
    char **arguments;
    weir_strategy_t strategy; /* that the choice in use was made with */
    weir_current_t *current;
    weir_server_t *server;
    weir_trial_server_t *trial_server; /* or NULL */
    weir_admin_t *admin;               /* which is told how reloads end; or NULL */
    weir_limits_kept_t kept;           /* what no reload changes */
} weir_reload_settings_t;

typedef struct weir_reload weir_reload_t;

/*
 * Prepare. `take_tls`: what the server was started with, or NULL; it is freed when another has taken its place. NULL:
 * memory ran out, and nothing was taken.
 */
weir_reload_t *weir_reload_new(const weir_reload_settings_t *settings, weir_tls_config_t *take_tls);

/*
 * Load everything anew, because of `cause` (such as "SIGHUP"; a constant text): certificate and key, and the
 * application with all that it is given. What is broken leaves what is served as it is, and is logged. Returns at once;
 * what is asked for while a reload is under way is one more after it. Any thread.
 */
void weir_reload_request(weir_reload_t *reload, const char *cause);

/* Give up what is under way, without a change, and begin nothing more. Returns at once, unless a change is being made:
 * that is waited for. */
void weir_reload_stop(weir_reload_t *reload);

/* Wait for what was stopped: before the server is. */
void weir_reload_join(weir_reload_t *reload);

/* Free it, when the server has stopped. NULL is allowed. */
void weir_reload_free(weir_reload_t *own_reload);

#endif
