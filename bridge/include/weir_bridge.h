/*
 * weir_bridge.h: what Wasmtime's C API lacks and a Spin host needs.
 *
 * The static library behind this header also contains the whole of Wasmtime's own C API (wasm.h, wasmtime.h).
 * Every function here catches unwinding: a panic inside comes back as an error, never as the end of the process.
 */
#ifndef WEIR_BRIDGE_H
#define WEIR_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wasm.h>
#include <wasmtime.h>
#include <weir/engine.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A run of bytes that somebody else owns; not terminated, and `data` may be NULL when `size` is 0. */
typedef struct weir_bytes {
    const char *data;
    size_t size;
} weir_bytes_t;

/* A name and its value: a header, an environment variable. Both are borrowed. */
typedef struct weir_pair {
    weir_bytes_t name;
    weir_bytes_t value;
} weir_pair_t;

/* ---- Strings and bytes that the bridge allocated ------------------------------------------------------------- */

/*
 * Free text or bytes that a function of this header returned through an `own` parameter. NULL is allowed.
 * `size` is the size that came with it (for text: without its terminator). Any thread.
 */
void weir_bridge_text_free(char *own_text);

/* ---- Digests --------------------------------------------------------------------------------------------------- */

enum { WEIR_SHA256_BYTES = 32 };

/* The SHA-256 (FIPS 180-4) of some bytes, computed with the processor's instructions for it where it has them. Any
 * thread. */
void weir_sha256(weir_bytes_t bytes, unsigned char ret_digest[WEIR_SHA256_BYTES]);

/* ---- Engines (weir_engine_new: weir/engine.h) -------------------------------------------------------------------- */

/*
 * Whether a pool that searches for written pages finds all of them: this library was put together so that the bridge
 * answers Wasmtime's search (bridge/src/written_pages.rs), which by itself misses pages that are not present. Any
 * thread.
 */
bool weir_written_pages_are_found(void);

/*
 * ioctl(2), as the Rust of this library calls it: Wasmtime's PAGEMAP_SCAN finds pages that are swapped out or on their
 * way to another place, too, and the runs that it finds are joined until there are no more than were asked for;
 * anything else goes to the system as it is. Any thread.
 */
int weir_bridge_ioctl(int descriptor, unsigned long request, void *argument);

/*
 * Let the pool reset its slots with the PAGEMAP_SCAN ioctl (Linux 6.7): only pages that were written are cleared.
 * `enable` false is Wasmtime's default. Engine creation fails when it is asked for and the kernel lacks it.
 * The configuration must not be used by another thread meanwhile.
 */
void weir_pooling_config_pagemap_scan_set(wasmtime_pooling_allocation_config_t *config, bool enable);

/*
 * A number that stands for everything that decides whether code fits an engine: Wasmtime's version, the instructions
 * that the processor offers, and the settings for compiling. The same in every process of one build of weir. Any
 * thread.
 */
uint64_t weir_engine_code_hash(const wasm_engine_t *engine);

/* What a pool holds at this moment. Counts, except where bytes are named. */
typedef struct weir_pool_metrics {
    uint64_t core_instances;
    uint64_t component_instances;
    uint64_t memories;
    uint64_t tables;
    uint64_t stacks;
    uint64_t unused_warm_memories;
    uint64_t unused_memory_bytes_resident;
    uint64_t unused_warm_tables;
    uint64_t unused_table_bytes_resident;
} weir_pool_metrics_t;

/* Read the pool's figures. Returns false, and leaves `*ret_metrics` untouched, when the engine has no pool. Any thread.
 */
bool weir_engine_pool_metrics(const wasm_engine_t *engine, weir_pool_metrics_t *ret_metrics);

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

/*
 * Have what Wasmtime needs of a thread that polls calls: a stack for its handlers of signals. Without it, it is had
 * with the first call, which fails where it is refused. Returns false when it was refused; a message about it is not
 * written. Any thread, for itself.
 */
bool weir_thread_prepare(void);

/*
 * From now on have `tell` say in one line that there was a panic, which Rust does in several on standard error. It is
 * for the whole process and those that it forks; any thread calls `tell` that panics, with a terminated line that it
 * lends. Any thread, but while no other one panics.
 */
void weir_bridge_tell_panics(void (*tell)(const char *line));

/* ---- TOML ----------------------------------------------------------------------------------------------------- */

/* Where something stands in a text: both count from 1; columns count characters. 0 is unknown. */
typedef struct weir_position {
    uint32_t line;
    uint32_t column;
} weir_position_t;

