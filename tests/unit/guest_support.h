/*
 * guest_support.h: for the tests of the guest room: an engine with its ticking epoch, guests made from steps through
 * WebAssembly text, requests, and what an exchange answered and logged.
 */
#ifndef WEIR_TESTS_GUEST_SUPPORT_H
#define WEIR_TESTS_GUEST_SUPPORT_H

#include "guest/guest.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Text ---- */

/* Text that grows; zero it to begin. */
typedef struct text {
    char *bytes; /* terminated, or NULL while nothing was appended */
    size_t size;
    size_t capacity;
} text_t;

static inline void text_append(text_t *text, const void *bytes, size_t size)
{
    if (text->size + size >= text->capacity) {
        text->capacity = 2 * (text->size + size) + 64;
        text->bytes = realloc(text->bytes, text->capacity);
        assert_non_null(text->bytes);
    }
    if (size > 0)
        memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = '\0';
}

__attribute__((format(printf, 2, 3))) static inline void text_format(text_t *text, const char *format, ...)
{
    char *piece;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&piece, format, arguments);
    va_end(arguments);
    assert_true(size >= 0);
    text_append(text, piece, (size_t)size);
    free(piece);
}

static inline weir_bytes_t bytes_of(const char *string)
{
    return (weir_bytes_t){string, strlen(string)};
}

/* ---- What is written to standard error ---- */

typedef struct capture {
    int file;
    int before;
} capture_t;

static inline capture_t capture_begin(void)
{
    fflush(stderr);
    capture_t capture = {memfd_create("stderr", MFD_CLOEXEC), dup(STDERR_FILENO)};
    assert_true(capture.file >= 0 && capture.before >= 0);
    assert_int_equal(dup2(capture.file, STDERR_FILENO), STDERR_FILENO);
    return capture;
}

/* The text, to be freed with free(3). */
static inline char *capture_end(capture_t capture)
{
    dup2(capture.before, STDERR_FILENO);
    close(capture.before);
    off_t size = lseek(capture.file, 0, SEEK_END);
    assert_true(size >= 0);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(pread(capture.file, text, (size_t)size, 0), size);
    close(capture.file);
    return text;
}

static inline size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *found = strstr(text, part); found != NULL; found = strstr(found + 1, part))
        count++;
    return count;
}

/* ---- An engine ---- */

enum {
    TRAP_SIGNALS = 4,
};

static const int trap_signals[TRAP_SIGNALS] = {SIGILL, SIGSEGV, SIGFPE, SIGBUS};

typedef struct engine {
    wasm_engine_t *engine;
    pthread_t ticker;
    bool ticks; /* the ticker runs */
    atomic_bool stop;
    struct sigaction trap_actions[TRAP_SIGNALS]; /* Wasmtime's */
} engine_t;

/* cmocka puts handlers of its own in place for each test, so that a guest's trap would never reach Wasmtime. */
static inline void engine_handle_traps(const engine_t *engine)
{
    for (int i = 0; i < TRAP_SIGNALS; i++)
        sigaction(trap_signals[i], &engine->trap_actions[i], NULL);
}

static inline void *engine_tick(void *context)
{
    engine_t *engine = context;
    while (!atomic_load(&engine->stop)) {
        const struct timespec tick = {.tv_nsec = 5 * 1000 * 1000};
        nanosleep(&tick, NULL);
        wasmtime_engine_increment_epoch(engine->engine);
    }
    return NULL;
}

/* Let the engine's epoch go on every 5 ms, which ends the slice of a guest that runs. */
static inline int engine_begin_ticks(engine_t *engine)
{
    atomic_store(&engine->stop, false);
    engine->ticks = pthread_create(&engine->ticker, NULL, engine_tick, engine) == 0;
    return engine->ticks ? 0 : -1;
}

static inline void engine_end_ticks(engine_t *engine)
{
    atomic_store(&engine->stop, true);
    if (engine->ticks)
        pthread_join(engine->ticker, NULL);
    engine->ticks = false;
}

