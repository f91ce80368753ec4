/*
 * contents.c: checks that a fresh instance is fresh. A system may hand out memory that still holds what an earlier
 * instance wrote (qemu-user before 7.1 ignored MADV_DONTNEED).
 */
#include "allocator/contents.h"

#include <string.h>

enum {
    ROUNDS = 2,
    WASM_PAGE = 64 * 1024,
};

/* Beyond what is kept resident, so that both ways of clearing a slot are seen. */
static const uint64_t growth_beyond_kept = UINT64_C(512) * 1024;

typedef struct check {
    const weir_subject_t *subject;
    const weir_module_shape_t *shape;
    const weir_module_shape_t *expected;
    bool pool;
    uint32_t places;
    uint64_t growth_pages; /* of 64 KiB */
} check_t;

static bool wrong(const check_t *check, const char *words)
{
    return weir_trouble_note(check->subject->trouble, WEIR_OUTCOME_CONTENTS, "contents", words);
}

static uint32_t dirty_step(const check_t *check, uint64_t bytes)
{
    uint64_t step = bytes / check->places / WEIR_MODULE_PAGE * WEIR_MODULE_PAGE;
    return step < WEIR_MODULE_PAGE ? WEIR_MODULE_PAGE : (uint32_t)step;
}

static bool is_fresh(const check_t *check, weir_instance_t *instance, uint64_t from, uint64_t to)
{
    unsigned char expected[WEIR_MODULE_PAGE];
    size_t size = 0;
    const unsigned char *memory = weir_instance_memory(instance, &size);
    uint32_t step = dirty_step(check, to - from);
    if (size != to) {
        return wrong(check, "a fresh memory has not the size that it begins with");
    }
    for (uint64_t at = from; at < to; at += step) {
        weir_module_expected_page(check->expected, at, expected);
        if (memcmp(memory + at, expected, WEIR_MODULE_PAGE) != 0) {
            return wrong(check,
                "a fresh instance's memory is not what the module says: it holds what an earlier instance wrote");
        }
    }
    /* The data segments, wherever the steps fell. */
    for (unsigned i = 0; i < WEIR_MODULE_SEGMENTS; i++) {
        uint64_t at = check->expected->segment_at[i] / WEIR_MODULE_PAGE * WEIR_MODULE_PAGE;
        weir_module_expected_page(check->expected, at, expected);
        if (at >= from && at < to && memcmp(memory + at, expected, WEIR_MODULE_PAGE) != 0) {
            return wrong(check, "a fresh instance's data segments are not as the module has them");
        }
    }
    return true;
}

static bool make_dirty(const check_t *check, weir_instance_t *instance, uint64_t from, uint64_t to)
{
    const int32_t arguments[] = {(int32_t)from, (int32_t)to, (int32_t)dirty_step(check, to - from)};
    if (!weir_instance_call(check->subject, instance, "dirty", arguments, 3, NULL)) {
        return false;
    }
    for (unsigned i = 0; i < WEIR_MODULE_SEGMENTS && from == 0; i++) {
        const int32_t at = (int32_t)check->shape->segment_at[i];
        const int32_t segment[] = {at, at + 16, 1};
        if (!weir_instance_call(check->subject, instance, "dirty", segment, 3, NULL)) {
            return false;
        }
    }
    return true;
}

static bool check_instance(check_t *check, weir_instance_t *instance)
{
    uint64_t size = check->shape->memory_bytes;
    if (!is_fresh(check, instance, 0, size) || !make_dirty(check, instance, 0, size)) {
        return false;
    }
    if (check->growth_pages == 0) {
        return true;
    }
    const int32_t pages = (int32_t)check->growth_pages;
    int32_t before = -1;
    if (!weir_instance_call(check->subject, instance, "grow", &pages, 1, &before)) {
        return false;
    }
    if (before < 0) {
        check->growth_pages = 0;
        return !check->pool || weir_trouble_note(check->subject->trouble, WEIR_OUTCOME_REFUSED, "growth",
                                   "a memory could not grow within its slot");
    }
    uint64_t grown = size + check->growth_pages * WASM_PAGE;
    return is_fresh(check, instance, size, grown) && make_dirty(check, instance, size, grown);
}

bool weir_contents_check(const weir_subject_t *subject, const weir_rung_t *rung, const weir_module_shape_t *shape,
    const weir_module_shape_t *expected, uint32_t places)
{
    uint64_t size = shape->memory_bytes;
    uint64_t kept = rung->memory_keep_resident_bytes;
    uint64_t most = rung->tier == WEIR_TIER_ONDEMAND ? size + growth_beyond_kept : rung->slot_bytes;
    uint64_t wanted = (kept > size ? kept : size) + growth_beyond_kept;
    wanted = wanted > most ? most : wanted;
    check_t check = {.subject = subject,
        .shape = shape,
        .expected = expected,
        .places = places,
        .pool = rung->tier != WEIR_TIER_ONDEMAND,
        .growth_pages = wanted > size ? (wanted - size) / WASM_PAGE : 0};
    for (unsigned round = 0; round < ROUNDS; round++) {
        weir_instance_t instance = {.store = NULL};
        bool good = weir_instance_open(subject, &instance) && check_instance(&check, &instance);
        weir_instance_close(&instance);
        if (!good) {
            return false;
        }
    }
    return true;
}
