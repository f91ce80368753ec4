/*
 * chain_internal.h: what the files about requests from guest to guest tell each other. The loop's thread only.
 */
#ifndef WEIR_SERVE_CHAIN_INTERNAL_H
#define WEIR_SERVE_CHAIN_INTERNAL_H

#include "serve/chain.h"

/* Have the loop go on with it; nothing when it has ended. */
void weir_chain_make_ready(weir_chain_t *chain);

/* End it, with its task: what its caller has no response to is broken off. The pointer is invalid afterwards. */
void weir_chain_end(weir_chain_t *own_chain);

/* The same, with an error for the caller if it has no response. */
void weir_chain_fail(weir_chain_t *own_chain, weir_outgoing_failure_t failure);

/* The path of a target, without its query. */
weir_bytes_t weir_chain_path(weir_bytes_t target);

/* Find who answers it. Returns false when it was answered, or failed: it may be invalid then. */
bool weir_chain_match(weir_chain_t *chain);

/* Answer in a guest's place. `body` must live as long as the generation. The chain may be invalid afterwards. */
void weir_chain_answer(
    weir_chain_t *chain, uint16_t status, const weir_pair_t *headers, size_t header_count, weir_bytes_t body);

/* Go on with such an answer. */
void weir_chain_go_on_directly(weir_chain_t *chain);

#endif
