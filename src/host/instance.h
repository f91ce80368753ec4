/*
 * instance.h: what is kept for an instance of a guest: the resources that it has open, by their numbers. It lives until
 * the guest's instance is gone, and what was asked on its behalf has been answered.
 */
#ifndef WEIR_HOST_INSTANCE_H
#define WEIR_HOST_INSTANCE_H

#include "host/host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* As many of each kind as Spin lets an instance have (crates/factor-key-value/src/host.rs). */
enum { WEIR_HANDLES_MAX = 256 };

/* What all comparisons of an instance may remember together. */
enum { WEIR_COMPARED_BYTES_MAX = 16 * 1024 * 1024 };

/* What the instances of a component have in common. */
typedef struct weir_host_context {
    weir_granted_store_t *stores;
    char **labels; /* own; of the stores */
    size_t store_count;
} weir_host_context_t;

/* What a key had, for one that wants to change it only as long as it has that. */
typedef struct weir_comparison {
    const weir_granted_store_t *store;
    char *key;
    size_t key_size;
    bool is_some;
    char *value; /* own */
    size_t value_size;
} weir_comparison_t;

typedef struct weir_host_instance {
    atomic_uint holders;
    const weir_granted_store_t *stores[WEIR_HANDLES_MAX]; /* of the thread that polls the guest */
    pthread_mutex_t lock;                                 /* for what follows, which answers change, on any thread */
    weir_comparison_t *comparisons[WEIR_HANDLES_MAX];
    size_t compared_bytes;
} weir_host_instance_t;

/* One for an instance of a guest; NULL when memory runs out. */
weir_host_instance_t *weir_host_instance_new(void);

weir_host_instance_t *weir_host_instance_hold(weir_host_instance_t *instance);
void weir_host_instance_release(weir_host_instance_t *instance);

/* Open a store: returns its number, or -1 where too many are open. */
int weir_host_instance_open(weir_host_instance_t *instance, const weir_granted_store_t *store);

/* The store with a number, or NULL. */
const weir_granted_store_t *weir_host_instance_store(const weir_host_instance_t *instance, int64_t number);

void weir_host_instance_close(weir_host_instance_t *instance, uint32_t number);

/* Make a comparison, without a value yet: returns its number, or -1 where there are too many or memory runs out. */
int weir_host_instance_compare(weir_host_instance_t *instance, const weir_granted_store_t *store, weir_bytes_t key);

/* Remember what its key has. Returns NULL, or why that cannot be, as a constant. Any thread. */
const char *weir_host_instance_remember(
    weir_host_instance_t *instance, uint32_t number, const weir_optional_bytes_t *value);

/* The comparison with a number, or NULL. It stays as it is as long as nobody asks for its key. */
const weir_comparison_t *weir_host_instance_comparison(weir_host_instance_t *instance, int64_t number);

/* Any thread. */
void weir_host_instance_forget(weir_host_instance_t *instance, uint32_t number);

#endif
