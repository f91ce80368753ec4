/*
 * embed: a C program that runs WebAssembly with Wasmtime, on any machine, because libweir fits the engine to it.
 *
 *     cc embed.c -o embed $(pkg-config --cflags --libs weir)
 *
 * Before, it said `wasm_engine_t *engine = wasm_engine_new();`. Now make_engine does that; the rest is as it was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasmtime.h>
#include <weir/allocator.h>
#include <weir/engine.h>

static const char text[] = "(module (memory (export \"memory\") 1) (data (i32.const 8) \"Hello from an instance!\")"
                           "  (func (export \"greeting\") (result i32) (i32.const 8)))";

/* Go on only when Wasmtime reports neither an error nor a trap. */
static void check(wasmtime_error_t *error, wasm_trap_t *trap)
{
    if (error == NULL && trap == NULL)
        return;
    wasm_byte_vec_t message;
    if (error != NULL)
        wasmtime_error_message(error, &message);
    else
        wasm_trap_message(trap, &message);
    fprintf(stderr, "embed: %.*s\n", (int)message.size, message.data);
    exit(1);
}

/* In place of wasm_engine_new. It forks, so it is called before the process has a second thread. */
static wasm_engine_t *make_engine(void)
{
    weir_choice_t *choice = NULL;
    wasm_config_t *config = wasm_config_new();
    weir_status_t status = weir_allocator_choose(NULL, &choice);
    if (status == WEIR_OK)
        status = weir_choice_configure(choice, config);
    if (status != WEIR_OK) {
        fprintf(stderr, "embed: no allocator: status %d\n%s", status, choice ? weir_choice_notice(choice) : "");
        exit(1);
    }
    weir_choice_prepare_process(choice);
    wasm_engine_t *engine = NULL;
    check(weir_engine_new(config, &engine, NULL), NULL);
    puts(weir_choice_summary(choice));
    weir_choice_free(choice);
    return engine;
}

int main(void)
{
    wasm_engine_t *engine = make_engine();
    wasmtime_store_t *store = wasmtime_store_new(engine, NULL, NULL);
    wasmtime_context_t *context = wasmtime_store_context(store);
    wasm_byte_vec_t wasm;
    wasmtime_module_t *module = NULL;
    check(wasmtime_wat2wasm(text, strlen(text), &wasm), NULL);
    check(wasmtime_module_new(engine, (uint8_t *)wasm.data, wasm.size, &module), NULL);

    wasm_trap_t *trap = NULL;
    wasmtime_instance_t instance;
    wasmtime_error_t *error = wasmtime_instance_new(context, module, NULL, 0, &instance, &trap);
    check(error, trap);
    wasmtime_extern_t memory, greeting;
    wasmtime_val_t address;
    wasmtime_instance_export_get(context, &instance, "memory", strlen("memory"), &memory);
    wasmtime_instance_export_get(context, &instance, "greeting", strlen("greeting"), &greeting);
    error = wasmtime_func_call(context, &greeting.of.func, NULL, 0, &address, 1, &trap);
    check(error, trap);
    printf("%s\n", (char *)wasmtime_memory_data(context, &memory.of.memory) + address.of.i32);

    wasm_byte_vec_delete(&wasm);
    wasmtime_module_delete(module);
    wasmtime_store_delete(store);
    weir_engine_delete(engine);
    return 0;
}