/*
 * Parse a TOML 1.0 document. On success returns true and stores a JSON text (terminated, to be freed with
 * weir_bridge_text_free) of the form
 *   { "document": <the document>, "positions": { "<JSON pointer>": [key line, key column, value line, value column] } }
 * with one position for every key and every array element (an element's key position is its value's). JSON pointers
 * are as in RFC 6901. Dates become strings. At most 65,536 values and 16 MiB of pointers: more is an error. On failure
 * returns false and stores a one-line message in
 * `*ret_message` (to be freed likewise) and its place in `*ret_position`. Any thread.
 */
bool weir_toml_to_json(weir_bytes_t text, char **ret_json, char **ret_message, weir_position_t *ret_position);

/* ---- Heads of HTTP/1 messages ---------------------------------------------------------------------------------- */

enum { WEIR_HEAD_FIELDS_MAX = 256 };

typedef enum weir_head_parsed {
    WEIR_HEAD_PARSED_WHOLE = 0,
    WEIR_HEAD_PARSED_PARTIAL = 1, /* so far it could be one */
    WEIR_HEAD_PARSED_MALFORMED = 2,
    WEIR_HEAD_PARSED_VERSION = 3,  /* it names another version than HTTP/1.0 and HTTP/1.1 */
    WEIR_HEAD_PARSED_TOO_MANY = 4, /* it has more than WEIR_HEAD_FIELDS_MAX fields */
} weir_head_parsed_t;

/* A request's head: parts of the text that was parsed. */
typedef struct weir_parsed_head {
    size_t size; /* of all of it, with empty lines before it and the one at its end */
    weir_bytes_t method;
    weir_bytes_t target;
    uint8_t minor; /* of the version: HTTP/1.0 or HTTP/1.1 */
    size_t field_count;
} weir_parsed_head_t;

/*
 * Parse a request's head (RFC 9112, sections 2 to 5) with httparse, which lets lines end in LF alone, and empty lines
 * come before; `ret_fields` has room for WEIR_HEAD_FIELDS_MAX. Unless it is whole what is stored means nothing. Any
 * thread.
 */
weir_head_parsed_t weir_head_parse_request(weir_bytes_t text, weir_parsed_head_t *ret_head, weir_pair_t *ret_fields);

/* The same for fields alone, up to an empty line: trailers. */
weir_head_parsed_t weir_head_parse_fields(
    weir_bytes_t text, size_t *ret_size, weir_pair_t *ret_fields, size_t *ret_count);

/* ---- TLS for the server ------------------------------------------------------------------------------------------ */

/* Certificate and key. Any thread. */
typedef struct weir_tls_config weir_tls_config_t;

typedef enum weir_tls_culprit {
    WEIR_TLS_CERTIFICATE = 0,
    WEIR_TLS_KEY = 1,
    WEIR_TLS_BOTH = 2, /* they do not belong together */
} weir_tls_culprit_t;

/*
 * TLS 1.2 and 1.3 with this chain of certificates and this private key, both in PEM; of the protocols that a client
 * offers (ALPN) http/1.1. On failure returns NULL and stores of which of the two it is, and a one-line message, to be
 * freed with weir_bridge_text_free. Connections keep what they need and may outlive it. NULL can be freed.
 */
weir_tls_config_t *weir_tls_config_new(
    weir_bytes_t certificates, weir_bytes_t key, weir_tls_culprit_t *ret_culprit, char **ret_message);
void weir_tls_config_free(weir_tls_config_t *own_config);

/* The server's side of a connection. One thread at a time. The socket is the caller's, and does not block. */
typedef struct weir_tls weir_tls_t;

/* Begin. NULL: it is not possible. NULL can be freed. */
weir_tls_t *weir_tls_new(const weir_tls_config_t *config);
void weir_tls_free(weir_tls_t *own_tls);

/*
 * Receive at most `size` bytes, more than 0, and answer what belongs to TLS itself. Returns how many came; 0 at the end
 * of what the client sends; -1: nothing now; -2: never any more.
 */
ptrdiff_t weir_tls_receive(weir_tls_t *tls, int socket, void *buffer, size_t size);

/* Encrypt bytes, to be sent by weir_tls_flush. Returns how many were taken: at most 64 KiB wait to be sent. */
size_t weir_tls_write(weir_tls_t *tls, weir_bytes_t bytes);

/* Send what was encrypted. Returns 0: all of it; -1: the rest later; -2: never any more. */
ptrdiff_t weir_tls_flush(weir_tls_t *tls, int socket);

/* Tell the client that this was all. */
void weir_tls_finish(weir_tls_t *tls, int socket);

