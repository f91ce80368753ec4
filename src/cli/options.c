/*
 * options.c: the options of `weir up`, in tables. They are Spin's where Spin has them (src/commands/up.rs,
 * crates/trigger/src/cli.rs, crates/trigger-http/src/lib.rs, crates/runtime-factors/src/lib.rs); what Spin has and weir
 * lacks is refused by name, with what to do, so that nobody looks for a typing error. How values are
 * taken that are more than a text or a flag stands in option_takers.c.
 */
#include "cli/options.h"

#include "cli/option_takers.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define AT(member) offsetof(weir_up_options_t, member)

/* ---- The tables -------------------------------------------------------------------------------------------------- */

static const weir_option_t up_options[] = {
    {.group = "Application",
        .name = "from",
        .letter = 'f',
        .value = "APP",
        .kind = WEIR_OPTION_OPERAND,
        .help = "the same as APP"},
    {.name = "from-file", .value = "APP", .kind = WEIR_OPTION_OPERAND},
    {.name = "file", .value = "APP", .kind = WEIR_OPTION_OPERAND},
    {.name = "component-id",
        .letter = 'c',
        .value = "ID",
        .kind = WEIR_OPTION_TEXTS,
        .offset = AT(components),
        .help = "serve this component and no other; may be repeated"},
    {.name = "env",
        .letter = 'e',
        .value = "NAME=VALUE",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_environment,
        .help = "set an environment variable of every component; may be repeated"},
    {.name = "variable",
        .value = "NAME=VALUE",
        .kind = WEIR_OPTION_TEXTS,
        .offset = AT(variables),
        .help = "set a variable of the application; also NAME=@FILE, or @FILE.json and\n"
                "@FILE.toml with several; may be repeated"},
    {.name = "key-value",
        .value = "KEY=VALUE",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_key_value,
        .help = "set a value in the default key-value store before serving; may be repeated"},
    {.name = "build",
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(build),
        .variable = "SPIN_ALWAYS_BUILD",
        .help = "run 'weir build' first"},
    {.name = "runtime-config-file",
        .value = "FILE",
        .kind = WEIR_OPTION_TEXT,
        .offset = AT(runtime_config_file),
        .variable = "RUNTIME_CONFIG_FILE",
        .help = "Spin's runtime configuration, as far as weir serves it"},
    {.name = "trap-unknown-imports",
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(trap_unknown_imports),
        .help = "serve components that import what nothing provides; calling it is a trap"},
    {.group = "Serving",
        .name = "listen",
        .value = "ADDRESS",
        .kind = WEIR_OPTION_TEXT,
        .offset = AT(listen),
        .variable = "SPIN_HTTP_LISTEN_ADDR",
        .help = "IP:PORT, [IPv6]:PORT or localhost:PORT, which prefers IPv4; port 0 takes a\n"
                "free one (default 127.0.0.1:3000)"},
    {.name = "find-free-port",
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(find_free_port),
        .help = "when the port is in use, take one of the nine above it"},
    {.name = "tls-cert",
        .value = "FILE",
        .kind = WEIR_OPTION_TEXT,
        .offset = AT(tls_certificate),
        .variable = "SPIN_TLS_CERT",
        .help = "serve HTTPS (TLS 1.2 and 1.3) with this chain of certificates, in PEM;\n"
                "needs --tls-key"},
    {.name = "tls-key",
        .value = "FILE",
        .kind = WEIR_OPTION_TEXT,
        .offset = AT(tls_key),
        .variable = "SPIN_TLS_KEY",
        .help = "the private key of that, in PEM"},
    {.name = "trusted-proxy",
        .value = "ADDRESS[/PREFIX]",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_proxy,
        .help = "believe what this proxy says of its clients in Forwarded or X-Forwarded-For\n"
                "and -Proto; also a network, or loopback; may be repeated"},
    {.name = "proxy-protocol",
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(proxy_protocol),
        .help = "serve only trusted proxies, which begin each connection with a header of the\n"
                "PROXY protocol (version 1 or 2)"},
    {.name = "format",
        .value = "FORMAT",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_format,
        .help = "how to tell the routes when it serves: plain (default) or json"},
    {.name = "drain-delay",
        .value = "T",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_drain_delay,
        .help = "how long weir serves on, new connections, too, when it is to end and\n"
                "says that it is not ready (default: 0s); then it drains"},
    {.name = "drain-timeout",
        .value = "T",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_drain_timeout,
        .help = "how long requests in flight may take when weir is to end (default: the\n"
                "request timeout and 30s); what is left then is cut"},
    {.name = "watch",
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(watch),
        .help = "load the application anew when its manifest, its wasm or other files of it\n"
                "change; SIGHUP does that at any time"},
    {.name = "time-slice",
        .value = "T",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_slice,
        .help = "how long a guest may compute before others have their turn: 1ms to 1s\n"
                "(default 2ms); 0, for measuring, never interrupts one"},
    {.group = "Hardening",
        .name = "user",
        .value = "USER",
        .kind = WEIR_OPTION_TEXT,
        .offset = AT(user),
        .excludes = "build",
        .help = "started as root: become NAME, UID, NAME:GROUP or UID:GID after ports are bound\n"
                "and --tls-key was read"},
    {.name = "no-sandbox",
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(no_sandbox),
        .help = "keep all system calls and places to write while serving, to debug"},
    {.group = "Seeing in",
        .name = "admin",
        .value = "ADDRESS",
        .kind = WEIR_OPTION_TEXT,
        .offset = AT(admin),
        .help = "answer /status, /metrics and /health there: a port (on 127.0.0.1), IP:PORT,\n"
                "or unix:PATH (default: nowhere)"},
    {.name = "admin-host",
        .value = "NAME",
        .kind = WEIR_OPTION_TEXTS,
        .offset = AT(admin_hosts),
        .help = "a name with dots by which it may be called there; may be repeated"},
    {.group = "Limits (docs/limits.md; also in [application.tool.weir] and [component.ID.tool.weir])",
        .name = "max-concurrency",
        .value = "N",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_concurrency,
        .help = "how many requests guests handle at once (default: what the allocator has\n"
                "room for); more wait their turn"},
    {.name = "max-instance-reuse-count",
        .value = "N",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_reuse,
        .help = "how many requests an instance of a WASI 0.3 component handles (default 128),\n"
                "or A..B: at random for each, from A to less than B; 1: each has a fresh one"},
    {.name = "max-instance-concurrent-reuse-count",
        .value = "N",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_reuse,
        .help = "how many of them at once, where half of all instances are in use (default 16);\n"
                "or A..B"},
    {.name = "idle-instance-timeout",
        .value = "T",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_reuse,
        .help = "how long such an instance is kept while it has nothing to do (default 1s);\n"
                "or A..B"},
    {.name = "max-waiting",
        .value = "N",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_limit,
        .help = "how many requests wait for an instance at most (default 1024); beyond it: 503"},
    {.name = "request-timeout",
        .value = "T",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_timeout,
        .help = "how long a guest may take until the head of its response: 500ms, 2s, 1m\n"
                "(default 30s), or a number of seconds; then the client gets 504, or 503 when\n"
                "no instance was free"},
    {.name = "waiting-timeout",
        .value = "T",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_limit,
        .help = "how long one may wait for an instance (default: with what follows, as long\n"
                "as --request-timeout); then 503"},
    {.name = "cpu-time",
        .value = "T",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_limit,
        .help = "how long a guest may compute for a request, before its response and after\n"
                "(default: as --request-timeout), or none"},
    {.name = "max-instance-memory",
        .value = "SIZE",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_memory,
        .variable = "SPIN_MAX_INSTANCE_MEMORY",
        .help = "how far an instance's memories may grow together: bytes, or with KiB,\n"
                "MiB or GiB"},
    {.name = "max-request-body",
        .value = "SIZE",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_limit,
        .help = "a request with more in its body gets 413 (default none)"},
    {.name = "max-response-body",
        .value = "SIZE",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_limit,
        .help = "a response with more is 502, or cut once it has begun (default none)"},
    {.name = "max-request-head",
        .value = "SIZE",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_limit,
        .help = "a request with a longer head gets 431, or 414 (default 32KiB, the most)"},
    {.name = "max-request-headers",
        .value = "N",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_limit,
        .help = "one with more headers gets 431 (default 256, the most)"},
    {.name = "header-timeout",
        .value = "T",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_limit,
        .help = "how long the head of a request may take (default 2m); then 408"},
    {.name = "body-timeout",
        .value = "T",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_limit,
        .help = "in each such time 1 KiB of a body that is waited for has to come (default\n"
                "1m), or none; else 408"},
    {.name = "idle-timeout",
        .value = "T",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_limit,
        .help = "how long a client may neither send nor take anything (default 1m)"},
    {.name = "max-connections",
        .value = "N",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_limit,
        .help = "clients that are connected at once (default: as many as open files,\n"
                "address space and memory allow); more wait"},
    {.name = "max-connections-per-address",
        .value = "N",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_limit,
        .help = "of one client address, or IPv6 /64 (default none); more are closed"},
    {.name = "max-requests-per-connection",
        .value = "N",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_limit,
        .help = "after which a connection is closed (default none)"},
    {.name = "allow-half-close",
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(allow_half_close),
        .help = "answer clients that have closed their side; without it they have left, and\n"
                "what runs for them is ended"},
    {.group = "What guests write",
        .name = "quiet",
        .letter = 'q',
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(quiet),
        .excludes = "follow",
        .help = "do not show what guests write to standard output and standard error"},
    {.name = "sh", .kind = WEIR_OPTION_FLAG, .offset = AT(quiet), .excludes = "follow"},
    {.name = "shush", .kind = WEIR_OPTION_FLAG, .offset = AT(quiet), .excludes = "follow"},
    {.name = "follow",
        .value = "ID",
        .kind = WEIR_OPTION_TEXTS,
        .offset = AT(follow),
        .help = "show only that of this component; may be repeated"},
    {.name = "log-dir",
        .letter = 'L',
        .value = "DIRECTORY",
        .kind = WEIR_OPTION_TEXT,
        .offset = AT(log_dir),
        .variable = "SPIN_LOG_DIR",
        .variable_may_be_empty = true,
        .help = "where ID_stdout.txt and ID_stderr.txt keep it (default: logs in the state\n"
                "directory); '' keeps nothing"},
    {.name = "truncate-logs", .kind = WEIR_OPTION_FLAG, .offset = AT(truncate_logs), .help = "empty these files first"},
    {.name = "state-dir",
        .value = "DIRECTORY",
        .kind = WEIR_OPTION_TEXT,
        .offset = AT(state_dir),
        .help = "what is kept for the application (default: .spin beside its manifest);\n"
                "'' keeps nothing"},
    {.group = "What is told of requests",
        .name = "access-log",
        .value = "FILE",
        .kind = WEIR_OPTION_TEXT,
        .offset = AT(access_log),
        .help = "write a line for each request to this file, '-' for standard output, or\n"
                "stderr (default: none)"},
    {.name = "access-log-format",
        .value = "FORMAT",
        .kind = WEIR_OPTION_TAKEN,
        .take = weir_option_take_access_log_format,
        .help = "logfmt (default) or json, an object a line"},
    {.name = "omit-queries",
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(omit_queries),
        .help = "leave the queries of URLs, which may hold secrets, out of it and of traces"},
    {.group = "What guests read",
        .name = "allow-transient-write",
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(allow_transient_write),
        .help = "let guests write to the copies of their files, which end with weir"},
    {.name = "direct-mounts",
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(direct_mounts),
        .help = "mount directories in place of copies; not for patterns and excluded files"},
    {.name = "temp",
        .value = "DIRECTORY",
        .kind = WEIR_OPTION_TEXT,
        .offset = AT(temp),
        .help = "where copies of files are made"},
    {.name = "tmp", .value = "DIRECTORY", .kind = WEIR_OPTION_TEXT, .offset = AT(temp)},
    {.group = "Engine",
        .name = "disable-pooling",
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(disable_pooling),
        .help = "allocate instances on demand, as SPIN_ALLOCATOR=ondemand"},
    {.name = "no-trial-requests",
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(no_trial_requests),
        .help = "do not run components on trial requests before serving; time their\n"
                "instances alone"},
    {.name = "decide-anew",
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(decide_anew),
        .help = "forget what earlier starts decided on the allocator for this application, and\n"
                "decide by trial again"},
    {.name = "disable-cache",
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(disable_cache),
        .variable = "DISABLE_WASMTIME_CACHE",
        .excludes = "cache",
        .help = "keep no compiled code for the next start, and use none"},
    {.name = "cache",
        .value = "FILE",
        .kind = WEIR_OPTION_TEXT,
        .offset = AT(cache),
        .variable = "WASMTIME_CACHE_FILE",
        .help = "Wasmtime's file on where compiled code is kept"},
    {.group = "Help",
        .name = "help",
        .letter = 'h',
        .kind = WEIR_OPTION_FLAG,
        .offset = AT(help),
        .help = "print this"},
};

