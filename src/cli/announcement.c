/*
 * announcement.c: the allocator's choice in a few lines; `weir doctor` has the rest.
 */
#include "cli/announcement.h"

#include "allocator/choice.h"
#include "allocator/phrases.h"
#include "allocator/remedy.h"
#include "allocator/remember.h"
#include "allocator/report.h"
#include "allocator/text.h"
#include "allocator/translate.h"
#include "cli/ownership.h"
#include "observe/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1024, NAMES_MOST = 5 };

/* Log each line of a text, with `end` after the last. */
static void log_lines(weir_log_level_t level, const char *text, const char *end)
{
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        bool last = text[size] == '\0';
        if (size > 0) {
            weir_log(level, "%.*s%s", (int)size, text, last ? end : "");
        }
        text += size + (last ? 0 : 1);
    }
}

/* Where there is more, as a command that judges for the same application. */
static void append_more(const weir_application_t *application, char *text, size_t size)
{
    /* What a shell, or a reader, would take for something else than a name is not repeated. */
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+,@%:-";
    const char *path = application->manifest.path;
    bool tellable = path != NULL && path[0] != '-' && path[0] != '\0' && path[strspn(path, plain)] == '\0';
    weir_text_append(text, size, weir_translate(" 'weir doctor -f %s' says more."), tellable ? path : "APP");
}

static void announce_reduction(const weir_choice_t *choice, const weir_application_t *application)
{
    char end[TEXT_MAX] = "";
    const weir_rung_t *rung = weir_choice_rung(choice);
    if (weir_remedy_trades_slots(choice)) {
        weir_text_append(end, sizeof end,
            weir_translate(" For larger memories: '--max-concurrency' with fewer than %u."), rung->slots);
    }
    append_more(application, end, sizeof end);
    log_lines(WEIR_LOG_WARNING, weir_choice_notice(choice), end);
}

/* Names of the components that are placed apart, and how many more there are. */
static void list_apart(const weir_application_t *application, char *text, size_t size)
{
    size_t found = 0;
    for (size_t i = 0; i < application->manifest.component_count; i++) {
        if (application->apart[i] && found++ < NAMES_MOST) {
            weir_text_append(text, size, "%s%s", text[0] == '\0' ? "" : weir_translate(", "),
                application->manifest.components[i].id);
        }
    }
    if (found > NAMES_MOST) {
        weir_text_append(text, size, weir_translate(" and %zu more"), found - NAMES_MOST);
    }
}

static void announce_apart(const weir_choice_t *choice, const weir_application_t *application)
{
    const weir_rung_t *apart = weir_choice_rung_apart(choice);
    char list[TEXT_MAX] = "";
    char phrase[WEIR_PHRASE_MAX];
    char joined_phrase[WEIR_PHRASE_MAX];
    weir_rung_t joined;
    if (apart == NULL) {
        return;
    }
    list_apart(application, list, sizeof list);
    weir_phrase_rung(apart, phrase, sizeof phrase);
    if (weir_report_joined_pool(choice, &joined)) {
        weir_log(WEIR_LOG_INFO,
            weir_translate("placed apart, %s: %s; with that, the pool for all would be no more than %s"), phrase, list,
            weir_phrase_rung(&joined, joined_phrase, sizeof joined_phrase));
    } else {
        weir_log(WEIR_LOG_INFO, weir_translate("placed apart, %s: %s; with that there would be no pool"), phrase, list);
    }
}

/* Why a decision is not remembered; where that is the directory's fault, with what helps. */
static void announce_unkept(const weir_choice_t *choice)
{
    const bool unusable = weir_memory_trouble(choice->memory_directory) != NULL;
    char *whose = unusable ? weir_ownership_explain(choice->memory_directory, WEIR_OWNERSHIP_DIRECTORY) : NULL;
    weir_log(WEIR_LOG_INFO, weir_translate("the next start decides anew, for this decision is not kept in %s: %s%s"),
        choice->memory_directory, whose != NULL ? whose : weir_translate(choice->memory_note),
        unusable ? weir_translate("; XDG_CACHE_HOME names another") : "");
    free(whose);
}

void weir_announce_choice(const weir_choice_t *choice, const weir_application_t *application, bool logged)
{
    if (logged) {
        weir_log(WEIR_LOG_INFO, "%s", weir_choice_summary(choice));
    } else {
        printf("%s\n", weir_choice_summary(choice));
        fflush(stdout);
    }
    if (weir_choice_notice(choice)[0] != '\0') {
        announce_reduction(choice, application);
    }
    announce_apart(choice, application);
    /* What could not be removed is still there: weir_announce_anew has that. */
    if (choice->memory_note[0] != '\0' && choice->forgotten != WEIR_FORGOTTEN_NOT) {
        announce_unkept(choice);
    }
}

void weir_announce_refusal(const weir_choice_t *choice, const weir_application_t *application, const char *switch_name,
    const char *switch_value)
{
    char end[TEXT_MAX] = "";
    append_more(application, end, sizeof end);
    if (switch_name != NULL) {
        weir_log(WEIR_LOG_ERROR,
            weir_translate("%s=%s cannot be had on this machine; SPIN_ALLOCATOR=auto takes the best that works"),
            switch_name, switch_value);
    }
    log_lines(WEIR_LOG_ERROR, weir_choice_notice(choice), end);
}

void weir_announce_anew(const weir_choice_t *choice)
{
    bool replaced = choice->forgotten == WEIR_FORGOTTEN_NOT && choice->memory_note[0] == '\0';
    switch (replaced ? WEIR_FORGOTTEN : (weir_forgotten_t)choice->forgotten) {
    case WEIR_FORGOTTEN:
        weir_log(WEIR_LOG_INFO, "%s",
            weir_translate("decided anew, as --decide-anew asks; what was remembered of this is forgotten"));
        break;
    case WEIR_FORGOTTEN_NOT:
        weir_log(WEIR_LOG_WARNING,
            weir_translate(
                "decided anew, as --decide-anew asks; but what was remembered of this cannot be removed from "
                "%s, and the next start without that option goes by it"),
            choice->memory_directory);
        break;
    case WEIR_FORGOTTEN_NOTHING:
        weir_log(WEIR_LOG_INFO, "%s", weir_translate("decided anew, as --decide-anew asks; nothing was remembered"));
        break;
    }
}

void weir_announce_warnings(const weir_application_t *application)
{
    const weir_manifest_t *manifest = &application->manifest;
    for (size_t i = 0; i < manifest->warning_count; i++) {
        weir_log(WEIR_LOG_WARNING, "%s", manifest->warnings[i]);
    }
    const weir_files_prepared_t *files = &application->provisions.files;
    for (size_t i = 0; i < files->warning_count; i++) {
        weir_log(WEIR_LOG_WARNING, "%s", files->warnings[i]);
    }
    for (size_t i = 0; i < weir_routes_warning_count(application->routes); i++) {
        weir_log(WEIR_LOG_WARNING, "%s", weir_routes_warning(application->routes, i));
    }
}
