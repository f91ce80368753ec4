/*
 * test_facts_places.c: where a process runs: bare metal, machines, containers, emulators and other kernels, from what
 * each of them shows.
 */
#include "allocator/platform.h"
#include "facts_support.h"

#define MIB ((uint64_t)1 << 20)

/* ---- Places ------------------------------------------------------------------------------------------------------ */

static const answer_t tcg[] = {
    {0, 0, SIGNATURE(7, "AuthcAMDenti")},
    {1, 0, {0, 0, LEAF_1_ECX | HYPERVISOR_BIT, 0}},
    {7, 0, {0, LEAF_7_EBX, 0, 0}},
    {0x40000000, 0, SIGNATURE(0x40000001, "TCGTCGTCGTCG")},
};

static const answer_t kvm[] = {
    {0, 0, SIGNATURE(7, "GenuntelineI")},
    {1, 0, {0, 0, LEAF_1_ECX | HYPERVISOR_BIT, 0}},
    {0x40000000, 0, SIGNATURE(0x40000001, "KVMKVMKVM\0\0\0")},
};

static const answer_t hyper_v[] = {
    {0, 0, SIGNATURE(7, "GenuntelineI")},
    {1, 0, {0, 0, LEAF_1_ECX | HYPERVISOR_BIT, 0}},
    {0x40000000, 0, SIGNATURE(0x40000005, "Microsoft Hv")},
};

#define OWN_NAMESPACES                                                                                                 \
    {"/proc/self/ns/pid", "pid:[4026532501]"}, {"/proc/self/ns/ipc", "ipc:[4026532500]"},                              \
        {"/proc/self/ns/uts", "uts:[4026532499]"}, {"/proc/self/ns/cgroup", "cgroup:[4026532502]"}

typedef struct place {
    const char *name;
    const answer_t *answers; /* NULL: bare metal, as the machine of facts_support.h */
    size_t answer_count;
    const char *kernel; /* NULL: an ordinary one */
    struct {
        const char *path;
        const char *text;
        size_t size; /* of a text with NUL bytes; 0: its length */
    } files[8];
    struct {
        const char *path;
        const char *target;
    } links[5];
    const char *without[3];
    /* What must be found */
    weir_hypervisor_t hypervisor;
    weir_container_t container;
    const char *container_source;
    weir_knowledge_t limit_knowledge;
    uint64_t limit;
    uint64_t used;
    bool kills_group;
    bool emulated;
    bool gvisor;
    weir_wsl_t wsl;
    bool android;
} place_t;

#define CGROUP2 "30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n"
#define PROCESSOR(name) .answers = (name), .answer_count = COUNT(name)
#define ALONE                                                                                                          \
    .limit_knowledge = WEIR_KNOWN, .limit = 268435456, .used = 15000000,                                               \
    .kills_group = true /* as put_healthy_machine */

