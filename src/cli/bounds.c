/*
 * bounds.c: arithmetic on limits, and the limits of this process.
 */
#include "cli/bounds.h"

#include "allocator/child.h"
#include "allocator/gang.h"
#include "allocator/text.h"
#include "allocator/translate.h"
#include "app/limits.h"
#include "http/chunked.h"
#include "serve/connection.h"
#include "serve/limits.h"
#include "serve/server.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    MOST_OUTBOUND = 4096,
    FEWEST_CONNECTIONS = 16,
    MAX_DESCRIPTORS = 65536,  /* more are not asked for, although they may be had, unless a wish needs them */
    USUAL_DESCRIPTORS = 1024, /* where the limit cannot be read */
    OTHER_DESCRIPTORS = 64,   /* epolls, standard streams, files that are open for a moment */
    OUTBOUND_PART = 8,        /* of the descriptors, for requests of guests */
    CONNECTIONS_PART = 16,    /* of the address space, for connections */
    MEMORY_PART = 8,          /* of the memory, for connections while they are idle */
    USUAL_MEMORY_MIB = 256,   /* where it cannot be read */
    FEWEST_DESCRIPTORS = 16,  /* of the process: standard streams, the listener, timers, files that are read */
    LOOP_DESCRIPTORS = 3,     /* an epoll, an eventfd, a file that is opened for a moment */
    OTHER_TASKS = 3,          /* the process's first thread, its trial server, the bridge's thread for timers */
    ATTEMPT_MILLISECONDS = 2000,
};

/*
 * What a connection may hold at once: its record; what came and was not used; a head that waits, and the trailers of a
 * request; and of a response what the client does not take: the head, a piece of the body, trailers.
 */
static uint64_t connection_bytes(bool tls)
{
    uint64_t clear = sizeof(weir_connection_t) + WEIR_RECEIVE_BYTES + WEIR_REQUEST_HEAD_BYTES +
                     WEIR_TRAILERS_MAX_BYTES + WEIR_GATHER_BYTES + 2 * (uint64_t)WEIR_RESPONSE_FIELDS_BYTES;
    return clear + (tls ? WEIR_TLS_UNSENT_BYTES + WEIR_TLS_RECORD_BYTES + WEIR_TLS_UNREAD_BYTES : 0);
}

static uint64_t least(uint64_t left, uint64_t right)
{
    return left < right ? left : right;
}

static uint32_t bound(uint64_t connections, uint32_t most)
{
    uint32_t bounded = (uint32_t)least(connections, most);
    return bounded < FEWEST_CONNECTIONS ? FEWEST_CONNECTIONS : bounded;
}

uint32_t weir_bounds_connections(const weir_bounds_room_t *room, bool tls)
{
    /* A quarter is left for what guests open: weir_bounds_outbound. */
    uint64_t descriptors = room->descriptors;
    uint64_t by_descriptors = descriptors > OTHER_DESCRIPTORS ? (descriptors - OTHER_DESCRIPTORS) / 4 * 3 : 0;
    uint64_t by_space = room->address_space / CONNECTIONS_PART / connection_bytes(tls);
    uint64_t by_memory = room->memory / MEMORY_PART / (tls ? WEIR_IDLE_TLS_BYTES : WEIR_IDLE_CONNECTION_BYTES);
    /* No more than may be asked for. */
    uint32_t most = (uint32_t)weir_limit_rules[WEIR_SERVING_CONNECTIONS].most;
    return bound(least(least(by_descriptors, by_space), by_memory), most);
}

uint32_t weir_bounds_outbound(uint64_t descriptors)
{
    /* Half of that quarter; the other is for sockets and files. */
    return bound(descriptors / OUTBOUND_PART, MOST_OUTBOUND);
}

uint64_t weir_bounds_descriptors(unsigned loops)
{
    return FEWEST_DESCRIPTORS + (uint64_t)LOOP_DESCRIPTORS * loops + FEWEST_CONNECTIONS;
}

unsigned weir_bounds_tasks(unsigned loops, unsigned writers)
{
    return OTHER_TASKS + weir_server_threads(loops) + writers;
}

/* ---- This process ------------------------------------------------------------------------------------------------ */

static uint64_t address_space_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) {
        return UINT64_MAX;
    }
    return limit.rlim_cur;
}

/* Take as many descriptors as may be had, within reason: for so many connections, if any are asked for. Returns how
 * many. */
