/*
 * probe.h: what the child of a trial does, and what it reports.
 */
#ifndef WEIR_ALLOCATOR_PROBE_H
#define WEIR_ALLOCATOR_PROBE_H

#include "allocator/facts.h"
#include "allocator/module.h"
#include "allocator/plan.h"

#define WEIR_PROBE_MAGIC UINT32_C(0x57656972)

/* The report. Written to a pipe as it is: both ends are the same program. */
typedef struct weir_probe_report {
    uint32_t magic;
    int32_t outcome; /* a weir_outcome_t: PASSED, REFUSED, CONTENTS or SYSTEM */
    int32_t error_number;
    uint32_t held;    /* instances that were held at once */
    uint32_t threads; /* that took part in the timing */
    double engine_milliseconds;
    double microseconds[WEIR_VARIANTS_MAX];       /* an instance, for each setting of the plan's knobs; 0: it failed */
    double least_microseconds[WEIR_VARIANTS_MAX]; /* the same, of the quickest round */
    weir_usage_t usage;                           /* when it was refused; the sources are left out */
    char stage[32];                               /* what was being done */
    char message[600];                            /* Wasmtime's, on one line; or what was wrong */
} weir_probe_report_t;

/*
 * Prove and time a rung: build its engine, load the module of this shape, check that a fresh instance sees nothing of
 * what an earlier one wrote, hold as many instances as planned, and time the cycle with each setting of the knobs.
 * Fills the report in every case. To be run in a child: it may be killed, aborted or left hanging.
 */
void weir_probe_run(const weir_plan_t *plan, const weir_module_shape_t *shape, const weir_module_shape_t *expected,
    weir_probe_report_t *report);

#endif