static const place_t places[] = {
    {
        .name = "bare metal",
        .container_source = "/proc/self/ns",
        ALONE,
    },
    {
        .name = "a KVM machine",
        PROCESSOR(kvm),
        .hypervisor = WEIR_HYPERVISOR_KVM,
        .container_source = "/proc/self/ns",
        ALONE,
    },
    {
        .name = "a QEMU machine that is emulated",
        PROCESSOR(tcg),
        .hypervisor = WEIR_HYPERVISOR_TCG,
        .container_source = "/proc/self/ns",
        ALONE,
    },
    {
        .name = "qemu-user",
        PROCESSOR(tcg),
        .links = {{"/proc/thread-self/exe", "/usr/bin/qemu-x86_64"}},
        .hypervisor = WEIR_HYPERVISOR_TCG,
        .container_source = "/proc/self/ns",
        .emulated = true,
        ALONE,
    },
    {
        .name = "a machine whose disk was made from a container's image",
        PROCESSOR(kvm),
        .files = {{"/.dockerenv", "", 0}, {"/run/.containerenv", "", 0}, {"/run/systemd/container", "docker\n", 0}},
        .hypervisor = WEIR_HYPERVISOR_KVM,
        .container_source = "/proc/self/ns",
        ALONE,
    },
    {
        .name = "Docker with cgroup v1",
        .files = {{"/.dockerenv", "", 0}, {"/proc/self/cgroup", "5:cpu:/docker/4f5e\n4:memory:/docker/4f5e\n", 0},
            {"/proc/self/mountinfo", "31 23 0:27 /docker/4f5e /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n", 0},
            {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "134217728\n", 0},
            {"/sys/fs/cgroup/memory/memory.usage_in_bytes", "30000000\n", 0},
            {"/sys/fs/cgroup/memory/memory.stat", "total_inactive_file 1000000\n", 0}},
        .links = {OWN_NAMESPACES},
        .container = WEIR_CONTAINER_DOCKER,
        .container_source = "/proc/self/cgroup",
        .limit_knowledge = WEIR_KNOWN,
        .limit = 134217728,
        .used = 29000000,
    },
    {
        .name = "Docker with cgroup v2",
        .files = {{"/.dockerenv", "", 0}, {"/proc/self/cgroup", "0::/\n", 0}, {"/proc/self/mountinfo", CGROUP2, 0},
            {"/sys/fs/cgroup/memory.max", "134217728\n", 0}, {"/sys/fs/cgroup/memory.current", "30000000\n", 0},
            {"/sys/fs/cgroup/memory.oom.group", "0\n", 0}},
        .links = {OWN_NAMESPACES},
        .container = WEIR_CONTAINER_DOCKER,
        .container_source = "/.dockerenv",
        .limit_knowledge = WEIR_KNOWN,
        .limit = 134217728,
        .used = 30000000,
    },
    {
        .name = "Kubernetes with the machine's groups, of which the pod's is the tightest",
        PROCESSOR(kvm),
        .files = {{"/proc/self/cgroup", "0::/kubepods.slice/kubepods-burstable.slice/pod7/cri-containerd-9.scope\n", 0},
            {"/proc/self/mountinfo", CGROUP2, 0},
            {"/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/pod7/cri-containerd-9.scope/memory.max",
                "536870912\n", 0},
            {"/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/pod7/cri-containerd-9.scope/memory.current",
                "104857600\n", 0},
            {"/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/pod7/cri-containerd-9.scope/memory.oom.group",
                "1\n", 0},
            {"/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/pod7/memory.max", "629145600\n", 0},
            {"/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/pod7/memory.current", "600000000\n", 0},
            {"/sys/fs/cgroup/kubepods.slice/memory.max", "max\n", 0}},
        .links = {OWN_NAMESPACES},
        .hypervisor = WEIR_HYPERVISOR_KVM,
        .container = WEIR_CONTAINER_KUBERNETES,
        .container_source = "/proc/self/cgroup",
        .limit_knowledge = WEIR_KNOWN,
        .limit = 629145600,
        .used = 600000000,
        .kills_group = true,
    },
    {
        .name = "Kubernetes with a group namespace",
        PROCESSOR(kvm),
        .files = {{"/.dockerenv", "", 0}, {"/proc/self/cgroup", "0::/\n", 0}, {"/proc/self/mountinfo", CGROUP2, 0},
            {"/proc/self/environ", "PATH=/bin\0KUBERNETES_SERVICE_HOST=10.0.0.1\0", 43},
            {"/sys/fs/cgroup/memory.max", "max\n", 0}, {"/sys/fs/cgroup/memory.oom.group", "1\n", 0}},
        .links = {OWN_NAMESPACES},
        .hypervisor = WEIR_HYPERVISOR_KVM,
        .container = WEIR_CONTAINER_KUBERNETES,
        .container_source = "/proc/self/environ",
        .limit_knowledge = WEIR_UNLIMITED,
        .kills_group = true,
    },
    {
        .name = "Podman",
        .files = {{"/run/.containerenv", "engine=\"podman\"\n", 0}},
        .links = {OWN_NAMESPACES},
        .container = WEIR_CONTAINER_PODMAN,
        .container_source = "/run/.containerenv",
        ALONE,
    },
    {
        .name = "Podman that says so itself, from an image of Docker's",
        .files = {{"/.dockerenv", "", 0}, {"/proc/self/environ", "container=podman\0HOME=/\0", 24}},
        .links = {OWN_NAMESPACES},
        .container = WEIR_CONTAINER_PODMAN,
        .container_source = "/proc/self/environ",
        ALONE,
    },
    {
        .name = "LXC",
        .files = {{"/proc/1/environ", "container=lxc\0TERM=linux\0", 25}},
        .links = {OWN_NAMESPACES},
        .container = WEIR_CONTAINER_LXC,
        .container_source = "/proc/1/environ",
        ALONE,
    },
    {
        .name = "systemd-nspawn",
        .files = {{"/run/systemd/container", "systemd-nspawn\n", 0}},
        .links = {OWN_NAMESPACES},
        .container = WEIR_CONTAINER_NSPAWN,
        .container_source = "/run/systemd/container",
        ALONE,
    },
    {
        .name = "a container that leaves no trace",
        .links = {OWN_NAMESPACES},
        .container = WEIR_CONTAINER_OTHER,
        .container_source = "/proc/self/ns/pid",
        ALONE,
    },
    {
        .name = "a service that systemd keeps apart",
        .links = {{"/proc/self/ns/ipc", "ipc:[4026532500]"}, {"/proc/self/ns/uts", "uts:[4026532499]"}},
        .container_source = "/proc/self/ns/pid",
        ALONE,
    },
    {
        .name = "gVisor",
        .kernel = "4.4.0",
        .files = {{"/.dockerenv", "", 0}, {"/proc/sentry-meminfo", "Alloc: 1\n", 0}, {"/proc/self/cgroup", "", 0}},
        .links = {{"/proc/self/ns/pid", "pid:[1]"}},
        .without = {"/proc/pressure/memory", "/proc/buddyinfo", "/sys/kernel/mm/transparent_hugepage/enabled"},
        .container = WEIR_CONTAINER_DOCKER,
        .container_source = "/.dockerenv",
        .gvisor = true,
        .limit_knowledge = WEIR_UNKNOWN,
    },
    {
        .name = "the second Windows Subsystem for Linux",
        PROCESSOR(hyper_v),
        .kernel = "5.15.153.1-microsoft-standard-WSL2",
        .files = {{"/proc/1/environ", "container=wsl\0", 14}},
        .links = {OWN_NAMESPACES},
        .hypervisor = WEIR_HYPERVISOR_HYPER_V,
        .container_source = "/proc/self/ns/pid",
        .wsl = WEIR_WSL_2,
        ALONE,
    },
    {
        .name = "the same with a kernel of one's own",
        PROCESSOR(hyper_v),
        .kernel = "6.6.1-mine",
        .files = {{"/run/WSL/1_interop", "", 0}},
        .links = {OWN_NAMESPACES},
        .hypervisor = WEIR_HYPERVISOR_HYPER_V,
        .container_source = "/proc/self/ns/pid",
        .wsl = WEIR_WSL_2,
        ALONE,
    },
    {
        .name = "Docker in it",
        PROCESSOR(hyper_v),
        .kernel = "5.15.153.1-microsoft-standard-WSL2",
        .files = {{"/.dockerenv", "", 0}},
        .links = {OWN_NAMESPACES},
        .hypervisor = WEIR_HYPERVISOR_HYPER_V,
        .container = WEIR_CONTAINER_DOCKER,
        .container_source = "/.dockerenv",
        .wsl = WEIR_WSL_2,
        ALONE,
    },
    {
        .name = "the first Windows Subsystem for Linux",
        .kernel = "4.4.0-19041-Microsoft",
        .container_source = "/proc/self/ns",
        .wsl = WEIR_WSL_1,
        ALONE,
    },
    {
        .name = "Android",
        .kernel = "5.10.157-android13-4-00001-g5c7ff5dc7aac",
        .files = {{"/system/build.prop", "", 0}, {"/proc/self/cgroup", "0::/uid_10190/pid_4711\n", 0}},
        .without = {"/proc/pressure/memory", "/proc/self/mountinfo", "/proc/buddyinfo"},
        .container_source = "/proc/self/ns",
        .android = true,
        .limit_knowledge = WEIR_UNKNOWN,
    },
};

