/*
 * precompile.c: the child that compiles, and what its end means.
 */
#include "cli/precompile.h"

#include "allocator/child.h"
#include "allocator/translate.h"
#include "cli/serving.h"
#include "guest/message.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEADLINE_MILLISECONDS = 30 * 60 * 1000 };

/* What the child says: nothing when all is well. */
typedef struct report {
    char message[2048];
} report_t;

typedef struct precompilation {
    const weir_application_t *application;
    const weir_choice_t *choice;
} precompilation_t;

/* The first component whose code is not there, or SIZE_MAX. */
static size_t find_missing(const weir_application_t *application)
{
    for (size_t i = 0; i < application->manifest.component_count; i++) {
        if (weir_application_lacks_code(application, i)) {
            return i;
        }
    }
    return SIZE_MAX;
}

static int run(int report_descriptor, void *context)
{
    const precompilation_t *precompilation = context;
    report_t report = {.message = ""};
    char *message = NULL;
    wasm_engine_t *engine = NULL;
    wasmtime_error_t *error = weir_engine_without_pool(
        weir_choice_rung(precompilation->choice), precompilation->application->needs_concurrency, &engine);
    if (error != NULL) {
        snprintf(report.message, sizeof(report.message), "the compiler could not be started: %s",
            weir_show_error(error).text);
    } else if (!weir_application_compile(precompilation->application, engine, &message)) {
        snprintf(report.message, sizeof(report.message), "%s", message != NULL ? message : "memory ran out");
    }
    /* The rest is the system's to clean up. */
    return write(report_descriptor, &report, sizeof(report)) == (ssize_t)sizeof(report) ? 0 : 1;
}

/*
 * What compiling takes, of so much wasm: from above, for 26 MiB were seen with 0.1 of C (2 processors, several
 * components at once), 119 with 5.6 of Go, 329 with 18.1 of Python and 334 with 11.6 of JavaScript.
 */
static double most_memory_mib(double wasm_mib)
{
    return 24 + 28 * wasm_mib;
}

char *weir_precompile_explain(const weir_application_t *application, size_t missing, const weir_child_result_t *result)
{
    const weir_component_t *component = &application->manifest.components[missing];
    const char *complaint = result->complaint[0] != '\0' ? result->complaint : weir_translate("the compiler was ended");
    /* What Rust adds to its first sentence helps nobody here. */
    const char *trace = strstr(complaint, " stack backtrace");
    trace = trace != NULL ? trace : strstr(complaint, " note: ");
    const double mib = (double)application->files[missing].size / (1 << 20);
    char *message;
    int length;
    if (result->end == WEIR_CHILD_DEADLINE) {
        length = asprintf(&message, weir_translate("component %s (%.1f MiB) was not compiled within %d minutes"),
            component->id, mib, DEADLINE_MILLISECONDS / 60000);
    } else if (result->end == WEIR_CHILD_SYSTEM) {
        length = asprintf(&message, weir_translate("component %s (%.1f MiB) was not compiled: %s: %s"), component->id,
            mib, result->call != NULL ? result->call : "fork", strerror(result->error_number));
    } else {
        length = asprintf(&message,
            weir_translate(
                "component %s could not be compiled: its %.1f MiB of WebAssembly take up to about %.0f MiB of "
                "memory for that, and the machine, its control group or a limit on address space or data has less "
                "(%.*s); 'weir "
                "doctor' shows which, and how to raise it"),
            component->id, mib, most_memory_mib(mib),
            (int)(trace != NULL ? trace - complaint : (ptrdiff_t)strlen(complaint)), complaint);
    }
    return length < 0 ? NULL : message;
}

weir_precompiled_t weir_application_precompile(
    weir_application_t *application, const weir_choice_t *choice, char **ret_message)
{
    *ret_message = NULL;
    if (find_missing(application) == SIZE_MAX) {
        return WEIR_PRECOMPILED;
    }
    precompilation_t precompilation = {application, choice};
    report_t report;
    weir_child_result_t result;
    weir_application_keep_standard_error(application);
    weir_child_run(run, &precompilation, DEADLINE_MILLISECONDS, &report, sizeof(report), &result);
    weir_application_drop_standard_error(application);
    if (result.end == WEIR_CHILD_REPORTED) {
        report.message[sizeof(report.message) - 1] = '\0';
        *ret_message = report.message[0] != '\0' ? strdup(report.message) : NULL;
        return report.message[0] == '\0'                                   ? WEIR_PRECOMPILED
               : strstr(report.message, WEIR_GUEST_REFUSED_THREAD) != NULL ? WEIR_PRECOMPILE_REFUSED
                                                                           : WEIR_PRECOMPILE_INVALID;
    }
    if (find_missing(application) == SIZE_MAX) {
        return WEIR_PRECOMPILED; /* it was done, and lost its words */
    }
    *ret_message = weir_precompile_explain(application, find_missing(application), &result);
    return WEIR_PRECOMPILE_REFUSED;
}
