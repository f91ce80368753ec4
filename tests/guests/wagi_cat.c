/*
 * Copies standard input to standard output, byte by byte the same, and exits with the status that its first argument
 * names: the request's body thus is the CGI document that the server has to understand.
 */
#include <stdlib.h>
#include <unistd.h>

int main(int argument_count, char **arguments)
{
    static char buffer[65536];
    ssize_t got;
    while ((got = read(STDIN_FILENO, buffer, sizeof buffer)) > 0) {
        for (ssize_t done = 0; done < got;) {
            ssize_t written = write(STDOUT_FILENO, buffer + done, (size_t)(got - done));
            if (written < 0)
                return 99;
            done += written;
        }
    }
    if (got < 0)
        return 98;
    return argument_count > 1 ? atoi(arguments[1]) : 0;
}
