/*
 * guest_cgi_response.c: fuzzes what a WAGI guest writes. The first byte says into which pieces the rest is cut:
 * whatever they are, head and body must be the same, and nothing in the head may be more than HTTP allows in a header.
 */
#include "fuzz.h"
#include "guest/cgi_response.h"
#include "guest/header_filter.h"

/* Feed `text` in pieces of `step` bytes. Returns how the last one was taken, and stores how many bytes were. */
static weir_cgi_progress_t feed(weir_cgi_response_t *response, weir_bytes_t text, size_t step, size_t *ret_taken)
{
    weir_cgi_progress_t progress = WEIR_CGI_MORE;
    size_t at = 0;
    while (at < text.size && progress == WEIR_CGI_MORE) {
        size_t size = step < text.size - at ? step : text.size - at;
        /* Each piece in memory of its own: what is kept of it must have been copied. */
        char *piece = copy_text((const uint8_t *)text.data + at, size);
        size_t taken = SIZE_MAX;
        progress = weir_cgi_response_feed(response, (weir_bytes_t){piece, size}, &taken);
        free(piece);
        must_hold(taken <= size && (taken == size || progress != WEIR_CGI_MORE));
        at += taken;
    }
    must_hold(progress != WEIR_CGI_NO_MEMORY && (progress == WEIR_CGI_COMPLETE) == response->complete);
    *ret_taken = at;
    return progress;
}

static bool same(weir_bytes_t left, weir_bytes_t right)
{
    return left.size == right.size && (left.size == 0 || memcmp(left.data, right.data, left.size) == 0);
}

static void check_header(const weir_cgi_response_t *response, size_t index)
{
    weir_pair_t header = response->headers[index];
    must_hold(weir_header_name_is_valid(header.name) && weir_header_value_is_valid(header.value));
    must_hold(!weir_header_is_of_server_connection(header.name));
    must_hold(!weir_header_is(header.name, "status") && !weir_header_is(header.name, "content-length"));
    for (size_t i = 0; i < header.name.size; i++) {
        must_hold(header.name.data[i] < 'A' || header.name.data[i] > 'Z');
    }
    for (size_t i = 0; i < index; i++) {
        must_hold(!same(response->headers[i].name, header.name));
    }
}

static weir_cgi_verdict_t understand(weir_cgi_response_t *response)
{
    weir_cgi_verdict_t verdict = weir_cgi_response_understand(response);
    if (verdict == WEIR_CGI_GOOD || verdict == WEIR_CGI_INSUFFICIENT) {
        must_hold(response->status >= 100 && response->status <= 999);
        must_hold(!response->bad_status || response->status == 502);
        must_hold(response->content_length >= -1);
        must_hold(response->header_count <= WEIR_CGI_HEAD_MAX_HEADERS);
        for (size_t i = 0; i < response->header_count; i++) {
            check_header(response, i);
        }
    }
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weir_cgi_response_t whole;
    weir_cgi_response_t pieces;
    size_t whole_taken;
    size_t pieces_taken;
    if (size == 0) {
        return 0;
    }
    const weir_bytes_t text = {(const char *)data + 1, size - 1};
    weir_cgi_response_init(&whole);
    weir_cgi_response_init(&pieces);
    weir_cgi_progress_t progress = feed(&whole, text, SIZE_MAX, &whole_taken);
    must_hold(feed(&pieces, text, (size_t)data[0] + 1, &pieces_taken) == progress && pieces_taken == whole_taken);
    must_hold(whole_taken <= WEIR_CGI_HEAD_MAX_BYTES);
    if (progress == WEIR_CGI_COMPLETE) {
        weir_cgi_verdict_t verdict = understand(&whole);
        must_hold(understand(&pieces) == verdict);
        must_hold(whole.status == pieces.status && whole.content_length == pieces.content_length);
        must_hold(whole.header_count == pieces.header_count && whole.skipped_lines == pieces.skipped_lines);
        for (size_t i = 0; i < whole.header_count; i++) {
            must_hold(same(whole.headers[i].name, pieces.headers[i].name));
            must_hold(same(whole.headers[i].value, pieces.headers[i].value));
        }
    }
    weir_cgi_response_free(&whole);
    weir_cgi_response_free(&pieces);
    return 0;
}