_Static_assert(COUNT(up_options) <= WEIR_OPTIONS_MOST, "raise WEIR_OPTIONS_MOST");

#define REGISTRY "weir reads no registry; give a spin.toml, its directory or a .wasm file"

static const weir_foreign_option_t spin_options[] = {
    {"--cache-dir", "what was fetched is kept below XDG_CACHE_HOME; set that"},
    {"--debug-info", "leave it out; traps are logged with the names of functions that the file has"},
    {"--experimental-wasi-otel", "there is no WASI OpenTelemetry; leave it out"},
    {"--experimental-wasm-feature", "leave it out; what Wasmtime enables by default is there"},
    {"--from-registry", REGISTRY},
    {"--help-args-only", "see 'weir up --help'"},
    {"--http1-max-buf-size", "leave it out; the head of a request may have 32 KiB, and --max-request-head lowers that"},
    {"--insecure", REGISTRY},
    {"--launch-metadata-only", "it is Spin's own, for its plug-ins"},
    {"--precompose-component-id", "components with dependencies are composed before weir: see 'wac'"},
    {"--precompose-only", "components with dependencies are composed before weir: see 'wac'"},
    {"--profile", "there are no build profiles; leave it out, and write the build that you want in the manifest"},
    {"--sqlite", "there is no SQLite yet; leave it out"},
    {"-k", REGISTRY},
};

