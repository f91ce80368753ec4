/*
 * chain.h: what the four components of this application have in common: answering a request, and asking another
 * component of the same application.
 *
 * The memory that is allocated is not freed: a fresh instance answers each request.
 */
#ifndef CHAIN_H
#define CHAIN_H

#include "bindings.h"

#include <stdbool.h>

typedef exports_wasi_http_incoming_handler_own_incoming_request_t request_t;
typedef exports_wasi_http_incoming_handler_own_response_outparam_t response_outparam_t;

/* The value of a name in the request's query, as it was sent; NULL when it has none. */
char *query_value(request_t request, const char *name);

/* Answer with a text, made as printf(3) does. */
void answer(response_outparam_t out, uint16_t status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/*
 * Ask the component `component` of this application for a path with its query, made as printf(3) does, by GET: the host
 * hands a request for http://COMPONENT.spin.internal over to it without a network. Returns the response's status and
 * stores its text in `*ret_text`; returns 0 when the request was refused or failed, and stores what is known of that.
 */
uint16_t ask(const char *component, char **ret_text, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
