/*
 * allocator_platform.c: fuzzes what tells of containers and of a machine's maker: environments, managers' words, device
 * trees, DMI.
 */
#include "allocator/platform.h"
#include "allocator/text.h"
#include "fuzz.h"

static weir_lines_t lines;

static void check_container(bool told, weir_container_t container)
{
    must_hold(told ? container > WEIR_CONTAINER_NONE && container <= WEIR_CONTAINER_OTHER : (unsigned)container == 99);
}

static void check_hypervisor(bool told, weir_hypervisor_t hypervisor)
{
    must_hold(
        told ? hypervisor > WEIR_HYPERVISOR_NONE && hypervisor <= WEIR_HYPERVISOR_OTHER : (unsigned)hypervisor == 99);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = copy_text(data, size);
    weir_container_t container = (weir_container_t)99;
    weir_hypervisor_t hypervisor = (weir_hypervisor_t)99;
    weir_lines_open_text(&lines, text, size, '\0');
    bool told = weir_container_of_environment(&lines, &container);
    check_container(told, container);
    container = (weir_container_t)99;
    told = weir_container_of_word(text, &container);
    check_container(told, container);
    told = weir_hypervisor_of_device_tree(text, size, &hypervisor);
    check_hypervisor(told, hypervisor);
    /* Vendor and product: two lines */
    const uint8_t *part;
    size_t length = take_part(&data, &size, '\n', &part);
    char *vendor = copy_text(part, length);
    char *product = copy_text(data, size);
    hypervisor = (weir_hypervisor_t)99;
    told = weir_hypervisor_of_vendor(vendor, product, &hypervisor);
    check_hypervisor(told, hypervisor);
    char line[16];
    weir_text_one_line(line, sizeof line, text, strlen(text));
    for (const char *byte = line; *byte != '\0'; byte++) {
        must_hold(*byte >= ' ' && *byte <= '~');
    }
    free(vendor);
    free(product);
    free(text);
    return 0;
}
