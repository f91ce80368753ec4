/*
 * reload.c: the steps of a start once more, on a thread of its own and with the trial server's help, for what forks
 * must have one thread. Nothing of it is on the way of a request.
 */
#include "cli/reload.h"

#include "allocator/child.h"
#include "allocator/holds.h"
#include "allocator/translate.h"
#include "app/text.h"
#include "cli/announcement.h"
#include "cli/compiler.h"
#include "cli/overseeing.h"
#include "cli/systemd.h"
#include "cli/tls_files.h"
#include "observe/log.h"
#include "observe/thread.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STACK_BYTES = 8 * 1024 * 1024,        /* as a main thread has: it may have to compile */
    LONGEST_MILLISECONDS = 30 * 60 * 1000 /* what a service manager is told: as long as compiling may take */
};

struct weir_reload {
    weir_reload_settings_t settings;

    /* The thread's own, while there is one. */
    weir_tls_config_t *tls; /* own: in use */
    bool is_tls_refused;    /* certificate and key stay as they were, in the reload under way */
    char *tls_refusal;      /* own: why; NULL: memory ran out */
    weir_needs_t *needs;    /* own: of the application that the choice was made for, or kept for */
    size_t needs_count;
    uint64_t max_memory_bytes; /* that its instances may have */
    bool has_room;             /* for the choice that is being made */
    bool is_makeshift;         /* the choice that was made had no room beside what was served before */

    pthread_mutex_t lock; /* guards what follows */
    bool stop;
    bool running;              /* the thread has not said that it ends */
    bool started;              /* it is to be joined */
    const char *wanted;        /* because of what; NULL: nothing is */
    weir_compiler_t *compiler; /* in use by the thread, or NULL */
    pthread_t thread;
};

weir_reload_t *weir_reload_new(const weir_reload_settings_t *settings, weir_tls_config_t *take_tls)
{
    weir_reload_t *reload = calloc(1, sizeof(*reload));
    if (reload == NULL) {
        return NULL;
    }
    reload->settings = *settings;
    weir_current_lock(settings->current);
    const weir_application_t *application = weir_current_application(settings->current);
    reload->needs = weir_application_guest_needs(application, &reload->needs_count);
    reload->max_memory_bytes = weir_application_max_memory(application);
    weir_current_unlock(settings->current);
    if (reload->needs == NULL) {
        free(reload);
        return NULL;
    }
    reload->tls = take_tls;
    pthread_mutex_init(&reload->lock, NULL);
    return reload;
}

static bool is_stopped(weir_reload_t *reload)
{
    pthread_mutex_lock(&reload->lock);
    bool stop = reload->stop;
    pthread_mutex_unlock(&reload->lock);
    return stop;
}

/* ---- Certificate and key ----------------------------------------------------------------------------------------- */

static void reload_tls(weir_reload_t *reload, const weir_up_options_t *options)
{
    weir_tls_config_t *next;
    int64_t not_after;
    char *message = NULL;
    if (reload->tls == NULL || options->tls_certificate == NULL) {
        return;
    }
    if (!weir_tls_files_load(options->tls_certificate, options->tls_key, &next, &not_after, &message)) {
        const char *why = message == NULL ? weir_translate("out of memory") : message;
        weir_log(WEIR_LOG_ERROR, weir_translate("certificate and key stay as they were: %s"), why);
        weir_metrics_count(weir_server_metrics(reload->settings.server), WEIR_PROCESS_TLS_RELOADS_REFUSED, 1);
        reload->is_tls_refused = true;
        reload->tls_refusal = message;
        return;
    }
    weir_server_set_tls(reload->settings.server, next);
    weir_tls_config_free(reload->tls);
    reload->tls = next;
    weir_metrics_count(weir_server_metrics(reload->settings.server), WEIR_PROCESS_TLS_RELOADS_DONE, 1);
    weir_log(WEIR_LOG_INFO, "new connections use certificate and key as they are now");
    weir_tls_files_log_expiry(options->tls_certificate, not_after);
    weir_oversee_certificate(reload->settings.admin, not_after);
}

/* Why certificate and key stay as they were; NULL: they do not. */
static const char *refusal_of_tls(const weir_reload_t *reload)
{
    const char *why = reload->tls_refusal == NULL ? weir_translate("out of memory") : reload->tls_refusal;
    return reload->is_tls_refused ? why : NULL;
}

/* ---- The application --------------------------------------------------------------------------------------------- */

