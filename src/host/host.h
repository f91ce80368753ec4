/*
 * host.h: what a component is provided with beyond WASI: the interfaces of Spin's platform, and what stands behind them
 * for this component.
 */
#ifndef WEIR_HOST_HOST_H
#define WEIR_HOST_HOST_H

#include "host/store.h"
#include "weir_bridge.h"

#include <stdbool.h>
#include <stddef.h>

/* A key-value store that a component may open, and the name that it has there. */
typedef struct weir_granted_store {
    const char *label;
    weir_kv_store_t *store;
} weir_granted_store_t;

/*
 * Describe what a component is provided with, for weir_service_settings_t. Labels are copied, and each store is held.
 * On success it is the service's, or to be given back with weir_host_give_back. Returns false when memory runs out.
 */
bool weir_host_make(const weir_granted_store_t *stores, size_t store_count, weir_host_t *ret_host);

/* For one that no service has taken over. */
void weir_host_give_back(weir_host_t *host);

#endif
