/*
 * directory.h: the directories above a path. In this room because more than one room makes them, and it uses none.
 */
#ifndef WEIR_OBSERVE_DIRECTORY_H
#define WEIR_OBSERVE_DIRECTORY_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Make the directories that a path's last part is in, as far as they are not there, with this mode but for the umask.
 * What is no directory is noticed with the part that follows. Returns false with errno set; what was made until then
 * stays. Any thread.
 */
bool weir_directory_make_parents(const char *path, mode_t mode);

#endif
