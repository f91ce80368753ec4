/*
 * main.c: the program: which command was given.
 */
#include "cli/bench.h"
#include "cli/doctor.h"
#include "cli/help.h"
#include "cli/up.h"
#include "observe/log.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "up") == 0) {
        return weir_up_main(argc - 1, argv + 1);
    }
    if (strcmp(command, "doctor") == 0) {
        return weir_doctor_main(argc - 1, argv + 1);
    }
    if (strcmp(command, "bench") == 0) {
        return weir_bench_main(argc - 1, argv + 1);
    }
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0 || strcmp(command, "help") == 0) {
        return weir_help_print(weir_help);
    }
    if (strcmp(command, "--version") == 0 || strcmp(command, "-V") == 0) {
        return weir_help_print("weir " WEIR_VERSION "\n");
    }
    if (command[0] == '\0') {
        weir_log(WEIR_LOG_ERROR,
            "no command was given; 'weir up' serves the application in this directory, 'weir --help' says more");
    } else {
        weir_log(
            WEIR_LOG_ERROR, "there is no command '%s'; there are up, doctor and bench, and 'weir --help'", command);
    }
    return 2;
}
