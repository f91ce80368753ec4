/*
 * refuse_calls: runs a program to which the kernel refuses what would confine it, as emulators and some containers do:
 * refuse_calls ERRNO CALL[,CALL...] PROGRAM [ARGUMENTS...]
 *
 * CALL is seccomp, prctl-seccomp, no-new-privs or landlock; ERRNO a number.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ANY = -1, STEPS_MAX = 64, LANDLOCK_CREATE_RULESET = 444 };

static const struct {
    const char *name;
    uint32_t number;
    int first; /* argument, or ANY */
} calls[] = {
    {"seccomp", SYS_seccomp, ANY},
    {"prctl-seccomp", SYS_prctl, PR_SET_SECCOMP},
    {"no-new-privs", SYS_prctl, PR_SET_NO_NEW_PRIVS},
    {"landlock", LANDLOCK_CREATE_RULESET, ANY},
};

#define LOWER_HALF_OF_FIRST (offsetof(struct seccomp_data, args) + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0))

static struct sock_filter steps[STEPS_MAX];
static unsigned short step_count;

static void add(uint16_t code, uint32_t value, uint8_t yes, uint8_t no)
{
    steps[step_count++] = (struct sock_filter){code, yes, no, value};
}

/* Five steps: where the number is another, go on behind them. */
static void refuse(uint32_t number, int first, uint32_t error)
{
    add(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    add(BPF_JMP | BPF_JEQ | BPF_K, number, 0, first == ANY ? 1 : 3);
    if (first != ANY) {
        add(BPF_LD | BPF_W | BPF_ABS, LOWER_HALF_OF_FIRST, 0, 0);
        add(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)first, 0, 1);
    }
    add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error & SECCOMP_RET_DATA), 0, 0);
}

int main(int argument_count, char **arguments)
{
    if (argument_count < 4) {
        fputs("usage: refuse_calls ERRNO CALL[,CALL...] PROGRAM [ARGUMENTS...]\n", stderr);
        return 2;
    }
    uint32_t error = (uint32_t)strtoul(arguments[1], NULL, 10);
    for (char *name = strtok(arguments[2], ","); name != NULL; name = strtok(NULL, ",")) {
        size_t i = 0;
        while (i < sizeof calls / sizeof calls[0] && strcmp(calls[i].name, name) != 0) {
            i++;
        }
        if (i == sizeof calls / sizeof calls[0] || step_count > STEPS_MAX - 8) {
            fprintf(stderr, "refuse_calls: there is no call '%s'\n", name);
            return 2;
        }
        refuse(calls[i].number, calls[i].first, error);
    }
    add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    struct sock_fprog program = {.len = step_count, .filter = steps};
    /* Root may do without, and then weir is the first to ask for it. */
    if ((prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0 &&
            (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0))) {
        fprintf(stderr, "refuse_calls: no seccomp filter: %s\n", strerror(errno));
        return 2;
    }
    execvp(arguments[3], arguments + 3);
    fprintf(stderr, "refuse_calls: %s: %s\n", arguments[3], strerror(errno));
    return 2;
}
