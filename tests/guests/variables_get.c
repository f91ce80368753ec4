/*
 * Answers what spin:variables says of the variable that the path names: "ok VALUE" or "CASE of the error: TEXT"; and
 * that after as many milliseconds as the header "wait" says. Built twice: with the async lowering of the function, and
 * with the sync one.
 */
#include "http_guest.h"

#include <stdio.h>

typedef spin_variables_variables_error_t error_t;

#ifdef BINDINGS_SUBTASK_STATE
static bool get(bindings_string_t name, bindings_string_t *value, error_t *error)
{
    spin_variables_variables_result_string_error_t result;
    bindings_subtask_status_t status = spin_variables_variables_get(name, &result);
    /* As the host has all values, there is nothing to wait for; and a sync function could not. */
    http_require(status == BINDINGS_SUBTASK_RETURNED);
    if (result.is_err)
        *error = result.val.err;
    else
        *value = result.val.ok;
    return !result.is_err;
}
#else
static bool get(bindings_string_t name, bindings_string_t *value, error_t *error)
{
    return spin_variables_variables_get(&name, value, error);
}
#endif

void exports_wasi_http_incoming_handler_handle(http_request_t request, http_outparam_t out)
{
    static const char *const cases[] = {"invalid-name", "undefined", "provider", "other"};
    char path[256], wait[16], text[8192];
    bindings_string_t value;
    error_t error;
    http_path_info(request, path, sizeof path);
    bool found = get(http_string(path[0] == '/' ? path + 1 : path), &value, &error);
    if (!found)
        value = error.val.other;
    int size = snprintf(text, sizeof text, "%s %.*s\n", found ? "ok" : cases[error.tag], (int)value.len, value.ptr);
    http_require(size >= 0 && (size_t)size < sizeof text);
    http_header(request, "wait", wait, sizeof wait);
    http_sleep(strtoul(wait, NULL, 10));
    http_reply_t reply = http_begin_text(out);
    if (http_write_text(reply, text))
        http_end(reply);
}
