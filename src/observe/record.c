/*
 * record.c: the names of outcomes.
 */
#include "observe/record.h"

const char *weir_request_outcome_name(weir_request_outcome_t outcome)
{
    static const char *const names[WEIR_REQUEST_OUTCOMES] = {
        [WEIR_REQUEST_ANSWERED] = "answered",
        [WEIR_REQUEST_MALFORMED] = "malformed",
        [WEIR_REQUEST_STALLED] = "stalled",
        [WEIR_REQUEST_LEFT] = "left",
        [WEIR_REQUEST_FULL] = "full",
        [WEIR_REQUEST_WAITED] = "waited",
        [WEIR_REQUEST_INSTANCE_REFUSED] = "instance_refused",
        [WEIR_REQUEST_TIMED_OUT] = "timed_out",
        [WEIR_REQUEST_CPU_OVER] = "cpu_over",
        [WEIR_REQUEST_TRAPPED] = "trapped",
        [WEIR_REQUEST_FAILED] = "failed",
        [WEIR_REQUEST_INTERNAL] = "internal",
        [WEIR_REQUEST_CUT] = "cut",
    };
    return names[outcome];
}