/* ---- Fetching -------------------------------------------------------------------------------------------------- */

/*
 * Fetch what an https or http URL names, following at most 5 redirects, and none from https to http. Certificates must
 * lead to one of Mozilla's roots, which are compiled in, or to one of those in the PEM file that the environment's
 * SSL_CERT_FILE names instead. Proxies are not used. To connect may take 30 seconds, the first byte 60, a pause 30, and
 * all of it 10 minutes.
 *
 * On success, which is status 200 and at most `max_bytes`, returns true and stores the bytes, to be freed with
 * wasm_byte_vec_delete. On failure returns false, leaves `*ret_bytes` untouched and stores in `*ret_message` a one-line
 * reason that does not repeat the URL, to be freed with weir_bridge_text_free. Blocks. Any thread, and the process has
 * no more threads after it than before.
 */
bool weir_fetch(const char *url, size_t max_bytes, wasm_byte_vec_t *ret_bytes, char **ret_message);

/* What is posted, and to whom. All texts are terminated. */
typedef struct weir_post {
    size_t size;             /* sizeof(weir_post_t) */
    const char *url;         /* http or https, absolute */
    const char *authorities; /* a PEM file: only what leads to one of these is trusted. NULL: as weir_fetch */
    const weir_pair_t *headers;
    size_t header_count;
    weir_bytes_t body;
    uint64_t timeout_milliseconds; /* for all of it */
    size_t answer_bytes_max;
} weir_post_t;

typedef struct weir_post_answer {
    uint16_t status;
    char *retry_after;    /* the header's value, to be freed with weir_bridge_text_free; NULL: there is none */
    wasm_byte_vec_t body; /* to be freed with wasm_byte_vec_delete; empty when it is longer than the bound, or broke */
} weir_post_answer_t;

/*
 * Post, and wait for the answer; redirects are not followed, proxies not used. Returns true and stores the answer,
 * whatever its status. Without one returns false, leaves `*ret_answer` untouched and stores a one-line reason that does
 * not repeat the URL, to be freed with weir_bridge_text_free. Blocks until the time is over at most. Any thread that
 * polls no call.
 */
bool weir_post(const weir_post_t *post, weir_post_answer_t *ret_answer, char **ret_message);

/* ---- Guest code ------------------------------------------------------------------------------------------------ */

typedef enum weir_guest_kind {
    WEIR_GUEST_MODULE = 1,    /* a core module */
    WEIR_GUEST_COMPONENT = 2, /* a component */
} weir_guest_kind_t;

/* What a WebAssembly binary says of itself, read without compiling it. */
typedef struct weir_guest_facts {
    weir_guest_kind_t kind;
    uint64_t minimum_memory_bytes; /* the largest minimum among the memories that it defines */
    uint64_t initial_memory_bytes; /* of all memories that one instance of it defines, together */
    uint32_t memories;             /* that one instance of it defines, counting every core instance that it creates */
    uint32_t tables;
    uint32_t minimum_table_elements; /* the largest minimum among the tables that it defines */
    uint32_t core_instances;         /* 1 for a module */
    uint32_t stacks;                 /* fibers that one instance may block on at once: 1, and one more for each
                                        component in it that defines async functions */
    bool has_component_type;         /* a module that wit-bindgen made: weir_guest_componentize takes it */
    bool needs_concurrency;          /* a component with anything async: for engines with concurrency support alone */
    char *imports;                   /* own: names, one a line, terminated; for a module "module.name" */
    char *exports;                   /* own: names, one a line, terminated */
} weir_guest_facts_t;

/*
 * Validate a WebAssembly binary and read its facts. On success returns NULL and fills `*ret_facts`, to be freed with
 * weir_guest_facts_free. On failure returns an error and leaves `*ret_facts` untouched. Any thread.
 */
wasmtime_error_t *weir_guest_inspect(weir_bytes_t wasm, weir_guest_facts_t *ret_facts);

/* Free what `facts` owns, and zero it. */
void weir_guest_facts_free(weir_guest_facts_t *facts);

/*
 * Make a component of a core module that has component types, adapting its imports of wasi_snapshot_preview1 to WASI
 * 0.2. On success returns NULL and stores the component, to be freed with wasm_byte_vec_delete. On failure returns an
 * error and leaves `*ret_component` untouched. Any thread.
 */
wasmtime_error_t *weir_guest_componentize(weir_bytes_t module, wasm_byte_vec_t *ret_component);

/* ---- What guests may reach -------------------------------------------------------------------------------------- */

