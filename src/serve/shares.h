/*
 * shares.h: how the server's bounds are divided among its loops.
 */
#ifndef WEIR_SERVE_SHARES_H
#define WEIR_SERVE_SHARES_H

#include <stdint.h>

/* Part number `index` of `total` divided into `count` parts that differ by at most 1 and together are `total`. */
static inline uint32_t weir_share(uint32_t total, unsigned count, unsigned index)
{
    return total / count + (index < total % count ? 1 : 0);
}

#endif
