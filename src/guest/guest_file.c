/*
 * guest_file.c: reads a component's wasm file and finds out whether it can answer HTTP at all, before any engine
 * exists.
 */
#include "cache/bytes.h"
#include "guest/guest.h"
#include "guest/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES ((off_t)256 * 1024 * 1024)

/* A file that is being judged, and for whom. */
typedef struct inquiry {
    const weir_manifest_t *manifest;
    const weir_component_t *component;
    weir_executor_t executor;
    char **ret_message;
} inquiry_t;

static weir_shown_bytes_t shown_source(const inquiry_t *inquiry)
{
    return weir_show_bytes(inquiry->component->source, strlen(inquiry->component->source));
}

/* Refuse the file: the message names it and says `what`, with one part from the file when `detail` is not NULL. */
static bool refuse(const inquiry_t *inquiry, const char *what, const char *detail, const char *remedy)
{
    *inquiry->ret_message = weir_component_message(inquiry->manifest, inquiry->component, "\"%s\" %s%s%s; %s",
        shown_source(inquiry).text, what, detail != NULL ? " " : "", detail != NULL ? detail : "", remedy);
    return false;
}

/* ---- Reading ---- */

static bool read_open_file(const inquiry_t *inquiry, int descriptor, char **ret_bytes, size_t *ret_size)
{
    struct stat facts;
    if (fstat(descriptor, &facts) != 0)
        return refuse(inquiry, "cannot be read:", strerror(errno), "check the file");
    if (!S_ISREG(facts.st_mode))
        return refuse(inquiry, "is not a file", NULL, "name the .wasm file that the component's build makes");
    if (facts.st_size == 0)
        return refuse(inquiry, "is empty", NULL, "build the component again");
    if (facts.st_size > FILE_MAX_BYTES)
        return refuse(inquiry, "is larger than 256 MiB", NULL, "check that it is the right file");
    size_t size = (size_t)facts.st_size;
    char *bytes = malloc(size);
    if (bytes == NULL)
        return refuse(inquiry, "does not fit into memory", NULL, "free some memory");
    if (!weir_cache_read(descriptor, bytes, size, 0)) {
        int error = errno;
        free(bytes);
        return refuse(
            inquiry, "cannot be read:", strerror(error), "check the file, or start again when it is complete");
    }
    *ret_bytes = bytes;
    *ret_size = size;
    return true;
}

static bool read_file(const inquiry_t *inquiry, char **ret_bytes, size_t *ret_size)
{
    /* Not blocking, so that a pipe in place of the file is refused instead of waited for. */
    int descriptor = open(inquiry->component->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        int error = errno;
        const char *remedy =
            error == ENOENT ? "build the component (weir build), or correct its source" : "check the file";
        return refuse(inquiry, "cannot be opened:", strerror(error), remedy);
    }
    bool read = read_open_file(inquiry, descriptor, ret_bytes, ret_size);
    close(descriptor);
    return read;
}

/* ---- What it is ---- */

static bool begins_with(weir_bytes_t text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text.size >= size && memcmp(text.data, prefix, size) == 0;
}

static bool check_is_wasm(const inquiry_t *inquiry, weir_bytes_t bytes)
{
    static const char magic[4] = {'\0', 'a', 's', 'm'};
    if (bytes.size >= sizeof magic && memcmp(bytes.data, magic, sizeof magic) == 0)
        return true;
    if (bytes.size < sizeof magic && memcmp(bytes.data, magic, bytes.size) == 0)
        return refuse(inquiry, "is truncated", NULL, "build the component again");
    if (begins_with(bytes, "(module") || begins_with(bytes, "(component") || begins_with(bytes, ";;"))
        return refuse(inquiry, "is WebAssembly text", NULL, "translate it to a binary (wasm-tools parse, wat2wasm)");
    weir_shown_bytes_t first = weir_show_bytes(bytes.data, bytes.size < 8 ? bytes.size : 8);
    return refuse(inquiry, "is not WebAssembly: it begins with", first.text,
        "name the .wasm file that the component's build makes");
}

