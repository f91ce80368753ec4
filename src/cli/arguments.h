/*
 * arguments.h: command lines read from a table of options, which also makes their part of --help. One table a command.
 */
#ifndef WEIR_CLI_ARGUMENTS_H
#define WEIR_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

/* Texts in their order. They are borrowed from the arguments or the environment; the array is own. */
typedef struct weir_texts {
    const char **items;
    size_t count;
} weir_texts_t;

/* Where the value of an option goes: what lies at its offset in the structure of options. */
typedef enum weir_option_kind {
    WEIR_OPTION_FLAG = 0,    /* bool: set. In the environment 1, true, yes, on or 0, false, no, off */
    WEIR_OPTION_TEXT = 1,    /* const char *: the last one counts */
    WEIR_OPTION_TEXTS = 2,   /* weir_texts_t: each is added */
    WEIR_OPTION_TAKEN = 3,   /* handed to `take` */
    WEIR_OPTION_OPERAND = 4, /* handed to the command's `operand`, as if it stood without the option */
} weir_option_kind_t;

/* Why a value cannot be taken: false, with a one-line message as of vasprintf, NULL when memory ran out. */
__attribute__((format(printf, 2, 3))) bool weir_arguments_refuse(char **ret_message, const char *format, ...);

enum { WEIR_OPTIONS_MOST = 128 }; /* that a command has */

typedef struct weir_option {
    const char *name;           /* without "--" */
    char letter;                /* or 0 */
    const char *value;          /* what --help calls its value; NULL: it has none, which is a flag */
    const char *variable;       /* of the environment, read when the option was not given; or NULL */
    bool variable_may_be_empty; /* an empty one is a value, too; otherwise it counts as none */
    weir_option_kind_t kind;
    size_t offset;
    /* Take a value over; `name` is how it was given, "--listen" or "SPIN_HTTP_LISTEN_ADDR". */
    bool (*take)(void *options, const char *name, const char *value, char **ret_message);
    const char *excludes; /* the name of an option that contradicts it, or NULL */
    const char *group; /* the heading of --help below which it and what follows stand; NULL: that of the one before */
    const char *help;  /* lines are parted by '\n'; NULL: it is another name of an option, and not listed */
} weir_option_t;

/* An option that somebody else has, and what to do in its place. */
typedef struct weir_foreign_option {
    const char *name; /* with its dashes */
    const char *remedy;
} weir_foreign_option_t;

typedef struct weir_command weir_command_t;
struct weir_command {
    const char *name; /* "up": for messages */
    const weir_option_t *options;
    size_t option_count;
    const weir_foreign_option_t *foreign; /* Spin's that weir lacks */
    size_t foreign_count;
    /* Take what is no option, as it comes. */
    bool (*operand)(void *options, const char *value, char **ret_message);
    bool operands_end_options; /* what follows the first operand is handed to `operand`, too */
    /* A command whose options may be given too, or NULL; they are collected, with their values, in the weir_texts_t at
     * this offset. */
    const weir_command_t *next;
    size_t next_offset;
};

/*
 * Parse the arguments that follow a command's name; `arguments[0]` is not looked at. "--name VALUE", "--name=VALUE",
 * "-n VALUE" and "-nVALUE" are values, flags of one letter may stand together, and what follows "--" is no option.
 * `environment` is as environ(7), or NULL. On failure returns false and stores a
 * one-line message to be freed with free(3), NULL when memory ran out; what was put into `options` until then is the
 * caller's to free. Any thread.
 */
bool weir_arguments_parse(const weir_command_t *command, int count, char **arguments, char *const *environment,
    void *options, char **ret_message);

/* The list of options for --help, to be freed with free(3), or NULL when memory ran out. */
char *weir_arguments_help(const weir_command_t *command);

/* The value of a variable, or NULL when it is not there. */
const char *weir_arguments_variable(char *const *environment, const char *name);

/* Add a text. False when memory ran out. */
bool weir_texts_add(weir_texts_t *texts, const char *text);

/* Free the array, and zero it. */
void weir_texts_free(weir_texts_t *texts);

#endif
