/*
 * plain_pool: makes an engine with Wasmtime's own default pool, as a program without libweir does.
 *
 *     plain_pool            with Wasmtime's constructor, which ends the process when the pool is refused
 *     plain_pool checked    with weir_engine_new, which returns the refusal; exit status 2
 */
#include <stdio.h>
#include <string.h>
#include <wasmtime.h>
#include <weir/engine.h>

int main(int argument_count, char **arguments)
{
    wasm_config_t *config = wasm_config_new();
    wasmtime_pooling_allocation_config_t *pool = wasmtime_pooling_allocation_config_new();
    wasmtime_pooling_allocation_strategy_set(config, pool);
    wasmtime_pooling_allocation_config_delete(pool);

    wasm_engine_t *engine = NULL;
    if (argument_count > 1 && strcmp(arguments[1], "checked") == 0) {
        int refused = 0;
        wasmtime_error_t *error = weir_engine_new(config, &engine, &refused);
        if (error != NULL) {
            wasm_byte_vec_t message;
            wasmtime_error_message(error, &message);
            printf("refused: errno %d, engine %s: %.*s\n", refused, engine == NULL ? "untouched" : "set",
                (int)message.size, message.data);
            wasm_byte_vec_delete(&message);
            wasmtime_error_delete(error);
            return 2;
        }
    } else {
        engine = wasm_engine_new_with_config(config);
    }
    puts(engine != NULL ? "made" : "none");
    wasm_engine_delete(engine);
    return 0;
}