/* Make an engine whose epoch stands still: a guest runs until it waits or ends, however busy the machine is. */
static inline int engine_make_still(void **state, wasm_config_t *take_config)
{
    engine_t *engine = calloc(1, sizeof *engine);
    wasmtime_config_epoch_interruption_set(take_config, true);
    int refused;
    wasmtime_error_t *error = weir_engine_new(take_config, &engine->engine, &refused);
    if (error != NULL)
        return -1;
    for (int i = 0; i < TRAP_SIGNALS; i++)
        sigaction(trap_signals[i], NULL, &engine->trap_actions[i]);
    *state = engine;
    return 0;
}

/* Make an engine whose epoch goes on every 5 ms. */
static inline int engine_make(void **state, wasm_config_t *take_config)
{
    return engine_make_still(state, take_config) == 0 ? engine_begin_ticks(*state) : -1;
}

/* Without a pool, for guests that have nothing async. */
static inline wasm_config_t *engine_config(void)
{
    wasm_config_t *config = wasm_config_new();
    wasmtime_config_concurrency_support_set(config, false);
    return config;
}

/* A cmocka group's set-up: an engine without a pool, for guests that have nothing async. */
static inline int engine_setup(void **state)
{
    return engine_make(state, engine_config());
}

/* The same, and its epoch stands still. */
static inline int engine_setup_still(void **state)
{
    return engine_make_still(state, engine_config());
}

static inline int engine_teardown(void **state)
{
    engine_t *engine = *state;
    engine_end_ticks(engine);
    wasm_engine_delete(engine->engine);
    free(engine);
    return 0;
}

/* ---- Guests from steps ---- */

typedef enum step_kind {
    END = 0,
    WRITE,       /* text: to standard output, or as a piece of the body */
    REPEAT,      /* text, number: write the text so many times, each in a write of its own */
    WARN,        /* text: to standard error */
    COPY,        /* copy standard input to standard output */
    ENVIRONMENT, /* write the environment, each variable ended by a NUL */
    ARGUMENTS,   /* write the arguments likewise */
    SLEEP,       /* number: milliseconds */
    WORK,        /* number: turn a loop so many million times */
    EXIT,        /* number: the status */
    TRAP,
    /* Components only: */
    HEADER,  /* text, more: name and value of a response header; before RESPOND */
    RESPOND, /* number: set the response, with this status */
    FINISH,  /* end the body */
} step_kind_t;

typedef struct step {
    step_kind_t kind;
    const char *text;
    const char *more;
    uint32_t number;
} step_t;

static inline step_t text_step(step_kind_t kind, const char *text)
{
    return (step_t){.kind = kind, .text = text};
}

static inline step_t number_step(step_kind_t kind, uint32_t number)
{
    return (step_t){.kind = kind, .number = number};
}

static inline step_t repeat_step(const char *text, uint32_t times)
{
    return (step_t){.kind = REPEAT, .text = text, .number = times};
}

static inline step_t header_step(const char *name, const char *value)
{
    return (step_t){.kind = HEADER, .text = name, .more = value};
}

static inline step_t step(step_kind_t kind)
{
    return (step_t){.kind = kind};
}

/* Lays the steps' texts out from 4096 on: `data` gets the data segments, `code` the calls. */
static inline uint32_t put_data(text_t *data, uint32_t *next, const char *bytes)
{
    uint32_t at = *next;
    text_format(data, "(data (i32.const %u) \"", at);
    for (const char *byte = bytes; *byte != '\0'; byte++)
        text_format(data, "\\%02x", (unsigned)(unsigned char)*byte);
    text_append(data, "\")\n", 3);
    *next = at + (uint32_t)strlen(bytes) + 1;
    return at;
}

