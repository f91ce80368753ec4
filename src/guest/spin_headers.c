/*
 * spin_headers.c: works on the stack for requests of usual size; only larger ones cost a malloc.
 */
#include "guest/spin_headers.h"

#include "guest/header_filter.h"
#include "observe/escape.h"

#include <stdlib.h>
#include <string.h>

static const char default_host[] = "localhost";

static weir_bytes_t host_of(const weir_request_t *request)
{
    return request->host.size > 0 ? request->host : weir_bytes_of(default_host);
}

size_t weir_full_url_size(const weir_request_t *request)
{
    return sizeof "https://" + sizeof default_host + request->host.size + request->target.size;
}

static char *put(char *end, weir_bytes_t bytes)
{
    if (bytes.size > 0)
        memcpy(end, bytes.data, bytes.size);
    return end + bytes.size;
}

size_t weir_full_url_write(const weir_request_t *request, char *ret_text)
{
    char *end = put(ret_text, weir_bytes_of(request->secure ? "https://" : "http://"));
    end = put(end, host_of(request));
    end = put(end, request->target);
    return (size_t)(end - ret_text);
}

static void add(weir_spin_headers_t *headers, const char *name, weir_bytes_t value)
{
    headers->pairs[headers->count++] = (weir_pair_t){weir_bytes_of(name), value};
}

static bool add_client_headers(const weir_request_t *request, weir_spin_headers_t *headers)
{
    for (size_t i = 0; i < request->header_count; i++) {
        weir_pair_t header = request->headers[i];
        /* Spin refuses the request even when it would not have passed the header on. */
        if (!weir_utf8_is_valid(header.value.data, header.value.size))
            return false;
        bool passes = weir_header_name_is_valid(header.name) && weir_header_value_is_valid(header.value) &&
                      !weir_header_is_of_client_connection(header.name) && !weir_header_is_of_host(header.name);
        if (passes)
            headers->pairs[headers->count++] = header;
    }
    return true;
}

const char *weir_spin_headers_prepare(
    const weir_request_t *request, const weir_route_match_t *match, weir_spin_headers_t *ret_headers)
{
    weir_spin_headers_t *headers = ret_headers;
    headers->count = 0;
    headers->pairs = headers->inline_pairs;
    headers->text = headers->inline_text;
    const weir_route_t *route = match->route;
    size_t most = request->header_count + WEIR_SPIN_HEADER_COUNT + route->parameter_count;
    if (most > WEIR_SPIN_HEADERS_INLINE)
        headers->pairs = calloc(most, sizeof *headers->pairs);
    size_t url_size = weir_full_url_size(request);
    if (url_size > WEIR_SPIN_HEADERS_INLINE_TEXT)
        headers->text = malloc(url_size);
    if (headers->pairs == NULL || headers->text == NULL) {
        weir_spin_headers_free(headers);
        return "memory ran out";
    }
    if (!add_client_headers(request, headers)) {
        weir_spin_headers_free(headers);
        return "the value of a request header is not UTF-8";
    }
    weir_bytes_t url = {headers->text, weir_full_url_write(request, headers->text)};
    add(headers, "spin-path-info", (weir_bytes_t){match->path_info, match->path_info_size});
    add(headers, "spin-full-url", url);
    add(headers, "spin-matched-route", weir_bytes_of(route->matched));
    add(headers, "spin-base-path", weir_bytes_of("/"));
    add(headers, "spin-raw-component-route", weir_bytes_of(route->raw));
    add(headers, "spin-component-route", weir_bytes_of(route->raw_base));
    add(headers, "spin-client-addr", weir_bytes_of(request->client_address));
    for (size_t i = 0; i < route->parameter_count; i++) {
        weir_route_value_t value = match->parameters[i];
        add(headers, route->parameters[i].header, (weir_bytes_t){value.text, value.size});
    }
    return NULL;
}

void weir_spin_headers_free(weir_spin_headers_t *headers)
{
    if (headers->pairs != headers->inline_pairs)
        free(headers->pairs);
    if (headers->text != headers->inline_text)
        free(headers->text);
    headers->pairs = NULL;
    headers->text = NULL;
    headers->count = 0;
}
