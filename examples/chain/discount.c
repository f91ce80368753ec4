/*
 * discount: the third of the chain, private. Ten pieces or more are 10 % cheaper, and what `stock` has too much of is
 * another 20 %.
 */
#include "chain.h"

#include <stdlib.h>

void exports_wasi_http_incoming_handler_handle(request_t request, response_outparam_t out)
{
    char *text = NULL;
    uint16_t status = ask("stock", &text, "/pieces?item=%s", query_value(request, "item"));
    if (status != 200) {
        answer(out, 502, "%s", text);
        return;
    }
    int percent = atoi(query_value(request, "count")) >= 10 ? 10 : 0;
    answer(out, 200, "%d", percent + (atoi(text) > 100 ? 20 : 0));
}
