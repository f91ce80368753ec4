/*
 * source.h: components whose source is a URL: what it gives is fetched once, verified each time, and then a file.
 */
#ifndef WEIR_CLI_SOURCE_H
#define WEIR_CLI_SOURCE_H

#include "app/manifest.h"

#include <stdbool.h>

/* What fetched files may take together; those that were used least recently go first. */
#define WEIR_SOURCES_MOST_BYTES (UINT64_C(2) << 30)

/*
 * Give each component that a trigger uses, and that has a source_url but no source, the path of a file with what the
 * URL gives: from the cache (DIRECTORY/<digest>; NULL is the user's, $XDG_CACHE_HOME/weir/source or
 * ~/.cache/weir/source), or fetched, at most 256 MiB, and then kept there. Either way the SHA-256 of all of it is what
 * the manifest says. Where nothing can be kept it is in memory, as long as the process lives. On failure returns false
 * and stores a one-line message that names the manifest, the place, the URL and, where they differ, both digests; to be
 * freed with free(3), NULL when memory ran out. Blocks; logs what it fetches.
 */
bool weir_sources_fetch(weir_manifest_t *manifest, const char *directory, char **ret_message);

#endif
