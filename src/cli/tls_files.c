/*
 * tls_files.c: looks for what PEM begins and ends with; what is between is rustls' to judge, in the bridge.
 */
#include "cli/tls_files.h"

#include "allocator/translate.h"
#include "cli/arguments.h"
#include "cli/certificate.h"
#include "cli/ownership.h"
#include "observe/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { BYTES_MAX = 1024 * 1024, DAYS_WARNED = 14, SECONDS_A_DAY = 24 * 60 * 60 };

static void wipe(char *own_text, size_t size)
{
    if (own_text != NULL) {
        explicit_bzero(own_text, size);
        free(own_text);
    }
}

/*
 * Read a file of at most 1 MiB as a string, or NULL with errno set, EFBIG for a larger one. A pipe is waited for, as
 * `<(...)` of a shell makes one; a signal ends that wait with the process, for nothing is served yet.
 */
static char *read_file(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0) {
        return NULL;
    }
    char *text = malloc(BYTES_MAX + 1);
    size_t size = 0;
    ssize_t count = text == NULL ? -1 : 1;
    while (count > 0 && size <= BYTES_MAX) {
        do {
            count = read(file, text + size, BYTES_MAX + 1 - size);
        } while (count < 0 && errno == EINTR);
        size += count > 0 ? (size_t)count : 0;
    }
    int error = size > BYTES_MAX ? EFBIG : errno;
    close(file);
    if (count == 0) {
        text[size] = '\0';
        return text;
    }
    wipe(text, size);
    errno = error;
    return NULL;
}

/* Whether there is a whole block with this label, on lines of its own. */
static bool has_block(const char *text, const char *begin, const char *end)
{
    const char *found = strstr(text, begin);
    return found != NULL && (found == text || found[-1] == '\n') && strstr(found, end) != NULL;
}

static bool check_certificate(const char *path, const char *text, char **ret_message)
{
    return has_block(text, "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----") ||
           weir_arguments_refuse(ret_message,
               "--tls-cert: no certificate in PEM is in %s; it begins with -----BEGIN CERTIFICATE-----", path);
}

/* Whether OpenSSL's older form of a key with this label is encrypted, as its first header says (RFC 1421, 4.6.1.1). */
static bool has_encrypted_block(const char *text, const char *begin)
{
    static const char header[] = "Proc-Type: 4,ENCRYPTED";
    const char *found = strstr(text, begin);
    if (found == NULL) {
        return false;
    }
    found += strlen(begin);
    found += strspn(found, " \t\r\n");
    return strncmp(found, header, sizeof(header) - 1) == 0;
}

static bool check_key(const char *path, const char *text, char **ret_message)
{
    static const struct {
        const char *begin;
        const char *end;
    } labels[] = {{"-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"},
        {"-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"},
        {"-----BEGIN EC PRIVATE KEY-----", "-----END EC PRIVATE KEY-----"}};
    bool encrypted = false;
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]) && !encrypted; i++) {
        encrypted = has_encrypted_block(text, labels[i].begin);
        if (!encrypted && has_block(text, labels[i].begin, labels[i].end)) {
            return true;
        }
    }
    return encrypted || strstr(text, "-----BEGIN ENCRYPTED PRIVATE KEY-----") != NULL
               ? weir_arguments_refuse(ret_message,
                     "--tls-key: the key in %s is encrypted; decrypt it with 'openssl pkey -in %s -out FILE', and give "
                     "that file",
                     path, path)
               : weir_arguments_refuse(ret_message,
                     "--tls-key: no private key in PEM is in %s; it begins with -----BEGIN PRIVATE KEY-----", path);
}