/* Read everything that it is made from. The options' texts are borrowed from the arguments and the environment. */
static weir_deployment_t *load(weir_reload_t *reload, weir_inputs_t *inputs, char **ret_message)
{
    weir_up_options_t *options = &inputs->options;
    *ret_message = NULL;
    if (!weir_up_options_parse(
            reload->settings.argument_count, reload->settings.arguments, environ, options, ret_message)) {
        return NULL;
    }
    reload_tls(reload, options);
    options->tls_certificate = NULL;
    options->truncate_logs = false; /* they hold what this server's guests wrote */
    weir_deployment_t *deployment = weir_deployment_new();
    if (deployment == NULL || !weir_inputs_read(inputs, ret_message) ||
        !weir_inputs_load(inputs, &deployment->application, ret_message)) {
        weir_deployment_drop(deployment);
        return NULL;
    }
    return deployment;
}

/* Why there is no choice, as one line. */
static char *explain(const weir_choice_t *choice)
{
    char *message;
    const char *advice = choice == NULL ? "" : weir_choice_advice(choice);
    int length = asprintf(
        &message, "no allocator works for what its components need%s%s", advice[0] == '\0' ? "" : ": ", advice);
    return length < 0 ? NULL : message;
}

/*
 * The choice for an application: one that is made for it, or NULL where the one in use suits it. False: there is none.
 * Only this thread exchanges the choice that was made, so it may be read here without the lock.
 */
static bool choose(weir_reload_t *reload, const weir_inputs_t *inputs, const weir_application_t *application,
    const weir_needs_t *needs, size_t count, weir_choice_t **ret_choice, char **ret_message)
{
    const weir_choice_t *used = weir_current_made(reload->settings.current);
    weir_choose_options_t options;
    weir_choice_t *choice = NULL;
    weir_holds_t holds = weir_choice_holds(used, reload->needs, reload->needs_count, needs, count);
    *ret_choice = NULL;
    *ret_message = NULL;
    bool has_changed = weir_application_max_memory(application) != reload->max_memory_bytes;
    if (holds == WEIR_HOLDS_WELL && (has_changed || reload->is_makeshift)) {
        holds = WEIR_HOLDS; /* slots of another size, or more of them, may suit it better */
    }
    if (holds == WEIR_HOLDS_WELL || (holds == WEIR_HOLDS && reload->settings.trial_server == NULL)) {
        return true;
    }
    reload->has_room = weir_current_make_room(reload->settings.current);
    if (!reload->has_room && holds == WEIR_HOLDS) {
        return true; /* it does until there is room for another */
    }
    weir_choose_options_init(&options);
    options.strategy = reload->settings.strategy;
    options.needs.concurrency = inputs->options.max_concurrency;
    options.needs.maximum_memory_bytes = weir_application_max_memory(application);
    options.guests = count > 0 ? needs : NULL;
    options.guest_count = count;
    options.server = reload->settings.trial_server;
    weir_status_t status = options.server == NULL ? WEIR_ERROR_THREADS : weir_allocator_choose(&options, &choice);
    if (status == WEIR_OK) {
        *ret_choice = choice;
        return true;
    }
    *ret_message = holds == WEIR_HOLDS_NOT ? explain(choice) : NULL;
    weir_choice_free(choice);
    return holds != WEIR_HOLDS_NOT;
}

/* Have all code, from the cache or compiled. Stores how many components were compiled. */
static bool prepare_code(weir_reload_t *reload, weir_application_t *application, const weir_choice_t *choice,
    uint32_t *ret_compiled, char **ret_message)
{
    const weir_rung_t *rung_apart = weir_choice_rung_apart(choice);
    wasm_engine_t *engine = NULL;
    wasm_engine_t *apart = NULL;
    *ret_compiled = 0;
    wasmtime_error_t *error =
        weir_engine_without_pool(weir_choice_rung(choice), application->needs_concurrency, &engine);
    if (error == NULL && rung_apart != NULL) {
        error = weir_engine_without_pool(rung_apart, application->needs_concurrency, &apart);
    }
    if (error != NULL) {
        if (asprintf(ret_message, "no engine can be had: %s", weir_show_error(error).text) < 0) {
            *ret_message = NULL;
        }
    }
    bool there = error == NULL && weir_application_find_code(application, engine, apart);
    if (error == NULL && !there) {
        weir_compiler_t *compiler = weir_compiler_new(reload->settings.trial_server);
        pthread_mutex_lock(&reload->lock);
        bool stop = reload->stop;
        reload->compiler = compiler;
        pthread_mutex_unlock(&reload->lock);
        there =
            !stop && compiler != NULL && weir_compiler_run(compiler, application, choice, ret_compiled, ret_message);
        pthread_mutex_lock(&reload->lock);
        reload->compiler = NULL;
        pthread_mutex_unlock(&reload->lock);
        weir_compiler_free(compiler);
    }
    if (engine != NULL) {
        weir_engine_delete(engine);
    }
    if (apart != NULL) {
        weir_engine_delete(apart);
    }
    return there;
}

