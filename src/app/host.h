/*
 * host.h: the host of a URL, read as the URL standard says (https://url.spec.whatwg.org/#host-parsing), so that every
 * spelling of a name or an address compares equal. Private to this room.
 */
#ifndef WEIR_APP_HOST_H
#define WEIR_APP_HOST_H

#include "app/network.h"

/* A name of DNS has at most 253 characters (RFC 1035) and perhaps a dot behind it. */
#define WEIR_HOST_NAME_MAX 254

typedef struct weir_host {
    bool is_address;
    weir_ip_address_t address;
    size_t name_size;
    char name[WEIR_HOST_NAME_MAX + 1]; /* in lower case, terminated; when it is no address */
} weir_host_t;

/*
 * Read a host: a name in ASCII (percent-encoded characters are decoded), an IPv4 address in any of the ways that the
 * standard knows ("127.1", "0x7f.0.0.1"), or an IPv6 address in brackets. Allocates nothing. When it is none of these,
 * returns false, leaves `*ret_host` untouched and stores in `*ret_reason` what is wrong, as the end of a sentence that
 * names the host; it is static. Any thread.
 *
 * Names in other characters are refused: there, Spin applies IDNA.
 */
bool weir_host_parse(const char *text, size_t size, weir_host_t *ret_host, const char **ret_reason);

#endif
