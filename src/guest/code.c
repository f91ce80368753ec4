/*
 * code.c: a guest's compiled code, in memory that outlives the process which wrote it, and that nobody can change any
 * more: a sealed memfd; or in a file of the cache.
 *
 * Loading code trusts it: whoever can write it can do what weir can. So only three things are ever loaded: bytes that
 * this process has serialized itself; a memfd that this process has made, that only this process and the children it
 * forks can write to, and that its writer has sealed before any guest ran; and a file that nobody but this user could
 * have written (cache/store.h). The seal is also what says that the code is complete: a child that dies while it writes
 * leaves a memfd that is not sealed, and so is not loaded.
 */
#include "cache/bytes.h"
#include "guest/guest.h"
#include "guest/guest_internal.h"
#include "guest/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3, memfd_create(2): not to be run as a program; it can be mapped as code */
#endif

enum { SEALS = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL };

struct weir_guest_code {
    int descriptor; /* a memfd, or a file of the cache, or -1 where there is none to be had */
    bool is_file;   /* it is a file of the cache */
    char *bytes;    /* own; what could not be put into a memfd, or NULL */
    size_t size;    /* of `bytes`, or of what a file of the cache begins with */
};

static int open_memory(void)
{
    int descriptor = memfd_create("weir-code", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (descriptor < 0 && errno == EINVAL)
        descriptor = memfd_create("weir-code", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return descriptor;
}

static void close_memory(weir_guest_code_t *code)
{
    if (code->descriptor >= 0)
        close(code->descriptor);
    code->descriptor = -1;
    code->is_file = false;
}

weir_guest_code_t *weir_guest_code_new(void)
{
    weir_guest_code_t *code = calloc(1, sizeof *code);
    if (code != NULL)
        code->descriptor = open_memory();
    return code;
}

void weir_guest_code_free(weir_guest_code_t *own_code)
{
    if (own_code == NULL)
        return;
    close_memory(own_code);
    free(own_code->bytes);
    free(own_code);
}

/* ---- Writing ---- */

/* The size of a memfd, or 0 when there is none. */
static size_t memory_size(const weir_guest_code_t *code)
{
    off_t size = code->descriptor >= 0 ? lseek(code->descriptor, 0, SEEK_END) : 0;
    return size > 0 ? (size_t)size : 0;
}

static bool is_sealed(const weir_guest_code_t *code)
{
    int seals = code->descriptor >= 0 ? fcntl(code->descriptor, F_GET_SEALS) : -1;
    return seals >= 0 && (seals & SEALS) == SEALS && memory_size(code) > 0;
}

bool weir_guest_code_is_there(const weir_guest_code_t *code)
{
    return code->bytes != NULL || code->is_file || is_sealed(code);
}

void weir_guest_code_take_file(weir_guest_code_t *code, int own_descriptor, size_t size)
{
    free(code->bytes);
    code->bytes = NULL;
    close_memory(code);
    code->descriptor = own_descriptor;
    code->is_file = true;
    code->size = size;
}

/* Keep serialized code: sealed, or in this process alone where that cannot be. */
static bool keep(weir_guest_code_t *code, const wasm_byte_vec_t *serialized)
{
    free(code->bytes);
    code->bytes = NULL;
    if (memory_size(code) > 0) {
        /* What somebody has begun, or what did not suit; it may be sealed. */
        close_memory(code);
        code->descriptor = open_memory();
    }
    if (code->descriptor >= 0 && weir_cache_write(code->descriptor, serialized->data, serialized->size, 0) &&
        fcntl(code->descriptor, F_ADD_SEALS, SEALS) == 0)
        return true;
    close_memory(code);
    code->bytes = malloc(serialized->size);
    if (code->bytes == NULL)
        return false;
    memcpy(code->bytes, serialized->data, serialized->size);
    code->size = serialized->size;
    return true;
}

int weir_guest_code_descriptor(const weir_guest_code_t *code)
{
    return code->is_file || memory_size(code) > 0 ? -1 : code->descriptor;
}

bool weir_guest_code_compile_into(
    int descriptor, const wasm_engine_t *engine, weir_bytes_t wasm, char *ret_reason, size_t reason_size)
{
    wasm_byte_vec_t serialized;
    wasmtime_error_t *error = weir_code_compile(engine, wasm, &serialized);
    if (error != NULL) {
        snprintf(ret_reason, reason_size, "%s", weir_show_error(error).text);
        return false;
    }
    bool kept =
        weir_cache_write(descriptor, serialized.data, serialized.size, 0) && fcntl(descriptor, F_ADD_SEALS, SEALS) == 0;
    if (!kept)
        snprintf(ret_reason, reason_size, "its code cannot be kept: %s", strerror(errno));
    wasm_byte_vec_delete(&serialized);
    return kept;
}

char *weir_guest_code_refusal(const weir_manifest_t *manifest, const weir_component_t *component, const char *reason)
{
    wasmtime_error_t *error = wasmtime_error_new(reason);
    return error == NULL ? NULL : weir_guest_code_message(manifest, component, error);
}

bool weir_guest_code_compile(weir_guest_code_t *code, const wasm_engine_t *engine, const weir_manifest_t *manifest,
    const weir_component_t *component, const weir_guest_file_t *file, char **ret_message)
{
    wasm_byte_vec_t serialized;
    wasmtime_error_t *error = weir_code_compile(engine, (weir_bytes_t){file->bytes, file->size}, &serialized);
    if (error != NULL) {
        *ret_message = weir_guest_code_message(manifest, component, error);
        return false;
    }
    bool kept = keep(code, &serialized);
    wasm_byte_vec_delete(&serialized);
    if (!kept)
        *ret_message = weir_component_message(manifest, component, "memory ran out; free some memory");
    return kept;
}

/* The bridge got no thread: that is none of the manifest's doing, so no place in it is named. */
static char *refused_thread_message(const weir_component_t *component, char *reason)
{
    char here[32] = "unlimited";
    struct rlimit limit;
    if (getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        snprintf(here, sizeof here, "%ju", (uintmax_t)limit.rlim_cur);
    char *number = strstr(reason, " (os error ");
    if (number != NULL)
        *number = '\0';
    char *message;
    int composed = asprintf(&message,
        "component \"%s\" cannot be compiled or linked: %s; no thread could be had: raise the limit on processes, "
        "which "
        "counts all of this user's threads (ulimit -u, %s here; TasksMax= in a systemd unit, a control group's "
        "pids.max), or that on address space or data (ulimit -v, ulimit -d)",
        weir_show_bytes(component->id, strlen(component->id)).text, reason, here);
    return composed < 0 ? NULL : message;
}

char *weir_guest_code_message(
    const weir_manifest_t *manifest, const weir_component_t *component, wasmtime_error_t *take_error)
{
    weir_shown_bytes_t reason = weir_show_error(take_error);
    if (strstr(reason.text, WEIR_GUEST_REFUSED_THREAD) != NULL)
        return refused_thread_message(component, reason.text);
    /* Wasmtime names the import that it has nothing for; other reasons, such as memory, have other remedies. */
    bool is_import = strstr(reason.text, "import") != NULL;
    return weir_component_message(manifest, component, "\"%s\" cannot be compiled or linked: %s%s",
        weir_show_bytes(component->source, strlen(component->source)).text, reason.text,
        is_import ? "; weir serves imports of WASI and wasi:http" : "");
}

/* ---- Loading ---- */

bool weir_guest_code_open_bytes(const weir_guest_code_t *code, weir_code_bytes_t *ret_bytes)
{
    if (code->bytes != NULL) {
        *ret_bytes = (weir_code_bytes_t){code->bytes, code->size, NULL};
        return true;
    }
    size_t size = code->is_file ? code->size : memory_size(code);
    void *mapped = size > 0 ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, code->descriptor, 0) : MAP_FAILED;
    if (mapped == MAP_FAILED)
        return false;
    *ret_bytes = (weir_code_bytes_t){mapped, size, mapped};
    return true;
}

void weir_guest_code_close_bytes(weir_code_bytes_t *bytes)
{
    if (bytes->mapped != NULL)
        munmap(bytes->mapped, bytes->size);
    *bytes = (weir_code_bytes_t){NULL, 0, NULL};
}

wasmtime_error_t *weir_guest_code_link(const weir_guest_code_t *code, const wasm_engine_t *engine,
    const weir_service_settings_t *settings, weir_service_t **ret_service)
{
    if (code->bytes != NULL)
        return weir_service_new_from_bytes(engine, (weir_bytes_t){code->bytes, code->size}, settings, ret_service);
    if (!weir_guest_code_is_there(code))
        return wasmtime_error_new("its code is not there");
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", code->descriptor);
    wasmtime_error_t *error = weir_service_new_from_file(engine, path, settings, ret_service);
    if (error == NULL)
        return NULL;
    /* Perhaps there is no /proc, or no file may be mapped as code (SELinux: execmod; a file system that is mounted
     * noexec): a copy does without both. */
    weir_code_bytes_t bytes;
    if (!weir_guest_code_open_bytes(code, &bytes))
        return error;
    wasmtime_error_delete(error);
    error = weir_service_new_from_bytes(engine, (weir_bytes_t){bytes.data, bytes.size}, settings, ret_service);
    weir_guest_code_close_bytes(&bytes);
    return error;
}
