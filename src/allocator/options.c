/*
 * options.c: structures that programs fill, of any size that they ever had: members are only ever added, at the end.
 */
#include "allocator/options.h"

#include "allocator/placement.h"

#include <string.h>

/* Every member that was added takes whole units of this. */
static const size_t unit = sizeof(uint64_t);

static weir_status_t read_sized(const void *from, size_t size, size_t first, void *to, size_t whole)
{
    if (size > whole) {
        return WEIR_ERROR_VERSION;
    }
    if (size < first || size % unit != 0) {
        return WEIR_ERROR_INVALID;
    }
    memset(to, 0, whole);
    memcpy(to, from, size);
    return WEIR_OK;
}

void weir_choose_options_init_sized(weir_choose_options_t *options, size_t size)
{
    memset(options, 0, size);
    options->size = size;
}

void weir_workload_init_sized(weir_workload_t *workload, size_t size)
{
    memset(workload, 0, size);
    workload->size = size;
}

static bool needs_are_valid(const weir_needs_t *needs)
{
    return needs->minimum_memory_bytes <= UINT64_C(4) << 30 && needs->concurrency <= 1000000 &&
           needs->memories <= 1000 && needs->tables <= 1000 && needs->core_instances <= 10000 &&
           needs->stacks <= 1000 && needs->table_elements <= 10000000;
}

static bool options_are_valid(const weir_choose_options_t *options)
{
    bool valid = options->strategy <= WEIR_STRATEGY_ANY_POOL && needs_are_valid(&options->needs) &&
                 options->guest_count <= WEIR_GUESTS_MAX && (options->guest_count == 0) == (options->guests == NULL);
    for (size_t i = 0; valid && i < options->guest_count; i++) {
        valid = needs_are_valid(&options->guests[i]);
    }
    return valid;
}

weir_status_t weir_choose_options_read(const weir_choose_options_t *options, weir_choose_options_t *ret_options)
{
    weir_choose_options_t complete;
    weir_choose_options_t defaults;
    weir_choose_options_init(&defaults);
    options = options == NULL ? &defaults : options;
    weir_status_t status = read_sized(options, options->size, WEIR_CHOOSE_OPTIONS_FIRST, &complete, sizeof complete);
    if (status == WEIR_OK && !options_are_valid(&complete)) {
        status = WEIR_ERROR_INVALID;
    }
    if (status == WEIR_OK) {
        complete.size = sizeof complete;
        *ret_options = complete;
    }
    return status;
}

weir_status_t weir_workload_read(const weir_workload_t *workload, weir_workload_t *ret_workload)
{
    weir_status_t status =
        read_sized(workload, workload->size, WEIR_WORKLOAD_FIRST, ret_workload, sizeof *ret_workload);
    if (status == WEIR_OK) {
        ret_workload->size = sizeof *ret_workload;
    }
    return status;
}
