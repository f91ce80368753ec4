/*
 * templates.c: finds templates, lists them and copies one.
 */
#include "cli/templates.h"

#include "app/near.h"
#include "app/text.h"
#include "cli/arguments.h"
#include "observe/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 4 * 1024 * 1024 };

static const char description_file[] = "template.txt";
static const char placeholder[] = "@NAME@";

char *weir_templates_find(void)
{
    static const char *const places[] = {"../share/weir/templates", "templates"};
    char program[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (size < 0) {
        return NULL;
    }
    program[size] = '\0';
    char *slash = strrchr(program, '/');
    int directory = slash == NULL ? 0 : (int)(slash - program);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char *path = NULL;
        struct stat facts;
        if (asprintf(&path, "%.*s/%s", directory, program, places[i]) < 0) {
            errno = ENOMEM;
            return NULL;
        }
        if (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode)) {
            return path;
        }
        free(path);
    }
    errno = ENOENT;
    return NULL;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* Read a file below a directory; NULL with errno set. */
static char *read_file(int directory, const char *name, size_t *ret_size)
{
    int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return NULL;
    }
    struct stat facts;
    char *bytes = NULL;
    size_t size = 0;
    if (fstat(file, &facts) == 0 && facts.st_size <= FILE_BYTES_MAX) {
        bytes = malloc((size_t)facts.st_size + 1);
    } else {
        errno = EFBIG;
    }
    while (bytes != NULL && size < (size_t)facts.st_size) {
        ssize_t count = read(file, bytes + size, (size_t)facts.st_size - size);
        if (count == 0) {
            break;
        }
        if (count < 0 && errno != EINTR) {
            free(bytes);
            bytes = NULL;
        }
        size += count > 0 ? (size_t)count : 0;
    }
    int error = errno;
    close(file);
    errno = error;
    if (bytes != NULL) {
        bytes[size] = '\0';
        *ret_size = size;
    }
    return bytes;
}

static bool write_file(int directory, const char *name, const char *bytes, size_t size)
{
    int file = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    size_t written = 0;
    while (file >= 0 && written < size) {
        ssize_t count = write(file, bytes + written, size - written);
        if (count < 0 && errno != EINTR) {
            break;
        }
        written += count > 0 ? (size_t)count : 0;
    }
    int error = errno;
    bool closed = file >= 0 && close(file) == 0;
    if (written < size) {
        errno = error;
    }
    return closed && written == size;
}

/* Copy a file, with the application's name put in. */
static bool copy_file(int from, int to, const char *file, const char *application)
{
    size_t size;
    char *bytes = read_file(from, file, &size);
    if (bytes == NULL) {
        return false;
    }
    weir_text_t text = {0};
    weir_text_add(&text, "", 0);
    for (size_t at = 0; at < size;) {
        const char *found = memmem(bytes + at, size - at, placeholder, strlen(placeholder));
        size_t end = found == NULL ? size : (size_t)(found - bytes);
        weir_text_add(&text, bytes + at, end - at);
        if (found != NULL) {
            weir_text_add(&text, application, strlen(application));
            end += strlen(placeholder);
        }
        at = end;
    }
    errno = ENOMEM;
    bool copied = !text.failed && write_file(to, file, text.bytes, text.size);
    int error = errno;
    weir_text_free(&text);
    free(bytes);
    errno = error;
    return copied;
}

/* ---- Templates --------------------------------------------------------------------------------------------------- */

/* The names of templates, sorted, as of scandir(3). */
static int is_template(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int scan(const char *templates, struct dirent ***ret_entries)
{
    return scandir(templates, ret_entries, is_template, alphasort);
}

static void free_entries(struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++) {
        free(entries[i]);
    }
    free(entries);
}

