/*
 * Gives the response that the query asks for: status=201&header=name:value&body=text, percent-encoded, `header` any
 * number of times. Each header that the host refuses adds a line "refused <name>" to the body. When the host does not
 * accept the body's end (it does not fit a content-length), says so on standard error.
 */
#include "http_guest.h"

enum { QUERY_LIMIT = 8192 };

static int hexadecimal(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* Decode in place; returns the length. The text is terminated again, whatever bytes it holds. */
static size_t decode(char *text)
{
    size_t length = 0;
    for (const char *next = text; *next != '\0'; next++) {
        if (next[0] == '%' && hexadecimal(next[1]) >= 0 && hexadecimal(next[2]) >= 0) {
            text[length++] = (char)(hexadecimal(next[1]) * 16 + hexadecimal(next[2]));
            next += 2;
        } else {
            text[length++] = *next;
        }
    }
    text[length] = '\0';
    return length;
}

void exports_wasi_http_incoming_handler_handle(http_request_t request, http_outparam_t out)
{
    static char query[QUERY_LIMIT];
    static char refused[QUERY_LIMIT];
    bindings_string_t target;
    http_require(wasi_http_types_method_incoming_request_path_with_query(
        wasi_http_types_borrow_incoming_request(request), &target));
    const uint8_t *mark = memchr(target.ptr, '?', target.len);
    if (mark != NULL) {
        size_t length = target.len - (size_t)(mark + 1 - target.ptr);
        http_require(length < sizeof query);
        memcpy(query, mark + 1, length);
    }

    uint16_t status = 200;
    const char *body = "";
    size_t body_length = 0;
    wasi_http_types_own_headers_t headers = wasi_http_types_constructor_fields();
    for (char *part = strtok(query, "&"); part != NULL; part = strtok(NULL, "&")) {
        char *value = strchr(part, '=');
        http_require(value != NULL);
        *value++ = '\0';
        size_t length = decode(value);
        if (strcmp(part, "status") == 0) {
            status = (uint16_t)atoi(value);
        } else if (strcmp(part, "body") == 0) {
            body = value;
            body_length = length;
        } else {
            http_require(strcmp(part, "header") == 0);
            char *colon = memchr(value, ':', length);
            http_require(colon != NULL);
            *colon = '\0';
            if (!http_append(headers, value, colon + 1, length - (size_t)(colon + 1 - value))) {
                strcat(refused, "refused ");
                strcat(refused, value);
                strcat(refused, "\n");
            }
        }
    }
    http_reply_t reply = http_begin(out, status, headers);
    bool well = http_write(reply, body, body_length) && http_write_text(reply, refused);
    if (!http_end(reply) || !well)
        http_log("the body was not accepted\n");
}