/* Make it ready to be swapped in. On failure frees nothing. */
static bool prepare(weir_reload_t *reload, const weir_inputs_t *inputs, weir_application_t *application,
    const weir_needs_t *needs, size_t count, weir_choice_t **ret_choice, uint32_t *ret_compiled, char **ret_message)
{
    if (!choose(reload, inputs, application, needs, count, ret_choice, ret_message)) {
        return false;
    }
    const weir_choice_t *choice = *ret_choice != NULL ? *ret_choice : weir_current_made(reload->settings.current);
    weir_application_place(application, choice);
    if (!prepare_code(reload, application, choice, ret_compiled, ret_message)) {
        return false;
    }
    weir_inputs_keep_code(inputs, application);
    weir_application_free_files(application);
    if (!weir_component_logs_start(application->logs)) {
        weir_log(WEIR_LOG_WARNING,
            weir_translate("what components write goes to no file, for no thread can be had for that: %s"),
            strerror(errno));
    }
    return true;
}

/* Load, prove and serve. On failure stores why, or NULL when memory ran out or it was stopped. */
static bool reload_application(weir_reload_t *reload, weir_inputs_t *inputs, uint32_t *ret_compiled, char **ret_message)
{
    weir_choice_t *choice = NULL;
    size_t count;
    weir_deployment_t *deployment = load(reload, inputs, ret_message);
    if (deployment == NULL || is_stopped(reload)) {
        weir_deployment_drop(deployment);
        return false;
    }
    weir_needs_t *needs = weir_application_guest_needs(&deployment->application, &count);
    if (needs == NULL ||
        !prepare(reload, inputs, &deployment->application, needs, count, &choice, ret_compiled, ret_message)) {
        weir_choice_free(choice);
        weir_deployment_drop(deployment);
        free(needs);
        return false;
    }
    weir_announce_warnings(&deployment->application);
    bool chosen = choice != NULL;
    uint64_t max_memory_bytes = weir_application_max_memory(&deployment->application);
    weir_current_lock(reload->settings.current);
    bool replaced = weir_current_replace(reload->settings.current, deployment, choice, ret_message);
    if (replaced && chosen) {
        weir_log(WEIR_LOG_INFO, "the allocator was chosen anew for what the components need now: %s",
            weir_choice_summary(weir_current_choice(reload->settings.current)));
    }
    if (replaced && chosen && !reload->has_room) {
        weir_log(WEIR_LOG_WARNING,
            "while it was chosen, requests that had begun before kept the room of a better one; reload again once they "
            "are over, and it is chosen anew");
    }
    if (replaced) {
        weir_limits_warn_kept(
            &reload->settings.kept, weir_current_application(reload->settings.current), &inputs->config);
    }
    weir_current_unlock(reload->settings.current);
    if (replaced && chosen) {
        reload->is_makeshift = !reload->has_room;
        reload->max_memory_bytes = max_memory_bytes;
        free(reload->needs);
        reload->needs = needs;
        reload->needs_count = count;
    } else {
        free(needs);
    }
    return replaced;
}

static void tell(weir_reload_t *reload, bool reloaded, double milliseconds, uint32_t compiled, const char *message)
{
    char status[384];
    if (reloaded) {
        char name[288];
        weir_current_lock(reload->settings.current);
        const weir_manifest_t *manifest = &weir_current_application(reload->settings.current)->manifest;
        snprintf(name, sizeof(name), "%s%s%s", weir_shown(manifest->name).text, manifest->version == NULL ? "" : " ",
            manifest->version == NULL ? "" : weir_shown(manifest->version).text);
        weir_current_unlock(reload->settings.current);
        snprintf(status, sizeof(status), "serving %s since reload %" PRIu64, name,
            weir_metrics_read(weir_server_metrics(reload->settings.server), WEIR_PROCESS_RELOADS_DONE));
        weir_log(WEIR_LOG_INFO,
            "reloaded in %.2f s, %u compiled: serving %s; requests that have begun end on what was served before",
            milliseconds / 1e3, (unsigned)compiled, name);
    } else {
        snprintf(status, sizeof(status), "not reloaded: %s", message);
        weir_log(WEIR_LOG_ERROR, weir_translate("not reloaded, and what was served is served on: %s"), message);
    }
    weir_systemd_ready(status);
}

