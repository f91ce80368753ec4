/*
 * hash.h: after FNV-1a, 64 bits: to tell apart what differs by accident. It resists no one who wants two things to look
 * alike.
 */
#ifndef WEIR_ALLOCATOR_HASH_H
#define WEIR_ALLOCATOR_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WEIR_HASH_START UINT64_C(0xcbf29ce484222325)

/* Go on hashing with more bytes, eight at a time; begin with WEIR_HASH_START. Any thread. */
static inline uint64_t weir_hash(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (; size >= sizeof hash; at += sizeof hash, size -= sizeof hash) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
        hash ^= hash >> 32; /* a word's high bits would reach nothing else */
    }
    for (; size > 0; at++, size--) {
        hash = (hash ^ *at) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* The same with one number. */
static inline uint64_t weir_hash_number(uint64_t hash, uint64_t number)
{
    return weir_hash(hash, &number, sizeof number);
}

#endif
