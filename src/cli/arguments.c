/*
 * arguments.c: one pass over the arguments, then the environment for what was not given.
 */
#include "cli/arguments.h"

#include "app/near.h"
#include "app/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    NAME_MAX_BYTES = 48, /* of an option as it is shown in a message */
    HELP_COLUMN = 28,    /* where help begins beside an option */
};

typedef struct parser {
    const weir_command_t *command;
    void *options;
    bool given[WEIR_OPTIONS_MOST];
    char **ret_message;
} parser_t;

bool weir_arguments_refuse(char **ret_message, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(ret_message, format, arguments) < 0) {
        *ret_message = NULL;
    }
    va_end(arguments);
    return false;
}

bool weir_texts_add(weir_texts_t *texts, const char *text)
{
    const char **items = realloc(texts->items, (texts->count + 1) * sizeof(char *));
    if (items == NULL) {
        return false;
    }
    texts->items = items;
    texts->items[texts->count++] = text;
    return true;
}

void weir_texts_free(weir_texts_t *texts)
{
    free(texts->items);
    *texts = (weir_texts_t){NULL, 0};
}

const char *weir_arguments_variable(char *const *environment, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i++) {
        if (strncmp(environment[i], name, size) == 0 && environment[i][size] == '=') {
            return environment[i] + size + 1;
        }
    }
    return NULL;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

