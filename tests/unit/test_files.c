/*
 * test_files.c: the files that components are given. Expected values come from Spin's crates/loader/src/local.rs (its
 * functions are named below) and from the crate glob that it uses.
 */
#include "app/files.h"
#include "manifest_support.h"
#include "temporary.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The working directory of each test: "app" is the application, "tmp" is where copies are made. */
static char directory[] = "/tmp/weir-test-files-XXXXXX";
static char *before;

static void make_directories(const char *path)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *slash = strchr(copy, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(copy, 0755);
        *slash = '/';
    }
}

static void write_file(const char *path, const char *text)
{
    make_directories(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int make(void **state)
{
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    before = getcwd(NULL, 0);
    if (before == NULL || mkdtemp(directory) == NULL || chdir(directory) != 0)
        return -1;
    static const char *const FILES[] = {"app/a.txt", "app/b.md", "app/.hidden", "app/static/c.txt",
        "app/static/d/e.txt", "app/static/d/f.md", "app/static/.g", "app/[x]/y*z", "outside/h.txt", "outside/i/j.txt"};
    for (size_t i = 0; i < COUNT(FILES); i++)
        write_file(FILES[i], FILES[i]);
    return mkdir("tmp", 0755);
}

static int clean(void **state)
{
    (void)state;
    int result = chdir(before);
    free(before);
    return result != 0 ? -1 : temporary_remove(directory);
}

/* An application of one component, "hello". */
typedef struct application {
    weir_files_t files[4];
    weir_placed_text_t exclude_files[2];
    weir_component_t components[2];
    weir_manifest_t manifest;
    weir_files_settings_t settings;
} application_t;

static void describe(application_t *application)
{
    *application = (application_t){0};
    application->manifest.path = "app/spin.toml";
    application->manifest.directory = "app";
    application->manifest.components = application->components;
    application->manifest.component_count = 1;
    application->components[0].id = "hello";
    application->components[0].files = application->files;
    application->components[0].exclude_files = application->exclude_files;
    application->components[1].id = "other";
    application->settings.temporary_directory = "tmp";
}

static void add(application_t *application, char *source, char *destination)
{
    weir_component_t *component = &application->components[0];
    weir_files_t *files = &application->files[component->files_count++];
    files->source = source;
    files->destination = destination;
    files->place = (weir_place_t){9, 10};
}

static void exclude(application_t *application, char *pattern)
{
    weir_component_t *component = &application->components[0];
    weir_placed_text_t *excluded = &application->exclude_files[component->exclude_files_count++];
    excluded->text = pattern;
    excluded->place = (weir_place_t){10, 18};
}

static weir_files_prepared_t prepare(application_t *application)
{
    weir_files_prepared_t files;
    char *message = NULL;
    if (!weir_files_prepare(&application->manifest, &application->settings, &files, &message))
        fail_msg("%s", message);
    return files;
}

/* All regular files below a directory, sorted, with spaces between. */
static char found[4096];
static size_t found_base;

static int find_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)place;
    assert_int_not_equal(kind, FTW_SL); /* links are followed */
    if (kind != FTW_F)
        return 0;
    /* Insertion sort among the words. */
    char all[sizeof found];
    size_t size = 0;
    bool placed = false;
    const char *name = path + found_base;
    for (char *word = strtok(found, " "); word != NULL; word = strtok(NULL, " ")) {
        if (!placed && strcmp(name, word) < 0) {
            size += (size_t)snprintf(all + size, sizeof all - size, "%s%s", size > 0 ? " " : "", name);
            placed = true;
        }
        size += (size_t)snprintf(all + size, sizeof all - size, "%s%s", size > 0 ? " " : "", word);
    }
    if (!placed)
        size += (size_t)snprintf(all + size, sizeof all - size, "%s%s", size > 0 ? " " : "", name);
    memcpy(found, all, size + 1);
    return 0;
}

static const char *list(const char *path)
{
    found[0] = '\0';
    found_base = strlen(path) + 1;
    assert_int_equal(nftw(path, find_one, 8, FTW_PHYS), 0);
    return found;
}

