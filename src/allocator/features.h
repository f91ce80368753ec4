/*
 * features.h: what the kernel grants, found by trying it in a child process: a seccomp filter may answer with a signal.
 */
#ifndef WEIR_ALLOCATOR_FEATURES_H
#define WEIR_ALLOCATOR_FEATURES_H

/* What is tried. */
typedef enum weir_feature {
    WEIR_FEATURE_EXECUTABLE_MEMORY = 0, /* memory that was written is made executable */
    WEIR_FEATURE_PAGEMAP_SCAN = 1,      /* the ioctl PAGEMAP_SCAN finds a page that was written */
    WEIR_FEATURE_PROCESS_MADVISE = 2,   /* process_madvise empties pages of this process */
    WEIR_FEATURE_PROTECTION_KEYS = 3,   /* pkey_alloc gives a key */
    WEIR_FEATURE_MEMORY_FILES = 4,      /* memfd_create gives a file that can be mapped copy-on-write */
    WEIR_FEATURES = 5,
} weir_feature_t;

typedef enum weir_grant {
    WEIR_GRANT_UNKNOWN = 0,
    WEIR_GRANT_YES = 1,
    WEIR_GRANT_NO = 2,
} weir_grant_t;

typedef struct weir_features {
    weir_grant_t grants[WEIR_FEATURES];
} weir_features_t;

/*
 * Try all of them. Forks, as weir_child_run does, once, and once more for each attempt that ends the child: that one is
 * refused. What could not be tried in time, or for want of memory or processes, is unknown.
 */
void weir_features_try(weir_features_t *ret_features);

#endif