static inline void translate(const step_t *steps, text_t *data, text_t *code)
{
    uint32_t next = 4096;
    for (const step_t *at_step = steps; at_step->kind != END; at_step++) {
        uint32_t at = at_step->text != NULL ? put_data(data, &next, at_step->text) : 0;
        unsigned size = at_step->text != NULL ? (unsigned)strlen(at_step->text) : 0;
        switch (at_step->kind) {
        case WRITE:
            text_format(code, "(call $write (i32.const %u) (i32.const %u))\n", at, size);
            break;
        case REPEAT:
            text_format(
                code, "(call $repeat (i32.const %u) (i32.const %u) (i32.const %u))\n", at, size, at_step->number);
            break;
        case WARN:
            text_format(code, "(call $warn (i32.const %u) (i32.const %u))\n", at, size);
            break;
        case COPY:
            text_format(code, "(call $copy)\n");
            break;
        case ENVIRONMENT:
            text_format(code, "(call $environment)\n");
            break;
        case ARGUMENTS:
            text_format(code, "(call $arguments)\n");
            break;
        case SLEEP:
            text_format(code, "(call $sleep (i64.const %u))\n", at_step->number);
            break;
        case WORK:
            text_format(code, "(call $work (i64.const %u))\n", at_step->number);
            break;
        case EXIT:
            text_format(code, "(call $exit (i32.const %u))\n", at_step->number);
            break;
        case TRAP:
            text_format(code, "unreachable\n");
            break;
        case HEADER: {
            uint32_t value = put_data(data, &next, at_step->more);
            text_format(code, "(call $header (i32.const %u) (i32.const %u) (i32.const %u) (i32.const %u))\n", at, size,
                value, (unsigned)strlen(at_step->more));
            break;
        }
        case RESPOND:
            text_format(code, "(call $respond (i32.const %u))\n", at_step->number);
            break;
        case FINISH:
            text_format(code, "(call $finish)\n");
            break;
        case END:
            break;
        }
    }
}

/* What a step needs in both kinds of guest, on top of $write and $sleep. */
#define COMMON_FUNCTIONS                                                                                               \
    "(func $repeat (param $at i32) (param $size i32) (param $times i32)\n"                                             \
    "  (loop $again\n"                                                                                                 \
    "    (call $write (local.get $at) (local.get $size))\n"                                                            \
    "    (local.set $times (i32.sub (local.get $times) (i32.const 1)))\n"                                              \
    "    (br_if $again (local.get $times))))\n"                                                                        \
    "(func $work (param $millions i64)\n"                                                                              \
    "  (local.set $millions (i64.mul (local.get $millions) (i64.const 1000000)))\n"                                    \
    "  (loop $again\n"                                                                                                 \
    "    (local.set $millions (i64.sub (local.get $millions) (i64.const 1)))\n"                                        \
    "    (br_if $again (i64.ne (local.get $millions) (i64.const 0)))))\n"

static inline wasm_byte_vec_t assemble(const text_t *wat)
{
    wasm_byte_vec_t wasm;
    wasmtime_error_t *error = wasmtime_wat2wasm(wat->bytes, wat->size, &wasm);
    if (error != NULL) {
        wasm_name_t message;
        wasmtime_error_message(error, &message);
        fail_msg("%.*s", (int)message.size, message.data);
    }
    return wasm;
}

