/*
 * test_serve_queue.c: who of those that wait comes next, and who gives way: pure lists, without a server.
 */
#include "serve/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { COMPONENTS = 3, WAITERS = 12 };

typedef struct world {
    weir_list_t turns;
    weir_queue_t queues[COMPONENTS];
    weir_waiter_t waiters[WAITERS];
} world_t;

/* Waiters 0, 1, 2 ... of these components come in this order. */
static void begin(world_t *world, const char *components)
{
    *world = (world_t){.turns = {{NULL, NULL}}};
    weir_list_init(&world->turns);
    for (size_t i = 0; i < COMPONENTS; i++) {
        weir_queue_init(&world->queues[i]);
    }
    for (size_t i = 0; components[i] != '\0'; i++) {
        world->waiters[i].number = i;
        weir_queue_add(&world->turns, &world->queues[components[i] - 'a'], &world->waiters[i]);
    }
}

static size_t index_of(const world_t *world, const weir_waiter_t *waiter)
{
    return (size_t)(waiter - world->waiters);
}

/* Let the next one in, as the admission does. */
static size_t admit(world_t *world)
{
    weir_queue_t *queue = WEIR_CONTAINER(weir_list_first(&world->turns), weir_queue_t, link);
    weir_waiter_t *waiter = weir_queue_oldest(queue);
    assert_true(weir_queue_remove(waiter));
    weir_queue_pass(&world->turns, queue);
    return index_of(world, waiter);
}

static void expect_order(const char *components, const char *order)
{
    world_t world;
    begin(&world, components);
    for (size_t i = 0; order[i] != '\0'; i++) {
        assert_false(weir_list_is_empty(&world.turns));
        assert_int_equal(admit(&world), order[i] - '0');
    }
    assert_true(weir_list_is_empty(&world.turns));
}

static void test_components_take_turns_and_within_one_the_first_comes_first(void **state)
{
    (void)state;
    expect_order("aaaa", "0123");
    expect_order("aaaab", "04123");
    expect_order("aaabbc", "035142");
    expect_order("cba", "012");
    expect_order("aabbaa", "021345");
}

static void test_a_queue_that_was_empty_comes_after_the_others(void **state)
{
    (void)state;
    world_t world;
    begin(&world, "ab");
    assert_int_equal(admit(&world), 0);
    world.waiters[2].number = 2;
    weir_queue_add(&world.turns, &world.queues[0], &world.waiters[2]); /* a again, at once */
    assert_int_equal(admit(&world), 1);
    assert_int_equal(admit(&world), 2);
}

static void test_one_that_waits_again_has_its_old_place(void **state)
{
    (void)state;
    world_t world;
    begin(&world, "aaa");
    assert_int_equal(admit(&world), 0);
    assert_int_equal(admit(&world), 1);
    weir_queue_add(&world.turns, &world.queues[0], &world.waiters[1]);
    weir_queue_add(&world.turns, &world.queues[0], &world.waiters[0]);
    assert_int_equal(world.queues[0].count, 3);
    assert_int_equal(admit(&world), 0);
    assert_int_equal(admit(&world), 1);
    assert_int_equal(admit(&world), 2);
}

static void test_one_that_does_not_wait_is_not_removed(void **state)
{
    (void)state;
    world_t world;
    weir_waiter_t none = {.number = 7};
    begin(&world, "ab");
    assert_false(weir_queue_remove(&none));
    assert_true(weir_queue_remove(&world.waiters[0]));
    assert_false(weir_queue_remove(&world.waiters[0]));
    assert_int_equal(world.queues[0].count, 0);
    assert_null(weir_queue_oldest(&world.queues[0]));
    assert_int_equal(admit(&world), 1);
}

static void test_the_youngest_of_the_longest_queue_gives_way_to_a_shorter_one(void **state)
{
    (void)state;
    const struct {
        const char *components;
        char newcomer;
        uint32_t longer_than;
        int gives_way; /* -1: nobody */
    } cases[] = {
        {"aaaa", 'b', 0, 3},
        {"aaaa", 'a', 0, -1},  /* its own burst */
        {"aabaa", 'b', 0, 4},  /* 4 to 2 */
        {"aaabb", 'b', 0, -1}, /* they would be equal */
        {"aaabb", 'c', 0, 2},  /* the longest */
        {"abab", 'c', 0, 2},   /* of equals the first in turn */
        {"ab", 'c', 0, -1},    /* nobody has more than it would have */
        {"", 'a', 0, -1},
        {"aaaa", 'b', 4, -1}, /* one elsewhere is longer */
        {"aaaaa", 'b', 4, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world_t world;
        begin(&world, cases[i].components);
        const weir_waiter_t *excess =
            weir_queue_excess(&world.turns, &world.queues[cases[i].newcomer - 'a'], cases[i].longer_than);
        int found = excess == NULL ? -1 : (int)index_of(&world, excess);
        if (found != cases[i].gives_way)
            fail_msg("case %zu, \"%s\": %d gives way, not %d", i, cases[i].components, found, cases[i].gives_way);
    }
}

static void test_each_of_many_bursts_gets_an_equal_share_of_the_room(void **state)
{
    (void)state;
    world_t world;
    const char *bursts = "aaaaaaaabc"; /* then b and c go on as long as somebody gives way */
    enum { ROOM = 10 };
    begin(&world, bursts);
    size_t next = ROOM;
    for (unsigned turn = 0; turn < 40; turn++) {
        weir_queue_t *queue = &world.queues[1 + turn % 2];
        weir_waiter_t *excess = weir_queue_excess(&world.turns, queue, 0);
        if (excess == NULL)
            continue;
        assert_ptr_equal(excess->queue, &world.queues[0]);
        weir_queue_remove(excess);
        excess->number = next++;
        weir_queue_add(&world.turns, queue, excess);
    }
    assert_int_equal(world.queues[0].count + world.queues[1].count + world.queues[2].count, ROOM);
    assert_int_equal(world.queues[0].count, 4);
    assert_int_equal(world.queues[1].count, 3);
    assert_int_equal(world.queues[2].count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_components_take_turns_and_within_one_the_first_comes_first),
        cmocka_unit_test(test_a_queue_that_was_empty_comes_after_the_others),
        cmocka_unit_test(test_one_that_waits_again_has_its_old_place),
        cmocka_unit_test(test_one_that_does_not_wait_is_not_removed),
        cmocka_unit_test(test_the_youngest_of_the_longest_queue_gives_way_to_a_shorter_one),
        cmocka_unit_test(test_each_of_many_bursts_gets_an_equal_share_of_the_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
