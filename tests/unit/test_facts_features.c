/*
 * test_facts_features.c: what a child process tries: on this kernel, and behind seccomp filters that refuse calls or
 * answer them with a signal.
 */
#include "facts_support.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Let a call, with any arguments, be answered by `action` from now on. */
static bool answer_call(long number, uint32_t action)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT(filter), filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

typedef struct rule {
    long number;
    uint32_t action;
} rule_t;

/* What is found in a process that has these filters. It is a child: filters cannot be taken off. */
static weir_features_t try_behind(const rule_t *rules, size_t count)
{
    weir_features_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    assert_ptr_not_equal(shared, MAP_FAILED);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSYS, SIG_DFL); /* cmocka has a handler */
        for (size_t i = 0; i < count; i++) {
            if (!answer_call(rules[i].number, rules[i].action)) {
                _exit(77);
            }
        }
        weir_features_try(shared);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    weir_features_t features = *shared;
    munmap(shared, 4096);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("this system lets no seccomp filter be set\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return features;
}

static void this_kernel_gives_an_answer_to_each(void **state)
{
    weir_features_t features;
    weir_facts_t facts;
    (void)state;
    weir_features_try(&features);
    for (size_t i = 0; i < WEIR_FEATURES; i++) {
        assert_true(features.grants[i] == WEIR_GRANT_YES || features.grants[i] == WEIR_GRANT_NO);
    }
    weir_facts_read_all(weir_machine_real(), &facts);
    assert_int_equal(facts.kernel_release.knowledge, WEIR_KNOWN);
    /* No kernel has them before the one that they came with. */
    assert_true(facts.pagemap_scan.value == 0 || facts.kernel_release.value >= 6007000);
    assert_true(facts.process_madvise.value == 0 || facts.kernel_release.value >= 6013000);
    /* Where this test runs, code is compiled and images are mapped. */
    assert_known(facts.memory_files, 1);
    assert_known(facts.executable_memory, 1);
    assert_true(facts.protection_keys.value == 0 || (facts.processor_flags.value >> WEIR_X86_OSPKE & 1) != 0 ||
                (facts.processor_flags.value >> WEIR_ARM_POE & 1) != 0);
}

static void what_is_refused_is_refused_and_the_rest_is_still_found(void **state)
{
    static const struct {
        long number;
        weir_feature_t feature;
    } calls[] = {
        {SYS_mprotect, WEIR_FEATURE_EXECUTABLE_MEMORY},
        {SYS_ioctl, WEIR_FEATURE_PAGEMAP_SCAN},
#ifdef SYS_process_madvise
        {SYS_process_madvise, WEIR_FEATURE_PROCESS_MADVISE},
#endif
        {SYS_pkey_alloc, WEIR_FEATURE_PROTECTION_KEYS},
        {SYS_memfd_create, WEIR_FEATURE_MEMORY_FILES},
    };
    static const uint32_t answers_to_calls[] = {
        SECCOMP_RET_ERRNO | ENOSYS, SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP};
    weir_features_t before;
    (void)state;
    weir_features_try(&before);
    for (size_t i = 0; i < COUNT(calls); i++) {
        for (size_t j = 0; j < COUNT(answers_to_calls); j++) {
            const rule_t rule = {calls[i].number, answers_to_calls[j]};
            weir_features_t features = try_behind(&rule, 1);
            for (size_t k = 0; k < WEIR_FEATURES; k++) {
                weir_grant_t expected = k == (size_t)calls[i].feature ? WEIR_GRANT_NO : before.grants[k];
                if (features.grants[k] != expected) {
                    fail_msg("call %zu, answer %zu: feature %zu is %d", i, j, k, (int)features.grants[k]);
                }
            }
        }
    }
}

static void all_may_be_answered_with_a_signal(void **state)
{
    static const rule_t rules[] = {
        {SYS_mprotect, SECCOMP_RET_KILL_PROCESS},
        {SYS_ioctl, SECCOMP_RET_KILL_PROCESS},
#ifdef SYS_process_madvise
        {SYS_process_madvise, SECCOMP_RET_KILL_PROCESS},
#endif
        {SYS_pkey_alloc, SECCOMP_RET_KILL_PROCESS},
        {SYS_memfd_create, SECCOMP_RET_KILL_PROCESS},
    };
    weir_features_t features = try_behind(rules, COUNT(rules));
    (void)state;
    for (size_t i = 0; i < WEIR_FEATURES; i++) {
        assert_int_equal(features.grants[i], WEIR_GRANT_NO);
    }
}

static void what_is_short_of_memory_or_processes_is_unknown(void **state)
{
    const rule_t no_memory = {SYS_mmap, SECCOMP_RET_ERRNO | ENOMEM};
    const rule_t no_descriptors = {SYS_memfd_create, SECCOMP_RET_ERRNO | EMFILE};
    const rule_t no_processes = {SYS_clone, SECCOMP_RET_ERRNO | EAGAIN};
    weir_features_t features = try_behind(&no_memory, 1);
    (void)state;
    for (size_t i = 0; i < WEIR_FEATURES; i++) {
        assert_int_equal(features.grants[i], WEIR_GRANT_UNKNOWN);
    }
    features = try_behind(&no_descriptors, 1);
    assert_int_equal(features.grants[WEIR_FEATURE_MEMORY_FILES], WEIR_GRANT_UNKNOWN);
    assert_int_equal(features.grants[WEIR_FEATURE_EXECUTABLE_MEMORY], WEIR_GRANT_YES);
    features = try_behind(&no_processes, 1);
    for (size_t i = 0; i < WEIR_FEATURES; i++) {
        assert_int_equal(features.grants[i], WEIR_GRANT_UNKNOWN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_kernel_gives_an_answer_to_each),
        cmocka_unit_test(what_is_refused_is_refused_and_the_rest_is_still_found),
        cmocka_unit_test(all_may_be_answered_with_a_signal),
        cmocka_unit_test(what_is_short_of_memory_or_processes_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
