/*
 * configure.h: a rung as Wasmtime's configuration.
 */
#ifndef WEIR_ALLOCATOR_CONFIGURE_H
#define WEIR_ALLOCATOR_CONFIGURE_H

#include "weir/allocator.h"

/*
 * Set allocation strategy, reservation, guard, stack size and target. Leaves everything else alone, also whether the
 * process does without transparent huge pages: see weir_huge_pages_set. WEIR_ERROR_MEMORY
 * when there is no memory for it, WEIR_ERROR_UNAVAILABLE when this Wasmtime has no interpreter and the rung needs it;
 * the configuration is then of no use.
 */
weir_status_t weir_rung_configure(const weir_rung_t *rung, wasm_config_t *config);

/*
 * Whether a search for written pages finds all of them in this process: the library is put together so that its own
 * answer is given (weir_written_pages_are_found), and the kernel does not merge pages of it (KSM), which may make a
 * written page one of zeros that counts as untouched.
 */
bool weir_search_is_sound(void);

/* Limit malloc's arenas; 0 leaves them alone. Does nothing with another C library than glibc. */
void weir_limit_arenas(unsigned arenas);

#endif
