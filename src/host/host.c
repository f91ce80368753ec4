/*
 * host.c: what stands behind the interfaces for one component, from its making until the last call is gone.
 */
#include "host/host.h"

#include "host/instance.h"
#include "host/key_value.h"

#include <stdlib.h>
#include <string.h>

static void *new_instance(void *context)
{
    (void)context;
    return weir_host_instance_new();
}

static void free_instance(void *own_instance)
{
    weir_host_instance_release(own_instance);
}

static void release(void *own_context)
{
    weir_host_context_t *context = own_context;
    for (size_t i = 0; i < context->store_count; i++) {
        free(context->labels[i]);
        weir_kv_release(context->stores[i].store);
    }
    free(context->labels);
    free(context->stores);
    free(context);
}

bool weir_host_make(const weir_granted_store_t *stores, size_t store_count, weir_host_t *ret_host)
{
    weir_host_context_t *context = calloc(1, sizeof *context);
    if (context == NULL) {
        return false;
    }
    context->stores = calloc(store_count + 1, sizeof context->stores[0]);
    context->labels = calloc(store_count + 1, sizeof context->labels[0]);
    bool made = context->stores != NULL && context->labels != NULL;
    for (size_t i = 0; made && i < store_count; i++) {
        char *label = strdup(stores[i].label);
        made = label != NULL;
        if (made) {
            context->labels[i] = label;
            context->stores[i] = (weir_granted_store_t){label, weir_kv_hold(stores[i].store)};
            context->store_count++;
        }
    }
    if (!made) {
        release(context);
        return false;
    }
    *ret_host = (weir_host_t){.size = sizeof *ret_host,
        .interfaces = weir_key_value_interfaces,
        .interface_count = weir_key_value_interface_count,
        .context = context,
        .new_instance = new_instance,
        .free_instance = free_instance,
        .release = release};
    return true;
}

void weir_host_give_back(weir_host_t *host)
{
    host->release(host->context);
}