bool weir_templates_list(const char *templates)
{
    struct dirent **entries;
    int count = scan(templates, &entries);
    int directory = count < 0 ? -1 : open(templates, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; directory >= 0 && i < count; i++) {
        char path[NAME_MAX + sizeof(description_file) + 2];
        size_t size;
        snprintf(path, sizeof(path), "%s/%s", entries[i]->d_name, description_file);
        char *text = read_file(directory, path, &size);
        if (text != NULL) {
            printf("  %-8s  %.*s\n", entries[i]->d_name, (int)strcspn(text, "\n"), text);
        }
        free(text);
    }
    int error = errno;
    if (count >= 0) {
        free_entries(entries, count);
    }
    if (directory >= 0) {
        close(directory);
    }
    errno = error;
    return count >= 0 && directory >= 0;
}

bool weir_templates_has(const char *templates, const char *name, char **ret_message)
{
    struct dirent **entries;
    int count = scan(templates, &entries);
    bool found = false;
    weir_text_t text = {0};
    weir_near_t near = weir_near_start(name);
    weir_text_format(&text, "there is no template %s; there are ", weir_quote(name).text);
    for (int i = 0; i < count; i++) {
        found = found || strcmp(entries[i]->d_name, name) == 0;
        weir_near_offer(&near, entries[i]->d_name);
        weir_text_format(&text, "%s%s", i == 0 ? "" : ", ", entries[i]->d_name);
    }
    if (near.best != NULL) {
        weir_text_format(&text, "; did you mean %s?", near.best);
    }
    if (count >= 0) {
        free_entries(entries, count);
    }
    char *message = weir_text_take(&text);
    if (found) {
        free(message);
    } else {
        *ret_message = message;
    }
    return found;
}

/* Whether a directory can be filled: it is new, or empty. */
static bool make_directory(const char *directory, bool *ret_is_new, char **ret_message)
{
    *ret_is_new = false;
    if (!weir_directory_make_parents(directory, 0777)) {
        return weir_arguments_refuse(
            ret_message, "cannot make the directory %s: %s", weir_quote(directory).text, strerror(errno));
    }
    *ret_is_new = mkdir(directory, 0777) == 0;
    if (*ret_is_new) {
        return true;
    }
    if (errno != EEXIST) {
        return weir_arguments_refuse(
            ret_message, "cannot make the directory %s: %s", weir_quote(directory).text, strerror(errno));
    }
    DIR *entries = opendir(directory);
    if (entries == NULL) {
        return weir_arguments_refuse(ret_message, "%s is there already (%s); choose another with --output",
            weir_quote(directory).text, strerror(errno));
    }
    size_t count = 0;
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 ? 1 : 0;
    }
    closedir(entries);
    return count == 0 || weir_arguments_refuse(ret_message,
                             "%s is there already and not empty; nothing is written over: choose another name, or "
                             "another directory with --output",
                             weir_quote(directory).text);
}

static bool copy_files(int from, int to, struct dirent **entries, int count, const char *application, int *ret_copied)
{
    for (*ret_copied = 0; *ret_copied < count; (*ret_copied)++) {
        const char *file = entries[*ret_copied]->d_name;
        if (strcmp(file, description_file) != 0 && !copy_file(from, to, file, application)) {
            return false;
        }
    }
    return true;
}

static int is_file(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

bool weir_templates_copy(
    const char *templates, const char *name, const char *application, const char *directory, char **ret_message)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", templates, name);
    struct dirent **entries;
    int count = scandir(path, &entries, is_file, NULL);
    if (count < 0) {
        return weir_arguments_refuse(ret_message, "cannot read %s: %s", path, strerror(errno));
    }
    bool is_new = false;
    if (!make_directory(directory, &is_new, ret_message)) {
        free_entries(entries, count);
        return false;
    }
    int from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int to = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int copied = 0;
    bool done = from >= 0 && to >= 0 && copy_files(from, to, entries, count, application, &copied);
    if (!done) {
        weir_arguments_refuse(ret_message, "cannot write %s in %s: %s", copied < count ? entries[copied]->d_name : "",
            weir_quote(directory).text, strerror(errno));
        for (int i = 0; to >= 0 && i <= copied && i < count; i++) {
            unlinkat(to, entries[i]->d_name, 0);
        }
        if (is_new) {
            rmdir(directory);
        }
    }
    free_entries(entries, count);
    if (from >= 0) {
        close(from);
    }
    if (to >= 0) {
        close(to);
    }
    return done;
}