static bool check_inspected(const inquiry_t *inquiry, wasmtime_error_t *error)
{
    if (error == NULL)
        return true;
    weir_shown_bytes_t reason = weir_show_error(error);
    bool cut = strstr(reason.text, "unexpected end") != NULL || strstr(reason.text, "unexpected eof") != NULL;
    return refuse(
        inquiry, cut ? "is truncated:" : "is not valid WebAssembly:", reason.text, "build the component again");
}

/* Go to the next of some names, one a line; false at the end. Begin with `*name` zeroed. */
static bool next_name(const char *names, weir_bytes_t *name)
{
    const char *from = name->data == NULL ? names : name->data + name->size + (name->data[name->size] == '\n');
    if (*from == '\0')
        return false;
    name->data = from;
    name->size = strcspn(from, "\n");
    return true;
}

/* "it exports a, b, ..., and 12 more" */
static weir_shown_bytes_t shown_exports(const char *exports)
{
    enum { LONGEST_NAME = 60, NAMES_MAX_BYTES = 160 };
    char list[NAMES_MAX_BYTES + LONGEST_NAME + 64];
    size_t size = 0;
    size_t left_out = 0;
    weir_bytes_t name = {NULL, 0};
    while (next_name(exports, &name)) {
        if (size >= NAMES_MAX_BYTES) {
            left_out++;
            continue;
        }
        bool whole = name.size <= LONGEST_NAME;
        size += (size_t)snprintf(list + size, sizeof list - size, "%s%.*s%s", size > 0 ? ", " : "",
            (int)(whole ? name.size : LONGEST_NAME), name.data, whole ? "" : "...");
    }
    if (left_out > 0)
        size += (size_t)snprintf(list + size, sizeof list - size, " and %zu more", left_out);
    return size > 0 ? weir_show_bytes(list, size) : weir_show_bytes("nothing", sizeof "nothing" - 1);
}

static bool names_contain(const char *names, const char *wanted)
{
    weir_bytes_t name = {NULL, 0};
    while (next_name(names, &name)) {
        if (name.size == strlen(wanted) && begins_with(name, wanted))
            return true;
    }
    return false;
}

/* The interfaces that a component of an HTTP application may export, by their beginning; the first that fits counts. */
typedef struct handler {
    const char *prefix;
    const char *remedy; /* NULL: served */
} handler_t;

static const handler_t handlers[] = {
    {"wasi:http/incoming-handler@0.2.0-rc-", "rebuild it with a current Spin SDK (wasi:http 0.2.0 or later)"},
    {"wasi:http/incoming-handler@0.2.", NULL},
    {"wasi:http/incoming-handler", "rebuild it with a current Spin SDK (wasi:http 0.2.0 or later)"},
    {"wasi:http/handler@0.3.0-rc-", "rebuild it for wasi:http 0.3.0"},
    {"wasi:http/handler@0.3.", NULL},
    {"wasi:http/handler", "rebuild it for wasi:http 0.3.0"},
    {"fermyon:spin/inbound-http", "rebuild it with a current Spin SDK (wasi:http 0.2.0 or later)"},
};

static const handler_t *find_handler(weir_bytes_t name)
{
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++) {
        if (begins_with(name, handlers[i].prefix))
            return &handlers[i];
    }
    return NULL;
}

/* Whether it exports a handler of HTTP that is served. */
static bool has_handler(const weir_guest_facts_t *facts)
{
    weir_bytes_t name = {NULL, 0};
    while (next_name(facts->exports, &name)) {
        const handler_t *handler = find_handler(name);
        if (handler != NULL && handler->remedy == NULL)
            return true;
    }
    return false;
}

/* It would be served, were it not for the executor of its trigger. */
static bool refuse_wagi(const inquiry_t *inquiry)
{
    return refuse(inquiry,
        "handles HTTP itself (it exports a handler of wasi:http), and the executor \"wagi\" runs programs", NULL,
        "leave out executor = { type = \"wagi\" } in its [[trigger.http]]");
}