/* A WAGI module that does the steps. */
static inline wasm_byte_vec_t module_of(const step_t *steps)
{
    text_t data = {0};
    text_t code = {0};
    text_t wat = {0};
    translate(steps, &data, &code);
    text_format(&wat,
        "(module\n"
        "(import \"wasi_snapshot_preview1\" \"fd_write\" (func $fd_write (param i32 i32 i32 i32) (result i32)))\n"
        "(import \"wasi_snapshot_preview1\" \"fd_read\" (func $fd_read (param i32 i32 i32 i32) (result i32)))\n"
        "(import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))\n"
        "(import \"wasi_snapshot_preview1\" \"poll_oneoff\" (func $poll (param i32 i32 i32 i32) (result i32)))\n"
        "(import \"wasi_snapshot_preview1\" \"environ_sizes_get\" (func $env_sizes (param i32 i32) (result i32)))\n"
        "(import \"wasi_snapshot_preview1\" \"environ_get\" (func $env_get (param i32 i32) (result i32)))\n"
        "(import \"wasi_snapshot_preview1\" \"args_sizes_get\" (func $args_sizes (param i32 i32) (result i32)))\n"
        "(import \"wasi_snapshot_preview1\" \"args_get\" (func $args_get (param i32 i32) (result i32)))\n"
        "(memory (export \"memory\") 4)\n"
        /* 0: an iovec; 8: a count; 16: a subscription; 64: an event; 1024: a buffer of 1,024 bytes */
        "(func $write_to (param $fd i32) (param $at i32) (param $size i32)\n"
        "  (loop $again\n"
        "    (if (i32.eqz (local.get $size)) (then (return)))\n"
        "    (i32.store (i32.const 0) (local.get $at))\n"
        "    (i32.store (i32.const 4) (local.get $size))\n"
        "    (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))\n"
        "    (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))\n"
        "    (local.set $size (i32.sub (local.get $size) (i32.load (i32.const 8))))\n"
        "    (br $again)))\n"
        "(func $write (param i32 i32) (call $write_to (i32.const 1) (local.get 0) (local.get 1)))\n"
        "(func $warn (param i32 i32) (call $write_to (i32.const 2) (local.get 0) (local.get 1)))\n"
        "(func $copy\n"
        "  (loop $again\n"
        "    (i32.store (i32.const 0) (i32.const 1024))\n"
        "    (i32.store (i32.const 4) (i32.const 1024))\n"
        "    (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))\n"
        "    (if (i32.eqz (i32.load (i32.const 8))) (then (return)))\n"
        "    (call $write (i32.const 1024) (i32.load (i32.const 8)))\n"
        "    (br $again)))\n"
        "(func $environment\n"
        "  (if (call $env_sizes (i32.const 0) (i32.const 8)) (then unreachable))\n"
        "  (if (call $env_get (i32.const 131072) (i32.const 147456)) (then unreachable))\n"
        "  (call $write (i32.const 147456) (i32.load (i32.const 8))))\n"
        "(func $arguments\n"
        "  (if (call $args_sizes (i32.const 0) (i32.const 8)) (then unreachable))\n"
        "  (if (call $args_get (i32.const 131072) (i32.const 147456)) (then unreachable))\n"
        "  (call $write (i32.const 147456) (i32.load (i32.const 8))))\n"
        "(func $sleep (param $milliseconds i64)\n"
        "  (i32.store (i32.const 32) (i32.const 1))\n" /* the monotonic clock */
        "  (i64.store (i32.const 40) (i64.mul (local.get $milliseconds) (i64.const 1000000)))\n"
        "  (if (call $poll (i32.const 16) (i32.const 64) (i32.const 1) (i32.const 8)) (then "
        "unreachable)))\n" COMMON_FUNCTIONS "(func (export \"_start\")\n%s)\n%s)\n",
        code.bytes != NULL ? code.bytes : "", data.bytes != NULL ? data.bytes : "");
    wasm_byte_vec_t wasm = assemble(&wat);
    free(data.bytes);
    free(code.bytes);
    free(wat.bytes);
    return wasm;
}

/*
 * The interfaces that a component imports here: the part of wasi:http and wasi:io that its steps need, as
 * wasi-http's own WIT (0.2.0) has them.
 */
