/*
 * key_value.h: the contracts by which components reach key-value stores: fermyon:spin/key-value@2.0.0,
 * spin:key-value/key-value@3.0.0 and wasi:keyvalue@0.2.0-draft2 (Spin: wit/deps/spin@2.0.0/key-value.wit,
 * spin-key-value@3.0.0, keyvalue-2024-10-17).
 */
#ifndef WEIR_HOST_KEY_VALUE_H
#define WEIR_HOST_KEY_VALUE_H

#include "host/instance.h"

/* Their interfaces, in an order in which each comes after those that it uses. */
extern const weir_host_interface_t weir_key_value_interfaces[];
extern const size_t weir_key_value_interface_count;

/* A call that waits for its store. */
typedef struct weir_key_value_call {
    weir_host_call_t *call;
    weir_host_instance_t *instance; /* held */
    uint32_t number;                /* of a comparison */
    /* What the contract makes of the answer of a store that did what it was asked to. */
    void (*answer)(const struct weir_key_value_call *waiting, const weir_kv_answer_t *answer);
} weir_key_value_call_t;

/*
 * Ask a store on behalf of a call; it is answered with the error "other" when that fails. `request` lacks a label only.
 * Takes over the call.
 */
void weir_key_value_ask(
    const weir_granted_store_t *store, weir_kv_request_t *request, const weir_key_value_call_t *waiting);

/* The functions that are alike in all contracts. */
void weir_key_value_open(weir_host_call_t *own_call, const weir_host_context_t *context, weir_host_instance_t *instance,
    const weir_value_t *arguments, size_t count, const char *full);
void weir_key_value_get(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count);
void weir_key_value_set(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count);
void weir_key_value_delete(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count);
void weir_key_value_exists(
    void *context, void *instance, weir_host_call_t *own_call, const weir_value_t *arguments, size_t count);
void weir_key_value_close(void *instance, uint32_t number);

/* The store that an argument stands for, or NULL. */
const weir_granted_store_t *weir_key_value_store(void *instance, const weir_value_t *argument);

/* Answers that are a result without a value, with a list of keys. */
void weir_key_value_answer_nothing(const weir_key_value_call_t *waiting, const weir_kv_answer_t *answer);

/* The keys of an answer as values, to be freed with free(3); NULL when memory ran out. */
weir_value_t *weir_key_value_keys(const weir_kv_answer_t *answer);

extern const weir_host_function_t weir_wasi_store_functions[];
extern const weir_host_function_t weir_wasi_atomics_functions[];
extern const weir_host_function_t weir_wasi_batch_functions[];
enum { WEIR_WASI_STORE_FUNCTIONS = 6, WEIR_WASI_ATOMICS_FUNCTIONS = 4, WEIR_WASI_BATCH_FUNCTIONS = 3 };
void weir_wasi_drop_comparison(void *instance, uint32_t number);

#endif
