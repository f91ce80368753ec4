/*
 * test_sandbox.c: what a confined process cannot do, each tried in a child that is confined as weir is; and who a user
 * is. What a kernel lacks is skipped, with the reason.
 */
#include "sandbox/filter.h"
#include "sandbox/landlock.h"
#include "sandbox/sandbox.h"
#include "sandbox/user.h"
#include "temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

enum { NEWEST_CALL = 511, SKIPPED = 77 };

static char directory[] = "/tmp/weir-test-sandbox-XXXXXX";
static char kept[64]; /* what a confined process may write to, below that */
static char other[64];
static char logs[64]; /* where files may be made */
static char run[64];  /* and removed */

static int make_directories(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return 1;
    }
    snprintf(kept, sizeof kept, "%s/kept", directory);
    snprintf(other, sizeof other, "%s/other", directory);
    snprintf(logs, sizeof logs, "%s/logs", directory);
    snprintf(run, sizeof run, "%s/run", directory);
    return mkdir(kept, 0700) == 0 && mkdir(other, 0700) == 0 && mkdir(logs, 0700) == 0 && mkdir(run, 0700) == 0 ? 0 : 1;
}

static int remove_directories(void **state)
{
    (void)state;
    return temporary_remove(directory);
}

static const char *path_in(const char *where, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", where, name);
    return path;
}

/* Run what is to be tried in a child, which leaves with _exit: sanitizers do what is refused there. Returns its status,
 * or 1000 and more when it died of a signal. */
static int in_child(int (*function)(const void *context), const void *context)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(function(context));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* ---- The filter -------------------------------------------------------------------------------------------------- */

static int install(const weir_filter_settings_t *settings)
{
    weir_filter_t filter;
    weir_filter_make(settings, &filter);
    int error = weir_filter_install(&filter);
    weir_filter_free(&filter);
    return error;
}

static int filtered(weir_filter_kind_t kind, pid_t may_signal)
{
    const weir_filter_settings_t settings = {.kind = kind, .may_signal = may_signal};
    return install(&settings);
}

/* A system call, which is made as it stands: those that would do harm have arguments that make nothing of it. */
typedef struct attempt {
    const char *name;
    long number;
    long arguments[5];
    int server; /* the errno in a server, or 0 when it is to succeed; -1: anything but a refusal by the filter */
    int trials; /* the same in a trial server */
} attempt_t;

enum { FREE = -1 };

