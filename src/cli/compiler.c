/*
 * compiler.c: both ends of the way to a process that compiles.
 *
 * What is sent is the wasm, and a file in memory for the code, which this process has made and the other one seals: so
 * the code is loaded with as much trust as that of a child that this process forked itself (guest/code.c).
 */
#include "cli/compiler.h"

#include "allocator/child.h"
#include "allocator/trial_server.h"
#include "cache/bytes.h"
#include "cli/precompile.h"
#include "cli/serving.h"
#include "observe/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DEADLINE_MILLISECONDS = 30 * 60 * 1000, /* beyond anything that was seen, also where the processors are taken */
    NICE = 10,                              /* a tenth of a processor at the least, where requests take all */
    DESCRIPTORS = 2,                        /* the wasm, and where its code is to be put */
    REASON_BYTES = 1024
};

struct weir_compiler {
    int channel; /* to the process, or -1 */
    atomic_bool stopped;
};

typedef struct request {
    weir_rung_t rung;
    bool needs_concurrency;
} request_t;

typedef struct report {
    char reason[REASON_BYTES]; /* why it cannot be compiled, or "" */
} report_t;

typedef struct answer {
    weir_child_result_t result;
    report_t report;
} answer_t;

typedef union ancillary {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
} ancillary_t;

/* ---- The process that compiles ----------------------------------------------------------------------------------- */

typedef struct job {
    request_t request;
    int descriptors[DESCRIPTORS];
} job_t;

static bool receive_job(int channel, job_t *job)
{
    ancillary_t ancillary;
    struct iovec part = {&job->request, sizeof(job->request)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = ancillary.bytes, .msg_controllen = sizeof(ancillary.bytes)};
    ssize_t got;
    do {
        got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (got != (ssize_t)sizeof(job->request) || header == NULL || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(sizeof(job->descriptors))) {
        return false;
    }
    memcpy(job->descriptors, CMSG_DATA(header), sizeof(job->descriptors));
    return true;
}

static void compile_job(const job_t *job, report_t *report)
{
    struct stat status;
    wasm_engine_t *engine = NULL;
    wasmtime_error_t *error = weir_engine_without_pool(&job->request.rung, job->request.needs_concurrency, &engine);
    if (error != NULL) {
        snprintf(report->reason, sizeof(report->reason), "the compiler could not be started: %s",
            weir_show_error(error).text);
        return;
    }
    void *bytes = fstat(job->descriptors[0], &status) == 0
                      ? mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, job->descriptors[0], 0)
                      : MAP_FAILED;
    if (bytes == MAP_FAILED) {
        snprintf(report->reason, sizeof(report->reason), "its file cannot be read again: %s", strerror(errno));
        return;
    }
    weir_guest_code_compile_into(job->descriptors[1], engine, (weir_bytes_t){bytes, (size_t)status.st_size},
        report->reason, sizeof(report->reason));
}

/* In a child of its own, for a compiler that runs out of memory ends its process. The rest is the system's to clean up.
 */
static int run_job(int report_descriptor, void *context)
{
    report_t report = {.reason = ""};
    compile_job(context, &report);
    return write(report_descriptor, &report, sizeof(report)) == (ssize_t)sizeof(report) ? 0 : 1;
}

/* Have SIGIO end this process, and with it the child that compiles, when the client closes its end. */
static void end_with_client(int channel, bool wanted)
{
    struct pollfd polled = {channel, 0, 0};
    fcntl(channel, F_SETOWN, getpid());
    fcntl(channel, F_SETFL, wanted ? O_ASYNC : 0);
    if (wanted && poll(&polled, 1, 0) > 0) {
        _exit(0); /* it was closed before that */
    }
}

static int serve(int channel)
{
    job_t job;
    signal(SIGIO, SIG_DFL);
    (void)setpriority(PRIO_PROCESS, 0, NICE);
    while (receive_job(channel, &job)) {
        answer_t answer;
        memset(&answer, 0, sizeof(answer));
        end_with_client(channel, true);
        weir_child_run(run_job, &job, DEADLINE_MILLISECONDS, &answer.report, sizeof(answer.report), &answer.result);
        end_with_client(channel, false);
        close(job.descriptors[0]);
        close(job.descriptors[1]);
        if (send(channel, &answer, sizeof(answer), MSG_NOSIGNAL) != (ssize_t)sizeof(answer)) {
            break;
        }
    }
    return 0;
}

/* ---- Its client -------------------------------------------------------------------------------------------------- */

weir_compiler_t *weir_compiler_new(weir_trial_server_t *server)
{
    weir_compiler_t *compiler = calloc(1, sizeof(*compiler));
    if (compiler == NULL) {
        return NULL;
    }
    compiler->channel = -1;
    atomic_init(&compiler->stopped, false);
    if (server != NULL && !weir_trial_server_spawn(server, serve, &compiler->channel)) {
        weir_log(WEIR_LOG_DEBUG, "no process could be had that compiles: %s", strerror(errno));
        compiler->channel = -1;
    }
    return compiler;
}

void weir_compiler_stop(weir_compiler_t *compiler)
{
    atomic_store(&compiler->stopped, true);
    if (compiler->channel >= 0) {
        shutdown(compiler->channel, SHUT_RDWR);
    }
}

