/*
 * words.h: this room's warnings in the language of the person who reads them. The room stands alone, so who uses it
 * says how a message is translated.
 */
#ifndef WEIR_APP_WORDS_H
#define WEIR_APP_WORDS_H

/* Marks a message that is translated elsewhere, for po/update. */
#define WEIR_WORDS(message) message

typedef const char *(*weir_words_translate_t)(const char *message);

/* Have messages translated by `translate`, which returns a constant string; NULL, as at first: left in English. Any
 * thread. */
void weir_words_translate_with(weir_words_translate_t translate);

/* A message in that language: a literal, which po/update finds by the name of this function. Any thread. */
const char *weir_words(const char *message) __attribute__((format_arg(1)));

#endif
