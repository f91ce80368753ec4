/*
 * allocator_processor.c: fuzzes what is made of CPUID and of the auxiliary vector. An input is a table of answers: a
 * byte that chooses the leaf, and four registers. The first eight bytes are XCR0.
 */
#include "allocator/processor.h"
#include "fuzz.h"

enum { ANSWERS_MAX = 16 };

static struct {
    uint32_t leaf;
    uint32_t subleaf;
    weir_cpuid_t registers;
} answers[ANSWERS_MAX];

static size_t answer_count;
static uint64_t state;

static bool ask(uint32_t leaf, uint32_t subleaf, weir_cpuid_t *ret_registers)
{
    *ret_registers = (weir_cpuid_t){0, 0, 0, 0};
    for (size_t i = 0; i < answer_count; i++) {
        if (answers[i].leaf == leaf && answers[i].subleaf == subleaf) {
            *ret_registers = answers[i].registers;
        }
    }
    return true;
}

static bool read_state(uint64_t *ret_state)
{
    *ret_state = state;
    return true;
}

static void check(const weir_facts_t *facts)
{
    must_hold(facts->processor_flags.knowledge == WEIR_KNOWN || facts->processor_flags.value == 0);
    for (unsigned bit = 0; bit < 64; bit++) {
        must_hold((facts->processor_flags.value >> bit & 1) == 0 || weir_processor_flag_name(bit) != NULL);
    }
    must_hold(facts->hypervisor.value <= WEIR_HYPERVISOR_OTHER);
    size_t length = strnlen(facts->hypervisor_signature, sizeof facts->hypervisor_signature);
    must_hold(length < sizeof facts->hypervisor_signature);
    for (size_t i = 0; i < length; i++) {
        must_hold(facts->hypervisor_signature[i] >= ' ' && facts->hypervisor_signature[i] <= '~');
    }
    must_hold(length == 0 || facts->hypervisor.value != WEIR_HYPERVISOR_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t leaves[][2] = {
        {0, 0}, {1, 0}, {7, 0}, {7, 1}, {0x80000000, 0}, {0x80000001, 0}, {0x40000000, 0}, {0x40000100, 0}};
    weir_facts_t facts = {.size = sizeof facts};
    if (size < sizeof state) {
        return 0;
    }
    memcpy(&state, data, sizeof state);
    data += sizeof state;
    size -= sizeof state;
    size_t each = 1 + sizeof(weir_cpuid_t);
    for (answer_count = 0; answer_count < ANSWERS_MAX && size >= each; answer_count++) {
        const uint32_t *leaf = leaves[data[0] % (sizeof leaves / sizeof leaves[0])];
        answers[answer_count].leaf = leaf[0];
        answers[answer_count].subleaf = leaf[1];
        memcpy(&answers[answer_count].registers, data + 1, sizeof(weir_cpuid_t));
        data += each;
        size -= each;
    }
    weir_processor_read_x86(ask, read_state, &facts);
    check(&facts);
    weir_processor_read_arm(state, ~state, &facts);
    check(&facts);
    return 0;
}
