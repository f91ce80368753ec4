/*
 * test_trial.c: how the child of a trial ends and what is made of it: real children, and real engines.
 */
#include "allocator/child.h"
#include "allocator/module.h"
#include "allocator/probe.h"
#include "allocator/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

enum { PATIENT = 20000, SHORT = 300 };

/* ---- Children ---------------------------------------------------------------------------------------------------- */

static const char whole[] = "a whole report!";

static int report_whole(int report, void *context)
{
    (void)context;
    /* In two parts: a reader that takes the first for all is found out. */
    return write(report, whole, 5) == 5 && write(report, whole + 5, sizeof whole - 5) > 0 ? 0 : 1;
}

static int report_half(int report, void *context)
{
    (void)context;
    return write(report, whole, 5) == 5 ? 0 : 1;
}

static int report_too_much(int report, void *context)
{
    return report_whole(report, context) == 0 && write(report, "x", 1) == 1 ? 0 : 1;
}

static int report_and_fail(int report, void *context)
{
    (void)report_whole(report, context);
    return 3;
}

static int report_and_die(int report, void *context)
{
    (void)report_whole(report, context);
    raise(SIGKILL);
    return 0;
}

static int say_nothing(int report, void *context)
{
    (void)report;
    return *(const int *)context;
}

static int close_and_hang(int report, void *context)
{
    (void)context;
    (void)report_whole(report, context);
    close(report);
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    for (int descriptor = 3; descriptor < 100; descriptor++) {
        close(descriptor);
    }
    for (;;) {
        pause();
    }
    return 0;
}

static int die(int report, void *context)
{
    (void)report;
    raise(*(const int *)context);
    return 0;
}

static int hang(int report, void *context)
{
    (void)report;
    (void)context;
    for (;;) {
        pause();
    }
    return 0;
}

static int spin_deaf(int report, void *context)
{
    (void)report;
    (void)context;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (volatile unsigned i = 0;; i++) {
    }
    return 0;
}

static int chatter(int report, void *context)
{
    /* Far more than a pipe holds: the parent must keep reading. */
    for (int i = 0; i < 100000; i++) {
        fprintf(stderr, "line %d\n", i);
    }
    fflush(stderr);
    return report_whole(report, context);
}

static int complain_and_abort(int report, void *context)
{
    (void)report;
    (void)context;
    static const char words[] = "\n  thread panicked:\n\tat the \x1b[1mdisco\n";
    ssize_t ignored = write(STDERR_FILENO, words, sizeof words - 1);
    (void)ignored;
    signal(SIGABRT, SIG_DFL);
    abort();
}

typedef struct end_case {
    const char *name;
    weir_child_function_t function;
    int argument;
    uint32_t milliseconds;
    weir_child_end_t end;
    int detail;
} end_case_t;

static const end_case_t end_cases[] = {
    {"a whole report", report_whole, 0, PATIENT, WEIR_CHILD_REPORTED, 0},
    {"half a report", report_half, 0, PATIENT, WEIR_CHILD_SHORT, 0},
    {"more than a report", report_too_much, 0, PATIENT, WEIR_CHILD_SHORT, 0},
    {"a report, and a failure", report_and_fail, 0, PATIENT, WEIR_CHILD_SILENT, 3},
    {"a report, and a signal", report_and_die, 0, PATIENT, WEIR_CHILD_SIGNAL, SIGKILL},
    {"no report, and success", say_nothing, 0, PATIENT, WEIR_CHILD_SILENT, 0},
    {"no report, and a failure", say_nothing, 42, PATIENT, WEIR_CHILD_SILENT, 42},
    {"killed", die, SIGKILL, PATIENT, WEIR_CHILD_SIGNAL, SIGKILL},
    {"terminated", die, SIGTERM, PATIENT, WEIR_CHILD_SIGNAL, SIGTERM},
    {"a hang", hang, 0, SHORT, WEIR_CHILD_DEADLINE, 0},
    {"an endless loop that blocks every signal", spin_deaf, 0, SHORT, WEIR_CHILD_DEADLINE, 0},
    {"a hang after all pipes are closed", close_and_hang, 0, SHORT, WEIR_CHILD_DEADLINE, 0},
    {"more words than a pipe holds", chatter, 0, PATIENT, WEIR_CHILD_REPORTED, 0},
};

static void assert_no_children(const char *name)
{
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
        fail_msg("%s: a child was left behind", name);
    }
}

