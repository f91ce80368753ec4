/*
 * cgi: a WAGI module, which is a program that reads its request from its environment and standard input and writes its
 * response to standard output, as CGI has it (RFC 3875). Shows what it was asked, below the route and in the query.
 */
#include <stdio.h>
#include <stdlib.h>

/* A variable of the request; "" when it is not set. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

static size_t count_standard_input(void)
{
    static char buffer[65536];
    size_t total = 0;
    size_t got;
    while ((got = fread(buffer, 1, sizeof buffer, stdin)) > 0)
        total += got;
    return total;
}

int main(int argument_count, char **arguments)
{
    printf("content-type: text/plain; charset=utf-8\n\n");
    printf("Hello through CGI!\n");
    printf("You asked: %s %s%s\n", variable("REQUEST_METHOD"), variable("SCRIPT_NAME"), variable("PATH_INFO"));
    printf("PATH_INFO: %s\n", variable("PATH_INFO"));
    printf("QUERY_STRING: %s\n", variable("QUERY_STRING"));
    for (int index = 1; index < argument_count; index++)
        printf("Argument %d: %s\n", index, arguments[index]);
    printf("The request's body: %zu bytes\n", count_standard_input());
    return 0;
}
