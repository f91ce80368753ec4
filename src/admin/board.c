/*
 * board.c: copies, made before the lock is taken and exchanged under it.
 */
#include "admin/board.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Copies ------------------------------------------------------------------------------------------------------ */

/* Copy a text, NULL as NULL; `*ok` becomes false when memory ran out. */
static char *copy_text(const char *text, bool *ok)
{
    char *copy = text == NULL ? NULL : strdup(text);
    *ok = *ok && (text == NULL || copy != NULL);
    return copy;
}

static void free_text(const char *own_text)
{
    free((void *)(uintptr_t)own_text);
}

static void free_application(weir_board_application_t *own_application)
{
    if (own_application == NULL) {
        return;
    }
    for (size_t i = 0; i < own_application->route_count; i++) {
        free_text(own_application->routes[i].route);
        free_text(own_application->routes[i].component);
    }
    for (size_t i = 0; i < own_application->component_count; i++) {
        free_text(own_application->components[i].id);
    }
    free((void *)(uintptr_t)own_application->components);
    free((void *)(uintptr_t)own_application->routes);
    free_text(own_application->name);
    free_text(own_application->version);
    free_text(own_application->description);
    free_text(own_application->manifest);
    free(own_application);
}

static weir_board_application_t *copy_application(const weir_board_application_t *application)
{
    weir_board_application_t *copy = calloc(1, sizeof(*copy));
    weir_board_route_t *routes = calloc(application->route_count + 1, sizeof(*routes));
    weir_board_component_t *components = calloc(application->component_count + 1, sizeof(*components));
    if (copy == NULL || routes == NULL || components == NULL) {
        free(copy);
        free(routes);
        free(components);
        return NULL;
    }
    bool ok = true;
    for (size_t i = 0; i < application->route_count; i++) {
        routes[i] = (weir_board_route_t){.route = copy_text(application->routes[i].route, &ok),
            .component = copy_text(application->routes[i].component, &ok),
            .kind = application->routes[i].kind};
    }
    for (size_t i = 0; i < application->component_count; i++) {
        components[i] = application->components[i];
        components[i].id = copy_text(application->components[i].id, &ok);
    }
    *copy = (weir_board_application_t){.name = copy_text(application->name, &ok),
        .version = copy_text(application->version, &ok),
        .description = copy_text(application->description, &ok),
        .manifest = copy_text(application->manifest, &ok),
        .routes = routes,
        .route_count = application->route_count,
        .components = components,
        .component_count = application->component_count};
    if (!ok) {
        free_application(copy);
        return NULL;
    }
    return copy;
}

static void free_allocator(weir_board_allocator_t *own_allocator)
{
    if (own_allocator == NULL) {
        return;
    }
    free_text(own_allocator->summary);
    free_text(own_allocator->notice);
    free_text(own_allocator->reason);
    free_text(own_allocator->advice);
    free(own_allocator);
}

static weir_board_allocator_t *copy_allocator(const weir_board_allocator_t *allocator)
{
    weir_board_allocator_t *copy = malloc(sizeof(*copy));
    if (copy == NULL) {
        return NULL;
    }
    bool ok = true;
    *copy = *allocator;
    copy->summary = copy_text(allocator->summary, &ok);
    copy->notice = copy_text(allocator->notice, &ok);
    copy->reason = copy_text(allocator->reason, &ok);
    copy->advice = copy_text(allocator->advice, &ok);
    if (!ok) {
        free_allocator(copy);
        return NULL;
    }
    return copy;
}

static void free_change(weir_board_change_t *change)
{
    free(change->from);
    free(change->to);
    free(change->cause);
}

/* ---- The board --------------------------------------------------------------------------------------------------- */

void weir_board_init(weir_board_t *board)
{
    *board = (weir_board_t){.history_count = 0};
    pthread_mutex_init(&board->lock, NULL);
}

void weir_board_destroy(weir_board_t *board)
{
    free_application(board->application);
    free_allocator(board->allocator);
    for (size_t i = 0; i < board->history_count; i++) {
        free_change(&board->history[i]);
    }
    free(board->reload.error);
    pthread_mutex_destroy(&board->lock);
}

bool weir_board_tell_application(weir_board_t *board, const weir_board_application_t *application)
{
    weir_board_application_t *copy = copy_application(application);
    if (copy == NULL) {
        return false;
    }
    pthread_mutex_lock(&board->lock);
    weir_board_application_t *before = board->application;
    board->application = copy;
    pthread_mutex_unlock(&board->lock);
    free_application(before);
    return true;
}

bool weir_board_tell_allocator(weir_board_t *board, const weir_board_allocator_t *allocator)
{
    weir_board_allocator_t *copy = copy_allocator(allocator);
    if (copy == NULL) {
        return false;
    }
    pthread_mutex_lock(&board->lock);
    weir_board_allocator_t *before = board->allocator;
    board->allocator = copy;
    pthread_mutex_unlock(&board->lock);
    free_allocator(before);
    return true;
}

bool weir_board_note_change(weir_board_t *board, const char *from, const char *to, const char *cause)
{
    bool ok = true;
    weir_board_change_t change = {.at = (int64_t)time(NULL),
        .from = copy_text(from, &ok),
        .to = copy_text(to, &ok),
        .cause = copy_text(cause, &ok)};
    if (!ok) {
        free_change(&change);
        return false;
    }
    pthread_mutex_lock(&board->lock);
    if (board->history_count == WEIR_BOARD_HISTORY) {
        free_change(&board->history[0]);
        memmove(&board->history[0], &board->history[1], (WEIR_BOARD_HISTORY - 1) * sizeof(board->history[0]));
        board->history_count--;
    }
    board->history[board->history_count++] = change;
    pthread_mutex_unlock(&board->lock);
    return true;
}

void weir_board_tell_certificate(weir_board_t *board, int64_t not_after)
{
    pthread_mutex_lock(&board->lock);
    board->certificate_not_after = not_after;
    pthread_mutex_unlock(&board->lock);
}

void weir_board_note_reload(weir_board_t *board, const char *error)
{
    int64_t now = (int64_t)time(NULL);
    char *copy = error == NULL ? NULL : strdup(error); /* that it was refused is told without memory, too */
    pthread_mutex_lock(&board->lock);
    char *before = board->reload.error;
    board->reload = (weir_board_reload_t){
        .at = now, .error = copy, .refused = error != NULL, .done_at = error == NULL ? now : board->reload.done_at};
    pthread_mutex_unlock(&board->lock);
    free(before);
}

void weir_board_tell_limit(weir_board_t *board, const char *name, double value)
{
    pthread_mutex_lock(&board->lock);
    size_t at = 0;
    while (at < board->limit_count && strcmp(board->limits[at].name, name) != 0) {
        at++;
    }
    if (at < WEIR_BOARD_LIMITS && strlen(name) < WEIR_BOARD_NAME_BYTES) {
        strcpy(board->limits[at].name, name);
        board->limits[at].value = value;
        board->limit_count += at == board->limit_count ? 1 : 0;
    }
    pthread_mutex_unlock(&board->lock);
}

void weir_board_tell_sandbox(weir_board_t *board, const weir_board_sandbox_t *sandbox)
{
    pthread_mutex_lock(&board->lock);
    board->sandbox = *sandbox;
    pthread_mutex_unlock(&board->lock);
}
