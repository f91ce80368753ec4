/*
 * chain_match.c: who answers a request from guest to guest: a component that is addressed by name, with the match that
 * Spin makes up for it (crates/trigger-http/src/outbound_http.rs), or, for the application itself, what its listener
 * would have found; and the answers that the server gives itself.
 */
#include "guest/header_filter.h"
#include "serve/chain_internal.h"
#include "serve/shared.h"

#include <string.h>

static const char SELF[] = "self.alt";
static const char INTERNAL[] = ".spin.internal";
static const char RESERVED[] = "/.well-known/spin/";

/* The authority without its port. */
static weir_bytes_t host_of(weir_bytes_t authority)
{
    const char *colon = authority.size > 0 ? memchr(authority.data, ':', authority.size) : NULL;
    return (weir_bytes_t){authority.data, colon == NULL ? authority.size : (size_t)(colon - authority.data)};
}

weir_bytes_t weir_chain_path(weir_bytes_t target)
{
    const char *query = memchr(target.data, '?', target.size);
    return (weir_bytes_t){target.data, query == NULL ? target.size : (size_t)(query - target.data)};
}

/* Go on with an answer of the server's own. */
void weir_chain_go_on_directly(weir_chain_t *chain)
{
    size_t written = weir_outgoing_write(chain->outgoing, chain->rest);
    chain->rest = (weir_bytes_t){chain->rest.data + written, chain->rest.size - written};
    if (chain->rest.size == 0) {
        weir_outgoing_write_end(chain->outgoing);
        weir_chain_end(chain);
    }
}

/* Answer in a guest's place. `body` must live as long as the generation. */
void weir_chain_answer(
    weir_chain_t *chain, uint16_t status, const weir_pair_t *headers, size_t header_count, weir_bytes_t body)
{
    if (!weir_outgoing_respond(chain->outgoing, status, headers, header_count)) {
        weir_chain_end(chain);
        return;
    }
    chain->is_direct = true;
    chain->rest = body;
    weir_deadline_lift(&chain->deadline);
    weir_chain_go_on_directly(chain);
}

/* Spin's own endpoints, which every listener has. Returns whether it was one of them. */
static bool answer_reserved(weir_chain_t *chain, weir_bytes_t path)
{
    size_t prefix = sizeof(RESERVED) - 1;
    if (path.size < prefix || memcmp(path.data, RESERVED, prefix) != 0) {
        return false;
    }
    const weir_generation_t *generation = chain->stake->generation;
    weir_bytes_t rest = {path.data + prefix, path.size - prefix};
    const weir_pair_t type = {weir_bytes_of("content-type"), weir_bytes_of("application/json")};
    if (rest.size == 6 && memcmp(rest.data, "health", 6) == 0) {
        weir_chain_answer(chain, 200, NULL, 0, weir_bytes_of("OK"));
    } else if (rest.size == 4 && memcmp(rest.data, "info", 4) == 0) {
        weir_chain_answer(chain, 200, &type, 1, (weir_bytes_t){generation->info, generation->info_size});
    } else {
        weir_chain_answer(chain, 404, NULL, 0, (weir_bytes_t){"", 0});
    }
    return true;
}

/* Ids have capitals, too, and hosts come as the guest wrote them: both are compared as they are. */
static const weir_http_trigger_t *trigger_of(const weir_manifest_t *manifest, weir_bytes_t id, size_t *ret_component)
{
    for (size_t i = 0; i < manifest->trigger_count; i++) {
        const weir_http_trigger_t *trigger = &manifest->triggers[i];
        const char *known = trigger->component == WEIR_NO_COMPONENT ? "" : manifest->components[trigger->component].id;
        if (id.size > 0 && strlen(known) == id.size && memcmp(known, id.data, id.size) == 0) {
            *ret_component = trigger->component;
            return trigger;
        }
    }
    return NULL;
}

/* A component that is addressed by name: the match that Spin makes up for it (RouteMatch::synthetic). */
static bool match_component(weir_chain_t *chain, weir_bytes_t host, weir_bytes_t path)
{
    const weir_manifest_t *manifest = chain->stake->generation->parts.manifest;
    weir_bytes_t id = {host.data, host.size - (sizeof(INTERNAL) - 1)};
    const weir_http_trigger_t *trigger = manifest == NULL ? NULL : trigger_of(manifest, id, &chain->component);
    if (trigger == NULL) {
        return false;
    }
    chain->route = (weir_route_t){
        .trigger = trigger, .raw = "/...", .matched = "/...", .base = "", .raw_base = "", .wildcard = true};
    chain->match = (weir_route_match_t){.route = &chain->route, .path_info = path.data, .path_info_size = path.size};
    return true;
}

static bool is_chained(weir_bytes_t host)
{
    size_t suffix = sizeof(INTERNAL) - 1;
    return host.size > suffix && weir_header_is((weir_bytes_t){host.data + host.size - suffix, suffix}, INTERNAL);
}

/* Find who answers. Returns false when the chain has been answered, or failed. */
bool weir_chain_match(weir_chain_t *chain)
{
    weir_outgoing_head_t head = weir_outgoing_head(chain->outgoing);
    weir_bytes_t host = host_of(head.authority);
    weir_bytes_t path = weir_chain_path(head.path_and_query);
    const weir_generation_parts_t *parts = &chain->stake->generation->parts;
    if (is_chained(host)) {
        if (match_component(chain, host, path)) {
            return true;
        }
        weir_chain_fail(chain, WEIR_OUTGOING_NOT_FOUND);
        return false;
    }
    if (!weir_header_is(host, SELF)) {
        weir_chain_fail(chain, WEIR_OUTGOING_DENIED);
        return false;
    }
    if (answer_reserved(chain, path)) {
        return false;
    }
    if (!weir_routes_match(parts->routes, path.data, path.size, &chain->match)) {
        weir_chain_answer(chain, 404, NULL, 0, (weir_bytes_t){"", 0});
        return false;
    }
    const weir_http_trigger_t *trigger = chain->match.route->trigger;
    chain->component = trigger->component;
    if (trigger->static_response != NULL) {
        weir_pair_t headers[WEIR_REQUEST_HEADERS_MAX];
        const weir_static_response_t *given = trigger->static_response;
        size_t count = given->header_count < WEIR_REQUEST_HEADERS_MAX ? given->header_count : WEIR_REQUEST_HEADERS_MAX;
        for (size_t i = 0; i < count; i++) {
            headers[i] = (weir_pair_t){weir_bytes_of(given->headers[i].name), weir_bytes_of(given->headers[i].value)};
        }
        weir_chain_answer(chain, given->status, headers, count, (weir_bytes_t){given->body, given->body_size});
        return false;
    }
    return true;
}
