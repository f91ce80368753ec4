/*
 * hang_resolver: a library to be preloaded (LD_PRELOAD): who looks up a name that ends in ".hang.test" adds a byte to
 * the file WEIR_RESOLVER_COUNT, and waits until WEIR_RESOLVER_GATE, a FIFO, is opened for writing; then there is no
 * such name.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int look_up_t(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): those of the C library are reserved */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret_found)
{
    static const char end[] = ".hang.test";
    size_t size = name == NULL ? 0 : strlen(name);
    if (size >= sizeof end && strcmp(name + size - (sizeof end - 1), end) == 0) {
        int count = open(getenv("WEIR_RESOLVER_COUNT"), O_WRONLY | O_APPEND | O_CLOEXEC);
        if (write(count, "", 1) != 1)
            abort();
        close(count);
        close(open(getenv("WEIR_RESOLVER_GATE"), O_RDONLY | O_CLOEXEC));
        return EAI_NONAME;
    }
    look_up_t *look_up;
    *(void **)&look_up = dlsym(RTLD_NEXT, "getaddrinfo");
    return look_up(name, service, hints, ret_found);
}
