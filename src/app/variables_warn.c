/*
 * variables_warn.c: looks for typing errors in the names of variables. Spin ignores them
 * (crates/variables-static/src/lib.rs, crates/variables-env/src/lib.rs), so they are no errors here.
 */
#include "app/variables_warn.h"

#include "app/near.h"
#include "app/text.h"
#include "app/words.h"

#include <stdlib.h>
#include <string.h>

enum { WARNINGS_MAX = 16 };

bool weir_variable_is_declared(const weir_manifest_t *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->variable_count; i++)
        if (strcmp(manifest->variables[i].name, name) == 0)
            return true;
    return false;
}

char *weir_variable_environment_name(const char *name)
{
    weir_text_t text = {0};
    weir_text_format(&text, WEIR_VARIABLE_PREFIX "%s", name);
    for (size_t i = 0; i < text.size; i++)
        if (text.bytes[i] >= 'a' && text.bytes[i] <= 'z')
            text.bytes[i] = (char)(text.bytes[i] - 'a' + 'A');
    return weir_text_take(&text);
}

static void keep(weir_variables_t *variables, weir_text_t *take_text)
{
    char *warning = weir_text_take(take_text);
    char **warnings = realloc(variables->warnings, (variables->warning_count + 1) * sizeof *warnings);
    if (warnings != NULL)
        variables->warnings = warnings;
    if (warnings != NULL && warning != NULL)
        warnings[variables->warning_count++] = warning;
    else
        free(warning);
}

/* The variable of that name is found with distance 0, in the environment also when it is written in lower case. */
static const char *find_near(const weir_manifest_t *manifest, const char *name)
{
    weir_near_t near = weir_near_start(name);
    for (size_t i = 0; i < manifest->variable_count; i++)
        weir_near_offer(&near, manifest->variables[i].name);
    return near.best;
}

static void judge_option(weir_variables_t *variables, const weir_variable_list_t *overrides, size_t index)
{
    const char *name = overrides->variables[index].name;
    bool is_last = weir_variable_list_find(overrides, name, strlen(name)) == overrides->variables[index].value;
    if (!is_last || weir_variable_is_declared(variables->manifest, name))
        return;
    const char *near = find_near(variables->manifest, name);
    weir_text_t text = {0};
    if (near != NULL)
        weir_text_format(&text,
            weir_words("--variable gives %s a value, and the application has no such variable; did you mean %s?"),
            weir_quote(name).text, weir_quote(near).text);
    else
        weir_text_format(&text,
            weir_words("--variable gives %s a value, and the application has no such variable; leave it out, or add it "
                       "to [variables]"),
            weir_quote(name).text);
    keep(variables, &text);
}

/* Whether the environment's name is that of a variable, as it must be written. */
static bool is_in_environment(const weir_manifest_t *manifest, const char *entry, size_t name_size)
{
    bool found = false;
    for (size_t i = 0; i < manifest->variable_count && !found; i++) {
        char *name = weir_variable_environment_name(manifest->variables[i].name);
        found = name != NULL && strlen(name) == name_size && memcmp(name, entry, name_size) == 0;
        free(name);
    }
    return found;
}

/* `entry` begins with a name. Other applications' variables may be there as well, so only what is near is said. */
static void judge_entry(weir_variables_t *variables, bool in_file, const char *entry, size_t name_size)
{
    const size_t prefix_size = sizeof WEIR_VARIABLE_PREFIX - 1;
    if (name_size <= prefix_size || memcmp(entry, WEIR_VARIABLE_PREFIX, prefix_size) != 0 ||
        is_in_environment(variables->manifest, entry, name_size))
        return;
    weir_text_t whole = {0}, text = {0};
    weir_text_add(&whole, entry, name_size);
    const char *near = whole.failed ? NULL : find_near(variables->manifest, whole.bytes + prefix_size);
    char *meant = near == NULL ? NULL : weir_variable_environment_name(near);
    if (meant != NULL) {
        weir_text_format(&text,
            in_file ? weir_words("%s in the file .env is for no variable of the application; did you mean %s?")
                    : weir_words("%s in the environment is for no variable of the application; did you mean %s?"),
            weir_shown(whole.bytes).text, weir_shown(meant).text);
        keep(variables, &text);
    }
    free(meant);
    weir_text_free(&whole);
}

void weir_variables_warn(weir_variables_t *variables, const weir_variable_list_t *overrides, char *const *environment,
    const weir_variable_list_t *dotenv)
{
    for (size_t i = 0; i < overrides->count && variables->warning_count < WARNINGS_MAX; i++)
        judge_option(variables, overrides, i);
    for (size_t i = 0; environment[i] != NULL && variables->warning_count < WARNINGS_MAX; i++)
        judge_entry(variables, false, environment[i], strcspn(environment[i], "="));
    for (size_t i = 0; i < dotenv->count && variables->warning_count < WARNINGS_MAX; i++)
        judge_entry(variables, true, dotenv->variables[i].name, strlen(dotenv->variables[i].name));
}

/* Offer a name, which is `shown` to people with `where` it was found. */
static void offer(weir_near_t *near, const char *name, const char *shown, const char *where, weir_text_t *meant)
{
    size_t before = near->best_distance;
    weir_near_offer(near, name);
    if (near->best_distance < before) {
        weir_text_free(meant);
        weir_text_format(meant, "%s%s", weir_shown(shown).text, where);
    }
}

/* The same for a name of the environment or of .env, unless it is a variable's. In .env the prefix may be missing. */
static void offer_entry(weir_near_t *near, const weir_manifest_t *manifest, const char *entry, size_t name_size,
    bool in_file, weir_text_t *meant)
{
    const size_t prefix_size = sizeof WEIR_VARIABLE_PREFIX - 1;
    bool has_prefix = name_size > prefix_size && memcmp(entry, WEIR_VARIABLE_PREFIX, prefix_size) == 0;
    if ((!has_prefix && !in_file) || is_in_environment(manifest, entry, name_size))
        return;
    weir_text_t whole = {0};
    weir_text_add(&whole, entry, name_size);
    if (!whole.failed)
        offer(
            near, whole.bytes + (has_prefix ? prefix_size : 0), whole.bytes, in_file ? " in the file .env" : "", meant);
    weir_text_free(&whole);
}

char *weir_variables_find_meant(const weir_manifest_t *manifest, const char *name,
    const weir_variable_list_t *overrides, char *const *environment, const weir_variable_list_t *dotenv)
{
    weir_near_t near = weir_near_start(name);
    weir_text_t meant = {0};
    for (size_t i = 0; i < overrides->count; i++) {
        weir_text_t option = {0};
        const char *given = overrides->variables[i].name;
        weir_text_format(&option, "--variable %s", given);
        if (!option.failed && !weir_variable_is_declared(manifest, given))
            offer(&near, given, option.bytes, "", &meant);
        weir_text_free(&option);
    }
    for (size_t i = 0; environment[i] != NULL; i++)
        offer_entry(&near, manifest, environment[i], strcspn(environment[i], "="), false, &meant);
    for (size_t i = 0; i < dotenv->count; i++)
        offer_entry(&near, manifest, dotenv->variables[i].name, strlen(dotenv->variables[i].name), true, &meant);
    return near.best == NULL ? NULL : weir_text_take(&meant);
}
