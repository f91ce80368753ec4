/*
 * instance.c: tables of what an instance has open.
 */
#include "host/instance.h"

#include <stdlib.h>
#include <string.h>

weir_host_instance_t *weir_host_instance_new(void)
{
    weir_host_instance_t *instance = calloc(1, sizeof *instance);
    if (instance == NULL || pthread_mutex_init(&instance->lock, NULL) != 0) {
        free(instance);
        return NULL;
    }
    atomic_init(&instance->holders, 1);
    return instance;
}

weir_host_instance_t *weir_host_instance_hold(weir_host_instance_t *instance)
{
    atomic_fetch_add_explicit(&instance->holders, 1, memory_order_relaxed);
    return instance;
}

static void free_comparison(weir_comparison_t *comparison)
{
    if (comparison != NULL) {
        free(comparison->key);
        free(comparison->value);
        free(comparison);
    }
}

void weir_host_instance_release(weir_host_instance_t *instance)
{
    if (atomic_fetch_sub_explicit(&instance->holders, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (size_t i = 0; i < WEIR_HANDLES_MAX; i++) {
        free_comparison(instance->comparisons[i]);
    }
    pthread_mutex_destroy(&instance->lock);
    free(instance);
}

/* ---- Stores ------------------------------------------------------------------------------------------------------ */

int weir_host_instance_open(weir_host_instance_t *instance, const weir_granted_store_t *store)
{
    for (int i = 0; i < WEIR_HANDLES_MAX; i++) {
        if (instance->stores[i] == NULL) {
            instance->stores[i] = store;
            return i;
        }
    }
    return -1;
}

const weir_granted_store_t *weir_host_instance_store(const weir_host_instance_t *instance, int64_t number)
{
    return number >= 0 && number < WEIR_HANDLES_MAX ? instance->stores[number] : NULL;
}

void weir_host_instance_close(weir_host_instance_t *instance, uint32_t number)
{
    if (number < WEIR_HANDLES_MAX) {
        instance->stores[number] = NULL;
    }
}

/* ---- Comparisons ------------------------------------------------------------------------------------------------- */

int weir_host_instance_compare(weir_host_instance_t *instance, const weir_granted_store_t *store, weir_bytes_t key)
{
    weir_comparison_t *comparison = calloc(1, sizeof *comparison);
    char *copy = malloc(key.size + 1);
    int number = -1;
    if (comparison != NULL && copy != NULL) {
        if (key.size > 0) {
            memcpy(copy, key.data, key.size);
        }
        *comparison = (weir_comparison_t){.store = store, .key = copy, .key_size = key.size};
        copy = NULL;
        pthread_mutex_lock(&instance->lock);
        for (int i = 0; number < 0 && i < WEIR_HANDLES_MAX; i++) {
            if (instance->comparisons[i] == NULL) {
                instance->comparisons[i] = comparison;
                number = i;
            }
        }
        pthread_mutex_unlock(&instance->lock);
    }
    free(copy);
    if (number < 0) {
        free_comparison(comparison);
    }
    return number;
}

const char *weir_host_instance_remember(
    weir_host_instance_t *instance, uint32_t number, const weir_optional_bytes_t *value)
{
    size_t size = value->is_some ? value->bytes.size : 0;
    char *copy = size > WEIR_COMPARED_BYTES_MAX ? NULL : malloc(size + 1);
    if (copy == NULL) {
        return size > WEIR_COMPARED_BYTES_MAX ? "the value is too large to be compared: more than 16 MiB"
                                              : "memory ran out";
    }
    if (size > 0) {
        memcpy(copy, value->bytes.data, size);
    }
    pthread_mutex_lock(&instance->lock);
    weir_comparison_t *comparison = instance->comparisons[number];
    size_t others = instance->compared_bytes - comparison->value_size;
    bool fits = size <= WEIR_COMPARED_BYTES_MAX - others;
    if (fits) {
        instance->compared_bytes = others + size;
        free(comparison->value);
        comparison->is_some = value->is_some;
        comparison->value = copy;
        comparison->value_size = size;
    }
    pthread_mutex_unlock(&instance->lock);
    if (!fits) {
        free(copy);
        return "an instance may compare values of 16 MiB together";
    }
    return NULL;
}

const weir_comparison_t *weir_host_instance_comparison(weir_host_instance_t *instance, int64_t number)
{
    if (number < 0 || number >= WEIR_HANDLES_MAX) {
        return NULL;
    }
    pthread_mutex_lock(&instance->lock);
    const weir_comparison_t *comparison = instance->comparisons[number];
    pthread_mutex_unlock(&instance->lock);
    return comparison;
}

void weir_host_instance_forget(weir_host_instance_t *instance, uint32_t number)
{
    if (number >= WEIR_HANDLES_MAX) {
        return;
    }
    pthread_mutex_lock(&instance->lock);
    weir_comparison_t *comparison = instance->comparisons[number];
    instance->comparisons[number] = NULL;
    instance->compared_bytes -= comparison == NULL ? 0 : comparison->value_size;
    pthread_mutex_unlock(&instance->lock);
    free_comparison(comparison);
}
