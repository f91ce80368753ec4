/*
 * guest_request.c: fuzzes what guests are told of a request. The input is lines: an argv template, the target, the Host
 * header, then headers. A client must not be able to speak for the host, nor to bring a line break or a NUL in.
 */
#include "fuzz.h"
#include "guest/cgi_request.h"
#include "guest/header_filter.h"
#include "guest/spin_headers.h"
#include "observe/escape.h"

enum { HEADERS_MAX = 64 };

static char wasm_id[] = "a";
static weir_http_trigger_t trigger = {.id = wasm_id};
static const weir_route_t route = {
    .trigger = &trigger, .raw = "/a/...", .matched = "/a/...", .base = "/a", .raw_base = "/a", .wildcard = true};

static bool same(weir_bytes_t left, weir_bytes_t right)
{
    return left.size == right.size && (left.size == 0 || memcmp(left.data, right.data, left.size) == 0);
}

static void check_spin_headers(const weir_request_t *request, const weir_route_match_t *match)
{
    weir_spin_headers_t headers;
    if (weir_spin_headers_prepare(request, match, &headers) != NULL) {
        return;
    }
    size_t of_host = 0;
    must_hold(headers.count <= request->header_count + WEIR_SPIN_HEADER_COUNT);
    for (size_t i = 0; i < headers.count; i++) {
        must_hold(weir_header_name_is_valid(headers.pairs[i].name));
        must_hold(!weir_header_is_of_client_connection(headers.pairs[i].name));
        must_hold(weir_header_value_is_valid(headers.pairs[i].value));
        of_host += weir_header_is_of_host(headers.pairs[i].name) ? 1 : 0;
    }
    must_hold(of_host == WEIR_SPIN_HEADER_COUNT);
    weir_spin_headers_free(&headers);
}

static void check_cgi_request(const weir_request_t *request, const weir_route_match_t *match, const char *argv_template)
{
    weir_cgi_request_t cgi;
    if (weir_cgi_request_prepare(request, match, argv_template, 17, &cgi) != NULL) {
        return;
    }
    size_t total = 0;
    for (size_t i = 0; i < cgi.argument_count; i++) {
        total += cgi.arguments[i].size + 1;
        must_hold(cgi.arguments[i].size == 0 || memchr(cgi.arguments[i].data, '\0', cgi.arguments[i].size) == NULL);
    }
    must_hold(total <= WEIR_CGI_ARGUMENTS_MAX_BYTES + 1);
    for (size_t i = 0; i < cgi.environment_count; i++) {
        weir_bytes_t name = cgi.environment[i].name;
        weir_bytes_t value = cgi.environment[i].value;
        must_hold(name.size > 0 && memchr(name.data, '=', name.size) == NULL);
        must_hold(memchr(name.data, '\0', name.size) == NULL);
        must_hold(weir_utf8_is_valid(name.data, name.size) && weir_utf8_is_valid(value.data, value.size));
        must_hold(!same(name, weir_bytes_of("HTTP_PROXY")));
        for (size_t j = 0; j < i; j++) {
            must_hold(!same(name, cgi.environment[j].name));
        }
    }
    must_hold(cgi.content_length_index < cgi.environment_count);
    weir_cgi_request_set_content_length(&cgi, UINT64_MAX);
    must_hold(same(cgi.environment[cgi.content_length_index].value, weir_bytes_of("18446744073709551615")));
    weir_cgi_request_free(&cgi);
}

/* What the server lets through: no control characters and spaces in a target, and text in UTF-8. */
static bool is_target(const char *text)
{
    size_t size = strlen(text);
    bool good = size > 0 && text[0] == '/' && weir_utf8_is_valid(text, size);
    for (size_t i = 0; i < size; i++) {
        good = good && (unsigned char)text[i] > ' ' && text[i] != 0x7f;
    }
    return good;
}

static void check(
    const char *argv_template, const char *target, weir_bytes_t host, const weir_pair_t *pairs, size_t count)
{
    size_t path_size = strcspn(target, "?");
    const weir_request_t request = {.method = weir_bytes_of("GET"),
        .target = weir_bytes_of(target),
        .path = {target, path_size},
        .query = weir_bytes_of(target + path_size + (target[path_size] == '?')),
        .host = host,
        .version = weir_bytes_of("HTTP/1.1"),
        .headers = pairs,
        .header_count = count,
        .client_address = "[2001:db8::7]:4711",
        .client_ip = "2001:db8::7",
        .server_port = 3000};
    const weir_route_match_t match = {.route = &route, .path_info = target, .path_info_size = path_size};
    check_spin_headers(&request, &match);
    check_cgi_request(&request, &match, argv_template);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *part;
    size_t part_size = take_part(&data, &size, '\n', &part);
    char *argv_template = copy_text(part, part_size);
    part_size = take_part(&data, &size, '\n', &part);
    char *target = copy_text(part, part_size);
    const uint8_t *host;
    size_t host_size = take_part(&data, &size, '\n', &host);
    weir_pair_t pairs[HEADERS_MAX];
    size_t count = 0;
    while (size > 0 && count < HEADERS_MAX) {
        const uint8_t *name;
        const uint8_t *line;
        size_t line_size = take_part(&data, &size, '\n', &line);
        size_t name_size = take_part(&line, &line_size, ':', &name);
        pairs[count++] = (weir_pair_t){{(const char *)name, name_size}, {(const char *)line, line_size}};
    }
    const weir_bytes_t authority = {(const char *)host, host_size};
    if (is_target(target) && weir_header_value_is_valid(authority)) { /* as the server checks before */
        check(argv_template, target, authority, pairs, count);
    }
    free(argv_template);
    free(target);
    return 0;
}
