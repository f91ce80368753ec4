/*
 * Answers with its arguments and its environment (mirror.h says how), and then with standard input as it comes. The
 * method is in the response's head as well, for a response to HEAD has no body.
 */
#include "mirror.h"

#include <unistd.h>

extern char **environ;

static void write_all(const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, bytes, size);
        if (written < 0)
            _Exit(99);
        bytes += written;
        size -= (size_t)written;
    }
}

int main(int argument_count, char **arguments)
{
    static char buffer[65536];
    mirror_report_t report = {NULL, 0};
    for (int i = 0; i < argument_count; i++)
        mirror_add_text(&report, "argument", arguments[i]);
    for (char **variable = environ; variable != NULL && *variable != NULL; variable++)
        mirror_add_text(&report, "variable", *variable);
    mirror_add(&report, "body", NULL, 0);
    const char *method = getenv("REQUEST_METHOD");
    printf("content-type: application/x-mirror\nmirror-method: %s\n\n", method != NULL ? method : "");
    fflush(stdout);
    write_all(report.text, report.size);
    ssize_t got;
    while ((got = read(STDIN_FILENO, buffer, sizeof buffer)) > 0)
        write_all(buffer, (size_t)got);
    return got < 0 ? 98 : 0;
}