void weir_compiler_free(weir_compiler_t *own_compiler)
{
    if (own_compiler == NULL) {
        return;
    }
    if (own_compiler->channel >= 0) {
        close(own_compiler->channel);
    }
    free(own_compiler);
}

/* A file in memory with wasm in it, or -1. */
static int put_wasm(const weir_guest_file_t *file)
{
    int descriptor = memfd_create("weir-wasm", MFD_CLOEXEC);
    if (descriptor >= 0 && !weir_cache_write(descriptor, file->bytes, file->size, 0)) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

static bool send_job(int channel, const request_t *request, int wasm, int code)
{
    ancillary_t ancillary;
    request_t copy = *request;
    const int descriptors[DESCRIPTORS] = {wasm, code};
    struct iovec part = {&copy, sizeof(copy)};
    memset(&ancillary, 0, sizeof(ancillary));
    ancillary.header.cmsg_level = SOL_SOCKET;
    ancillary.header.cmsg_type = SCM_RIGHTS;
    ancillary.header.cmsg_len = CMSG_LEN(sizeof(descriptors));
    memcpy(CMSG_DATA(&ancillary.header), descriptors, sizeof(descriptors));
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = ancillary.bytes, .msg_controllen = sizeof(ancillary.bytes)};
    return sendmsg(channel, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(copy);
}

static bool receive_answer(int channel, answer_t *answer)
{
    ssize_t got;
    do {
        got = recv(channel, answer, sizeof(*answer), 0);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof(*answer);
}

/* What came of a component in the other process. */
static bool judge(const weir_application_t *application, size_t component, const answer_t *answer, char **ret_message)
{
    if (weir_guest_code_is_there(application->codes[component])) {
        return true; /* also where it was done, and lost its words */
    }
    if (answer->result.end == WEIR_CHILD_REPORTED) {
        *ret_message = weir_guest_code_refusal(&application->manifest, &application->manifest.components[component],
            answer->report.reason[0] != '\0' ? answer->report.reason : "its code is not there");
    } else {
        *ret_message = weir_precompile_explain(application, component, &answer->result);
    }
    return false;
}

/* Here, where that process cannot be had, or takes nothing. */
static bool compile_here(
    const weir_application_t *application, size_t component, const request_t *request, char **ret_message)
{
    wasm_engine_t *engine = NULL;
    wasmtime_error_t *error = weir_engine_without_pool(&request->rung, request->needs_concurrency, &engine);
    if (error != NULL) {
        *ret_message = weir_guest_code_refusal(
            &application->manifest, &application->manifest.components[component], weir_show_error(error).text);
        return false;
    }
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    bool compiled = weir_application_compile_one(application, component, engine, ret_message);
    weir_engine_delete(engine);
    return compiled;
}

static bool compile_file(weir_compiler_t *compiler, const weir_application_t *application, size_t component,
    const request_t *request, const weir_guest_file_t *file, char **ret_message)
{
    int code = weir_guest_code_descriptor(application->codes[component]);
    int wasm = compiler->channel >= 0 && code >= 0 ? put_wasm(file) : -1;
    answer_t answer;
    if (wasm < 0) {
        return compile_here(application, component, request, ret_message);
    }
    bool answered = send_job(compiler->channel, request, wasm, code) && receive_answer(compiler->channel, &answer);
    close(wasm);
    if (!answered) {
        *ret_message = atomic_load(&compiler->stopped)
                           ? NULL
                           : weir_guest_code_refusal(&application->manifest,
                                 &application->manifest.components[component], "the process that compiles has ended");
        return false;
    }
    return judge(application, component, &answer, ret_message);
}

static bool compile_one(weir_compiler_t *compiler, const weir_application_t *application, size_t component,
    const request_t *request, char **ret_message)
{
    const weir_component_t *its_component = &application->manifest.components[component];
    const weir_guest_file_t *file = &application->files[component];
    weir_guest_file_t again = {.bytes = NULL};
    double began = weir_clock_milliseconds();
    if (file->bytes == NULL) {
        if (!weir_code_cache_read_file(&application->manifest, its_component,
                weir_application_executor(application, component), &application->digests[component], &again,
                ret_message)) {
            return false;
        }
        file = &again;
    }
    bool compiled = compile_file(compiler, application, component, request, file, ret_message);
    weir_guest_file_free(&again);
    if (compiled) {
        weir_log(WEIR_LOG_INFO, "component %s was compiled in %.1f s", its_component->id,
            (weir_clock_milliseconds() - began) / 1e3);
    }
    return compiled;
}

bool weir_compiler_run(weir_compiler_t *compiler, const weir_application_t *application, const weir_choice_t *choice,
    uint32_t *ret_count, char **ret_message)
{
    uint32_t count = 0;
    *ret_message = NULL;
    for (size_t i = 0; i < application->manifest.component_count; i++) {
        const weir_rung_t *apart = weir_choice_rung_apart(choice);
        request_t request;
        memset(&request, 0, sizeof(request));
        request.rung = application->apart[i] && apart != NULL ? *apart : *weir_choice_rung(choice);
        request.needs_concurrency = application->needs_concurrency;
        if (application->codes[i] == NULL || weir_guest_code_is_there(application->codes[i])) {
            continue;
        }
        if (atomic_load(&compiler->stopped) || !compile_one(compiler, application, i, &request, ret_message)) {
            return false;
        }
        count++;
    }
    *ret_count = count;
    return true;
}