static void check_word(const char *place, const char *what, weir_fact_t fact, uint64_t value)
{
    if (fact.knowledge != WEIR_KNOWN || fact.value != value || fact.source == NULL) {
        fail_msg(
            "%s: %s is %d, %llu, from %s", place, what, fact.knowledge, (unsigned long long)fact.value, fact.source);
    }
}

static void check_place(const place_t *place)
{
    weir_machine_t probes = machine();
    weir_facts_t facts;
    put_healthy_machine();
    for (size_t i = 0; i < COUNT(place->files) && place->files[i].path != NULL; i++) {
        size_t size = place->files[i].size;
        put_bytes(place->files[i].path, place->files[i].text, size == 0 ? strlen(place->files[i].text) : size);
    }
    for (size_t i = 0; i < COUNT(place->links) && place->links[i].path != NULL; i++) {
        put_link(place->links[i].path, place->links[i].target);
    }
    for (size_t i = 0; i < COUNT(place->without) && place->without[i] != NULL; i++) {
        assert_int_equal(unlink(in_tree(place->without[i])), 0);
    }
    if (place->answers != NULL) {
        set_processor(place->answers, place->answer_count);
    }
    kernel_name = place->kernel != NULL ? place->kernel : "6.1.85-cloud-amd64";
    weir_facts_read(&probes, &facts, NULL);
    check_word(place->name, "hypervisor", facts.hypervisor, place->hypervisor);
    check_word(place->name, "container", facts.container, place->container);
    assert_string_equal(facts.container.source, place->container_source);
    check_word(place->name, "emulated", facts.emulated, place->emulated);
    check_word(place->name, "gvisor", facts.gvisor, place->gvisor);
    check_word(place->name, "wsl", facts.wsl, place->wsl);
    check_word(place->name, "android", facts.android, place->android);
    if (facts.cgroup_limit.knowledge != place->limit_knowledge || facts.cgroup_limit.value != place->limit ||
        facts.cgroup_used.value != place->used) {
        fail_msg("%s: the group's limit is %d, %llu, of which %llu is used", place->name, facts.cgroup_limit.knowledge,
            (unsigned long long)facts.cgroup_limit.value, (unsigned long long)facts.cgroup_used.value);
    }
    if (place->limit_knowledge != WEIR_UNKNOWN) {
        check_word(place->name, "cgroup_kills_group", facts.cgroup_kills_group, place->kills_group);
    }
}

