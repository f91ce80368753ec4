/*
 * build.h: `weir build`: the commands by which a manifest says that its components are built.
 */
#ifndef WEIR_CLI_BUILD_H
#define WEIR_CLI_BUILD_H

#include "app/manifest.h"
#include "cli/arguments.h"

#include <stdbool.h>

/*
 * Run the command; `argv[0]` is its name. Returns the exit status: 0 when all is built, 1 when a command failed, 2 when
 * the command line or the manifest is wrong; with --up what `weir up` returns.
 */
int weir_build_main(int argc, char **argv);

/*
 * Run the build commands of the components with these ids, of all when there are none, in the order of the manifest and
 * one after the other: each by sh(1), in its workdir below the manifest's directory, with this process's standard
 * streams and environment (Spin, crates/build/src/lib.rs). Says on standard output what it runs. Stops at the first
 * that fails: then returns false and stores a one-line message that names component, command and status, to be freed
 * with free(3), NULL when memory ran out. Signals should be as they were when the process began.
 */
bool weir_build_components(const weir_manifest_t *manifest, const weir_texts_t *ids, char **ret_message);

/*
 * Load the manifest that a path names, and do the same. A wasm file alone is built already: that is an error unless
 * `wasm_is_fine`. Logs what is wrong, and returns the exit status.
 */
int weir_build_application(const char *path, const weir_texts_t *ids, bool wasm_is_fine);

#endif
