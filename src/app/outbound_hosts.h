/*
 * outbound_hosts.h: what a component may reach: its allowed_outbound_hosts, read and matched as Spin does (its
 * crates/outbound-networking-config/src/allowed_hosts.rs).
 */
#ifndef WEIR_APP_OUTBOUND_HOSTS_H
#define WEIR_APP_OUTBOUND_HOSTS_H

#include "app/manifest.h"

/* Bounds, for each component. */
enum {
    WEIR_OUTBOUND_HOSTS_MAX = 1024,
    WEIR_OUTBOUND_TEXT_MAX = 4096, /* bytes of one entry */
};

/* One entry, as it is to be read. */
typedef struct weir_outbound_text {
    const char *written; /* as it stands in the manifest: what messages show */
    const char *text;    /* the same, or, when it is a template, with the values of its variables */
    weir_place_t place;
    bool is_secret; /* a value in it is one that is shown nowhere */
} weir_outbound_text_t;

typedef struct weir_outbound_hosts {
    struct weir_outbound_entry *entries; /* own */
    size_t count;
    char **components; /* own: whom "*.spin.internal" stands for */
    size_t component_count;
} weir_outbound_hosts_t;

/*
 * Read the entries of a component of `manifest`, whose path messages begin with and whose components
 * "http://STAR.spin.internal" (STAR: an asterisk) stands for. Nothing is kept of `texts`. As in Spin, an entry whose
 * variables leave it empty, "http://" or "https://" is dropped.
 *
 * On success returns true and fills `*ret_hosts`, to be freed with weir_outbound_hosts_free. On failure returns false,
 * leaves it untouched and stores a message "path:line:column: what is wrong, what to write" in `*ret_message`, to be
 * freed with free(3); NULL when memory ran out. What variables stand for is in no message. Any thread.
 */
bool weir_outbound_hosts_parse(const weir_manifest_t *manifest, const weir_outbound_text_t *texts, size_t text_count,
    weir_outbound_hosts_t *ret_hosts, char **ret_message);

/* Free what `hosts` owns, and zero it. */
void weir_outbound_hosts_free(weir_outbound_hosts_t *hosts);

/* Stands for the port of the scheme, where a URL has none. */
#define WEIR_PORT_OF_SCHEME (-1)

/*
 * Whether a component may reach `host` (a name, an IPv4 address, an IPv6 address with or without brackets) with
 * `scheme` ("http", "https", "tcp", "udp"; in any case) on `port`. A zeroed `hosts` allows nothing. Allocates nothing.
 * Any thread.
 */
bool weir_outbound_hosts_allow(const weir_outbound_hosts_t *hosts, const char *scheme, const char *host, int port);

/*
 * Whether it may reach that, but only as an entry with a secret value says: then no message may name it. Otherwise as
 * weir_outbound_hosts_allow.
 */
bool weir_outbound_hosts_hide(const weir_outbound_hosts_t *hosts, const char *scheme, const char *host, int port);

/*
 * Whether a component may ask what addresses a name has: when it may reach that name, with any scheme and on any port.
 * A query tells the name to whoever answers it, so for other names it would be a way out. An address is none. Allocates
 * nothing. Any thread.
 */
bool weir_outbound_hosts_allow_lookup(const weir_outbound_hosts_t *hosts, const char *name);

/*
 * Whether a component may make requests with a relative URL, which go to its own application: those entries say so
 * that are for "self" or any host, with the scheme http, https or any. Allocates nothing. Any thread.
 */
bool weir_outbound_hosts_allow_self(const weir_outbound_hosts_t *hosts);

/*
 * The index of the component that "COMPONENT.spin.internal" is, of all those of `manifest`; WEIR_NO_COMPONENT when the
 * host is another or no component has that name. `*ret_is_chaining` says whether the host has this form. A port behind
 * the host is ignored. Allocates nothing. Any thread.
 */
size_t weir_outbound_hosts_chained(const weir_manifest_t *manifest, const char *host, bool *ret_is_chaining);

/*
 * For an application of which only some components run (`selected` has one truth for each of the manifest's): whether
 * an entry of `component` names one that does not run, or any. If so returns false and stores a message, as
 * weir_outbound_hosts_parse does. Entries with variables are not looked at (Spin's
 * crates/factor-outbound-networking/src/allowed_hosts.rs). Any thread.
 */
bool weir_outbound_hosts_check_selection(
    const weir_manifest_t *manifest, size_t component, const bool *selected, char **ret_message);

/* What to say when a destination is denied. Each is one line, whatever the guest asked for. */
typedef struct weir_outbound_denial {
    char log[384];  /* Outbound network destination not allowed: http://example.com */
    char hint[800]; /* To allow this, add allowed_outbound_hosts = ["http://example.com"] to component "hello" at … */
} weir_outbound_denial_t;

/*
 * Fill in both texts. `host` is "self" for a relative URL. `component` is the asking one, whose place in the manifest
 * the hint names. Allocates nothing. Any thread.
 */
void weir_outbound_hosts_describe_denial(const weir_manifest_t *manifest, size_t component, const char *scheme,
    const char *host, int port, weir_outbound_denial_t *ret_denial);

#endif