static void every_end_of_a_child_is_told_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof end_cases / sizeof end_cases[0]; i++) {
        const end_case_t *test = &end_cases[i];
        int argument = test->argument;
        char report[sizeof whole] = "";
        weir_child_result_t result;
        weir_child_run(test->function, &argument, test->milliseconds, report, sizeof report, &result);
        if (result.end != test->end || result.detail != test->detail) {
            fail_msg("%s: end %d, detail %d", test->name, result.end, result.detail);
        }
        if (test->end == WEIR_CHILD_REPORTED) {
            assert_memory_equal(report, whole, sizeof whole);
        }
        assert_no_children(test->name);
        assert_true(result.milliseconds < PATIENT);
        if (test->end == WEIR_CHILD_DEADLINE) {
            assert_true(result.milliseconds >= test->milliseconds);
        }
    }
}

static void what_a_dying_child_says_is_kept_on_one_line(void **state)
{
    char report[4];
    weir_child_result_t result;
    (void)state;
    weir_child_run(complain_and_abort, NULL, PATIENT, report, sizeof report, &result);
    assert_int_equal(result.end, WEIR_CHILD_SIGNAL);
    assert_int_equal(result.detail, SIGABRT);
    assert_string_equal(result.complaint, "thread panicked: at the [1mdisco");
}

static const char *const backtrace_variables[] = {"RUST_BACKTRACE", "RUST_LIB_BACKTRACE"};

static int look_for_backtraces(int report, void *context)
{
    (void)context;
    for (size_t i = 0; i < sizeof backtrace_variables / sizeof backtrace_variables[0]; i++) {
        const char *value = getenv(backtrace_variables[i]);
        if (value == NULL || strcmp(value, "0") != 0) {
            return 1;
        }
    }
    return write(report, "done", 4) == 4 ? 0 : 1;
}

/* Rust makes one with a lock held, and takes memory for it: refused that, a child would wait for itself. */
static void a_child_makes_no_backtraces_of_rusts_whatever_the_environment_asks_for(void **state)
{
    char report[4];
    weir_child_result_t result;
    (void)state;
    for (size_t i = 0; i < sizeof backtrace_variables / sizeof backtrace_variables[0]; i++) {
        assert_int_equal(setenv(backtrace_variables[i], "1", 1), 0);
    }
    weir_child_run(look_for_backtraces, NULL, PATIENT, report, sizeof report, &result);
    for (size_t i = 0; i < sizeof backtrace_variables / sizeof backtrace_variables[0]; i++) {
        assert_string_equal(getenv(backtrace_variables[i]), "1"); /* for this process it is as it was */
        assert_int_equal(unsetenv(backtrace_variables[i]), 0);
    }
    assert_int_equal(result.end, WEIR_CHILD_REPORTED);
}

static void no_child_at_all_is_an_end_of_its_own(void **state)
{
    struct rlimit files;
    struct rlimit none;
    char report[4];
    weir_child_result_t result;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    none = files;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    weir_child_run(report_whole, NULL, PATIENT, report, sizeof report, &result);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(result.end, WEIR_CHILD_SYSTEM);
    assert_int_equal(result.error_number, EMFILE);
    assert_string_equal(result.call, "pipe2");
}

/* The parent may have one descriptor from now on, and poll(2) refuses two. */
static int starve_parent(int report, void *context)
{
    const struct rlimit *files = context;
    const struct rlimit one = {1, files->rlim_max};
    if (prlimit(getppid(), RLIMIT_NOFILE, &one, NULL) != 0 || write(report, "x", 1) != 1) {
        return 1;
    }
    for (;;) {
        pause();
    }
}

static void a_parent_that_cannot_wait_does_not_blame_the_deadline(void **state)
{
    struct rlimit files;
    char report[4];
    weir_child_result_t result;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    weir_child_run(starve_parent, &files, PATIENT, report, sizeof report, &result);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(result.end, WEIR_CHILD_SYSTEM);
    assert_int_equal(result.error_number, EINVAL);
    assert_string_equal(result.call, "poll");
    assert_true(result.milliseconds < PATIENT);
}

static void no_descriptor_is_left_open(void **state)
{
    char report[sizeof whole];
    weir_child_result_t result;
    (void)state;
    int before = dup(STDERR_FILENO);
    close(before);
    for (int i = 0; i < 3; i++) {
        weir_child_run(report_whole, NULL, PATIENT, report, sizeof report, &result);
        weir_child_run(hang, NULL, 10, report, sizeof report, &result);
    }
    int after = dup(STDERR_FILENO);
    close(after);
    assert_int_equal(after, before);
}

