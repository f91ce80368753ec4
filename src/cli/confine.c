/*
 * confine.c: who, where and how, from the options; what was refused, in words.
 */
#include "cli/confine.h"

#include "allocator/child.h"
#include "allocator/translate.h"
#include "allocator/trial_server.h"
#include "app/text.h"
#include "cache/store.h"
#include "cli/logs.h"
#include "observe/directory.h"
#include "observe/log.h"
#include "sandbox/user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Sanitizers fork, trace and write reports where they are told to: what they run in is not confined. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static weir_sandbox_t state;
static weir_filter_t server_filter; /* once it is made */

/* ---- The user ---------------------------------------------------------------------------------------------------- */

/* Make a directory that is not there, and give it to the user; those above it stay root's. What cannot be made is told
 * by whoever wants to write there. */
static void make_directory_for(const char *path, const weir_user_t *user)
{
    char *copy = path == NULL || path[0] == '\0' ? NULL : strdup(path);
    for (char *at = copy == NULL ? NULL : strchr(copy + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(copy, 0755);
        *at = '/';
    }
    if (copy != NULL && mkdir(copy, 0750) == 0) {
        int made = open(copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (made >= 0 && fchown(made, user->user, user->group) != 0) {
            weir_log(WEIR_LOG_WARNING, "\"%s\" cannot be given to user %s: %s", weir_shown(copy).text, user->name,
                strerror(errno));
        }
        if (made >= 0) {
            close(made);
        }
    }
    free(copy);
}

static const char *first(const char *option, const char *config)
{
    return option != NULL ? option : config;
}

static void make_directories(const weir_inputs_t *inputs, const weir_user_t *user)
{
    const weir_up_options_t *options = &inputs->options;
    make_directory_for(first(options->state_dir, inputs->config.state_dir), user);
    make_directory_for(first(options->log_dir, inputs->config.log_dir), user);
    make_directory_for(options->temp, user);
    make_directory_for(inputs->cache_directory, user);
    make_directory_for(getenv("XDG_CACHE_HOME"), user);
}

/* Whoever looks for its home, and what it keeps there, is to find the user's. */
static void change_environment(const weir_user_t *user)
{
    setenv("USER", user->name, 1);
    setenv("LOGNAME", user->name, 1);
    if (user->home != NULL) {
        setenv("HOME", user->home, 1);
    } else {
        unsetenv("HOME");
    }
}

static bool become(const weir_inputs_t *inputs, const weir_admin_t *admin, const weir_user_t *user, char **ret_message)
{
    if (weir_user_is(user) && geteuid() != 0) {
        return true; /* as it should be already */
    }
    if (geteuid() != 0) {
        return weir_arguments_refuse(ret_message,
            "--user %s: only root can become another user, and this is user %u; start weir as root, or as %s and "
            "without --user",
            inputs->options.user, (unsigned)geteuid(), user->name);
    }
    make_directories(inputs, user);
    if (admin != NULL && !weir_admin_give(admin, user->user, user->group)) {
        return weir_arguments_refuse(ret_message, "the admin address %s cannot be given to user %s: %s",
            inputs->options.admin, user->name, strerror(errno));
    }
    if (!weir_user_become(user, ret_message)) {
        return false;
    }
    change_environment(user);
    return true;
}

bool weir_confine_user(const weir_inputs_t *inputs, const weir_admin_t *admin, char **ret_message)
{
    weir_user_t user;
    *ret_message = NULL;
    if (inputs->options.user == NULL) {
        return true;
    }
    if (!weir_user_find("--user", inputs->options.user, &user, ret_message)) {
        return false;
    }
    bool done = become(inputs, admin, &user, ret_message);
    weir_user_free(&user);
    return done;
}

/* ---- The places -------------------------------------------------------------------------------------------------- */

typedef struct places {
    weir_landlock_place_t *items; /* own, and each path as well */
    size_t count;
    bool failed;
} places_t;

static void add(places_t *places, char *own_path, weir_place_use_t use)
{
    weir_landlock_place_t *longer =
        own_path == NULL ? NULL : realloc(places->items, (places->count + 1) * sizeof(*places->items));
    if (own_path != NULL && longer == NULL) {
        places->failed = true;
        free(own_path);
    }
    if (longer != NULL) {
        places->items = longer;
        places->items[places->count++] = (weir_landlock_place_t){own_path, use};
    }
}

static void add_copy(places_t *places, const char *path)
{
    if (path != NULL && path[0] != '\0') {
        char *copy = strdup(path);
        places->failed = places->failed || copy == NULL;
        add(places, copy, WEIR_PLACE_WRITE);
    }
}

static void add_directory_of(places_t *places, const char *path, weir_place_use_t use)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    places->failed = places->failed || directory == NULL;
    add(places, directory, use);
}

/* Where the access log is opened anew. */
static void add_access_log(places_t *places, const char *path)
{
    if (path != NULL && strcmp(path, "-") != 0 && strcmp(path, "stderr") != 0) {
        add_directory_of(places, path, WEIR_PLACE_FILES);
    }
}

/* From where it is removed. */
static void add_admin_socket(places_t *places, const char *address)
{
    if (address != NULL && strncmp(address, "unix:", 5) == 0) {
        add_directory_of(places, address + 5, WEIR_PLACE_REMOVE);
    }
}

static const char *temporary_directory(const weir_up_options_t *options)
{
    const char *directory = first(options->temp, getenv("TMPDIR"));
    return directory == NULL || directory[0] == '\0' ? "/tmp" : directory;
}

/* Directories of the application's own that guests may write to; a reload may mount others beside the manifest. */
static void add_mounts(places_t *places, const weir_inputs_t *inputs, const weir_application_t *application)
{
    const weir_files_prepared_t *files = &application->provisions.files;
    if (!inputs->options.direct_mounts || !inputs->options.allow_transient_write) {
        return;
    }
    add_copy(places, application->manifest.directory);
    for (size_t i = 0; i < files->component_count; i++) {
        for (size_t k = 0; k < files->components[i].mount_count; k++) {
            add_copy(places, files->components[i].mounts[k].writable ? files->components[i].mounts[k].host_path : NULL);
        }
    }
}

/* Where key-value stores are kept. What cannot be made is told of when it is opened. */
static void add_stores(places_t *places, const weir_key_value_stores_t *stores)
{
    for (size_t i = 0; i < stores->place_count; i++) {
        const char *file = weir_key_value_stores_file(stores, i);
        if (file != NULL && weir_directory_make_parents(file, 0700)) {
            add_directory_of(places, file, WEIR_PLACE_WRITE);
        }
    }
}

static void list_places(const weir_inputs_t *inputs, const weir_application_t *application, places_t *places)
{
    bool failed;
    /* So that there is something to allow: they are only made with the first line otherwise. */
    if (!weir_component_logs_make_directory(application->logs)) {
        weir_log(WEIR_LOG_DEBUG, "the directory of the logs cannot be written to: %s", strerror(errno));
    }
    add(places, weir_logs_directory(&inputs->options, &inputs->config, &application->manifest, &failed),
        WEIR_PLACE_WRITE);
    add_copy(places, first(inputs->options.state_dir, inputs->config.state_dir));
    add(places, weir_store_directory("."), WEIR_PLACE_WRITE);
    add_copy(places, inputs->cache_directory);
    add_copy(places, temporary_directory(&inputs->options));
    add_access_log(places, inputs->options.access_log);
    add_admin_socket(places, inputs->options.admin);
    add_mounts(places, inputs, application);
    add_stores(places, &application->provisions.stores);
}

static void free_places(places_t *places)
{
    for (size_t i = 0; i < places->count; i++) {
        free((char *)(uintptr_t)places->items[i].path);
    }
    free(places->items);
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

/* WEIR_SANDBOX=tell finds what the tables of calls lack. */
static bool is_told(void)
{
    const char *value = getenv("WEIR_SANDBOX");
    return value != NULL && strcmp(value, "tell") == 0;
}

static bool is_wanted(const weir_up_options_t *options)
{
    return !options->no_sandbox && !SANITIZED;
}

void weir_confine_trials(const weir_up_options_t *options)
{
    weir_sandbox_t sandbox;
    if (is_wanted(options)) {
        const weir_filter_settings_t filter_settings = {.kind = WEIR_FILTER_TRIALS, .tell = is_told()};
        weir_filter_t filter;
        weir_filter_make(&filter_settings, &filter);
        /* A trial asks for that itself, and may not any more then: it inherits it. */
        weir_child_volunteer_for_oom();
        weir_sandbox_enter(&(weir_sandbox_settings_t){.filter = &filter}, &sandbox);
        weir_filter_free(&filter);
    }
}

static void tell(void)
{
    if (!state.no_new_privs || state.filter_error != 0) {
        weir_log(WEIR_LOG_WARNING,
            weir_translate(
                "this system refuses what would confine weir (%s: %s); serving all the same, but what breaks "
                "out of a guest would meet fewer walls"),
            state.no_new_privs ? "seccomp" : "no_new_privs", strerror(state.filter_error));
    }
    if (state.landlock_error != 0) {
        weir_log(WEIR_LOG_DEBUG, "writing is not restricted to weir's directories: no Landlock: %s",
            strerror(state.landlock_error));
    }
}

void weir_confine_prepare(const weir_inputs_t *inputs, const weir_trial_server_t *trial_server)
{
    if (is_wanted(&inputs->options) && server_filter.program == NULL && server_filter.context == NULL) {
        const weir_filter_settings_t settings = {
            .kind = WEIR_FILTER_SERVER, .may_signal = weir_trial_server_process(trial_server), .tell = is_told()};
        weir_filter_make(&settings, &server_filter);
    }
}

void weir_confine_server(
    const weir_inputs_t *inputs, const weir_application_t *application, const weir_trial_server_t *trial_server)
{
    places_t places = {NULL, 0, false};
    if (!is_wanted(&inputs->options)) {
        return;
    }
    weir_confine_prepare(inputs, trial_server);
    list_places(inputs, application, &places);
    const weir_sandbox_settings_t settings = {
        .filter = &server_filter, .places = places.items, .place_count = places.count};
    weir_sandbox_enter(&settings, &state);
    weir_filter_free(&server_filter);
    free_places(&places);
    tell();
}

const weir_sandbox_t *weir_confine_state(void)
{
    return &state;
}
