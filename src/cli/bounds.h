/*
 * bounds.h: the server's bounds that follow from what the process may use.
 */
#ifndef WEIR_CLI_BOUNDS_H
#define WEIR_CLI_BOUNDS_H

#include <stdint.h>

/*
 * How many connections to hold at once, from the number of descriptors that may be open and the size of the address
 * space; UINT64_MAX is unlimited. At least 16, at most 4,096.
 */
uint32_t weir_bounds_connections(uint64_t descriptors, uint64_t address_space);

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

#endif
