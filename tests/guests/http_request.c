/*
 * Answers with everything that it is told of the request and of its environment, one item a line:
 * "method GET", "scheme http", "authority a:1", "target /x?y", "header name: value", "environment NAME=value".
 */
#include "http_guest.h"

extern char **environ;

static const char *const METHODS[] = {
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "CONNECT",
    "OPTIONS",
    "TRACE",
    "PATCH",
};
static const char *const SCHEMES[] = {"http", "https"};

static void write_item(http_reply_t reply, const char *kind, const uint8_t *value, size_t size)
{
    http_write_text(reply, kind);
    http_write_text(reply, " ");
    http_write(reply, value, size);
    http_write_text(reply, "\n");
}

static void write_text_item(http_reply_t reply, const char *kind, const char *value)
{
    write_item(reply, kind, (const uint8_t *)value, strlen(value));
}

static void write_string_item(http_reply_t reply, const char *kind, bool there, bindings_string_t *value)
{
    if (there)
        write_item(reply, kind, value->ptr, value->len);
    else
        write_text_item(reply, kind, "(none)");
}

static void write_headers(http_reply_t reply, wasi_http_types_borrow_incoming_request_t request)
{
    wasi_http_types_own_headers_t headers = wasi_http_types_method_incoming_request_headers(request);
    wasi_http_types_list_tuple2_field_name_field_value_t entries;
    wasi_http_types_method_fields_entries(wasi_http_types_borrow_fields(headers), &entries);
    for (size_t i = 0; i < entries.len; i++) {
        http_write_text(reply, "header ");
        http_write(reply, entries.ptr[i].f0.ptr, entries.ptr[i].f0.len);
        write_item(reply, ":", entries.ptr[i].f1.ptr, entries.ptr[i].f1.len);
    }
}

void exports_wasi_http_incoming_handler_handle(http_request_t own_request, http_outparam_t out)
{
    wasi_http_types_borrow_incoming_request_t request = wasi_http_types_borrow_incoming_request(own_request);
    http_reply_t reply = http_begin_text(out);
    wasi_http_types_method_t method;
    wasi_http_types_method_incoming_request_method(request, &method);
    if (method.tag < sizeof METHODS / sizeof METHODS[0])
        write_text_item(reply, "method", METHODS[method.tag]);
    else
        write_string_item(reply, "method", true, &method.val.other);
    wasi_http_types_scheme_t scheme;
    if (!wasi_http_types_method_incoming_request_scheme(request, &scheme))
        write_text_item(reply, "scheme", "(none)");
    else if (scheme.tag < sizeof SCHEMES / sizeof SCHEMES[0])
        write_text_item(reply, "scheme", SCHEMES[scheme.tag]);
    else
        write_string_item(reply, "scheme", true, &scheme.val.other);
    bindings_string_t text;
    bool there = wasi_http_types_method_incoming_request_authority(request, &text);
    write_string_item(reply, "authority", there, &text);
    there = wasi_http_types_method_incoming_request_path_with_query(request, &text);
    write_string_item(reply, "target", there, &text);
    write_headers(reply, request);
    for (char **variable = environ; variable != NULL && *variable != NULL; variable++)
        write_text_item(reply, "environment", *variable);
    http_require(http_end(reply));
}