static void reload_once(weir_reload_t *reload, const char *cause)
{
    weir_inputs_t inputs = {.tls = NULL};
    char *message = NULL;
    uint32_t compiled = 0;
    double began = weir_clock_milliseconds();
    weir_log(WEIR_LOG_INFO, "reloading: %s", cause);
    weir_systemd_reloading();
    weir_systemd_extend(LONGEST_MILLISECONDS);
    bool reloaded = reload_application(reload, &inputs, &compiled, &message);
    weir_inputs_free(&inputs);
    if (!reloaded && is_stopped(reload)) {
        weir_log(WEIR_LOG_WARNING, "not reloaded: the server is ending");
    } else {
        weir_metrics_count(weir_server_metrics(reload->settings.server),
            reloaded ? WEIR_PROCESS_RELOADS_DONE : WEIR_PROCESS_RELOADS_REFUSED, 1);
        const char *why = message == NULL ? weir_translate("out of memory") : message;
        weir_oversee_reload(reload->settings.admin, !reloaded ? why : refusal_of_tls(reload));
        tell(reload, reloaded, weir_clock_milliseconds() - began, compiled, why);
    }
    free(reload->tls_refusal);
    reload->tls_refusal = NULL;
    reload->is_tls_refused = false;
    free(message);
}

/* ---- The thread -------------------------------------------------------------------------------------------------- */

static void *reload_main(void *argument)
{
    weir_reload_t *reload = argument;
    weir_thread_prepare(); /* instances are made on it; where it is refused that shows there */
    pthread_mutex_lock(&reload->lock);
    while (reload->wanted != NULL && !reload->stop) {
        const char *cause = reload->wanted;
        reload->wanted = NULL;
        pthread_mutex_unlock(&reload->lock);
        reload_once(reload, cause);
        pthread_mutex_lock(&reload->lock);
    }
    reload->running = false;
    pthread_mutex_unlock(&reload->lock);
    return NULL;
}

/* With the lock: there is a thread only while there is something to do. */
static void start(weir_reload_t *reload)
{
    if (reload->started) {
        pthread_join(reload->thread, NULL); /* it has said that it ends, and needs the lock no more */
        reload->started = false;
    }
    int error = weir_thread_start(&reload->thread, STACK_BYTES, reload_main, reload);
    if (error != 0) {
        reload->wanted = NULL;
        weir_metrics_count(weir_server_metrics(reload->settings.server), WEIR_PROCESS_RELOADS_REFUSED, 1);
        weir_log(WEIR_LOG_ERROR, weir_translate("not reloaded, and what was served is served on: %s"), strerror(error));
        weir_oversee_reload(reload->settings.admin, strerror(error));
        return;
    }
    reload->started = true;
    reload->running = true;
}

void weir_reload_request(weir_reload_t *reload, const char *cause)
{
    pthread_mutex_lock(&reload->lock);
    if (!reload->stop) {
        reload->wanted = cause;
        if (!reload->running) {
            start(reload);
        }
    }
    pthread_mutex_unlock(&reload->lock);
}

void weir_reload_stop(weir_reload_t *reload)
{
    pthread_mutex_lock(&reload->lock);
    reload->stop = true;
    if (reload->compiler != NULL) {
        weir_compiler_stop(reload->compiler);
    }
    pthread_mutex_unlock(&reload->lock);
    weir_current_close(reload->settings.current);
}

void weir_reload_join(weir_reload_t *reload)
{
    if (reload->started) {
        pthread_join(reload->thread, NULL);
        reload->started = false;
    }
}

void weir_reload_free(weir_reload_t *own_reload)
{
    if (own_reload == NULL) {
        return;
    }
    weir_reload_stop(own_reload);
    weir_reload_join(own_reload);
    weir_tls_config_free(own_reload->tls);
    free(own_reload->needs);
    pthread_mutex_destroy(&own_reload->lock);
    free(own_reload);
}