static void a_report_survives_a_parent_that_ignores_its_children(void **state)
{
    char report[sizeof whole];
    weir_child_result_t result;
    (void)state;
    signal(SIGCHLD, SIG_IGN);
    weir_child_run(report_whole, NULL, PATIENT, report, sizeof report, &result);
    weir_child_result_t silent;
    int status = 0;
    weir_child_run(say_nothing, &status, PATIENT, report, sizeof report, &silent);
    signal(SIGCHLD, SIG_DFL);
    assert_int_equal(result.end, WEIR_CHILD_REPORTED);
    assert_int_equal(silent.end, WEIR_CHILD_SYSTEM);
    assert_int_equal(silent.error_number, ECHILD);
}

static volatile sig_atomic_t interruptions;

static void interrupt(int signal_number)
{
    (void)signal_number;
    interruptions++;
}

static int interrupt_parent(int report, void *context)
{
    for (unsigned i = 0; i < 200; i++) {
        kill(getppid(), SIGUSR1);
        sched_yield();
    }
    return report_whole(report, context);
}

static void signals_to_the_parent_do_not_disturb(void **state)
{
    struct sigaction action = {.sa_handler = interrupt}; /* no SA_RESTART: calls fail with EINTR */
    struct sigaction before;
    char report[sizeof whole];
    weir_child_result_t result;
    (void)state;
    interruptions = 0;
    sigaction(SIGUSR1, &action, &before);
    weir_child_run(interrupt_parent, NULL, PATIENT, report, sizeof report, &result);
    sigaction(SIGUSR1, &before, NULL);
    assert_int_equal(result.end, WEIR_CHILD_REPORTED);
    assert_true(interruptions > 0);
}

/* What a child is, as it sees it itself. */
typedef struct self {
    int oom_score_adj;
    int death_signal;
    uint64_t core_limit;
    uint64_t processor_seconds;
    bool output_is_a_pipe;
} self_t;

static int describe_self(int report, void *context)
{
    self_t self = {.oom_score_adj = -1};
    struct rlimit limit;
    (void)context;
    FILE *file = fopen("/proc/self/oom_score_adj", "r");
    if (file == NULL || fscanf(file, "%d", &self.oom_score_adj) != 1) {
        return 1;
    }
    fclose(file);
    prctl(PR_GET_PDEATHSIG, &self.death_signal);
    getrlimit(RLIMIT_CORE, &limit);
    self.core_limit = limit.rlim_cur;
    getrlimit(RLIMIT_CPU, &limit);
    self.processor_seconds = limit.rlim_cur;
    self.output_is_a_pipe = lseek(STDOUT_FILENO, 0, SEEK_CUR) == -1 && errno == ESPIPE;
    return write(report, &self, sizeof self) == sizeof self ? 0 : 1;
}

static void a_child_cannot_take_its_parent_along(void **state)
{
    self_t self;
    weir_child_result_t result;
    (void)state;
    weir_child_run(describe_self, NULL, PATIENT, &self, sizeof self, &result);
    assert_int_equal(result.end, WEIR_CHILD_REPORTED);
    assert_int_equal(self.oom_score_adj, 1000);
    assert_int_equal(self.death_signal, SIGKILL);
    assert_true(self.core_limit <= 1);
    assert_int_equal(self.processor_seconds, (PATIENT / 1000 + 2) * sysconf(_SC_NPROCESSORS_ONLN));
    assert_true(self.output_is_a_pipe);
}

static int run_with_closed_output(int report, void *context)
{
    char inner[sizeof whole];
    weir_child_result_t result;
    (void)context;
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
    weir_child_run(report_whole, NULL, PATIENT, inner, sizeof inner, &result);
    char end = (char)result.end;
    return write(report, &end, 1) == 1 ? 0 : 1;
}

static void closed_standard_streams_do_not_mix_with_the_report(void **state)
{
    char end = 99;
    weir_child_result_t result;
    (void)state;
    weir_child_run(run_with_closed_output, NULL, PATIENT, &end, 1, &result);
    assert_int_equal(result.end, WEIR_CHILD_REPORTED);
    assert_int_equal(end, WEIR_CHILD_REPORTED);
}

/* ---- Verdicts ---------------------------------------------------------------------------------------------------- */

static weir_fact_t known(uint64_t value)
{
    return (weir_fact_t){WEIR_KNOWN, value, "test"};
}

static weir_probe_report_t good_report(void)
{
    return (weir_probe_report_t){.magic = WEIR_PROBE_MAGIC,
        .outcome = WEIR_OUTCOME_PASSED,
        .microseconds = {12.5},
        .least_microseconds = {12},
        .engine_milliseconds = 1.5};
}

