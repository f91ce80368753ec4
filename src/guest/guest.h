/*
 * guest.h: a guest is a component of the application that is loaded and ready to be called; an exchange is one request
 * on it. Both kinds of guest (wasi:http components, WAGI programs) look the same from here: request in, status, headers
 * and body out. An exchange belongs to one thread from beginning to end.
 */
#ifndef WEIR_GUEST_GUEST_H
#define WEIR_GUEST_GUEST_H

#include "app/manifest.h"
#include "app/routes.h"
#include "guest/outbound.h"
#include "host/host.h"
#include "observe/component_log.h"
#include "observe/log.h"
#include "observe/record.h"
#include "weir/allocator.h"
#include "weir_bridge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Files, before an engine exists -------------------------------------------------------------------------------- */

/* The wasm file of a component, and what it says of itself. */
typedef struct weir_guest_file {
    char *bytes; /* own */
    size_t size;
    weir_guest_facts_t facts;
    weir_executor_t executor; /* that serves it */
} weir_guest_file_t;

/*
 * Read and inspect a component's wasm file (at most 256 MiB) and check that it suits its executor: for "http" a
 * component must export one wasi:http/incoming-handler@0.2.x or wasi:http/handler@0.3.x; for "wagi" a component must
 * export wasi:cli/run@0.2.x, or a module _start. A core module for "http" is made a component, if wit-bindgen made it
 * (Spin: crates/componentize): the file then holds that component. With an executor of 0 it is any of them: for a .wasm
 * file as an application, whose executor weir_guest_file_executor then tells. On failure returns false, leaves
 * `*ret_file` untouched and stores a one-line message that names manifest, place and file, as weir_manifest_load does.
 */
bool weir_guest_file_load(const weir_manifest_t *manifest, const weir_component_t *component, weir_executor_t executor,
    weir_guest_file_t *ret_file, char **ret_message);

/* Free what a file owns and zero it. */
void weir_guest_file_free(weir_guest_file_t *file);

/* The executor that serves this file. */
weir_executor_t weir_guest_file_executor(const weir_guest_file_t *file);

/* Enlarge `needs` so that it covers this file. */
void weir_guest_file_add_needs(const weir_guest_file_t *file, weir_needs_t *needs);

/* ---- Code: compiled, and not of one engine ---------------------------------------------------------------------------- */

/*
 * A guest's compiled code, of no engine in particular: it is compiled for one, and guests can then be made from it for
 * any other whose settings for compiling are the same. It is kept in a memfd, which is sealed once it is complete: what
 * a child process compiles that was forked after weir_guest_code_new is there for its parent too. Where there is no
 * memfd, each process has what it compiled itself. One thread at a time, except to make guests from it.
 */
typedef struct weir_guest_code weir_guest_code_t;

/* Room for the code of one file. NULL: memory ran out. */
weir_guest_code_t *weir_guest_code_new(void);

/* Free code. Guests made from it keep what they need. NULL is allowed. */
void weir_guest_code_free(weir_guest_code_t *own_code);

/* Whether all of it is there, compiled by this process or by a child of it. */
bool weir_guest_code_is_there(const weir_guest_code_t *code);

/*
 * Compile a component's file for an engine, on as many threads as there are processors, and keep the code in place of
 * what was there. On failure returns false and stores a one-line message, as weir_guest_new does.
 */
bool weir_guest_code_compile(weir_guest_code_t *code, const wasm_engine_t *engine, const weir_manifest_t *manifest,
    const weir_component_t *component, const weir_guest_file_t *file, char **ret_message);

/*
 * For a compiler in another process: the memfd that code is to be put into, borrowed; -1 where there is none, or where
 * it holds something. And what that process does: compile wasm for an engine into such a memfd, and seal it; false, and
 * the reason, where that fails. And what to tell of that reason here, as weir_guest_code_compile does.
 */
int weir_guest_code_descriptor(const weir_guest_code_t *code);
bool weir_guest_code_compile_into(
    int descriptor, const wasm_engine_t *engine, weir_bytes_t wasm, char *ret_reason, size_t reason_size);
char *weir_guest_code_refusal(const weir_manifest_t *manifest, const weir_component_t *component, const char *reason);

