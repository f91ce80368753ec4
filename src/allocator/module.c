/*
 * module.c: the WebAssembly module of a trial.
 */
#include "allocator/module.h"

#include "allocator/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WASM_PAGE = 64 * 1024,
    TOUCHED_PAGES = 16,
    TOUCHED_PAGES_MOST = 1024,
    WALK_STEPS = 2000,
    TEXT_BYTES = 16 * 1024,
    KIND_MAX = 64
};

void weir_module_shape_make(const weir_needs_t *needs, weir_module_shape_t *ret_shape)
{
    uint64_t pages = needs->minimum_memory_bytes / WASM_PAGE;
    pages = pages == 0 ? 1 : pages;
    pages = pages > 65535 ? 65535 : pages;
    /* Behind the first page where there is room, as a compiler places data; close together, so that they are one image.
     */
    bool room = pages >= 3;
    uint32_t start = room ? WASM_PAGE : 0;
    uint32_t touched = room ? TOUCHED_PAGES : TOUCHED_PAGES / 2;
    /* A guest that begins with more writes more: about a twentieth of it. A power of two, for the walk below. */
    while (touched < TOUCHED_PAGES_MOST && touched * UINT64_C(2) * WEIR_MODULE_PAGE * 20 <= pages * WASM_PAGE) {
        touched *= 2;
    }
    *ret_shape = (weir_module_shape_t){
        .memory_bytes = pages * WASM_PAGE,
        .touched_at = start,
        .touched_pages = touched,
        .segment_at = {start + 64,
            room ? start + touched * WEIR_MODULE_PAGE + 2 * WEIR_MODULE_PAGE : WASM_PAGE - WEIR_MODULE_PAGE},
        .segment = {"a data segment that must be back", "another one, on a page that is not touched"},
    };
}

uint64_t weir_module_dirty_bytes(const weir_module_shape_t *shape)
{
    return shape->touched_at + (uint64_t)shape->touched_pages * WEIR_MODULE_PAGE;
}

char *weir_module_text(const weir_needs_t *needs, const weir_module_shape_t *shape)
{
    char *text = malloc(TEXT_BYTES);
    if (text == NULL) {
        return NULL;
    }
    uint64_t pages = shape->memory_bytes / WASM_PAGE;
    uint32_t memories = needs->memories > KIND_MAX ? KIND_MAX : needs->memories;
    uint32_t tables = needs->tables > KIND_MAX ? KIND_MAX : needs->tables;
    text[0] = '\0';
    bool whole = weir_text_append(text, TEXT_BYTES, "(module (memory (export \"memory\") %" PRIu64 ")\n", pages);
    for (uint32_t i = 1; i < memories; i++) {
        whole = whole && weir_text_append(text, TEXT_BYTES, "(memory %" PRIu64 ")\n", pages);
    }
    for (uint32_t i = 0; i < tables; i++) {
        whole = whole && weir_text_append(text, TEXT_BYTES, "(table %" PRIu32 " funcref)\n", needs->table_elements);
    }
    if (tables > 0 && needs->table_elements > 0) {
        whole = whole && weir_text_append(text, TEXT_BYTES, "(elem (table 0) (i32.const 0) func $work)\n");
    }
    for (unsigned i = 0; i < WEIR_MODULE_SEGMENTS; i++) {
        whole = whole && weir_text_append(text, TEXT_BYTES, "(data (i32.const %" PRIu32 ") \"%s\")\n",
                             shape->segment_at[i], shape->segment[i]);
    }
    whole = whole && weir_text_append(text, TEXT_BYTES,
                         "(func $work (export \"work\") (param $mark i32) (result i32) (local $i i32) (local $at i32)\n"
                         " (loop $touch\n"
                         "  (i32.store (i32.add (i32.const %" PRIu32 ") (i32.mul (local.get $i) (i32.const %u)))"
                         " (local.get $mark))\n"
                         "  (local.set $i (i32.add (local.get $i) (i32.const 1)))\n"
                         "  (br_if $touch (i32.lt_u (local.get $i) (i32.const %" PRIu32 "))))\n",
                         shape->touched_at, (unsigned)WEIR_MODULE_PAGE, shape->touched_pages);
    /* 68 is coprime enough to the mask that the first word is not met again: it still holds the mark. */
    whole = whole && weir_text_append(text, TEXT_BYTES,
                         " (local.set $i (i32.const 0))\n"
                         " (loop $walk\n"
                         "  (local.set $at (i32.add (i32.const %" PRIu32 ")"
                         " (i32.and (i32.mul (local.get $i) (i32.const 68)) (i32.const %" PRIu32 "))))\n"
                         "  (i32.store (local.get $at) (i32.add (i32.load (local.get $at)) (local.get $i)))\n"
                         "  (local.set $i (i32.add (local.get $i) (i32.const 1)))\n"
                         "  (br_if $walk (i32.lt_u (local.get $i) (i32.const %u))))\n"
                         " (i32.load (i32.const %" PRIu32 ")))\n",
                         shape->touched_at, shape->touched_pages * WEIR_MODULE_PAGE - 4, (unsigned)WALK_STEPS,
                         shape->touched_at);
    whole = whole && weir_text_append(text, TEXT_BYTES,
                         "(func (export \"dirty\") (param $at i32) (param $end i32) (param $step i32)\n"
                         " (loop $next\n"
                         "  (i32.store8 (local.get $at) (i32.const 0xa5))\n"
                         "  (local.set $at (i32.add (local.get $at) (local.get $step)))\n"
                         "  (br_if $next (i32.lt_u (local.get $at) (local.get $end)))))\n"
                         "(func (export \"grow\") (param $pages i32) (result i32)"
                         " (memory.grow (local.get $pages))))\n");
    if (!whole) {
        free(text);
        return NULL;
    }
    return text;
}

void weir_module_expected_page(const weir_module_shape_t *shape, uint64_t at, unsigned char page[WEIR_MODULE_PAGE])
{
    memset(page, 0, WEIR_MODULE_PAGE);
    for (unsigned i = 0; i < WEIR_MODULE_SEGMENTS; i++) {
        /* A segment lies within one page. */
        if (shape->segment_at[i] / WEIR_MODULE_PAGE == at / WEIR_MODULE_PAGE) {
            memcpy(page + shape->segment_at[i] % WEIR_MODULE_PAGE, shape->segment[i], strlen(shape->segment[i]));
        }
    }
}
