/*
 * near.c: edit distance with transpositions (optimal string alignment), blind to case and to "-" against "_". A name
 * that was cut short after a word is near, too.
 */
#include "app/near.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64 };

static char folded(char character)
{
    if (character >= 'A' && character <= 'Z')
        return (char)(character - 'A' + 'a');
    return character == '-' ? '_' : character;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`; both at most NAME_MAX_BYTES. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    uint8_t rows[3][NAME_MAX_BYTES + 1];
    uint8_t *before = rows[0], *last = rows[1], *current = rows[2];
    for (size_t j = 0; j <= b_size; j++)
        before[j] = last[j] = (uint8_t)j;
    for (size_t i = 1; i <= a_size; i++) {
        current[0] = (uint8_t)i;
        for (size_t j = 1; j <= b_size; j++) {
            char from = folded(a[i - 1]), to = folded(b[j - 1]);
            size_t cost = smaller(smaller(last[j], current[j - 1]) + 1u, last[j - 1] + (from == to ? 0u : 1u));
            if (i > 1 && j > 1 && from == folded(b[j - 2]) && folded(a[i - 2]) == to)
                cost = smaller(cost, before[j - 2] + 1u);
            current[j] = (uint8_t)cost;
        }
        uint8_t *free_row = before;
        before = last;
        last = current;
        current = free_row;
    }
    return last[b_size];
}

/* Whether `candidate` is the words of `name` and further ones: "status_code" for "status". */
static bool begins_words(const char *candidate, const char *name, size_t name_size)
{
    for (size_t i = 0; i < name_size; i++) {
        if (folded(candidate[i]) != folded(name[i]))
            return false;
    }
    return name_size >= 4 && candidate[name_size] == '_';
}

weir_near_t weir_near_start(const char *name)
{
    return (weir_near_t){.name = name, .best = NULL, .best_distance = SIZE_MAX};
}

void weir_near_offer(weir_near_t *near, const char *candidate)
{
    size_t name_size = strlen(near->name), candidate_size = strlen(candidate);
    if (name_size == 0 || name_size > NAME_MAX_BYTES || candidate_size > NAME_MAX_BYTES)
        return;
    /* A third of the letters may be wrong: more is another word. */
    size_t longer = name_size > candidate_size ? name_size : candidate_size;
    size_t most = (longer + 2) / 3, found = distance(near->name, name_size, candidate, candidate_size);
    bool is_near = found <= most && found < smaller(name_size, candidate_size);
    if (!is_near && begins_words(candidate, near->name, name_size)) {
        is_near = true;
        found = most;
    }
    if (is_near && found < near->best_distance) {
        near->best = candidate;
        near->best_distance = found;
    }
}