typedef enum weir_outbound_way {
    WEIR_OUTBOUND_DENIED = 0,     /* the guest gets the error HTTP-request-denied */
    WEIR_OUTBOUND_NETWORK = 1,    /* it goes to the host that its URL names */
    WEIR_OUTBOUND_IN_PROCESS = 2, /* C answers it */
} weir_outbound_way_t;

typedef enum weir_address_use {
    WEIR_ADDRESS_HTTP = 1,     /* to connect to, for a request that `decide` let go to the network */
    WEIR_ADDRESS_TCP_BIND = 2, /* also before connecting, with the wildcard address and port 0 */
    WEIR_ADDRESS_TCP_LISTEN = 3,
    WEIR_ADDRESS_TCP_ACCEPT = 4,
    WEIR_ADDRESS_TCP_CONNECT = 5,
    WEIR_ADDRESS_UDP_BIND = 6, /* as for TCP */
    WEIR_ADDRESS_UDP_SEND = 7,
    WEIR_ADDRESS_UDP_RECEIVE = 8,
} weir_address_use_t;

struct sockaddr;

/* A guest's request that goes in-process. It belongs to the thread that it was given to. */
typedef struct weir_outgoing weir_outgoing_t;

/*
 * Decides what the guests of a service may reach. `context` must be usable until `release` is called, which happens
 * once, on any thread, when the service, its calls and whatever they had under way are gone.
 */
typedef struct weir_outbound_policy {
    size_t size; /* sizeof(weir_outbound_policy_t) */
    void *context;
    bool may_connect; /* false: no guest gets a socket or looks a name up */
    /* Whether a guest may look this name up, on the thread that polls the call. */
    bool (*may_look_up)(void *context, const char *name);
    /*
     * Decide on a request, on the thread that polls the call. All texts are terminated; `host` has no port, and an IPv6
     * address its brackets; it is "self.alt" for a URL without a host; `port` is -1 where the URL has none.
     */
    weir_outbound_way_t (*decide)(void *context, const char *scheme, const char *host, int port, const char *path);
    /*
     * Whether an address may be used, for HTTP and sockets alike; for HTTP it is one that the host's name resolved to,
     * and the connection is made to that very address. On any thread for WEIR_ADDRESS_HTTP, else on the one that polls.
     */
    bool (*address_is_allowed)(void *context, const struct sockaddr *address, uint32_t size, weir_address_use_t use);
    /*
     * Take over a request that goes in-process, on the thread that polls the call, on a guest's stack: keep it for
     * later. `caller` is what weir_call_request_t had. NULL: such requests are denied.
     */
    void (*begin)(void *context, void *caller, weir_outgoing_t *own_outgoing);
    /* A request to the network failed; one line each. Any thread. May be NULL. */
    void (*failed)(void *context, const char *destination, const char *why);
    void (*release)(void *context); /* may be NULL */
} weir_outbound_policy_t;

/*
 * Bound what the guests of the process have open at once: connections over HTTP, those among them that are kept for a
 * further request (0: none), and sockets. Where a bound is reached, a request waits as long as it may take to connect,
 * and is then connection-limit-reached; a socket is new-socket-limit at once. Before the first service, once; returns
 * false, and changes nothing, when it is too late. Without it they are 256, 64 and 256. Any thread.
 */
bool weir_outbound_bound(uint32_t http_connections, uint32_t idle_connections, uint32_t sockets);

/* ---- What the host provides ------------------------------------------------------------------------------------- */

typedef enum weir_value_kind {
    WEIR_VALUE_NONE = 0,    /* no value: of an option, or where a case or a result has none */
    WEIR_VALUE_BOOL = 1,    /* `integer`, 0 or not */
    WEIR_VALUE_INTEGER = 2, /* `integer`: u8, u32, s64, u64 up to INT64_MAX; and a resource, by its number */
    WEIR_VALUE_REAL = 3,    /* `real`: f64 */
    WEIR_VALUE_TEXT = 4,    /* `bytes`: a string, UTF-8; it may hold NUL */
    WEIR_VALUE_BYTES = 5,   /* `bytes`: list<u8>. One that is empty comes as WEIR_VALUE_LIST */
    WEIR_VALUE_LIST = 6,    /* `items`: of a list, tuple, record, in their order; answered also for a stream<string> */
    WEIR_VALUE_CASE = 7,  /* of a variant or enum: `bytes` is its name, the only one of `items` what it holds, if any */
    WEIR_VALUE_OK = 8,    /* of a result: the only one of `items` is what it holds, if any */
    WEIR_VALUE_ERROR = 9, /* likewise; both are answered also for a future<result> of spin:key-value's error */
} weir_value_kind_t;

