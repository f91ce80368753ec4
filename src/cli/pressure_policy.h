/*
 * pressure_policy.h: when to take a lower rung of the allocator, and when to go back up: a state machine that gets one
 * reading a second and does nothing else. No clock, no input, no output.
 */
#ifndef WEIR_CLI_PRESSURE_POLICY_H
#define WEIR_CLI_PRESSURE_POLICY_H

#include "weir/allocator.h"

#include <stdbool.h>
#include <stdint.h>

/* Memory as it is now. Bytes; stalls are shares of the last ten seconds, in hundredths of a percent. */
typedef struct weir_memory_reading {
    weir_fact_t total;     /* the machine's memory */
    weir_fact_t available; /* of it */
    weir_fact_t swap_free;
    weir_fact_t group_limit; /* the control group's */
    weir_fact_t group_used;
    weir_fact_t stall_some; /* the machine's pressure: some task waited for memory */
    weir_fact_t stall_full; /* all did */
    weir_fact_t group_stall_some;
    weir_fact_t group_stall_full;
    uint32_t refusals; /* instances that were refused since the last reading */
} weir_memory_reading_t;

/* What lies behind a decision. */
typedef enum weir_pressure_cause {
    WEIR_CAUSE_NONE = 0,
    WEIR_CAUSE_REFUSAL = 1,     /* value: how many */
    WEIR_CAUSE_GROUP_LEFT = 2,  /* value: bytes left below the group's limit; bound: what should be left */
    WEIR_CAUSE_AVAILABLE = 3,   /* value: bytes available on the machine; bound: what should be */
    WEIR_CAUSE_SWAPPING = 4,    /* value: bytes written to swap since the last reading; bound: what may be */
    WEIR_CAUSE_GROUP_STALL = 5, /* value and bound in hundredths of a percent */
    WEIR_CAUSE_STALL = 6,       /* likewise, the machine's */
} weir_pressure_cause_t;

typedef enum weir_pressure_decision {
    WEIR_PRESSURE_STAY = 0,
    WEIR_PRESSURE_LOWER = 1,
    WEIR_PRESSURE_RAISE = 2,
} weir_pressure_decision_t;

typedef struct weir_pressure_verdict {
    weir_pressure_decision_t decision;
    weir_pressure_cause_t cause; /* of a lowering */
    uint64_t value;
    uint64_t bound;
    uint32_t seconds; /* for how long the pressure was there, or was gone */
} weir_pressure_verdict_t;

/* Zero it to begin, on the highest rung. The members are the policy's own. */
typedef struct weir_pressure_policy {
    unsigned level;      /* rungs below the highest */
    uint32_t tight;      /* readings in a row with pressure */
    uint32_t relieved;   /* readings in a row without any */
    uint32_t settling;   /* readings until pressure counts again: what was done takes effect */
    uint32_t deaf;       /* readings until refusals count again */
    uint32_t raise_wait; /* readings without pressure before a raise; 0: the shortest */
    uint32_t raised_ago; /* readings since the last raise; 0: there was none, or it has stood the test */
    uint64_t swap_free;  /* of the last reading; 0: unknown */
} weir_pressure_policy_t;

/* One reading. A decision is followed by weir_pressure_policy_done before the next reading. */
weir_pressure_verdict_t weir_pressure_policy_step(weir_pressure_policy_t *policy, const weir_memory_reading_t *reading);

/* How it went with a decision to lower or to raise: done, or not possible now. */
void weir_pressure_policy_done(weir_pressure_policy_t *policy, weir_pressure_decision_t decision, bool succeeded);

#endif