#define COMPONENT_IMPORTS                                                                                              \
    "(import \"wasi:io/error@0.2.0\" (instance $error (export \"error\" (type (sub resource)))))\n"                    \
    "(alias export $error \"error\" (type $io_error))\n"                                                               \
    "(import \"wasi:io/poll@0.2.0\" (instance $poll\n"                                                                 \
    "  (export \"pollable\" (type $pollable (sub resource)))\n"                                                        \
    "  (export \"[method]pollable.block\" (func (param \"self\" (borrow $pollable))))))\n"                             \
    "(alias export $poll \"pollable\" (type $pollable))\n"                                                             \
    "(import \"wasi:clocks/monotonic-clock@0.2.0\" (instance $clock\n"                                                 \
    "  (alias outer 1 $pollable (type $outer_pollable))\n"                                                             \
    "  (export \"pollable\" (type $pollable (eq $outer_pollable)))\n"                                                  \
    "  (export \"subscribe-duration\" (func (param \"when\" u64) (result (own $pollable))))))\n"                       \
    "(import \"wasi:io/streams@0.2.0\" (instance $streams\n"                                                           \
    "  (alias outer 1 $io_error (type $outer_error))\n"                                                                \
    "  (export \"error\" (type $error (eq $outer_error)))\n"                                                           \
    "  (type $stream_error_type (variant (case \"last-operation-failed\" (own $error)) (case \"closed\")))\n"          \
    "  (export \"stream-error\" (type $stream_error (eq $stream_error_type)))\n"                                       \
    "  (export \"output-stream\" (type $output (sub resource)))\n"                                                     \
    "  (export \"[method]output-stream.blocking-write-and-flush\" (func (param \"self\" (borrow $output))\n"           \
    "    (param \"contents\" (list u8)) (result (result (error $stream_error)))))))\n"                                 \
    "(alias export $streams \"output-stream\" (type $output))\n"                                                       \
    "(import \"wasi:cli/stderr@0.2.0\" (instance $stderr\n"                                                            \
    "  (alias outer 1 $output (type $outer_output))\n"                                                                 \
    "  (export \"output-stream\" (type $output (eq $outer_output)))\n"                                                 \
    "  (export \"get-stderr\" (func (result (own $output))))))\n"                                                      \
    "(import \"wasi:cli/exit@0.2.0\" (instance $exit (export \"exit\" (func (param \"status\" (result))))))\n"         \
    "(import \"wasi:http/types@0.2.0\" (instance $types\n"                                                             \
    "  (alias outer 1 $output (type $outer_output))\n"                                                                 \
    "  (export \"output-stream\" (type $output (eq $outer_output)))\n"                                                 \
    "  (export \"incoming-request\" (type (sub resource)))\n"                                                          \
    "  (export \"response-outparam\" (type $outparam (sub resource)))\n"                                               \
    "  (export \"outgoing-response\" (type $response (sub resource)))\n"                                               \
    "  (export \"outgoing-body\" (type $body (sub resource)))\n"                                                       \
    "  (export \"fields\" (type $fields (sub resource)))\n"                                                            \
    "  (export \"headers\" (type $headers (eq $fields)))\n"                                                            \
    "  (export \"trailers\" (type $trailers (eq $fields)))\n"                                                          \
    "  (type $header_error_type (variant (case \"invalid-syntax\") (case \"forbidden\") (case \"immutable\")))\n"      \
    "  (export \"header-error\" (type $header_error (eq $header_error_type)))\n"                                       \
    "  (type $dns_type (record (field \"rcode\" (option string)) (field \"info-code\" (option u16))))\n"               \
    "  (export \"DNS-error-payload\" (type $dns (eq $dns_type)))\n"                                                    \
    "  (type $tls_type (record (field \"alert-id\" (option u8)) (field \"alert-message\" (option string))))\n"         \
    "  (export \"TLS-alert-received-payload\" (type $tls (eq $tls_type)))\n"                                           \
    "  (type $size_type (record (field \"field-name\" (option string)) (field \"field-size\" (option u32))))\n"        \
    "  (export \"field-size-payload\" (type $size (eq $size_type)))\n"                                                 \
    "  (type $code_type (variant (case \"DNS-timeout\") (case \"DNS-error\" $dns) (case \"destination-not-found\")\n"  \
    "    (case \"destination-unavailable\") (case \"destination-IP-prohibited\") (case "                               \
    "\"destination-IP-unroutable\")\n"                                                                                 \
    "    (case \"connection-refused\") (case \"connection-terminated\") (case \"connection-timeout\")\n"               \
    "    (case \"connection-read-timeout\") (case \"connection-write-timeout\") (case \"connection-limit-reached\")\n" \
    "    (case \"TLS-protocol-error\") (case \"TLS-certificate-error\") (case \"TLS-alert-received\" $tls)\n"          \
    "    (case \"HTTP-request-denied\") (case \"HTTP-request-length-required\")\n"                                     \
    "    (case \"HTTP-request-body-size\" (option u64)) (case \"HTTP-request-method-invalid\")\n"                      \
    "    (case \"HTTP-request-URI-invalid\") (case \"HTTP-request-URI-too-long\")\n"                                   \
    "    (case \"HTTP-request-header-section-size\" (option u32)) (case \"HTTP-request-header-size\" (option "         \
    "$size))\n"                                                                                                        \
    "    (case \"HTTP-request-trailer-section-size\" (option u32)) (case \"HTTP-request-trailer-size\" $size)\n"       \
    "    (case \"HTTP-response-incomplete\") (case \"HTTP-response-header-section-size\" (option u32))\n"              \
    "    (case \"HTTP-response-header-size\" $size) (case \"HTTP-response-body-size\" (option u64))\n"                 \
    "    (case \"HTTP-response-trailer-section-size\" (option u32)) (case \"HTTP-response-trailer-size\" $size)\n"     \
    "    (case \"HTTP-response-transfer-coding\" (option string)) (case \"HTTP-response-content-coding\" (option "     \
    "string))\n"                                                                                                       \
    "    (case \"HTTP-response-timeout\") (case \"HTTP-upgrade-failed\") (case \"HTTP-protocol-error\")\n"             \
    "    (case \"loop-detected\") (case \"configuration-error\") (case \"internal-error\" (option string))))\n"        \
    "  (export \"error-code\" (type $code (eq $code_type)))\n"                                                         \
    "  (export \"[constructor]fields\" (func (result (own $fields))))\n"                                               \
    "  (export \"[method]fields.append\" (func (param \"self\" (borrow $fields)) (param \"name\" string)\n"            \
    "    (param \"value\" (list u8)) (result (result (error $header_error)))))\n"                                      \
    "  (export \"[constructor]outgoing-response\" (func (param \"headers\" (own $headers)) (result (own "              \
    "$response))))\n"                                                                                                  \
    "  (export \"[method]outgoing-response.set-status-code\" (func (param \"self\" (borrow $response))\n"              \
    "    (param \"status-code\" u16) (result (result))))\n"                                                            \
    "  (export \"[method]outgoing-response.body\" (func (param \"self\" (borrow $response))\n"                         \
    "    (result (result (own $body)))))\n"                                                                            \
    "  (export \"[method]outgoing-body.write\" (func (param \"self\" (borrow $body)) (result (result (own "            \
    "$output)))))\n"                                                                                                   \
    "  (export \"[static]outgoing-body.finish\" (func (param \"this\" (own $body))\n"                                  \
    "    (param \"trailers\" (option (own $trailers))) (result (result (error $code)))))\n"                            \
    "  (export \"[static]response-outparam.set\" (func (param \"param\" (own $outparam))\n"                            \
    "    (param \"response\" (result (own $response) (error $code)))))\n"                                              \
    "))\n"                                                                                                             \
    "(alias export $types \"incoming-request\" (type $request))\n"                                                     \
    "(alias export $types \"response-outparam\" (type $outparam))\n"

