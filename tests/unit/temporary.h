/*
 * temporary.h: a directory of a test's own, and its end.
 */
#ifndef TESTS_UNIT_TEMPORARY_H
#define TESTS_UNIT_TEMPORARY_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static inline int temporary_remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

/* Remove a directory with all that is in it. 0: done. */
static inline int temporary_remove(const char *path)
{
    return nftw(path, temporary_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
