/*
 * key_value.h: what the key-value test guests share. A request's query is the name of a function; its body, and the
 * answer, are texts one after another, each as its length in decimal digits, a colon, and its bytes.
 */
#ifndef KEY_VALUE_H
#define KEY_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS_MAX = 4096 };

typedef struct text {
    uint8_t *bytes;
    size_t size;
} text_t;

static uint8_t *input, *output;
static size_t input_size, output_size;
static text_t texts[TEXTS_MAX];
static size_t text_count;

/* For so many bytes more of the input. */
static inline uint8_t *input_room(size_t more)
{
    input = realloc(input, input_size + more);
    if (input == NULL)
        __builtin_trap();
    return input + input_size;
}

static inline void begin_texts(void)
{
    free(input);
    free(output);
    input = output = NULL;
    input_size = output_size = text_count = 0;
}

static void read_texts(void)
{
    for (size_t at = 0; at < input_size && text_count < TEXTS_MAX;) {
        size_t size = 0;
        for (; at < input_size && input[at] != ':'; at++)
            size = 10 * size + (size_t)(input[at] - '0');
        if (at == input_size || size > input_size - at - 1)
            __builtin_trap();
        texts[text_count++] = (text_t){input + at + 1, size};
        at += 1 + size;
    }
}

static void put(const void *bytes, size_t size)
{
    output = realloc(output, output_size + size + 1);
    if (output == NULL)
        __builtin_trap();
    memcpy(output + output_size, bytes, size);
    output_size += size;
}

static void say(const void *bytes, size_t size)
{
    char length[24];
    put(length, (size_t)snprintf(length, sizeof length, "%zu:", size));
    put(bytes, size);
}

static inline void say_text(const char *text)
{
    say(text, strlen(text));
}

static inline void say_number(long long number)
{
    char digits[32];
    say(digits, (size_t)snprintf(digits, sizeof digits, "%lld", number));
}

#endif