static weir_plan_t some_plan(void)
{
    return (weir_plan_t){
        .rung = {.tier = WEIR_TIER_COMPACT,
            .slots = 4,
            .slot_bytes = 64 * MIB,
            .guard_bytes = 65536,
            .stack_bytes = MIB,
            .memories_per_slot = 1,
            .tables_per_slot = 1,
            .core_instances_per_slot = 1,
            .table_elements = 1000},
        .needs = {.minimum_memory_bytes = 1280 * 1024,
            .memories = 1,
            .tables = 1,
            .table_elements = 100,
            .core_instances = 1,
            .concurrency = 4},
        .hold = 3,
        .hold_milliseconds = 1000,
        .time_milliseconds = 2,
        .deadline = PATIENT,
        .threads = 2,
        .code = -1,
    };
}

static weir_verdict_t judge(const weir_facts_t *facts, weir_child_result_t result, const weir_probe_report_t *report)
{
    weir_plan_t plan = some_plan();
    weir_verdict_t verdict;
    weir_trial_judge(facts, &plan, &result, report, &verdict);
    return verdict;
}

static void what_hardly_had_a_processor_until_its_deadline_is_starved(void **state)
{
    static const struct {
        weir_child_end_t end;
        double worked; /* milliseconds */
        bool starved;
    } cases[] = {
        {WEIR_CHILD_DEADLINE, 100, true},
        {WEIR_CHILD_DEADLINE, PATIENT / 4.0, false}, /* it is slow, or runs round in circles */
        {WEIR_CHILD_DEADLINE, 0, false},             /* that is not known */
        {WEIR_CHILD_SHORT, 100, false},
    };
    const weir_facts_t facts = {.size = sizeof facts};
    weir_probe_report_t report = good_report();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const weir_child_result_t result = {.end = cases[i].end, .processor_milliseconds = cases[i].worked};
        weir_verdict_t verdict = judge(&facts, result, &report);
        assert_int_equal(verdict.detail, cases[i].end == WEIR_CHILD_DEADLINE ? PATIENT : 0);
        assert_int_equal(weir_verdict_is_starved(&verdict), cases[i].starved);
    }
}

