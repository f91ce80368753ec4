/*
 * manifest_identifier.c: the rules for ids of components, names of variables and labels of stores.
 */
#include "app/manifest_reader.h"

#include <stdio.h>
#include <string.h>

static bool is_lower(char character)
{
    return character >= 'a' && character <= 'z';
}

static bool is_upper(char character)
{
    return character >= 'A' && character <= 'Z';
}

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

weir_quote_t weir_identifier_fault(const char *identifier, char delimiter, bool lower)
{
    char wrong = delimiter == '-' ? '_' : '-';
    weir_quote_t fault = {""};
    if (identifier[0] == '\0')
        snprintf(fault.text, sizeof fault.text, "it is empty");
    else if (strchr(identifier, wrong) != NULL)
        snprintf(fault.text, sizeof fault.text, "words are separated with \"%c\", not \"%c\"", delimiter, wrong);
    bool word_begins = true, upper = false;
    for (const char *character = identifier; fault.text[0] == '\0'; character++) {
        if (word_begins && (*character == delimiter || *character == '\0')) {
            snprintf(fault.text, sizeof fault.text, "a word between \"%c\" is empty", delimiter);
        } else if (*character == '\0') {
            break;
        } else if (*character == delimiter) {
            word_begins = true;
        } else if (word_begins) {
            if (!is_lower(*character) && !is_upper(*character))
                snprintf(fault.text, sizeof fault.text, "each word begins with a letter from a to z");
            else if (lower && is_upper(*character))
                snprintf(fault.text, sizeof fault.text, "all letters are lower case");
            upper = is_upper(*character);
            word_begins = false;
        } else if (!is_lower(*character) && !is_upper(*character) && !is_digit(*character)) {
            snprintf(
                fault.text, sizeof fault.text, "only letters from a to z, digits and \"%c\" are allowed", delimiter);
        } else if (!is_digit(*character) && is_upper(*character) != upper) {
            snprintf(fault.text, sizeof fault.text, "each word is all lower case or all upper case");
        }
    }
    return fault;
}

weir_quote_t weir_identifier_proposal(const char *identifier, char delimiter)
{
    weir_quote_t proposal = {""};
    size_t size = strlen(identifier);
    if (size >= 64)
        return proposal;
    for (size_t i = 0; i < size; i++) {
        char character = identifier[i];
        bool separates = character == '_' || character == '-' || character == ' ' || character == '.';
        proposal.text[i] = separates ? delimiter : is_upper(character) ? (char)(character - 'A' + 'a') : character;
    }
    proposal.text[size] = '\0';
    if (weir_identifier_fault(proposal.text, delimiter, true).text[0] != '\0')
        proposal.text[0] = '\0';
    return proposal;
}

/* Fail because of an identifier, with the one that was meant if that can be guessed. Always false. */
static bool fail_identifier(weir_reader_t *reader, weir_place_t place, const char *what, const char *identifier,
    const char *form, const char *fault, weir_quote_t proposal)
{
    return weir_reader_fail(reader, place, "%s %s is not %s: %s%s%s%s", what, weir_quote(identifier).text, form, fault,
        proposal.text[0] != '\0' ? "; did you mean \"" : "", proposal.text, proposal.text[0] != '\0' ? "\"?" : "");
}

bool weir_reader_check_component_id(weir_reader_t *reader, weir_place_t place, const char *what, const char *id)
{
    weir_quote_t fault = weir_identifier_fault(id, '-', false);
    return fault.text[0] == '\0' ||
           fail_identifier(reader, place, what, id, "kebab-case", fault.text, weir_identifier_proposal(id, '-'));
}

bool weir_reader_check_variable_name(weir_reader_t *reader, const weir_toml_t *variable, const char *where)
{
    weir_quote_t fault = weir_identifier_fault(variable->key, '_', true);
    if (fault.text[0] == '\0')
        return true;
    weir_text_t what = {0};
    weir_text_format(&what, "in %s, the variable name", where);
    if (!what.failed)
        fail_identifier(reader, variable->key_place, what.bytes, variable->key, "lower-case snake_case", fault.text,
            weir_identifier_proposal(variable->key, '_'));
    weir_text_free(&what);
    return false;
}