static const attempt_t attempts[] = {
    /* Programs and processes */
    {"execve", SYS_execve, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"execveat", SYS_execveat, {-1, 0, 0, 0, 0}, EPERM, EPERM},
    {"ptrace", SYS_ptrace, {PTRACE_TRACEME, 0, 0, 0, 0}, EPERM, EPERM},
    {"process_vm_readv", SYS_process_vm_readv, {1, 0, 0, 0, 0}, EPERM, EPERM},
    {"process_vm_writev", SYS_process_vm_writev, {1, 0, 0, 0, 0}, EPERM, EPERM},
    {"clone, as fork(2)", SYS_clone, {SIGCHLD, 0, 0, 0, 0}, EPERM, 0},
    {"clone3", SYS_clone3, {0, 0, 0, 0, 0}, ENOSYS, ENOSYS},
    {"clone, a user namespace", SYS_clone, {SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0}, EPERM, EPERM},
    {"kill, the parent", SYS_kill, {1, 0, 0, 0, 0}, EPERM, FREE},
    {"pidfd_open", SYS_pidfd_open, {1, 0, 0, 0, 0}, EPERM, EPERM},
    /* Rights, roots, namespaces */
    {"setuid", SYS_setuid, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"setresuid", SYS_setresuid, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"capset", SYS_capset, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"unshare", SYS_unshare, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"setns", SYS_setns, {-1, 0, 0, 0, 0}, EPERM, EPERM},
    {"mount", SYS_mount, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"umount2", SYS_umount2, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"pivot_root", SYS_pivot_root, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"chroot", SYS_chroot, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"seccomp", SYS_seccomp, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"prctl, keep capabilities", SYS_prctl, {PR_SET_KEEPCAPS, 1, 0, 0, 0}, EPERM, EPERM},
    {"prctl, name", SYS_prctl, {PR_SET_NAME, (long)(uintptr_t)"sandboxed", 0, 0, 0}, 0, 0},
    {"prlimit64, of itself", SYS_prlimit64, {0, RLIMIT_CORE, 0, 0, 0}, FREE, FREE},
    /* The kernel */
    {"bpf", SYS_bpf, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"perf_event_open", SYS_perf_event_open, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"keyctl", SYS_keyctl, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"add_key", SYS_add_key, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"io_uring_setup", SYS_io_uring_setup, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"kexec_load", SYS_kexec_load, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"init_module", SYS_init_module, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"finit_module", SYS_finit_module, {-1, 0, 0, 0, 0}, EPERM, EPERM},
    {"delete_module", SYS_delete_module, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"reboot", SYS_reboot, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"clock_settime", SYS_clock_settime, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"userfaultfd", SYS_userfaultfd, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"personality", SYS_personality, {0xffffffff, 0, 0, 0, 0}, EPERM, EPERM},
    /* Files */
    {"fchmodat", SYS_fchmodat, {-1, 0, 0, 0, 0}, EPERM, EPERM},
    {"fchownat", SYS_fchownat, {-1, 0, 0, 0, 0}, EPERM, EPERM},
    {"setxattr", SYS_setxattr, {0, 0, 0, 0, 0}, EPERM, EPERM},
    {"mknodat", SYS_mknodat, {-1, 0, 0, 0, 0}, EPERM, EPERM},
    {"open_by_handle_at", SYS_open_by_handle_at, {-1, 0, 0, 0, 0}, EPERM, EPERM},
    {"fchmod, set-user-ID", SYS_fchmod, {-1, 04755, 0, 0, 0}, EPERM, EPERM},
    {"fchmod", SYS_fchmod, {-1, 0755, 0, 0, 0}, EBADF, EBADF},
    {"ioctl, TIOCSTI", SYS_ioctl, {-1, TIOCSTI, 0, 0, 0}, EPERM, EPERM},
    {"ioctl, FIONREAD", SYS_ioctl, {-1, FIONREAD, 0, 0, 0}, EBADF, EBADF},
    {"mkdirat", SYS_mkdirat, {-1, 0, 0, 0, 0}, FREE, EPERM},
    {"unlinkat", SYS_unlinkat, {-1, 0, 0, 0, 0}, FREE, EPERM},
    {"statx", SYS_statx, {-1, 0, 0, 0, 0}, FREE, FREE},
    {"openat2", SYS_openat2, {-1, 0, 0, 0, 0}, FREE, FREE},
    /* Sockets */
    {"socket, AF_INET", SYS_socket, {AF_INET, SOCK_STREAM, 0, 0, 0}, FREE, EPERM},
    {"socket, AF_INET6", SYS_socket, {AF_INET6, SOCK_DGRAM, 0, 0, 0}, FREE, EPERM},
    {"socket, AF_UNIX", SYS_socket, {AF_UNIX, SOCK_STREAM, 0, 0, 0}, FREE, EPERM},
    {"socket, AF_NETLINK for routes", SYS_socket, {AF_NETLINK, SOCK_RAW, 0, 0, 0}, FREE, EPERM},
    {"socket, AF_NETLINK for auditing", SYS_socket, {AF_NETLINK, SOCK_RAW, 9, 0, 0}, EPERM, EPERM},
    {"socket, AF_PACKET", SYS_socket, {AF_PACKET, SOCK_RAW, 0, 0, 0}, EPERM, EPERM},
    {"socket, AF_VSOCK", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0, 0, 0}, EPERM, EPERM},
    {"connect", SYS_connect, {-1, 0, 0, 0, 0}, EBADF, EPERM},
    {"accept4", SYS_accept4, {-1, 0, 0, 0, 0}, EBADF, EPERM},
    /* Memory, for Wasmtime */
    {"process_madvise, itself", SYS_process_madvise, {-10000, 0, 0, MADV_DONTNEED, 0}, FREE, FREE},
    {"process_madvise, another", SYS_process_madvise, {0, 0, 0, MADV_DONTNEED, 0}, EPERM, EPERM},
    {"memfd_create", SYS_memfd_create, {(long)(uintptr_t)"sandboxed", MFD_CLOEXEC, 0, 0, 0}, 0, 0},
    /* What no kernel has yet */
    {"the newest call that there can be", NEWEST_CALL, {0, 0, 0, 0, 0}, ENOSYS, ENOSYS},
};

