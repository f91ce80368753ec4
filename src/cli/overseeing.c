/*
 * overseeing.c: from the program's own structures to what the admin listener shows.
 */
#include "cli/overseeing.h"

#include "allocator/report.h"
#include "allocator/translate.h"
#include "observe/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned weir_oversee_threads(const weir_up_options_t *options)
{
    return options->admin == NULL ? 0 : 1;
}

bool weir_oversee_open(const weir_up_options_t *options, weir_admin_t **ret_admin, char **ret_message)
{
    weir_admin_t *admin = NULL;
    if (options->admin != NULL && !weir_admin_open(options->admin, &admin, ret_message)) {
        return false;
    }
    *ret_admin = admin;
    return true;
}

/* ---- Limits ------------------------------------------------------------------------------------------------------ */

/* A number in the unit that the name of its limit ends with. */
static weir_board_limit_t write_limit(const char *key, weir_unit_t unit, uint64_t value, bool none)
{
    static const char *const ends[] = {
        [WEIR_UNIT_TIME] = "_seconds", [WEIR_UNIT_SIZE] = "_bytes", [WEIR_UNIT_NUMBER] = ""};
    double number = unit == WEIR_UNIT_TIME ? (double)value / 1000 : (double)value;
    weir_board_limit_t told = {.value = none ? -1 : number};
    snprintf(told.name, sizeof(told.name), "%s%s", key, ends[unit]);
    return told;
}

/* One of the table. */
static weir_board_limit_t write_ruled(weir_serving_limit_t limit, uint64_t value)
{
    const weir_limit_rule_t *rule = &weir_limit_rules[limit];
    return write_limit(rule->key, rule->unit, value, value == 0 && limit != WEIR_SERVING_WAITING);
}

static void tell_limit(weir_board_t *board, const weir_board_limit_t limit)
{
    weir_board_tell_limit(board, limit.name, limit.value);
}

void weir_oversee_limits(weir_admin_t *admin, const weir_up_options_t *options, const weir_server_settings_t *settings)
{
    if (admin == NULL) {
        return;
    }
    weir_board_t *board = weir_admin_board(admin);
    uint64_t concurrency = options->max_concurrency;
    for (unsigned i = 0; i < WEIR_SERVING_COUNT; i++) {
        uint64_t value = i == WEIR_SERVING_CONNECTIONS ? settings->max_connections : settings->limits.values[i];
        tell_limit(board, write_ruled((weir_serving_limit_t)i, value));
    }
    tell_limit(board, write_limit("max_concurrency", WEIR_UNIT_NUMBER, concurrency, concurrency == 0));
    tell_limit(board, write_limit("drain_timeout", WEIR_UNIT_TIME, settings->drain_timeout_milliseconds, false));
    tell_limit(board, write_limit("drain_delay", WEIR_UNIT_TIME, options->drain_delay_milliseconds, false));
}

/* Those that change with the application. */
static void tell_changing_limits(weir_board_t *board, const weir_application_t *application)
{
    const weir_limits_t limits = weir_application_limits(application, WEIR_NO_COMPONENT);
    for (unsigned i = 0; i < WEIR_SERVING_COUNT; i++) {
        if (!weir_limit_is_kept((weir_serving_limit_t)i)) {
            tell_limit(board, write_ruled((weir_serving_limit_t)i, limits.values[i]));
        }
    }
}

static void write_component(
    const weir_application_t *application, size_t component, weir_board_component_t *ret_component)
{
    const weir_limits_t limits = weir_application_limits(application, component);
    ret_component->id = application->manifest.components[component].id;
    ret_component->apart = application->apart[component];
    for (unsigned i = 0; i < WEIR_SERVING_COUNT; i++) {
        if (weir_limit_rules[i].of_component && ret_component->limit_count < WEIR_BOARD_COMPONENT_LIMITS) {
            ret_component->limits[ret_component->limit_count++] =
                write_ruled((weir_serving_limit_t)i, limits.values[i]);
        }
    }
}

void weir_oversee_sandbox(weir_admin_t *admin, const weir_sandbox_t *sandbox)
{
    const weir_board_sandbox_t told = {.enabled = sandbox->is_entered,
        .no_new_privs = sandbox->no_new_privs,
        .seccomp = sandbox->is_entered && sandbox->filter_error == 0,
        .landlock = sandbox->landlock_error == 0 ? sandbox->landlock_version : 0};
    if (admin != NULL) {
        weir_board_tell_sandbox(weir_admin_board(admin), &told);
    }
}

void weir_oversee_certificate(weir_admin_t *admin, int64_t not_after)
{
    if (admin != NULL) {
        weir_board_tell_certificate(weir_admin_board(admin), not_after);
    }
}

/* ---- The application --------------------------------------------------------------------------------------------- */

static const char *kind_of(const weir_application_t *application, const weir_http_trigger_t *trigger)
{
    if (trigger->component == WEIR_NO_COMPONENT) {
        return "static";
    }
    return weir_guest_file_executor(&application->files[trigger->component]) == WEIR_EXECUTOR_WAGI ? "wagi" : "http";
}

