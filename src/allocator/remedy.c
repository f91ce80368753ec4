/*
 * remedy.c: what a person can do: raise the limit, or ask for what fits below it.
 */
#include "allocator/remedy.h"

#include "allocator/phrases.h"
#include "allocator/placement.h"
#include "allocator/share.h"
#include "allocator/text.h"
#include "allocator/translate.h"

static const uint64_t mib = UINT64_C(1) << 20;

/* No kernel in use has more, unless programs ask for it by themselves. */
static const uint64_t address_bits_most = 47;

/* Slots are no smaller than memories with this room to grow: see fewest_slots in ladder.c. */
static const uint64_t usual_room_mib = 4;

/* The largest slots, in MiB, of which a pool could be had where memories got less room to grow; 0: there are none. */
static uint64_t find_smaller_slots(const weir_choice_t *choice)
{
    const weir_decided_t *pool = &choice->decision.pool;
    weir_needs_t needs = pool->needs;
    weir_facts_t facts;
    weir_rung_t rung;
    weir_share_facts(&choice->facts, &choice->decision, pool, &facts);
    uint64_t least = (needs.minimum_memory_bytes + mib - 1) / mib;
    for (uint64_t size = least + usual_room_mib - 1; size >= least && size > 0; size--) {
        needs.maximum_memory_bytes = size * mib;
        if (weir_placement_first_pool(&facts, &needs, WEIR_STRATEGY_AUTO, &rung)) {
            return size;
        }
    }
    return 0;
}

static void append_other_wishes(const weir_choice_t *choice, weir_limit_t limit, char *buffer, size_t size)
{
    const weir_rung_t *rung = weir_choice_rung(choice);
    const weir_needs_t *needs = weir_choice_needs(choice);
    bool address = limit == WEIR_LIMIT_ADDRESS_BITS || limit == WEIR_LIMIT_ADDRESS_SPACE;
    if (rung == NULL || !address || choice->decision.strategy != WEIR_STRATEGY_AUTO) {
        return;
    }
    if (rung->tier == WEIR_TIER_STANDARD && rung->slots < needs->concurrency) {
        const char *text = weir_translate(
            " Smaller slots are more: SPIN_ALLOCATOR=compact, and '--max-instance-memory' for their size.");
        weir_text_append(buffer, size, "%s", text + (buffer[0] == '\0' && text[0] == ' ' ? 1 : 0));
    }
    if (rung->tier == WEIR_TIER_ONDEMAND && needs->maximum_memory_bytes == 0) {
        uint64_t smaller = find_smaller_slots(choice);
        if (smaller != 0) {
            weir_text_append(buffer, size,
                weir_translate(" Where %llu MiB are enough for a memory, there is room for a pool: "
                               "'--max-instance-memory %lluMiB'."),
                (unsigned long long)smaller, (unsigned long long)smaller);
        }
    }
}

const char *weir_remedy_text(const weir_choice_t *choice, const weir_remedy_t *remedy, char *buffer, size_t size)
{
    const weir_fact_t bits = choice->facts.address_bits;
    buffer[0] = '\0';
    if (remedy->starved) {
        weir_text_append(buffer, size, "%s", weir_phrase_more_time());
        return buffer;
    }
    bool all =
        remedy->limit == WEIR_LIMIT_ADDRESS_BITS && bits.knowledge == WEIR_KNOWN && bits.value >= address_bits_most;
    if (!all) {
        weir_phrase_remedy(&choice->facts, remedy->limit, buffer, size);
    }
    append_other_wishes(choice, remedy->limit, buffer, size);
    if (all && buffer[0] == '\0') {
        weir_text_append(buffer, size, "%s", weir_translate("Ask for fewer requests at a time: '--max-concurrency'."));
    }
    return buffer;
}

bool weir_remedy_trades_slots(const weir_choice_t *choice)
{
    const weir_rung_t *rung = weir_choice_rung(choice);
    uint64_t stated = weir_choice_needs(choice)->maximum_memory_bytes;
    return rung->tier == WEIR_TIER_COMPACT && rung->slots > 1 && (stated == 0 || rung->slot_bytes < stated);
}
