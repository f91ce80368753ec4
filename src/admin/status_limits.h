/*
 * status_limits.h: the limits that are in force, as parts of the status document.
 */
#ifndef WEIR_ADMIN_STATUS_LIMITS_H
#define WEIR_ADMIN_STATUS_LIMITS_H

#include "admin/board.h"
#include "admin/write.h"
#include "serve/server.h"

#include <stddef.h>

/* Write those of the server, as the member "limits". With the board's lock. */
void weir_status_write_limits(
    weir_json_t *json, const weir_board_t *board, const weir_pool_reading_t *pools, size_t pool_count);

/*
 * Write those of a component, as the member "limits": null where it is served no more. `near`: where it may be found
 * among the application's components. With the board's lock.
 */
void weir_status_write_limits_of(weir_json_t *json, const weir_board_t *board, const char *id, size_t near);

#endif
