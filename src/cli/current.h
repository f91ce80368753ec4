/*
 * current.h: what a server serves now: an application, and the rung of the allocator that its instances come from. Both
 * change while requests go on: the rung with the memory that there is, the application when it is loaded anew.
 */
#ifndef WEIR_CLI_CURRENT_H
#define WEIR_CLI_CURRENT_H

#include "admin/admin.h"
#include "cli/deployment.h"
#include "serve/server.h"
#include "weir/allocator.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct weir_current weir_current_t;

/*
 * Begin with what is served first, on the choice itself. `trial_server` is borrowed; NULL: then there is no lower rung.
 * `max_concurrency` bounds calls as in weir_serving_t. NULL: memory ran out, and nothing was taken.
 */
weir_current_t *weir_current_new(weir_deployment_t *own_deployment, weir_choice_t *own_choice,
    weir_trial_server_t *trial_server, uint32_t max_concurrency);

/* Tell which server it is, once it has started, and who is told of changes; NULL: nobody. */
void weir_current_attach(weir_current_t *current, weir_server_t *server, weir_admin_t *admin);

/* Free it, when the server has stopped. NULL is allowed. */
void weir_current_free(weir_current_t *own_current);

/*
 * One change at a time: what follows is for whoever has the lock, which may be waited for as long as some trials take.
 * Without it nothing of what is returned may be used.
 */
void weir_current_lock(weir_current_t *current);
void weir_current_unlock(weir_current_t *current);

/* No change any more: from now on they all fail. For the end; waits for one that is under way. Takes the lock itself.
 */
void weir_current_close(weir_current_t *current);

const weir_application_t *weir_current_application(const weir_current_t *current);

/* The choice that was made. Without the lock for the one thread that replaces it. */
const weir_choice_t *weir_current_made(const weir_current_t *current);

/* The choice in use, and how many levels it is below the one that was made. */
const weir_choice_t *weir_current_choice(const weir_current_t *current);
unsigned weir_current_level(const weir_current_t *current);

/* Take the next lower choice that is proved and whose engine can be had beside the one in use. False: there is none. */
bool weir_current_lower(weir_current_t *current);

/* Go back to the one above, when it is proved. False: it cannot be had now, or there is none. */
bool weir_current_raise(weir_current_t *current);

/*
 * Whether it is lower for no other reason than that there was no room for more beside what was served before, and that
 * is over now. Then raise it at once; if that fails some times in a row it is as if memory had been short.
 */
bool weir_current_was_cramped(weir_current_t *current);

/*
 * For a choice that is to be made anew where a pool takes most of what there is: have what is served do without its
 * pool, and wait until that is gone, ten seconds at most. Afterwards it is cramped, as above, and raised if nothing
 * comes of it. Does nothing where a pool is not in the way. Returns false when the pool has begun to make way, and
 * requests are still under way in it. Takes the lock itself.
 */
bool weir_current_make_room(weir_current_t *current);

/*
 * Serve an application from now on, whose code is there: its engines are made, an instance of each guest is proved, and
 * it is swapped in. `take_choice`: one that was made for it, NULL: the choice stays, and so does its level, as far as
 * there is one. Where its engines cannot be had beside those in use, it is served on a lower one. Takes both in every
 * case. On failure what was served is served on; returns false, and stores a one-line message to be freed with free(3),
 * or NULL when memory ran out.
 */
bool weir_current_replace(
    weir_current_t *current, weir_deployment_t *take_deployment, weir_choice_t *take_choice, char **ret_message);

#endif