typedef struct trial {
    const attempt_t *attempt;
    weir_filter_kind_t kind;
} trial_t;

/* The errno, 0 for success; or SKIPPED. */
static int try_call(const void *context)
{
    const trial_t *trial = context;
    const attempt_t *attempt = trial->attempt;
    if (filtered(trial->kind, 0) != 0) {
        return SKIPPED;
    }
    pid_t self = (pid_t)syscall(SYS_getpid);
    const long *arguments = attempt->arguments;
    long result = syscall(attempt->number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]);
    int error = result < 0 ? errno : 0;
    if ((pid_t)syscall(SYS_getpid) != self) {
        _exit(0); /* a fork that was made */
    }
    return error;
}

static void try_all(weir_filter_kind_t kind)
{
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        const trial_t trial = {&attempts[i], kind};
        int expected = kind == WEIR_FILTER_SERVER ? attempts[i].server : attempts[i].trials;
        int error = in_child(try_call, &trial);
        if (error == SKIPPED) {
            print_message("this kernel takes no filter\n");
            skip();
        }
        if (expected == FREE ? error == EPERM || error == ENOSYS : error != expected) {
            fail_msg("%s: %s", attempts[i].name, error >= 1000 ? "died of a signal" : strerror(error));
        }
    }
}

static void a_server_makes_no_calls_but_its_own(void **state)
{
    (void)state;
    try_all(WEIR_FILTER_SERVER);
}

static void a_trial_server_forks_and_opens_no_socket(void **state)
{
    (void)state;
    try_all(WEIR_FILTER_TRIALS);
}

static void *say_done(void *argument)
{
    *(bool *)argument = true;
    return argument;
}

static bool threads_start(void)
{
    pthread_t thread;
    bool done = false;
    return pthread_create(&thread, NULL, say_done, &done) == 0 && pthread_join(thread, NULL) == 0 && done;
}

