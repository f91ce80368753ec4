/*
 * platform.c: where this process runs, by the traces that each environment leaves (systemd's container interface;
 * Docker's /.dockerenv, Podman's /run/.containerenv, Kubernetes' variables and groups; gVisor's /proc/sentry-meminfo).
 */
#include "allocator/platform.h"

#include "allocator/procfs.h"
#include "allocator/text.h"

#include <stdio.h>
#include <string.h>

static const uint64_t environment_bytes_max = UINT64_C(4) << 20;

static weir_fact_t known(uint64_t value, const char *source)
{
    return (weir_fact_t){WEIR_KNOWN, value, source};
}

static weir_fact_t unknown(const char *source)
{
    return (weir_fact_t){WEIR_UNKNOWN, 0, source};
}

static bool begins_with(const char *text, size_t length, const char *word)
{
    size_t word_length = strlen(word);
    return length >= word_length && memcmp(text, word, word_length) == 0;
}

/* ---- Containers -------------------------------------------------------------------------------------------------- */

/* One part of a path, between slashes. `last` when nothing follows it. */
static bool container_of_part(const char *part, size_t length, bool last, weir_container_t *ret_container)
{
    static const char scope[] = ".scope";
    bool is_scope =
        length >= sizeof scope - 1 && memcmp(part + length - (sizeof scope - 1), scope, sizeof scope - 1) == 0;
    if (begins_with(part, length, "kubepods")) {
        *ret_container = WEIR_CONTAINER_KUBERNETES;
    } else if (begins_with(part, length, "libpod-") && !begins_with(part, length, "libpod-conmon-")) {
        *ret_container = WEIR_CONTAINER_PODMAN;
    } else if ((begins_with(part, length, "docker-") && is_scope) ||
               (length == 6 && begins_with(part, length, "docker") && !last)) {
        *ret_container = WEIR_CONTAINER_DOCKER; /* docker.service is the daemon */
    } else if (begins_with(part, length, "lxc.payload") || (length == 3 && begins_with(part, length, "lxc") && !last)) {
        *ret_container = WEIR_CONTAINER_LXC;
    } else {
        return false;
    }
    return true;
}

bool weir_container_of_path(const char *path, weir_container_t *ret_container)
{
    while (*path == '/') {
        path++;
        size_t length = strcspn(path, "/");
        if (container_of_part(path, length, path[length] == '\0', ret_container)) {
            return true;
        }
        path += length;
    }
    return false;
}

bool weir_container_of_word(const char *word, weir_container_t *ret_container)
{
    static const struct {
        const char *word;
        weir_container_t container;
    } words[] = {
        {"docker", WEIR_CONTAINER_DOCKER},
        {"podman", WEIR_CONTAINER_PODMAN},
        {"lxc", WEIR_CONTAINER_LXC},
        {"lxc-libvirt", WEIR_CONTAINER_LXC},
        {"systemd-nspawn", WEIR_CONTAINER_NSPAWN},
        {"kubernetes", WEIR_CONTAINER_KUBERNETES},
    };
    char line[64];
    weir_text_one_line(line, sizeof line, word, strlen(word));
    if (line[0] == '\0' || strcmp(line, "wsl") == 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(line, words[i].word) == 0) {
            *ret_container = words[i].container;
            return true;
        }
    }
    *ret_container = WEIR_CONTAINER_OTHER;
    return true;
}

bool weir_container_of_environment(weir_lines_t *lines, weir_container_t *ret_container)
{
    static const char manager[] = "container=";
    weir_line_t line;
    bool found = false;
    while (weir_lines_next(lines, &line)) {
        if (begins_with(line.text, line.length, "KUBERNETES_SERVICE_HOST=")) {
            *ret_container = WEIR_CONTAINER_KUBERNETES;
            return true;
        }
        if (!found && !line.cut && begins_with(line.text, line.length, manager)) {
            found = weir_container_of_word(line.text + sizeof manager - 1, ret_container);
        }
    }
    return found;
}

static bool environment_tells(const char *root, const char *path, weir_container_t *ret_container)
{
    weir_lines_t lines;
    if (!weir_lines_open(&lines, root, path, '\0', environment_bytes_max)) {
        return false;
    }
    bool tells = weir_container_of_environment(&lines, ret_container);
    weir_lines_close(&lines);
    return tells;
}

/* Whether the process is in the machine's first namespace of a kind: 1, 0, or -1 when that cannot be told. The numbers
 * of the first ones are fixed (include/uapi/linux/nsfs.h). */
static int in_first_namespace(const char *root, const char *path, const char *first)
{
    char link[64];
    if (!weir_procfs_link(root, path, link, sizeof link)) {
        return -1;
    }
    return strcmp(link, first) == 0 ? 1 : 0;
}

