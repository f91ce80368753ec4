/* embed: WebAssembly with Wasmtime, on any machine, because libweir fits the engine to it. Where it said
 * wasm_engine_new() it says make_engine(); the rest is as it was.
 *     cc embed.c -o embed $(pkg-config --cflags --libs weir) */
#include <err.h>
#include <stdio.h>
#include <wasmtime.h>
#include <weir/allocator.h>
#include <weir/engine.h>

static const char text[] = "(module (memory (export \"memory\") 1) (data (i32.const 8) \"Hello from an instance!\")"
                           "  (func (export \"greeting\") (result i32) (i32.const 8)))";

/* Go on only when Wasmtime reports neither an error nor a trap. */
static void check(wasmtime_error_t *error, wasm_trap_t *const *trap)
{
    wasm_byte_vec_t message;
    if (error == NULL && (trap == NULL || *trap == NULL))
        return;
    error != NULL ? wasmtime_error_message(error, &message) : wasm_trap_message(*trap, &message);
    errx(1, "%.*s", (int)message.size, message.data);
}

/* In place of wasm_engine_new. It forks, so it is called before the process has a second thread. */
static wasm_engine_t *make_engine(void)
{
    weir_choice_t *choice = NULL;
    wasm_engine_t *engine = NULL;
    wasm_config_t *config = wasm_config_new();
    if (weir_allocator_choose(NULL, &choice) != WEIR_OK)
        errx(1, "no allocator: %s", choice != NULL ? weir_choice_notice(choice) : "none can be tried");
    weir_choice_prepare_process(choice);
    bool configured = weir_choice_configure(choice, config) == WEIR_OK;
    check(configured ? weir_engine_new(config, &engine, NULL) : wasmtime_error_new("out of memory"), NULL);
    puts(weir_choice_summary(choice));
    weir_choice_free(choice);
    return engine;
}

int main(void)
{
    wasm_engine_t *engine = make_engine();
    wasmtime_store_t *store = wasmtime_store_new(engine, NULL, NULL);
    wasmtime_context_t *context = wasmtime_store_context(store);
    wasmtime_module_t *module = NULL;
    wasmtime_instance_t instance;
    wasmtime_extern_t memory, greeting;
    wasmtime_val_t address;
    wasm_trap_t *trap = NULL;
    wasm_byte_vec_t wasm;
    check(wasmtime_wat2wasm(text, sizeof text - 1, &wasm), &trap);
    check(wasmtime_module_new(engine, (uint8_t *)wasm.data, wasm.size, &module), &trap);
    check(wasmtime_instance_new(context, module, NULL, 0, &instance, &trap), &trap);
    wasmtime_instance_export_get(context, &instance, "memory", 6, &memory);
    wasmtime_instance_export_get(context, &instance, "greeting", 8, &greeting);
    check(wasmtime_func_call(context, &greeting.of.func, NULL, 0, &address, 1, &trap), &trap);
    puts((char *)wasmtime_memory_data(context, &memory.of.memory) + address.of.i32);
    wasm_byte_vec_delete(&wasm);
    wasmtime_module_delete(module);
    wasmtime_store_delete(store);
    weir_engine_delete(engine);
}
