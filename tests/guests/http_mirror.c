/*
 * Answers with everything that it is told of the request (mirror.h says how), and then with the body as it comes; or,
 * where LATE is in its environment, once the body is complete. The method is in the response's head as well, for a
 * response to HEAD has no body.
 */
#include "http_guest.h"
#include "mirror.h"

static const char *const METHODS[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
static const char *const SCHEMES[] = {"HTTP", "HTTPS"};

static void add_string(mirror_report_t *report, const char *kind, bool there, bindings_string_t *value)
{
    if (there)
        mirror_add(report, kind, value->ptr, value->len);
}

static void add_headers(mirror_report_t *report, wasi_http_types_borrow_incoming_request_t request)
{
    wasi_http_types_own_headers_t headers = wasi_http_types_method_incoming_request_headers(request);
    wasi_http_types_list_tuple2_field_name_field_value_t entries;
    wasi_http_types_method_fields_entries(wasi_http_types_borrow_fields(headers), &entries);
    for (size_t i = 0; i < entries.len; i++) {
        mirror_add(report, "name", entries.ptr[i].f0.ptr, entries.ptr[i].f0.len);
        mirror_add(report, "value", entries.ptr[i].f1.ptr, entries.ptr[i].f1.len);
    }
    wasi_http_types_list_tuple2_field_name_field_value_free(&entries);
    wasi_http_types_fields_drop_own(headers);
}

/* Copy the request's body to the reply, or, where there is none, to the report. */
static void copy_body(http_request_t request, http_reply_t *reply, mirror_report_t *report)
{
    wasi_http_types_own_incoming_body_t body;
    wasi_http_types_own_input_stream_t stream;
    http_require(
        wasi_http_types_method_incoming_request_consume(wasi_http_types_borrow_incoming_request(request), &body));
    http_require(wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body), &stream));
    bindings_list_u8_t piece;
    wasi_io_streams_stream_error_t error;
    while (wasi_io_streams_method_input_stream_blocking_read(
        wasi_io_streams_borrow_input_stream(stream), 65536, &piece, &error)) {
        if (reply != NULL)
            http_require(http_write(*reply, piece.ptr, piece.len));
        else
            mirror_add_bytes(report, piece.ptr, piece.len);
        bindings_list_u8_free(&piece);
    }
    http_require(error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED);
    wasi_io_streams_input_stream_drop_own(stream);
    wasi_http_types_incoming_body_drop_own(body);
}

void exports_wasi_http_incoming_handler_handle(http_request_t own_request, http_outparam_t out)
{
    wasi_http_types_borrow_incoming_request_t request = wasi_http_types_borrow_incoming_request(own_request);
    mirror_report_t report = {NULL, 0};
    wasi_http_types_method_t method;
    wasi_http_types_method_incoming_request_method(request, &method);
    bindings_string_t method_name =
        method.tag < sizeof METHODS / sizeof METHODS[0] ? http_string(METHODS[method.tag]) : method.val.other;
    mirror_add(&report, "method", method_name.ptr, method_name.len);
    wasi_http_types_scheme_t scheme;
    if (wasi_http_types_method_incoming_request_scheme(request, &scheme)) {
        bindings_string_t name =
            scheme.tag < sizeof SCHEMES / sizeof SCHEMES[0] ? http_string(SCHEMES[scheme.tag]) : scheme.val.other;
        mirror_add(&report, "scheme", name.ptr, name.len);
    }
    bindings_string_t text;
    bool there = wasi_http_types_method_incoming_request_authority(request, &text);
    add_string(&report, "authority", there, &text);
    there = wasi_http_types_method_incoming_request_path_with_query(request, &text);
    add_string(&report, "target", there, &text);
    add_headers(&report, request);
    mirror_add(&report, "body", NULL, 0);
    bool late = getenv("LATE") != NULL;
    if (late)
        copy_body(own_request, NULL, &report);

    wasi_http_types_own_headers_t headers = wasi_http_types_constructor_fields();
    http_require(http_append(headers, "content-type", "application/x-mirror", strlen("application/x-mirror")));
    http_require(http_append(headers, "mirror-method", (const char *)method_name.ptr, method_name.len));
    http_reply_t reply = http_begin(out, 200, headers);
    http_require(http_write(reply, report.text, report.size));
    if (!late)
        copy_body(own_request, &reply, NULL);
    http_require(http_end(reply));
}
