/*
 * precompile.h: compiles what the trials left uncompiled, where it can do no harm.
 */
#ifndef WEIR_CLI_PRECOMPILE_H
#define WEIR_CLI_PRECOMPILE_H

#include "allocator/child.h"
#include "cli/application.h"
#include "weir/allocator.h"

typedef enum weir_precompiled {
    WEIR_PRECOMPILED = 0,
    WEIR_PRECOMPILE_INVALID = 1, /* a component is no WebAssembly that Wasmtime takes */
    WEIR_PRECOMPILE_REFUSED = 2, /* the machine has not got what compiling takes */
} weir_precompiled_t;

/*
 * Compile the components of the choice's pool whose code is not there, in a child process: a compiler that runs out of
 * memory ends its process, and compiling takes some 35 times as much as the wasm. The child has no pool, which would
 * take what it needs. To be called while the process has one thread, before its engines are made. Returns
 * WEIR_PRECOMPILED when the code is there, or when only this process can compile it (there is no memfd). On failure
 * stores a one-line message that names the component and what to do, to be freed with free(3), NULL when memory ran
 * out.
 */
weir_precompiled_t weir_application_precompile(
    weir_application_t *application, const weir_choice_t *choice, char **ret_message);

/*
 * Why a child that was to compile this component, whose code is missing, ended without a word, and what to do, in one
 * line, to be freed with free(3). NULL: memory ran out.
 */
char *weir_precompile_explain(const weir_application_t *application, size_t missing, const weir_child_result_t *result);

#endif
