/*
 * option_takers.h: the functions that the tables of options.c name. Each takes the value of an option into the
 * weir_up_options_t that `options` is, and copies nothing. Where it cannot be taken, it returns false and stores a
 * message to be freed with free(3), or NULL when memory ran out; `name` is as it was written. Any thread.
 */
#ifndef WEIR_CLI_OPTION_TAKERS_H
#define WEIR_CLI_OPTION_TAKERS_H

#include <stdbool.h>

/* What is no option: the application. */
bool weir_option_take_application(void *options, const char *value, char **ret_message);

bool weir_option_take_environment(void *options, const char *name, const char *value, char **ret_message);
bool weir_option_take_format(void *options, const char *name, const char *value, char **ret_message);
bool weir_option_take_access_log_format(void *options, const char *name, const char *value, char **ret_message);
bool weir_option_take_proxy(void *options, const char *name, const char *value, char **ret_message);
bool weir_option_take_limit(void *options, const char *name, const char *value, char **ret_message);
bool weir_option_take_timeout(void *options, const char *name, const char *value, char **ret_message);
bool weir_option_take_slice(void *options, const char *name, const char *value, char **ret_message);
bool weir_option_take_drain_timeout(void *options, const char *name, const char *value, char **ret_message);
bool weir_option_take_drain_delay(void *options, const char *name, const char *value, char **ret_message);
bool weir_option_take_memory(void *options, const char *name, const char *value, char **ret_message);
bool weir_option_take_reuse(void *options, const char *name, const char *value, char **ret_message);
bool weir_option_take_key_value(void *options, const char *name, const char *value, char **ret_message);
bool weir_option_take_concurrency(void *options, const char *name, const char *value, char **ret_message);

#endif
