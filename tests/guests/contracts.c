/*
 * Calls what Spin gives a component, as the query says: "variables&NAME", "config&NAME", "store&NAME", "store-all", or
 * "mqtt", which weir does not serve. Answers "ok VALUE", "none", or "CASE of the error: TEXT".
 */
#include "spin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void show(const char *what, spin_string_t text)
{
    printf("%s %.*s\n", what, (int)text.len, (const char *)text.ptr);
}

static void variables(spin_string_t name)
{
    static const char *const cases[] = {"invalid-name", "undefined", "provider", "other"};
    spin_string_t value;
    fermyon_spin_2_0_0_variables_error_t error;
    if (fermyon_spin_2_0_0_variables_get(&name, &value, &error))
        show("ok", value);
    else
        show(cases[error.tag], error.val.other);
}

static void config(spin_string_t name)
{
    static const char *const cases[] = {"provider", "invalid-key", "invalid-schema", "other"};
    spin_string_t value;
    fermyon_spin_config_error_t error;
    if (fermyon_spin_config_get_config(&name, &value, &error))
        show("ok", value);
    else
        show(cases[error.tag], error.val.other);
}

static void store(spin_string_t name)
{
    spin_option_string_t value;
    wasi_config_store_error_t error;
    if (!wasi_config_store_get(&name, &value, &error))
        show("error", error.val.io);
    else if (value.is_some)
        show("ok", value.val);
    else
        printf("none\n");
}

static void store_all(void)
{
    spin_list_tuple2_string_string_t all;
    wasi_config_store_error_t error;
    if (!wasi_config_store_get_all(&all, &error)) {
        show("error", error.val.io);
        return;
    }
    for (size_t i = 0; i < all.len; i++) {
        show("name", all.ptr[i].f0);
        show("value", all.ptr[i].f1);
    }
}

static void mqtt(spin_string_t address)
{
    fermyon_spin_2_0_0_mqtt_own_connection_t opened;
    fermyon_spin_2_0_0_mqtt_error_t error;
    if (fermyon_spin_2_0_0_mqtt_static_connection_open(&address, &opened, &error))
        fermyon_spin_2_0_0_mqtt_connection_drop_own(opened);
}

bool exports_wasi_cli_run_run(void)
{
    const char *what = getenv("QUERY_STRING");
    const char *end = strchr(what, '&');
    const char *rest = end != NULL ? end + 1 : "";
    spin_string_t name = {.ptr = (uint8_t *)(uintptr_t)rest, .len = strlen(rest)};
    printf("content-type: text/plain\n\n");
    if (strncmp(what, "variables&", 10) == 0)
        variables(name);
    else if (strncmp(what, "config&", 7) == 0)
        config(name);
    else if (strncmp(what, "store&", 6) == 0)
        store(name);
    else if (strcmp(what, "store-all") == 0)
        store_all();
    else if (strcmp(what, "mqtt") == 0)
        mqtt(name);
    else
        printf("nothing called\n");
    fflush(stdout);
    return true;
}
