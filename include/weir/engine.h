/*
 * weir/engine.h: an engine of Wasmtime, or the reason why there is none. Wasmtime's own constructors end the process
 * where the system refuses what the configuration wants.
 */
#ifndef WEIR_ENGINE_H
#define WEIR_ENGINE_H

#include <wasm.h>
#include <wasmtime.h>

/* Structures and functions of the C API change from one major version to the next. */
#if WASMTIME_VERSION_MAJOR != 48
#error "this wasmtime.h is not the one that belongs to libweir: use the flags of `pkg-config --cflags weir`"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Create an engine, as wasm_engine_new_with_config does, but return the refusal instead of ending the process.
 *
 * Takes ownership of `config` in every case. On success returns NULL and stores an engine to be deleted with
 * weir_engine_delete or wasm_engine_delete. On failure returns an error to be deleted with wasmtime_error_delete,
 * leaves `*ret_engine` untouched, and stores the errno of the system call that was refused, or 0 when none was, in
 * `*ret_errno` (which may be NULL). Any thread.
 */
wasmtime_error_t *weir_engine_new(wasm_config_t *take_config, wasm_engine_t **ret_engine, int *ret_errno);

/*
 * Delete an engine, as wasm_engine_delete does, but contain what Wasmtime panics with when the system refuses to take
 * memory back: the process goes on, and that memory is lost to it. NULL is allowed. Any thread.
 */
void weir_engine_delete(wasm_engine_t *own_engine);

#ifdef __cplusplus
}
#endif
#endif
