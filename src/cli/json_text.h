/*
 * json_text.h: JSON documents that are whole or not there. jansson drops a member whose value could not be made when
 * the caller does not look, and json_dumps (2.14) leaves a hole where its buffer could not grow.
 */
#ifndef WEIR_CLI_JSON_TEXT_H
#define WEIR_CLI_JSON_TEXT_H

#include <jansson.h>
#include <stdint.h>

/* Begin a document: forget what was refused before. To be called before anything of it is made, by the only thread that
 * uses jansson. */
void weir_json_begin(void);

/* A number for the caller; what jansson cannot hold becomes INT64_MAX. Returns NULL when memory ran out. */
json_t *weir_json_number(uint64_t value);

/*
 * The text of a document, with indentation and a final newline, to be freed. Takes the document, which may be NULL.
 * Returns NULL when memory was refused to anything since weir_json_begin.
 */
char *weir_json_text(json_t *take_document);

#endif
