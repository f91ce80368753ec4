/*
 * choice.h: a choice, and what makes one: the facts, the ladder, the search, and what was remembered.
 */
#ifndef WEIR_ALLOCATOR_CHOICE_H
#define WEIR_ALLOCATOR_CHOICE_H

#include "allocator/code.h"
#include "allocator/facts.h"
#include "allocator/ladder.h"
#include "allocator/placement.h"
#include "allocator/search.h"
#include "allocator/trial.h"
#include "weir/allocator.h"

/* What was decided for some guests together. */
typedef struct weir_decided {
    weir_needs_t needs; /* complete */
    unsigned arenas;
    unsigned trials;
    bool sure; /* nothing preferred was given up on timings that contradict each other */
    size_t count;
    size_t index; /* SIZE_MAX: nothing works */
    weir_trial_result_t ladder[WEIR_LADDER_MAX];
} weir_decided_t;

/* All of a decision. It can be written to a file as it is, and read again. */
typedef struct weir_decision {
    weir_strategy_t strategy;
    weir_decided_t pool; /* for the guests that share a pool; on demand, where there is none */
    weir_decided_t rest; /* for those that are placed apart */
    size_t apart_count;
    bool apart[WEIR_GUESTS_MAX];
    /* What a program's own work cost with each setting of the knobs, when it was timed. */
    uint64_t tuned_fingerprint; /* of the work; 0: it was not timed */
    uint32_t tuned;             /* the best of the settings */
    uint32_t tuned_count;
    weir_variant_t tuned_variants[WEIR_VARIANTS_MAX];
} weir_decision_t;

struct weir_choice {
    weir_facts_t facts;
    weir_decision_t decision;
    weir_trial_server_t *server; /* borrowed; NULL: trials fork from this process */
    double milliseconds;
    bool remembered;        /* it was proved again, not decided anew */
    weir_trial_t *proof;    /* own: its trial, which runs still; NULL: there is none */
    bool proof_failed;      /* that one, once it is over */
    char wish[64];          /* what asked for its strategy, where that is not the strategy's own name; or "" */
    bool stated;            /* how many instances are wanted at once was said, not derived from memory */
    char *memory_directory; /* own: where it is remembered; NULL: nowhere */
    uint64_t memory_key;
    int forgotten;         /* a weir_forgotten_t: what became of an earlier decision that was to be forgotten */
    char memory_note[160]; /* why it could not be remembered; "" when it could, or was not to be */
    char tune_note[256];   /* why weir_choice_tune has no result; "" when it has one, or was not called */
    weir_codes_t codes;    /* what the trials compiled, for what comes after */
    char summary[512];     /* in any language: a character may take three bytes */
    char reason[1024];
    char notice[4096];
    char advice[1024];
};

/* weir_allocator_choose for another machine and other trials. */
weir_status_t weir_allocator_choose_with(const weir_machine_t *machine, const weir_tester_t *tester,
    const weir_choose_options_t *options, weir_choice_t **ret_choice);

/*
 * Whether weir_choice_tune has the result for this work from an earlier start, so that it would only have the work
 * prepared in its child. `fingerprint` is the workload's.
 */
bool weir_choice_is_tuned(const weir_choice_t *choice, uint64_t fingerprint);

/* Write the decision to where it is remembered, if anywhere. */
void weir_choice_keep(weir_choice_t *choice);

#endif
