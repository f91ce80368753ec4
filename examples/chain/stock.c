/*
 * stock: the last of the chain, private. Knows how many pieces there are, and asks nobody.
 */
#include "chain.h"

#include <string.h>

void exports_wasi_http_incoming_handler_handle(request_t request, response_outparam_t out)
{
    answer(out, 200, "%d", strcmp(query_value(request, "item"), "coffee") == 0 ? 250 : 40);
}
