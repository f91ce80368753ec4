/*
 * up.c: `weir up`, step by step. What can be wrong with the input is found first and fast; the allocator is chosen
 * while the process has one thread; nothing is printed on standard output before everything is ready.
 */
#include "cli/up.h"

#include "allocator/child.h"
#include "allocator/translate.h"
#include "allocator/trial_server.h"
#include "cli/adapt.h"
#include "cli/announcement.h"
#include "cli/application.h"
#include "cli/bounds.h"
#include "cli/build.h"
#include "cli/confine.h"
#include "cli/current.h"
#include "cli/deciding.h"
#include "cli/ending.h"
#include "cli/help.h"
#include "cli/inputs.h"
#include "cli/limits.h"
#include "cli/listing.h"
#include "cli/logs.h"
#include "cli/observing.h"
#include "cli/orphans.h"
#include "cli/overseeing.h"
#include "cli/reload.h"
#include "cli/serving.h"
#include "cli/signals.h"
#include "cli/systemd.h"
#include "cli/tune.h"
#include "cli/watch.h"
#include "guest/message.h"
#include "observe/log.h"
#include "serve/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasmtime.h>

enum {
    EXIT_FINE = 0,
    EXIT_FAILED = 1,
    EXIT_INPUT = 2,
    PORTS_TO_TRY = 10,             /* with --find-free-port, as Spin */
    DRAIN_MILLISECONDS = 30 * 1000 /* beyond the request time-out, for responses that have begun */
};

/* Everything that `weir up` makes, so that it can be freed wherever it ends. */
typedef struct up {
    weir_inputs_t inputs;
    int argument_count;
    char **arguments;
    weir_deployment_t *deployment;   /* until it is what is served, as the choice */
    weir_application_t *application; /* of the deployment; NULL once it may be loaded anew */
    uint64_t drain_milliseconds;
    weir_limits_kept_t kept;
    weir_listener_t listener;
    weir_choice_t *choice;
    weir_trial_server_t *trial_server; /* or NULL, as the next two */
    weir_adapt_t *adapt;
    weir_watch_t *watch;
    weir_engines_t engines; /* until the server has them */
    weir_observing_t observing;
    weir_current_t *current;
    weir_reload_t *reload;
    weir_admin_t *admin; /* or NULL */
    const char *url;     /* the listener's, for the admin */
    weir_server_t *server;
    bool ended; /* it has served, and all that it had was answered or cut */
} up_t;

/* Log a message that somebody stored, and free it. */
static int fail(int status, char *own_message)
{
    weir_log(WEIR_LOG_ERROR, "%s", own_message == NULL ? weir_translate("out of memory") : own_message);
    free(own_message);
    return status;
}

/* ---- Serving ----------------------------------------------------------------------------------------------------- */

static uint64_t count_drain_milliseconds(const up_t *up)
{
    const weir_limits_t limits = weir_application_limits(up->application, WEIR_NO_COMPONENT);
    uint64_t wished = up->inputs.options.drain_timeout_milliseconds;
    return wished != UINT64_MAX ? wished : limits.values[WEIR_SERVING_REQUEST_TIMEOUT] + DRAIN_MILLISECONDS;
}

static void request_reload(void *context)
{
    weir_reload_request(context, "files that it is made from have changed");
}

/* From now on it can be loaded anew. */
static void start_reloading(up_t *up)
{
    const weir_reload_settings_t settings = {.argument_count = up->argument_count,
        .arguments = up->arguments,
        .strategy = up->inputs.strategy,
        .current = up->current,
        .server = up->server,
        .trial_server = up->trial_server,
        .admin = up->admin,
        .kept = up->kept};
    up->reload = weir_reload_new(&settings, up->inputs.tls);
    if (up->reload == NULL) {
        weir_log(WEIR_LOG_WARNING, "%s", weir_translate("the application cannot be loaded anew: out of memory"));
        return;
    }
    up->inputs.tls = NULL; /* it is the reloads' now */
    if (up->watch != NULL && !weir_watch_start(up->watch, request_reload, up->reload)) {
        weir_log(WEIR_LOG_WARNING, weir_translate("nothing is watched, for no thread can be had for that: %s"),
            strerror(errno));
    }
}

