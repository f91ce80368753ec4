/*
 * certificate.h: until when a certificate is valid.
 */
#ifndef WEIR_CLI_CERTIFICATE_H
#define WEIR_CLI_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The end of validity (notAfter, RFC 5280, section 4.1.2.5) of the first certificate in a text of PEM, the server's
 * own, in seconds since 1970. False when there is none, or it is malformed. Any thread.
 */
bool weir_certificate_not_after(const char *pem, int64_t *ret_seconds);

#endif
