/*
 * addresses.c: a hash table of fixed size with linear probing, under a lock. Its hash is keyed, so that nobody can
 * choose addresses that collide.
 */
#include "serve/addresses.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

typedef struct place {
    uint64_t key;
    uint32_t count; /* 0: the place is free */
} place_t;

struct weir_addresses {
    pthread_mutex_t lock; /* for the counts; the rest is constant */
    uint64_t keys[2];
    uint32_t most;
    size_t mask;
    place_t places[]; /* at most half of them are taken */
};

weir_addresses_t *weir_addresses_new(uint32_t connections, uint32_t most)
{
    size_t size = 16;
    while (size < 2 * (size_t)connections) {
        size *= 2;
    }
    weir_addresses_t *addresses = calloc(1, sizeof(*addresses) + size * sizeof(addresses->places[0]));
    if (addresses == NULL) {
        return NULL;
    }
    /* Early in a system's life there is no randomness: then addresses of this process's have to do. */
    if (getrandom(addresses->keys, sizeof(addresses->keys), GRND_NONBLOCK) != (ssize_t)sizeof(addresses->keys)) {
        addresses->keys[0] = (uintptr_t)addresses;
        addresses->keys[1] = (uintptr_t)&addresses;
    }
    pthread_mutex_init(&addresses->lock, NULL);
    addresses->most = most;
    addresses->mask = size - 1;
    return addresses;
}

void weir_addresses_free(weir_addresses_t *own_addresses)
{
    if (own_addresses != NULL) {
        pthread_mutex_destroy(&own_addresses->lock);
        free(own_addresses);
    }
}

/* What is counted together. Those of IPv4 begin as no global address of IPv6 does (RFC 4291, section 2.5.5.2). */
uint64_t weir_addresses_key(const struct sockaddr *address)
{
    uint64_t key = 0;
    if (address->sa_family == AF_INET) {
        key = ((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr;
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *ip = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(ip)) {
            uint32_t mapped;
            memcpy(&mapped, ip->s6_addr + 12, sizeof(mapped));
            key = mapped;
        } else {
            memcpy(&key, ip->s6_addr, sizeof(key));
        }
    }
    return key;
}

/* Mixes as MurmurHash3's finalizer does, with keys. */
static size_t home_of(const weir_addresses_t *addresses, uint64_t key)
{
    uint64_t hash = key ^ addresses->keys[0];
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    hash = ((hash ^ addresses->keys[1]) ^ (hash >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return (size_t)(hash ^ (hash >> 33)) & addresses->mask;
}

/* Where a key is, or would be. */
static size_t find(const weir_addresses_t *addresses, uint64_t key)
{
    size_t at = home_of(addresses, key);
    while (addresses->places[at].count != 0 && addresses->places[at].key != key) {
        at = (at + 1) & addresses->mask;
    }
    return at;
}

/* Free a place, and move up what could not be found any more behind the gap. */
static void vacate(weir_addresses_t *addresses, size_t gap)
{
    size_t mask = addresses->mask;
    addresses->places[gap].count = 0;
    for (size_t at = (gap + 1) & mask; addresses->places[at].count != 0; at = (at + 1) & mask) {
        size_t home = home_of(addresses, addresses->places[at].key);
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            addresses->places[gap] = addresses->places[at];
            addresses->places[at].count = 0;
            gap = at;
        }
    }
}

bool weir_addresses_enter(weir_addresses_t *addresses, uint64_t key)
{
    if (addresses == NULL || key == WEIR_ADDRESSES_UNCOUNTED) {
        return true;
    }
    pthread_mutex_lock(&addresses->lock);
    place_t *place = &addresses->places[find(addresses, key)];
    bool may = place->count < addresses->most;
    if (may) {
        place->key = key;
        place->count++;
    }
    pthread_mutex_unlock(&addresses->lock);
    return may;
}

void weir_addresses_leave(weir_addresses_t *addresses, uint64_t key)
{
    if (addresses == NULL || key == WEIR_ADDRESSES_UNCOUNTED) {
        return;
    }
    pthread_mutex_lock(&addresses->lock);
    size_t at = find(addresses, key);
    if (addresses->places[at].count > 1) {
        addresses->places[at].count--;
    } else if (addresses->places[at].count == 1) {
        vacate(addresses, at);
    }
    pthread_mutex_unlock(&addresses->lock);
}
