/*
 * shares.h: how the server's bounds are divided among its loops, and a loop's calls among components.
 */
#ifndef WEIR_SERVE_SHARES_H
#define WEIR_SERVE_SHARES_H

#include <stdint.h>

/* Part number `index` of `total` divided into `count` parts that differ by at most 1 and together are `total`. */
static inline uint32_t weir_share(uint32_t total, unsigned count, unsigned index)
{
    return total / count + (index < total % count ? 1 : 0);
}

enum { WEIR_SHARE_KEPT_MIN = 4 }; /* calls of a loop, below which none is kept for components that hold none */

/* How many of a loop's calls are kept for components that hold none: one for each, up to an eighth of its share. */
static inline uint32_t weir_share_kept(uint32_t share, uint32_t silent)
{
    uint32_t most = share < WEIR_SHARE_KEPT_MIN ? 0 : (share + 7) / 8;
    return silent < most ? silent : most;
}

#endif