/* A value of a component's. An option that has one is that value itself. */
typedef struct weir_value {
    weir_value_kind_t kind;
    int64_t integer;
    double real;
    weir_bytes_t bytes;
    const struct weir_value *items;
    size_t count; /* of items */
} weir_value_t;

/* A call that is not answered yet. */
typedef struct weir_host_call weir_host_call_t;

/*
 * Answer a call, with a value of the type that the function has, NULL for one without. It is copied. Or end its guest
 * with a trap, for a reason of one line. Either of them, once for each call, on any thread, whether or not the guest is
 * still there; the guest goes on when it is polled next.
 */
void weir_host_call_answer(weir_host_call_t *own_call, const weir_value_t *result);
void weir_host_call_trap(weir_host_call_t *own_call, const char *why);

/*
 * The types of a function that carries bytes, so that they are copied at once; other lists of bytes cost some 40 ns and
 * 40 bytes for each of theirs, of which a guest may hand over 128 MiB in a call. A component that imports it with other
 * types is refused. The error is that of spin:key-value, or in an interface of "wasi:..." that of wasi:keyvalue.
 */
typedef enum weir_host_shape {
    WEIR_HOST_SHAPE_ANY = 0,
    WEIR_HOST_SHAPE_GET_BYTES = 1, /* (resource, string) to result<option<list<u8>>, error> */
    WEIR_HOST_SHAPE_SET_BYTES = 2, /* (resource, string, list<u8>) to result<_, error> */
} weir_host_shape_t;

typedef struct weir_host_function {
    const char *name; /* as in the component: "get", "[static]store.open", "[method]store.get" */
    bool is_async;    /* in its contract; left out for engines without support for concurrency */
    /*
     * Begin a call. The arguments are borrowed for the time of the function, which does not block: the call may be
     * answered then, or later. `instance` is what new_instance returned, and may be gone by then. On the thread that
     * polls the guest.
     */
    void (*call)(void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments,
        size_t argument_count);
    weir_host_shape_t shape;
} weir_host_function_t;

typedef struct weir_host_resource {
    const char *name;
    /* The guest has dropped one; those that are left when an instance ends are not told of. On its thread. */
    void (*drop)(void *instance, uint32_t number);
} weir_host_resource_t;

/* Resources of the interfaces before it may be among its arguments. */
typedef struct weir_host_interface {
    const char *name; /* "fermyon:spin/key-value@2.0.0" */
    const weir_host_function_t *functions;
    size_t function_count;
    const weir_host_resource_t *resources;
    size_t resource_count;
} weir_host_interface_t;

/*
 * What guests of a service are provided with beyond WASI. An instance may have 1,024 calls under way; with one more it
 * traps. Interfaces, with all that they point to, are constant and stay; `context` must be usable until `release`.
 */
typedef struct weir_host {
    size_t size; /* sizeof(weir_host_t) */
    const weir_host_interface_t *interfaces;
    size_t interface_count;
    void *context;
    /* What is kept for an instance of a guest, made when it first calls; NULL: memory ran out, which traps. */
    void *(*new_instance)(void *context);
    void (*free_instance)(void *own_instance);
    void (*release)(void *context); /* once, on any thread, when the service and all its calls are gone; or NULL */
} weir_host_t;

/* ---- Services --------------------------------------------------------------------------------------------------- */

typedef enum weir_stream {
    WEIR_STREAM_STDOUT = 1,
    WEIR_STREAM_STDERR = 2,
} weir_stream_t;

/*
 * Receives what a guest writes to a standard stream that is not its response. The bytes are as the guest wrote them,
 * any bytes: whole lines, the first 8 KiB and more of a longer one, or at the end of its call what has no newline. They
 * are borrowed for the time of the function. Called on the thread that polls the call, or frees it.
 */
typedef void (*weir_output_callback_t)(void *context, weir_stream_t stream, weir_bytes_t bytes);

/* A directory of the host, and where guests see it. Nothing outside of it can be reached through it. */
typedef struct weir_mount {
    const char *host_path;
    const char *guest_path; /* UTF-8 */
    bool writable;
} weir_mount_t;

/*
 * Receives the name of an import that nothing provides: an interface, or for a module "module.name". Called from within
 * the function that makes the service.
 */
typedef void (*weir_unknown_import_callback_t)(void *context, weir_bytes_t import);

/*
 * How far instances of wasi:http/handler@0.3.x are reused: each gets values of its own from between the two, at random,
 * both included. Zeroed: each request enters a fresh one. Other guests always have fresh ones.
 */