/* ---- Guests ------------------------------------------------------------------------------------------------------------ */

typedef struct weir_guest weir_guest_t;

/* What becomes of what a guest writes to its standard streams (but for a program's response), and of news of it. */
typedef enum weir_guest_output {
    WEIR_GUEST_OUTPUT_LOGGED = 0,
    WEIR_GUEST_OUTPUT_DISCARDED = 1,
} weir_guest_output_t;

/* How a guest's instances are set up. */
typedef struct weir_guest_settings {
    weir_guest_output_t output;
    uint64_t
        max_memory_bytes; /* that an instance's memories may grow to together; 0: as far as the allocator lets them */
    weir_component_log_t *log; /* takes what is logged of its streams; must outlive the guest. NULL: the console does */
    /* Which of a component's exports answers. 0: its handler of wasi:http. A core module is WAGI anyway. */
    weir_executor_t executor;
    const weir_variable_t *environment; /* of the command line: besides the component's, and instead of one so named */
    size_t environment_count;
    const weir_mount_t *mounts; /* what it sees of files */
    size_t mount_count;
    const weir_variable_t *variables; /* resolved */
    size_t variable_count;
    bool trap_unknown_imports; /* whatever nothing provides traps when it is called; else only what is Spin's or WASI's
                                */
    bool relinked; /* a guest of this component was made before: what was warned of then is not said again */
    weir_outbound_settings_t outbound;  /* what they may reach; zeroed: nothing */
    const weir_granted_store_t *stores; /* key-value stores that it may open; held */
    size_t store_count;
    weir_reuse_t reuse; /* of instances, where the guest's handler is one of WASI 0.3 */
} weir_guest_settings_t;

/*
 * Load a component's code for an engine, and link it. Imports that nothing provides, but that need not be there, are
 * logged as warnings, unless output is discarded. The settings are borrowed for the time of this function; `component`
 * must outlive the guest; `code` need not. On failure,
 * also when the code is not there or was compiled for another kind of engine, returns false, leaves `*ret_guest`
 * untouched and stores a one-line message. Any thread.
 */
bool weir_guest_new(const wasm_engine_t *engine, const weir_manifest_t *manifest, const weir_component_t *component,
    const weir_guest_code_t *code, const weir_guest_settings_t *settings, weir_guest_t **ret_guest, char **ret_message);

/* Free a guest that no exchange uses any more. NULL is allowed. */
void weir_guest_free(weir_guest_t *own_guest);

/* Whether it may request something of its own application. */
bool weir_guest_may_chain(const weir_guest_t *guest);

/* The component's id. */
const char *weir_guest_id(const weir_guest_t *guest);

/* Write a line about a guest, "component hello: TEXT", as weir_log_rated does: not more than people can read. Any
 * thread. */
__attribute__((format(printf, 3, 4))) void weir_guest_log(
    const weir_guest_t *guest, weir_log_level_t level, const char *format, ...);

/* ---- Exchanges --------------------------------------------------------------------------------------------------------- */

enum {
    WEIR_REQUEST_HEADERS_MAX = 256, /* a request with more is refused */
    WEIR_TRAILERS_MAX = 256,        /* of a response */
};

/* A request as the server received it. Everything is borrowed for the time of weir_exchange_start. */
typedef struct weir_request {
    weir_bytes_t method;
    weir_bytes_t target;        /* path and query as received; begins with "/" */
    weir_bytes_t path;          /* the part of the target before "?" */
    weir_bytes_t query;         /* the part after "?", without it */
    weir_bytes_t host;          /* the Host header: the authority */
    weir_bytes_t version;       /* "HTTP/1.1" */
    const weir_pair_t *headers; /* all of them, in order, names as received */
    size_t header_count;
    bool has_body;
    int64_t content_length;     /* of the body; -1 when it is chunked */
    bool secure;                /* came over TLS */
    const char *client_address; /* "ip:port", IPv6 in brackets */
    const char *client_ip;      /* without port and brackets */
    uint16_t server_port;
    /* The whole body, when an exchange with a module was refused after it had collected it; else NULL. It is emptied
     * when it was taken over; what is left in it is the caller's to free. */
    struct weir_request_body *collected;
    const weir_trace_context_t *trace; /* where it stands in a trace; NULL: in none */
    /* What carries that on, with each request of the guest's: see weir_call_request_t. */
    const weir_pair_t *added_headers;
    size_t added_header_count;
    void
        *caller; /* whom the guest's own requests to its application are for: weir_guest_settings_t's `begin` gets it */
} weir_request_t;