static size_t count_entries(const char *path)
{
    size_t count = 0;
    DIR *opened = opendir(path);
    assert_non_null(opened);
    struct dirent *entry;
    while ((entry = readdir(opened)) != NULL)
        count += entry->d_name[0] != '.' ? 1 : 0;
    closedir(opened);
    return count;
}

static void entries_find_the_files_that_spin_finds(void **state)
{
    (void)state;
    static const struct {
        char *entries[3][2]; /* source, destination */
        char *excluded[2];
        const char *files;
    } CASES[] = {
        /* copy_glob_or_path: patterns keep paths */
        {{{"*"}}, {NULL}, ".hidden a.txt b.md"},
        {{{"./*"}}, {NULL}, ".hidden a.txt b.md"},
        {{{"*.txt"}}, {NULL}, "a.txt"},
        {{{"**/*.txt"}}, {NULL}, "a.txt static/c.txt static/d/e.txt"},
        {{{"static/*"}}, {NULL}, "static/.g static/c.txt"},
        {{{"static/**/*"}}, {NULL}, "static/.g static/c.txt static/d/e.txt static/d/f.md"},
        {{{"static/**"}}, {NULL}, ""}, /* glob: directories alone */
        {{{"**/d/*"}}, {NULL}, "static/d/e.txt static/d/f.md"},
        {{{"*/?.txt"}}, {NULL}, "static/c.txt"},
        {{{"*/d/[!e]*"}}, {NULL}, "static/d/f.md"},
        {{{"*/"}}, {NULL}, ""}, /* glob: directories alone */
        {{{"**/**/e.txt"}}, {NULL}, "static/d/e.txt"},
        {{{"static/../*.txt"}}, {NULL}, "a.txt"},
        {{{"none*"}}, {NULL}, ""},
        {{{"static//d//*.txt"}}, {NULL}, "static/d/e.txt"},
        /* a file, and one whose name looks like a pattern */
        {{{"static/d/e.txt"}}, {NULL}, "static/d/e.txt"},
        {{{"[x]/y*z"}}, {NULL}, "[x]/y*z"},
        /* a directory: dest_root.join(glob_or_path), and below it the path from the application's directory */
        {{{"static/d"}}, {NULL}, "static/d/static/d/e.txt static/d/static/d/f.md"},
        /* copy_file_or_directory */
        {{{"static", "/"}}, {NULL}, ".g c.txt d/e.txt d/f.md"},
        {{{"static/", "/in/guest/"}}, {NULL}, "in/guest/.g in/guest/c.txt in/guest/d/e.txt in/guest/d/f.md"},
        {{{"a.txt", "/x/y.txt"}}, {NULL}, "x/y.txt"},
        {{{"a.txt", "y.txt"}}, {NULL}, "y.txt"},
        {{{"../outside", "/o"}}, {NULL}, "o/h.txt o/i/j.txt"}, /* strip_prefix looks at the text alone */
        {{{"[x]", "/"}}, {NULL}, "y*z"},
        {{{".", "/"}}, {"**/*.txt"}, ".hidden [x]/y*z b.md static/.g static/d/f.md"},
        /* several; the last one of a name stays */
        {{{"*.txt"}, {"b.md", "/a.txt"}, {"static/d", "/"}}, {NULL}, "a.txt e.txt f.md"},
        /* exclude_files: whole paths from the application's directory, in which * takes slashes; only for patterns
         * and directories (tests/testcases/assets-test/spin.toml) */
        {{{"**/*"}}, {"static/*"}, ".hidden [x]/y*z a.txt b.md"},
        {{{"**/*"}}, {"*.txt", "**/.*"}, "[x]/y*z b.md static/d/f.md"},
        {{{"static", "/"}}, {"static/d/*"}, ".g c.txt"},
        {{{"static", "/"}}, {"c.txt", "d/*"}, ".g c.txt d/e.txt d/f.md"},
        {{{"./static/", "/"}}, {"static/d/*"}, ".g c.txt"},
        {{{"../outside", "/"}}, {"../outside/i/*"}, "h.txt"},
        {{{"a.txt"}}, {"a.txt"}, "a.txt"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        application_t application;
        describe(&application);
        for (size_t j = 0; j < 3 && CASES[i].entries[j][0] != NULL; j++)
            add(&application, CASES[i].entries[j][0], CASES[i].entries[j][1]);
        for (size_t j = 0; j < 2 && CASES[i].excluded[j] != NULL; j++)
            exclude(&application, CASES[i].excluded[j]);
        weir_files_prepared_t files = prepare(&application);
        assert_int_equal(files.components[0].mount_count, 1);
        assert_string_equal(files.components[0].mounts[0].guest_path, "/");
        assert_false(files.components[0].mounts[0].writable);
        if (strcmp(list(files.components[0].mounts[0].host_path), CASES[i].files) != 0)
            fail_msg("%s:\nfound:  %s\nwanted: %s", CASES[i].entries[0][0], found, CASES[i].files);
        assert_true(weir_files_remove(&files));
        assert_null(files.components);
        assert_int_equal(count_entries("tmp"), 0);
    }
}

static void an_absolute_source_must_be_in_the_application(void **state)
{
    (void)state;
    static const struct {
        const char *source; /* below the working directory */
        char *destination;
        const char *files; /* or NULL: refused */
    } CASES[] = {
        {"app/static/d", "/", "e.txt f.md"},
        {"app/./static//d/", "/", "e.txt f.md"},
        {"app/a.txt", "/b", "b"},
        {"outside", "/", NULL},
        {"application", "/", NULL},
        {"app/*.txt", NULL, "a.txt"},
        {"app/a.txt", NULL, NULL}, /* copy_single_file: the destination is not in the copy's root */
        {"outside/*", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char source[PATH_MAX];
        application_t application;
        weir_files_prepared_t files;
        char *message = NULL;
        describe(&application);
        snprintf(source, sizeof source, "%s/%s", directory, CASES[i].source);
        add(&application, source, CASES[i].destination);
        if (weir_files_prepare(&application.manifest, &application.settings, &files, &message)) {
            if (CASES[i].files == NULL)
                fail_msg("this was let pass: %s", source);
            assert_string_equal(list(files.components[0].mounts[0].host_path), CASES[i].files);
            assert_true(weir_files_remove(&files));
        } else {
            if (CASES[i].files != NULL)
                fail_msg("%s", message);
            assert_non_null(strstr(message, "is absolute"));
            free(message);
        }
    }
}

static void what_is_wrong_is_said_at_its_place_and_nothing_stays_behind(void **state)
{
    (void)state;
#define AT "app/spin.toml:9:10: "
#define OWN_NAME                                                                                                       \
    " in \"files\" ends in a directory that has no name of its own; write { source = \"...\", destination = "          \
    "\"/...\" }, or a pattern that ends in **/*"
#define MISSING                                                                                                        \
    " in \"files\" does not exist; paths start from the manifest's directory; build the component first, if its "      \
    "build makes it"
#define OUT                                                                                                            \
    " in \"files\" leads out of what the guest sees; write { source = \"...\", destination = \"/...\" }, with a "      \
    "destination that has no .."
    static const struct {
        char *source;
        char *destination;
        char *excluded;
        const char *message;
    } CASES[] = {
        {"..", NULL, NULL, AT "\"..\"" OWN_NAME},
        {"static/..", NULL, NULL, AT "\"static/..\"" OWN_NAME},
        {".", NULL, NULL, AT "\".\"" OWN_NAME},
        {"static/.", NULL, NULL, AT "\"static/.\"" OWN_NAME},
        {"none.txt", NULL, NULL, AT "\"none.txt\"" MISSING},
        {"none", "/", NULL, AT "\"none\"" MISSING},
        {"a.txt/b", "/", NULL, AT "\"a.txt/b\"" MISSING},
        {"a**", NULL, NULL,
            AT "\"a**\" in \"files\" has ** beside something else; it stands for directories, as in a/**/b; patterns "
               "are those of Rust's crate glob"},
        {"**/*", NULL, "[",
            "app/spin.toml:10:18: \"[\" in \"exclude_files\" has a [ without its ]; write [[] for the "
            "character"},
        /* bad_destination_filename_is_explained */
        {"a.txt", "/", NULL,
            AT "\"a.txt\" in \"files\": \"/\" is not a valid destination file name, but a directory; add the file's "
               "name"},
        {"a.txt", "/./", NULL,
            AT "\"a.txt\" in \"files\": \"/./\" is not a valid destination file name, but a directory; add the file's "
               "name"},
        /* Not Spin's: there, such files end up where no guest looks, or in another component's copy. */
        {"../outside/*", NULL, NULL, AT "\"../outside/*\"" OUT},
        {"../outside/h.txt", NULL, NULL, AT "\"../outside/h.txt\"" OUT},
        {"a.txt", "/../other/a.txt", NULL, AT "\"a.txt\"" OUT},
        {"static", "/x/../../other", NULL, AT "\"static\"" OUT},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        application_t application;
        weir_files_prepared_t files, untouched;
        memset(&files, 0xA5, sizeof files);
        untouched = files;
        char *message = NULL;
        describe(&application);
        add(&application, "*.md", NULL);
        add(&application, CASES[i].source, CASES[i].destination);
        if (CASES[i].excluded != NULL)
            exclude(&application, CASES[i].excluded);
        if (weir_files_prepare(&application.manifest, &application.settings, &files, &message))
            fail_msg("this was let pass: %s", CASES[i].source);
        assert_memory_equal(&files, &untouched, sizeof files);
        assert_string_equal(message, CASES[i].message);
        free(message);
        assert_int_equal(count_entries("tmp"), 0);
    }
}

static void what_is_no_file_is_refused_or_left_out(void **state)
{
    (void)state;
    application_t application;
    weir_files_prepared_t files;
    char *message = NULL;
    assert_int_equal(mkfifo("app/pipe", 0600), 0);
    describe(&application);
    add(&application, "p*", NULL); /* copy_glob: `if !src.is_file() { continue }` */
    files = prepare(&application);
    assert_string_equal(list(files.components[0].mounts[0].host_path), "");
    assert_true(weir_files_remove(&files));
    add(&application, "pipe", NULL);
    assert_false(weir_files_prepare(&application.manifest, &application.settings, &files, &message));
    assert_string_equal(message, AT "\"pipe\" in \"files\" is neither a file nor a directory; only these can be given "
                                    "to a component");
    free(message);
}

/* Spin's glob and fs::copy follow links, and it says nothing of it. */
static void links_are_followed_and_never_copied_and_what_leads_out_is_told(void **state)
{
    (void)state;
    assert_int_equal(symlink("../outside/h.txt", "app/link.txt"), 0);
    assert_int_equal(symlink("../outside/i", "app/linked"), 0);
    assert_int_equal(symlink("nowhere", "app/dangling"), 0);
    assert_int_equal(symlink(".", "app/static/loop"), 0);
    assert_int_equal(symlink("..", "app/static/d/up"), 0);
    application_t application;
    describe(&application);
    add(&application, "link*/*", NULL);
    add(&application, "link.txt", NULL);
    add(&application, "dang*", NULL);
    add(&application, "static/**/*.txt", NULL);
    weir_files_prepared_t files = prepare(&application);
    assert_string_equal(
        list(files.components[0].mounts[0].host_path), "link.txt linked/j.txt static/c.txt static/d/e.txt");
    static const char *const OUTSIDE[][3] = {
        {"link*/*", "app/linked/j.txt", "outside/i/j.txt"}, {"link.txt", "app/link.txt", "outside/h.txt"}};
    assert_int_equal(files.warning_count, COUNT(OUTSIDE) + 1); /* and "dang*", which finds none */
    for (size_t i = 0; i < COUNT(OUTSIDE); i++) {
        char expected[512];
        snprintf(expected, sizeof expected,
            AT "\"%s\" in \"files\" has a symbolic link that leads out of the application's directory, and a component "
               "is given what is there: \"%s\" is \"%s/%s\"; remove the link, or leave it out with exclude_files",
            OUTSIDE[i][0], OUTSIDE[i][1], directory, OUTSIDE[i][2]);
        assert_string_equal(files.warnings[i], expected);
    }
    assert_true(weir_files_remove(&files));

    /* One for each entry; not for what the manifest itself says to be elsewhere, nor for what is left out. */
    assert_int_equal(symlink("../../outside/i", "app/static/d/out"), 0);
    assert_int_equal(symlink("/proc/self/environ", "app/static/environ"), 0);
    describe(&application);
    add(&application, "static", "/s");
    add(&application, "../outside", "/o");
    add(&application, "link.txt", "/l");
    exclude(&application, "static/d/**/*");
    files = prepare(&application);
    assert_int_equal(files.warning_count, 2);
    assert_non_null(strstr(files.warnings[0], "\"app/static/environ\" is \"/proc/"));
    assert_non_null(strstr(files.warnings[1], "\"app/link.txt\" is "));
    assert_true(weir_files_remove(&files));
}

static void copies_are_private_and_keep_content_and_mode(void **state)
{
    (void)state;
    application_t application;
    struct stat status;
    char path[PATH_MAX], content[64] = "";
    assert_int_equal(chmod("app/a.txt", 0555), 0);
    describe(&application);
    add(&application, "a.txt", NULL);
    add(&application, "a.txt", "/a.txt"); /* once more, over a file that cannot be written to */
    add(&application, "static/d/e.txt", "/empty/e.txt");
    write_file("app/static/d/e.txt", "");
    weir_files_prepared_t files = prepare(&application);
    assert_int_equal(stat(files.tree.path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    snprintf(path, sizeof path, "%s/a.txt", files.components[0].mounts[0].host_path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755);
    assert_int_equal(status.st_nlink, 1);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(content, sizeof content, file));
    assert_string_equal(content, "app/a.txt");
    fclose(file);
    /* What is written to the copy is not written to the original. */
    write_file(path, "changed");
    file = fopen("app/a.txt", "r");
    assert_non_null(file);
    assert_non_null(fgets(content, sizeof content, file));
    assert_string_equal(content, "app/a.txt");
    fclose(file);
    assert_true(weir_files_remove(&files));
    assert_int_equal(count_entries("tmp"), 0);
}

static void each_component_sees_its_own(void **state)
{
    (void)state;
    application_t application;
    weir_files_t other = {"b.md", NULL, {20, 3}};
    describe(&application);
    add(&application, "a.txt", NULL);
    application.components[1].files = &other;
    application.components[1].files_count = 1;
    application.manifest.component_count = 2;
    application.settings.writable = true;
    weir_files_prepared_t files = prepare(&application);
    assert_string_equal(list(files.components[0].mounts[0].host_path), "a.txt");
    assert_string_equal(list(files.components[1].mounts[0].host_path), "b.md");
    assert_true(files.components[0].mounts[0].writable && files.components[1].mounts[0].writable);
    assert_true(weir_files_remove(&files));

    application.settings.selected = (bool[]){false, true};
    files = prepare(&application);
    assert_int_equal(files.components[0].mount_count, 0);
    assert_int_equal(files.components[1].mount_count, 1);
    assert_true(weir_files_remove(&files));

    application.settings.selected = (bool[]){false, false};
    files = prepare(&application);
    assert_null(files.tree.path); /* nothing to copy: no directory */
    assert_true(weir_files_remove(&files));
}

/* resolve_direct_mount */
static void directories_are_mounted_in_place_when_asked(void **state)
{
    (void)state;
    application_t application;
    weir_files_prepared_t files;
    char *message = NULL;
    describe(&application);
    add(&application, "static", NULL);
    add(&application, "../outside", "/o");
    application.settings.direct_mounts = true;
    files = prepare(&application);
    assert_null(files.tree.path);
    assert_int_equal(files.components[0].mount_count, 2);
    assert_string_equal(files.components[0].mounts[0].host_path, "app/static");
    assert_string_equal(files.components[0].mounts[0].guest_path, "static");
    assert_string_equal(files.components[0].mounts[1].host_path, "app/../outside");
    assert_string_equal(files.components[0].mounts[1].guest_path, "/o");
    assert_true(weir_files_remove(&files));
    assert_int_equal(access("app/static/c.txt", F_OK), 0);

    add(&application, "*.txt", NULL);
    assert_false(weir_files_prepare(&application.manifest, &application.settings, &files, &message));
    assert_string_equal(
        message, AT "\"*.txt\" in \"files\" is not a directory; only directories go with --direct-mounts");
    free(message);
    exclude(&application, "a");
    assert_false(weir_files_prepare(&application.manifest, &application.settings, &files, &message));
    assert_string_equal(message, "app/spin.toml:10:18: [component.hello] has exclude_files, which does not go with "
                                 "--direct-mounts; leave out one of them");
    free(message);
}

/* A guest that may write could put a link in the place of what is below its mount. */
static void what_guests_may_write_in_place_contains_no_other_mount(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second; /* sources */
        const char *contains;       /* which of them does */
        const char *contained;      /* or what is kept */
    } CASES[] = {
        {"static", "static", NULL, NULL},
        {"static", "./static/", NULL, NULL},
        {"static", "to-static", NULL, NULL},
        {"static", "../outside", NULL, NULL},
        {"static", "../app/static/../static", NULL, NULL},
        {"static", "static/d", "static", "static/d"},
        {"static/d", "static", "static", "static/d"},
        {"static", "to-d", "static", "to-d"},
        {"static", "../app/./static//d", "static", "../app/./static//d"},
        /* It is elsewhere, but a link says where, and that can be replaced. */
        {"../outside", "../outside/to-static", "../outside", "../outside/to-static"},
        {"../outside", "../outside/i/../../app/static", "../outside", "../outside/i/../../app/static"},
        {"static/../static/d/..", "../outside", "static/../static/d/..", "static/../static/d/.."},
        {"[x]", "../logs", "../logs", "logs"},
        {"[x]", "../logs/deep", NULL, NULL},
        {"[x]", "..", "..", "[x]"},
        {"../to-logs", "[x]", "../to-logs", "logs"},
        {"../state", "[x]", "../state", "state/not/there"},
    };
    assert_int_equal(symlink("static", "app/to-static"), 0);
    assert_int_equal(symlink("../app/static/d", "app/to-d"), 0);
    assert_int_equal(symlink("../app/static", "outside/to-static"), 0);
    make_directories("logs/deep/_");
    make_directories("state/_");
    assert_int_equal(symlink("logs", "to-logs"), 0);
    weir_kept_directory_t kept[] = {{"logs", "logs", "do so"}, {"state/not/there", "state", "do that"}};
    for (size_t i = 0; i < COUNT(CASES); i++) {
        weir_files_prepared_t files;
        char *message = NULL, first[64], second[64];
        application_t application;
        describe(&application);
        snprintf(first, sizeof first, "%s", CASES[i].first);
        snprintf(second, sizeof second, "%s", CASES[i].second);
        add(&application, first, "/a");
        add(&application, second, "/b");
        application.files[1].place = (weir_place_t){9, 10}; /* either may be named */
        application.settings.direct_mounts = true;
        application.settings.kept = kept;
        application.settings.kept_count = COUNT(kept);
        /* Who may not write cannot replace anything. */
        files = prepare(&application);
        assert_true(weir_files_remove(&files));
        application.settings.writable = true;
        bool prepared = weir_files_prepare(&application.manifest, &application.settings, &files, &message);
        if (prepared != (CASES[i].contains == NULL))
            fail_msg("%s and %s: %s", first, second, prepared ? "were mounted" : message);
        if (prepared) {
            assert_true(weir_files_remove(&files));
            continue;
        }
        char expected[256];
        snprintf(expected, sizeof expected, AT "\"%s\" in \"files\" contains the way to \"%s\", ", CASES[i].contains,
            CASES[i].contained);
        if (strncmp(message, expected, strlen(expected)) != 0)
            fail_msg("%s and %s: %s", first, second, message);
        free(message);
    }
}

static void patterns_that_are_rarely_meant_are_warned_of(void **state)
{
    (void)state;
    application_t application;
    describe(&application);
    add(&application, "*", NULL);
    add(&application, "**/*", NULL);
    add(&application, "./**/*", NULL);
    add(&application, "static", NULL);
    weir_files_prepared_t files = prepare(&application);
    assert_int_equal(files.warning_count, 3);
    assert_string_equal(files.warnings[0],
        AT "\"*\" in \"files\" is all of the manifest's directory, which is rarely meant; write \"./*\" if it is");
    assert_string_equal(files.warnings[1], AT "\"**/*\" in \"files\" is all below the manifest's directory, which is "
                                              "rarely meant; write \"./**/*\" if it is");
    assert_non_null(strstr(files.warnings[2], "\"static\" in \"files\" is a directory, which will be in the paths of "
                                              "its files twice, as in Spin"));
    assert_true(weir_files_remove(&files));
}

static void what_a_guest_made_is_removed_too(void **state)
{
    (void)state;
    application_t application;
    describe(&application);
    add(&application, "a.txt", NULL);
    application.settings.writable = true;
    weir_files_prepared_t files = prepare(&application);
    char here[PATH_MAX];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(files.components[0].mounts[0].host_path), 0);
    assert_int_equal(symlink("/", "root"), 0);
    assert_int_equal(symlink("../../../app", "up"), 0);
    /* Deeper than a path can be, and than there are descriptors. */
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(mkdir("deep", 0700), 0);
        assert_int_equal(mkdir("empty", 0700), 0);
        assert_int_equal(chdir("deep"), 0);
    }
    assert_int_equal(chdir(here), 0);
    assert_true(weir_files_remove(&files));
    assert_int_equal(count_entries("tmp"), 0);
    assert_int_equal(access("app/a.txt", F_OK), 0);
}