static bool code_can_be_made(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool names_resolve(void)
{
    struct addrinfo *found = NULL;
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int error = getaddrinfo("localhost", "80", &wanted, &found);
    if (found != NULL) {
        freeaddrinfo(found);
    }
    return error == 0;
}

static int use_what_is_allowed(const void *context)
{
    (void)context;
    if (filtered(WEIR_FILTER_SERVER, getppid()) != 0) {
        return SKIPPED;
    }
    return !threads_start()                              ? 1
           : !code_can_be_made()                         ? 2
           : !names_resolve()                            ? 3
           : kill(getpid(), 0) != 0                      ? 4
           : kill(getppid(), 0) != 0                     ? 5 /* who it may signal */
           : prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 ? 6
                                                         : 0;
}

static void a_server_starts_threads_makes_code_and_resolves_names(void **state)
{
    (void)state;
    int status = in_child(use_what_is_allowed, NULL);
    if (status == SKIPPED) {
        skip();
    }
    assert_int_equal(status, 0);
}

static int tell_of_a_refused_call(const void *context)
{
    const int *pipe_ends = context;
    const weir_filter_settings_t settings = {.kind = WEIR_FILTER_SERVER, .tell = true};
    dup2(pipe_ends[1], STDERR_FILENO);
    if (install(&settings) != 0) {
        return SKIPPED;
    }
    errno = 0;
    return syscall(SYS_chroot, "/") == -1 && errno == EPERM ? 0 : 1;
}

static void a_call_that_was_refused_is_told_when_that_is_asked_for(void **state)
{
    int ends[2];
    char line[128] = "";
    char expected[128];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    int status = in_child(tell_of_a_refused_call, ends);
    close(ends[1]);
    if (status == SKIPPED) {
        skip();
    }
    assert_int_equal(status, 0);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    close(ends[0]);
    snprintf(expected, sizeof expected, "weir: warning: the sandbox refused system call %d\n", SYS_chroot);
    assert_string_equal(line, expected);
}

/* ---- Landlock ---------------------------------------------------------------------------------------------------- */

static bool landlocked(void)
{
    const weir_landlock_place_t places[] = {{kept, WEIR_PLACE_WRITE}, {"/nowhere/at/all", WEIR_PLACE_WRITE},
        {logs, WEIR_PLACE_FILES}, {run, WEIR_PLACE_REMOVE}};
    return weir_landlock_enter(places, sizeof places / sizeof places[0]) == 0;
}

static int error_of(bool done)
{
    return done ? 0 : errno;
}

static bool can_write(const char *path, int flags)
{
    int file = open(path, O_WRONLY | O_CLOEXEC | flags, 0600);
    bool done = file >= 0 && write(file, "x", 1) == 1;
    if (file >= 0) {
        close(file);
    }
    return done;
}

/* The number of the first that is wrong, or 0. */
static int write_here_and_there(const void *context)
{
    char from[128];
    (void)context;
    if (!can_write(path_in(other, "there"), O_CREAT) || !landlocked()) {
        return SKIPPED;
    }
    snprintf(from, sizeof from, "%s", path_in(kept, "file"));
    return !can_write(from, O_CREAT)                                                                      ? 1
           : mkdir(path_in(kept, "directory"), 0700) != 0                                                 ? 2
           : rename(from, path_in(kept, "directory/renamed")) != 0 && weir_landlock_version() > 1         ? 3
           : unlink(path_in(kept, "directory/renamed")) != 0 && weir_landlock_version() > 1               ? 4
           : rmdir(path_in(kept, "directory")) != 0                                                       ? 5
           : !can_write("/dev/null", 0)                                                                   ? 6
           : open(path_in(other, "there"), O_RDONLY | O_CLOEXEC) < 0                                      ? 7
           : error_of(can_write(path_in(other, "new"), O_CREAT)) != EACCES                                ? 8
           : error_of(can_write(path_in(other, "there"), 0)) != EACCES                                    ? 9
           : error_of(unlink(path_in(other, "there")) == 0) != EACCES                                     ? 10
           : error_of(mkdir(path_in(other, "new"), 0700) == 0) != EACCES                                  ? 11
           : error_of(symlink("x", path_in(other, "new")) == 0) != EACCES                                 ? 12
           : error_of(can_write("/proc/self/oom_score_adj", 0)) != EACCES                                 ? 13
           : weir_landlock_version() > 2 && error_of(truncate(path_in(other, "there"), 0) == 0) != EACCES ? 14
           : error_of(execl("/bin/true", "true", (char *)NULL) == 0) != EACCES                            ? 15
                                                                                                          : 0;
}

static void a_confined_process_writes_to_its_directories_alone(void **state)
{
    (void)state;
    if (weir_landlock_version() == 0) {
        print_message("this kernel has no Landlock: %s\n", strerror(errno));
        skip();
    }
    assert_int_equal(in_child(write_here_and_there, NULL), 0);
}

static int make_here_and_remove_there(const void *context)
{
    (void)context;
    if (!can_write(path_in(run, "there"), O_CREAT) || !landlocked()) {
        return SKIPPED;
    }
    return !can_write(path_in(logs, "new"), O_CREAT)                          ? 1
           : !can_write(path_in(logs, "new"), O_TRUNC)                        ? 2
           : error_of(unlink(path_in(logs, "new")) == 0) != EACCES            ? 3
           : error_of(mkdir(path_in(logs, "directory"), 0700) == 0) != EACCES ? 4
           : error_of(can_write(path_in(run, "new"), O_CREAT)) != EACCES      ? 5
           : error_of(can_write(path_in(run, "there"), 0)) != EACCES          ? 6
           : unlink(path_in(run, "there")) != 0                               ? 7
                                                                              : 0;
}

static void a_place_can_be_for_making_files_or_for_removing_them_alone(void **state)
{
    (void)state;
    if (weir_landlock_version() == 0) {
        print_message("this kernel has no Landlock: %s\n", strerror(errno));
        skip();
    }
    assert_int_equal(in_child(make_here_and_remove_there, NULL), 0);
}

static int bind_a_port(const void *context)
{
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    (void)context;
    if (!landlocked()) {
        return SKIPPED;
    }
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(tcp, (const struct sockaddr *)&any, sizeof any) == 0 || errno != EACCES) {
        return 1;
    }
    return bind(udp, (const struct sockaddr *)&any, sizeof any) == 0 ? 0 : 2;
}

