/*
 * deployment.h: an application that is served, or was: it lives until the last request on it is over.
 */
#ifndef WEIR_CLI_DEPLOYMENT_H
#define WEIR_CLI_DEPLOYMENT_H

#include "cli/application.h"
#include "cli/serving.h"

#include <stdatomic.h>

typedef struct weir_deployment {
    atomic_uint references;
    weir_application_t application; /* own, zeroed until it is loaded */
} weir_deployment_t;

/* A deployment with one reference, whose application is to be loaded. NULL: memory ran out. */
weir_deployment_t *weir_deployment_new(void);

/* Drop a reference. The last one frees the application, which may block. NULL is allowed. Any thread. */
void weir_deployment_drop(weir_deployment_t *own_deployment);

/* weir_serving_make for its application: the generation has a reference of its own. */
weir_generation_t *weir_deployment_serve(weir_deployment_t *deployment, const weir_choice_t *choice,
    uint32_t max_concurrency, bool proved, weir_engines_t *take_engines, char **ret_message);

#endif
