/*
 * test_choice_later.c: a decision of an earlier start that is proved while its caller goes on: real children.
 */
#include "allocator/choice.h"
#include "temporary.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

enum { ATTEMPTS = 20, DEADLINE = 2000 };

static weir_choice_t *choose(const char *directory, bool later)
{
    weir_choose_options_t options;
    weir_choice_t *choice = NULL;
    weir_choose_options_init(&options);
    options.cache_directory = directory;
    options.needs.concurrency = 16;
    options.trial_milliseconds = DEADLINE;
    options.prove_later = later ? 1 : 0;
    assert_int_equal(weir_allocator_choose(&options, &choice), WEIR_OK);
    return choice;
}

/* One that was decided before. A machine that is busy may have to decide more than once before it remembers. */
static weir_choice_t *choose_again(const char *directory, bool later)
{
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        weir_choice_t *choice = choose(directory, later);
        if (weir_choice_is_remembered(choice)) {
            return choice;
        }
        assert_null(choice->proof);
        assert_true(weir_choice_await(choice));
        weir_choice_free(choice);
    }
    fail_msg("nothing was remembered");
    return NULL;
}

static bool has_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void need_room(const weir_choice_t *choice)
{
    if (choice->proof == NULL) {
        print_message("skipped: here a decision is proved before anything else is done (little room, or emulated)\n");
        skip();
    }
}

static int setup(void **state)
{
    static char directory[] = "/tmp/weir-later-XXXXXX";
    memcpy(strrchr(directory, '-') + 1, "XXXXXX", 6);
    *state = mkdtemp(directory);
    return *state == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    return temporary_remove(*state);
}

static void it_is_proved_while_its_caller_goes_on(void **state)
{
    weir_choice_t *choice = choose_again(*state, true);
    need_room(choice);
    assert_true(has_children());
    assert_non_null(weir_choice_rung(choice));
    assert_true(weir_choice_await(choice));
    assert_null(choice->proof);
    assert_false(has_children());
    assert_true(weir_choice_milliseconds(choice) > 0);
    assert_true(weir_choice_await(choice)); /* there is nothing to wait for any more */
    weir_choice_free(choice);
}

static void what_was_not_asked_to_be_proved_later_has_been(void **state)
{
    weir_choice_t *choice = choose_again(*state, false);
    assert_null(choice->proof);
    assert_false(has_children());
    assert_true(weir_choice_await(choice));
    weir_choice_free(choice);
}

/* Stop the trial where it is. Returns its process, or 0 when it was done already. */
static pid_t stop_child(void)
{
    char path[64];
    int child = 0;
    siginfo_t info = {.si_code = 0};
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    FILE *children = fopen(path, "r");
    if (children == NULL || fscanf(children, "%d", &child) != 1) {
        print_message("skipped: %s names no child (CONFIG_PROC_CHILDREN)\n", path);
        skip();
    }
    fclose(children);
    assert_int_equal(kill(child, SIGSTOP), 0);
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WSTOPPED | WEXITED | WNOWAIT), 0);
    return info.si_code == CLD_STOPPED ? child : 0;
}

/* What it has said in time counts, however late somebody listens. */
static void a_caller_that_comes_after_the_deadline_gets_what_the_trial_said(void **state)
{
    siginfo_t info;
    weir_choice_t *choice = choose_again(*state, true);
    need_room(choice);
    double until = weir_clock_milliseconds() + DEADLINE;
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
    while (weir_clock_milliseconds() <= until) {
        usleep(10000);
    }
    assert_true(weir_choice_await(choice));
    assert_true(weir_choice_milliseconds(choice) < DEADLINE);
    weir_choice_free(choice);
}

static void a_trial_that_fails_is_told(void **state)
{
    weir_choice_t *choice = NULL;
    pid_t child = 0;
    for (unsigned i = 0; child == 0 && i < ATTEMPTS; i++) {
        weir_choice_free(choice);
        choice = choose_again(*state, true);
        need_room(choice);
        child = stop_child();
    }
    assert_true(child > 0);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_false(weir_choice_await(choice));
    assert_false(has_children());
    weir_choice_free(choice);
    /* What is remembered stays: the next start proves it, or decides anew. */
    choice = choose(*state, false);
    assert_non_null(weir_choice_rung(choice));
    weir_choice_free(choice);
}

static void one_that_is_freed_leaves_no_child(void **state)
{
    weir_choice_t *choice = choose_again(*state, true);
    weir_choice_free(choice);
    assert_false(has_children());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_proved_while_its_caller_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_not_asked_to_be_proved_later_has_been, setup, teardown),
        cmocka_unit_test_setup_teardown(a_trial_that_fails_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_caller_that_comes_after_the_deadline_gets_what_the_trial_said, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_freed_leaves_no_child, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