typedef struct weir_reuse {
    size_t max_instances; /* that the engine may have: where those that calls are on leave no room, none stays idle. The
                           * largest that any of its services was given counts */
    uint32_t requests[2]; /* that an instance handles, one after another or at once */
    uint32_t concurrent_requests[2]; /* at once; that is made use of where more than half of max_instances are there */
    uint32_t idle_milliseconds[2];   /* for which one is kept that nothing runs in */
} weir_reuse_t;

/* How the calls on a service are set up. Zero it, set `size` to sizeof(weir_service_settings_t), then fill it in. */
typedef struct weir_service_settings {
    size_t size;
    const weir_pair_t *environment; /* given to every instance; must be UTF-8 */
    size_t environment_count;
    weir_output_callback_t output; /* NULL: discarded */
    void *output_context;          /* must be usable from every thread that polls */
    uint64_t max_memory_bytes;     /* of all linear memories of an instance; 0: no limit beyond the allocator's */
    bool command;               /* a component is called through wasi:cli/run; else through its handler of wasi:http */
    const weir_mount_t *mounts; /* opened anew for each instance */
    size_t mount_count;
    const weir_pair_t *variables; /* what the contracts for variables answer; must be UTF-8 */
    size_t variable_count;
    /* Imports that nothing provides are an error, except those of WASI and of Spin's platform, or with this all of
     * them: they are reported here, and trap when they are called. */
    bool trap_unknown_imports;
    weir_unknown_import_callback_t unknown_import; /* may be NULL */
    void *unknown_import_context;
    /* What its guests may reach; the service's from now on, if it could be made. Copied. NULL: nothing. */
    const weir_outbound_policy_t *outbound;
    weir_reuse_t reuse;
    /* What components are provided with; the service's from now on, if it could be made. Copied. NULL: nothing. */
    const weir_host_t *host;
} weir_service_settings_t;

/* A guest whose code is loaded, linked and ready to be instantiated for each call. */
typedef struct weir_service weir_service_t;

/*
 * Compile a component or a core module for engines like this one: the native code, of no engine in particular, as bytes
 * that weir_service_new_from_file and weir_service_new_from_bytes load. `wasm` is borrowed for the time of this
 * function. On success returns NULL and stores the code, to be freed with wasm_byte_vec_delete. On failure returns an
 * error and leaves `*ret_code` untouched. Any thread; it uses others too.
 */
wasmtime_error_t *weir_code_compile(const wasm_engine_t *engine, weir_bytes_t wasm, wasm_byte_vec_t *ret_code);

/*
 * Load and link a component that exports wasi:http/incoming-handler@0.2.x, wasi:http/handler@0.3.x or (a WAGI guest)
 * wasi:cli/run@0.2.x, or a core module that imports wasi_snapshot_preview1 and exports _start (a WAGI guest, too), from
 * what weir_code_compile returned for an engine whose settings for compiling are the same; for others it is an error.
 * The code is trusted: who can write it can do what this process can.
 *
 * A file is mapped, so that its pages are shared among all who do; it must not change as long as the service or a call
 * on it lives. Bytes are copied. Everything else is borrowed for the time of the function; the engine is kept alive by
 * the service. On success returns NULL and stores a service to be freed with weir_service_free. On failure returns an
 * error and leaves `*ret_service` untouched. Any thread.
 */
wasmtime_error_t *weir_service_new_from_file(const wasm_engine_t *engine, const char *path,
    const weir_service_settings_t *settings, weir_service_t **ret_service);
wasmtime_error_t *weir_service_new_from_bytes(const wasm_engine_t *engine, weir_bytes_t code,
    const weir_service_settings_t *settings, weir_service_t **ret_service);

/* Whether its guest is a program: called through wasi:cli/run or _start, it reads and writes standard streams. */
bool weir_service_is_command(const weir_service_t *service);

/*
 * Free a service, and its idle instances. Calls on it keep what they need and may outlive it. NULL is allowed. Any
 * thread.
 */
void weir_service_free(weir_service_t *own_service);

/* ---- Calls ------------------------------------------------------------------------------------------------------ */

/*
 * One request to one instance: a fresh one, but for weir_reuse_t. A call belongs to the thread that polls it: every
 * function below is called from that thread, one at a time. Only the wake callback comes from anywhere.
 */
typedef struct weir_call weir_call_t;

/*
 * Called when a pending call is worth polling again: from any thread, also from within weir_call_poll and from within
 * the functions that feed or drain bodies. It must not poll. It may be called after the call was freed, as long as a
 * timer or a socket still holds its waker; `release` is called once, from any thread, when that is over.
 */
typedef void (*weir_wake_callback_t)(void *context);