const weir_command_t weir_up_command = {
    .name = "up",
    .options = up_options,
    .option_count = COUNT(up_options),
    .foreign = spin_options,
    .foreign_count = COUNT(spin_options),
    .operand = weir_option_take_application,
};

/* ---- All of it ----------------------------------------------------------------------------------------------------- */

bool weir_up_options_parse(
    int count, char **arguments, char *const *environment, weir_up_options_t *ret_options, char **ret_message)
{
    weir_up_options_t options = {
        .listen = WEIR_DEFAULT_LISTEN,
        .request_timeout_milliseconds = WEIR_DEFAULT_REQUEST_TIMEOUT_MILLISECONDS,
        .drain_timeout_milliseconds = UINT64_MAX,
        /* crates/trigger-http/src/lib.rs */
        .reuse = {.requests = {128, 128}, .concurrent_requests = {16, 16}, .idle_milliseconds = {1000, 1000}},
    };
    bool parsed = weir_arguments_parse(&weir_up_command, count, arguments, environment, &options, ret_message);
    if (parsed && (options.tls_certificate == NULL) != (options.tls_key == NULL)) {
        bool has_key = options.tls_key != NULL;
        parsed = weir_arguments_refuse(ret_message, "%s was given without %s; HTTPS needs both",
            has_key ? "--tls-key" : "--tls-cert", has_key ? "--tls-cert" : "--tls-key");
    }
    if (parsed && options.proxy_protocol && options.proxies.count == 0) {
        parsed = weir_arguments_refuse(
            ret_message, "--proxy-protocol was given without --trusted-proxy; say from which addresses it is believed");
    }
    if (!parsed) {
        weir_up_options_free(&options);
        return false;
    }
    if (options.application == NULL) {
        options.application = ".";
    }
    *ret_options = options;
    return true;
}

void weir_up_options_free(weir_up_options_t *options)
{
    weir_trusted_proxies_free(&options->proxies);
    weir_texts_free(&options->components);
    weir_texts_free(&options->environment);
    weir_texts_free(&options->variables);
    weir_texts_free(&options->key_values);
    weir_texts_free(&options->follow);
    memset(options, 0, sizeof(*options));
}

char *weir_up_options_help(void)
{
    return weir_arguments_help(&weir_up_command);
}
