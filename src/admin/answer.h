/*
 * answer.h: what the admin listener answers to a request. Nothing that it is asked changes anything.
 */
#ifndef WEIR_ADMIN_ANSWER_H
#define WEIR_ADMIN_ANSWER_H

#include "admin/status.h"
#include "http/head.h"
#include "http/response_head.h"

#include <stdbool.h>
#include <stddef.h>

/* A request whose head is sound; the texts are borrowed. */
typedef struct weir_admin_request {
    weir_head_t head;
    const weir_pair_t *fields;
    bool checks_host; /* it came over TCP: its Host is looked at */
} weir_admin_request_t;

/* By which names the listener may be called, besides localhost, addresses, and names without a dot. */
typedef struct weir_admin_names {
    const char *machine;      /* its own; or "" */
    const char *const *names; /* further ones */
    size_t count;
} weir_admin_names_t;

typedef struct weir_admin_answer {
    unsigned status;
    const char *content_type;
    const char *allow;    /* a field, or NULL, as the next two */
    const char *location; /* constant */
    bool varies;          /* with what the client accepts */
    char nonce[32];       /* of a page with scripts of its own; "": it has none */
    bool closes;
} weir_admin_answer_t;

/* Decide what to answer, and append the body to a text. */
weir_admin_answer_t weir_admin_answer(const weir_admin_request_t *request, const weir_admin_names_t *names,
    const weir_status_sources_t *sources, weir_head_text_t *body);

/*
 * Whether a request may have named its host like this. A page of the web can have a browser ask any name that its owner
 * lets resolve to this machine (DNS rebinding), but no address, and no name that is not in the DNS. Pure.
 */
bool weir_admin_host_is_known(weir_bytes_t host, const weir_admin_names_t *names);

/* Whether JSON is what a client prefers to HTML, by its Accept (RFC 9110, section 12.5.1). Pure. */
bool weir_admin_prefers_json(weir_bytes_t accept);

#endif
