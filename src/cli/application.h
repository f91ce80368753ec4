/*
 * application.h: an application on its way from its files to guests that can be called.
 */
#ifndef WEIR_CLI_APPLICATION_H
#define WEIR_CLI_APPLICATION_H

#include "app/manifest.h"
#include "app/routes.h"
#include "cache/store.h"
#include "cli/provisions.h"
#include "guest/code_cache.h"
#include "guest/guest.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct weir_application {
    weir_manifest_t manifest;
    weir_routes_t *routes;
    /* Each has one a component; empty or NULL for those that no trigger uses. */
    weir_guest_file_t *files;    /* without bytes where the cache knew the file, and once they were let go of */
    weir_wasm_digest_t *digests; /* of the files */
    weir_guest_code_t **codes;
    weir_store_key_t *keys;       /* of the code in the cache, once weir_application_find_code was called */
    bool *kept;                   /* the cache has the code */
    weir_store_t *cache;          /* own, or NULL */
    bool *apart;                  /* it is placed in an engine of its own */
    bool *linked;                 /* a guest of it was made whose output is logged */
    weir_limits_t option_limits;  /* as given on the command line */
    weir_provisions_t provisions; /* what its guests are given, once that was prepared */
    bool needs_concurrency;       /* a component has something async; supporting that costs every call something */
    weir_reuse_t reuse;           /* of its guests' instances; as many as there may be is for weir_application_link */
    bool trap_unknown_imports;    /* what nothing provides traps when it is called, in place of being refused */
    weir_component_logs_t *logs;  /* own: take what its guests write, one a component; NULL: the console does */
    int standard_error;           /* what standard error was before a trial's child was given another one, or -1 */
} weir_application_t;

/*
 * Load manifest, routes and wasm files. On success fills `*ret_application`, to be freed with weir_application_free. On
 * failure returns false, leaves it untouched and stores a one-line message to be freed with free(3), or NULL when
 * memory ran out.
 */
bool weir_application_load(const char *path, weir_application_t *ret_application, char **ret_message);

/*
 * The same for a manifest that was loaded, and perhaps changed since. Files that the cache knows are not read
 * (weir_code_cache_open; NULL: there is none). Takes manifest and cache in every case.
 */
bool weir_application_from_manifest(
    weir_manifest_t *take_manifest, weir_store_t *take_cache, weir_application_t *ret_application, char **ret_message);

/* The limits that count for a component, or, with WEIR_NO_COMPONENT, for the server. */
weir_limits_t weir_application_limits(const weir_application_t *application, size_t component);

/* How far the memories of an instance of any component may grow, in bytes; 0: as far as the allocator lets them. */
uint64_t weir_application_max_memory(const weir_application_t *application);

/*
 * Whether every guest can begin within its limit on memory, which is on all its memories together. If not, stores a
 * message that names the first that cannot, to be freed with free(3).
 */
bool weir_application_fits(const weir_application_t *application, char **ret_message);

/*
 * What each guest asks of an instance's slot, in the order of the components, those left out that no trigger uses.
 * Returns an array to be freed with free(3), or NULL when memory ran out.
 */
weir_needs_t *weir_application_guest_needs(const weir_application_t *application, size_t *ret_count);

/* Take over where a choice, which was made for these needs, places each guest. */
void weir_application_place(weir_application_t *application, const weir_choice_t *choice);

/* A configuration for engines of its guests, complete but for the allocator's choice. NULL: memory ran out. */
wasm_config_t *weir_application_config_new(const weir_application_t *application);

/* The same for an application of which no more is known than whether it needs concurrency. */
wasm_config_t *weir_config_new(bool needs_concurrency);

/*
 * Look for code that is not there in the cache, for engines like these; `apart` is for guests that are placed apart,
 * and may be NULL. Returns whether all code is there now.
 */
bool weir_application_find_code(
    weir_application_t *application, const wasm_engine_t *engine, const wasm_engine_t *apart);

/*
 * Keep in the cache what code is there and is not kept yet, for the engines of the last weir_application_find_code;
 * does nothing without a cache. Before other threads make guests. Returns NULL, or why not all of it was kept: static
 * text.
 */
const char *weir_application_keep_code(weir_application_t *application);

/*
 * Keep standard error, in `standard_error`, for a child process that gets another one, and let go of it again. Where no
 * descriptor is to be had nothing is kept.
 */
void weir_application_keep_standard_error(weir_application_t *application);
void weir_application_drop_standard_error(weir_application_t *application);

/*
 * Compile the code that is not there yet, for engines like this one, but for guests that are placed apart: several
 * components at once. Of each that takes longer than a second it says so on standard error. On failure returns false
 * and stores a message, as weir_application_load does. It uses threads (compile.c).
 */
bool weir_application_compile(const weir_application_t *application, const wasm_engine_t *engine, char **ret_message);

/*
 * The executor that a component's file is loaded for. 0: whichever suits, for an application that is a wasm file alone
 * says nothing of how it wants to be called.
 */
weir_executor_t weir_application_executor(const weir_application_t *application, size_t component);

/* Whether weir_application_compile would compile a component. */
bool weir_application_lacks_code(const weir_application_t *application, size_t component);

/* Compile the code of one component, whatever there is. As above. */
bool weir_application_compile_one(
    const weir_application_t *application, size_t component, const wasm_engine_t *engine, char **ret_message);

/* An engine for guests, and how many of their instances it may have at once; 0: none is reused. */
typedef struct weir_guest_engine {
    const wasm_engine_t *engine;
    uint32_t instances;
} weir_guest_engine_t;

/*
 * Make a guest of every component that a trigger uses, at its place in `guests`; the other places are set to NULL.
 * Those that are placed apart are made for `apart`, the others for `pool`; where there is no `apart` they are left out.
 * Code that is not there, or does not suit, is compiled. On failure frees those that it has made, and returns false and
 * a message. The application must outlive the guests.
 */
bool weir_application_link(const weir_application_t *application, weir_guest_engine_t pool, weir_guest_engine_t apart,
    weir_guest_output_t output, weir_guest_t **guests, char **ret_message);

/* Let go of its files' bytes: what has to be compiled from now on is read again. */
void weir_application_free_files(weir_application_t *application);

/* Free what it owns, and zero it. */
void weir_application_free(weir_application_t *application);

#endif