static void a_confined_process_binds_no_new_port_of_tcp(void **state)
{
    (void)state;
    if (weir_landlock_version() < 4) {
        print_message("this kernel's Landlock knows no ports\n");
        skip();
    }
    assert_int_equal(in_child(bind_a_port, NULL), 0);
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static int just_install(const void *context)
{
    (void)context;
    return filtered(WEIR_FILTER_SERVER, 0);
}

typedef struct shortage {
    __rlimit_resource_t resource;
    rlim_t left;
} shortage_t;

static int make_with_little(const void *context)
{
    const shortage_t *shortage = context;
    const struct rlimit limit = {shortage->left, shortage->left};
    const weir_filter_settings_t settings = {.kind = WEIR_FILTER_SERVER};
    weir_filter_t filter;
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(shortage->resource, &limit) != 0) {
        return 1;
    }
    weir_filter_make(&settings, &filter);
    if (filter.error != 0 || filter.program != NULL) {
        return 2;
    }
    int error = weir_filter_install(&filter);
    weir_filter_free(&filter);
    errno = 0;
    return error != 0 ? SKIPPED : syscall(SYS_chroot, "/") == -1 && errno == EPERM ? 0 : 3;
}

static void a_filter_is_in_force_also_where_there_is_no_file_to_make_it_in(void **state)
{
    static const shortage_t shortages[] = {{RLIMIT_NOFILE, 0}, {RLIMIT_FSIZE, 0}, {RLIMIT_FSIZE, 160}};
    (void)state;
    if (in_child(just_install, NULL) != 0) {
        print_message("seccomp is refused here\n");
        skip();
    }
    for (size_t i = 0; i < sizeof shortages / sizeof *shortages; i++) {
        assert_int_equal(in_child(make_with_little, &shortages[i]), 0);
    }
}

static int enter_twice(const void *context)
{
    weir_sandbox_t sandbox = {.is_entered = false};
    const weir_filter_settings_t filter_settings = {.kind = WEIR_FILTER_SERVER};
    weir_filter_t filter;
    weir_filter_make(&filter_settings, &filter);
    const weir_sandbox_settings_t settings = {.filter = &filter};
    (void)context;
    weir_sandbox_enter(&settings, &sandbox);
    if (sandbox.filter_error != 0) {
        return SKIPPED;
    }
    if (!sandbox.is_entered || !sandbox.no_new_privs) {
        return 1;
    }
    /* What is refused is told, and changes nothing: the filter that is in force refuses another one. */
    weir_sandbox_enter(&settings, &sandbox);
    return sandbox.filter_error == EPERM && sandbox.landlock_error == EPERM ? 0 : 2;
}

static void what_is_refused_is_told_and_takes_nothing_else_with_it(void **state)
{
    (void)state;
    int status = in_child(enter_twice, NULL);
    if (status == SKIPPED) {
        skip();
    }
    assert_int_equal(status, 0);
}

/* ---- Users ------------------------------------------------------------------------------------------------------- */