static int start(up_t *up, const weir_bounds_t *bounds)
{
    up->kept.bounds = weir_limits_bound_guests(&up->inputs.config, bounds->room.descriptors);
    up->drain_milliseconds = count_drain_milliseconds(up);
    up->current = weir_current_new(up->deployment, up->choice, up->trial_server, up->inputs.options.max_concurrency);
    if (up->current == NULL) {
        return fail(EXIT_FAILED, NULL);
    }
    up->adapt = up->trial_server == NULL ? NULL : weir_adapt_new(up->current);
    weir_server_settings_t settings = {
        .loops = bounds->loops,
        .allow_half_close = up->inputs.options.allow_half_close,
        .time_slice_milliseconds = up->inputs.options.time_slice_milliseconds,
        .drain_timeout_milliseconds = up->drain_milliseconds,
        .tls = up->inputs.tls,
        .proxies = up->inputs.options.proxies.peers,
        .proxy_count = up->inputs.options.proxies.count,
        .proxy_protocol = up->inputs.options.proxy_protocol,
        .refused = up->adapt == NULL ? NULL : weir_adapt_refused,
        .context = up->adapt,
    };
    weir_observing_give(&up->observing, &settings);
    weir_limits_apply(up->application, bounds, &settings);
    up->kept.limits = settings.limits;
    up->kept.connections = settings.max_connections;
    char *message;
    if (!weir_key_value_stores_set(&up->application->provisions.stores, &up->inputs.options, &message)) {
        return fail(EXIT_INPUT, message);
    }
    weir_generation_t *generation = weir_deployment_serve(
        up->deployment, up->choice, up->inputs.options.max_concurrency, false, &up->engines, &message);
    if (generation == NULL) {
        return fail(EXIT_INPUT, message);
    }
    weir_inputs_keep_code(&up->inputs, up->application);
    weir_application_free_files(up->application);
    if (!weir_component_logs_start(up->application->logs)) {
        weir_log(WEIR_LOG_WARNING,
            weir_translate("what components write goes to no file, for no thread can be had for that: %s"),
            strerror(errno));
    }
    weir_observing_start(&up->observing);
    weir_signals_serving(); /* until now, while it may have compiled, there was nothing to finish */
    if (!weir_server_start(&settings, generation, &up->listener, &up->server, &message)) {
        return fail(EXIT_FAILED, message);
    }
    weir_current_attach(up->current, up->server, up->admin);
    up->url = up->listener.url;
    weir_oversee_limits(up->admin, &up->inputs.options, &settings);
    weir_oversee_sandbox(up->admin, weir_confine_state());
    weir_oversee_certificate(up->admin, up->inputs.tls_not_after);
    weir_oversee_application(up->admin, up->application);
    weir_oversee_choice(up->admin, up->choice);
    weir_oversee_start(up->admin, &up->inputs.options, up->server, &up->url);
    if (up->adapt == NULL || !weir_adapt_start(up->adapt, up->server, up->admin)) {
        weir_log(WEIR_LOG_WARNING,
            weir_translate("the allocator stays as it is when memory gets short: no %s could be had for that"),
            up->trial_server == NULL ? weir_translate("process") : weir_translate("thread"));
    }
    return EXIT_FINE;
}

/*
 * What people see when it is ready; Spin prints the same from "Serving" on. False when JSON could not be printed, for
 * which the program that asked for it would wait for ever.
 */
static bool announce(const up_t *up)
{
    const weir_manifest_t *manifest = &up->application->manifest;
    weir_application_tell_untimed(up->choice);
    weir_announce_choice(up->choice, up->application, up->inputs.options.json);
    if (up->inputs.options.decide_anew) {
        weir_announce_anew(up->choice);
    }
    weir_inputs_log_warnings(&up->inputs);
    weir_logs_warn(&up->inputs.options, &up->inputs.config, manifest, up->application->logs);
    weir_announce_warnings(up->application);
    bool json = up->inputs.options.json;
    bool printed = json ? weir_listing_print_json(manifest, up->application->routes, up->listener.url)
                        : weir_listing_print(manifest, up->application->routes, up->listener.url);
    if (!printed) {
        weir_log(json ? WEIR_LOG_ERROR : WEIR_LOG_WARNING,
            json ? weir_translate("the routes as JSON cannot be written to standard output: %s")
                 : weir_translate("what is served cannot be written to standard output: %s; serving all the same"),
            strerror(errno));
    }
    return printed || !json;
}

/* ---- The steps --------------------------------------------------------------------------------------------------- */

/* Where it is to listen: on what was handed over, or where the options say. */
static bool take_port(up_t *up, char **ret_message)
{
    const weir_up_options_t *options = &up->inputs.options;
    int descriptor;
    int sockets = weir_systemd_socket(&descriptor, ret_message);
    bool taken = sockets > 0    ? weir_listener_adopt(descriptor, &up->listener, ret_message)
                 : sockets == 0 ? weir_listener_search(options->listen, options->find_free_port ? PORTS_TO_TRY : 1,
                                      &up->listener, ret_message)
                                : false;
    if (taken && up->inputs.tls != NULL) {
        weir_listener_name_https(&up->listener);
    }
    return taken && weir_oversee_open(options, &up->admin, ret_message);
}

