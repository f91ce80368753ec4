/*
 * http_forwarded.c: fuzzes what proxies say of clients: the lines of the input are values of Forwarded, and the same of
 * X-Forwarded-For and X-Forwarded-Proto in turn. What comes before a sound last hop never decides whom it names.
 */
#include "fuzz.h"
#include "http/forwarded.h"

enum { LINES_MAX = 16 };

static bool trusts(const void *context, const weir_endpoint_t *endpoint)
{
    (void)context;
    return endpoint->known && endpoint->ip[12] == 127;
}

static void check(const weir_hops_t *hops, const char *text, size_t size)
{
    weir_endpoint_t connected = weir_endpoint_make("\x7f\0\0\1", false, 1);
    weir_endpoint_t stranger = weir_endpoint_make("\6\6\6\6", false, 1);
    must_hold(hops->count <= WEIR_HOPS_MAX);
    for (size_t i = 0; i < hops->count; i++) {
        const weir_bytes_t parts[] = {hops->hops[i].scheme, hops->hops[i].host};
        for (size_t part = 0; part < 2; part++) {
            must_hold(parts[part].size == 0 ||
                      (parts[part].data >= text && parts[part].data + parts[part].size <= text + size));
        }
    }
    weir_hop_t hop = weir_hops_walk(hops, &connected, trusts, NULL);
    must_hold(hop.client.known);
    hop = weir_hops_walk(hops, &stranger, trusts, NULL);
    must_hold(weir_endpoint_is_same_host(&hop.client, &stranger) && hop.scheme.size == 0 && hop.host.size == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"forwarded", "X-Forwarded-For", "x-forwarded-proto"};
    char *text = copy_text(data, size);
    weir_pair_t fields[LINES_MAX + 1];
    weir_hops_t hops;
    for (size_t kind = 0; kind < 2; kind++) {
        const uint8_t *at = (const uint8_t *)text;
        size_t left = size;
        size_t count = 0;
        while (left > 0 && count < LINES_MAX) {
            const uint8_t *line;
            size_t line_size = take_part(&at, &left, '\n', &line);
            const char *name = names[kind == 0 ? 0 : 1 + count % 2];
            fields[count++] = (weir_pair_t){{name, strlen(name)}, {(const char *)line, line_size}};
        }
        bool sound = true;
        if (kind == 0) {
            sound = weir_forwarded_parse(fields, count, &hops);
        } else {
            weir_x_forwarded_parse(fields, count, &hops);
        }
        if (!sound) {
            continue;
        }
        check(&hops, text, size);
        /* The proxy adds who has connected to it. */
        const char *added = kind == 0 ? "for=192.0.2.7" : "192.0.2.7";
        const char *name = kind == 0 ? "Forwarded" : "X-Forwarded-For";
        fields[count++] = (weir_pair_t){{name, strlen(name)}, {added, strlen(added)}};
        if (kind == 0) {
            must_hold(weir_forwarded_parse(fields, count, &hops));
        } else {
            weir_x_forwarded_parse(fields, count, &hops);
        }
        weir_endpoint_t connected = weir_endpoint_make("\x7f\0\0\1", false, 1);
        weir_endpoint_t expected = weir_endpoint_make("\xC0\0\2\7", false, 0);
        weir_hop_t hop = weir_hops_walk(&hops, &connected, trusts, NULL);
        must_hold(weir_endpoint_is_same_host(&hop.client, &expected));
    }
    free(text);
    return 0;
}