typedef struct weir_waker {
    weir_wake_callback_t wake;
    weir_wake_callback_t release; /* may be NULL */
    void *context;
} weir_waker_t;

/* An HTTP request as the guest is to see it. Everything is borrowed for the time of weir_call_new. */
typedef struct weir_call_request {
    size_t size; /* sizeof(weir_call_request_t) */
    weir_bytes_t method;
    weir_bytes_t scheme;    /* "http" or "https" */
    weir_bytes_t authority; /* host[:port] */
    weir_bytes_t path_and_query;
    const weir_pair_t *headers;
    size_t header_count;
    bool has_body; /* true: the body will be fed with weir_call_feed */
    /* For a program, which sees a request through CGI (RFC 3875), the five above are ignored and these are used. */
    const weir_bytes_t *arguments;
    size_t argument_count;
    const weir_pair_t *environment; /* after the service's; libc takes the first of a name */
    size_t environment_count;
    bool instance_only; /* the call ends well as soon as it has its instance: no code of the guest handles it */
    void *caller;       /* what the outbound policy's `begin` gets with the requests that are made during this call */
    /* What each request of the guest's over HTTP is given in addition, unless it has a header of one of these names. */
    const weir_pair_t *added_headers;
    size_t added_header_count;
} weir_call_request_t;

/*
 * Prepare a call; nothing runs until it is polled. The service must outlive this function only. `waker.release` is
 * called in every case, also on failure. On success returns NULL and stores a call to be freed with weir_call_free.
 */
wasmtime_error_t *weir_call_new(
    const weir_service_t *service, const weir_call_request_t *request, weir_waker_t waker, weir_call_t **ret_call);

typedef enum weir_call_state {
    WEIR_CALL_PENDING = 0, /* the guest runs or waits; the waker will be called */
    WEIR_CALL_ENDED = 1,   /* the guest has ended well, and its response is complete once it is drained. A
                                failure after that, or an error that wasi:cli/run returned: weir_call_failure */
    WEIR_CALL_FAILED = 2,  /* the guest trapped, could not be instantiated or gave no response: see weir_call_failure */
} weir_call_state_t;

/*
 * Run the guest until it waits, ends, or its time slice is over (one epoch of the engine; the waker is then called at
 * once). Polling a call that has ended or failed returns the same state again.
 */
weir_call_state_t weir_call_poll(weir_call_t *call);

/*
 * The response's status, once the guest has set its response; 0 before. Always 0 for a program: its response is the
 * CGI document that comes as body.
 */
uint16_t weir_call_status(const weir_call_t *call);

/* The response's headers, in order; names in lower case. They live as long as the call. */
size_t weir_call_header_count(const weir_call_t *call);
weir_pair_t weir_call_header(const weir_call_t *call, size_t index);

/*
 * The next bytes of the response's body, without consuming them; size 0 when none are there now. They stay valid
 * until weir_call_consume, weir_call_poll or weir_call_free.
 */
weir_bytes_t weir_call_body(weir_call_t *call);

/* Drop `size` bytes from the front of what weir_call_body returned. The guest may then write more: poll again. */
void weir_call_consume(weir_call_t *call, size_t size);

/*
 * Whether the response's body is complete: every byte has been returned by weir_call_body and consumed, and no more
 * will come. It can be true while the guest still runs.
 */
bool weir_call_body_ended(const weir_call_t *call);

/* The trailers that the guest has set, in order, once the response's body has ended; they live as long as the call. */
size_t weir_call_trailer_count(const weir_call_t *call);
weir_pair_t weir_call_trailer(const weir_call_t *call, size_t index);

/*
 * Append bytes of the request's body, copying them; returns how many were taken: fewer, or none, where the guest has
 * not read enough of those before. When it has let go of the body all are taken and dropped. The waker is called when
 * the guest has made space.
 */
size_t weir_call_feed(weir_call_t *call, weir_bytes_t bytes);

/*
 * Say what trailers come after the request's body, at most once and before weir_call_feed_end. They are copied; a
 * program does not see them. Returns false, and gives the guest none, when they cannot be passed on.
 */
bool weir_call_feed_trailers(weir_call_t *call, const weir_pair_t *trailers, size_t trailer_count);

/* Say that the request's body is complete, or, with `aborted`, that the rest of it will never come. */
void weir_call_feed_end(weir_call_t *call, bool aborted);

