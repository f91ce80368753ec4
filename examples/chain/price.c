/*
 * price: the second of the chain, private. Knows what a piece costs, and asks `discount` what is taken off.
 */
#include "chain.h"

#include <stdlib.h>
#include <string.h>

/* In cents, or 0 when nobody sells it. */
static int cents_a_piece(const char *item)
{
    return strcmp(item, "tea") == 0 ? 450 : strcmp(item, "coffee") == 0 ? 700 : strcmp(item, "cup") == 0 ? 1200 : 0;
}

void exports_wasi_http_incoming_handler_handle(request_t request, response_outparam_t out)
{
    const char *item = query_value(request, "item");
    int count = atoi(query_value(request, "count"));
    int cents = cents_a_piece(item);
    if (cents == 0) {
        answer(out, 404, "no price");
        return;
    }
    char *text = NULL;
    uint16_t status = ask("discount", &text, "/percent?item=%s&count=%d", item, count);
    if (status != 200) {
        answer(out, 502, "%s", text);
        return;
    }
    int total = cents * count * (100 - atoi(text)) / 100;
    answer(out, 200, "%d.%02d", total / 100, total % 100);
}