/* Serve until it is to end, and end: whatever is in flight is answered first. */
static void serve_to_the_end(up_t *up)
{
    weir_systemd_ready("serving");
    weir_systemd_watchdog_start(up->server);
    while (weir_signals_wait() == WEIR_SIGNAL_RELOAD) {
        weir_observing_reopen(&up->observing);
        if (up->reload != NULL) {
            weir_reload_request(up->reload, "SIGHUP");
        }
    }
    weir_ending_leave(up->server, up->inputs.options.drain_delay_milliseconds, up->drain_milliseconds);
}

static void end(up_t *up)
{
    weir_ending_begin(up->drain_milliseconds);
    weir_watch_free(up->watch);
    up->watch = NULL;
    if (up->reload != NULL) {
        weir_reload_stop(up->reload);
    }
    if (up->adapt != NULL) {
        weir_adapt_stop(up->adapt);
    }
    weir_ending_drain(up->server, up->drain_milliseconds);
    if (up->reload != NULL) {
        weir_reload_join(up->reload);
    }
    weir_admin_free(up->admin); /* until now it has shown how the server ends */
    up->admin = NULL;
    weir_systemd_watchdog_stop();
    weir_ending_stop(up->server);
}

/* For --watch: how everything is before it is read. */
static void begin_watching(up_t *up)
{
    up->watch = up->inputs.options.watch ? weir_watch_new(&up->inputs.options) : NULL;
    if (up->inputs.options.watch && up->watch == NULL) {
        weir_log(WEIR_LOG_WARNING, weir_translate("nothing is watched: %s"), strerror(errno));
    }
}

/*
 * Root's rights are given up. What is watched looks different to the user, who may see less: that is no change. But one
 * of what was read before, as root, is.
 */
static bool become_user(up_t *up, char **ret_message)
{
    bool changed = up->watch != NULL && weir_watch_has_changed(up->watch);
    if (!weir_confine_user(&up->inputs, up->admin, ret_message)) {
        return false;
    }
    if (up->watch != NULL && !changed) {
        weir_watch_look_again(up->watch);
    }
    return true;
}

/* Everything that the user gave is read; as root, only to become the user that options name. */
static int read_inputs(up_t *up)
{
    char *message;
    begin_watching(up);
    if (!weir_inputs_read(&up->inputs, &message)) {
        return fail(EXIT_INPUT, message);
    }
    if (up->inputs.options.user != NULL && (!take_port(up, &message) || !become_user(up, &message))) {
        return fail(EXIT_INPUT, message);
    }
    return EXIT_FINE;
}

/* In the process for trials: where the server listens is nobody else's, or it would stay taken when that is killed. */
static void enter_trials(void *context)
{
    up_t *up = context;
    weir_listener_close(&up->listener);
    if (up->admin != NULL) {
        weir_admin_disown(up->admin);
    }
    weir_child_volunteer_for_oom();
}

static void confine_trials(void *context)
{
    const up_t *up = context;
    weir_confine_trials(&up->inputs.options);
}

/* The process that further trials are made in; without it the choice stays what it is. */
static void start_trial_server(up_t *up)
{
    if (weir_trial_server_start_confined(enter_trials, confine_trials, up, &up->trial_server) != WEIR_OK) {
        up->trial_server = NULL; /* which is told of when all is ready */
    }
}

static int load_application(up_t *up)
{
    char *message;
    up->deployment = weir_deployment_new();
    if (up->deployment == NULL) {
        return fail(EXIT_FAILED, NULL);
    }
    up->application = &up->deployment->application;
    if (!weir_inputs_load(&up->inputs, up->application, &message) ||
        (up->listener.descriptor < 0 && !take_port(up, &message))) {
        return fail(EXIT_INPUT, message);
    }
    return EXIT_FINE;
}

/* How much of everything the process may use, and whether that is enough. */
static int take_bounds(up_t *up, weir_bounds_t *ret_bounds)
{
    char refusal[WEIR_BOUNDS_TEXT];
    const weir_limits_t limits = weir_application_limits(up->application, WEIR_NO_COMPONENT);
    const weir_bounds_wish_t wish = {.tls = up->inputs.tls != NULL,
        .connections = limits.values[WEIR_SERVING_CONNECTIONS],
        .writers = (weir_component_logs_are_kept(up->application->logs) ? 1 : 0) +
                   weir_observing_threads(&up->inputs.options) + weir_oversee_threads(&up->inputs.options),
        .trial_server = up->trial_server != NULL};
    weir_bounds_take(&wish, ret_bounds);
    if (!weir_bounds_suffice(ret_bounds)) {
        weir_log(WEIR_LOG_ERROR, "%s", weir_bounds_refusal(ret_bounds, refusal, sizeof refusal));
        return EXIT_FAILED;
    }
    return EXIT_FINE;
}

