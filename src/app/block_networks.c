/*
 * block_networks.c: the networks that are not globally reachable, as tables, and those that the operator names.
 */
#include "app/block_networks.h"

#include "app/network.h"
#include "app/text.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* What Spin's "private" means: ip_network's Ipv4Network::is_global and Ipv6Network::is_global, turned round, with the
 * networks of IANA's registries of special-purpose addresses (RFC 6890). */
static const weir_network_t NOT_GLOBAL[] = {
    {{false, {0}}, 8},                      /* this network, RFC 791 */
    {{false, {10}}, 8},                     /* private, RFC 1918 */
    {{false, {100, 64}}, 10},               /* carrier-grade NAT, RFC 6598 */
    {{false, {127}}, 8},                    /* loopback, RFC 1122 */
    {{false, {169, 254}}, 16},              /* link-local, RFC 3927 */
    {{false, {172, 16}}, 12},               /* private */
    {{false, {192, 0, 0}}, 24},             /* protocol assignments, RFC 6890 */
    {{false, {192, 0, 2}}, 24},             /* documentation, RFC 5737 */
    {{false, {192, 168}}, 16},              /* private */
    {{false, {198, 18}}, 15},               /* benchmarking, RFC 2544 */
    {{false, {198, 51, 100}}, 24},          /* documentation */
    {{false, {203, 0, 113}}, 24},           /* documentation */
    {{false, {224, 0, 0}}, 24},             /* multicast on the link, RFC 5771; Spin lets it and the next pass */
    {{false, {239}}, 8},                    /* multicast within an organization, RFC 2365 */
    {{false, {240}}, 4},                    /* reserved and broadcast, RFC 1112 and 919 */
    {{true, {0}}, 128},                     /* unspecified */
    {{true, {[15] = 1}}, 128},              /* loopback */
    {{true, {0x20, 0x01, 0x0D, 0xB8}}, 32}, /* documentation, RFC 3849 */
    {{true, {0xFC}}, 7},                    /* unique local, RFC 4193 */
    {{true, {0xFE, 0x80}}, 10},             /* link-local, RFC 4291 */
    {{true, {0xFE, 0xC0}}, 10},             /* site-local, RFC 3879 */
};

/* Two addresses among the protocol assignments are global: RFC 7723, RFC 8155. */
static const weir_network_t GLOBAL[] = {{{false, {192, 0, 0, 9}}, 32}, {{false, {192, 0, 0, 10}}, 32}};

/* IPv6 networks whose addresses carry one of IPv4, and where: at four bytes. One network may do so in several ways. */
static const struct {
    weir_network_t network;
    uint8_t at[4];
    uint8_t flip;       /* each byte is stored combined with this one by exclusive or */
    uint8_t zeros_from; /* only where all bytes from this one on are 0; 16: everywhere */
} CARRIERS[] = {
    {{{true, {0}}, 96}, {12, 13, 14, 15}, 0, 16},                                  /* compatible, RFC 4291 */
    {{{true, {[10] = 0xFF, 0xFF}}, 96}, {12, 13, 14, 15}, 0, 16},                  /* mapped, RFC 4291 */
    {{{true, {[8] = 0xFF, 0xFF}}, 96}, {12, 13, 14, 15}, 0, 16},                   /* translated, RFC 2765 */
    {{{true, {0x00, 0x64, 0xFF, 0x9B}}, 96}, {12, 13, 14, 15}, 0, 16},             /* NAT64, RFC 6052 */
    {{{true, {0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01}}, 48}, {12, 13, 14, 15}, 0, 16}, /* NAT64 of one's own, RFC 8215: */
    {{{true, {0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01}}, 48}, {9, 10, 11, 12}, 0, 13},  /* with prefixes of 96, 64, 56 and */
    {{{true, {0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01}}, 48}, {7, 9, 10, 11}, 0, 12},   /* 48 bits (RFC 6052, section 2.2) */
    {{{true, {0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01}}, 48}, {6, 7, 9, 10}, 0, 11},
    {{{true, {0x20, 0x02}}, 16}, {2, 3, 4, 5}, 0, 16},                    /* 6to4, RFC 3056 */
    {{{true, {0x20, 0x01, 0x00, 0x00}}, 32}, {12, 13, 14, 15}, 0xFF, 16}, /* Teredo, RFC 4380 */
};