/* What still runs may move a directory that is being emptied: the way up from it is another one then. */
static void nothing_outside_is_removed_when_directories_move_meanwhile(void **state)
{
    (void)state;
    application_t application;
    describe(&application);
    add(&application, "a.txt", NULL);
    application.settings.writable = true;
    weir_files_prepared_t files = prepare(&application);
    char here[PATH_MAX], name[16];
    struct stat before_it, now;
    write_file("tmp/of-another", "kept");
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(files.components[0].mounts[0].host_path), 0);
    assert_int_equal(mkdir("outer", 0700), 0);
    assert_int_equal(mkdir("outer/inner", 0700), 0);
    assert_int_equal(chdir("outer/inner"), 0);
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(mknod(name, S_IFREG | 0600, 0), 0);
    }
    assert_int_equal(chdir("../.."), 0);
    assert_int_equal(stat("outer/inner", &before_it), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        while (stat("outer/inner", &now) == 0 && now.st_mtim.tv_sec == before_it.st_mtim.tv_sec &&
               now.st_mtim.tv_nsec == before_it.st_mtim.tv_nsec)
            ;
        _exit(rename("outer/inner", "inner") == 0 ? 0 : 1);
    }
    assert_int_equal(chdir(here), 0);
    weir_files_remove(&files);
    waitpid(child, NULL, 0);
    assert_int_equal(access("tmp/of-another", F_OK), 0);
}

