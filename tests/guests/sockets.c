/*
 * Uses a TCP socket as the query says: "connect&A.B.C.D&PORT" answers "got TEXT" with the first that comes from there;
 * "bind&A.B.C.D&PORT" answers "bound"; "resolve&NAME" looks a name up, and answers "found". Else "STEP: error N", with
 * the number of WASI's error code.
 */
#include "sockets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef wasi_sockets_tcp_borrow_tcp_socket_t socket_t;
typedef wasi_sockets_network_error_code_t error_t;

static bool fail(const char *step, error_t error)
{
    printf("%s: error %d\n", step, (int)error);
    return false;
}

static bool connect_to(
    socket_t socket, wasi_sockets_tcp_borrow_network_t network, wasi_sockets_network_ip_socket_address_t *address)
{
    error_t error;
    wasi_sockets_tcp_tuple2_own_input_stream_own_output_stream_t streams;
    if (!wasi_sockets_tcp_method_tcp_socket_start_connect(socket, network, address, &error))
        return fail("start-connect", error);
    wasi_io_poll_own_pollable_t pollable = wasi_sockets_tcp_method_tcp_socket_subscribe(socket);
    bool connected;
    do {
        wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(pollable));
        connected = wasi_sockets_tcp_method_tcp_socket_finish_connect(socket, &streams, &error);
    } while (!connected && error == WASI_SOCKETS_NETWORK_ERROR_CODE_WOULD_BLOCK);
    wasi_io_poll_pollable_drop_own(pollable);
    if (!connected)
        return fail("finish-connect", error);
    sockets_list_u8_t text;
    wasi_io_streams_stream_error_t closed;
    if (wasi_io_streams_method_input_stream_blocking_read(
            wasi_io_streams_borrow_input_stream(streams.f0), 100, &text, &closed))
        printf("got %.*s\n", (int)text.len, (const char *)text.ptr);
    else
        printf("closed\n");
    return true;
}

static void resolve(char *name)
{
    error_t error;
    wasi_sockets_ip_name_lookup_own_resolve_address_stream_t own;
    wasi_sockets_ip_name_lookup_option_ip_address_t address;
    sockets_string_t text = {(uint8_t *)name, strlen(name)};
    wasi_sockets_tcp_borrow_network_t network =
        wasi_sockets_network_borrow_network(wasi_sockets_instance_network_instance_network());
    if (!wasi_sockets_ip_name_lookup_resolve_addresses(network, &text, &own, &error)) {
        fail("resolve-addresses", error);
        return;
    }
    wasi_sockets_ip_name_lookup_borrow_resolve_address_stream_t stream =
        wasi_sockets_ip_name_lookup_borrow_resolve_address_stream(own);
    wasi_io_poll_own_pollable_t pollable = wasi_sockets_ip_name_lookup_method_resolve_address_stream_subscribe(stream);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(pollable));
    if (wasi_sockets_ip_name_lookup_method_resolve_address_stream_resolve_next_address(stream, &address, &error))
        printf("found\n");
    else
        fail("resolve-next-address", error);
}

bool exports_wasi_cli_run_run(void)
{
    unsigned address[4], port;
    char what[8];
    char *query = getenv("QUERY_STRING");
    printf("content-type: text/plain\n\n");
    if (strncmp(query, "resolve&", 8) == 0)
        resolve(query + 8);
    if (sscanf(query, "%7[a-z]&%u.%u.%u.%u&%u", what, &address[0], &address[1], &address[2], &address[3], &port) == 6) {
        wasi_sockets_network_ip_socket_address_t to = {.tag = WASI_SOCKETS_NETWORK_IP_ADDRESS_FAMILY_IPV4,
            .val.ipv4 = {.port = (uint16_t)port,
                .address = {(uint8_t)address[0], (uint8_t)address[1], (uint8_t)address[2], (uint8_t)address[3]}}};
        wasi_sockets_tcp_own_tcp_socket_t own;
        error_t error;
        if (!wasi_sockets_tcp_create_socket_create_tcp_socket(to.tag, &own, &error)) {
            fail("create-tcp-socket", error);
        } else {
            wasi_sockets_tcp_borrow_network_t network =
                wasi_sockets_network_borrow_network(wasi_sockets_instance_network_instance_network());
            socket_t socket = wasi_sockets_tcp_borrow_tcp_socket(own);
            if (what[0] == 'c')
                connect_to(socket, network, &to);
            else if (!wasi_sockets_tcp_method_tcp_socket_start_bind(socket, network, &to, &error))
                fail("start-bind", error);
            else
                printf("bound\n");
        }
    }
    fflush(stdout);
    return true;
}
