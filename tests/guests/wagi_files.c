/*
 * Looks at files: "list PATH", "read PATH", "write PATH" (a line is appended, the file made when it is not there),
 * "remove PATH", "link PATH" (the symbolic link PATH to /etc/passwd is made and read), "replace PATH TARGET" (what is
 * there is renamed, and the symbolic link PATH to TARGET made). Answers what it found, or "error N" with an errno's
 * number.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void fail(void)
{
    printf("error %d %s\n", errno, strerror(errno));
}

static void list(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL) {
        fail();
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            printf("entry %s\n", entry->d_name);
    }
    closedir(directory);
}

static void read_file(const char *path)
{
    char text[4096];
    int descriptor = open(path, O_RDONLY);
    ssize_t size = descriptor >= 0 ? read(descriptor, text, sizeof text) : -1;
    if (size < 0)
        fail();
    else
        printf("read %.*s\n", (int)size, text);
    if (descriptor >= 0)
        close(descriptor);
}

static void write_file(const char *path)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (descriptor < 0 || write(descriptor, "by a guest\n", 11) != 11)
        fail();
    else
        printf("written\n");
    if (descriptor >= 0)
        close(descriptor);
}

static void replace(const char *path, const char *target)
{
    char old[256];
    snprintf(old, sizeof old, "%s.old", path);
    if (rename(path, old) != 0 || symlink(target, path) != 0)
        fail();
    else
        printf("replaced\n");
}

int main(int argument_count, char **arguments)
{
    const char *what = argument_count > 1 ? arguments[1] : "";
    const char *path = argument_count > 2 ? arguments[2] : "/";
    printf("content-type: text/plain\n\n");
    if (strcmp(what, "list") == 0)
        list(path);
    else if (strcmp(what, "read") == 0)
        read_file(path);
    else if (strcmp(what, "write") == 0)
        write_file(path);
    else if (strcmp(what, "remove") == 0 && unlink(path) != 0)
        fail();
    else if (strcmp(what, "replace") == 0)
        replace(path, argument_count > 3 ? arguments[3] : "");
    else if (strcmp(what, "link") == 0) {
        if (symlink("/etc/passwd", path) != 0)
            fail();
        read_file(path);
    }
    return 0;
}
