/*
 * test_serve_accept.c: which loop gets a connection, by arithmetic alone.
 */
#include "serve/accept.h"
#include "serve/limits.h"
#include "serve/shared.h"

#include <stdio.h>
#include <string.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

enum { LOOPS = 3, ROOM = 1000, BUSY = WEIR_COMPUTING_CONNECTIONS };

/* Loop 0 has accepted it. */
static const struct {
    const char *name;
    unsigned connections[LOOPS];
    unsigned computing[LOOPS];
    bool draining;
    unsigned chosen;
} rows[] = {
    {"all the same", {5, 5, 5}, {0, 0, 0}, false, 0},
    {"another has fewer", {5, 4, 5}, {0, 0, 0}, false, 1},
    {"the one with the fewest", {5, 4, 3}, {0, 0, 0}, false, 2},
    {"a guest computes here", {1, 1, 2}, {1, 0, 0}, false, 1},
    {"a guest computes there", {5, 4, 5}, {0, 1, 0}, false, 0},
    {"guests compute everywhere", {5, 4, 5}, {1, 1, 1}, false, 1},
    {"fewer of them", {5, 5, 5}, {3, 2, 3}, false, 1},
    {"so many connections weigh as much", {0, BUSY, BUSY}, {1, 0, 0}, false, 0},
    {"one fewer weighs less", {0, BUSY, BUSY - 1}, {1, 0, 0}, false, 2},
    {"no room there", {ROOM - 1, ROOM, ROOM}, {100, 0, 0}, false, 0},
    {"it drains, and keeps what it has", {5, 0, 0}, {1, 0, 0}, true, 0},
};

static void test_connection_goes_to_the_loop_that_has_least_to_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_loop_t loops[LOOPS];
        struct weir_server server;
        memset(loops, 0, sizeof(loops));
        memset(&server, 0, sizeof(server));
        server.loops = loops;
        server.loop_count = LOOPS;
        for (unsigned k = 0; k < LOOPS; k++) {
            loops[k].server = &server;
            loops[k].max_connections = ROOM;
            loops[k].draining = rows[i].draining;
            atomic_init(&loops[k].connection_count, rows[i].connections[k]);
            atomic_init(&loops[k].computing, rows[i].computing[k]);
        }
        unsigned chosen = (unsigned)(weir_accept_choose(&loops[0]) - loops);
        if (chosen != rows[i].chosen) {
            fail_msg("%s: loop %u where %u was due", rows[i].name, chosen, rows[i].chosen);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection_goes_to_the_loop_that_has_least_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