/* No container shares all of these with the machine. */
static bool has_no_namespaces(const char *root)
{
    return in_first_namespace(root, "/proc/self/ns/pid", "pid:[4026531836]") == 1 &&
           in_first_namespace(root, "/proc/self/ns/ipc", "ipc:[4026531839]") == 1 &&
           in_first_namespace(root, "/proc/self/ns/uts", "uts:[4026531838]") == 1 &&
           in_first_namespace(root, "/proc/self/ns/cgroup", "cgroup:[4026531835]") == 1;
}

static bool file_tells(const char *root, const char *path, weir_container_t *ret_container)
{
    char word[64];
    return weir_procfs_read(root, path, word, sizeof word) && weir_container_of_word(word, ret_container);
}

static weir_fact_t read_container(const char *root, const weir_cgroups_t *groups, bool wsl)
{
    static const struct {
        const char *path;
        weir_container_t container;
    } markers[] = {
        {"/run/.containerenv", WEIR_CONTAINER_PODMAN},
        {"/.dockerenv", WEIR_CONTAINER_DOCKER},
    };
    weir_container_t container = WEIR_CONTAINER_OTHER;
    for (size_t i = 0; i < WEIR_CGROUP_HIERARCHIES; i++) {
        if (weir_container_of_path(groups->places[i].path, &container)) {
            return known(container, "/proc/self/cgroup");
        }
    }
    /* The files below may come with the disk's contents: a machine can be made from a container's image. */
    if (has_no_namespaces(root)) {
        return known(WEIR_CONTAINER_NONE, "/proc/self/ns");
    }
    if (environment_tells(root, "/proc/self/environ", &container)) {
        return known(container, "/proc/self/environ");
    }
    if (weir_procfs_exists(root, "/run/secrets/kubernetes.io") == 1) {
        return known(WEIR_CONTAINER_KUBERNETES, "/run/secrets/kubernetes.io");
    }
    if (file_tells(root, "/run/systemd/container", &container)) {
        return known(container, "/run/systemd/container");
    }
    if (file_tells(root, "/run/host/container-manager", &container)) {
        return known(container, "/run/host/container-manager");
    }
    for (size_t i = 0; i < sizeof markers / sizeof markers[0]; i++) {
        if (weir_procfs_exists(root, markers[i].path) == 1) {
            return known(markers[i].container, markers[i].path);
        }
    }
    if (environment_tells(root, "/proc/1/environ", &container)) {
        return known(container, "/proc/1/environ");
    }
    /* Each distribution of the Windows Subsystem for Linux has namespaces of its own. */
    int first = in_first_namespace(root, "/proc/self/ns/pid", "pid:[4026531836]");
    if (first < 0) {
        return unknown("/proc/self/ns/pid");
    }
    return known(first == 1 || wsl ? WEIR_CONTAINER_NONE : WEIR_CONTAINER_OTHER, "/proc/self/ns/pid");
}

/* ---- The rest ---------------------------------------------------------------------------------------------------- */

static weir_fact_t read_wsl(const char *root, const char *kernel_name)
{
    static const char source[] = "uname";
    static const char first_kind[] = "-Microsoft";
    size_t length = strlen(kernel_name);
    if (strstr(kernel_name, "WSL2") != NULL || strstr(kernel_name, "microsoft-standard") != NULL) {
        return known(WEIR_WSL_2, source);
    }
    if (length >= sizeof first_kind - 1 && strcmp(kernel_name + length - (sizeof first_kind - 1), first_kind) == 0) {
        return known(WEIR_WSL_1, source);
    }
    /* The second kind lets its user replace the kernel. */
    if (weir_procfs_exists(root, "/run/WSL") == 1) {
        return known(WEIR_WSL_2, "/run/WSL");
    }
    return length == 0 ? unknown(source) : known(WEIR_WSL_NONE, source);
}

/* Yes when one of the files is there, no when none is. */
static weir_fact_t read_presence(const char *root, const char *const *paths, size_t count)
{
    bool doubtful = false;
    for (size_t i = 0; i < count; i++) {
        int there = weir_procfs_exists(root, paths[i]);
        if (there == 1) {
            return known(1, paths[i]);
        }
        doubtful = doubtful || there < 0;
    }
    return doubtful ? unknown(paths[0]) : known(0, paths[0]);
}

void weir_platform_read(const char *root, const weir_cgroups_t *groups, weir_facts_t *facts)
{
    static const char *const gvisor[] = {"/proc/sentry-meminfo"};
    static const char *const android[] = {"/system/build.prop", "/system/bin/app_process"};
    facts->container = unknown("/proc/self/ns/pid");
    facts->gvisor = unknown(gvisor[0]);
    facts->android = unknown(android[0]);
    facts->wsl = read_wsl(root, facts->kernel_name);
    /* Where /proc is not there, what is not in it proves nothing. */
    if (weir_procfs_exists(root, "/proc/self") != 1) {
        return;
    }
    facts->container = read_container(root, groups, facts->wsl.value != WEIR_WSL_NONE);
    facts->gvisor = read_presence(root, gvisor, sizeof gvisor / sizeof gvisor[0]);
    facts->android = read_presence(root, android, sizeof android / sizeof android[0]);
}

