/*
 * tls_files.h: the certificate and the key that `weir up` is given.
 */
#ifndef WEIR_CLI_TLS_FILES_H
#define WEIR_CLI_TLS_FILES_H

#include <stdbool.h>

/*
 * Check that the files can be read and hold what they should in PEM (RFC 7468): a certificate, and a private key. On
 * failure returns false and stores a one-line message to be freed with free(3), NULL when memory ran out.
 */
bool weir_tls_files_check(const char *certificate, const char *key, char **ret_message);

#endif
