/*
 * http_chunked.c: fuzzes the decoder of chunked bodies, and what it makes of trailers. The first byte says in how large
 * pieces the body comes: they must not matter.
 */
#include "fuzz.h"
#include "http/chunked.h"
#include "http/head.h"

typedef struct outcome {
    weir_chunked_state_t state;
    size_t used;
    size_t size;
    uint64_t sum; /* of the body's bytes, each with its place */
    weir_chunked_t chunked;
} outcome_t;

static outcome_t decode(const char *text, size_t size, size_t step)
{
    outcome_t outcome = {.state = WEIR_CHUNKED_MORE};
    while (outcome.used < size && outcome.state != WEIR_CHUNKED_ENDED && outcome.state != WEIR_CHUNKED_WRONG) {
        size_t left = size - outcome.used;
        size_t piece = left < step ? left : step;
        size_t taken;
        size_t data_size;
        outcome.state = weir_chunked_next(&outcome.chunked, text + outcome.used, piece, &taken, &data_size);
        must_hold(taken + data_size <= piece);
        must_hold((outcome.state == WEIR_CHUNKED_DATA) == (data_size > 0));
        outcome.used += taken;
        for (size_t i = 0; i < data_size; i++) {
            outcome.sum = outcome.sum * 31 + (unsigned char)text[outcome.used + i];
        }
        outcome.size += data_size;
        outcome.used += data_size;
        if (data_size > 0) {
            weir_chunked_take(&outcome.chunked, data_size);
        }
        must_hold(taken + data_size > 0 || outcome.state == WEIR_CHUNKED_WRONG);
    }
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    size_t step = data[0] == 0 ? 1 : data[0];
    char *text = copy_text(data + 1, size - 1);
    outcome_t whole = decode(text, size - 1, size);
    outcome_t cut = decode(text, size - 1, step);
    bool ended = whole.state == WEIR_CHUNKED_ENDED;
    must_hold(ended == (cut.state == WEIR_CHUNKED_ENDED));
    must_hold((whole.state == WEIR_CHUNKED_WRONG) == (cut.state == WEIR_CHUNKED_WRONG));
    must_hold(whole.size == cut.size && whole.sum == cut.sum && whole.used == cut.used);
    weir_bytes_t trailers = weir_chunked_trailers(&whole.chunked);
    must_hold(trailers.size == weir_chunked_trailers(&cut.chunked).size && trailers.size <= WEIR_TRAILERS_MAX_BYTES);
    if (ended && trailers.size > 0) {
        static weir_pair_t fields[WEIR_HEAD_FIELDS_MAX];
        size_t count;
        must_hold(trailers.size >= 5 && memcmp(trailers.data + trailers.size - 4, "\r\n\r\n", 4) == 0);
        if (weir_trailers_parse(trailers, fields, &count)) {
            must_hold(count <= WEIR_HEAD_FIELDS_MAX);
        }
    }
    weir_chunked_free(&whole.chunked);
    weir_chunked_free(&cut.chunked);
    free(text);
    return 0;
}