/* The imports lowered into core functions; $memory holds their memory and allocator. */
#define COMPONENT_LOWERED                                                                                              \
    "(core module $memory_module (memory (export \"memory\") 4)\n"                                                     \
    "  (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))\n"                          \
    "(core instance $memory (instantiate $memory_module))\n"                                                           \
    "(alias core export $memory \"memory\" (core memory $mem))\n"                                                      \
    "(alias core export $memory \"realloc\" (core func $realloc))\n"                                                   \
    "(core func $block (canon lower (func $poll \"[method]pollable.block\")))\n"                                       \
    "(core func $after (canon lower (func $clock \"subscribe-duration\")))\n"                                          \
    "(core func $get_stderr (canon lower (func $stderr \"get-stderr\")))\n"                                            \
    "(core func $exit (canon lower (func $exit \"exit\")))\n"                                                          \
    "(core func $stream_write (canon lower (func $streams \"[method]output-stream.blocking-write-and-flush\")\n"       \
    "  (memory $mem) (realloc $realloc)))\n"                                                                           \
    "(core func $stream_drop (canon resource.drop $output))\n"                                                         \
    "(core func $fields (canon lower (func $types \"[constructor]fields\")))\n"                                        \
    "(core func $append (canon lower (func $types \"[method]fields.append\") (memory $mem) (realloc $realloc)))\n"     \
    "(core func $new_response (canon lower (func $types \"[constructor]outgoing-response\")))\n"                       \
    "(core func $set_status (canon lower (func $types \"[method]outgoing-response.set-status-code\")))\n"              \
    "(core func $response_body (canon lower (func $types \"[method]outgoing-response.body\") (memory $mem)))\n"        \
    "(core func $body_write (canon lower (func $types \"[method]outgoing-body.write\") (memory $mem)))\n"              \
    "(core func $body_finish (canon lower (func $types \"[static]outgoing-body.finish\") (memory $mem)\n"              \
    "  (realloc $realloc)))\n"                                                                                         \
    "(core func $outparam_set (canon lower (func $types \"[static]response-outparam.set\") (memory $mem)\n"            \
    "  (realloc $realloc)))\n"

