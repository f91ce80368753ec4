/*
 * test_metrics.c: counters as loops write them and others read them, and what a histogram says of the times it has
 * counted.
 */
#include "observe/metrics.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 4, REQUESTS = 20000 };

static void test_every_time_falls_into_the_bucket_whose_bound_is_the_next(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEIR_HISTOGRAM_BOUNDS; i++) {
        weir_histogram_t histogram = {0};
        weir_distribution_t distribution = {0};
        assert_true(i == 0 || weir_histogram_bounds[i] > weir_histogram_bounds[i - 1]);
        weir_histogram_note(&histogram, weir_histogram_bounds[i]);
        weir_histogram_note(&histogram, weir_histogram_bounds[i] + 1);
        weir_histogram_read(&histogram, &distribution);
        assert_int_equal(distribution.buckets[i], 1);
        assert_int_equal(distribution.buckets[i + 1], 1);
        assert_int_equal(distribution.count, 2);
        assert_int_equal(distribution.sum, 2 * weir_histogram_bounds[i] + 1);
    }
}

static void test_a_quantile_is_within_half_of_the_time_that_it_stands_for(void **state)
{
    (void)state;
    /* 100,000 times from 1 to 100 ms, evenly. */
    weir_histogram_t histogram = {0};
    weir_distribution_t distribution = {0};
    for (uint64_t i = 1; i <= 100000; i++)
        weir_histogram_note(&histogram, i * 1000);
    weir_histogram_read(&histogram, &distribution);
    static const struct {
        double share;
        double milliseconds;
    } rows[] = {{0.5, 50}, {0.9, 90}, {0.99, 99}, {0.999, 99.9}, {1, 100}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double found = (double)weir_distribution_quantile(&distribution, rows[i].share) / 1e6;
        if (found < rows[i].milliseconds * 0.98 || found > rows[i].milliseconds * 1.02)
            fail_msg("%g: %g ms", rows[i].share, found);
    }
    weir_distribution_t none = {0};
    assert_int_equal(weir_distribution_quantile(&none, 0.5), 0);
    weir_histogram_t long_ones = {0};
    weir_histogram_note(&long_ones, UINT64_C(90000000000));
    weir_histogram_read(&long_ones, &none);
    assert_int_equal(weir_distribution_quantile(&none, 0.5), UINT64_C(60000000000));
}

static void test_a_component_is_counted_in_one_place_whatever_generation_it_is_of(void **state)
{
    (void)state;
    weir_metrics_t *metrics = weir_metrics_new(2);
    assert_non_null(metrics);
    const weir_counted_t *hello = weir_metrics_of_component(metrics, "hello");
    const weir_counted_t *other = weir_metrics_of_component(metrics, "other");
    assert_ptr_not_equal(hello, other);
    assert_ptr_equal(hello, weir_metrics_of_component(metrics, "hello"));
    assert_ptr_equal(weir_metrics_of_component(metrics, NULL), weir_metrics_component(metrics, 0));
    assert_string_equal(hello->id, "hello");
    assert_int_equal(weir_metrics_component_count(metrics), 3);
    for (unsigned loop = 0; loop < 2; loop++)
        assert_int_equal((uintptr_t)&hello->loops[loop] % 128, 0); /* no cache line is two loops' */
    weir_metrics_free(metrics);
}

static void test_components_beyond_the_bound_are_counted_as_none(void **state)
{
    (void)state;
    weir_metrics_t *metrics = weir_metrics_new(1);
    assert_non_null(metrics);
    for (unsigned i = 0; i < WEIR_METRICS_COMPONENTS_MAX + 5; i++) {
        char id[16];
        snprintf(id, sizeof(id), "c%u", i);
        const weir_counted_t *counted = weir_metrics_of_component(metrics, id);
        if (i < WEIR_METRICS_COMPONENTS_MAX)
            assert_string_equal(counted->id, id);
        else
            assert_ptr_equal(counted, weir_metrics_component(metrics, 0));
    }
    assert_int_equal(weir_metrics_component_count(metrics), WEIR_METRICS_COMPONENTS_MAX + 1);
    weir_metrics_free(metrics);
}

static void test_statuses_beyond_the_bound_are_counted_as_other(void **state)
{
    (void)state;
    weir_metrics_t *metrics = weir_metrics_new(1);
    assert_non_null(metrics);
    weir_component_metrics_t *own = weir_metrics_component(metrics, 0)->loops;
    for (unsigned status = 200; status < 300; status++) {
        weir_request_record_t record = {.status = (uint16_t)status, .begun_at = 1, .ended_at = 2};
        weir_metrics_note_request(own, WEIR_METHOD_GET, &record, false);
    }
    uint64_t all = 0;
    for (size_t i = 0; i < WEIR_METRICS_STATUSES; i++)
        all += weir_counter_read(&own->requests[i]);
    assert_int_equal(all, 100);
    assert_int_equal(weir_counter_read(&own->requests[WEIR_METRICS_STATUSES - 1]), 100 - (WEIR_METRICS_STATUSES - 1));
    assert_int_equal(atomic_load(&own->keys[0]), WEIR_METHOD_GET * 4096 + 200);
    assert_int_equal(atomic_load(&own->keys[WEIR_METRICS_STATUSES - 1]), WEIR_METHOD_OTHER * 4096);
    weir_metrics_free(metrics);
}