static void every_place_is_told_from_the_others(void **state)
{
    for (size_t i = 0; i < COUNT(places); i++) {
        check_place(&places[i]);
        remove_tree(state);
        assert_int_equal(make_tree(state), 0);
    }
}

/* ---- Containers -------------------------------------------------------------------------------------------------- */

static void a_groups_path_names_its_container(void **state)
{
    static const struct {
        const char *path;
        int container; /* -1: none is named */
    } cases[] = {
        {"/docker/0123456789abcdef", WEIR_CONTAINER_DOCKER},
        {"/system.slice/docker-0123456789abcdef.scope", WEIR_CONTAINER_DOCKER},
        {"/system.slice/docker.service", -1},
        {"/docker", -1},
        {"/docker-compose", -1},
        {"/kubepods/burstable/pod1/2", WEIR_CONTAINER_KUBERNETES},
        {"/kubepods.slice/kubepods-pod1.slice/docker-2.scope", WEIR_CONTAINER_KUBERNETES},
        {"/machine.slice/libpod-1.scope/container", WEIR_CONTAINER_PODMAN},
        {"/machine.slice/libpod-conmon-1.scope", -1},
        {"/lxc.payload.web", WEIR_CONTAINER_LXC},
        {"/lxc/web", WEIR_CONTAINER_LXC},
        {"/lxc", -1},
        {"/user.slice/user-1000.slice/session-2.scope", -1},
        {"/", -1},
        {"//", -1},
        {"", -1},
        {"docker/x", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_container_t container = (weir_container_t)99;
        bool named = weir_container_of_path(cases[i].path, &container);
        if (named != (cases[i].container >= 0) || (named && (int)container != cases[i].container)) {
            fail_msg("'%s': %d, %d", cases[i].path, named, (int)container);
        }
    }
}

static void an_environment_tells_what_it_holds_and_no_more(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        int container; /* -1: it tells of none */
    } cases[] = {
        {"", 0, -1},
        {"\0\0\0", 3, -1},
        {"A=1\0container=lxc", 17, WEIR_CONTAINER_LXC},
        {"container=lxc\n", 14, WEIR_CONTAINER_LXC},
        {"container=", 10, -1},
        {"container=wsl", 13, -1},
        {"container=oci", 13, WEIR_CONTAINER_OTHER},
        {"container=\xff\xfe", 12, -1},
        {"xcontainer=lxc", 14, -1},
        {"CONTAINER=lxc", 13, -1},
        {"container=docker\0KUBERNETES_SERVICE_HOST=1", 42, WEIR_CONTAINER_KUBERNETES},
        {"KUBERNETES_SERVICE_HOSTS=1", 26, -1},
    };
    static weir_lines_t lines;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        weir_container_t container = (weir_container_t)99;
        weir_lines_open_text(&lines, cases[i].text, cases[i].size, '\0');
        bool told = weir_container_of_environment(&lines, &container);
        if (told != (cases[i].container >= 0) || (told && (int)container != cases[i].container)) {
            fail_msg("case %zu: %d, %d", i, told, (int)container);
        }
    }
}

