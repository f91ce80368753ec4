/*
 * deployment.c: references to an application: of whoever swaps it in, and of each generation that was made from it.
 */
#include "cli/deployment.h"

#include <stdlib.h>

weir_deployment_t *weir_deployment_new(void)
{
    weir_deployment_t *deployment = calloc(1, sizeof(*deployment));
    if (deployment != NULL) {
        atomic_init(&deployment->references, 1);
    }
    return deployment;
}

void weir_deployment_drop(weir_deployment_t *own_deployment)
{
    if (own_deployment != NULL &&
        atomic_fetch_sub_explicit(&own_deployment->references, 1, memory_order_acq_rel) == 1) {
        weir_application_free(&own_deployment->application);
        free(own_deployment);
    }
}

static void release(void *context)
{
    weir_deployment_drop(context);
}

weir_generation_t *weir_deployment_serve(weir_deployment_t *deployment, const weir_choice_t *choice,
    uint32_t max_concurrency, bool proved, weir_engines_t *take_engines, char **ret_message)
{
    const weir_serving_t serving = {.application = &deployment->application,
        .choice = choice,
        .max_concurrency = max_concurrency,
        .proved = proved,
        .release = release,
        .context = deployment};
    atomic_fetch_add_explicit(&deployment->references, 1, memory_order_relaxed);
    weir_generation_t *generation = weir_serving_make(&serving, take_engines, ret_message);
    if (generation == NULL) {
        atomic_fetch_sub_explicit(&deployment->references, 1, memory_order_relaxed);
    }
    return generation;
}
