/*
 * app_outbound_hosts.c: fuzzes entries of allowed_outbound_hosts, hosts that are asked for, and networks to block. The
 * first line of the input is the entry, the second the host, the third the network.
 */
#include "app/block_networks.h"
#include "app/network.h"
#include "app/outbound_hosts.h"
#include "fuzz.h"

#include <netinet/in.h>
#include <stdio.h>

static void check_denial(const weir_manifest_t *manifest, const char *scheme, const char *host)
{
    weir_outbound_denial_t denial;
    memset(&denial, 'x', sizeof denial);
    weir_outbound_hosts_describe_denial(manifest, 0, scheme, host, 65535, &denial);
    must_hold(memchr(denial.log, '\0', sizeof denial.log) != NULL && strchr(denial.log, '\n') == NULL);
    must_hold(memchr(denial.hint, '\0', sizeof denial.hint) != NULL && strchr(denial.hint, '\n') == NULL);
}

static void check_network(const char *text, const weir_block_networks_t *all)
{
    weir_block_networks_t networks;
    weir_network_t network;
    char *message = NULL;
    if (!weir_block_networks_parse(&text, 1, &networks, &message)) {
        must_hold(message != NULL && strchr(message, '\n') == NULL);
        free(message);
        return;
    }
    /* A network blocks its first address, and the network of all addresses blocks everything. */
    if (weir_network_parse(text, strlen(text), &network)) {
        struct sockaddr_in ipv4 = {.sin_family = AF_INET};
        struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
        memcpy(&ipv4.sin_addr, network.address.bytes, 4);
        memcpy(&ipv6.sin6_addr, network.address.bytes, 16);
        const struct sockaddr *address =
            network.address.is_ipv6 ? (const struct sockaddr *)&ipv6 : (const struct sockaddr *)&ipv4;
        socklen_t size = network.address.is_ipv6 ? sizeof ipv6 : sizeof ipv4;
        must_hold(weir_block_networks_blocks(&networks, address, size));
        must_hold(weir_block_networks_blocks(all, address, size));
    }
    weir_block_networks_free(&networks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *parts[3];
    char *texts[3];
    for (size_t i = 0; i < 3; i++) {
        size_t part_size = take_part(&data, &size, '\n', &parts[i]);
        texts[i] = copy_text(parts[i], part_size);
    }
    weir_component_t component = {.id = "first"};
    weir_manifest_t manifest = {.path = "spin.toml", .components = &component, .component_count = 1};
    const weir_outbound_text_t entries[] = {{texts[0], texts[0], {1, 1}, false}, {"*://*:*", "*://*:*", {1, 1}, false},
        {"{{ x }}", texts[1], {1, 1}, true}};
    weir_outbound_hosts_t one, any;
    char *message = NULL;
    must_hold(weir_outbound_hosts_parse(&manifest, &entries[1], 1, &any, &message));
    if (weir_outbound_hosts_parse(&manifest, &entries[0], 1, &one, &message)) {
        must_hold(one.count == 1);
        bool is_chaining;
        weir_outbound_hosts_chained(&manifest, texts[1], &is_chaining);
        static const char *const SCHEMES[] = {"http", "https", "tcp", "redis"};
        for (size_t i = 0; i < 4; i++) {
            /* What one allows, any does. */
            bool allowed = weir_outbound_hosts_allow(&one, SCHEMES[i], texts[1], 80);
            must_hold(!allowed || weir_outbound_hosts_allow(&any, SCHEMES[i], texts[1], 80));
            check_denial(&manifest, SCHEMES[i], texts[1]);
        }
        weir_outbound_hosts_free(&one);
    } else {
        must_hold(message != NULL && strchr(message, '\n') == NULL);
        free(message);
    }
    if (weir_outbound_hosts_parse(&manifest, &entries[2], 1, &one, &message))
        weir_outbound_hosts_free(&one);
    else
        free(message);
    static const char *const EVERYTHING[] = {"0.0.0.0/0", "::/0"};
    weir_block_networks_t all;
    must_hold(weir_block_networks_parse(EVERYTHING, 2, &all, &message));
    check_network(texts[2], &all);
    weir_block_networks_free(&all);
    weir_outbound_hosts_free(&any);
    for (size_t i = 0; i < 3; i++)
        free(texts[i]);
    return 0;
}
