/*
 * manifest.h: a Spin application as its spin.toml (version 2) describes it.
 */
#ifndef WEIR_APP_MANIFEST_H
#define WEIR_APP_MANIFEST_H

#include "app/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A place in the manifest; both count from 1. */
typedef struct weir_place {
    uint32_t line;
    uint32_t column;
} weir_place_t;

typedef struct weir_variable {
    char *name;
    char *value;
} weir_variable_t;

typedef enum weir_executor {
    WEIR_EXECUTOR_HTTP = 1, /* a component that exports a handler of wasi:http; "http" or its alias "spin" */
    WEIR_EXECUTOR_WAGI = 2, /* a program that reads a CGI request and writes a CGI response */
} weir_executor_t;

/* A text of the manifest, and where it stands. */
typedef struct weir_placed_text {
    char *text;
    weir_place_t place;
} weir_placed_text_t;

/* A variable of the application: [variables]. */
typedef struct weir_application_variable {
    char *name;
    char *default_value; /* or NULL: it is required */
    bool secret;         /* its value is shown nowhere */
    weir_place_t place;
} weir_application_variable_t;

/* A name and a template ("{{ name }}" stands for a variable of the application): what a component's variable is. */
typedef struct weir_template_variable {
    char *name;
    weir_placed_text_t value;
} weir_template_variable_t;

/* Files that a component is given: a pattern whose matches keep their paths, or a source that is seen elsewhere. */
typedef struct weir_files {
    char *source;      /* as written: a glob pattern when there is no destination, else a file or a directory */
    char *destination; /* absolute, in the guest; NULL for a pattern */
    weir_place_t place;
} weir_files_t;

/* How a component is built: [component.ID.build]. */
typedef struct weir_build {
    char **commands;
    size_t command_count;
    char *workdir; /* as written, or NULL */
    weir_place_t workdir_place;
    weir_place_t place; /* of the command */
} weir_build_t;

typedef struct weir_component {
    char *id;
    weir_place_t place;  /* of its table */
    char *description;   /* or NULL */
    char *source;        /* path of the wasm file: as written when absolute, else below the manifest's directory; NULL
                            while a source_url has not been fetched */
    char *source_url;    /* or NULL */
    char *source_digest; /* of what the URL gives: 64 lower-case hexadecimal digits of SHA-256, or NULL without URL */
    weir_place_t source_place;
    weir_variable_t *environment;
    size_t environment_count;
    weir_template_variable_t *variables;
    size_t variable_count;
    weir_files_t *files;
    size_t files_count;
    weir_placed_text_t *exclude_files; /* glob patterns */
    size_t exclude_files_count;
    weir_placed_text_t *allowed_outbound_hosts; /* as written; allowed_http_hosts are turned into them */
    size_t allowed_outbound_hosts_count;
    weir_place_t allowed_outbound_hosts_place; /* of the key; {0, 0}: it is not there */
    weir_placed_text_t *key_value_stores;      /* labels */
    size_t key_value_store_count;
    weir_build_t build;   /* without commands: there is nothing to build */
    weir_limits_t limits; /* [component.ID.tool.weir] */
} weir_component_t;

/* A response that is served without a guest. */
typedef struct weir_static_response {
    uint16_t status;
    weir_variable_t *headers;
    size_t header_count;
    char *body; /* terminated, too */
    size_t body_size;
} weir_static_response_t;

#define WEIR_NO_COMPONENT SIZE_MAX

typedef struct weir_http_trigger {
    char *id;
    char *route; /* as written; NULL when the component is private: only other components reach it */
    weir_place_t route_place;
    size_t component;                        /* index into the components; WEIR_NO_COMPONENT for a static response */
    weir_static_response_t *static_response; /* own, or NULL */
    weir_executor_t executor;
    char *wagi_argv; /* the template; never NULL for WAGI */
} weir_http_trigger_t;

typedef struct weir_manifest {
    char *path;      /* of the file that was read, as given */
    char *directory; /* that relative paths start from */
    bool is_wasm;    /* made from a wasm file alone: there is no manifest */
    char *name;
    char *version;        /* or NULL */
    char *description;    /* or NULL */
    weir_limits_t limits; /* [application.tool.weir] */
    weir_application_variable_t *variables;
    size_t variable_count;
    weir_component_t *components;
    size_t component_count;
    weir_http_trigger_t *triggers;
    size_t trigger_count;
    char **warnings; /* each "path:line:column: text"; for parts that weir does not serve yet */
    size_t warning_count;
} weir_manifest_t;

/*
 * Load an application. `path` names a spin.toml, a directory that holds one, or a .wasm file (which becomes an
 * application of one component at "/...": `wasi:http` for a component, WAGI for a core module is decided by the
 * caller when it sees the file, so the executor is WEIR_EXECUTOR_HTTP here).
 *
 * Strict, as Spin's (crates/manifest/src/schema/v2.rs): an unknown key is an error. At most 1 MiB is read. On success
 * returns true and fills `*ret_manifest`, to be freed with weir_manifest_free. On failure returns false, leaves it
 * untouched and stores a one-line message "path:line:column: what is wrong, what to do" in `*ret_message`, to be
 * freed with free(3); NULL when memory ran out. Any thread.
 */
bool weir_manifest_load(const char *path, weir_manifest_t *ret_manifest, char **ret_message);

/* The same for a text in memory, as if it stood in the file `path`. `text` need not be terminated. */
bool weir_manifest_parse(
    const char *path, const char *text, size_t text_size, weir_manifest_t *ret_manifest, char **ret_message);

/* Free what a manifest owns and zero it. */
void weir_manifest_free(weir_manifest_t *manifest);

#endif
