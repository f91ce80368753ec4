/*
 * sandbox.c: one part after the other; the filter comes last, for it refuses the calls that make the others.
 */
#include "sandbox/sandbox.h"

#include <sys/prctl.h>

void weir_sandbox_enter(const weir_sandbox_settings_t *settings, weir_sandbox_t *ret_sandbox)
{
    weir_sandbox_t sandbox = {.is_entered = true, .landlock_version = weir_landlock_version()};
    sandbox.landlock_error = weir_landlock_enter(settings->places, settings->place_count);
    sandbox.filter_error = weir_filter_install(settings->filter);
    sandbox.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    *ret_sandbox = sandbox;
}
