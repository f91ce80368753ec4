/*
 * shown_url.h: URLs for messages, without what may be a secret.
 */
#ifndef WEIR_APP_SHOWN_URL_H
#define WEIR_APP_SHOWN_URL_H

#include "app/text.h"

#include <stddef.h>

/*
 * A URL as SCHEME://HOST[:PORT]/PATH, as weir_shown shows it: without user name, password, query and fragment. What is
 * no URL is cut in the same places. weir_show_url(url).text lives until the end of the full expression. Any thread.
 */
weir_quote_t weir_show_url(const char *url);

/* Whether a URL has a user name or a password. Any thread. */
bool weir_url_has_user(const char *url);

#endif