void weir_oversee_application(weir_admin_t *admin, const weir_application_t *application)
{
    size_t count = admin == NULL ? 0 : weir_routes_count(application->routes);
    const weir_manifest_t *manifest = &application->manifest;
    weir_board_route_t *routes = admin == NULL ? NULL : calloc(count + 1, sizeof(*routes));
    weir_board_component_t *components =
        admin == NULL ? NULL : calloc(manifest->component_count + 1, sizeof(*components));
    if (routes == NULL || components == NULL) {
        free(routes);
        free(components);
        return;
    }
    tell_changing_limits(weir_admin_board(admin), application);
    for (size_t i = 0; i < manifest->component_count; i++) {
        write_component(application, i, &components[i]);
    }
    for (size_t i = 0; i < count; i++) {
        const weir_route_t *route = weir_routes_at(application->routes, i);
        size_t component = route->trigger->component;
        routes[i] = (weir_board_route_t){.route = route->raw,
            .component = component == WEIR_NO_COMPONENT ? NULL : manifest->components[component].id,
            .kind = kind_of(application, route->trigger)};
    }
    const weir_board_application_t told = {.name = manifest->name,
        .version = manifest->version,
        .description = manifest->description,
        .manifest = manifest->path,
        .routes = routes,
        .route_count = count,
        .components = components,
        .component_count = manifest->component_count};
    (void)weir_board_tell_application(weir_admin_board(admin), &told);
    free(routes);
    free(components);
}

/* ---- The allocator ----------------------------------------------------------------------------------------------- */

static weir_board_rung_t rung_of(const weir_choice_t *choice, const weir_rung_t *rung)
{
    return (weir_board_rung_t){
        .tier = weir_tier_name(rung->tier),
        .slots = rung->slots,
        .slot_bytes = rung->slot_bytes,
        .guard_bytes = rung->guard_bytes,
        .keep_resident_bytes = rung->memory_keep_resident_bytes,
        .table_keep_resident_bytes = rung->table_keep_resident_bytes,
        .stack_keep_resident_bytes = rung->stack_keep_resident_bytes,
        .stack_bytes = rung->stack_bytes,
        .warm_slots = rung->warm_slots,
        .decommit_batch = rung->decommit_batch,
        .huge_pages_off = rung->huge_pages_off,
        .pagemap_scan = rung->pagemap_scan,
        .pulley = rung->pulley,
        .reserved_bytes = weir_rung_address_bytes(rung, weir_choice_needs(choice)),
    };
}

void weir_oversee_choice(weir_admin_t *admin, const weir_choice_t *choice)
{
    if (admin == NULL) {
        return;
    }
    const weir_rung_t *apart = weir_choice_rung_apart(choice);
    const weir_fact_t limit = weir_choice_facts(choice)->cgroup_limit;
    weir_board_allocator_t told = {
        .rung = rung_of(choice, weir_choice_rung(choice)),
        .has_apart = apart != NULL,
        .strategy = weir_report_wish(choice),
        .summary = weir_choice_summary(choice),
        .notice = weir_choice_notice(choice),
        .reason = weir_choice_reason(choice),
        .advice = weir_choice_advice(choice),
        .reduced = weir_choice_is_reduced(choice),
    };
    if (apart != NULL) {
        told.apart = rung_of(choice, apart);
    }
    weir_board_t *board = weir_admin_board(admin);
    (void)weir_board_tell_allocator(board, &told);
    weir_board_tell_limit(board, "memory_bytes", limit.knowledge == WEIR_KNOWN ? (double)limit.value : -1);
}

void weir_oversee_change(weir_admin_t *admin, const char *from, const char *to, const char *cause)
{
    if (admin != NULL) {
        (void)weir_board_note_change(weir_admin_board(admin), from, to, cause);
    }
}

void weir_oversee_reload(weir_admin_t *admin, const char *error)
{
    if (admin != NULL) {
        weir_board_note_reload(weir_admin_board(admin), error);
    }
}

/* ---- Starting ---------------------------------------------------------------------------------------------------- */

void weir_oversee_start(
    weir_admin_t *admin, const weir_up_options_t *options, weir_server_t *server, const char *const *url)
{
    if (admin == NULL) {
        return;
    }
    const weir_admin_settings_t settings = {.server = server,
        .urls = url,
        .url_count = 1,
        .names = options->admin_hosts.items,
        .name_count = options->admin_hosts.count};
    if (!weir_admin_start(admin, &settings)) {
        weir_log(WEIR_LOG_WARNING,
            weir_translate("nothing answers on the admin address, for no thread can be had for that: %s"),
            strerror(errno));
        return;
    }
    weir_log(WEIR_LOG_INFO, weir_translate("status, metrics and health on %s"), weir_admin_url(admin));
    if (weir_admin_is_exposed(admin)) {
        weir_log(WEIR_LOG_WARNING,
            weir_translate("the admin address %s can be reached from other machines, and asks nobody who they are; use "
                           "127.0.0.1, or a Unix socket, unless the network keeps others out"),
            weir_admin_url(admin));
    }
}