/* ---- The machine's maker ----------------------------------------------------------------------------------------- */

bool weir_hypervisor_of_device_tree(const char *list, size_t length, weir_hypervisor_t *ret_hypervisor)
{
    static const struct {
        const char *beginning;
        weir_hypervisor_t hypervisor;
    } names[] = {
        {"linux,kvm", WEIR_HYPERVISOR_KVM}, {"xen,xen", WEIR_HYPERVISOR_XEN}, {"vmware", WEIR_HYPERVISOR_VMWARE},
        {"linux,dummy-virt", WEIR_HYPERVISOR_OTHER}, /* some machine that is none */
    };
    for (size_t at = 0; at < length;) {
        const char *end = memchr(list + at, '\0', length - at);
        size_t part = end == NULL ? length - at : (size_t)(end - (list + at));
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            if (begins_with(list + at, part, names[i].beginning)) {
                *ret_hypervisor = names[i].hypervisor;
                return true;
            }
        }
        at += part + 1;
    }
    return false;
}

bool weir_hypervisor_of_vendor(const char *vendor, const char *product, weir_hypervisor_t *ret_hypervisor)
{
    /* What each word begins with; "" for any */
    static const struct {
        const char *vendor;
        const char *product;
        weir_hypervisor_t hypervisor;
    } makers[] = {
        {"QEMU", "", WEIR_HYPERVISOR_QEMU},
        {"", "KVM", WEIR_HYPERVISOR_KVM},
        {"VMware", "", WEIR_HYPERVISOR_VMWARE},
        {"Microsoft Corporation", "Virtual Machine", WEIR_HYPERVISOR_HYPER_V},
        {"Xen", "", WEIR_HYPERVISOR_XEN},
        {"Google", "Google Compute Engine", WEIR_HYPERVISOR_KVM},
        {"Apple Inc.", "Apple Virtualization", WEIR_HYPERVISOR_OTHER},
        {"Parallels", "", WEIR_HYPERVISOR_OTHER},
        {"innotek GmbH", "VirtualBox", WEIR_HYPERVISOR_OTHER},
    };
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        if (begins_with(vendor, strlen(vendor), makers[i].vendor) &&
            begins_with(product, strlen(product), makers[i].product)) {
            *ret_hypervisor = makers[i].hypervisor;
            return true;
        }
    }
    return false;
}

/* A short text on one line, "" when there is none. */
static void read_line(const char *root, const char *path, char *line, size_t size)
{
    char text[128];
    if (!weir_procfs_read(root, path, text, sizeof text)) {
        text[0] = '\0';
    }
    weir_text_one_line(line, size, text, strlen(text));
}

static bool device_tree_tells(const char *root, const char *path, weir_hypervisor_t *ret_hypervisor)
{
    char list[512];
    size_t length;
    return weir_procfs_read_bytes(root, path, list, sizeof list, &length) &&
           weir_hypervisor_of_device_tree(list, length, ret_hypervisor);
}

void weir_platform_read_hypervisor(const char *root, weir_facts_t *facts)
{
    static const char configuration[] = "/proc/device-tree/fw-cfg@9020000"; /* where QEMU's virt machine has it */
    static const char *const trees[] = {"/proc/device-tree/hypervisor/compatible", "/proc/device-tree/compatible"};
    weir_hypervisor_t hypervisor = WEIR_HYPERVISOR_NONE;
    char vendor[64];
    char product[64];
    facts->hypervisor = unknown("/sys/class/dmi/id/sys_vendor");
    if (device_tree_tells(root, trees[0], &hypervisor)) {
        facts->hypervisor = known(hypervisor, trees[0]);
        return;
    }
    if (weir_procfs_exists(root, configuration) == 1) {
        facts->hypervisor = known(WEIR_HYPERVISOR_QEMU, configuration);
        return;
    }
    if (device_tree_tells(root, trees[1], &hypervisor)) {
        facts->hypervisor = known(hypervisor, trees[1]);
        return;
    }
    read_line(root, "/sys/class/dmi/id/sys_vendor", vendor, sizeof vendor);
    read_line(root, "/sys/class/dmi/id/product_name", product, sizeof product);
    if (weir_hypervisor_of_vendor(vendor, product, &hypervisor)) {
        facts->hypervisor = known(hypervisor, "/sys/class/dmi/id/sys_vendor");
        snprintf(facts->hypervisor_signature, sizeof facts->hypervisor_signature, "%.15s", vendor);
    }
}
