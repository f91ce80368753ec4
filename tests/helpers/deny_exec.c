/*
 * deny_exec: runs a program in a process that can no longer make memory executable: deny_exec PROGRAM [ARGUMENTS...]
 *
 * A seccomp filter refuses, with EPERM, mprotect, pkey_mprotect and shmat that ask for execution, and mmap of memory
 * that is executable and anonymous. Executable mappings of files stay allowed: the dynamic loader needs them. This is
 * how systemd's MemoryDenyWriteExecute and hardened containers meet a just-in-time compiler.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define THIS_ARCHITECTURE AUDIT_ARCH_RISCV64
#else
#error "name this architecture's AUDIT_ARCH here"
#endif

/* Arguments are 64 bits; the flags that matter are in the lower half. */
#define ARGUMENT(number)                                                                                               \
    (offsetof(struct seccomp_data, args) + 8 * (number) + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0))

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define JUMP_IF_EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (yes), (no))
#define JUMP_IF_ANY(bits, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), (yes), (no))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))

int main(int argument_count, char **arguments)
{
    if (argument_count < 2) {
        fputs("usage: deny_exec PROGRAM [ARGUMENTS...]\n", stderr);
        return 2;
    }
    struct sock_filter filter[] = {
        /*  0 */ LOAD(offsetof(struct seccomp_data, arch)),
        /*  1 */ JUMP_IF_EQUAL(THIS_ARCHITECTURE, 1, 0),
        /*  2 */ RETURN(SECCOMP_RET_KILL_PROCESS), /* another ABI's calls would slip through */
        /*  3 */ LOAD(offsetof(struct seccomp_data, nr)),
        /*  4 */ JUMP_IF_EQUAL(SYS_mprotect, 6, 0),
        /*  5 */ JUMP_IF_EQUAL(SYS_pkey_mprotect, 5, 0),
        /*  6 */ JUMP_IF_EQUAL(SYS_shmat, 6, 0),
        /*  7 */ JUMP_IF_EQUAL(SYS_mmap, 0, 7),
        /*  8 */ LOAD(ARGUMENT(3)),
        /*  9 */ JUMP_IF_ANY(MAP_ANONYMOUS, 1, 0),
        /* 10 */ RETURN(SECCOMP_RET_ALLOW),
        /* 11 */ LOAD(ARGUMENT(2)), /* the protection, of mmap, mprotect and pkey_mprotect alike */
        /* 12 */ JUMP_IF_ANY(PROT_EXEC, 3, 2),
        /* 13 */ LOAD(ARGUMENT(2)), /* the flags of shmat */
        /* 14 */ JUMP_IF_ANY(SHM_EXEC, 1, 0),
        /* 15 */ RETURN(SECCOMP_RET_ALLOW),
        /* 16 */ RETURN(SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA)),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) {
        fprintf(stderr, "deny_exec: no seccomp filter: %s\n", strerror(errno));
        return 2;
    }
    execvp(arguments[1], arguments + 1);
    fprintf(stderr, "deny_exec: %s: %s\n", arguments[1], strerror(errno));
    return 2;
}
