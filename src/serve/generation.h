/*
 * generation.h: what requests are served with, as a whole: routes, engines and the guests on them. A server has one at
 * a time; to change anything a new one is made and swapped in, while the requests that entered the old one end in it.
 */
#ifndef WEIR_SERVE_GENERATION_H
#define WEIR_SERVE_GENERATION_H

#include "app/limits.h"
#include "app/routes.h"
#include "guest/guest.h"

#include <stddef.h>
#include <stdint.h>

/* An engine, and how many calls it may hold at once: a pool's slots. At least 1. */
typedef struct weir_generation_engine {
    wasm_engine_t *engine; /* own */
    uint32_t max_calls;
} weir_generation_engine_t;

/* A guest, and which engine it was made for. */
typedef struct weir_generation_guest {
    weir_guest_t *guest;  /* own; NULL where no trigger uses the component */
    size_t engine;        /* its index among the engines */
    weir_limits_t limits; /* of its requests; those that are not set are the server's */
} weir_generation_guest_t;

/* What a generation is made of. The arrays are copied. */
typedef struct weir_generation_parts {
    const weir_routes_t *routes;     /* must live until `release` is called */
    const weir_manifest_t *manifest; /* too: whom its components may request of each other; NULL: nobody */
    const char *name;                /* of the application, copied; NULL: "" */
    const char *version;             /* of it, copied; or NULL */
    const weir_generation_engine_t *engines;
    size_t engine_count;  /* at least 1 */
    weir_limits_t limits; /* of the server as a whole, but those that it keeps (weir_limit_is_kept); those that are not
                           * set are the settings' */
    const weir_generation_guest_t *guests; /* by the trigger's component index, as the manifest's components */
    size_t guest_count;
    /* Called when guests and engines have been freed, for what they and the routes were made from; or NULL. Any thread.
     */
    void (*release)(void *context);
    void *context;
} weir_generation_parts_t;

typedef struct weir_generation weir_generation_t;

/*
 * Make a generation. It owns engines and guests from now on. Returns NULL, and owns nothing, when memory ran out
 * (ENOMEM) or the parts are none (EINVAL): no engine, an engine without calls, a guest without an engine. Any thread.
 */
weir_generation_t *weir_generation_new(const weir_generation_parts_t *take_parts);

/*
 * Free a generation that no server has got: its guests, then its engines, and then call `release`. NULL is allowed. It
 * may block for long: an engine gives terabytes of address space back.
 */
void weir_generation_free(weir_generation_t *own_generation);

#endif