static int open_logs(up_t *up, const weir_bounds_t *bounds)
{
    char *message;
    return weir_observing_open(&up->inputs.options, &up->application->manifest, bounds->loops, &up->observing, &message)
               ? EXIT_FINE
               : fail(EXIT_INPUT, message);
}

static void confine(up_t *up)
{
    weir_confine_server(&up->inputs, up->application, up->trial_server);
    if (!weir_orphans_reap()) {
        weir_log(WEIR_LOG_WARNING, "processes that end as orphans stay behind: %s", strerror(errno));
    }
}

/*
 * The order is not free:
 * - Ports are bound, and files read that only root may, before root's rights are given up; these are given up before
 *   anything else is opened or made, and before anything is forked.
 * - The trial server is forked before the application is loaded: it needs nothing of that.
 * - All that can be wrong with the input, and ports that are in use, are told of before trials, which take long.
 * - How many loops there are is known before logs are opened: these have a queue for each.
 * - Trials and compiling are forks: until the decision is made there is one thread.
 * - The sandbox denies what deciding needs, and holds for threads that are started later: so it comes between them. And
 *   only then this process waits for no child of its own any more, so that it may wait for orphans.
 */
static int prepare(up_t *up)
{
    weir_bounds_t bounds;
    int status = read_inputs(up);
    if (status != EXIT_FINE) {
        return status;
    }
    start_trial_server(up);
    status = load_application(up);
    status = status == EXIT_FINE ? take_bounds(up, &bounds) : status;
    status = status == EXIT_FINE ? open_logs(up, &bounds) : status;
    status = status == EXIT_FINE
                 ? weir_deciding_run(&up->inputs, up->application, up->trial_server, &up->choice, &up->engines)
                 : status;
    if (status != EXIT_FINE) {
        return status;
    }
    confine(up);
    weir_bounds_fit_memory(weir_choice_facts(up->choice), &bounds);
    return start(up, &bounds);
}

static int run(up_t *up)
{
    int status = prepare(up);
    if (status != EXIT_FINE) {
        return status;
    }
    bool announced = announce(up);
    up->application = NULL; /* a reload may have it freed from now on */
    if (announced) {
        start_reloading(up);
        serve_to_the_end(up);
    }
    end(up);
    up->ended = announced;
    return announced ? EXIT_FINE : EXIT_FAILED;
}

static int prepare_and_run(up_t *up)
{
    if (up->inputs.options.help) {
        return weir_help_up();
    }
    if (up->inputs.options.build) { /* before signals are taken: a command has them as weir was given them */
        int status = weir_build_application(up->inputs.options.application, &up->inputs.options.components, true);
        if (status != EXIT_FINE) {
            return status;
        }
    }
    /* Rust makes backtraces with a lock held, and takes memory for them. Where that is refused, it would wait for
     * itself: a server that hangs. A command that builds has had them as they were. */
    unsetenv("RUST_BACKTRACE");
    unsetenv("RUST_LIB_BACKTRACE");
    if (!weir_signals_init()) {
        weir_log(WEIR_LOG_ERROR, weir_translate("cannot prepare for signals: %s"), strerror(errno));
        return EXIT_FAILED;
    }
    return run(up);
}

int weir_up_main(int argc, char **argv)
{
    up_t up = {.argument_count = argc, .arguments = argv, .listener = {.descriptor = -1}};
    char *message;
    weir_systemd_init(); /* before anything is opened, or started */
    if (!weir_up_options_parse(argc, argv, environ, &up.inputs.options, &message)) {
        return fail(EXIT_INPUT, message);
    }
    int status = prepare_and_run(&up);
    weir_observing_free(&up.observing); /* the server has told it of every request */
    weir_admin_free(up.admin);
    weir_listener_close(&up.listener);
    weir_reload_free(up.reload);
    weir_watch_free(up.watch);
    weir_engines_free(&up.engines);
    weir_adapt_free(up.adapt);
    if (up.current != NULL) {
        weir_current_free(up.current);
    } else {
        weir_deployment_drop(up.deployment);
        weir_choice_free(up.choice);
    }
    weir_trial_server_stop(up.trial_server);
    weir_inputs_free(&up.inputs);
    if (up.ended) {
        weir_log(WEIR_LOG_INFO, "stopped"); /* the last word: logs have told what they lost */
    }
    return status;
}
