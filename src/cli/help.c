/*
 * help.c: texts for people who ask. Keep them in step with docs/man/weir.1.
 */
#include "cli/help.h"

#include "observe/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char weir_help[] =
    "weir runs Spin applications: WebAssembly components and modules that answer HTTP requests.\n"
    "It finds by trial the instance allocator that works, and works best, on this machine.\n"
    "\n"
    "Usage: weir COMMAND [OPTION...]\n"
    "\n"
    "Commands:\n"
    "  up [APP]    serve an application: a spin.toml, its directory or a .wasm file\n"
    "  doctor      say what this machine allows, what was tried, what was chosen and what would help\n"
    "  bench allocator\n"
    "              time the choice against a fixed grid of configurations, and say what it costs more than the best\n"
    "\n"
    "Options:\n"
    "  --help      print this, or with a command, what it can do\n"
    "  --version   print the version\n"
    "\n"
    "Examples:\n"
    "  weir up                      serve the spin.toml in this directory on 127.0.0.1:3000\n"
    "  weir up -f app --listen 0.0.0.0:80\n"
    "  weir doctor --json\n"
    "\n"
    "Exit status: 0 ended as asked, 1 something failed, 2 the command line or the application is wrong.\n";

const char weir_up_help[] =
    "Serve a Spin application over HTTP.\n"
    "\n"
    "Usage: weir up [APP] [OPTION...]\n"
    "\n"
    "  APP is a spin.toml, the directory that holds one, or a .wasm file; the current directory when not given.\n"
    "\n"
    "Options:\n"
    "  -f, --from APP            the same as APP\n"
    "      --listen ADDRESS      IP:PORT, [IPv6]:PORT or localhost:PORT to listen on; port 0 takes a free one\n"
    "                            (default 127.0.0.1:3000)\n"
    "      --request-timeout T   how long a guest may take until the head of its response: 500ms, 2s, 1m\n"
    "                            (default 30s); then the client gets 504, or 503 when no instance was free\n"
    "      --max-concurrency N   how many requests guests handle at once (default: what the allocator has room for);\n"
    "                            more wait their turn\n"
    "      --max-instance-memory SIZE\n"
    "                            how far a guest's memory may grow: bytes, or with KiB, MiB or GiB\n"
    "      --disable-pooling     allocate instances on demand, as SPIN_ALLOCATOR=ondemand\n"
    "      --no-trial-requests   do not run components on trial requests before serving; time their instances alone\n"
    "      --quiet               do not show what guests write to standard output and standard error\n"
    "  -h, --help                print this\n"
    "\n"
    "Environment:\n"
    "  SPIN_ALLOCATOR            auto (default), pooling, compact or ondemand; one that cannot be had is an error\n"
    "  SPIN_WASMTIME_POOLING     1 asks for a pool, 0 for none; SPIN_ALLOCATOR wins\n"
    "  SPIN_MAX_INSTANCE_MEMORY  the size, when --max-instance-memory is not given\n"
    "  SPIN_HTTP_LISTEN_ADDR     the address, when --listen is not given\n"
    "  LANG                      the language of what is said of the allocator (English, zh_CN)\n"
    "  NO_COLOR                  no colours in the log\n"
    "\n"
    "SIGINT (Ctrl-C) and SIGTERM end it after the requests in flight have been answered; a second one ends it at "
    "once.\n"
    "\n"
    "Examples:\n"
    "  weir up examples/hello\n"
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
    "It decides anew, whatever 'weir up' remembers of earlier starts.\n"
    "\n"
    "Environment: SPIN_ALLOCATOR and SPIN_WASMTIME_POOLING, as for 'weir up'; LANG; NO_COLOR.\n"
    "\n"
    "Exit status: 0 something works, 1 nothing does, 2 the command line, the application or the environment is "
    "wrong.\n";

int weir_help_print(const char *text)
{
    if (fputs(text, stdout) == EOF || fflush(stdout) == EOF) {
        weir_log(WEIR_LOG_ERROR, "cannot write to standard output: %s", strerror(errno));
        return 1;
    }
    return 0;
}
