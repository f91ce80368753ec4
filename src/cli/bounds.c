/*
 * bounds.c: arithmetic on limits.
 */
#include "cli/bounds.h"

enum {
    MOST_CONNECTIONS = 4096,
    FEWEST_CONNECTIONS = 16,
    OTHER_DESCRIPTORS = 64,        /* epolls, standard streams, files that are open for a moment */
    CONNECTION_BYTES = 144 * 1024, /* what a connection may hold of requests and responses, and its record */
    OUTBOUND_PART = 8,             /* of the descriptors, for requests of guests */
    CONNECTIONS_PART = 16,         /* of the address space, for connections */
    FEWEST_DESCRIPTORS = 16,       /* of the process: standard streams, the listener, timers, files that are read */
    LOOP_DESCRIPTORS = 3,          /* an epoll, an eventfd, a file that is opened for a moment */
};

static uint64_t least(uint64_t left, uint64_t right)
{
    return left < right ? left : right;
}

uint32_t weir_bounds_connections(uint64_t descriptors, uint64_t address_space)
{
    /* A quarter is left for what guests open: weir_bounds_outbound. */
    uint64_t by_descriptors = descriptors > OTHER_DESCRIPTORS ? (descriptors - OTHER_DESCRIPTORS) / 4 * 3 : 0;
    uint64_t by_space = address_space / CONNECTIONS_PART / CONNECTION_BYTES;
    uint64_t connections = least(least(by_descriptors, by_space), MOST_CONNECTIONS);
    return connections < FEWEST_CONNECTIONS ? FEWEST_CONNECTIONS : (uint32_t)connections;
}

uint32_t weir_bounds_outbound(uint64_t descriptors)
{
    /* Half of that quarter; the other is for sockets and files. */
    uint64_t connections = least(descriptors / OUTBOUND_PART, MOST_CONNECTIONS);
    return connections < FEWEST_CONNECTIONS ? FEWEST_CONNECTIONS : (uint32_t)connections;
}

uint64_t weir_bounds_descriptors(unsigned loops)
{
    return FEWEST_DESCRIPTORS + (uint64_t)LOOP_DESCRIPTORS * loops + FEWEST_CONNECTIONS;
}