typedef struct weir_exchange weir_exchange_t;

/*
 * Write a line about an exchange, with its request's method and path, at most 200 bytes of that: "component hello: TEXT
 * (GET /path)". As weir_guest_log.
 */
__attribute__((format(printf, 3, 4))) void weir_exchange_log(
    const weir_exchange_t *exchange, weir_log_level_t level, const char *format, ...);

/* The id of the component that answers it. */
const char *weir_exchange_guest_id(const weir_exchange_t *exchange);

typedef enum weir_exchange_state {
    WEIR_EXCHANGE_PENDING = 0, /* no response's head yet; the waker will be called */
    WEIR_EXCHANGE_HEAD = 1,    /* status and headers are there; the body may still be on its way */
    WEIR_EXCHANGE_FAILED = 2,  /* the guest failed, and it has been logged. While nothing of its response was sent,
                                  answer  `weir_exchange_failure_status` with an empty body; else cut the connection */
    WEIR_EXCHANGE_REFUSED = 3, /* no instance could be had: the pool or the system had no more to give. Nothing of the
                                  guest has handled the request, and nothing of the request is lost, except what the
                                  exchange has collected of its body (weir_exchange_reclaim): it can be started again,
                                  now or later. Not logged. Where the body cannot be had again, it is a failure (503) */
} weir_exchange_state_t;

/*
 * Start a request on a guest: prepares the request as Spin does (headers spin-*, or the CGI environment and arguments)
 * and creates the call; nothing runs until it is polled. A program (a module, or a component whose executor is "wagi")
 * is served as WAGI with the trigger's `wagi_argv` (Spin's default when that is NULL), whatever the trigger's executor
 * says; below it is called a module.
 *
 * A body in chunks for a module is collected first, because CGI wants its length: the call is created when the body has
 * been fed completely. At most 16 MiB for one request (then WEIR_EXCHANGE_FAILED with status 413) and 64 MiB for all
 * that are under way (503).
 *
 * On failure (a target or header value that is not UTF-8, too many headers, something that is no HTTP, memory) returns
 * false, leaves `*ret_exchange` untouched, has logged why, and the answer is 500. `waker.release` is called in every
 * case.
 */
bool weir_exchange_start(const weir_guest_t *guest, const weir_request_t *request, const weir_route_match_t *match,
    weir_waker_t waker, weir_exchange_t **ret_exchange);

/*
 * Run the guest for a slice. Once the head is there it goes on returning WEIR_EXCHANGE_HEAD, or _FAILED. An exchange
 * that may be refused is best polled once before its body is fed: what was fed to it cannot be had again.
 *
 * A component's head is there as soon as it has set its response. A module's head is held back until the module has
 * ended, or waits with some of its body written, or has computed for many time slices since it wrote some; so a module
 * that fails after a short response is answered with 500. Spin holds back all of a module's response until its end;
 * here that of a module that waits, computes for long or writes more than 64 KiB can be on its way when the module
 * fails, and is then cut off.
 */
weir_exchange_state_t weir_exchange_poll(weir_exchange_t *exchange);

/*
 * The response's status, when the head is there or the guest failed. After a failure: 500 when the guest trapped,
 * exited with another status than 0, gave no response, set a status below 200, or wrote a CGI head that is not UTF-8;
 * 502 when the Content-Length that it stated is no number, contradicts itself, or no body came with it, or its CGI head
 * is longer than 64 KiB or 256 headers; 413 and 503 as above. (A CGI Status that is none is not a failure: it is
 * answered with 502 and the guest's body, as in Spin.)
 */
uint16_t weir_exchange_status(const weir_exchange_t *exchange);

/* Why its call failed; WEIR_FAILURE_NONE when it did not, or there is none. And whether that was a trap, before or
 * after its response, or what is as bad: a failure to start, or a bug in weir. */
