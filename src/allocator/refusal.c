/*
 * refusal.c: what a refusal by Wasmtime says, and which limit stands behind it.
 */
#include "allocator/refusal.h"

#include "allocator/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- Reading the message ----------------------------------------------------------------------------------------- */

static const char *find(const char *message, size_t length, const char *words)
{
    return memmem(message, length, words, strlen(words));
}

/* A number in base 10 or 16 at `at`, before `end`. False when there is none, or it is too large. */
static bool number_at(const char *at, const char *end, unsigned base, uint64_t *ret_value)
{
    uint64_t value = 0;
    const char *start = at;
    for (; at < end && (base == 16 ? isxdigit((unsigned char)*at) : isdigit((unsigned char)*at)); at++) {
        unsigned char byte = (unsigned char)*at;
        unsigned digit = (unsigned)(isdigit(byte) ? byte - '0' : tolower(byte) - 'a' + 10);
        if (value > (UINT64_MAX - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    *ret_value = value;
    return at > start;
}

void weir_refusal_parse(const char *message, size_t length, weir_refusal_t *ret_refusal)
{
    static const struct {
        const char *words;
        weir_refused_t what;
        const char *call;
    } phrases[] = {
        {"memory pool mapping", WEIR_REFUSED_MEMORIES, "mmap"},
        {"table pool mapping", WEIR_REFUSED_TABLES, "mmap"},
        {"stack pool mapping", WEIR_REFUSED_STACKS, "mmap"},
        {"protect stack guard page", WEIR_REFUSED_STACKS, "mprotect"},
        {"make memory executable", WEIR_REFUSED_CODE, "mprotect"},
        {"mmap failed to reserve", WEIR_REFUSED_MEMORIES, "mmap"},
    };
    static const char *const sizes[] = {"mmap failed to reserve 0x", "mmap failed to allocate 0x"};
    const char *end = message + length;
    weir_refusal_t refusal = {.what = WEIR_REFUSED_OTHER};
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0] && refusal.what == WEIR_REFUSED_OTHER; i++) {
        if (find(message, length, phrases[i].words) != NULL) {
            refusal.what = phrases[i].what;
            snprintf(refusal.call, sizeof refusal.call, "%s", phrases[i].call);
        }
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && refusal.bytes == 0; i++) {
        const char *at = find(message, length, sizes[i]);
        if (at != NULL && number_at(at + strlen(sizes[i]), end, 16, &refusal.bytes)) {
            snprintf(refusal.call, sizeof refusal.call, "mmap");
        }
    }
    const char *at = find(message, length, "(os error ");
    uint64_t number = 0;
    if (at != NULL && number_at(at + strlen("(os error "), end, 10, &number) && number < 4096) {
        refusal.error_number = (int)number;
    }
    *ret_refusal = refusal;
}

/* ---- The limit behind it ----------------------------------------------------------------------------------------- */

/* Whether `used` and `more` together go beyond a limit that is known. */
static bool exceeds(weir_fact_t limit, weir_fact_t used, uint64_t more)
{
    if (limit.knowledge != WEIR_KNOWN) {
        return false;
    }
    uint64_t already = used.knowledge == WEIR_KNOWN ? used.value : 0;
    return weir_add(already, more) > limit.value;
}

/* An instance was refused without a size: it takes at most what one slot costs. */
static uint64_t refused_bytes(
    const weir_rung_t *rung, const weir_needs_t *needs, const weir_refusal_t *refusal, uint64_t page_size)
{
    return refusal->bytes != 0 ? refusal->bytes : weir_rung_cost(rung, needs, page_size, 1).address;
}

weir_limit_t weir_refusal_limit(const weir_facts_t *facts, const weir_usage_t *usage, const weir_rung_t *rung,
    const weir_needs_t *needs, const weir_refusal_t *refusal)
{
    uint64_t page_size = weir_facts_page_size(facts);
    uint64_t bytes = refused_bytes(rung, needs, refusal, page_size);
    if (refusal->error_number == EFBIG) {
        return WEIR_LIMIT_FILE_SIZE; /* the file in memory that a module's data is mapped from */
    }
    bool no_memory = refusal->error_number == ENOMEM || refusal->error_number == EAGAIN;
    if (refusal->what == WEIR_REFUSED_CODE && !no_memory) {
        return WEIR_LIMIT_EXECUTABLE;
    }
    if (!no_memory) {
        return WEIR_LIMIT_UNKNOWN;
    }
    if (exceeds(facts->address_space_limit, usage->address_space, bytes)) {
        return WEIR_LIMIT_ADDRESS_SPACE;
    }
    bool writable = refusal->what != WEIR_REFUSED_MEMORIES;
    if (writable && exceeds(facts->data_limit, usage->data, bytes)) {
        return WEIR_LIMIT_DATA;
    }
    /* One call may split a mapping in three. */
    if (exceeds(facts->mappings_limit, usage->mappings, 3)) {
        return WEIR_LIMIT_MAPPINGS;
    }
    /* What this process has mapped of the rung counts too, and so does what others do meanwhile. */
    if (writable && weir_fact_is(facts->overcommit_mode, 2)) {
        return WEIR_LIMIT_COMMIT;
    }
    if (!writable && facts->address_bits.knowledge == WEIR_KNOWN && facts->address_bits.value < 64 &&
        weir_add(bytes, usage->address_space.value) > (UINT64_C(1) << facts->address_bits.value) / 4) {
        return WEIR_LIMIT_ADDRESS_BITS;
    }
    return weir_fact_is(facts->emulated, 1) ? WEIR_LIMIT_EMULATION : WEIR_LIMIT_UNKNOWN;
}

weir_limit_t weir_limit_of_fork(const char *call, int error_number)
{
    return error_number == EAGAIN && strcmp(call, "fork") == 0 ? WEIR_LIMIT_PROCESSES : WEIR_LIMIT_UNKNOWN;
}

/* Of this user's processes or of the group's, the limit that leaves room for fewer more. */
static const weir_fact_t *processes_limit(const weir_facts_t *facts)
{
    const weir_fact_t *limit = &facts->processes_limit;
    const weir_fact_t *group = &facts->cgroup_processes_limit;
    uint64_t used = facts->processes_used.knowledge == WEIR_KNOWN ? facts->processes_used.value : 0;
    uint64_t group_used = facts->cgroup_processes_used.knowledge == WEIR_KNOWN ? facts->cgroup_processes_used.value : 0;
    uint64_t left = limit->value > used ? limit->value - used : 0;
    uint64_t group_left = group->value > group_used ? group->value - group_used : 0;
    bool groups = group->knowledge == WEIR_KNOWN && (limit->knowledge != WEIR_KNOWN || group_left < left);
    return groups ? group : limit;
}

const char *weir_limit_value_text(const weir_facts_t *facts, weir_limit_t limit, char *buffer, size_t size)
{
    const weir_fact_t *fact = NULL;
    buffer[0] = '\0';
    switch (limit) {
    case WEIR_LIMIT_ADDRESS_SPACE:
        fact = &facts->address_space_limit;
        break;
    case WEIR_LIMIT_COMMIT:
        fact = &facts->commit_limit;
        break;
    case WEIR_LIMIT_DATA:
        fact = &facts->data_limit;
        break;
    case WEIR_LIMIT_CGROUP:
        fact = &facts->cgroup_limit;
        break;
    case WEIR_LIMIT_MEMORY:
        fact = &facts->memory_total;
        break;
    case WEIR_LIMIT_ADDRESS_BITS:
        snprintf(buffer, size, "%llu bits", (unsigned long long)facts->address_bits.value);
        break;
    case WEIR_LIMIT_MAPPINGS:
        snprintf(buffer, size, "%llu", (unsigned long long)facts->mappings_limit.value);
        break;
    case WEIR_LIMIT_FILE_SIZE:
        fact = &facts->file_size_limit;
        break;
    case WEIR_LIMIT_PROCESSES:
        if (processes_limit(facts)->knowledge == WEIR_KNOWN) {
            snprintf(buffer, size, "%llu", (unsigned long long)processes_limit(facts)->value);
        }
        break;
    case WEIR_LIMIT_NONE:
    case WEIR_LIMIT_UNKNOWN:
    case WEIR_LIMIT_EXECUTABLE:
    case WEIR_LIMIT_EMULATION:
        break;
    }
    if (fact != NULL && fact->knowledge == WEIR_KNOWN) {
        snprintf(buffer, size, "%s", weir_size_text(fact->value).text);
    }
    return buffer;
}