static bool check_module(const inquiry_t *inquiry, const weir_guest_facts_t *facts)
{
    /* What Spin's SDKs of version 1 exported: crates/componentize/src/lib.rs, EXPORT_INTERFACES. */
    if (names_contain(facts->exports, "handle-http-request"))
        return refuse(inquiry, "is a core module with a handler that weir does not serve, fermyon:spin/inbound-http",
            NULL, "rebuild it with a current Spin SDK (wasi:http 0.2.0 or later)");
    if (inquiry->executor == WEIR_EXECUTOR_HTTP)
        return refuse(inquiry, "is a core module without component types, and the executor \"http\" serves components",
            NULL, "set executor = { type = \"wagi\" } in its [[trigger.http]], or build it as a component");
    if (names_contain(facts->exports, "_start"))
        return true;
    /* The executor is what kept it from being made a component. */
    if (facts->has_component_type && has_handler(facts))
        return refuse_wagi(inquiry);
    return refuse(inquiry, "exports no \"_start\"; it exports", shown_exports(facts->exports).text,
        "build it as a WASI command (target wasm32-wasip1), with a main function");
}

/* Whether it can be a program; of `wasi:cli/run` there were release candidates, too. */
static bool find_run(const weir_guest_facts_t *facts, weir_bytes_t *ret_candidate)
{
    weir_bytes_t name = {NULL, 0};
    while (next_name(facts->exports, &name)) {
        if (begins_with(name, "wasi:cli/run@0.2.") && !begins_with(name, "wasi:cli/run@0.2.0-rc-"))
            return true;
        if (begins_with(name, "wasi:cli/run"))
            *ret_candidate = name;
    }
    return false;
}

static bool check_command(const inquiry_t *inquiry, const weir_guest_facts_t *facts)
{
    weir_bytes_t candidate = {NULL, 0};
    if (find_run(facts, &candidate))
        return true;
    if (candidate.size > 0)
        return refuse(inquiry, "exports a program that weir does not run,",
            weir_show_bytes(candidate.data, candidate.size).text,
            "rebuild it for WASI 0.2 (wasi:cli/run@0.2.x; target wasm32-wasip2)");
    if (has_handler(facts))
        return refuse_wagi(inquiry);
    return refuse(inquiry, "exports no program (wasi:cli/run@0.2.x), which the executor \"wagi\" runs; it exports",
        shown_exports(facts->exports).text, "build it as a command");
}

static bool check_handler(const inquiry_t *inquiry, const weir_guest_facts_t *facts)
{
    const handler_t *found = NULL;
    weir_bytes_t found_name = {NULL, 0};
    size_t count = 0;
    weir_bytes_t name = {NULL, 0};
    while (next_name(facts->exports, &name)) {
        const handler_t *handler = find_handler(name);
        if (handler != NULL) {
            found = handler;
            found_name = name;
            count++;
        }
    }
    if (count > 1)
        return refuse(inquiry, "exports several HTTP handlers, and one is expected; it exports",
            shown_exports(facts->exports).text, "build it with one of them");
    if (found == NULL && find_run(facts, &name))
        return refuse(inquiry, "is a program (it exports wasi:cli/run) and handles no HTTP itself", NULL,
            "set executor = { type = \"wagi\" } in its [[trigger.http]]");
    if (found == NULL)
        return refuse(inquiry,
            "exports no HTTP handler (wasi:http/incoming-handler@0.2.x or wasi:http/handler@0.3.x); it exports",
            shown_exports(facts->exports).text, "check that it was built for the http trigger");
    if (found->remedy != NULL)
        return refuse(inquiry, "exports a handler that weir does not serve,",
            weir_show_bytes(found_name.data, found_name.size).text, found->remedy);
    return true;
}

