/*
 * contents.h: checks that a fresh instance sees nothing of what an earlier one wrote, and finds its data segments as
 * the module has them. For the child of a trial.
 */
#ifndef WEIR_ALLOCATOR_CONTENTS_H
#define WEIR_ALLOCATOR_CONTENTS_H

#include "allocator/subject.h"

/*
 * Create an instance, check, write all over its memory, grow it, write there too, drop it; and once more. `shape` is
 * the module's, `expected` what its contents are compared with (another only in tests). `rung` says how far a memory
 * may grow and what is kept of it. At most `places` pages are written and looked at, spread over the memory, beside
 * those of the data segments. On failure the subject's trouble says what was wrong.
 */
bool weir_contents_check(const weir_subject_t *subject, const weir_rung_t *rung, const weir_module_shape_t *shape,
    const weir_module_shape_t *expected, uint32_t places);

/* Places that leave little to chance, and those for what was proved before. */
enum { WEIR_CONTENTS_PLACES = 256, WEIR_CONTENTS_PLACES_QUICK = 32 };

#endif
