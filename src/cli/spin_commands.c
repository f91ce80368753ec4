/*
 * spin_commands.c: Spin's commands and their short forms (src/lib.rs, SpinApp) without those that weir has too, and the
 * plug-ins that stand for commands (src/commands/cloud.rs, src/commands/external.rs).
 */
#include "cli/spin_commands.h"

#include "app/near.h"

#include <stddef.h>
#include <string.h>

#define ADD "add the component and its trigger to spin.toml by hand; 'weir new' makes one to take them from"
#define DEPLOY "weir serves on the machine that it is on; run 'weir up' there"
#define PLUGINS "weir has no plug-ins"
#define REGISTRY "weir reads no registry, and pushes to none; give 'weir up' a spin.toml, its directory or a .wasm file"
#define TARGETS "weir checks no deployment targets; 'weir up' names each import that nothing provides"
#define TEMPLATES "templates are installed with weir: see 'weir new --list'"
#define WATCH "end 'weir up' after a change, and run 'weir build --up' again"

static const struct {
    const char *name;
    const char *remedy;
} commands[] = {
    {"add", ADD},
    {"a", ADD},
    {"aka", DEPLOY},
    {"b", "write 'weir build'"},
    {"cloud", DEPLOY},
    {"deploy", DEPLOY},
    {"d", DEPLOY},
    {"environments", TARGETS},
    {"kube", DEPLOY},
    {"login", DEPLOY},
    {"maintenance", "it is Spin's own upkeep, and weir needs none"},
    {"n", "write 'weir new'"},
    {"oci", REGISTRY},
    {"plugin", PLUGINS},
    {"plugins", PLUGINS},
    {"registry", REGISTRY},
    {"targets", TARGETS},
    {"template", TEMPLATES},
    {"templates", TEMPLATES},
    {"test", "run your tests against an application that 'weir up' serves"},
    {"trigger", "'weir up' serves the HTTP triggers of the manifest"},
    {"u", "write 'weir up'"},
    {"watch", WATCH},
    {"w", WATCH},
};

const char *weir_spin_command_remedy(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return commands[i].remedy;
        }
    }
    return NULL;
}

const char *weir_spin_command_near(const char *name)
{
    weir_near_t near = weir_near_start(name);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        weir_near_offer(&near, commands[i].name);
    }
    return near.best;
}
