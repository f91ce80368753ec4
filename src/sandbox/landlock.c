/*
 * landlock.c: what is handled here is what the headers that weir is compiled with may not know yet, so numbers and
 * structures stand here (Documentation/userspace-api/landlock.rst, include/uapi/linux/landlock.h).
 */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on every architecture. */
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 };

enum { RULE_PATH_BENEATH = 1 };

static const uint32_t ask_version = 1;

/* Rights, by the version that brought them. */
static const uint64_t executing = UINT64_C(1) << 0;
static const uint64_t writing_file = UINT64_C(1) << 1;
static const uint64_t removing_file = UINT64_C(1) << 5;
static const uint64_t making_file = UINT64_C(1) << 8;
static const uint64_t changing_directories = UINT64_C(0x1ff) << 4; /* remove and make, each kind */
static const uint64_t referring = UINT64_C(1) << 13;               /* 2: rename and link between directories */
static const uint64_t truncating = UINT64_C(1) << 14;              /* 3 */
static const uint64_t device_ioctl = UINT64_C(1) << 15;            /* 5 */
static const uint64_t binding_tcp = UINT64_C(1) << 0;              /* 4, of the network */

/* The kernel takes a structure that is shorter than its own, so each version is given what it knows. */
typedef struct ruleset {
    uint64_t files;
    uint64_t network;
} ruleset_t;

typedef struct __attribute__((packed)) beneath {
    uint64_t allowed;
    int32_t parent;
} beneath_t;

unsigned weir_landlock_version(void)
{
    long version = syscall(CREATE_RULESET, NULL, 0, ask_version);
    return version > 0 ? (unsigned)version : 0;
}

static ruleset_t ruleset_of(unsigned version)
{
    ruleset_t ruleset = {.files = executing | writing_file | changing_directories};
    ruleset.files |= version >= 2 ? referring : 0;
    ruleset.files |= version >= 3 ? truncating : 0;
    ruleset.files |= version >= 5 ? device_ioctl : 0;
    ruleset.network = version >= 4 ? binding_tcp : 0;
    return ruleset;
}

static size_t size_of_ruleset(unsigned version)
{
    return version >= 4 ? sizeof(ruleset_t) : offsetof(ruleset_t, network);
}

/* Allow what there is to do with an open directory or file, among these rights. 0, or an errno. */
static int allow(int ruleset, int descriptor, uint64_t rights)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0) {
        return errno;
    }
    if (!S_ISDIR(status.st_mode)) {
        rights &= writing_file | truncating | device_ioctl;
    }
    beneath_t rule = {rights, descriptor};
    return syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0 ? 0 : errno;
}

static int allow_path(int ruleset, const char *path, uint64_t rights)
{
    int descriptor = open(path, O_PATH | O_CLOEXEC);
    if (descriptor < 0) {
        /* No such thing, and nothing to write to then: a descriptor that could not be had is another matter. */
        return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? errno : 0;
    }
    int error = allow(ruleset, descriptor, rights);
    close(descriptor);
    return error;
}

/* What they are is opened again in some cases (standard_error.c). Pipes and sockets are in no directory, are not
 * Landlock's business, and refused as a rule. */
static void allow_streams(int ruleset, uint64_t handled)
{
    static const char *const streams[] = {"/proc/self/fd/1", "/proc/self/fd/2"};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        struct stat status;
        if (stat(streams[i], &status) == 0 && (S_ISCHR(status.st_mode) || S_ISREG(status.st_mode))) {
            (void)allow_path(ruleset, streams[i], handled & (writing_file | device_ioctl));
        }
    }
}

static int restrict_self(int ruleset)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return errno;
    }
    return syscall(RESTRICT_SELF, ruleset, 0) == 0 ? 0 : errno;
}

static uint64_t rights_of(weir_place_use_t use)
{
    switch (use) {
    case WEIR_PLACE_FILES:
        return writing_file | making_file | truncating;
    case WEIR_PLACE_REMOVE:
        return removing_file;
    case WEIR_PLACE_WRITE:
        break;
    }
    return ~(executing | device_ioctl);
}

int weir_landlock_enter(const weir_landlock_place_t *places, size_t count)
{
    unsigned version = weir_landlock_version();
    if (version == 0) {
        return errno;
    }
    ruleset_t handled = ruleset_of(version);
    int ruleset = (int)syscall(CREATE_RULESET, &handled, size_of_ruleset(version), 0);
    if (ruleset < 0) {
        return errno;
    }
    int error = allow_path(ruleset, "/dev/null", handled.files & writing_file);
    allow_streams(ruleset, handled.files);
    for (size_t i = 0; error == 0 && i < count; i++) {
        error = allow_path(ruleset, places[i].path, handled.files & rights_of(places[i].use));
    }
    if (error == 0) {
        error = restrict_self(ruleset);
    }
    close(ruleset);
    return error;
}
