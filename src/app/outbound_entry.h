/*
 * outbound_entry.h: one entry of allowed_outbound_hosts. Private to this room.
 */
#ifndef WEIR_APP_OUTBOUND_ENTRY_H
#define WEIR_APP_OUTBOUND_ENTRY_H

#include "app/host.h"

/* Which hosts an entry is for. */
typedef enum weir_outbound_kind {
    WEIR_OUTBOUND_ANY = 1,   /* "*"; self too */
    WEIR_OUTBOUND_SELF,      /* "self", "self.alt": relative URLs, and nothing else */
    WEIR_OUTBOUND_NAME,      /* a name */
    WEIR_OUTBOUND_SUBDOMAIN, /* "*.example.com": `name` is ".example.com" */
    WEIR_OUTBOUND_COMPONENT, /* "*.spin.internal": each component of the application */
    WEIR_OUTBOUND_NETWORK,   /* an address or a network */
} weir_outbound_kind_t;

typedef struct weir_outbound_entry {
    char *scheme; /* own; NULL for any */
    char *name;   /* own, or NULL */
    size_t name_size;
    weir_network_t network;
    weir_outbound_kind_t kind;
    bool any_port;
    uint32_t first_port;
    uint32_t end_port; /* the first one that is too high */
    bool is_secret;    /* what it is for is shown nowhere */
} weir_outbound_entry_t;

/*
 * Read an entry. On success returns true; it is to be freed with weir_outbound_entry_free. On failure returns false,
 * leaves `*ret_entry` untouched and stores in `*ret_reason` what is wrong, as the end of a sentence that names the
 * entry, static; NULL when memory ran out.
 */
bool weir_outbound_entry_parse(const char *text, weir_outbound_entry_t *ret_entry, const char **ret_reason);

/* Free what an entry owns. */
void weir_outbound_entry_free(weir_outbound_entry_t *entry);

/* The port that a scheme has by itself, or -1. */
int weir_outbound_default_port(const char *scheme, size_t size);

#endif
