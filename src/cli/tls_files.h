/*
 * tls_files.h: the certificate and the key that `weir up` is given.
 */
#ifndef WEIR_CLI_TLS_FILES_H
#define WEIR_CLI_TLS_FILES_H

#include "weir_bridge.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Read the files, which hold a chain of certificates and a private key in PEM (RFC 7468). On success stores what a
 * server needs of them, to be freed with weir_tls_config_free, and until when the first certificate is valid, in
 * seconds since 1970 (0: unknown). On failure returns false and stores a one-line message to be freed with free(3),
 * NULL when memory ran out.
 */
bool weir_tls_files_load(const char *certificate, const char *key, weir_tls_config_t **ret_config,
    int64_t *ret_not_after, char **ret_message);

/* Warn of a certificate that is expired, or will be within 14 days; clients refuse one, weir does not. Any thread. */
void weir_tls_files_log_expiry(const char *certificate, int64_t not_after);

/* Warn of a file that this user may not read, as a reload will have to, with what helps. Any thread. */
void weir_tls_files_log_unreadable(const char *certificate, const char *key);

#endif
