/*
 * board.h: what is told of the application, the allocator and the limits: put there by whoever decides it, and read by
 * the admin thread. Everything is copied. Any thread.
 */
#ifndef WEIR_ADMIN_BOARD_H
#define WEIR_ADMIN_BOARD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEIR_BOARD_HISTORY = 32, /* changes of the allocator that are remembered: the last ones */
    WEIR_BOARD_LIMITS = 40,
    WEIR_BOARD_COMPONENT_LIMITS = 8,
    WEIR_BOARD_NAME_BYTES = 48,
};

typedef struct weir_board_route {
    const char *route;
    const char *component; /* or NULL: the server answers */
    const char *kind;      /* "http", "wagi" or "static" */
} weir_board_route_t;

/* A limit that is in force; its name is in lower case with underscores, and ends in its unit, if it has one. */
typedef struct weir_board_limit {
    char name[WEIR_BOARD_NAME_BYTES];
    double value; /* below 0: there is none */
} weir_board_limit_t;

typedef struct weir_board_component {
    const char *id;
    bool apart; /* it is placed in the engine apart */
    weir_board_limit_t limits[WEIR_BOARD_COMPONENT_LIMITS];
    size_t limit_count;
} weir_board_component_t;

/* NULL: there is none. */
typedef struct weir_board_application {
    const char *name;
    const char *version;
    const char *description;
    const char *manifest; /* its path */
    const weir_board_route_t *routes;
    size_t route_count;
    const weir_board_component_t *components;
    size_t component_count;
} weir_board_application_t;

/* A rung; its words are constant. */
typedef struct weir_board_rung {
    const char *tier;
    uint32_t slots;
    uint64_t slot_bytes;
    uint64_t guard_bytes;
    uint64_t keep_resident_bytes; /* of a memory */
    uint64_t table_keep_resident_bytes;
    uint64_t stack_keep_resident_bytes;
    uint64_t stack_bytes;
    uint32_t warm_slots;
    uint32_t decommit_batch;
    bool huge_pages_off;
    bool pagemap_scan;
    bool pulley;
    uint64_t reserved_bytes; /* of address space, in full */
} weir_board_rung_t;

typedef struct weir_board_allocator {
    weir_board_rung_t rung;
    bool has_apart; /* some components have an engine of their own: */
    weir_board_rung_t apart;
    const char *strategy; /* that was asked for; constant */
    const char *summary;
    const char *notice; /* "": nothing has to be said */
    const char *reason;
    const char *advice; /* or "" */
    bool reduced;       /* less than would have been wanted */
} weir_board_allocator_t;

/* What the process has given up: docs/security.md. */
typedef struct weir_board_sandbox {
    bool enabled; /* it was asked for */
    bool no_new_privs;
    bool seccomp;
    unsigned landlock; /* the version of it that is in force; 0: none */
} weir_board_sandbox_t;

/* The last reload, of all that is read anew. */
typedef struct weir_board_reload {
    int64_t at;  /* seconds since 1970; 0: there was none yet */
    char *error; /* own: why it was refused; NULL: it was not */
    bool refused;
    int64_t done_at; /* when the last one was that was not refused; 0: none yet */
} weir_board_reload_t;

/* What was kept: own copies. */
typedef struct weir_board_change {
    int64_t at; /* seconds since 1970 */
    char *from;
    char *to;
    char *cause;
} weir_board_change_t;

typedef struct weir_board {
    pthread_mutex_t lock;                  /* guards what follows */
    weir_board_application_t *application; /* own, with all that it points to; NULL: nothing was told yet */
    weir_board_allocator_t *allocator;
    weir_board_change_t history[WEIR_BOARD_HISTORY]; /* the newest last */
    size_t history_count;
    weir_board_limit_t limits[WEIR_BOARD_LIMITS];
    size_t limit_count;
    weir_board_sandbox_t sandbox;
    weir_board_reload_t reload;
    int64_t certificate_not_after; /* seconds since 1970; 0: there is none, or that is unknown */
} weir_board_t;

/* Prepare a board, and free what it has. */
void weir_board_init(weir_board_t *board);
void weir_board_destroy(weir_board_t *board);

/* Tell of the application, or of the allocator, in place of what was told. Where memory ran out that stays as it was,
 * and false is returned. */
bool weir_board_tell_application(weir_board_t *board, const weir_board_application_t *application);
bool weir_board_tell_allocator(weir_board_t *board, const weir_board_allocator_t *allocator);

/* The allocator was changed while weir serves: from what to what, and why. False: memory ran out. */
bool weir_board_note_change(weir_board_t *board, const char *from, const char *to, const char *cause);

/* Until when the certificate in use is valid, in seconds since 1970; 0: unknown. */
void weir_board_tell_certificate(weir_board_t *board, int64_t not_after);

/* A reload is over; `error`: why all, or a part of it, was refused; NULL: nothing was. */
void weir_board_note_reload(weir_board_t *board, const char *error);

/* Tell of a limit, in place of what was told of the one with this name; a longer name, or one more than there is room
 * for, is left out. */
void weir_board_tell_limit(weir_board_t *board, const char *name, double value);

/* Tell of the sandbox, in place of what was told. */
void weir_board_tell_sandbox(weir_board_t *board, const weir_board_sandbox_t *sandbox);

#endif
