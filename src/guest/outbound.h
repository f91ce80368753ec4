/*
 * outbound.h: what the guests of a component may reach over HTTP and with sockets: the bridge's policy, made from the
 * component's allowed_outbound_hosts and the application's blocked networks.
 */
#ifndef WEIR_GUEST_OUTBOUND_H
#define WEIR_GUEST_OUTBOUND_H

#include "app/block_networks.h"
#include "app/manifest.h"
#include "app/outbound_hosts.h"
#include "weir_bridge.h"

#include <stdbool.h>

/* What a component's guests may reach. Zeroed: nothing. */
typedef struct weir_outbound_settings {
    const weir_outbound_hosts_t *hosts;          /* the component's; NULL: none. Must outlive the guest */
    const weir_block_networks_t *block_networks; /* that even these may not lead to; NULL: none. Copied */
    /*
     * Takes over what a guest requests of its own application: see weir_outbound_policy_t's `begin`; `caller` is the
     * weir_request_t's. NULL: such requests are denied.
     */
    void (*begin)(void *caller, weir_outgoing_t *own_outgoing);
} weir_outbound_settings_t;

/*
 * Make the policy of a component, which is released by the bridge. Nothing allowed is a policy too: it says what to
 * write into the manifest. On failure (memory) returns false and leaves `*ret_policy` untouched. Any thread.
 */
bool weir_outbound_policy_new(const weir_manifest_t *manifest, const weir_component_t *component,
    const weir_outbound_settings_t *settings, weir_outbound_policy_t *ret_policy);

/* Whether the component may request something of its own application, or of a component of it. Any thread. */
bool weir_outbound_may_chain(const weir_manifest_t *manifest, const weir_outbound_settings_t *settings);

#endif
