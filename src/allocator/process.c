/*
 * process.c: what this process is at the moment.
 */
#include "allocator/process.h"

#include "allocator/procfs.h"

#include <dirent.h>
#include <stddef.h>

#if defined(__has_include)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define KNOWS_ITS_THREADS
#endif
#endif

/* ThreadSanitizer has a thread of its own from the start, and takes care of forks. */
#if defined(__SANITIZE_THREAD__)
enum { THREADS_OF_ITS_OWN = 1 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
enum { THREADS_OF_ITS_OWN = 1 };
#else
enum { THREADS_OF_ITS_OWN = 0 };
#endif
#else
enum { THREADS_OF_ITS_OWN = 0 };
#endif

/* What the C library (glibc, since 2.32) says where /proc does not: a thread that it did not make escapes it. */
static bool may_have_threads(void)
{
#ifdef KNOWS_ITS_THREADS
    return __libc_single_threaded == 0;
#else
    return false;
#endif
}

bool weir_process_has_threads(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/task");
    if (directory == NULL) {
        return may_have_threads();
    }
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        count += entry->d_name[0] != '.' ? 1 : 0;
    }
    closedir(directory);
    /* A user-mode emulator has a thread of its own, and shows it: qemu's, for RCU. */
    bool same = true;
    bool emulated = weir_procfs_same_link("", "/proc/self/exe", "/proc/thread-self/exe", &same) && !same;
    return count > 1 + THREADS_OF_ITS_OWN + (emulated ? 1 : 0);
}
