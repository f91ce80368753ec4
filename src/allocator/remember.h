/*
 * remember.h: decisions that are remembered from one start to the next, in a directory that belongs to this user alone.
 * What is there is not trusted: it is taken only when the directory and the file belong to this user, nobody else may
 * write them, and the content is whole and plausible.
 */
#ifndef WEIR_ALLOCATOR_REMEMBER_H
#define WEIR_ALLOCATOR_REMEMBER_H

#include "allocator/choice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * The directory that an option names: NULL stands for $XDG_CACHE_HOME/weir or ~/.cache/weir. Returns a string to be
 * freed with free(3); NULL when there is none, or nothing is to be remembered ("").
 */
char *weir_memory_directory(const char *option);

/* What a decision depends on, as one number: facts that last, options, versions. */
uint64_t weir_memory_key(const weir_facts_t *facts, const weir_choose_options_t *options);

/*
 * Read the decision for a key, and the code that its trial compiled: `*ret_code` is to be freed with free(3); NULL when
 * there is none. Returns false, and leaves the results untouched, when there is no decision that may be trusted.
 */
bool weir_memory_load(
    const char *directory, uint64_t key, weir_decision_t *ret_decision, void **ret_code, size_t *ret_code_size);

/* The same without its code, and when it was written. Returns false likewise. */
bool weir_memory_look(const char *directory, uint64_t key, weir_decision_t *ret_decision, time_t *ret_since);

typedef enum weir_forgotten {
    WEIR_FORGOTTEN_NOTHING = 0, /* nothing was remembered, or in a directory that may not be trusted */
    WEIR_FORGOTTEN = 1,
    WEIR_FORGOTTEN_NOT = 2, /* the system refused it */
} weir_forgotten_t;

/* Remove the decision for a key, if there is one in a directory that may be trusted. */
weir_forgotten_t weir_memory_forget(const char *directory, uint64_t key);

/*
 * Why weir_memory_save would not work there, as it says it; NULL: nothing is against it. It makes and writes nothing.
 */
const char *weir_memory_trouble(const char *directory);

/*
 * Write a decision, in place of what is there, whole or not at all; the directory is made when it is missing. Returns
 * NULL, or why it did not work, as a constant string.
 */
const char *weir_memory_save(
    const char *directory, uint64_t key, const weir_decision_t *decision, const void *code, size_t code_size);

/* Whether a decision makes sense: nothing in it goes beyond what the code that uses it expects. */
bool weir_decision_is_plausible(const weir_decision_t *decision);

#endif
