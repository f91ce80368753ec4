/*
 * page.h: the status page: page.html with page.css and page.js in it; cmake/Page.cmake makes it a part of the program.
 *
 * It is served with a Content-Security-Policy that lets nothing in but what the page holds itself, and /status.json:
 * every script and style element has the attribute nonce="{{nonce}}", which is filled in for each answer. Attributes
 * with styles or handlers (style="...", onclick="...") do nothing.
 */
#ifndef WEIR_ADMIN_PAGE_H
#define WEIR_ADMIN_PAGE_H

#include <stddef.h>

extern const unsigned char weir_admin_page[];
extern const size_t weir_admin_page_size;

#endif
