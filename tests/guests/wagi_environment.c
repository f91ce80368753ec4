/*
 * Answers with its arguments and its environment, one a line: "argument <text>", "environment NAME=value".
 */
#include <stdio.h>

extern char **environ;

int main(int argument_count, char **arguments)
{
    printf("content-type: text/plain\n\n");
    for (int i = 0; i < argument_count; i++)
        printf("argument %s\n", arguments[i]);
    for (char **variable = environ; variable != NULL && *variable != NULL; variable++)
        printf("environment %s\n", *variable);
    return 0;
}
