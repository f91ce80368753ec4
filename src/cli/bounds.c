/*
 * bounds.c: arithmetic on limits, and the limits of this process.
 */
#include "cli/bounds.h"

#include "allocator/text.h"
#include "allocator/translate.h"
#include "http/chunked.h"
#include "serve/connection.h"
#include "serve/limits.h"

#include <sched.h>
#include <sys/resource.h>

enum {
    MOST_CONNECTIONS = 4096,
    FEWEST_CONNECTIONS = 16,
    MAX_DESCRIPTORS = 65536,  /* more are not asked for, although they may be had */
    USUAL_DESCRIPTORS = 1024, /* where the limit cannot be read */
    OTHER_DESCRIPTORS = 64,   /* epolls, standard streams, files that are open for a moment */
    OUTBOUND_PART = 8,        /* of the descriptors, for requests of guests */
    CONNECTIONS_PART = 16,    /* of the address space, for connections */
    FEWEST_DESCRIPTORS = 16,  /* of the process: standard streams, the listener, timers, files that are read */
    LOOP_DESCRIPTORS = 3,     /* an epoll, an eventfd, a file that is opened for a moment */
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

uint32_t weir_bounds_connections(uint64_t descriptors, uint64_t address_space, bool tls)
{
    /* A quarter is left for what guests open: weir_bounds_outbound. */
    uint64_t by_descriptors = descriptors > OTHER_DESCRIPTORS ? (descriptors - OTHER_DESCRIPTORS) / 4 * 3 : 0;
    uint64_t by_space = address_space / CONNECTIONS_PART / connection_bytes(tls);
    uint64_t connections = least(least(by_descriptors, by_space), MOST_CONNECTIONS);
    return connections < FEWEST_CONNECTIONS ? FEWEST_CONNECTIONS : (uint32_t)connections;
}

uint32_t weir_bounds_outbound(uint64_t descriptors)
{
    /* Half of that quarter; the other is for sockets and files. */
    uint64_t connections = least(descriptors / OUTBOUND_PART, MOST_CONNECTIONS);
    return connections < FEWEST_CONNECTIONS ? FEWEST_CONNECTIONS : (uint32_t)connections;
}

uint64_t weir_bounds_descriptors(unsigned loops)
{
    return FEWEST_DESCRIPTORS + (uint64_t)LOOP_DESCRIPTORS * loops + FEWEST_CONNECTIONS;
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

/* Take as many descriptors as may be had, within reason. Returns how many. */
static uint64_t raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        return USUAL_DESCRIPTORS;
    }
    rlim_t wanted =
        limit.rlim_max == RLIM_INFINITY || limit.rlim_max > MAX_DESCRIPTORS ? MAX_DESCRIPTORS : limit.rlim_max;
    if (limit.rlim_cur < wanted) {
        struct rlimit raised = {wanted, limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) {
            return wanted;
        }
    }
    return limit.rlim_cur;
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

void weir_bounds_take(bool tls, weir_bounds_t *ret_bounds)
{
    unsigned loops = count_processors();
    uint64_t descriptors = raise_descriptors();
    *ret_bounds = (weir_bounds_t){
        .loops = loops,
        .descriptors = descriptors,
        .fewest_descriptors = weir_bounds_descriptors(loops),
        .connections = weir_bounds_connections(descriptors, address_space_limit(), tls),
    };
}

bool weir_bounds_suffice(const weir_bounds_t *bounds)
{
    return bounds->descriptors >= bounds->fewest_descriptors;
}

const char *weir_bounds_refusal(const weir_bounds_t *bounds, char *buffer, size_t size)
{
    buffer[0] = '\0';
    if (!weir_bounds_suffice(bounds)) {
        weir_text_append(buffer, size,
            weir_translate("the limit on open files is %llu, and %llu is the least to serve with here; raise it "
                           "(ulimit -n, LimitNOFILE= in a systemd unit)"),
            (unsigned long long)bounds->descriptors, (unsigned long long)bounds->fewest_descriptors);
    }
    return buffer;
}
