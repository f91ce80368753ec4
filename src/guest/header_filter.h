/*
 * header_filter.h: which header names and values may pass between a client and a guest, and which belong to the
 * connection alone. Pure functions; any thread.
 */
#ifndef WEIR_GUEST_HEADER_FILTER_H
#define WEIR_GUEST_HEADER_FILTER_H

#include "weir_bridge.h"

#include <stdbool.h>
#include <stdint.h>

/* A terminated string as bytes. */
weir_bytes_t weir_bytes_of(const char *string);

/* Whether `name` is `lower_case`, in any case of ASCII letters. */
bool weir_header_is(weir_bytes_t name, const char *lower_case);

/* Whether `name` is a token (RFC 9110, section 5.6.2): at least one character, none of them a delimiter. */
bool weir_header_name_is_valid(weir_bytes_t name);

/*
 * Whether `value` has no control characters but the tab (RFC 9110, section 5.5): no CR, LF or NUL above all. Bytes from
 * 0x80 on are allowed, as in Rust's http::HeaderValue.
 */
bool weir_header_value_is_valid(weir_bytes_t value);

/* Whether `value` has printable ASCII and tabs only: what Spin takes for text in a CGI variable (HeaderValue::to_str).
 */
bool weir_header_value_is_ascii(weir_bytes_t value);

/*
 * Whether a request's header stays with the connection. These are the names that wasmtime-wasi-http keeps from guests
 * (DEFAULT_FORBIDDEN_HEADERS), without Host. TE and Trailer reach the guest, as they do in Spin.
 */
bool weir_header_is_of_client_connection(weir_bytes_t name);

/* Whether a response's header would be about the connection, which is the server's alone (RFC 9110, section 7.6.1). */
bool weir_header_is_of_server_connection(weir_bytes_t name);

/*
 * Whether `name` is one of those that the host itself sets: "spin-...", also spelled "spin_...", which some libraries
 * and every CGI program take for the same.
 */
bool weir_header_is_of_host(weir_bytes_t name);

/* Parse a Content-Length: digits only. Returns false, and leaves `*ret_length` untouched, for anything else. */
bool weir_header_parse_length(weir_bytes_t value, int64_t *ret_length);

#endif