static void each_end_has_a_verdict_of_its_own(void **state)
{
    weir_facts_t facts = {.size = sizeof facts, .cgroup_limit = known(100 * MIB)};
    weir_probe_report_t report = good_report();
    static const struct {
        weir_child_result_t result;
        weir_outcome_t outcome;
        weir_limit_t limit;
        const char *words;
    } cases[] = {
        {{.end = WEIR_CHILD_REPORTED}, WEIR_OUTCOME_PASSED, WEIR_LIMIT_NONE, ""},
        {{.end = WEIR_CHILD_SILENT, .detail = 7}, WEIR_OUTCOME_EXIT, WEIR_LIMIT_UNKNOWN, "status 7"},
        {{.end = WEIR_CHILD_SHORT}, WEIR_OUTCOME_REPORT, WEIR_LIMIT_UNKNOWN, "cut short"},
        {{.end = WEIR_CHILD_SIGNAL, .detail = SIGABRT, .complaint = "panicked"}, WEIR_OUTCOME_SIGNAL,
            WEIR_LIMIT_UNKNOWN, "panicked"},
        {{.end = WEIR_CHILD_SIGNAL, .detail = SIGKILL}, WEIR_OUTCOME_SIGNAL, WEIR_LIMIT_CGROUP, "signal 9"},
        {{.end = WEIR_CHILD_DEADLINE, .detail = PATIENT}, WEIR_OUTCOME_DEADLINE, WEIR_LIMIT_UNKNOWN, "20.0 s"},
        {{.end = WEIR_CHILD_SYSTEM, .error_number = EAGAIN, .call = "fork"}, WEIR_OUTCOME_SYSTEM, WEIR_LIMIT_PROCESSES,
            "fork"},
        {{.end = WEIR_CHILD_SYSTEM, .error_number = EAGAIN, .call = "poll"}, WEIR_OUTCOME_SYSTEM, WEIR_LIMIT_UNKNOWN,
            "poll"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_verdict_t verdict = judge(&facts, cases[i].result, &report);
        if (verdict.outcome != cases[i].outcome || verdict.limit != cases[i].limit ||
            verdict.detail != cases[i].result.detail || strstr(verdict.message, cases[i].words) == NULL) {
            fail_msg(
                "case %zu: %s, limit %d: %s", i, weir_outcome_name(verdict.outcome), verdict.limit, verdict.message);
        }
    }
    facts.cgroup_limit.knowledge = WEIR_UNLIMITED;
    weir_verdict_t verdict = judge(&facts, cases[4].result, &report);
    assert_int_equal(verdict.limit, WEIR_LIMIT_MEMORY);
    facts.emulated = known(1);
    verdict = judge(&facts, cases[5].result, &report);
    assert_int_equal(verdict.limit, WEIR_LIMIT_EMULATION);
}

static void a_report_that_makes_no_sense_is_not_believed(void **state)
{
    weir_facts_t facts = {.size = sizeof facts};
    const double costs[] = {NAN, INFINITY, -1, 0, 1e12};
    const double least_costs[] = {NAN, -1, 0, 13};
    const size_t count = 4 + sizeof costs / sizeof costs[0];
    (void)state;
    for (size_t i = 0; i < count + sizeof least_costs / sizeof least_costs[0]; i++) {
        weir_probe_report_t report = good_report();
        report.magic = i == 0 ? 1 : report.magic;
        report.outcome = i == 1 ? 99 : i == 2 ? WEIR_OUTCOME_NOT_TRIED : report.outcome;
        if (i == 3) {
            memset(report.message, 'x', sizeof report.message);
        }
        if (i >= count) {
            report.least_microseconds[0] = least_costs[i - count];
        } else if (i >= 4) {
            report.microseconds[0] = costs[i - 4];
        }
        weir_verdict_t verdict = judge(&facts, (weir_child_result_t){.end = WEIR_CHILD_REPORTED}, &report);
        if (verdict.outcome != WEIR_OUTCOME_REPORT) {
            fail_msg("case %zu: %s", i, weir_outcome_name(verdict.outcome));
        }
    }
}

static void a_refusal_carries_its_call_size_and_errno(void **state)
{
    weir_facts_t facts = {
        .size = sizeof facts, .address_space_limit = known(64 * GIB), .address_space_used = known(30 * MIB)};
    weir_probe_report_t report = {.magic = WEIR_PROBE_MAGIC,
        .outcome = WEIR_OUTCOME_REFUSED,
        .usage = {.address_space = known(30 * MIB)},
        .stage = "engine",
        .message = "failed to create memory pool mapping Caused by: 0: mmap failed to reserve 0x3efd2000000 bytes 1: "
                   "Cannot allocate memory (os error 12)"};
    (void)state;
    weir_verdict_t verdict = judge(&facts, (weir_child_result_t){.end = WEIR_CHILD_REPORTED}, &report);
    assert_int_equal(verdict.outcome, WEIR_OUTCOME_REFUSED);
    assert_string_equal(verdict.call, "mmap");
    assert_int_equal(verdict.refused_bytes, UINT64_C(0x3efd2000000));
    assert_int_equal(verdict.error_number, ENOMEM);
    assert_int_equal(verdict.limit, WEIR_LIMIT_ADDRESS_SPACE);
    assert_string_equal(verdict.message,
        "mmap of 3.9 TiB for memories was refused: Cannot allocate memory (errno 12); RLIMIT_AS is 64 GiB");
}

/* ---- Real engines ------------------------------------------------------------------------------------------------ */

static const weir_facts_t *this_machine(void)
{
    static weir_facts_t facts;
    if (facts.size == 0) {
        weir_facts_read_all(weir_machine_real(), &facts);
    }
    return &facts;
}

static weir_verdict_t try_plan(const weir_plan_t *plan)
{
    weir_verdict_t verdict;
    weir_trial_run(this_machine(), plan, &verdict);
    assert_no_children("a trial");
    return verdict;
}

static weir_plan_t plan_of(weir_tier_t tier, uint64_t slot_bytes, uint64_t keep, bool pulley)
{
    weir_plan_t plan = some_plan();
    plan.rung.tier = tier;
    plan.rung.slot_bytes = slot_bytes;
    plan.rung.memory_keep_resident_bytes = keep;
    plan.rung.growth_bytes = tier == WEIR_TIER_ONDEMAND ? MIB : 0;
    plan.rung.pulley = pulley;
    plan.rung.guard_bytes = pulley ? 0 : plan.rung.guard_bytes;
    return plan;
}

/* How often a process has done without huge pages since, this one and its children. */
static atomic_uint *huge_pages_switched;

/* The linker makes these names. NOLINTBEGIN(cert-dcl37-c) */
int __real_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    if (option == PR_SET_THP_DISABLE && a == 1 && huge_pages_switched != NULL) {
        atomic_fetch_add(huge_pages_switched, 1);
    }
    return __real_prctl(option, a, b, c, d);
}
/* NOLINTEND(cert-dcl37-c) */

