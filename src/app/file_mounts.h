/*
 * file_mounts.h: which directories may be given to guests in place and to be written to. Private to this room.
 */
#ifndef WEIR_APP_FILE_MOUNTS_H
#define WEIR_APP_FILE_MOUNTS_H

#include "app/files.h"

/*
 * A guest can put a symbolic link in the place of anything below a directory that it may write to. Mounts are opened
 * for each instance, and found again by the next start: so no way to one, from the root on and through the links that
 * there are, may pass what is below another, nor below itself; and no way to what is in `settings->kept`.
 *
 * `components` has a mount for each entry of "files" of those that run, in that order. Returns false, with a message as
 * weir_files_prepare, when one may not be given; the message names it.
 */
bool weir_file_mounts_check(const weir_manifest_t *manifest, const weir_files_settings_t *settings,
    const weir_component_files_t *components, char **ret_message);

#endif
