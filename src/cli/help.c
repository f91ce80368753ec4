/*
 * help.c: texts for people who ask. Keep them in step with docs/man/weir.1.
 */
#include "cli/help.h"

#include "cli/options.h"
#include "observe/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char weir_help[] =
    "weir runs Spin applications: WebAssembly components and modules that answer HTTP requests.\n"
    "It finds by trial the instance allocator that works, and works best, on this machine.\n"
    "\n"
    "Usage: weir COMMAND [OPTION...]\n"
    "\n"
    "Commands:\n"
    "  up [APP]    serve an application: a spin.toml, its directory or a .wasm file\n"
    "  new NAME    write a new application from a template\n"
    "  build       build the components of an application\n"
    "  doctor      say what this machine allows, what was tried, what was chosen and what would help\n"
    "  bench allocator\n"
    "              time the choice against a fixed grid of configurations, and say what it costs more than the best\n"
    "  help COMMAND\n"
    "              the same as COMMAND --help\n"
    "\n"
    "Options:\n"
    "  --help      print this, or with a command, what it can do\n"
    "  --version   print the version\n"
    "\n"
    "Examples:\n"
    "  weir up                      serve the spin.toml in this directory on 127.0.0.1:3000\n"
    "  weir up -f app --listen 0.0.0.0:80\n"
    "  weir new greeter && cd greeter && weir build --up\n"
    "  weir doctor --json\n"
    "\n"
    "Exit status: 0 ended as asked, 1 something failed, 2 the command line or the application is wrong.\n";

static const char up_begin[] =
    "Serve a Spin application over HTTP.\n"
    "\n"
    "Usage: weir up [APP] [OPTION...]\n"
    "\n"
    "  APP is a spin.toml, the directory that holds one, or a .wasm file, which is served at every path; the current\n"
    "  directory when not given. A variable in brackets counts when its option is not given.\n"
    "\n";

static const char up_end[] =
    "\n"
    "Environment:\n"
    "  SPIN_ALLOCATOR            auto (default), pooling, compact or ondemand; one that cannot be had is an error\n"
    "  SPIN_WASMTIME_POOLING     1 asks for a pool, 0 for none; SPIN_ALLOCATOR wins\n"
    "  SPIN_MAX_INSTANCE_COUNT, SPIN_WASMTIME_INSTANCE_COUNT\n"
    "                            the number, when --max-concurrency is not given; the second one wins\n"
    "  SPIN_VARIABLE_NAME        the value of the application's variable 'name', when --variable does not give it\n"
    "  LANG                      the language of what is said of the allocator (English, zh_CN)\n"
    "  OTEL_EXPORTER_OTLP_ENDPOINT\n"
    "                            a collector of traces, http://HOST:4318: each request is a span there;\n"
    "                            OpenTelemetry's other variables for traces count then\n"
    "  SSL_CERT_FILE             authorities to trust, in PEM, in place of Mozilla's\n"
    "  NO_COLOR                  no colours in the log\n"
    "\n"
    "SIGINT (Ctrl-C) and SIGTERM end it after the requests in flight have been answered; a second one ends it at "
    "once.\n"
    "\n"
    "Exit status: 0 ended as asked, 1 something failed or a second signal ended it,\n"
    "2 the command line or the application is wrong.\n"
    "\n"
    "Examples:\n"
    "  weir up examples/hello\n"
    "  weir up --build --listen localhost:8080 -e GREETING=hello --follow api\n"
    "  SPIN_ALLOCATOR=compact weir up -f spin.toml --listen [::]:8080 --request-timeout 5s\n"
    "  weir up handler.wasm      every path is answered by this component or WAGI module\n";

const char weir_doctor_help[] =
    "Say what this machine allows, what was tried, what was chosen and what would help.\n"
    "\n"
    "Usage: weir doctor [APP] [OPTION...]\n"
    "\n"
    "  APP is an application as for 'weir up'; without one, a usual small component is assumed.\n"
    "\n"
    "Options:\n"
    "  -f, --from APP            the same as APP\n"
    "      --json                one JSON document on standard output, and nothing else\n"
    "  -v, --verbose             show all facts, and all that was considered\n"
    "      --max-concurrency N   judge as 'weir up --max-concurrency N' would\n"
    "      --max-instance-memory N, --no-trial-requests, --disable-pooling\n"
    "                            the same for these options\n"
    "  -h, --help                print this\n"
    "\n"
    "It decides anew, whatever 'weir up' remembers of earlier starts; with APP it shows that. 'weir up --decide-anew'\n"
    "makes it forget.\n"
    "\n"
    "Environment: SPIN_ALLOCATOR and SPIN_WASMTIME_POOLING, as for 'weir up'; LANG; NO_COLOR.\n"
    "\n"
    "Exit status: 0 'weir up' can serve, 1 no allocator works or a limit on open files or processes is too low, 2 the\n"
    "command line, the application or the environment is wrong. It neither reads nor fills the cache of compiled "
    "code.\n";

int weir_help_print_options(const char *begin, char *own_options, const char *end)
{
    char *text = NULL;
    if (own_options == NULL || asprintf(&text, "%s%s%s", begin, own_options, end) < 0) {
        text = NULL;
        weir_log(WEIR_LOG_ERROR, "out of memory");
    }
    int status = text == NULL ? 1 : weir_help_print(text);
    free(text);
    free(own_options);
    return status;
}

int weir_help_up(void)
{
    return weir_help_print_options(up_begin, weir_up_options_help(), up_end);
}

int weir_help_print(const char *text)
{
    if (fputs(text, stdout) == EOF || fflush(stdout) == EOF) {
        weir_log(WEIR_LOG_ERROR, "cannot write to standard output: %s", strerror(errno));
        return 1;
    }
    return 0;
}