static void a_rung_that_does_without_huge_pages_is_timed_without_them(void **state)
{
    (void)state;
    huge_pages_switched = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(huge_pages_switched, MAP_FAILED);
    for (int off = 0; off <= 1; off++) {
        weir_plan_t plan = plan_of(WEIR_TIER_COMPACT, 16 * MIB, 0, false);
        plan.rung.huge_pages_off = off != 0;
        assert_int_equal(plan.knob_count, 0);
        weir_verdict_t verdict = try_plan(&plan);
        assert_int_equal(verdict.outcome, WEIR_OUTCOME_PASSED);
        assert_int_equal(atomic_load(huge_pages_switched) > 0, off);
    }
    munmap(huge_pages_switched, 4096);
    huge_pages_switched = NULL;
}

static void every_tier_passes_its_trial(void **state)
{
    static const struct {
        const char *name;
        weir_tier_t tier;
        uint64_t slot_bytes;
        uint64_t keep;
        bool pulley;
        uint64_t minimum;
        uint32_t memories;
        uint32_t tables;
    } cases[] = {
        {"compact", WEIR_TIER_COMPACT, 16 * MIB, 0, false, 20 << 16, 1, 1},
        {"compact, 2 MiB kept", WEIR_TIER_COMPACT, 16 * MIB, 2 * MIB, false, 20 << 16, 1, 1},
        {"a slot without room to grow", WEIR_TIER_COMPACT, 20 << 16, 64 << 10, false, 20 << 16, 1, 1},
        {"one page of memory", WEIR_TIER_COMPACT, 16 * MIB, 0, false, 1 << 16, 1, 1},
        {"three memories and five tables", WEIR_TIER_COMPACT, 16 * MIB, 0, false, 3 << 16, 3, 5},
        {"large memories", WEIR_TIER_COMPACT, 64 * MIB, 2 * MIB, false, 40 * MIB, 1, 1},
        {"on demand", WEIR_TIER_ONDEMAND, 16 * MIB, 0, false, 20 << 16, 1, 1},
        {"on demand without reservation", WEIR_TIER_ONDEMAND, 0, 0, false, 20 << 16, 2, 2},
        {"compact, interpreted", WEIR_TIER_COMPACT, 16 * MIB, 0, true, 20 << 16, 1, 1},
        {"on demand, interpreted", WEIR_TIER_ONDEMAND, 0, 0, true, 20 << 16, 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_plan_t plan = plan_of(cases[i].tier, cases[i].slot_bytes, cases[i].keep, cases[i].pulley);
        plan.needs.minimum_memory_bytes = cases[i].minimum;
        plan.needs.memories = plan.rung.memories_per_slot = cases[i].memories;
        plan.needs.tables = plan.rung.tables_per_slot = cases[i].tables;
        if (!cases[i].pulley && this_machine()->executable_memory.value == 0) {
            continue; /* native code has no place here */
        }
        weir_verdict_t verdict = try_plan(&plan);
        if (verdict.outcome != WEIR_OUTCOME_PASSED) {
            fail_msg("%s: %s: %s", cases[i].name, weir_outcome_name(verdict.outcome), verdict.message);
        }
        assert_true(verdict.instance_microseconds > 0.1);
        assert_true(verdict.engine_milliseconds > 0);
        assert_int_equal(verdict.limit, WEIR_LIMIT_NONE);
    }
}

static void an_engine_that_no_machine_has_room_for_is_refused_and_not_fatal(void **state)
{
    weir_plan_t plan = plan_of(WEIR_TIER_STANDARD, 4 * GIB, 0, false);
    (void)state;
    plan.rung.slots = 100000; /* 400 TiB */
    if (this_machine()->emulated.value == 1) {
        print_message("skipped: an emulator would try for a minute\n");
        skip();
    }
    weir_verdict_t verdict = try_plan(&plan);
    assert_int_equal(verdict.outcome, WEIR_OUTCOME_REFUSED);
    assert_string_equal(verdict.call, "mmap");
    assert_in_range(verdict.refused_bytes, 100000 * 4 * GIB, 100000 * 5 * GIB);
    assert_int_equal(verdict.error_number, ENOMEM);
    assert_non_null(strstr(verdict.message, "for memories was refused"));
}

static void more_instances_than_slots_are_refused(void **state)
{
    weir_plan_t plan = plan_of(WEIR_TIER_COMPACT, 16 * MIB, 0, true);
    (void)state;
    plan.rung.slots = 4;
    plan.hold = 5;
    weir_verdict_t verdict = try_plan(&plan);
    assert_int_equal(verdict.outcome, WEIR_OUTCOME_REFUSED);
    assert_non_null(strstr(verdict.message, "limit of 4"));
    plan.hold = 4;
    verdict = try_plan(&plan);
    assert_int_equal(verdict.outcome, WEIR_OUTCOME_PASSED);
}

static void a_guest_too_large_for_the_slot_is_refused(void **state)
{
    weir_plan_t plan = plan_of(WEIR_TIER_COMPACT, MIB, 0, true);
    (void)state;
    weir_verdict_t verdict = try_plan(&plan);
    assert_int_equal(verdict.outcome, WEIR_OUTCOME_REFUSED);
    assert_non_null(strstr(verdict.message, "minimum"));
}

static void a_trial_that_takes_too_long_is_ended(void **state)
{
    weir_plan_t plan = plan_of(WEIR_TIER_COMPACT, 16 * MIB, 0, true);
    (void)state;
    plan.time_milliseconds = 1e6;
    plan.deadline = 1; /* no engine is built in that time */
    weir_verdict_t verdict = try_plan(&plan);
    assert_int_equal(verdict.outcome, WEIR_OUTCOME_DEADLINE);
}

static void a_limit_on_address_space_is_named(void **state)
{
    struct rlimit before;
    struct rlimit tight;
    weir_facts_t facts;
    weir_usage_t usage;
    weir_verdict_t verdict;
    weir_plan_t plan = plan_of(WEIR_TIER_COMPACT, 64 * MIB, 0, true);
    (void)state;
    if (this_machine()->emulated.value == 1) {
        print_message("skipped: an emulator does not let its guest limit the address space\n");
        skip();
    }
    weir_usage_read("", &usage);
    assert_int_equal(usage.address_space.knowledge, WEIR_KNOWN);
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    tight = before;
    tight.rlim_cur = usage.address_space.value + 200 * MIB; /* 4 slots take 256 MiB */
    assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
    weir_facts_read_all(weir_machine_real(), &facts);
    weir_trial_run(&facts, &plan, &verdict);
    plan.reserve_address = 500 * MIB;
    weir_verdict_t reserved;
    weir_trial_run(&facts, &plan, &reserved);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(verdict.outcome, WEIR_OUTCOME_REFUSED);
    assert_int_equal(verdict.limit, WEIR_LIMIT_ADDRESS_SPACE);
    assert_non_null(strstr(verdict.message, "RLIMIT_AS is "));
    assert_int_equal(reserved.outcome, WEIR_OUTCOME_REFUSED);
    assert_int_equal(reserved.limit, WEIR_LIMIT_ADDRESS_SPACE);
    assert_int_equal(reserved.refused_bytes, 500 * MIB);
}

/* ---- Contents ---------------------------------------------------------------------------------------------------- */

typedef struct expectation {
    weir_plan_t plan;
    weir_module_shape_t shape;
    weir_module_shape_t expected;
} expectation_t;

static int probe_expectation(int report_descriptor, void *context)
{
    const expectation_t *expectation = context;
    weir_probe_report_t report;
    weir_probe_run(&expectation->plan, &expectation->shape, &expectation->expected, &report);
    return write(report_descriptor, &report, sizeof report) == sizeof report ? 0 : 1;
}

static weir_probe_report_t probe(const expectation_t *expectation)
{
    expectation_t copy = *expectation;
    weir_probe_report_t report;
    weir_child_result_t result;
    weir_child_run(probe_expectation, &copy, PATIENT, &report, sizeof report, &result);
    assert_int_equal(result.end, WEIR_CHILD_REPORTED);
    return report;
}

static void contents_other_than_the_modules_are_noticed(void **state)
{
    expectation_t expectation = {.plan = plan_of(WEIR_TIER_COMPACT, 16 * MIB, 0, true)};
    (void)state;
    weir_module_shape_make(&expectation.plan.needs, &expectation.shape);
    expectation.expected = expectation.shape;
    assert_int_equal(probe(&expectation).outcome, WEIR_OUTCOME_PASSED);
    /* Another segment, one that is not there, and one that should not be. */
    expectation.expected.segment[1] = "another one, on a page that is not touchez";
    assert_int_equal(probe(&expectation).outcome, WEIR_OUTCOME_CONTENTS);
    expectation.expected.segment[1] = "";
    assert_int_equal(probe(&expectation).outcome, WEIR_OUTCOME_CONTENTS);
    expectation.expected = expectation.shape;
    expectation.expected.segment_at[0] += 64;
    assert_int_equal(probe(&expectation).outcome, WEIR_OUTCOME_CONTENTS);
}

/* From here on madvise(2) says that it has done what it has not: as qemu-user did before 7.1. */
static bool make_madvise_do_nothing(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int probe_without_madvise(int report_descriptor, void *context)
{
    return make_madvise_do_nothing() ? probe_expectation(report_descriptor, context) : 77;
}

static void a_kernel_that_does_not_clear_memory_is_found_out(void **state)
{
    expectation_t expectation = {.plan = plan_of(WEIR_TIER_COMPACT, 16 * MIB, 0, true)};
    weir_probe_report_t report;
    weir_child_result_t result;
    (void)state;
    weir_module_shape_make(&expectation.plan.needs, &expectation.shape);
    expectation.expected = expectation.shape;
    weir_child_run(probe_without_madvise, &expectation, PATIENT, &report, sizeof report, &result);
    if (result.end == WEIR_CHILD_SILENT && result.detail == 77) {
        print_message("skipped: no system call filter can be had here\n");
        skip();
    }
    assert_int_equal(result.end, WEIR_CHILD_REPORTED);
    assert_int_equal(report.outcome, WEIR_OUTCOME_CONTENTS);
}

static void the_module_keeps_to_its_shape(void **state)
{
    static const uint64_t minima[] = {1 << 16, 2 << 16, 3 << 16, 20 << 16, 300 << 16, UINT64_C(4) << 30};
    (void)state;
    for (size_t i = 0; i < sizeof minima / sizeof minima[0]; i++) {
        weir_needs_t needs = {.minimum_memory_bytes = minima[i], .memories = 1, .tables = 1, .table_elements = 10};
        weir_module_shape_t shape;
        weir_module_shape_make(&needs, &shape);
        uint64_t touched_end = shape.touched_at + (uint64_t)shape.touched_pages * WEIR_MODULE_PAGE;
        assert_true(touched_end <= shape.memory_bytes);
        assert_int_equal(shape.touched_pages & (shape.touched_pages - 1), 0);
        for (unsigned j = 0; j < WEIR_MODULE_SEGMENTS; j++) {
            uint64_t length = strlen(shape.segment[j]);
            assert_true(shape.segment_at[j] + length <= shape.memory_bytes);
            assert_true(shape.segment_at[j] % WEIR_MODULE_PAGE + length <= WEIR_MODULE_PAGE);
        }
        char *text = weir_module_text(&needs, &shape);
        assert_non_null(text);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_end_of_a_child_is_told_apart),
        cmocka_unit_test(what_a_dying_child_says_is_kept_on_one_line),
        cmocka_unit_test(a_child_makes_no_backtraces_of_rusts_whatever_the_environment_asks_for),
        cmocka_unit_test(no_child_at_all_is_an_end_of_its_own),
        cmocka_unit_test(a_parent_that_cannot_wait_does_not_blame_the_deadline),
        cmocka_unit_test(no_descriptor_is_left_open),
        cmocka_unit_test(a_report_survives_a_parent_that_ignores_its_children),
        cmocka_unit_test(signals_to_the_parent_do_not_disturb),
        cmocka_unit_test(a_child_cannot_take_its_parent_along),
        cmocka_unit_test(closed_standard_streams_do_not_mix_with_the_report),
        cmocka_unit_test(what_hardly_had_a_processor_until_its_deadline_is_starved),
        cmocka_unit_test(each_end_has_a_verdict_of_its_own),
        cmocka_unit_test(a_report_that_makes_no_sense_is_not_believed),
        cmocka_unit_test(a_refusal_carries_its_call_size_and_errno),
        cmocka_unit_test(every_tier_passes_its_trial),
        cmocka_unit_test(an_engine_that_no_machine_has_room_for_is_refused_and_not_fatal),
        cmocka_unit_test(more_instances_than_slots_are_refused),
        cmocka_unit_test(a_guest_too_large_for_the_slot_is_refused),
        cmocka_unit_test(a_trial_that_takes_too_long_is_ended),
        cmocka_unit_test(a_limit_on_address_space_is_named),
        cmocka_unit_test(contents_other_than_the_modules_are_noticed),
        cmocka_unit_test(a_kernel_that_does_not_clear_memory_is_found_out),
        cmocka_unit_test(the_module_keeps_to_its_shape),
        cmocka_unit_test(a_rung_that_does_without_huge_pages_is_timed_without_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
