/*
 * bounds.h: the server's bounds that follow from what the process may use.
 */
#ifndef WEIR_CLI_BOUNDS_H
#define WEIR_CLI_BOUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How many connections to hold at once, from the number of descriptors that may be open and the size of the address
 * space; UINT64_MAX is unlimited. Those with TLS hold more. At least 16, at most 4,096.
 */
uint32_t weir_bounds_connections(uint64_t descriptors, uint64_t address_space, bool tls);

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

/* What a server has in this process. */
typedef struct weir_bounds {
    unsigned loops;              /* one for each processor that this process may use */
    uint64_t descriptors;        /* that may be open */
    uint64_t fewest_descriptors; /* with which it can serve */
    uint32_t connections;        /* that it holds at once */
} weir_bounds_t;

/* Raise the soft limit on open files as far as is of use, within the hard one, and read what there is then, for a
 * server with TLS or without. */
void weir_bounds_take(bool tls, weir_bounds_t *ret_bounds);

/* Whether a server can be had with that. */
bool weir_bounds_suffice(const weir_bounds_t *bounds);

enum { WEIR_BOUNDS_TEXT = 512 }; /* that a line on it fits, in any language */

/* Why not, and the remedy, in a line: returns `buffer`. "" when it can. */
const char *weir_bounds_refusal(const weir_bounds_t *bounds, char *buffer, size_t size);

#endif
