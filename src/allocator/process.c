/*
 * process.c: what this process is at the moment.
 */
#include "allocator/process.h"

#include "allocator/procfs.h"

#include <dirent.h>
#include <stddef.h>

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

bool weir_process_has_threads(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/task");
    if (directory == NULL) {
        return false;
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