/* The guest's own functions. 0 to 63: results; 64: whether a response has been set. */
#define COMPONENT_MODULE_BEGIN                                                                                         \
    "(core module $main\n"                                                                                             \
    "(import \"host\" \"memory\" (memory 4))\n"                                                                        \
    "(import \"host\" \"block\" (func $block (param i32)))\n"                                                          \
    "(import \"host\" \"after\" (func $after (param i64) (result i32)))\n"                                             \
    "(import \"host\" \"get-stderr\" (func $get_stderr (result i32)))\n"                                               \
    "(import \"host\" \"exit\" (func $exit (param i32)))\n"                                                            \
    "(import \"host\" \"stream-write\" (func $stream_write (param i32 i32 i32 i32)))\n"                                \
    "(import \"host\" \"stream-drop\" (func $stream_drop (param i32)))\n"                                              \
    "(import \"host\" \"fields\" (func $fields (result i32)))\n"                                                       \
    "(import \"host\" \"append\" (func $append (param i32 i32 i32 i32 i32 i32)))\n"                                    \
    "(import \"host\" \"new-response\" (func $new_response (param i32) (result i32)))\n"                               \
    "(import \"host\" \"set-status\" (func $set_status (param i32 i32) (result i32)))\n"                               \
    "(import \"host\" \"response-body\" (func $response_body (param i32 i32)))\n"                                      \
    "(import \"host\" \"body-write\" (func $body_write (param i32 i32)))\n"                                            \
    "(import \"host\" \"body-finish\" (func $body_finish (param i32 i32 i32 i32)))\n"                                  \
    "(import \"host\" \"outparam-set\" (func $outparam_set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))\n"            \
    "(global $outparam (mut i32) (i32.const 0))\n"                                                                     \
    "(global $headers (mut i32) (i32.const -1))\n"                                                                     \
    "(global $body (mut i32) (i32.const 0))\n"                                                                         \
    "(global $stream (mut i32) (i32.const 0))\n"                                                                       \
    "(func $must (if (i32.load8_u (i32.const 0)) (then unreachable)))\n"                                               \
    "(func $header (param i32 i32 i32 i32)\n"                                                                          \
    "  (if (i32.eq (global.get $headers) (i32.const -1)) (then (global.set $headers (call $fields))))\n"               \
    "  (call $append (global.get $headers) (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 0))\n"   \
    "  (call $must))\n"                                                                                                \
    "(func $respond (param $status i32) (local $response i32)\n"                                                       \
    "  (if (i32.eq (global.get $headers) (i32.const -1)) (then (global.set $headers (call $fields))))\n"               \
    "  (local.set $response (call $new_response (global.get $headers)))\n"                                             \
    "  (if (call $set_status (local.get $response) (local.get $status)) (then unreachable))\n"                         \
    "  (call $response_body (local.get $response) (i32.const 0))\n"                                                    \
    "  (call $must)\n"                                                                                                 \
    "  (global.set $body (i32.load (i32.const 4)))\n"                                                                  \
    "  (call $outparam_set (global.get $outparam) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0)\n"   \
    "    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))\n"                                                   \
    "  (call $body_write (global.get $body) (i32.const 0))\n"                                                          \
    "  (call $must)\n"                                                                                                 \
    "  (global.set $stream (i32.load (i32.const 4))))\n"                                                               \
    "(func $write_to (param $stream i32) (param $at i32) (param $size i32) (local $piece i32)\n"                       \
    "  (loop $again\n"                                                                                                 \
    "    (if (i32.eqz (local.get $size)) (then (return)))\n"                                                           \
    "    (local.set $piece (select (local.get $size) (i32.const 4096)\n"                                               \
    "      (i32.lt_u (local.get $size) (i32.const 4096))))\n"                                                          \
    "    (call $stream_write (local.get $stream) (local.get $at) (local.get $piece) (i32.const 0))\n"                  \
    "    (call $must)\n"                                                                                               \
    "    (local.set $at (i32.add (local.get $at) (local.get $piece)))\n"                                               \
    "    (local.set $size (i32.sub (local.get $size) (local.get $piece)))\n"                                           \
    "    (br $again)))\n"                                                                                              \
    "(func $write (param i32 i32) (call $write_to (global.get $stream) (local.get 0) (local.get 1)))\n"                \
    "(func $warn (param i32 i32) (call $write_to (call $get_stderr) (local.get 0) (local.get 1)))\n"                   \
    "(func $finish\n"                                                                                                  \
    "  (call $stream_drop (global.get $stream))\n"                                                                     \
    "  (call $body_finish (global.get $body) (i32.const 0) (i32.const 0) (i32.const 0))\n"                             \
    "  (call $must))\n"                                                                                                \
    "(func $sleep (param i64) (call $block (call $after (i64.mul (local.get 0) (i64.const 1000000)))))\n"