weir_failure_kind_t weir_exchange_failure(const weir_exchange_t *exchange);
bool weir_exchange_trapped(const weir_exchange_t *exchange);

/* Whether an instance was made for it. False also where it has one that was made for another. */
bool weir_exchange_made_instance(const weir_exchange_t *exchange);

/* What was refused, one line that lives as long as the exchange; "" unless its state is WEIR_EXCHANGE_REFUSED. */
const char *weir_exchange_refusal(const weir_exchange_t *exchange);

/*
 * Take from an exchange that was refused the body that it has collected, all of it. Returns false, and leaves
 * `*ret_body` untouched, when it has collected none; then the body is fed anew to the exchange that is started instead.
 */
bool weir_exchange_reclaim(weir_exchange_t *exchange, struct weir_request_body *ret_body);

/*
 * What to answer in place of the response of a guest that failed, as long as nothing of it was sent: as above, and 500
 * when the head was there already. 0 unless it failed.
 */
uint16_t weir_exchange_failure_status(const weir_exchange_t *exchange);

/*
 * The response's headers, in lower case, without Content-Length and those of the connection (Connection,
 * Transfer-Encoding, ...); a component's Trailer is among them. Names are tokens and values have no control characters:
 * others are left out and logged. They live as long as the exchange.
 */
size_t weir_exchange_header_count(const weir_exchange_t *exchange);
weir_pair_t weir_exchange_header(const weir_exchange_t *exchange, size_t index);

/*
 * The length of the body, or -1: as the guest stated it, or as it is, when it is all there (up to 128 KiB) together
 * with the head. Never more than this is delivered, and less is a failure, except that there is no body at all in
 * answer to HEAD and with status 204 and 304.
 */
int64_t weir_exchange_content_length(const weir_exchange_t *exchange);

/*
 * The next bytes of the body, without consuming them: size 0 when there are none now, and before the head. They stay
 * valid until weir_exchange_consume, weir_exchange_poll or weir_exchange_free. When there are none and the body has not
 * ended, poll again as soon as the waker is called: more may have come, or the guest may have failed. Consume at most
 * what was returned.
 */
weir_bytes_t weir_exchange_body(weir_exchange_t *exchange);
void weir_exchange_consume(weir_exchange_t *exchange, size_t size);

/* Whether the body is complete: no more bytes will come. */
bool weir_exchange_body_ended(const weir_exchange_t *exchange);

/*
 * Whether the guest has ended, well or not: polling does nothing more. A guest may go on after its response is
 * complete; the server goes on polling it then, and frees the exchange when this is true or its patience is over.
 */
bool weir_exchange_ended(const weir_exchange_t *exchange);

/*
 * Feed the request's body, if it has one: see weir_call_feed, weir_call_feed_end. What the guest will not read any more
 * is taken and dropped. Both may call the waker.
 */
size_t weir_exchange_feed(weir_exchange_t *exchange, weir_bytes_t bytes);
void weir_exchange_feed_end(weir_exchange_t *exchange, bool aborted);

/*
 * The trailers after the request's body, at most once and before weir_exchange_feed_end. They are copied. A program
 * does not see them, and nobody those that are named as headers that the host sets.
 */
void weir_exchange_feed_trailers(weir_exchange_t *exchange, const weir_pair_t *trailers, size_t count);

/*
 * The trailers that the guest has set, once its response's body has ended; names and values are as those of headers.
 * They live as long as the exchange. Of more than WEIR_TRAILERS_MAX the rest is dropped, which is logged each time that
 * they are counted.
 */
size_t weir_exchange_trailer_count(const weir_exchange_t *exchange);
weir_pair_t weir_exchange_trailer(const weir_exchange_t *exchange, size_t index);

/*
 * Have an exchange fail that has not ended, with this status where nothing of its response was sent: the server's
 * patience is over, which it has logged. Its guest is polled no more.
 */
void weir_exchange_stop(weir_exchange_t *exchange, uint16_t status);

/* End an exchange wherever it stands. NULL is allowed. */
void weir_exchange_free(weir_exchange_t *own_exchange);

#endif