static uint64_t raise_descriptors(uint64_t connections)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return USUAL_DESCRIPTORS;
    }
    rlim_t most = OTHER_DESCRIPTORS + (connections + 2) / 3 * 4; /* what weir_bounds_connections undoes */
    most = most < MAX_DESCRIPTORS ? MAX_DESCRIPTORS : most;
    rlim_t wanted = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > most ? most : limit.rlim_max;
    if (limit.rlim_cur < wanted) {
        struct rlimit raised = {wanted, limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
            return wanted;
        }
    }
    return limit.rlim_cur;
}

/* A file in memory counts too, and a module's data is in one. */
static void raise_file_size(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_FSIZE, &limit); /* where it stays, the trials show what that comes to */
    }
}

static unsigned count_processors(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) < 0) {
        return 1;
    }
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : (unsigned)count;
}

/* ---- Processes and threads --------------------------------------------------------------------------------------- */

static void meet(weir_gang_t *gang, unsigned thread, void *context)
{
    (void)thread;
    (void)context;
    weir_gang_meet(gang);
}

/* In a child: this thread, and as many more as can be had at once. */
static int start_tasks(int report, void *context)
{
    const unsigned *wanted = context;
    unsigned had = weir_gang_run(*wanted, meet, NULL);
    return write(report, &had, sizeof had) == (ssize_t)sizeof had ? 0 : 1;
}

/* How many of `wanted` more processes and threads can be had at once. Where that cannot be tried, all of them. */
static unsigned try_tasks(unsigned wanted)
{
    unsigned had = 0;
    unsigned tried = wanted < WEIR_GANG_MOST ? wanted : WEIR_GANG_MOST;
    weir_child_result_t result;
    weir_child_run(start_tasks, &tried, ATTEMPT_MILLISECONDS, &had, sizeof had, &result);
    if (result.end == WEIR_CHILD_SYSTEM && result.error_number == EAGAIN) {
        return 0;
    }
    return result.end != WEIR_CHILD_REPORTED || had >= tried ? wanted : had;
}

static bool is_enough(weir_fact_t limit, weir_fact_t others, uint64_t needed)
{
    uint64_t used = others.knowledge == WEIR_KNOWN ? others.value : 0;
    return limit.knowledge != WEIR_KNOWN || (used <= limit.value && limit.value - used >= needed);
}

/* Whether a limit may be too low for all that anybody can tell. */
static bool is_doubtful(weir_fact_t limit, weir_fact_t others, bool thorough)
{
    return limit.knowledge == WEIR_KNOWN && others.knowledge == WEIR_UNKNOWN &&
           (thorough || limit.value <= WEIR_TASKS_FEW);
}

static void leave_own(weir_fact_t *used, unsigned own)
{
    used->value -= used->value < own ? used->value : own;
}

static void take_tasks(const weir_bounds_wish_t *wish, weir_bounds_t *bounds)
{
    weir_cgroups_t groups;
    weir_tasks_t *tasks = &bounds->tasks;
    unsigned own = wish->trial_server ? 2 : 1;
    weir_cgroup_find("", &groups);
    weir_tasks_read(weir_machine_real(), &groups, NULL, wish->thorough, tasks);
    leave_own(&tasks->used, own);
    leave_own(&tasks->group_used, own);
    bounds->fewest_tasks = weir_bounds_tasks(bounds->loops, wish->writers);
    bounds->tasks_had = bounds->fewest_tasks;
    if (is_doubtful(tasks->limit, tasks->used, wish->thorough) ||
        is_doubtful(tasks->group_limit, tasks->group_used, wish->thorough)) {
        bounds->tasks_had = own + try_tasks(bounds->fewest_tasks - own);
    }
}

/* ---- Whether it can serve ---------------------------------------------------------------------------------------- */

void weir_bounds_take(const weir_bounds_wish_t *wish, weir_bounds_t *ret_bounds)
{
    unsigned loops = count_processors();
    weir_bounds_t bounds = {
        .loops = loops,
        .room = {raise_descriptors(wish->connections), address_space_limit(), UINT64_MAX},
        .tls = wish->tls,
        .fewest_descriptors = weir_bounds_descriptors(loops),
    };
    bounds.connections = weir_bounds_connections(&bounds.room, bounds.tls);
    raise_file_size();
    take_tasks(wish, &bounds);
    *ret_bounds = bounds;
}

void weir_bounds_fit_memory(const weir_facts_t *facts, weir_bounds_t *bounds)
{
    const weir_fact_t *const limits[] = {&facts->memory_total, &facts->cgroup_limit};
    bounds->room.memory = facts->memory_total.knowledge == WEIR_KNOWN ? UINT64_MAX : (uint64_t)USUAL_MEMORY_MIB << 20;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (limits[i]->knowledge == WEIR_KNOWN) {
            bounds->room.memory = least(bounds->room.memory, limits[i]->value);
        }
    }
    bounds->connections = weir_bounds_connections(&bounds->room, bounds->tls);
}