static void copies_are_not_copied_themselves(void **state)
{
    (void)state;
    application_t application;
    describe(&application);
    add(&application, ".", "/");
    application.settings.temporary_directory = "app/static";
    weir_files_prepared_t files = prepare(&application);
    assert_string_equal(list(files.components[0].mounts[0].host_path),
        ".hidden [x]/y*z a.txt b.md static/.g static/c.txt static/d/e.txt static/d/f.md");
    assert_true(weir_files_remove(&files));
}

/* A process that is killed leaves its copies behind; one that lives keeps them. */
static void the_next_start_removes_what_killed_processes_left(void **state)
{
    (void)state;
    application_t application;
    int ready[2];
    char byte;
    describe(&application);
    add(&application, "**/*", NULL);
    weir_files_prepared_t mine = prepare(&application);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* Its own lock alone: it must not hold on to what it inherited. */
        close(mine.tree.descriptor);
        weir_files_prepared_t files = prepare(&application);
        (void)files;
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    assert_int_equal(count_entries("tmp"), 2);
    weir_files_prepared_t another = prepare(&application);
    assert_int_equal(count_entries("tmp"), 3);
    assert_true(weir_files_remove(&another));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(count_entries("tmp"), 2);
    assert_int_equal(mkdir("tmp/weir-files-other", 0755), 0); /* not as private as ours are */
    assert_int_equal(symlink("../app", "tmp/weir-files-link"), 0);
    another = prepare(&application);
    assert_int_equal(count_entries("tmp"), 4);
    assert_true(weir_files_remove(&another));
    assert_string_equal(list(mine.components[0].mounts[0].host_path),
        ".hidden [x]/y*z a.txt b.md static/.g static/c.txt static/d/e.txt static/d/f.md");
    assert_int_equal(access("app/a.txt", F_OK), 0);
    assert_true(weir_files_remove(&mine));
}

