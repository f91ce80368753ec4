/*
 * filter.c: makes the filter from the tables, with libseccomp; here are the calls whose arguments decide.
 */
#include "sandbox/filter.h"

#include "sandbox/calls.h"
#include "sandbox/tell.h"

#include <asm/termbits.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of kernels newer than the oldest headers that weir is compiled with. */
#ifndef PR_GET_MEMORY_MERGE
#define PR_GET_MEMORY_MERGE 68 /* whether pages are merged, which the allocator wants to know (Linux 6.4) */
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* names of memory, for /proc/PID/maps: glibc's malloc and stacks */
#endif
#ifndef PAGEMAP_SCAN
#define PAGEMAP_SCAN 0xc0606610UL /* which pages were written, for Wasmtime's pool (Linux 6.7) */
#endif

/* Namespaces of their own, which neither threads nor trials have. CLONE_NEWTIME is no flag of clone(2). */
static const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                   CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE | CLONE_PARENT;

typedef struct builder {
    scmp_filter_ctx context;
    int error; /* the first, as a negative errno */
} builder_t;

static void note(builder_t *builder, int result)
{
    if (result < 0 && builder->error == 0) {
        builder->error = result;
    }
}

static void allow(builder_t *builder, const weir_calls_t *calls)
{
    for (size_t i = 0; i < calls->count; i++) {
        if (calls->numbers[i] >= 0) {
            note(builder, seccomp_rule_add(builder->context, SCMP_ACT_ALLOW, calls->numbers[i], 0));
        }
    }
}

static void refuse_as_unknown(builder_t *builder)
{
    for (size_t i = 0; i < weir_calls_unknown.count; i++) {
        note(builder, seccomp_rule_add(builder->context, SCMP_ACT_ERRNO(ENOSYS), weir_calls_unknown.numbers[i], 0));
    }
    for (int number = WEIR_CALLS_NEWER_FIRST; number <= WEIR_CALLS_NEWER_LAST; number++) {
        note(builder, seccomp_rule_add(builder->context, SCMP_ACT_ERRNO(ENOSYS), number, 0));
    }
}

/* Allow a call where one of its arguments, in the bits of a mask, is one of these values. */
static void allow_if(
    builder_t *builder, int number, unsigned argument, uint64_t mask, const uint64_t *values, size_t count)
{
    for (size_t i = 0; number >= 0 && i < count; i++) {
        note(builder, seccomp_rule_add(builder->context, SCMP_ACT_ALLOW, number, 1,
                          SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, mask, values[i] & mask)));
    }
}

#define ALLOW_IF(builder, number, argument, mask, ...)                                                                 \
    do {                                                                                                               \
        const uint64_t values_[] = {__VA_ARGS__};                                                                      \
        allow_if(builder, number, argument, mask, values_, sizeof values_ / sizeof *values_);                          \
    } while (0)

/* The kernel looks at 32 bits of what is an int or unsigned int. */
static const uint64_t whole_int = UINT32_MAX;

static void allow_by_arguments(builder_t *builder, const weir_filter_settings_t *settings)
{
    bool is_server = settings->kind == WEIR_FILTER_SERVER;
    ALLOW_IF(builder, SCMP_SYS(prctl), 0, whole_int, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, PR_SET_PDEATHSIG,
        PR_GET_DUMPABLE, PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_GET_MEMORY_MERGE);
    ALLOW_IF(builder, SCMP_SYS(ioctl), 1, whole_int, TCGETS, TCGETS2, TIOCGWINSZ, TIOCGPTN, FIONBIO, FIONREAD, FIOCLEX,
        FICLONE, PAGEMAP_SCAN);
    ALLOW_IF(builder, SCMP_SYS(process_madvise), 0, whole_int, (uint64_t)-10000 /* PIDFD_SELF */);
    ALLOW_IF(builder, SCMP_SYS(fchmod), 1, whole_int & ~UINT64_C(0777), 0);
    ALLOW_IF(builder, SCMP_SYS(socketpair), 0, whole_int, AF_UNIX);
    if (!is_server) {
        /* Some trials go without huge pages. */
        ALLOW_IF(builder, SCMP_SYS(prctl), 0, whole_int, PR_GET_THP_DISABLE, PR_SET_THP_DISABLE);
        ALLOW_IF(builder, SCMP_SYS(clone), 0, namespaces, 0);
        note(builder, seccomp_rule_add(builder->context, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 0));
        return;
    }
    ALLOW_IF(builder, SCMP_SYS(clone), 0, namespaces | CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM);
    ALLOW_IF(builder, SCMP_SYS(tgkill), 0, whole_int, (uint64_t)getpid());
    ALLOW_IF(builder, SCMP_SYS(kill), 0, whole_int, (uint64_t)getpid());
    if (settings->may_signal > 0) {
        ALLOW_IF(builder, SCMP_SYS(kill), 0, whole_int, (uint64_t)settings->may_signal);
    }
    /* Limits may be read. */
    ALLOW_IF(builder, SCMP_SYS(prlimit64), 2, UINT64_MAX, 0);
    ALLOW_IF(builder, SCMP_SYS(socket), 0, whole_int, AF_INET, AF_INET6, AF_UNIX);
    note(builder, seccomp_rule_add(builder->context, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                      SCMP_A0_64(SCMP_CMP_MASKED_EQ, whole_int, AF_NETLINK),
                      SCMP_A2_64(SCMP_CMP_MASKED_EQ, whole_int, 0 /* NETLINK_ROUTE: getaddrinfo(3) */)));
}