bool weir_bounds_lack_descriptors(const weir_bounds_t *bounds)
{
    return bounds->room.descriptors < bounds->fewest_descriptors;
}

static bool lack_of_user(const weir_bounds_t *bounds)
{
    return !is_enough(bounds->tasks.limit, bounds->tasks.used, bounds->fewest_tasks);
}

static bool lack_of_group(const weir_bounds_t *bounds)
{
    return !is_enough(bounds->tasks.group_limit, bounds->tasks.group_used, bounds->fewest_tasks);
}

bool weir_bounds_lack_tasks(const weir_bounds_t *bounds)
{
    return lack_of_user(bounds) || lack_of_group(bounds) || bounds->tasks_had < bounds->fewest_tasks;
}

bool weir_bounds_suffice(const weir_bounds_t *bounds)
{
    return !weir_bounds_lack_descriptors(bounds) && !weir_bounds_lack_tasks(bounds);
}

static void refuse_tasks(const weir_bounds_t *bounds, char *buffer, size_t size)
{
    const weir_tasks_t *tasks = &bounds->tasks;
    bool user = lack_of_user(bounds);
    weir_fact_t limit = user ? tasks->limit : tasks->group_limit;
    weir_fact_t others = user ? tasks->used : tasks->group_used;
    if (!user && !lack_of_group(bounds)) {
        bool known = tasks->limit.knowledge == WEIR_KNOWN;
        weir_text_append(buffer, size,
            known ? weir_translate("of the %u processes and threads that a server has here %u could be had: the limit "
                                   "on this user's is %llu, and others take of it; raise it (ulimit -u, LimitNPROC= in "
                                   "a systemd unit)")
                  : weir_translate("of the %u processes and threads that a server has here %u could be had: the limit "
                                   "on the control group's is %llu, and others take of it; raise it (TasksMax= in a "
                                   "systemd unit, docker run --pids-limit)"),
            bounds->fewest_tasks, bounds->tasks_had,
            (unsigned long long)(known ? tasks->limit.value : tasks->group_limit.value));
        return;
    }
    weir_text_append(buffer, size,
        user ? weir_translate("the limit on processes and threads of this user (RLIMIT_NPROC) is %llu, others have "
                              "%llu, and %u is the least to serve with here; raise it (ulimit -u, LimitNPROC= in a "
                              "systemd unit)")
             : weir_translate("the limit on processes and threads of the control group (pids.max) is %llu, others have "
                              "%llu, and %u is the least to serve with here; raise it (TasksMax= in a systemd unit, "
                              "docker run --pids-limit)"),
        (unsigned long long)limit.value, (unsigned long long)(others.knowledge == WEIR_KNOWN ? others.value : 0),
        bounds->fewest_tasks);
}

const char *weir_bounds_refusal(const weir_bounds_t *bounds, char *buffer, size_t size)
{
    buffer[0] = '\0';
    if (weir_bounds_lack_descriptors(bounds)) {
        weir_text_append(buffer, size,
            weir_translate("the limit on open files is %llu, and %llu is the least to serve with here; raise it "
                           "(ulimit -n, LimitNOFILE= in a systemd unit)"),
            (unsigned long long)bounds->room.descriptors, (unsigned long long)bounds->fewest_descriptors);
    } else if (weir_bounds_lack_tasks(bounds)) {
        refuse_tasks(bounds, buffer, size);
    }
    return buffer;
}

const char *weir_bounds_remedy(const weir_bounds_t *bounds)
{
    if (weir_bounds_lack_descriptors(bounds)) {
        return weir_translate("Raise the limit on open files: 'ulimit -n', or 'LimitNOFILE=' in a systemd unit.");
    }
    if (weir_bounds_lack_tasks(bounds)) {
        bool of_user = lack_of_user(bounds) || (!lack_of_group(bounds) && bounds->tasks.limit.knowledge == WEIR_KNOWN);
        return of_user ? weir_translate("Raise the limit on this user's processes and threads: 'ulimit -u', or "
                                        "'LimitNPROC=' in a systemd unit.")
                       : weir_translate("Raise the limit on the control group's processes and threads: 'TasksMax=' in "
                                        "a systemd unit, 'docker run --pids-limit', 'pids.max'.");
    }
    return "";
}
