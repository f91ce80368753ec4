/*
 * collector.h: posting to a collector of traces, with the bridge's client.
 */
#ifndef WEIR_CLI_COLLECTOR_H
#define WEIR_CLI_COLLECTOR_H

#include "observe/otlp.h"

#include <stdint.h>
#include <time.h>

/* A weir_otlp_post_t. */
void weir_collector_post(const weir_otlp_request_t *request, weir_otlp_answer_t *ret_answer);

/*
 * What a Retry-After says (RFC 9110, section 10.2.3), seconds or a date of the form that is in use, in milliseconds
 * from `now` on; 0 when it says nothing, or lies in the past. At most an hour.
 */
uint64_t weir_collector_retry_after(const char *text, time_t now);

#endif
