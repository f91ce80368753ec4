/*
 * cgi_request.c: fills one block of memory whose size is reckoned beforehand; what would not fit is an error, never an
 * overrun.
 */
#include "guest/cgi_request.h"

#include "guest/header_filter.h"
#include "guest/spin_headers.h"
#include "observe/escape.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIXED_VARIABLES = 24,
    FIXED_TEXT = 64,
};

static const char script_name_token[] = "${SCRIPT_NAME}";
static const char args_token[] = "${ARGS}";

/* Where the next text goes in the block. */
typedef struct arena {
    char *next;
    char *end;
    bool full;
} arena_t;

static weir_bytes_t copy(arena_t *arena, weir_bytes_t bytes)
{
    if (bytes.size > (size_t)(arena->end - arena->next)) {
        arena->full = true;
        return (weir_bytes_t){NULL, 0};
    }
    weir_bytes_t copied = {arena->next, bytes.size};
    if (bytes.size > 0)
        memcpy(arena->next, bytes.data, bytes.size);
    arena->next += bytes.size;
    return copied;
}

/* ---- Arguments ---- */

/* How a text will be once each `token` in it is replaced. */
typedef struct replacement {
    size_t size; /* of the result, or something above the limit as soon as it is passed */
    size_t count;
} replacement_t;

static replacement_t measure(weir_bytes_t text, weir_bytes_t token, weir_bytes_t value)
{
    replacement_t result = {.size = text.size};
    const char *from = text.data;
    const char *end = text.data + text.size;
    while (result.size <= WEIR_CGI_ARGUMENTS_MAX_BYTES) {
        const char *found = memmem(from, (size_t)(end - from), token.data, token.size);
        if (found == NULL)
            break;
        result.size = result.size - token.size + value.size;
        result.count++;
        from = found + token.size;
    }
    return result;
}

/* Write `text` with each `token` replaced; `separator` in a value becomes a space. */
static void replace(weir_bytes_t text, weir_bytes_t token, weir_bytes_t value, char separator, char *ret_text)
{
    const char *from = text.data;
    const char *end = text.data + text.size;
    char *to = ret_text;
    for (;;) {
        const char *found = memmem(from, (size_t)(end - from), token.data, token.size);
        size_t before = (size_t)((found != NULL ? found : end) - from);
        memcpy(to, from, before);
        to += before;
        if (found == NULL)
            return;
        for (size_t i = 0; i < value.size; i++)
            *to++ = value.data[i] == separator ? ' ' : value.data[i];
        from = found + token.size;
    }
}

static size_t count_separators(weir_bytes_t text, char separator)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == ' ' || text.data[i] == separator;
    return count;
}

static void split_arguments(weir_bytes_t text, weir_cgi_request_t *cgi)
{
    size_t from = 0;
    for (size_t i = 0; i <= text.size; i++) {
        if (i == text.size || text.data[i] == ' ') {
            cgi->arguments[cgi->argument_count++] = (weir_bytes_t){text.data + from, i - from};
            from = i + 1;
        }
    }
}

/* ---- Environment ---- */

static void set(weir_cgi_request_t *cgi, const char *name, weir_bytes_t value)
{
    cgi->environment[cgi->environment_count++] = (weir_pair_t){weir_bytes_of(name), value};
}

/* Host and port from the Host header, as Spin's parse_host_header_uri: an empty part leaves the default. */
static void set_server(weir_cgi_request_t *cgi, weir_bytes_t host)
{
    weir_bytes_t name = weir_bytes_of("default_host");
    weir_bytes_t port = weir_bytes_of("80");
    if (host.size > 0 && weir_header_value_is_ascii(host)) {
        const char *colon = memchr(host.data, ':', host.size);
        size_t name_size = colon != NULL ? (size_t)(colon - host.data) : host.size;
        if (name_size > 0)
            name = (weir_bytes_t){host.data, name_size};
        if (colon != NULL && host.size - name_size > 1)
            port = (weir_bytes_t){colon + 1, host.size - name_size - 1};
    }
    set(cgi, "SERVER_NAME", name);
    set(cgi, "SERVER_PORT", port);
}

static weir_bytes_t copy_translated(arena_t *arena, weir_bytes_t path_info)
{
    if (path_info.size > (size_t)(arena->end - arena->next) / 3) {
        arena->full = true;
        return (weir_bytes_t){NULL, 0};
    }
    weir_bytes_t translated = {arena->next, weir_percent_decode(path_info, arena->next)};
    arena->next += translated.size;
    return translated;
}

static weir_bytes_t copy_full_url(arena_t *arena, const weir_request_t *request)
{
    if (weir_full_url_size(request) > (size_t)(arena->end - arena->next)) {
        arena->full = true;
        return (weir_bytes_t){NULL, 0};
    }
    weir_bytes_t url = {arena->next, weir_full_url_write(request, arena->next)};
    arena->next += url.size;
    return url;
}

