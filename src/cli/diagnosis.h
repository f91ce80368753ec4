/*
 * diagnosis.h: what `weir doctor` found out, and the two ways in which it is told.
 */
#ifndef WEIR_CLI_DIAGNOSIS_H
#define WEIR_CLI_DIAGNOSIS_H

#include "cli/application.h"
#include "cli/bounds.h"
#include "weir/allocator.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * The choice against the best that the hardware could give: what was wanted, or where limits allow too few slots for
 * that to be of use, the standard pool with as many as processors. Both with the made-up module of trials, never an
 * application's own components, timed on as many threads each, in turns so that what disturbs the machine meanwhile
 * disturbs them alike.
 */
typedef struct weir_comparison {
    bool measured;
    bool same;        /* the choice is the best itself: then both costs are that of its trial */
    bool beyond;      /* the best is beyond limits on address space or data, which its trial raised for itself */
    weir_rung_t best; /* when measured */
    unsigned rounds;  /* of which the least counts; 0 when it is the same */
    uint32_t threads; /* that both were timed on */
    double best_microseconds;
    double choice_microseconds;
} weir_comparison_t;

/* What `weir up` would take for the same application, from an earlier start, instead of deciding. */
typedef struct weir_remembered {
    bool found;
    bool same_size; /* as what was chosen now, but perhaps for the knobs */
    bool same;      /* with the knobs */
    weir_rung_t rung;
    time_t since;
} weir_remembered_t;

typedef struct weir_diagnosis {
    weir_strategy_t strategy; /* that was asked for */
    weir_bounds_t bounds;     /* of a server in this process */
    weir_choice_t *choice;
    weir_comparison_t comparison;
    char *memory_directory;     /* where `weir up` remembers its decisions; NULL: nowhere */
    const char *memory_trouble; /* why it cannot, untranslated and constant; NULL: it can */
    double total_milliseconds;  /* deciding, comparing, compiling and timing an application's components */
    weir_remembered_t remembered;
    bool has_application;
    weir_application_t application;
    size_t guest_count;   /* of the application */
    weir_needs_t *guests; /* their needs */
    size_t *components;   /* and the components that they are, in the manifest */
} weir_diagnosis_t;

/* Print it for a person; with `verbose` all facts and all that was considered. */
void weir_diagnosis_print_text(const weir_diagnosis_t *diagnosis, bool verbose);

/* Print it as JSON: docs/doctor-json.md. False when memory ran out. */
bool weir_diagnosis_print_json(const weir_diagnosis_t *diagnosis);

#endif
