/*
 * current.c: one change at a time, each by a generation that is swapped in.
 */
#include "cli/current.h"

#include "cli/overseeing.h"
#include "observe/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LEVELS_MAX = 32,   /* each but the first halves the slots */
    ROOM_STEPS = 1000, /* of 10 ms, until a pool that makes way is gone */
    RAISES_MOST = 5    /* attempts that may fail once what was in the way is gone */
};

struct weir_current {
    weir_trial_server_t *trial_server;
    uint32_t max_concurrency;
    pthread_mutex_t lock; /* guards what follows */
    bool closed;
    weir_server_t *server;
    weir_admin_t *admin;              /* or NULL */
    weir_deployment_t *deployment;    /* own: a reference */
    weir_choice_t *choice;            /* own: the highest */
    weir_choice_t *lower[LEVELS_MAX]; /* own; lower[i] is level i + 1 */
    unsigned level;
    bool cramped;     /* it was lowered for want of room beside an earlier generation */
    unsigned aspired; /* the level that it would have but for that */
    unsigned failed;  /* attempts to raise it since, with nothing else in the way */
};

weir_current_t *weir_current_new(weir_deployment_t *own_deployment, weir_choice_t *own_choice,
    weir_trial_server_t *trial_server, uint32_t max_concurrency)
{
    weir_current_t *current = calloc(1, sizeof(*current));
    if (current == NULL) {
        return NULL;
    }
    current->trial_server = trial_server;
    current->max_concurrency = max_concurrency;
    current->deployment = own_deployment;
    current->choice = own_choice;
    pthread_mutex_init(&current->lock, NULL);
    return current;
}

void weir_current_attach(weir_current_t *current, weir_server_t *server, weir_admin_t *admin)
{
    pthread_mutex_lock(&current->lock);
    current->server = server;
    current->admin = admin;
    pthread_mutex_unlock(&current->lock);
}

/* Free the lower choices from a level on: lower[from] is the first. */
static void free_lower(weir_current_t *current, unsigned from)
{
    for (unsigned i = from; i < LEVELS_MAX; i++) {
        weir_choice_free(current->lower[i]);
        current->lower[i] = NULL;
    }
}

void weir_current_free(weir_current_t *own_current)
{
    if (own_current == NULL) {
        return;
    }
    free_lower(own_current, 0);
    weir_choice_free(own_current->choice);
    weir_deployment_drop(own_current->deployment);
    pthread_mutex_destroy(&own_current->lock);
    free(own_current);
}

void weir_current_lock(weir_current_t *current)
{
    pthread_mutex_lock(&current->lock);
}

void weir_current_unlock(weir_current_t *current)
{
    pthread_mutex_unlock(&current->lock);
}

void weir_current_close(weir_current_t *current)
{
    pthread_mutex_lock(&current->lock);
    current->closed = true;
    pthread_mutex_unlock(&current->lock);
}

const weir_application_t *weir_current_application(const weir_current_t *current)
{
    return &current->deployment->application;
}

static weir_choice_t *choice_at(const weir_current_t *current, unsigned level)
{
    return level == 0 ? current->choice : current->lower[level - 1];
}

const weir_choice_t *weir_current_made(const weir_current_t *current)
{
    return current->choice;
}

const weir_choice_t *weir_current_choice(const weir_current_t *current)
{
    return choice_at(current, current->level);
}

unsigned weir_current_level(const weir_current_t *current)
{
    return current->level;
}

/* ---- Serving ----------------------------------------------------------------------------------------------------- */

/* How an attempt to serve ended. */
typedef enum attempt {
    SERVED,
    NO_ENGINE, /* with fewer slots there may be one */
    FAILED     /* for another reason: the message says which */
} attempt_t;

/* Serve a deployment with a choice from now on. */
static attempt_t serve(weir_current_t *current, weir_deployment_t *deployment, const weir_choice_t *choice, bool proved,
    char **ret_message)
{
    weir_engines_t engines;
    weir_shown_bytes_t refusal;
    *ret_message = NULL;
    if (!weir_engines_make(&deployment->application, choice, &engines, &refusal)) {
        if (asprintf(ret_message, "an engine was refused: %s", refusal.text) < 0) {
            *ret_message = NULL;
        }
        return NO_ENGINE;
    }
    weir_generation_t *generation =
        weir_deployment_serve(deployment, choice, current->max_concurrency, proved, &engines, ret_message);
    if (generation == NULL || !weir_server_swap(current->server, generation)) {
        weir_generation_free(generation);
        return FAILED;
    }
    return SERVED;
}

