/*
 * proxy_protocol.h: the header with which a proxy says who has connected to it (HAProxy's "The PROXY protocol, versions
 * 1 & 2", doc/proxy-protocol.txt). Pure functions; any thread.
 */
#ifndef WEIR_HTTP_PROXY_PROTOCOL_H
#define WEIR_HTTP_PROXY_PROTOCOL_H

#include "http/endpoint.h"

#include <stddef.h>

/* Addresses need 232 bytes at most; the rest is for what else a proxy tells, which is skipped. */
enum { WEIR_PROXY_HEADER_MAX_BYTES = 4096 };

typedef enum weir_proxy_header_state {
    WEIR_PROXY_HEADER_WHOLE = 0,
    WEIR_PROXY_HEADER_PARTIAL = 1,
    WEIR_PROXY_HEADER_REFUSED = 2,
} weir_proxy_header_state_t;

/*
 * Parse the header at the start of what a proxy sends; which version it is shows in its first bytes. Whole: stores how
 * many bytes it has, and who the client is: not known, when the proxy speaks for itself (LOCAL) or cannot say (UNKNOWN,
 * UNSPEC, Unix sockets). Partial: more is needed, and no more than WEIR_PROXY_HEADER_MAX_BYTES in all. Refused: it is
 * none, is larger, or a checksum that it has (PP2_TYPE_CRC32C) is wrong.
 */
weir_proxy_header_state_t weir_proxy_header_parse(weir_bytes_t text, size_t *ret_size, weir_endpoint_t *ret_client);

#endif