static weir_bytes_t content_type_of(const weir_request_t *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (weir_header_is(request->headers[i].name, "content-type")) {
            weir_bytes_t value = request->headers[i].value;
            return weir_header_value_is_ascii(value) ? value : weir_bytes_of("");
        }
    }
    return weir_bytes_of("");
}

static void set_fixed(weir_cgi_request_t *cgi, arena_t *arena, const weir_request_t *request,
    const weir_route_match_t *match, uint64_t content_length)
{
    const weir_route_t *route = match->route;
    weir_bytes_t empty = weir_bytes_of("");
    weir_bytes_t path_info = copy(arena, (weir_bytes_t){match->path_info, match->path_info_size});
    weir_bytes_t client_ip = copy(arena, weir_bytes_of(request->client_ip));

    /* crates/http/src/wagi/mod.rs, build_headers */
    set(cgi, "AUTH_TYPE", empty);
    cgi->content_length_index = cgi->environment_count;
    const char zeros[WEIR_CGI_CONTENT_LENGTH_MAX] = {0};
    set(cgi, "CONTENT_LENGTH", copy(arena, (weir_bytes_t){zeros, sizeof zeros}));
    if (!arena->full)
        weir_cgi_request_set_content_length(cgi, content_length);
    set(cgi, "CONTENT_TYPE", copy(arena, content_type_of(request)));
    set(cgi, "GATEWAY_INTERFACE", weir_bytes_of("CGI/1.1"));
    set(cgi, "QUERY_STRING", copy(arena, request->query));
    set(cgi, "REMOTE_ADDR", client_ip);
    set(cgi, "REMOTE_HOST", client_ip);
    set(cgi, "REMOTE_USER", empty);
    set(cgi, "REQUEST_METHOD", copy(arena, request->method));
    set(cgi, "SCRIPT_NAME", weir_bytes_of(route->base));
    set(cgi, "X_RAW_PATH_INFO", path_info);
    set(cgi, "PATH_TRANSLATED", copy_translated(arena, path_info));
    set_server(cgi, copy(arena, request->host));
    set(cgi, "SERVER_PROTOCOL", copy(arena, request->version));
    set(cgi, "SERVER_SOFTWARE", weir_bytes_of("WAGI/1"));

    /* crates/trigger-http/src/headers.rs, compute_default_headers */
    set(cgi, "PATH_INFO", path_info);
    set(cgi, "X_FULL_URL", copy_full_url(arena, request));
    set(cgi, "X_MATCHED_ROUTE", weir_bytes_of(route->matched));
    set(cgi, "X_BASE_PATH", weir_bytes_of("/"));
    set(cgi, "X_RAW_COMPONENT_ROUTE", weir_bytes_of(route->raw));
    set(cgi, "X_COMPONENT_ROUTE", weir_bytes_of(route->raw_base));
    set(cgi, "X_CLIENT_ADDR", copy(arena, weir_bytes_of(request->client_address)));
    for (size_t i = 0; i < route->parameter_count; i++) {
        weir_route_value_t value = match->parameters[i];
        set(cgi, route->parameters[i].variable, copy(arena, (weir_bytes_t){value.text, value.size}));
    }
}

static bool is_for_environment(weir_bytes_t name)
{
    return weir_header_name_is_valid(name) && !weir_header_is(name, "authorization") &&
           !weir_header_is(name, "connection") && !weir_header_is(name, "proxy") && !weir_header_is_of_host(name);
}

static weir_bytes_t copy_variable_name(arena_t *arena, weir_bytes_t name)
{
    weir_bytes_t prefix = copy(arena, weir_bytes_of("HTTP_"));
    weir_bytes_t rest = copy(arena, name);
    if (arena->full)
        return rest;
    char *at = arena->next - rest.size;
    for (; at < arena->next; at++) {
        if (*at == '-')
            *at = '_';
        else if (*at >= 'a' && *at <= 'z')
            *at = (char)(*at - ('a' - 'A'));
    }
    return (weir_bytes_t){prefix.data, prefix.size + rest.size};
}

static void set_header(weir_cgi_request_t *cgi, arena_t *arena, size_t first, weir_pair_t header)
{
    weir_bytes_t name = copy_variable_name(arena, header.name);
    weir_bytes_t value =
        weir_header_value_is_ascii(header.value) ? copy(arena, header.value) : weir_bytes_of("CORRUPT VALUE");
    if (arena->full)
        return;
    for (size_t i = first; i < cgi->environment_count; i++) {
        weir_pair_t *known = &cgi->environment[i];
        if (known->name.size == name.size && memcmp(known->name.data, name.data, name.size) == 0) {
            known->value = value;
            return;
        }
    }
    cgi->environment[cgi->environment_count++] = (weir_pair_t){name, value};
}