/* The same for what is served already: why it cannot be is told at debugging level. */
static bool serve_with(weir_current_t *current, const weir_choice_t *choice)
{
    char *message = NULL;
    if (serve(current, current->deployment, choice, false, &message) == SERVED) {
        return true;
    }
    weir_log(WEIR_LOG_DEBUG, "another rung cannot be served with: %s", message != NULL ? message : "out of memory");
    free(message);
    return false;
}

static bool is_open(const weir_current_t *current)
{
    return !current->closed && current->server != NULL;
}

/* ---- Lower and higher -------------------------------------------------------------------------------------------- */

static bool has_pool(const weir_choice_t *choice)
{
    return weir_choice_rung(choice)->tier != WEIR_TIER_ONDEMAND;
}

/*
 * The next candidate, where no engine could be had for this one beside the one in use. When half of its slots are still
 * too many, address space is what there is no more of: then rather as many instances without a pool than a handful in
 * one, which would stand in the way of the larger pool later on.
 */
static weir_status_t pass_over(
    const weir_current_t *current, const weir_choice_t *used, const weir_choice_t *candidate, weir_choice_t **ret_next)
{
    bool fewer = weir_choice_rung(candidate)->slots < weir_choice_rung(used)->slots;
    if (fewer && has_pool(candidate) && weir_choice_lower_ondemand(used, current->trial_server, ret_next) == WEIR_OK) {
        return WEIR_OK;
    }
    return weir_choice_lower(candidate, current->trial_server, ret_next);
}

/* Take over a lower choice, which is served with. */
static void settle(weir_current_t *current, weir_choice_t *own_lower)
{
    weir_choice_free(current->lower[current->level]);
    current->lower[current->level++] = own_lower;
}

bool weir_current_lower(weir_current_t *current)
{
    const weir_choice_t *used = weir_current_choice(current);
    weir_choice_t *candidate = NULL;
    if (!is_open(current) || current->level == LEVELS_MAX ||
        weir_choice_lower(used, current->trial_server, &candidate) != WEIR_OK) {
        return false;
    }
    while (!serve_with(current, candidate)) {
        weir_choice_t *next = NULL;
        weir_status_t status = pass_over(current, used, candidate, &next);
        weir_choice_free(candidate);
        if (status != WEIR_OK) {
            return false;
        }
        candidate = next;
    }
    settle(current, candidate);
    current->cramped = false; /* memory is short */
    weir_oversee_choice(current->admin, candidate);
    return true;
}

/* What was served before may still be in the way, and memory may be short for a moment: neither lasts. */
static void note_failed_raise(weir_current_t *current)
{
    current->failed += weir_current_was_cramped(current) ? 1 : 0;
    current->cramped = current->cramped && current->failed < RAISES_MOST;
}

bool weir_current_raise(weir_current_t *current)
{
    if (!is_open(current) || current->level == 0) {
        return false;
    }
    weir_choice_t *higher = choice_at(current, current->level - 1);
    if (weir_choice_prove(higher, current->trial_server) != WEIR_OK || !serve_with(current, higher)) {
        note_failed_raise(current);
        return false;
    }
    current->level--;
    free_lower(current, current->level);
    current->cramped = current->cramped && current->level > current->aspired;
    weir_oversee_choice(current->admin, higher);
    return true;
}

bool weir_current_was_cramped(weir_current_t *current)
{
    return current->cramped && is_open(current) && weir_server_generations(current->server) == 1;
}

/* ---- Another application ----------------------------------------------------------------------------------------- */

/* Find a lower choice with which a deployment can be served beside what is served now. */
static attempt_t serve_lower(
    weir_current_t *current, weir_deployment_t *deployment, const weir_choice_t *used, char **ret_message)
{
    attempt_t attempt = NO_ENGINE;
    weir_choice_t *candidate = NULL;
    weir_status_t status = weir_choice_lower(used, current->trial_server, &candidate);
    while (status == WEIR_OK && attempt == NO_ENGINE) {
        char *message;
        attempt = serve(current, deployment, candidate, true, &message);
        if (attempt == SERVED) {
            settle(current, candidate);
            break;
        }
        free(*ret_message);
        *ret_message = message;
        weir_choice_t *next = NULL;
        if (attempt == NO_ENGINE) {
            status = pass_over(current, used, candidate, &next);
        }
        weir_choice_free(candidate);
        candidate = next;
    }
    return attempt;
}

/* For a choice that is new: go down as many levels as were taken before, for memory is as short as it was. */
static void descend(weir_current_t *current, unsigned levels)
{
    weir_choice_t *lower;
    while (current->level < levels &&
           weir_choice_lower(weir_current_choice(current), current->trial_server, &lower) == WEIR_OK) {
        settle(current, lower);
    }
}

