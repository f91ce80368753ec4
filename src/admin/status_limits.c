/*
 * status_limits.c: from what was asked for, and what the allocator has room for, to what is in force.
 */
#include "admin/status_limits.h"

#include <string.h>

static bool is_of_memory(const weir_board_limit_t *limit)
{
    return strcmp(limit->name, "max_instance_memory_bytes") == 0;
}

/* The larger of two sizes of slots, 0 being without a bound. */
static uint64_t larger(uint64_t one, uint64_t other)
{
    return one == 0 || other == 0 ? 0 : one > other ? one : other;
}

/* What counts of a limit where there is room for `most`, 0: for whatever is asked for. */
static double within(double limit, double most)
{
    return most > 0 && (limit < 0 || most < limit) ? most : limit;
}

/*
 * What of a limit is in force, where the allocator has its part in it: no more guests at once than the engines that
 * serve now have calls, and no larger memories than the largest slot. Below 0: there is no limit.
 */
static double in_force(
    const weir_board_t *board, const weir_board_limit_t *limit, const weir_pool_reading_t *pools, size_t pool_count)
{
    const weir_board_allocator_t *allocator = board->allocator;
    double most = 0;
    if (strcmp(limit->name, "max_concurrency") == 0) {
        for (size_t i = 0; i < pool_count; i++) {
            most += pools[i].current ? (double)pools[i].max_calls : 0;
        }
    } else if (is_of_memory(limit) && allocator != NULL) {
        uint64_t slot = allocator->rung.slot_bytes;
        most = (double)(allocator->has_apart ? larger(slot, allocator->apart.slot_bytes) : slot);
    }
    return within(limit->value, most);
}

static void write_limit(weir_json_t *json, const char *name, double value)
{
    if (value < 0) {
        weir_json_null(json, name);
    } else {
        weir_json_real(json, name, value);
    }
}

void weir_status_write_limits(
    weir_json_t *json, const weir_board_t *board, const weir_pool_reading_t *pools, size_t pool_count)
{
    weir_json_open(json, "limits", '{');
    for (size_t i = 0; i < board->limit_count; i++) {
        write_limit(json, board->limits[i].name, in_force(board, &board->limits[i], pools, pool_count));
    }
    weir_json_close(json, '}');
}

/* A component of the application that is served; NULL: there is none of this name. `near`: where it may be. */
static const weir_board_component_t *find_component(
    const weir_board_application_t *application, const char *id, size_t near)
{
    size_t count = application == NULL ? 0 : application->component_count;
    for (size_t i = 0; i < count; i++) {
        const weir_board_component_t *component = &application->components[(near + i) % count];
        if (strcmp(component->id, id) == 0) {
            return component;
        }
    }
    return NULL;
}

void weir_status_write_limits_of(weir_json_t *json, const weir_board_t *board, const char *id, size_t near)
{
    const weir_board_component_t *component = find_component(board->application, id, near);
    const weir_board_allocator_t *allocator = board->allocator;
    if (component == NULL) {
        weir_json_null(json, "limits");
        return;
    }
    weir_json_open(json, "limits", '{');
    for (size_t i = 0; i < component->limit_count; i++) {
        const weir_board_limit_t *limit = &component->limits[i];
        bool is_apart = component->apart && allocator != NULL && allocator->has_apart;
        uint64_t slot = allocator == NULL ? 0 : is_apart ? allocator->apart.slot_bytes : allocator->rung.slot_bytes;
        write_limit(json, limit->name, within(limit->value, is_of_memory(limit) ? (double)slot : 0));
    }
    weir_json_close(json, '}');
}