#define COMPONENT_END                                                                                                  \
    "(core instance $main (instantiate $main (with \"host\" (instance\n"                                               \
    "  (export \"memory\" (memory $mem)) (export \"block\" (func $block)) (export \"after\" (func $after))\n"          \
    "  (export \"get-stderr\" (func $get_stderr)) (export \"exit\" (func $exit))\n"                                    \
    "  (export \"stream-write\" (func $stream_write)) (export \"stream-drop\" (func $stream_drop))\n"                  \
    "  (export \"fields\" (func $fields)) (export \"append\" (func $append))\n"                                        \
    "  (export \"new-response\" (func $new_response)) (export \"set-status\" (func $set_status))\n"                    \
    "  (export \"response-body\" (func $response_body)) (export \"body-write\" (func $body_write))\n"                  \
    "  (export \"body-finish\" (func $body_finish)) (export \"outparam-set\" (func $outparam_set))))))\n"              \
    "(func $handle (param \"request\" (own $request)) (param \"response-out\" (own $outparam))\n"                      \
    "  (canon lift (core func $main \"handle\")))\n"                                                                   \
    "(instance $handler (export \"handle\" (func $handle)))\n"                                                         \
    "(export \"wasi:http/incoming-handler@0.2.0\" (instance $handler))\n"

/* A wasi:http component that does the steps. */
static inline wasm_byte_vec_t component_of(const step_t *steps)
{
    text_t data = {0};
    text_t code = {0};
    text_t wat = {0};
    translate(steps, &data, &code);
    text_format(&wat,
        "(component\n" COMPONENT_IMPORTS COMPONENT_LOWERED COMPONENT_MODULE_BEGIN COMMON_FUNCTIONS
        "(func (export \"handle\") (param i32 i32) (global.set $outparam (local.get 1))\n%s)\n%s)\n" COMPONENT_END
        ")\n",
        code.bytes != NULL ? code.bytes : "", data.bytes != NULL ? data.bytes : "");
    wasm_byte_vec_t wasm = assemble(&wat);
    free(data.bytes);
    free(code.bytes);
    free(wat.bytes);
    return wasm;
}

#endif