/* What the bridge makes of both. */
static bool configure(const char *const paths[2], const char *certificate, const char *key,
    weir_tls_config_t **ret_config, char **ret_message)
{
    char *problem = NULL;
    weir_tls_culprit_t culprit = WEIR_TLS_BOTH;
    weir_tls_config_t *config = weir_tls_config_new(
        (weir_bytes_t){certificate, strlen(certificate)}, (weir_bytes_t){key, strlen(key)}, &culprit, &problem);
    if (config != NULL) {
        *ret_config = config;
        return true;
    }
    switch (culprit) {
    case WEIR_TLS_CERTIFICATE:
        weir_arguments_refuse(ret_message, "--tls-cert: %s: %s", paths[0], problem);
        break;
    case WEIR_TLS_KEY:
        weir_arguments_refuse(ret_message, "--tls-key: %s: %s", paths[1], problem);
        break;
    case WEIR_TLS_BOTH:
        weir_arguments_refuse(ret_message,
            "--tls-key: %s does not belong to the certificate in %s; give the key that it was made with", paths[1],
            paths[0]);
        break;
    }
    weir_bridge_text_free(problem);
    return false;
}

static bool refuse_file(const char *option, const char *path, char **ret_message)
{
    const char *reason = strerror(errno);
    if (errno == EFBIG) {
        return weir_arguments_refuse(ret_message, "%s: %s is larger than 1 MiB; give a file in PEM", option, path);
    }
    char *whose = errno == EACCES ? weir_ownership_explain_reading(path) : NULL;
    weir_arguments_refuse(ret_message, "%s: %s cannot be read: %s%s%s", option, path, reason, whose == NULL ? "" : ": ",
        whose == NULL ? "" : whose);
    free(whose);
    return false;
}

bool weir_tls_files_load(const char *certificate, const char *key, weir_tls_config_t **ret_config,
    int64_t *ret_not_after, char **ret_message)
{
    const struct {
        const char *option;
        const char *path;
        bool (*check)(const char *path, const char *text, char **ret_message);
    } files[] = {{"--tls-cert", certificate, check_certificate}, {"--tls-key", key, check_key}};
    char *texts[2] = {NULL, NULL};
    bool fine = true;
    for (size_t i = 0; fine && i < 2; i++) {
        texts[i] = read_file(files[i].path);
        fine = texts[i] != NULL ? files[i].check(files[i].path, texts[i], ret_message)
                                : refuse_file(files[i].option, files[i].path, ret_message);
    }
    fine = fine && texts[0] != NULL && texts[1] != NULL &&
           configure((const char *const[]){certificate, key}, texts[0], texts[1], ret_config, ret_message);
    if (fine && !weir_certificate_not_after(texts[0], ret_not_after)) {
        *ret_not_after = 0;
    }
    for (size_t i = 0; i < 2; i++) {
        wipe(texts[i], texts[i] == NULL ? 0 : strlen(texts[i]));
    }
    return fine;
}

void weir_tls_files_log_expiry(const char *certificate, int64_t not_after)
{
    char date[32];
    struct tm moment;
    time_t at = (time_t)not_after;
    double left = difftime(at, time(NULL));
    if (not_after == 0 || left >= DAYS_WARNED * SECONDS_A_DAY || gmtime_r(&at, &moment) == NULL) {
        return;
    }
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &moment);
    if (left < 0) {
        weir_log(WEIR_LOG_WARNING,
            weir_translate("--tls-cert: the certificate in %s expired at %s: it is used all the same, but clients "
                           "refuse it; renew it, and reload (SIGHUP)"),
            certificate, date);
    } else {
        weir_log(WEIR_LOG_WARNING,
            weir_translate("--tls-cert: the certificate in %s expires in %.1f days, at %s; renew it, and reload "
                           "(SIGHUP)"),
            certificate, left / SECONDS_A_DAY, date);
    }
}

void weir_tls_files_log_unreadable(const char *certificate, const char *key)
{
    const char *const files[][2] = {{"--tls-cert", certificate}, {"--tls-key", key}};
    char *before = NULL;
    for (size_t i = 0; i < 2; i++) {
        char *whose = weir_ownership_explain_reading(files[i][1]);
        if (whose != NULL && (before == NULL || strcmp(before, whose) != 0)) { /* of a directory of both, once */
            weir_log(WEIR_LOG_WARNING, weir_translate("%s: reloads (SIGHUP) cannot read %s: %s"), files[i][0],
                files[i][1], whose);
        }
        free(before);
        before = whose;
    }
    free(before);
}
