/*
 * address.h: the addresses that a server can be told to listen on.
 */
#ifndef WEIR_SERVE_ADDRESS_H
#define WEIR_SERVE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

typedef struct weir_address {
    struct sockaddr_storage socket;
    socklen_t size;
} weir_address_t;

/*
 * Parse "IPv4:port", "[IPv6]:port" or "localhost:port" (any case). Asks no name service. Returns how many addresses the
 * text stands for, in the order in which they should be tried (2 for localhost: IPv4 first, as Spin has it), and 0 when
 * it is none. Pure.
 */
size_t weir_address_parse(const char *text, weir_address_t ret_addresses[2]);

/* Whether what makes a text no address is a port of digits alone that is more than 65535. Pure. */
bool weir_address_has_high_port(const char *text);

#endif
