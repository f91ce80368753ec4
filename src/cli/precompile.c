/*
 * precompile.c: the child that compiles, and what its end means.
 */
#include "cli/precompile.h"

#include "allocator/child.h"
#include "allocator/configure.h"
#include "allocator/translate.h"
#include "guest/message.h"
#include "weir/engine.h"

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

/* An engine for which code is compiled as for the choice's, but that has no pool. */
static wasmtime_error_t *make_engine(const precompilation_t *precompilation, wasm_engine_t **ret_engine)
{
    weir_rung_t rung = *weir_choice_rung(precompilation->choice);
    rung.tier = WEIR_TIER_ONDEMAND;
    wasm_config_t *config = weir_application_config_new(precompilation->application);
    if (config == NULL || weir_rung_configure(&rung, config) != WEIR_OK) {
        if (config != NULL) {
            wasm_config_delete(config);
        }
        return wasmtime_error_new("memory ran out");
    }
    return weir_engine_new(config, ret_engine, NULL);
}

static int run(int report_descriptor, void *context)
{
    const precompilation_t *precompilation = context;
    report_t report = {.message = ""};
    char *message = NULL;
    wasm_engine_t *engine = NULL;
    wasmtime_error_t *error = make_engine(precompilation, &engine);
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

/* Why a child that compiled ended without a word. */
static char *explain(const weir_application_t *application, const weir_child_result_t *result)
{
    const size_t missing = find_missing(application);
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
    *ret_message = explain(application, &result);
    return WEIR_PRECOMPILE_REFUSED;
}