static void a_user_is_found_by_name_or_number(void **state)
{
    static const struct {
        const char *text;
        uid_t user;
        gid_t group;
        bool is_listed;
    } cases[] = {
        {"root", 0, 0, true},
        {"0", 0, 0, true},
        {"root:0", 0, 0, true},
        {"0:65532", 0, 65532, true},
        {"root:root", 0, 0, true},
        {"65532:65533", 65532, 65533, false},
        {"4294967294:4294967294", 4294967294, 4294967294, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_user_t user;
        char *message = NULL;
        assert_true(weir_user_find("--user", cases[i].text, &user, &message));
        assert_int_equal(user.user, cases[i].user);
        assert_int_equal(user.group, cases[i].group);
        assert_int_equal(user.is_listed, cases[i].is_listed);
        assert_int_equal(user.home != NULL, cases[i].is_listed);
        weir_user_free(&user);
    }
}

static void a_user_that_there_is_not_is_refused_with_the_remedy(void **state)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {"nobody-of-that-name", "useradd --system nobody-of-that-name"},
        {"65532", "--user 65532:65532"},
        {"root:no-such-group", "no group 'no-such-group'"},
        {"4294967295:1", "no user '4294967295'"},
        {"1:4294967295", "no group '4294967295'"},
        {"99999999999:1", "no user '99999999999'"},
        {"-1:1", "no user '-1'"},
        {"", "give a user"},
        {":root", "give a user"},
        {"root:", "give a user"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weir_user_t user;
        char *message = NULL;
        assert_false(weir_user_find("--user", cases[i].text, &user, &message));
        assert_non_null(message);
        if (strstr(message, cases[i].words) == NULL) {
            fail_msg("%s", message);
        }
        assert_null(strchr(message, '\n'));
        free(message);
    }
}

static int become_and_look(const void *context)
{
    weir_user_t user;
    char *message = NULL;
    (void)context;
    if (!weir_user_find("--user", "65532:65533", &user, &message) || !weir_user_become(&user, &message)) {
        return 1;
    }
    return !weir_user_is(&user)                             ? 2
           : getgroups(0, NULL) != 0                        ? 3
           : setuid(0) == 0 || setgid(0) == 0               ? 4
           : access("/proc/self/oom_score_adj", W_OK) != 0  ? 5 /* what is in /proc is its own */
           : open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0 ? 6
                                                            : 0;
}

static void root_becomes_another_user_for_good(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("this is not root\n");
        skip();
    }
    assert_int_equal(in_child(become_and_look, NULL), 0);
}

static int become_root_from_a_user(const void *context)
{
    weir_user_t user;
    char *message = NULL;
    (void)context;
    if (geteuid() == 0 && (setresgid(65532, 65532, 65532) != 0 || setresuid(65532, 65532, 65532) != 0)) {
        return SKIPPED;
    }
    if (!weir_user_find("--user", "root", &user, &message)) {
        return 1;
    }
    return !weir_user_become(&user, &message) && message != NULL && strstr(message, "cannot become user root") != NULL
               ? 0
               : 2;
}

static void nobody_but_root_becomes_another_user(void **state)
{
    (void)state;
    assert_int_equal(in_child(become_root_from_a_user, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_makes_no_calls_but_its_own),
        cmocka_unit_test(a_trial_server_forks_and_opens_no_socket),
        cmocka_unit_test(a_server_starts_threads_makes_code_and_resolves_names),
        cmocka_unit_test(a_call_that_was_refused_is_told_when_that_is_asked_for),
        cmocka_unit_test(a_confined_process_writes_to_its_directories_alone),
        cmocka_unit_test(a_place_can_be_for_making_files_or_for_removing_them_alone),
        cmocka_unit_test(a_confined_process_binds_no_new_port_of_tcp),
        cmocka_unit_test(a_filter_is_in_force_also_where_there_is_no_file_to_make_it_in),
        cmocka_unit_test(what_is_refused_is_told_and_takes_nothing_else_with_it),
        cmocka_unit_test(a_user_is_found_by_name_or_number),
        cmocka_unit_test(a_user_that_there_is_not_is_refused_with_the_remedy),
        cmocka_unit_test(root_becomes_another_user_for_good),
        cmocka_unit_test(nobody_but_root_becomes_another_user),
    };
    return cmocka_run_group_tests(tests, make_directories, remove_directories);
}
