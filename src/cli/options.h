/*
 * options.h: the command line of `weir up`.
 */
#ifndef WEIR_CLI_OPTIONS_H
#define WEIR_CLI_OPTIONS_H

#include "app/limits.h"
#include "cli/arguments.h"
#include "cli/option_values.h"
#include "cli/trusted_proxies.h"
#include "weir_bridge.h"

#include <stdbool.h>
#include <stdint.h>

#define WEIR_DEFAULT_LISTEN "127.0.0.1:3000"

enum { WEIR_DEFAULT_REQUEST_TIMEOUT_MILLISECONDS = 30 * 1000 };

/* The texts are borrowed from the arguments or the environment, and NULL where nothing was given. */
typedef struct weir_up_options {
    bool help;
    /* The application */
    const char *application;  /* "." when none was given */
    weir_texts_t components;  /* ids: only these are served; all when there are none */
    weir_texts_t environment; /* "NAME=VALUE", for every component */
    weir_texts_t variables;   /* as of --variable */
    weir_texts_t key_values;  /* KEY=VALUE, as of --key-value */
    const char *runtime_config_file;
    bool build;
    bool trap_unknown_imports;
    /* Serving */
    const char *listen;
    bool find_free_port;
    const char *tls_certificate; /* files; both or none */
    const char *tls_key;
    weir_trusted_proxies_t proxies;
    bool proxy_protocol;
    bool json; /* the routes are told as JSON */
    uint64_t request_timeout_milliseconds;
    weir_limits_t limits; /* those that were given; that of the line above, too */
    bool allow_half_close;
    uint64_t drain_timeout_milliseconds; /* UINT64_MAX: not given */
    uint64_t drain_delay_milliseconds;
    bool watch;                       /* what the application is made from, and load it anew */
    uint32_t time_slice_milliseconds; /* as of weir_server_settings_t */
    uint32_t max_concurrency;         /* 0: what the allocator has room for */
    weir_reuse_t reuse;               /* but for how many instances there may be */
    /* Hardening */
    const char *user; /* or NULL */
    bool no_sandbox;
    /* Seeing in */
    const char *admin;        /* the address of the admin listener; NULL: there is none */
    weir_texts_t admin_hosts; /* names that it may be called by */
    /* What guests write */
    bool quiet;            /* it is not shown */
    weir_texts_t follow;   /* ids: that of others is not shown; when there are none, that of all is */
    const char *log_dir;   /* "": no files */
    const char *state_dir; /* "": none */
    bool truncate_logs;
    /* What is told of requests */
    const char *access_log; /* NULL: none; "-" and "stderr" are the standard streams */
    bool access_log_json;
    bool omit_queries;
    /* What guests read */
    bool allow_transient_write;
    bool direct_mounts;
    const char *temp;
    /* The engine */
    uint64_t max_instance_memory_bytes; /* 0: as far as the allocator lets a memory grow */
    bool disable_pooling;
    bool no_trial_requests; /* the allocator is tuned with instances alone: no guest is run before it serves */
    bool decide_anew;
    bool disable_cache;
    const char *cache; /* of compiled code */
} weir_up_options_t;

/*
 * Parse the arguments that follow `up`; `arguments[0]` is not looked at. `environment` is as environ(7), or NULL; an
 * option wins over its variable. On success fills `*ret_options`, to be freed with weir_up_options_free. On failure
 * returns false, leaves `*ret_options` untouched and stores a one-line message to be freed with free(3), or NULL when
 * memory ran out. Any thread.
 */
bool weir_up_options_parse(
    int count, char **arguments, char *const *environment, weir_up_options_t *ret_options, char **ret_message);

/* Free what it owns, and zero it. */
void weir_up_options_free(weir_up_options_t *options);

/* The options themselves, for commands that hand them on. */
extern const weir_command_t weir_up_command;

/* The list of the options for --help, to be freed with free(3), or NULL when memory ran out. */
char *weir_up_options_help(void);

#endif
