/*
 * otlp_answer.h: what a collector answers to spans. Pure.
 */
#ifndef WEIR_OBSERVE_OTLP_ANSWER_H
#define WEIR_OBSERVE_OTLP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a collector's answer says of spans that it has not taken (ExportTraceServiceResponse.partial_success): their
 * number, and its words, cut to `size` and terminated. False when it says nothing of that, or is no such answer.
 */
bool weir_otlp_read_rejected(
    const char *answer, size_t answer_size, bool json, uint64_t *ret_rejected, char *ret_message, size_t size);

#endif