static void a_directory_that_cannot_be_made_is_named(void **state)
{
    (void)state;
    application_t application;
    weir_files_prepared_t files;
    char *message = NULL;
    describe(&application);
    add(&application, "a.txt", NULL);
    application.settings.temporary_directory = "none";
    assert_false(weir_files_prepare(&application.manifest, &application.settings, &files, &message));
    assert_string_equal(message, AT "a directory for copies of \"files\" cannot be made in \"none\": No such file or "
                                    "directory; give --temp one that can be written to");
    free(message);
    application.settings.temporary_directory = NULL;
    assert_int_equal(setenv("TMPDIR", "none", 1), 0);
    assert_false(weir_files_prepare(&application.manifest, &application.settings, &files, &message));
    assert_int_equal(unsetenv("TMPDIR"), 0);
    assert_string_equal(message, AT "a directory for copies of \"files\" cannot be made in \"none\": No such file or "
                                    "directory; set TMPDIR to one that can be written to");
    free(message);
}

#define EXCLUDES_NONE(pattern)                                                                                         \
    "app/spin.toml:10:18: \"" pattern "\" in \"exclude_files\" excludes no file that a pattern or directory of "       \
    "\"files\" finds; correct it, or leave it out"

/* Spin is silent about both (crates/loader/src/local.rs, copy_glob). */
static void patterns_that_find_nothing_are_warned_of_once(void **state)
{
    (void)state;
    static const char *const expected[] = {
        AT "\"static/*.png\" in \"files\" finds no file; correct it, or build the component first, if its build makes "
           "them",
        AT
        "\"static/*/\" in \"files\" finds no file; correct it, or build the component first, if its build makes them",
        EXCLUDES_NONE("*.bak"),
    };
    application_t application;
    describe(&application);
    add(&application, "static/*.png", NULL);
    add(&application, "static/*/", NULL);
    add(&application, "static/**/*.txt", NULL);
    exclude(&application, "*.bak");
    exclude(&application, "static/*.txt");
    weir_files_prepared_t files = prepare(&application);
    for (size_t i = 0; i < files.warning_count; i++)
        assert_string_equal(files.warnings[i], i < COUNT(expected) ? expected[i] : "");
    assert_int_equal(files.warning_count, COUNT(expected));
    assert_true(weir_files_remove(&files));

    /* A pattern of which all is excluded has found something; each of two that exclude the same is of use. */
    describe(&application);
    add(&application, "static/**/*.txt", NULL);
    exclude(&application, "static/**/*.txt");
    exclude(&application, "static/c*");
    files = prepare(&application);
    assert_int_equal(files.warning_count, 0);
    assert_true(weir_files_remove(&files));

    /* Without files there is nothing to exclude. */
    describe(&application);
    exclude(&application, "static/*");
    files = prepare(&application);
    assert_int_equal(files.warning_count, 1);
    assert_string_equal(files.warnings[0], EXCLUDES_NONE("static/*"));
    assert_true(weir_files_remove(&files));
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, make, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILES(entries_find_the_files_that_spin_finds),
        WITH_FILES(an_absolute_source_must_be_in_the_application),
        WITH_FILES(what_is_wrong_is_said_at_its_place_and_nothing_stays_behind),
        WITH_FILES(what_is_no_file_is_refused_or_left_out),
        WITH_FILES(links_are_followed_and_never_copied_and_what_leads_out_is_told),
        WITH_FILES(copies_are_private_and_keep_content_and_mode),
        WITH_FILES(each_component_sees_its_own),
        WITH_FILES(directories_are_mounted_in_place_when_asked),
        WITH_FILES(what_guests_may_write_in_place_contains_no_other_mount),
        WITH_FILES(patterns_that_are_rarely_meant_are_warned_of),
        WITH_FILES(patterns_that_find_nothing_are_warned_of_once),
        WITH_FILES(what_a_guest_made_is_removed_too),
        WITH_FILES(nothing_outside_is_removed_when_directories_move_meanwhile),
        WITH_FILES(copies_are_not_copied_themselves),
        WITH_FILES(the_next_start_removes_what_killed_processes_left),
        WITH_FILES(a_directory_that_cannot_be_made_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