/* Names with "_" come first, so that those with "-" replace them. */
static void set_headers(weir_cgi_request_t *cgi, arena_t *arena, const weir_request_t *request)
{
    size_t first = cgi->environment_count;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < request->header_count; i++) {
            weir_pair_t header = request->headers[i];
            bool has_underscore = header.name.size > 0 && memchr(header.name.data, '_', header.name.size) != NULL;
            if (has_underscore == (pass == 0) && is_for_environment(header.name))
                set_header(cgi, arena, first, header);
        }
    }
}

/* ---- The whole ---- */

/* The most text that the environment of a request can need. */
static size_t environment_text_size(const weir_request_t *request, const weir_route_match_t *match)
{
    size_t size = FIXED_TEXT + WEIR_CGI_CONTENT_LENGTH_MAX + request->method.size + request->query.size +
                  request->host.size + request->version.size + strlen(request->client_ip) +
                  strlen(request->client_address) + 4 * match->path_info_size + weir_full_url_size(request) +
                  content_type_of(request).size;
    for (size_t i = 0; i < match->route->parameter_count; i++)
        size += match->parameters[i].size;
    for (size_t i = 0; i < request->header_count; i++)
        size += sizeof "HTTP_" + request->headers[i].name.size + request->headers[i].value.size;
    return size;
}

/* Lay out the block (environment, arguments, text) and fill it. `half_expanded` is the template with its paths. */
static const char *build(const weir_request_t *request, const weir_route_match_t *match, weir_bytes_t half_expanded,
    uint64_t content_length, weir_cgi_request_t *ret_cgi)
{
    weir_bytes_t token = weir_bytes_of(args_token);
    replacement_t expanded = measure(half_expanded, token, request->query);
    if (expanded.size > WEIR_CGI_ARGUMENTS_MAX_BYTES)
        return "its arguments would be longer than 128 KiB";
    size_t arguments =
        1 + count_separators(half_expanded, ' ') + expanded.count * count_separators(request->query, '&');
    size_t variables = FIXED_VARIABLES + match->route->parameter_count + request->header_count;
    size_t arrays_size = variables * sizeof(weir_pair_t) + arguments * sizeof(weir_bytes_t);
    size_t text_size = expanded.size + environment_text_size(request, match);
    char *block = malloc(arrays_size + text_size);
    if (block == NULL)
        return "memory ran out";
    arena_t arena = {block + arrays_size, block + arrays_size + text_size, false};
    weir_cgi_request_t cgi = {.own_block = block};
    cgi.environment = (weir_pair_t *)(void *)block;
    cgi.arguments = (weir_bytes_t *)(void *)(block + variables * sizeof(weir_pair_t));
    replace(half_expanded, token, request->query, '&', arena.next);
    split_arguments((weir_bytes_t){arena.next, expanded.size}, &cgi);
    arena.next += expanded.size;
    set_fixed(&cgi, &arena, request, match, content_length);
    set_headers(&cgi, &arena, request);
    if (arena.full) {
        free(block);
        return "its environment does not fit its block, which is a bug in weir";
    }
    *ret_cgi = cgi;
    return NULL;
}

const char *weir_cgi_request_prepare(const weir_request_t *request, const weir_route_match_t *match,
    const char *argv_template, uint64_t content_length, weir_cgi_request_t *ret_cgi)
{
    if (!weir_utf8_is_valid(request->host.data, request->host.size))
        return "the Host header is not UTF-8";
    weir_bytes_t template = weir_bytes_of(argv_template);
    weir_bytes_t token = weir_bytes_of(script_name_token);
    size_t size = measure(template, token, request->path).size;
    if (size > WEIR_CGI_ARGUMENTS_MAX_BYTES)
        return "its arguments would be longer than 128 KiB";
    char small[512];
    char *half_expanded = size <= sizeof small ? small : malloc(size);
    if (half_expanded == NULL)
        return "memory ran out";
    replace(template, token, request->path, ' ', half_expanded);
    const char *failure = build(request, match, (weir_bytes_t){half_expanded, size}, content_length, ret_cgi);
    if (half_expanded != small)
        free(half_expanded);
    return failure;
}

void weir_cgi_request_set_content_length(weir_cgi_request_t *cgi, uint64_t content_length)
{
    char digits[WEIR_CGI_CONTENT_LENGTH_MAX + 1];
    int size = snprintf(digits, sizeof digits, "%" PRIu64, content_length);
    weir_bytes_t *value = &cgi->environment[cgi->content_length_index].value;
    char *own_digits = cgi->own_block + (value->data - cgi->own_block);
    memcpy(own_digits, digits, (size_t)size);
    value->size = (size_t)size;
}

void weir_cgi_request_free(weir_cgi_request_t *cgi)
{
    free(cgi->own_block);
    *cgi = (weir_cgi_request_t){0};
}