static void become_cramped(weir_current_t *current, unsigned aspired)
{
    if (!current->cramped) {
        current->cramped = true;
        current->aspired = aspired;
        current->failed = 0;
    }
}

/* True when the pool is on its way out. */
static bool drop_pool(weir_current_t *current)
{
    unsigned level = current->level;
    const weir_choice_t *used = weir_current_choice(current);
    weir_choice_t *without;
    if (!is_open(current) || level == LEVELS_MAX || current->trial_server == NULL ||
        weir_choice_rung(used)->tier != WEIR_TIER_COMPACT ||
        weir_choice_lower_ondemand(used, current->trial_server, &without) != WEIR_OK) {
        return false;
    }
    if (!serve_with(current, without)) {
        weir_choice_free(without);
        return false;
    }
    settle(current, without);
    become_cramped(current, level);
    return true;
}

bool weir_current_make_room(weir_current_t *current)
{
    const struct timespec step = {0, 10 * 1000 * 1000};
    pthread_mutex_lock(&current->lock);
    bool waits = drop_pool(current);
    pthread_mutex_unlock(&current->lock);
    for (unsigned steps = 0; waits && steps < ROOM_STEPS; steps++) {
        nanosleep(&step, NULL);
        pthread_mutex_lock(&current->lock);
        waits = is_open(current) && weir_server_generations(current->server) > 1;
        pthread_mutex_unlock(&current->lock);
    }
    return !waits;
}

/* What was there before a choice was replaced, so that it can be there again. */
typedef struct before {
    weir_choice_t *choice;
    weir_choice_t *lower[LEVELS_MAX];
    unsigned level;
} before_t;

static void begin_with(weir_current_t *current, weir_choice_t *own_choice, before_t *ret_before)
{
    ret_before->choice = current->choice;
    ret_before->level = current->level;
    memcpy(ret_before->lower, current->lower, sizeof(current->lower));
    memset(current->lower, 0, sizeof(current->lower));
    current->choice = own_choice;
    current->level = 0;
    if (current->trial_server != NULL) {
        descend(current, current->cramped ? current->aspired : ret_before->level);
    }
}

static void free_choices(weir_choice_t *choice, weir_choice_t **lower)
{
    weir_choice_free(choice);
    for (unsigned i = 0; i < LEVELS_MAX; i++) {
        weir_choice_free(lower[i]);
    }
}

/* Keep the new choice, or go back to the one before. */
static void end_with(weir_current_t *current, bool replaced, before_t *before)
{
    if (replaced) {
        free_choices(before->choice, before->lower);
        return;
    }
    free_choices(current->choice, current->lower);
    current->choice = before->choice;
    current->level = before->level;
    memcpy(current->lower, before->lower, sizeof(current->lower));
}

static bool replace(weir_current_t *current, weir_deployment_t *deployment, char **ret_message)
{
    unsigned level = current->level;
    const weir_choice_t *used = weir_current_choice(current);
    weir_application_place(&deployment->application, used);
    attempt_t attempt = serve(current, deployment, used, true, ret_message);
    bool lowered = false;
    if (attempt == NO_ENGINE && current->trial_server != NULL && level < LEVELS_MAX) {
        attempt = serve_lower(current, deployment, used, ret_message);
        lowered = attempt == SERVED;
    }
    if (attempt != SERVED) {
        return false;
    }
    free(*ret_message);
    *ret_message = NULL;
    if (lowered) {
        become_cramped(current, level);
    }
    return true;
}

bool weir_current_replace(
    weir_current_t *current, weir_deployment_t *take_deployment, weir_choice_t *take_choice, char **ret_message)
{
    *ret_message = NULL;
    if (!is_open(current)) {
        weir_choice_free(take_choice);
        weir_deployment_drop(take_deployment);
        *ret_message = strdup("the server is ending");
        return false;
    }
    before_t before;
    bool cramped = current->cramped;
    if (take_choice != NULL) {
        begin_with(current, take_choice, &before);
        current->cramped = false;
    }
    bool replaced = replace(current, take_deployment, ret_message);
    if (take_choice != NULL) {
        end_with(current, replaced, &before);
        current->cramped = replaced ? current->cramped : cramped;
    }
    weir_deployment_t *unwanted = replaced ? current->deployment : take_deployment;
    current->deployment = replaced ? take_deployment : current->deployment;
    weir_deployment_drop(unwanted);
    if (replaced) {
        weir_oversee_application(current->admin, weir_current_application(current));
        weir_oversee_choice(current->admin, weir_current_choice(current));
    }
    return replaced;
}