/* The words of clap's BoolishValueParser, by which Spin reads such variables. */
static bool read_boolean(const char *text, bool *ret_value)
{
    static const char *const yes[] = {"1", "true", "t", "yes", "y", "on"};
    static const char *const no[] = {"0", "false", "f", "no", "n", "off"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *ret_value = strcasecmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

static bool take(parser_t *parser, const weir_option_t *option, const char *name, const char *value)
{
    void *place = (char *)parser->options + option->offset;
    switch (option->kind) {
    case WEIR_OPTION_FLAG:
        if (value == NULL) {
            *(bool *)place = true;
            return true;
        }
        return read_boolean(value, place) ||
               weir_arguments_refuse(parser->ret_message, "%s is '%s'; it can be 1 or 0", name, value);
    case WEIR_OPTION_TEXT:
        *(const char **)place = value;
        return true;
    case WEIR_OPTION_TEXTS:
        return weir_texts_add(place, value); /* else memory ran out, and there is no message */
    case WEIR_OPTION_TAKEN:
        return option->take(parser->options, name, value, parser->ret_message);
    case WEIR_OPTION_OPERAND:
        return parser->command->operand(parser->options, value, parser->ret_message);
    }
    return false;
}

/* ---- Options ----------------------------------------------------------------------------------------------------- */

static const weir_option_t *find_name(const weir_command_t *command, const char *name, size_t size)
{
    for (size_t i = 0; i < command->option_count; i++) {
        if (strlen(command->options[i].name) == size && strncmp(command->options[i].name, name, size) == 0) {
            return &command->options[i];
        }
    }
    return NULL;
}

static const weir_option_t *find_letter(const weir_command_t *command, char letter)
{
    for (size_t i = 0; i < command->option_count; i++) {
        if (command->options[i].letter == letter) {
            return &command->options[i];
        }
    }
    return NULL;
}

/* Say what is wrong with an option that is not in the table; `name` has its dashes. */
static bool refuse_unknown(const parser_t *parser, const char *name)
{
    weir_near_t near = weir_near_start(name + strspn(name, "-"));
    bool is_long = strncmp(name, "--", 2) == 0;
    for (const weir_command_t *command = parser->command; command != NULL; command = command->next) {
        for (size_t i = 0; i < command->foreign_count; i++) {
            if (strcmp(name, command->foreign[i].name) == 0) {
                return weir_arguments_refuse(parser->ret_message, "%s is an option of Spin that weir does not have: %s",
                    name, command->foreign[i].remedy);
            }
        }
        for (size_t i = 0; is_long && i < command->option_count; i++) {
            if (command->options[i].help != NULL) {
                weir_near_offer(&near, command->options[i].name);
            }
        }
        for (size_t i = 0; is_long && i < command->foreign_count; i++) {
            weir_near_offer(&near, command->foreign[i].name + strspn(command->foreign[i].name, "-"));
        }
    }
    if (!is_long && parser->command->next != NULL && find_letter(parser->command->next, name[1]) != NULL) {
        return weir_arguments_refuse(parser->ret_message, "%s is an option of 'weir %s'; give it apart from the others",
            name, parser->command->next->name);
    }
    if (near.best != NULL) {
        return weir_arguments_refuse(parser->ret_message, "unknown option '%s'; did you mean --%s?", name, near.best);
    }
    return weir_arguments_refuse(parser->ret_message,
        "unknown option '%s'; 'weir %s --help' lists those that there are", name, parser->command->name);
}

/*
 * Collect an argument for the next command, if it is an option there, with the value that follows it, if it needs one.
 * False: it is none there.
 */
static bool collect(parser_t *parser, char **arguments, int count, int *at, bool *ret_collected)
{
    const weir_command_t *next = parser->command->next;
    const char *argument = arguments[*at];
    const weir_option_t *option = NULL;
    bool attached = false;
    if (next == NULL) {
        return false;
    }
    if (argument[1] == '-') {
        size_t size = strcspn(argument, "=");
        option = find_name(next, argument + 2, size - 2);
        attached = argument[size] == '=';
    } else {
        const char *letter = argument + 1;
        do {
            option = find_letter(parser->command, *letter) == NULL ? find_letter(next, *letter) : NULL;
            letter++;
        } while (option != NULL && option->value == NULL && *letter != '\0');
        attached = *letter != '\0';
    }
    if (option == NULL) {
        return false;
    }
    weir_texts_t *texts = (weir_texts_t *)((char *)parser->options + parser->command->next_offset);
    *ret_collected = weir_texts_add(texts, argument);
    if (*ret_collected && option->value != NULL && !attached && *at + 1 < count) {
        *ret_collected = weir_texts_add(texts, arguments[++*at]);
    }
    return true;
}

/* Take an option; `attached` is the value that came in the same argument, or NULL. */
static bool take_option(parser_t *parser, const weir_option_t *option, const char *name, const char *attached,
    char **arguments, int count, int *at)
{
    if (option->value == NULL) {
        if (attached != NULL) {
            return weir_arguments_refuse(
                parser->ret_message, "%s takes no value, and '=%s' was given; leave that out", name, attached);
        }
    } else if (attached == NULL) {
        if (*at + 1 >= count) {
            return weir_arguments_refuse(parser->ret_message, "%s needs a value: %s %s; see 'weir %s --help'", name,
                name, option->value, parser->command->name);
        }
        attached = arguments[++*at];
    }
    parser->given[option - parser->command->options] = true;
    return take(parser, option, name, attached);
}

static bool take_long(parser_t *parser, char **arguments, int count, int *at)
{
    const char *argument = arguments[*at];
    size_t size = strcspn(argument, "=");
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof(name), "%.*s", (int)size, argument);
    const weir_option_t *option = find_name(parser->command, argument + 2, size - 2);
    bool collected;
    if (option == NULL) {
        return collect(parser, arguments, count, at, &collected) ? collected : refuse_unknown(parser, name);
    }
    return take_option(parser, option, name, argument[size] == '=' ? argument + size + 1 : NULL, arguments, count, at);
}

/* "-q", "-qh", "-e A=B", "-eA=B", "-e=A=B" */
static bool take_letters(parser_t *parser, char **arguments, int count, int *at)
{
    for (const char *letter = arguments[*at] + 1; *letter != '\0'; letter++) {
        const char name[] = {'-', *letter, '\0'};
        const weir_option_t *option = find_letter(parser->command, *letter);
        bool collected;
        if (option == NULL && letter == arguments[*at] + 1 && collect(parser, arguments, count, at, &collected)) {
            return collected;
        }
        if (option == NULL) {
            return refuse_unknown(parser, name);
        }
        if (option->value != NULL) {
            const char *rest = letter[1] == '\0' ? NULL : letter + 1 + (letter[1] == '=' ? 1 : 0);
            return take_option(parser, option, name, rest, arguments, count, at);
        }
        if (!take_option(parser, option, name, NULL, arguments, count, at)) {
            return false;
        }
    }
    return true;
}

/* ---- The environment, and all of it ------------------------------------------------------------------------------- */

/* Where the value of an option came from, for messages: the option, or the variable. */
static const char *given_as(const parser_t *parser, const weir_option_t *option, char *text, size_t size)
{
    if (!parser->given[option - parser->command->options] && option->variable != NULL) {
        return option->variable;
    }
    snprintf(text, size, "--%s", option->name);
    return text;
}

static bool check_exclusions(const parser_t *parser, const bool *present)
{
    const weir_command_t *command = parser->command;
    for (size_t i = 0; i < command->option_count; i++) {
        const weir_option_t *option = &command->options[i];
        const weir_option_t *other =
            option->excludes == NULL ? NULL : find_name(command, option->excludes, strlen(option->excludes));
        if (present[i] && other != NULL && present[other - command->options]) {
            char texts[2][NAME_MAX_BYTES];
            return weir_arguments_refuse(parser->ret_message, "%s and %s contradict each other; leave one of them out",
                given_as(parser, option, texts[0], sizeof(texts[0])),
                given_as(parser, other, texts[1], sizeof(texts[1])));
        }
    }
    return true;
}

static bool take_environment(parser_t *parser, char *const *environment)
{
    const weir_command_t *command = parser->command;
    bool present[WEIR_OPTIONS_MOST];
    memcpy(present, parser->given, sizeof(present));
    for (size_t i = 0; i < command->option_count; i++) {
        const weir_option_t *option = &command->options[i];
        const char *value = option->variable == NULL ? NULL : weir_arguments_variable(environment, option->variable);
        if (value == NULL || parser->given[i] || (value[0] == '\0' && !option->variable_may_be_empty)) {
            continue;
        }
        if (!take(parser, option, option->variable, value)) {
            return false;
        }
        present[i] = option->kind != WEIR_OPTION_FLAG || *((bool *)parser->options + option->offset);
    }
    return check_exclusions(parser, present);
}

bool weir_arguments_parse(const weir_command_t *command, int count, char **arguments, char *const *environment,
    void *options, char **ret_message)
{
    parser_t parser = {.command = command, .options = options, .ret_message = ret_message};
    bool only_operands = false;
    *ret_message = NULL;
    for (int at = 1; at < count; at++) {
        const char *argument = arguments[at];
        bool taken;
        if (only_operands || argument[0] != '-' || argument[1] == '\0') {
            taken = command->operand(options, argument, ret_message);
            only_operands = only_operands || command->operands_end_options;
        } else if (strcmp(argument, "--") == 0) {
            only_operands = taken = true;
        } else if (argument[1] == '-') {
            taken = take_long(&parser, arguments, count, &at);
        } else {
            taken = take_letters(&parser, arguments, count, &at);
        }
        if (!taken) {
            return false;
        }
    }
    return take_environment(&parser, environment);
}

/* ---- Help -------------------------------------------------------------------------------------------------------- */

static void add_option(weir_text_t *text, const weir_option_t *option)
{
    size_t start = text->size;
    if (option->letter != 0) {
        weir_text_format(text, "  -%c, --%s", option->letter, option->name);
    } else {
        weir_text_format(text, "      --%s", option->name);
    }
    if (option->value != NULL) {
        weir_text_format(text, " %s", option->value);
    }
    if (text->size - start > HELP_COLUMN - 2) {
        weir_text_format(text, "\n%*s", HELP_COLUMN, "");
    } else {
        weir_text_format(text, "%*s", (int)(HELP_COLUMN - (text->size - start)), "");
    }
    for (const char *line = option->help; line != NULL;) {
        size_t size = strcspn(line, "\n");
        weir_text_add(text, line, size);
        line = line[size] == '\n' ? line + size + 1 : NULL;
        if (line != NULL) {
            weir_text_format(text, "\n%*s", HELP_COLUMN, "");
        }
    }
    if (option->variable != NULL) {
        weir_text_format(text, " [%s]", option->variable);
    }
    weir_text_format(text, "\n");
}

char *weir_arguments_help(const weir_command_t *command)
{
    weir_text_t text = {0};
    for (size_t i = 0; i < command->option_count; i++) {
        const weir_option_t *option = &command->options[i];
        if (option->group != NULL) {
            weir_text_format(&text, "%s%s:\n", i == 0 ? "" : "\n", option->group);
        }
        if (option->help != NULL) {
            add_option(&text, option);
        }
    }
    return weir_text_take(&text);
}
