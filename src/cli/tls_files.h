/*
 * tls_files.h: the certificate and the key that `weir up` is given.
 */
#ifndef WEIR_CLI_TLS_FILES_H
#define WEIR_CLI_TLS_FILES_H

#include "weir_bridge.h"

#include <stdbool.h>

/*
 * Read the files, which hold a chain of certificates and a private key in PEM (RFC 7468). On success stores what a
 * server needs of them, to be freed with weir_tls_config_free. On failure returns false and stores a one-line message
 * to be freed with free(3), NULL when memory ran out.
 */
bool weir_tls_files_load(const char *certificate, const char *key, weir_tls_config_t **ret_config, char **ret_message);

#endif
