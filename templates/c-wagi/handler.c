/*
 * @NAME@: a program that reads its request from its environment and standard input and writes its response to standard
 * output, as CGI has it (RFC 3875). A fresh instance answers each request. What it writes to standard error goes to the
 * log.
 */
#include <stdio.h>
#include <stdlib.h>

/* A variable of the request; "" when it is not set. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

int main(void)
{
    printf("content-type: text/plain; charset=utf-8\n\n");
    printf("Hello from @NAME@!\n");
    printf("%s %s%s\n", variable("REQUEST_METHOD"), variable("SCRIPT_NAME"), variable("PATH_INFO"));
    return 0;
}
