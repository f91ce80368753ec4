/*
 * fresh.c: a choice made by a fresh process.
 */
#include "bench/fresh.h"

#include "allocator/child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRESH_MAGIC UINT32_C(0x66726573)

static void tell(const weir_choice_t *choice, weir_fresh_t *fresh)
{
    size_t count = 0;
    size_t index = weir_choice_index(choice);
    const weir_trial_result_t *ladder = weir_choice_ladder(choice, &count);
    fresh->facts = *weir_choice_facts(choice);
    fresh->needs = *weir_choice_needs(choice);
    fresh->milliseconds = weir_choice_milliseconds(choice);
    snprintf(fresh->summary, sizeof fresh->summary, "%s", weir_choice_summary(choice));
    snprintf(fresh->reason, sizeof fresh->reason, "%s", weir_choice_reason(choice));
    snprintf(fresh->notice, sizeof fresh->notice, "%s", weir_choice_notice(choice));
    snprintf(fresh->advice, sizeof fresh->advice, "%s", weir_choice_advice(choice));
    if (weir_choice_rung(choice) != NULL && index < count) {
        fresh->works = true;
        fresh->rung = *weir_choice_rung(choice);
        fresh->instance_microseconds = ladder[index].verdict.instance_microseconds;
    }
}

static int choose(int report, void *context)
{
    const weir_choose_options_t *options = context;
    weir_choice_t *choice = NULL;
    weir_fresh_t *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL) {
        return 1;
    }
    fresh->magic = FRESH_MAGIC;
    fresh->status = weir_allocator_choose(options, &choice);
    if (choice != NULL) {
        tell(choice, fresh);
        weir_choice_free(choice);
    }
    const char *at = (const char *)fresh;
    size_t left = sizeof *fresh;
    while (left > 0) {
        ssize_t written = write(report, at, left);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            break;
        }
        at += written;
        left -= (size_t)written;
    }
    free(fresh);
    return left == 0 ? 0 : 1;
}

/* What the child could not tell. */
static void describe_end(const weir_child_result_t *result, uint32_t milliseconds, char *message, size_t message_size)
{
    const char *comma = result->complaint[0] == '\0' ? "" : "; it said: ";
    switch (result->end) {
    case WEIR_CHILD_DEADLINE:
        snprintf(message, message_size, "no choice was made within %.0f s%s%s", milliseconds / 1e3, comma,
            result->complaint);
        break;
    case WEIR_CHILD_SIGNAL:
        snprintf(message, message_size, "the process that was to choose died of signal %d (%s)%s%s", result->detail,
            strsignal(result->detail), comma, result->complaint);
        break;
    case WEIR_CHILD_SYSTEM:
        snprintf(message, message_size, "no process could be had that chooses: %s: %s", result->call,
            strerror(result->error_number));
        break;
    case WEIR_CHILD_REPORTED:
    case WEIR_CHILD_SILENT:
    case WEIR_CHILD_SHORT:
        snprintf(message, message_size, "the process that was to choose told nothing%s%s", comma, result->complaint);
        break;
    }
}

bool weir_fresh_choose(const weir_choose_options_t *options, uint32_t milliseconds, weir_fresh_t *ret_fresh,
    char *message, size_t message_size)
{
    weir_choose_options_t anew = *options;
    weir_child_result_t result;
    anew.cache_directory = "";
    anew.server = NULL;
    weir_fresh_t *fresh = malloc(sizeof *fresh);
    if (fresh == NULL) {
        snprintf(message, message_size, "out of memory");
        return false;
    }
    weir_child_run(choose, &anew, milliseconds, fresh, sizeof *fresh, &result);
    bool told = result.end == WEIR_CHILD_REPORTED && fresh->magic == FRESH_MAGIC;
    if (!told) {
        describe_end(&result, milliseconds, message, message_size);
    } else if (fresh->status != WEIR_OK && fresh->status != WEIR_ERROR_UNAVAILABLE) {
        told = false;
        snprintf(message, message_size, "no choice could be made: %s",
            fresh->status == WEIR_ERROR_MEMORY ? "out of memory" : "the system refused what that takes");
    } else {
        *ret_fresh = *fresh;
    }
    free(fresh);
    return told;
}
