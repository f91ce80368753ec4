/*
 * platform.h: where this process runs: containers, gVisor, the Windows Subsystem for Linux, Android, and the machine's
 * maker where the processor does not name its hypervisor.
 */
#ifndef WEIR_ALLOCATOR_PLATFORM_H
#define WEIR_ALLOCATOR_PLATFORM_H

#include "allocator/cgroup.h"
#include "allocator/lines.h"
#include "weir/allocator.h"

/*
 * Read container, gvisor, wsl and android. `groups` is where the process's control groups are; facts->kernel_name must
 * have been read. What cannot be told is WEIR_UNKNOWN.
 */
void weir_platform_read(const char *root, const weir_cgroups_t *groups, weir_facts_t *facts);

/*
 * Read hypervisor and hypervisor_signature from the device tree and the firmware's tables (DMI), for a processor that
 * does not say. They never prove that there is none.
 */
void weir_platform_read_hypervisor(const char *root, weir_facts_t *facts);

/* ---- Parsers ----------------------------------------------------------------------------------------------------- */

/* The kind of container that a group's path names; false when it names none. */
bool weir_container_of_path(const char *path, weir_container_t *ret_container);

/* The kind that a container's manager calls itself by, as in the variable `container`; false for a word that says that
 * there is none, or says nothing. */
bool weir_container_of_word(const char *word, weir_container_t *ret_container);

/* The kind that an environment (strings that NUL bytes end) tells of; false when it tells of none. */
bool weir_container_of_environment(weir_lines_t *lines, weir_container_t *ret_container);

/* The hypervisor that the first `length` bytes of a device tree's list of strings name; false when they name none. */
bool weir_hypervisor_of_device_tree(const char *list, size_t length, weir_hypervisor_t *ret_hypervisor);

/* The hypervisor that the vendor and the product name of DMI stand for; false when they stand for none. */
bool weir_hypervisor_of_vendor(const char *vendor, const char *product, weir_hypervisor_t *ret_hypervisor);

#endif
