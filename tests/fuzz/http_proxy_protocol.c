/*
 * http_proxy_protocol.c: fuzzes headers of the PROXY protocol. What follows a header changes nothing, and what is
 * missing at its end makes it partial.
 */
#include "fuzz.h"
#include "http/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = copy_text(data, size);
    size_t used = 0;
    size_t again = 0;
    weir_endpoint_t client = {.known = false};
    weir_endpoint_t same = {.known = false};
    weir_proxy_header_state_t state = weir_proxy_header_parse((weir_bytes_t){text, size}, &used, &client);
    if (state == WEIR_PROXY_HEADER_WHOLE) {
        char words[WEIR_ENDPOINT_TEXT_BYTES];
        must_hold(used > 0 && used <= size && used <= WEIR_PROXY_HEADER_MAX_BYTES);
        must_hold(weir_proxy_header_parse((weir_bytes_t){text, used}, &again, &same) == WEIR_PROXY_HEADER_WHOLE);
        must_hold(again == used && same.port == client.port && weir_endpoint_is_same_host(&client, &same));
        must_hold(weir_proxy_header_parse((weir_bytes_t){text, used - 1}, &again, &same) == WEIR_PROXY_HEADER_PARTIAL);
        weir_endpoint_write(&client, words);
        must_hold(strlen(words) < sizeof(words));
        if (client.known) {
            must_hold(weir_endpoint_parse((weir_bytes_t){words, strlen(words)}, &same));
            must_hold(same.port == client.port && weir_endpoint_is_same_host(&client, &same));
        }
    } else if (state == WEIR_PROXY_HEADER_PARTIAL) {
        must_hold(size < WEIR_PROXY_HEADER_MAX_BYTES);
    }
    free(text);
    return 0;
}
