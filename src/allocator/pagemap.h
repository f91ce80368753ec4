/*
 * pagemap.h: the ioctl PAGEMAP_SCAN, which the headers that weir is compiled with may not know yet
 * (include/uapi/linux/fs.h, since Linux 6.7; Documentation/admin-guide/mm/pagemap.rst).
 */
#ifndef WEIR_ALLOCATOR_PAGEMAP_H
#define WEIR_ALLOCATOR_PAGEMAP_H

#include <stdint.h>
#include <sys/ioctl.h>

/* What a page can be. */
enum {
    WEIR_PAGE_WRITTEN = 1 << 1,
    WEIR_PAGE_FILE = 1 << 2,
    WEIR_PAGE_PRESENT = 1 << 3,
    WEIR_PAGE_ZERO = 1 << 5,
};

/* struct page_region */
typedef struct weir_pagemap_region {
    uint64_t start;
    uint64_t end;
    uint64_t categories;
} weir_pagemap_region_t;

/* struct pm_scan_arg */
typedef struct weir_pagemap_scan {
    uint64_t size;
    uint64_t flags;
    uint64_t start;
    uint64_t end;
    uint64_t walk_end;
    uint64_t regions;
    uint64_t region_count;
    uint64_t pages_max;
    uint64_t category_inverted;
    uint64_t category_mask;
    uint64_t category_any_of_mask;
    uint64_t return_mask;
} weir_pagemap_scan_t;

#define WEIR_PAGEMAP_SCAN _IOWR('f', 16, weir_pagemap_scan_t)

#endif
