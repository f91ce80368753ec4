/*
 * cache_config.h: the file by which Wasmtime is told where it keeps compiled code, as of `spin up --cache`.
 */
#ifndef WEIR_APP_CACHE_CONFIG_H
#define WEIR_APP_CACHE_CONFIG_H

#include <stdbool.h>

/*
 * Read such a file (at most 1 MiB): [cache] with a directory, which must be absolute; what else Wasmtime knows there is
 * about compressing and cleaning up, which weir does in its own way, and has no effect. On success stores the directory
 * in `*ret_directory`, to be freed with free(3), or NULL when none is named. On failure returns false, leaves it
 * untouched and stores a one-line message "path:line:column: what is wrong, what to do", to be freed with free(3); NULL
 * when memory ran out. Any thread.
 */
bool weir_cache_config_load(const char *path, char **ret_directory, char **ret_message);

#endif
