/*
 * test_serve_deadline.c: lists, time limits and shares: the small pieces that the event loops are built from.
 */
#include "serve/deadline.h"
#include "serve/list.h"
#include "serve/shares.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct element {
    int number;
    weir_link_t link;
} element_t;

/* The numbers of a list's elements, as the digits of one. */
static int digits(const weir_list_t *list)
{
    int number = 0;
    for (weir_link_t *link = weir_list_first(list); link != NULL; link = weir_list_next(list, link)) {
        number = number * 10 + WEIR_CONTAINER(link, element_t, link)->number;
    }
    return number;
}

static void test_a_list_keeps_its_order(void **state)
{
    (void)state;
    weir_list_t list;
    element_t elements[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    weir_list_init(&list);
    assert_true(weir_list_is_empty(&list));
    assert_null(weir_list_first(&list));
    for (size_t i = 0; i < 4; i++) {
        assert_false(weir_link_is_linked(&elements[i].link));
        weir_list_append(&list, &elements[i].link);
        assert_true(weir_link_is_linked(&elements[i].link));
    }
    assert_int_equal(digits(&list), 1234);
    weir_link_remove(&elements[1].link);
    weir_link_remove(&elements[1].link); /* in none: nothing happens */
    assert_int_equal(digits(&list), 134);
    weir_list_append(&list, &elements[1].link);
    weir_link_remove(&elements[0].link);
    assert_int_equal(digits(&list), 342);

    weir_list_t other;
    weir_list_init(&other);
    weir_list_move(&list, &other);
    assert_true(weir_list_is_empty(&list));
    assert_int_equal(digits(&other), 342);
    weir_link_remove(&elements[3].link);
    weir_list_append(&list, &elements[3].link);
    assert_int_equal(digits(&other), 32);
    assert_int_equal(digits(&list), 4);
    weir_list_t empty;
    weir_list_init(&empty);
    weir_list_move(&empty, &list);
    assert_int_equal(digits(&list), 4);
}

static void test_limits_run_out_in_order(void **state)
{
    (void)state;
    weir_deadlines_t deadlines;
    weir_deadline_t first = {.at = 0};
    weir_deadline_t second = {.at = 0};
    weir_deadline_t third = {.at = 0};
    weir_deadlines_init(&deadlines, 100);
    assert_int_equal(weir_deadlines_next(&deadlines), UINT64_MAX);
    assert_null(weir_deadlines_expire(&deadlines, UINT64_MAX));
    weir_deadline_set(&deadlines, &first, 1000);
    weir_deadline_set(&deadlines, &second, 1010);
    weir_deadline_set(&deadlines, &third, 1020);
    assert_int_equal(weir_deadlines_next(&deadlines), 1100);
    assert_null(weir_deadlines_expire(&deadlines, 1099));
    weir_deadline_set(&deadlines, &first, 1030); /* anew: the last now */
    assert_int_equal(weir_deadlines_next(&deadlines), 1110);
    weir_deadline_lift(&third);
    assert_false(weir_deadline_is_set(&third));
    assert_ptr_equal(weir_deadlines_expire(&deadlines, 2000), &second);
    assert_false(weir_deadline_is_set(&second));
    assert_ptr_equal(weir_deadlines_expire(&deadlines, 1130), &first);
    assert_null(weir_deadlines_expire(&deadlines, 2000));
    weir_deadline_lift(&first);
    assert_int_equal(weir_deadlines_next(&deadlines), UINT64_MAX);
}

static void test_a_limit_beyond_the_end_of_time_never_runs_out(void **state)
{
    (void)state;
    weir_deadlines_t deadlines;
    weir_deadline_t deadline = {.at = 0};
    weir_deadlines_init(&deadlines, UINT64_MAX);
    weir_deadline_set(&deadlines, &deadline, 5);
    assert_int_equal(weir_deadlines_next(&deadlines), UINT64_MAX);
    assert_null(weir_deadlines_expire(&deadlines, UINT64_MAX - 1));
}

static void test_shares_are_even_and_together_the_whole(void **state)
{
    (void)state;
    static const uint32_t totals[] = {0, 1, 2, 7, 8, 16, 17, 1000, 1024, 4096, UINT32_MAX};
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
        for (unsigned count = 1; count <= 70; count++) {
            uint64_t sum = 0;
            uint32_t most = 0;
            uint32_t least = UINT32_MAX;
            for (unsigned index = 0; index < count; index++) {
                uint32_t share = weir_share(totals[i], count, index);
                sum += share;
                most = share > most ? share : most;
                least = share < least ? share : least;
            }
            assert_int_equal(sum, totals[i]);
            assert_true(most - least <= 1);
        }
    }
}

static void test_limits_of_many_lengths_run_out_in_order(void **state)
{
    (void)state;
    enum { MANY = 4 * WEIR_DEADLINE_LENGTHS };
    weir_deadline_lists_t lists;
    weir_deadline_t deadlines[MANY] = {{.at = 0}};
    weir_deadline_lists_init(&lists);
    assert_int_equal(weir_deadline_lists_next(&lists), UINT64_MAX);
    assert_null(weir_deadline_lists_expire(&lists, UINT64_MAX));
    for (unsigned round = 0; round < 3; round++) { /* lists take other lengths once they are empty */
        for (unsigned i = 0; i < MANY; i++) {
            uint64_t delay = 100 + (i * 37 + round * 11) % MANY; /* each once, in no order */
            weir_deadline_lists_set(&lists, &deadlines[i], delay, 1000);
            weir_deadline_lists_set(&lists, &deadlines[i], delay, 1000);
        }
        for (uint64_t now = 1100; now < 1100 + MANY; now++) {
            assert_int_equal(weir_deadline_lists_next(&lists), now);
            assert_null(weir_deadline_lists_expire(&lists, now - 1));
            weir_deadline_t *deadline = weir_deadline_lists_expire(&lists, now);
            assert_non_null(deadline);
            assert_int_equal(deadline->at, now);
            assert_null(weir_deadline_lists_expire(&lists, now));
        }
        assert_int_equal(weir_deadline_lists_next(&lists), UINT64_MAX);
    }
    weir_deadline_lists_set(&lists, &deadlines[0], UINT64_MAX, 5);
    assert_null(weir_deadline_lists_expire(&lists, UINT64_MAX - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_keeps_its_order),
        cmocka_unit_test(test_limits_run_out_in_order),
        cmocka_unit_test(test_a_limit_beyond_the_end_of_time_never_runs_out),
        cmocka_unit_test(test_limits_of_many_lengths_run_out_in_order),
        cmocka_unit_test(test_shares_are_even_and_together_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