static void build(builder_t *builder, const weir_filter_settings_t *settings)
{
    allow(builder, &weir_calls_common);
    allow(builder, settings->kind == WEIR_FILTER_SERVER ? &weir_calls_server : &weir_calls_trials);
    allow_by_arguments(builder, settings);
    refuse_as_unknown(builder);
}

/* The program as the kernel wants it: libseccomp writes it to a file. */
static int read_program(scmp_filter_ctx context, weir_filter_t *filter)
{
    int file = memfd_create("weir-filter", MFD_CLOEXEC);
    if (file < 0) {
        return -errno;
    }
    int error = seccomp_export_bpf(context, file);
    off_t size = error == 0 ? lseek(file, 0, SEEK_END) : 0;
    struct sock_filter *program = size > 0 ? malloc((size_t)size) : NULL;
    if (error == 0 && (program == NULL || pread(file, program, (size_t)size, 0) != size)) {
        error = program == NULL ? -ENOMEM : -EIO;
    }
    /* It ends with what becomes of all other calls. A file that may not grow has less of it. */
    size_t length = (size_t)size / sizeof *program;
    if (error == 0 && (length == 0 || program[length - 1].code != (BPF_RET | BPF_K))) {
        error = -EFBIG;
    }
    close(file);
    if (error != 0) {
        free(program);
        return error;
    }
    filter->program = program;
    filter->length = length;
    return 0;
}

void weir_filter_make(const weir_filter_settings_t *settings, weir_filter_t *ret_filter)
{
    weir_filter_t filter = {.tell = settings->tell};
    builder_t builder = {.context = seccomp_init(settings->tell ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(EPERM))};
    if (builder.context == NULL) {
        builder.error = -ENOMEM;
    } else {
        build(&builder, settings);
        if (builder.error == 0 && read_program(builder.context, &filter) != 0) {
            filter.context = builder.context;
        } else {
            seccomp_release(builder.context);
        }
    }
    filter.error = -builder.error;
    *ret_filter = filter;
}

/* What is refused is also in the kernel's log, where the kernel can: Linux 4.14. */
static int load(const weir_filter_t *filter)
{
    if (filter->context != NULL) {
        seccomp_attr_set(filter->context, SCMP_FLTATR_CTL_LOG, 1);
        /* What the kernel said, and not libseccomp's own word for it */
        seccomp_attr_set(filter->context, SCMP_FLTATR_API_SYSRAWRC, 1);
        return -seccomp_load(filter->context);
    }
    const struct sock_fprog program = {(unsigned short)filter->length, filter->program};
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program);
    if (result != 0 && errno == EINVAL) {
        result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
    }
    return result == 0 ? 0 : errno;
}

int weir_filter_install(const weir_filter_t *filter)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return errno;
    }
    if (filter->error != 0) {
        return filter->error;
    }
    if (filter->tell && !weir_tell_refused_calls()) {
        return errno;
    }
    return load(filter);
}

void weir_filter_free(weir_filter_t *filter)
{
    free(filter->program);
    if (filter->context != NULL) {
        seccomp_release(filter->context);
    }
    filter->context = NULL;
    filter->program = NULL;
    filter->length = 0;
}
