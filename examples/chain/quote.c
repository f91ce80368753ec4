/*
 * quote: the public component of a small shop, and the first of the chain. `/quote?item=tea&count=12` says what so many
 * pieces cost; it knows how to lay that out, and asks `price` for the rest.
 */
#include "chain.h"

#include <stdlib.h>

void exports_wasi_http_incoming_handler_handle(request_t request, response_outparam_t out)
{
    char *item = query_value(request, "item");
    char *count = query_value(request, "count");
    int pieces = count != NULL ? atoi(count) : 1;
    if (item == NULL || pieces < 1 || pieces > 1000) {
        answer(out, 400, "ask for an item and a count from 1 to 1000: /quote?item=tea&count=12\n");
        return;
    }
    char *text = NULL;
    uint16_t status = ask("price", &text, "/total?item=%s&count=%d", item, pieces);
    if (status == 200)
        answer(out, 200, "%d x %s: %s\n", pieces, item, text);
    else if (status == 404)
        answer(out, 404, "there is no %s here\n", item);
    else
        answer(out, 502, "%s\n", text);
}
