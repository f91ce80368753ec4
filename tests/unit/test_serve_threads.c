/*
 * test_serve_threads.c: what the server's threads tell each other: messages through an inbox, and the tick that ends
 * time slices.
 */
#include "serve/inbox.h"
#include "serve/list.h"
#include "serve/ticker.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { SENDERS = 4, MESSAGES = 5000, PATIENCE_MILLISECONDS = 20000 };

typedef struct note {
    weir_message_t message;
    unsigned sender;
    unsigned number;
} note_t;

typedef struct sender {
    pthread_t thread;
    weir_inbox_t *inbox;
    unsigned index;
} sender_t;

static void *send_all(void *argument)
{
    sender_t *sender = argument;
    for (unsigned i = 0; i < MESSAGES; i++) {
        note_t *note = calloc(1, sizeof(*note));
        if (note == NULL) {
            abort();
        }
        note->message.kind = WEIR_MESSAGE_WAKE;
        note->sender = sender->index;
        note->number = i;
        weir_inbox_put(sender->inbox, &note->message);
    }
    weir_inbox_release(sender->inbox);
    return NULL;
}

/* Takes every message, sleeping as a loop does; a lost wake-up makes the wait run into its time limit. */
static void test_each_message_arrives_once_in_its_senders_order_and_wakes_who_sleeps(void **state)
{
    (void)state;
    weir_inbox_t *inbox = weir_inbox_new();
    assert_non_null(inbox);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, weir_inbox_descriptor(inbox), &event), 0);
    sender_t senders[SENDERS];
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (sender_t){.inbox = weir_inbox_retain(inbox), .index = i};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    unsigned next[SENDERS] = {0};
    unsigned taken = 0;
    while (taken < SENDERS * MESSAGES) {
        if (weir_inbox_may_sleep(inbox)) {
            assert_int_equal(epoll_wait(epoll, &event, 1, PATIENCE_MILLISECONDS), 1);
        }
        weir_inbox_awake(inbox);
        weir_message_t *message = weir_inbox_take(inbox);
        while (message != NULL) {
            note_t *note = WEIR_CONTAINER(message, note_t, message);
            message = message->next;
            assert_int_equal(note->number, next[note->sender]);
            next[note->sender]++;
            taken++;
            free(note);
        }
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
    }
    assert_null(weir_inbox_take(inbox));
    close(epoll);
    weir_inbox_release(inbox);
}

static void test_a_message_for_one_who_does_not_sleep_writes_nothing(void **state)
{
    (void)state;
    weir_inbox_t *inbox = weir_inbox_new();
    assert_non_null(inbox);
    struct pollfd descriptor = {.fd = weir_inbox_descriptor(inbox), .events = POLLIN};
    note_t notes[2] = {{.number = 1}, {.number = 2}};
    weir_inbox_put(inbox, &notes[0].message);
    assert_int_equal(poll(&descriptor, 1, 0), 0);
    assert_false(weir_inbox_may_sleep(inbox)); /* there is something to do */
    assert_ptr_equal(weir_inbox_take(inbox), &notes[0].message);
    assert_true(weir_inbox_may_sleep(inbox));
    weir_inbox_put(inbox, &notes[1].message);
    assert_int_equal(poll(&descriptor, 1, 0), 1);
    weir_inbox_awake(inbox);
    assert_ptr_equal(weir_inbox_take(inbox), &notes[1].message);
    weir_inbox_release(inbox);
}

static void count_tick(void *context)
{
    atomic_fetch_add((atomic_uint *)context, 1);
}

static void nap(long milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void wait_for_ticks(const weir_ticker_t *ticker, uint32_t least)
{
    for (unsigned waited = 0; weir_ticker_count(ticker) < least; waited++) {
        assert_true(waited < PATIENCE_MILLISECONDS);
        nap(1);
    }
}

static void test_it_ticks_while_a_guest_runs_and_only_then(void **state)
{
    (void)state;
    atomic_uint ticks;
    atomic_init(&ticks, 0);
    weir_ticker_t *ticker = weir_ticker_new(2, WEIR_TICK_MILLISECONDS, count_tick, &ticks);
    assert_non_null(ticker);
    assert_int_equal(weir_ticker_count(ticker), 0);
    for (unsigned round = 1; round <= 3; round++) {
        uint32_t before = weir_ticker_count(ticker);
        weir_ticker_begin(ticker, round % 2);
        wait_for_ticks(ticker, before + 3);
        weir_ticker_end(ticker, round % 2);
        /* One tick may be under way; no other follows in twice the time after which the ticker sleeps. */
        uint32_t after = weir_ticker_count(ticker);
        nap(2 * 100);
        assert_true(weir_ticker_count(ticker) <= after + 1);
    }
    /* Both at once, and one goes on. */
    uint32_t before = weir_ticker_count(ticker);
    weir_ticker_begin(ticker, 0);
    weir_ticker_begin(ticker, 1);
    weir_ticker_end(ticker, 0);
    wait_for_ticks(ticker, before + 2);
    weir_ticker_end(ticker, 1);
    weir_ticker_free(ticker);
    assert_true(atomic_load(&ticks) >= 11);
    weir_ticker_free(NULL);
}

static void test_it_can_be_told_never_to_tick(void **state)
{
    (void)state;
    atomic_uint ticks;
    atomic_init(&ticks, 0);
    weir_ticker_t *ticker = weir_ticker_new(1, WEIR_TICK_NEVER, count_tick, &ticks);
    assert_non_null(ticker);
    weir_ticker_begin(ticker, 0);
    nap(20 * WEIR_TICK_MILLISECONDS);
    assert_int_equal(weir_ticker_count(ticker), 0);
    weir_ticker_end(ticker, 0);
    weir_ticker_free(ticker);
    assert_int_equal(atomic_load(&ticks), 0);
}

typedef struct runner {
    pthread_t thread;
    weir_ticker_t *ticker;
    unsigned index;
} runner_t;

static void *run_shortly(void *argument)
{
    runner_t *runner = argument;
    for (unsigned i = 0; i < 20000; i++) {
        weir_ticker_begin(runner->ticker, runner->index);
        weir_ticker_end(runner->ticker, runner->index);
    }
    return NULL;
}

static void test_it_wakes_after_any_number_of_short_runs(void **state)
{
    (void)state;
    atomic_uint ticks;
    atomic_init(&ticks, 0);
    runner_t runners[2];
    weir_ticker_t *ticker = weir_ticker_new(2, WEIR_TICK_MILLISECONDS, count_tick, &ticks);
    assert_non_null(ticker);
    for (unsigned i = 0; i < 2; i++) {
        runners[i] = (runner_t){.ticker = ticker, .index = i};
        assert_int_equal(pthread_create(&runners[i].thread, NULL, run_shortly, &runners[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(runners[i].thread, NULL);
    }
    weir_ticker_begin(ticker, 0);
    wait_for_ticks(ticker, weir_ticker_count(ticker) + 2);
    weir_ticker_end(ticker, 0);
    weir_ticker_free(ticker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_message_arrives_once_in_its_senders_order_and_wakes_who_sleeps),
        cmocka_unit_test(test_a_message_for_one_who_does_not_sleep_writes_nothing),
        cmocka_unit_test(test_it_ticks_while_a_guest_runs_and_only_then),
        cmocka_unit_test(test_it_can_be_told_never_to_tick),
        cmocka_unit_test(test_it_wakes_after_any_number_of_short_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
