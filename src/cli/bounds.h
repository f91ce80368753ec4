/*
 * bounds.h: the server's bounds that follow from what the process may use.
 */
#ifndef WEIR_CLI_BOUNDS_H
#define WEIR_CLI_BOUNDS_H

#include "allocator/tasks.h"
#include "weir/allocator.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What connections need of; UINT64_MAX is unlimited. */
typedef struct weir_bounds_room {
    uint64_t descriptors;   /* that may be open */
    uint64_t address_space; /* bytes */
    uint64_t memory;        /* bytes */
} weir_bounds_room_t;

/*
 * How many connections to hold at once: with three quarters of the descriptors; in a sixteenth of the address space,
 * each with all that it may hold; in an eighth of the memory while they are idle. Those with TLS hold more. At
 * least 16, at most 1,000,000.
 */
uint32_t weir_bounds_connections(const weir_bounds_room_t *room, bool tls);

/*
 * How many connections the requests of guests may have at once, where nobody says otherwise, from the number of
 * descriptors that may be open: an eighth of it. At least 16, at most 4,096.
 */
uint32_t weir_bounds_outbound(uint64_t descriptors);

/*
 * The fewest descriptors that a server with so many loops can do with. With fewer it might start, and then find none
 * for a connection or for an instance's memory.
 */
uint64_t weir_bounds_descriptors(unsigned loops);

/*
 * The processes and threads of a server with so many loops, its first process included: of them are its trial server,
 * the thread that drives timers, and so many `writers`: threads that write logs.
 */
unsigned weir_bounds_tasks(unsigned loops, unsigned writers);

/* What a server is to be, and what of it there is already. */
typedef struct weir_bounds_wish {
    bool tls;
    uint64_t connections; /* that are asked for; 0: as many as is reasonable */
    unsigned writers;     /* threads that write logs to files, and tell others of requests */
    bool trial_server;    /* runs already */
    bool thorough;        /* take the time to count what the user has running, however high the limit on that */
} weir_bounds_wish_t;

/* What a server has in this process. */
typedef struct weir_bounds {
    unsigned loops; /* one for each processor that this process may use */
    weir_bounds_room_t room;
    bool tls;
    uint64_t fewest_descriptors; /* with which it can serve */
    uint32_t connections;        /* that it holds at once */
    weir_tasks_t tasks;          /* limits on processes and threads, and how many there are besides its own */
    unsigned fewest_tasks;       /* processes and threads with which it can serve */
    unsigned tasks_had;          /* of them, where so many were started and no more could be; else `fewest_tasks` */
} weir_bounds_t;

/*
 * Raise the soft limits on open files and on the size of files as far as is of use, within the hard ones, and read what
 * there is then for a server. Where a limit on processes may be too low and nothing tells how many there are, a child
 * process starts as many as are needed; so this process has one thread.
 */
void weir_bounds_take(const weir_bounds_wish_t *wish, weir_bounds_t *ret_bounds);

/*
 * Have no more connections than the machine and its control group have memory for; where the machine's is not known, no
 * more than for 256 MiB.
 */
void weir_bounds_fit_memory(const weir_facts_t *facts, weir_bounds_t *bounds);

/* Whether a server can be had with that. */
bool weir_bounds_suffice(const weir_bounds_t *bounds);

enum { WEIR_BOUNDS_TEXT = 512 }; /* that a line on it fits, in any language */

/* Why not, and the remedy, in a line: returns `buffer`. "" when it can. */
const char *weir_bounds_refusal(const weir_bounds_t *bounds, char *buffer, size_t size);

/* The remedy alone, a sentence; "" when there is nothing to remedy. Constant. */
const char *weir_bounds_remedy(const weir_bounds_t *bounds);

/* Whether the limit on open files is what is too low. */
bool weir_bounds_lack_descriptors(const weir_bounds_t *bounds);

/* Whether a limit on processes is: that of this user's (RLIMIT_NPROC), that of the control group (pids.max), or one of
 * them that could not be told. */
bool weir_bounds_lack_tasks(const weir_bounds_t *bounds);

#endif
