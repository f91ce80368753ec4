/*
 * announcement.h: what `weir up` says of the allocator's choice when it starts.
 */
#ifndef WEIR_CLI_ANNOUNCEMENT_H
#define WEIR_CLI_ANNOUNCEMENT_H

#include "cli/application.h"
#include "weir/allocator.h"

#include <stdbool.h>

/*
 * Print the choice on standard output, one line, or log it when `logged`, and log what a person should know of it: at
 * most three lines on what was reduced or disabled, why and what helps; a line on components that are placed apart, and
 * one when the decision could not be remembered.
 */
void weir_announce_choice(const weir_choice_t *choice, const weir_application_t *application, bool logged);

/* Log that the choice was made anew because that was asked for, and what became of an earlier one. */
void weir_announce_anew(const weir_choice_t *choice);

/* Log what there is to be warned of in a manifest, its files and its routes. */
void weir_announce_warnings(const weir_application_t *application);

/* Log that nothing that the strategy allows works here, and why; and where there is more. `switch_name` and
 * `switch_value` are the environment variable that asked for that strategy; NULL when none did. */
void weir_announce_refusal(const weir_choice_t *choice, const weir_application_t *application, const char *switch_name,
    const char *switch_value);

#endif