/* Decide by what it exports where nothing says how it wants to be called. */
static bool check_component(inquiry_t *inquiry, const weir_guest_facts_t *facts)
{
    weir_bytes_t name = {NULL, 0};
    bool handles = false;
    while (next_name(facts->exports, &name))
        handles = handles || find_handler(name) != NULL;
    if (inquiry->executor == 0)
        inquiry->executor = !handles && find_run(facts, &name) ? WEIR_EXECUTOR_WAGI : WEIR_EXECUTOR_HTTP;
    return inquiry->executor == WEIR_EXECUTOR_WAGI ? check_command(inquiry, facts) : check_handler(inquiry, facts);
}

/* Put the component that a module can be made in its place. */
static bool make_component(const inquiry_t *inquiry, weir_guest_file_t *file)
{
    wasm_byte_vec_t component;
    wasmtime_error_t *error = weir_guest_componentize((weir_bytes_t){file->bytes, file->size}, &component);
    if (error != NULL)
        return refuse(inquiry, "is a core module that cannot be made a component:", weir_show_error(error).text,
            "build it as a component");
    char *bytes = malloc(component.size);
    if (bytes != NULL) {
        memcpy(bytes, component.data, component.size);
        weir_guest_file_free(file);
        file->bytes = bytes;
        file->size = component.size;
    }
    wasm_byte_vec_delete(&component);
    if (bytes == NULL)
        return refuse(inquiry, "does not fit into memory", NULL, "free some memory");
    return check_inspected(inquiry, weir_guest_inspect((weir_bytes_t){file->bytes, file->size}, &file->facts));
}

/* Judge what was read; `file` may be replaced, and is the caller's in any case. */
static bool judge(inquiry_t *inquiry, weir_guest_file_t *file)
{
    weir_bytes_t bytes = {file->bytes, file->size};
    if (!check_is_wasm(inquiry, bytes) || !check_inspected(inquiry, weir_guest_inspect(bytes, &file->facts)))
        return false;
    if (file->facts.kind == WEIR_GUEST_MODULE && file->facts.has_component_type &&
        inquiry->executor != WEIR_EXECUTOR_WAGI && !make_component(inquiry, file))
        return false;
    if (file->facts.kind == WEIR_GUEST_COMPONENT)
        return check_component(inquiry, &file->facts);
    if (!check_module(inquiry, &file->facts))
        return false;
    inquiry->executor = WEIR_EXECUTOR_WAGI;
    return true;
}

bool weir_guest_file_load(const weir_manifest_t *manifest, const weir_component_t *component, weir_executor_t executor,
    weir_guest_file_t *ret_file, char **ret_message)
{
    inquiry_t inquiry = {manifest, component, executor, ret_message};
    weir_guest_file_t file = {0};
    if (!read_file(&inquiry, &file.bytes, &file.size))
        return false;
    if (!judge(&inquiry, &file)) {
        weir_guest_file_free(&file);
        return false;
    }
    file.executor = inquiry.executor;
    *ret_file = file;
    return true;
}

weir_executor_t weir_guest_file_executor(const weir_guest_file_t *file)
{
    return file->executor;
}

void weir_guest_file_free(weir_guest_file_t *file)
{
    free(file->bytes);
    weir_guest_facts_free(&file->facts);
    *file = (weir_guest_file_t){0};
}

static void enlarge(uint32_t *need, uint32_t fact)
{
    if (fact > *need)
        *need = fact;
}

void weir_guest_file_add_needs(const weir_guest_file_t *file, weir_needs_t *needs)
{
    if (file->facts.minimum_memory_bytes > needs->minimum_memory_bytes)
        needs->minimum_memory_bytes = file->facts.minimum_memory_bytes;
    enlarge(&needs->memories, file->facts.memories);
    enlarge(&needs->tables, file->facts.tables);
    enlarge(&needs->table_elements, file->facts.minimum_table_elements);
    enlarge(&needs->core_instances, file->facts.core_instances);
    enlarge(&needs->stacks, file->facts.stacks);
    needs->wasm_bytes += file->size;
}
