/*
 * status.h: the words that go with a status.
 */
#ifndef WEIR_HTTP_STATUS_H
#define WEIR_HTTP_STATUS_H

/*
 * The reason phrase of a status, as IANA's registry has it (RFC 9110, section 15, and others), and that of 418; "" for
 * one that has none. Constant. Any thread.
 */
const char *weir_status_reason(unsigned status);

#endif