typedef enum weir_failure_kind {
    WEIR_FAILURE_NONE = 0,
    WEIR_FAILURE_INSTANTIATE = 1, /* it cannot be instantiated, or trapped in a start function */
    WEIR_FAILURE_TRAP = 2,        /* the guest trapped or the host's side of it failed */
    WEIR_FAILURE_EXIT = 3,        /* the guest exited with a status other than 0 */
    WEIR_FAILURE_NO_RESPONSE = 4, /* the guest returned without a response */
    WEIR_FAILURE_PANIC = 5,       /* the bridge panicked: a bug, contained */
    WEIR_FAILURE_REFUSED = 6,     /* the pool or the system had no more to give: another time it may be had. No export
                                     of the guest was called */
    WEIR_FAILURE_RUN = 7,         /* wasi:cli/run returned an error; its output is still its response */
} weir_failure_kind_t;

/*
 * Why a call failed. `*ret_message` (may be NULL) is set to a terminated one-line text that lives as long as the call;
 * control characters in it are escaped.
 */
weir_failure_kind_t weir_call_failure(const weir_call_t *call, const char **ret_message);

/* Whether its instance was made for an earlier call: see weir_reuse_t. */
bool weir_call_reuses_instance(const weir_call_t *call);

/* End a call, wherever it stands: the guest is cancelled and its instance goes back to the pool. NULL is allowed. */
void weir_call_free(weir_call_t *own_call);

/* ---- Requests that stay in the process -------------------------------------------------------------------------- */

/* What a guest requests. Everything lives as long as the request. */
typedef struct weir_outgoing_head {
    weir_bytes_t method;
    weir_bytes_t scheme;
    weir_bytes_t authority;      /* host[:port]; "self.alt" where the URL had none */
    weir_bytes_t path_and_query; /* begins with "/" */
    const weir_pair_t *headers;  /* with Host; names in lower case */
    size_t header_count;
    bool has_body;
} weir_outgoing_head_t;

weir_outgoing_head_t weir_outgoing_head(const weir_outgoing_t *outgoing);

/*
 * Have the waker called, from any thread, when more of the request's body is there, when the response's body has room
 * again, and when the guest gave the request up. Once, before anything else but weir_outgoing_head; `release` is called
 * as for weir_call_new.
 */
void weir_outgoing_watch(weir_outgoing_t *outgoing, weir_waker_t waker);

/* Whether the guest is not interested in the response, or the rest of it, any more. */
bool weir_outgoing_is_abandoned(const weir_outgoing_t *outgoing);

typedef enum weir_outgoing_body_state {
    WEIR_OUTGOING_LATER = 0,  /* nothing now */
    WEIR_OUTGOING_BYTES = 1,  /* some */
    WEIR_OUTGOING_ENDED = 2,  /* nothing more: it is complete */
    WEIR_OUTGOING_BROKEN = 3, /* nothing more, and it is not complete */
} weir_outgoing_body_state_t;

/* The next bytes of the request's body, without consuming them; valid until the next call of either function. */
weir_outgoing_body_state_t weir_outgoing_body(weir_outgoing_t *outgoing, weir_bytes_t *ret_bytes);
void weir_outgoing_consume(weir_outgoing_t *outgoing, size_t size);

/*
 * Give the guest the response's head, once. Returns false when it is no HTTP or the guest is not interested any more.
 */
bool weir_outgoing_respond(weir_outgoing_t *outgoing, uint16_t status, const weir_pair_t *headers, size_t header_count);

/* Append bytes of the response's body, copying them; returns how many were taken, at most 64 KiB until they are read.
 */
size_t weir_outgoing_write(weir_outgoing_t *outgoing, weir_bytes_t bytes);

/* The response's body is complete. */
void weir_outgoing_write_end(weir_outgoing_t *outgoing);

typedef enum weir_outgoing_failure {
    WEIR_OUTGOING_DENIED = 1,    /* HTTP-request-denied */
    WEIR_OUTGOING_NOT_FOUND = 2, /* destination-not-found */
    WEIR_OUTGOING_TOO_DEEP = 3,  /* loop-detected */
    WEIR_OUTGOING_NO_ROOM = 4,   /* connection-limit-reached */
    WEIR_OUTGOING_TOO_LATE = 5,  /* HTTP-response-timeout */
    WEIR_OUTGOING_INTERNAL = 6,  /* internal-error */
} weir_outgoing_failure_t;

/* Give the guest an error instead of a response; nothing when it has one. */
void weir_outgoing_fail(weir_outgoing_t *outgoing, weir_outgoing_failure_t failure);

/* Free it. What has no response, or not all of it, is broken off: connection-terminated. NULL is allowed. */
void weir_outgoing_free(weir_outgoing_t *own_outgoing);

#ifdef __cplusplus
}
#endif
#endif