bool weir_block_networks_parse(
    const char *const *texts, size_t text_count, weir_block_networks_t *ret_networks, char **ret_message)
{
    weir_block_networks_t networks = {0};
    weir_text_t message = {0};
    if (text_count > WEIR_BLOCK_NETWORKS_MAX) {
        weir_text_format(
            &message, "%zu networks are to be blocked; the most is %d", text_count, (int)WEIR_BLOCK_NETWORKS_MAX);
        *ret_message = weir_text_take(&message);
        return false;
    }
    if (text_count > 0) {
        networks.networks = calloc(text_count, sizeof *networks.networks);
        if (networks.networks == NULL) {
            *ret_message = NULL;
            return false;
        }
    }
    for (size_t i = 0; i < text_count; i++) {
        if (strcmp(texts[i], "private") == 0) {
            networks.block_private = true;
        } else if (weir_network_parse(texts[i], strlen(texts[i]), &networks.networks[networks.count])) {
            networks.count++;
        } else {
            weir_text_format(&message,
                "%s is no network to block; write \"private\", or a network as \"10.0.0.0/8\" (one address: "
                "\"192.0.2.1/32\")",
                weir_quote(texts[i]).text);
            *ret_message = weir_text_take(&message);
            weir_block_networks_free(&networks);
            return false;
        }
    }
    *ret_networks = networks;
    return true;
}

void weir_block_networks_free(weir_block_networks_t *networks)
{
    free(networks->networks);
    *networks = (weir_block_networks_t){0};
}

static bool is_in(const weir_network_t *networks, size_t count, const weir_ip_address_t *address)
{
    for (size_t i = 0; i < count; i++)
        if (weir_network_contains(&networks[i], address))
            return true;
    return false;
}

static bool is_global(const weir_ip_address_t *address)
{
    if (address->is_ipv6 && address->bytes[0] == 0xFF)
        return (address->bytes[1] & 0x0F) == 0x0E; /* multicast of global scope, RFC 4291 */
    return is_in(GLOBAL, sizeof GLOBAL / sizeof GLOBAL[0], address) ||
           !is_in(NOT_GLOBAL, sizeof NOT_GLOBAL / sizeof NOT_GLOBAL[0], address);
}

static bool blocks(const weir_block_networks_t *networks, const weir_ip_address_t *address)
{
    return (networks->block_private && !is_global(address)) || is_in(networks->networks, networks->count, address);
}

bool weir_block_networks_blocks(const weir_block_networks_t *networks, const struct sockaddr *address, socklen_t size)
{
    if (!networks->block_private && networks->count == 0)
        return false;
    weir_ip_address_t wanted = {0};
    if (address->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, address, sizeof ipv4);
        memcpy(wanted.bytes, &ipv4.sin_addr, 4);
        return blocks(networks, &wanted);
    }
    if (address->sa_family != AF_INET6 || size < sizeof(struct sockaddr_in6))
        return true;
    struct sockaddr_in6 ipv6;
    memcpy(&ipv6, address, sizeof ipv6);
    wanted.is_ipv6 = true;
    memcpy(wanted.bytes, &ipv6.sin6_addr, 16);
    if (blocks(networks, &wanted))
        return true;
    for (size_t i = 0; i < sizeof CARRIERS / sizeof CARRIERS[0]; i++) {
        weir_ip_address_t carried = {0};
        if (!weir_network_contains(&CARRIERS[i].network, &wanted))
            continue;
        bool carries = true;
        for (size_t j = CARRIERS[i].zeros_from; j < sizeof wanted.bytes; j++)
            carries = carries && wanted.bytes[j] == 0;
        for (size_t j = 0; j < 4; j++)
            carried.bytes[j] = wanted.bytes[CARRIERS[i].at[j]] ^ CARRIERS[i].flip;
        if (carries && blocks(networks, &carried))
            return true;
    }
    return false;
}
