/*
 * words.c: who translates.
 */
#include "app/words.h"

#include <stdatomic.h>
#include <stddef.h>

static _Atomic(weir_words_translate_t) translator;

void weir_words_translate_with(weir_words_translate_t translate)
{
    atomic_store_explicit(&translator, translate, memory_order_release);
}

const char *weir_words(const char *message)
{
    weir_words_translate_t translate = atomic_load_explicit(&translator, memory_order_acquire);
    return translate == NULL ? message : translate(message);
}