static void an_environment_of_megabytes_is_read_to_its_end(void **state)
{
    size_t size = 3 * MIB;
    char *text = malloc(size);
    weir_machine_t probes = machine();
    weir_facts_t facts;
    (void)state;
    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text + size - 15, "\0container=lxc\0", 15);
    put_healthy_machine();
    put_link("/proc/self/ns/pid", "pid:[4026532501]");
    put_bytes("/proc/self/environ", text, size);
    free(text);
    weir_facts_read(&probes, &facts, NULL);
    assert_known(facts.container, WEIR_CONTAINER_LXC);
}

static void without_its_namespaces_a_container_is_unknown(void **state)
{
    weir_machine_t probes = machine();
    weir_facts_t facts;
    (void)state;
    put_healthy_machine();
    unlink(in_tree("/proc/self/ns/pid"));
    weir_facts_read(&probes, &facts, NULL);
    assert_int_equal(facts.container.knowledge, WEIR_UNKNOWN);
    put("/.dockerenv", "");
    weir_facts_read(&probes, &facts, NULL);
    assert_known(facts.container, WEIR_CONTAINER_DOCKER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_TREE(every_place_is_told_from_the_others),
        cmocka_unit_test(a_groups_path_names_its_container),
        cmocka_unit_test(an_environment_tells_what_it_holds_and_no_more),
        IN_TREE(an_environment_of_megabytes_is_read_to_its_end),
        IN_TREE(without_its_namespaces_a_container_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
