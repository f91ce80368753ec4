/*
 * answer.c: paths and what is there.
 */
#include "admin/answer.h"

#include "admin/page.h"
#include "admin/write.h"
#include "http/head.h"
#include "serve/target.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

static bool is_text(weir_bytes_t bytes, const char *text)
{
    return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

/* ---- The host ---------------------------------------------------------------------------------------------------- */

/* A host without its port. */
static weir_bytes_t without_port(weir_bytes_t host)
{
    size_t at = host.size;
    if (host.size > 0 && host.data[0] == '[') {
        const char *end = memchr(host.data, ']', host.size);
        return (weir_bytes_t){host.data + 1, end == NULL ? 0 : (size_t)(end - host.data) - 1};
    }
    const char *colon = memchr(host.data, ':', at);
    return (weir_bytes_t){host.data, colon == NULL ? host.size : (size_t)(colon - host.data)};
}

static bool is_name(weir_bytes_t host, const char *name)
{
    return name[0] != '\0' && host.size == strlen(name) && strncasecmp(host.data, name, host.size) == 0;
}

bool weir_admin_host_is_known(weir_bytes_t host, const weir_admin_names_t *names)
{
    weir_bytes_t name = without_port(host);
    char text[INET6_ADDRSTRLEN];
    unsigned char address[16];
    if (name.size == 0 || name.size > 253) {
        return false;
    }
    bool known = memchr(name.data, '.', name.size) == NULL || is_name(name, names->machine);
    for (size_t i = 0; i < names->count && !known; i++) {
        known = is_name(name, names->names[i]);
    }
    if (!known && name.size < sizeof(text)) {
        memcpy(text, name.data, name.size);
        text[name.size] = '\0';
        known = inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
    }
    return known;
}

/* ---- Accept ------------------------------------------------------------------------------------------------------ */

/* A weight in thousandths: "0.8" is 800. What is none counts as 1. */
static unsigned weight_of(weir_bytes_t text)
{
    unsigned weight = 0;
    unsigned place = 1000;
    if (text.size == 0 || text.data[0] != '0') {
        return 1000;
    }
    for (size_t i = 2; i < text.size && i < 5 && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        place /= 10;
        weight += (unsigned)(text.data[i] - '0') * place;
    }
    return weight;
}

/* How much a client wants a type, in thousandths; it may say so more than once. */
static unsigned wish_for(weir_bytes_t accept, const char *type)
{
    unsigned wish = 0;
    while (accept.size > 0) {
        weir_bytes_t range = weir_text_split(&accept, ',');
        weir_bytes_t name = weir_text_split(&range, ';');
        unsigned weight = 1000;
        while (range.size > 0) {
            weir_bytes_t parameter = weir_text_split(&range, ';');
            if (parameter.size > 2 && (parameter.data[0] == 'q' || parameter.data[0] == 'Q') &&
                parameter.data[1] == '=') {
                weight = weight_of((weir_bytes_t){parameter.data + 2, parameter.size - 2});
            }
        }
        bool same = weir_text_is(name, type);
        wish = same && weight > wish ? weight : wish;
    }
    return wish;
}

bool weir_admin_prefers_json(weir_bytes_t accept)
{
    return wish_for(accept, "text/html") <= wish_for(accept, "application/json");
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

static weir_admin_answer_t say(weir_head_text_t *body, unsigned status, const char *text)
{
    weir_write(body, "%s\n", text);
    return (weir_admin_answer_t){.status = status, .content_type = "text/plain; charset=utf-8"};
}

static weir_admin_answer_t answer_ready(const weir_status_sources_t *sources, weir_head_text_t *body)
{
    return weir_server_is_draining(sources->server) ? say(body, 503, "draining") : say(body, 200, "ready");
}

static weir_admin_answer_t answer_live(const weir_status_sources_t *sources, weir_head_text_t *body)
{
    return weir_history_is_live(sources->history) ? say(body, 200, "live")
                                                  : say(body, 503, "an event loop does not turn any more");
}

static weir_admin_answer_t answer_json(const weir_status_sources_t *sources, weir_head_text_t *body)
{
    weir_status_write(sources, body);
    return (weir_admin_answer_t){.status = 200, .content_type = "application/json"};
}

static weir_admin_answer_t answer_metrics(const weir_status_sources_t *sources, weir_head_text_t *body)
{
    weir_status_write_metrics(sources, body);
    return (weir_admin_answer_t){.status = 200, .content_type = "text/plain; version=0.0.4; charset=utf-8"};
}

/* Its scripts and styles run because they carry what only this answer's policy names. */
static weir_admin_answer_t answer_page(weir_head_text_t *body)
{
    static const char mark[] = "{{nonce}}";
    weir_admin_answer_t answer = {.status = 200, .content_type = "text/html; charset=utf-8"};
    unsigned char random[12];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return say(body, 500, "the system gave no random numbers");
    }
    for (size_t i = 0; i < sizeof(random); i++) {
        snprintf(answer.nonce + 2 * i, 3, "%02x", random[i]);
    }
    const char *at = (const char *)weir_admin_page;
    size_t left = weir_admin_page_size;
    const char *found;
    while ((found = memmem(at, left, mark, sizeof(mark) - 1)) != NULL) {
        weir_head_text_add(body, at, (size_t)(found - at));
        weir_head_text_add(body, answer.nonce, strlen(answer.nonce));
        left -= (size_t)(found - at) + sizeof(mark) - 1;
        at = found + sizeof(mark) - 1;
    }
    weir_head_text_add(body, at, left);
    return answer;
}

static weir_bytes_t field_of(const weir_admin_request_t *request, const char *name)
{
    for (size_t i = 0; i < request->head.field_count; i++) {
        if (weir_text_is(request->fields[i].name, name)) {
            return request->fields[i].value;
        }
    }
    return (weir_bytes_t){"", 0};
}

static weir_admin_answer_t answer_path(const weir_admin_request_t *request, weir_bytes_t path,
    const weir_status_sources_t *sources, weir_head_text_t *body)
{
    if (is_text(path, "/health/live")) {
        return answer_live(sources, body);
    }
    if (is_text(path, "/health/ready")) {
        return answer_ready(sources, body);
    }
    if (is_text(path, "/metrics")) {
        return answer_metrics(sources, body);
    }
    if (is_text(path, "/status.json")) {
        return answer_json(sources, body);
    }
    if (is_text(path, "/status")) {
        bool json = weir_admin_prefers_json(field_of(request, "accept"));
        weir_admin_answer_t answer = json ? answer_json(sources, body) : answer_page(body);
        answer.varies = true;
        return answer;
    }
    if (is_text(path, "/")) {
        weir_admin_answer_t answer = say(body, 302, "see /status");
        answer.location = "/status";
        return answer;
    }
    return say(body, 404, "there are /status, /status.json, /metrics, /health/live and /health/ready");
}

weir_admin_answer_t weir_admin_answer(const weir_admin_request_t *request, const weir_admin_names_t *names,
    const weir_status_sources_t *sources, weir_head_text_t *body)
{
    weir_target_t target;
    weir_bytes_t target_text = request->head.target;
    unsigned status = weir_target_parse(target_text.data, target_text.size, &target);
    weir_admin_answer_t answer;
    weir_bytes_t host = status == 0 && target.authority.size > 0 ? target.authority : request->head.host;
    /* HTTP/1.0 may come without one; no browser does. */
    bool known =
        !request->checks_host || (host.size == 0 && request->head.minor == 0) || weir_admin_host_is_known(host, names);
    if (status != 0) {
        answer = say(body, status, status == 404 ? "there is no such thing" : "that is no target of a request");
    } else if (!known) {
        answer = say(body, 421,
            "this name is not known here: ask for the address, or for localhost, or start weir with --admin-host and "
            "the "
            "name");
    } else if (!is_text(request->head.method, "GET") && !is_text(request->head.method, "HEAD")) {
        answer = say(body, 405, "only GET and HEAD are answered: nothing can be changed here");
        answer.allow = "GET, HEAD";
    } else {
        answer = answer_path(request, target.path, sources, body);
    }
    answer.closes = !request->head.keeps || request->head.content_length != 0;
    return answer;
}