static void test_methods_are_told_apart_by_their_names_in_capitals(void **state)
{
    (void)state;
    for (unsigned i = 1; i < WEIR_METHOD_COUNT; i++) {
        const char *name = weir_method_name((weir_method_t)i);
        assert_int_equal(weir_method_of(name, strlen(name)), i);
        assert_int_equal(weir_method_of(name, strlen(name) - 1), WEIR_METHOD_OTHER);
    }
    assert_int_equal(weir_method_of("get", 3), WEIR_METHOD_OTHER);
    assert_int_equal(weir_method_of("", 0), WEIR_METHOD_OTHER);
    assert_string_equal(weir_method_name(WEIR_METHOD_OTHER), "other");
}

typedef struct loop {
    pthread_t thread;
    weir_component_metrics_t *metrics;
} loop_t;

static void *count_requests(void *argument)
{
    const loop_t *loop = argument;
    for (unsigned i = 0; i < REQUESTS; i++) {
        weir_request_record_t record = {.status = i % 4 == 0 ? 500 : 200,
            .outcome = i % 4 == 0 ? WEIR_REQUEST_TRAPPED : WEIR_REQUEST_ANSWERED,
            .begun_at = 1000,
            .head_at = 2000,
            .ended_at = 3000};
        weir_metrics_note_request(loop->metrics, WEIR_METHOD_GET, &record, i % 2 == 0);
    }
    return NULL;
}

static void test_nothing_is_lost_while_others_read(void **state)
{
    (void)state;
    weir_metrics_t *metrics = weir_metrics_new(THREADS);
    assert_non_null(metrics);
    const weir_counted_t *hello = weir_metrics_of_component(metrics, "hello");
    loop_t loops[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        loops[i].metrics = &hello->loops[i];
        assert_int_equal(pthread_create(&loops[i].thread, NULL, count_requests, &loops[i]), 0);
    }
    uint64_t before = 0;
    for (unsigned round = 0; round < 1000; round++) {
        weir_distribution_t whole = {0};
        for (unsigned i = 0; i < THREADS; i++)
            weir_histogram_read(&hello->loops[i].whole, &whole);
        assert_true(whole.count >= before && whole.count <= (uint64_t)THREADS * REQUESTS);
        before = whole.count;
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(loops[i].thread, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        weir_component_metrics_t *own = &hello->loops[i];
        weir_distribution_t queued = {0};
        weir_histogram_read(&own->queued, &queued);
        assert_int_equal(weir_counter_read(&own->outcomes[WEIR_REQUEST_TRAPPED]), REQUESTS / 4);
        assert_int_equal(weir_counter_read(&own->outcomes[WEIR_REQUEST_ANSWERED]), REQUESTS * 3 / 4);
        assert_int_equal(weir_counter_read(&own->requests[0]), REQUESTS / 4); /* 500 came first */
        assert_int_equal(queued.count, REQUESTS / 2);
    }
    weir_metrics_free(metrics);
}

static void test_outcomes_have_names_of_their_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WEIR_REQUEST_OUTCOMES; i++) {
        const char *name = weir_request_outcome_name((weir_request_outcome_t)i);
        assert_non_null(name);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        for (unsigned other = 0; other < i; other++)
            assert_string_not_equal(name, weir_request_outcome_name((weir_request_outcome_t)other));
    }
}

static void check_table(const weir_metric_t *table, size_t count, const char *end)
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].name == NULL || table[i].help == NULL)
            fail_msg("counter %zu of the table that ends in %s has no name", i, end);
        size_t size = strlen(table[i].name);
        assert_int_equal(strncmp(table[i].name, "weir_", 5), 0);
        assert_int_equal(strspn(table[i].name, "abcdefghijklmnopqrstuvwxyz_"), size);
        assert_true(size > strlen(end) && strcmp(table[i].name + size - strlen(end), end) == 0);
        assert_int_equal(table[i].nanoseconds, strstr(table[i].name, "seconds") != NULL);
        assert_int_equal(table[i].label == NULL, table[i].value == NULL);
        /* Those of one name stand beside each other, and each has a value of its own. */
        for (size_t j = 0; j < i; j++) {
            bool same = strcmp(table[i].name, table[j].name) == 0;
            if (same) {
                assert_string_equal(table[i].help, table[j].help);
                assert_string_equal(table[i].name, table[i - 1].name);
                assert_string_not_equal(table[i].value, table[j].value);
            }
        }
    }
}

static void test_every_counter_has_a_name_as_prometheus_wants_it(void **state)
{
    (void)state;
    check_table(weir_loop_counter_metrics, WEIR_LOOP_COUNTERS, "_total");
    check_table(weir_component_counter_metrics, WEIR_COMPONENT_COUNTERS, "_total");
    check_table(weir_component_gauge_metrics, WEIR_COMPONENT_GAUGES, "");
    check_table(weir_process_counter_metrics, WEIR_PROCESS_COUNTERS, "_total");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_time_falls_into_the_bucket_whose_bound_is_the_next),
        cmocka_unit_test(test_a_quantile_is_within_half_of_the_time_that_it_stands_for),
        cmocka_unit_test(test_a_component_is_counted_in_one_place_whatever_generation_it_is_of),
        cmocka_unit_test(test_components_beyond_the_bound_are_counted_as_none),
        cmocka_unit_test(test_statuses_beyond_the_bound_are_counted_as_other),
        cmocka_unit_test(test_methods_are_told_apart_by_their_names_in_capitals),
        cmocka_unit_test(test_nothing_is_lost_while_others_read),
        cmocka_unit_test(test_outcomes_have_names_of_their_own),
        cmocka_unit_test(test_every_counter_has_a_name_as_prometheus_wants_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
