/*
 * overseeing.h: what `weir up` shows on its admin listener, where there is one: it is told here of the application, the
 * allocator and the limits. With NULL for the admin nothing is done.
 */
#ifndef WEIR_CLI_OVERSEEING_H
#define WEIR_CLI_OVERSEEING_H

#include "admin/admin.h"
#include "cli/application.h"
#include "cli/options.h"
#include "sandbox/sandbox.h"
#include "weir/allocator.h"

#include <stdbool.h>

/* How many threads it will have. */
unsigned weir_oversee_threads(const weir_up_options_t *options);

/*
 * Bind what --admin names, before there are threads; `*ret_admin` is NULL where nothing is named. On failure returns
 * false, leaves `*ret_admin` untouched and stores a one-line message to be freed with free(3), NULL when memory ran
 * out.
 */
bool weir_oversee_open(const weir_up_options_t *options, weir_admin_t **ret_admin, char **ret_message);

/* Tell of the limits that are in force. */
void weir_oversee_limits(weir_admin_t *admin, const weir_up_options_t *options, const weir_server_settings_t *settings);

/* Tell of an application and its limits, or of a choice, that is served, or served with, from now on. Any thread. */
void weir_oversee_application(weir_admin_t *admin, const weir_application_t *application);
void weir_oversee_choice(weir_admin_t *admin, const weir_choice_t *choice);

/* Tell until when the certificate in use is valid, in seconds since 1970; 0: there is none, or it is unknown. Any
 * thread. */
void weir_oversee_certificate(weir_admin_t *admin, int64_t not_after);

/* Tell of what the process has given up. */
void weir_oversee_sandbox(weir_admin_t *admin, const weir_sandbox_t *sandbox);

/* A choice has taken the place of another because of the memory that there is: what both are in words, and why. */
void weir_oversee_change(weir_admin_t *admin, const char *from, const char *to, const char *cause);

/* A reload is over; `error`: why all, or a part of it, was refused; NULL: nothing was. Any thread. */
void weir_oversee_reload(weir_admin_t *admin, const char *error);

/* Begin to answer, for a server that listens on this URL; all that is given is borrowed. Where it cannot, that is
 * logged, and weir serves all the same. */
void weir_oversee_start(
    weir_admin_t *admin, const weir_up_options_t *options, weir_server_t *server, const char *const *url);

#endif
