/*
 * shown_url.c: the parts of a URL (RFC 3986) that are told.
 */
#include "app/shown_url.h"

#include <string.h>

/* Where the authority begins, and what stands behind its last "@": what begins there is told again. */
static const char *skip_user(const char *url, size_t *ret_scheme_size)
{
    size_t whole = strcspn(url, "?#");
    const char *slashes = strstr(url, "://");
    size_t scheme = slashes != NULL && (size_t)(slashes - url) < whole ? (size_t)(slashes - url) + 3 : 0;
    const char *host = url + scheme;
    for (const char *at = host; at < url + scheme + strcspn(url + scheme, "/?#"); at++) {
        if (*at == '@')
            host = at + 1;
    }
    *ret_scheme_size = scheme;
    return host;
}

weir_quote_t weir_show_url(const char *url)
{
    size_t scheme;
    const char *host = skip_user(url, &scheme);
    weir_text_t shown = {0};
    weir_text_add(&shown, url, scheme);
    weir_text_add(&shown, host, strcspn(host, "?#"));
    weir_quote_t quote = weir_shown(shown.bytes == NULL ? "" : shown.bytes);
    weir_text_free(&shown);
    return quote;
}

bool weir_url_has_user(const char *url)
{
    size_t scheme;
    return skip_user(url, &scheme) != url + scheme;
}
