/*
 * allocator_cgroup.c: fuzzes the parsers of /proc/self/cgroup and /proc/self/mountinfo. An input is both, parted by a
 * byte 0xff.
 */
#include "allocator/cgroup.h"
#include "allocator/platform.h"
#include "fuzz.h"

static weir_lines_t group_lines;
static weir_lines_t mount_lines;
static weir_cgroups_t groups;

static void check_place(const weir_cgroup_place_t *place)
{
    weir_container_t container = (weir_container_t)99;
    size_t length = strnlen(place->directory, sizeof place->directory);
    must_hold(strnlen(place->path, sizeof place->path) < sizeof place->path && length < sizeof place->directory);
    must_hold(place->path[0] == '/' || place->path[0] == '\0');
    must_hold(place->top <= length);
    must_hold(place->path[0] == '/' || length == 0);
    /* Nothing above the mount is ever read. */
    must_hold(strstr(place->directory + place->top, "/..") == NULL);
    must_hold(
        weir_container_of_path(place->path, &container) ? container < WEIR_CONTAINER_OTHER : (unsigned)container == 99);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *part;
    size_t length = take_part(&data, &size, 0xff, &part);
    char *group_text = copy_text(part, length);
    char *mount_text = copy_text(data, size);
    weir_lines_open_text(&group_lines, group_text, length, '\n');
    weir_lines_open_text(&mount_lines, mount_text, size, '\n');
    if (weir_cgroup_parse(&group_lines, &mount_lines, &groups)) {
        for (size_t i = 0; i < WEIR_CGROUP_HIERARCHIES; i++) {
            check_place(&groups.places[i]);
        }
    }
    free(group_text);
    free(mount_text);
    return 0;
}
