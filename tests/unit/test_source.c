/*
 * test_source.c: what components' URLs give, with a server on this machine.
 */
#include "cli/source.h"
#include "weir_bridge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* cmocka.h wants the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#include "temporary.h"

enum { PATH_BYTES = 256, HEX_BYTES = 65, OTHER_USER = 65534 };

static const char content[] = "as if it were WebAssembly";
static const char other_content[] = "as if it were another one";

static char root[PATH_BYTES];
static char directory[PATH_BYTES + 8];

/* ---- A server ---------------------------------------------------------------------------------------------------- */

static int listener = -1;
static unsigned port;
static pthread_t server_thread;
static atomic_uint requests;

/* Chunks until the client has had enough. */
static void answer_without_end(int connection)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const char chunk[] = "10\r\n0123456789abcdef\r\n";
    ssize_t sent = send(connection, head, sizeof head - 1, MSG_NOSIGNAL);
    while (sent > 0)
        sent = send(connection, chunk, sizeof chunk - 1, MSG_NOSIGNAL);
}

static void answer(int connection)
{
    char request[4096];
    size_t have = 0;
    while (have < sizeof request - 1) {
        ssize_t count = read(connection, request + have, sizeof request - 1 - have);
        if (count <= 0)
            return;
        have += (size_t)count;
        request[have] = '\0';
        if (strstr(request, "\r\n\r\n") != NULL)
            break;
    }
    if (strncmp(request, "GET /endless.wasm ", 18) == 0) {
        answer_without_end(connection);
        return;
    }
    const bool found = strncmp(request, "GET /guest.wasm ", 16) == 0;
    char response[256];
    int size = snprintf(response, sizeof response, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
        found ? "200 OK" : "404 Not Found", found ? sizeof content - 1 : 0, found ? content : "");
    atomic_fetch_add(&requests, 1);
    ssize_t ignored = write(connection, response, (size_t)size);
    (void)ignored;
}

static void *serve(void *unused)
{
    (void)unused;
    for (;;) {
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0)
            return NULL; /* it was shut down */
        answer(connection);
        close(connection);
    }
}

static int start_server(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return 1;
    port = ntohs(address.sin_port);
    return pthread_create(&server_thread, NULL, serve, NULL);
}

static int stop_server(void **state)
{
    (void)state;
    shutdown(listener, SHUT_RDWR);
    pthread_join(server_thread, NULL);
    return close(listener);
}

/* ---- An application ---------------------------------------------------------------------------------------------- */

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/weir-source-XXXXXX");
    if (mkdtemp(root) == NULL)
        return 1;
    snprintf(directory, sizeof directory, "%s/source", root);
    atomic_store(&requests, 0);
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    return temporary_remove(root);
}

static void hex_of(const char *bytes, size_t size, char hex[HEX_BYTES])
{
    unsigned char digest[WEIR_SHA256_BYTES];
    weir_sha256((weir_bytes_t){bytes, size}, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

typedef struct stage {
    char url[128];
    char digest[HEX_BYTES];
    weir_component_t components[2];
    weir_http_trigger_t trigger;
    weir_manifest_t manifest;
} stage_t;

/* The second of its components is used by no trigger, and its URL leads nowhere. */
static void stage_open(stage_t *stage, const char *path)
{
    static char id[] = "fetched";
    static char unused_id[] = "unused";
    static char manifest_path[] = "dir/spin.toml";
    static char nowhere[] = "http://127.0.0.1:1/nothing";
    memset(stage, 0, sizeof *stage);
    snprintf(stage->url, sizeof stage->url, "http://127.0.0.1:%u%s", port, path);
    hex_of(content, sizeof content - 1, stage->digest);
    stage->components[0] =
        (weir_component_t){.id = id, .source_url = stage->url, .source_digest = stage->digest, .source_place = {7, 10}};
    stage->components[1] = (weir_component_t){.id = unused_id, .source_url = nowhere, .source_digest = stage->digest};
    stage->trigger.executor = WEIR_EXECUTOR_HTTP;
    stage->manifest = (weir_manifest_t){.path = manifest_path,
        .components = stage->components,
        .component_count = 2,
        .triggers = &stage->trigger,
        .trigger_count = 1};
}

static void stage_close(stage_t *stage)
{
    free(stage->components[0].source);
    assert_null(stage->components[1].source);
}

static void assert_has(const char *path, const char *bytes, size_t size)
{
    char found[256];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    assert_int_equal(read(file, found, sizeof found), size);
    assert_memory_equal(found, bytes, size);
    close(file);
}

static void fetch(stage_t *stage)
{
    char *message;
    if (!weir_sources_fetch(&stage->manifest, directory, &message))
        fail_msg("%s", message);
    assert_has(stage->components[0].source, content, sizeof content - 1);
}

static const char *kept_path(const stage_t *stage)
{
    static char path[2 * PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", directory, stage->digest);
    return path;
}

/* ---- Tests ------------------------------------------------------------------------------------------------------- */

static void test_what_a_url_gives_is_fetched_once_and_kept(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        stage_t stage;
        stage_open(&stage, "/guest.wasm");
        fetch(&stage);
        assert_string_equal(stage.components[0].source, kept_path(&stage));
        stage_close(&stage);
    }
    assert_int_equal(atomic_load(&requests), 1);
}

static void test_a_component_that_has_a_file_is_left_alone(void **state)
{
    (void)state;
    stage_t stage;
    char *message;
    stage_open(&stage, "/guest.wasm");
    stage.components[0].source = strdup("here.wasm");
    assert_true(weir_sources_fetch(&stage.manifest, directory, &message));
    assert_string_equal(stage.components[0].source, "here.wasm");
    assert_int_equal(atomic_load(&requests), 0);
    stage_close(&stage);
}

static void test_a_url_that_gives_something_else_is_refused_with_both_digests(void **state)
{
    (void)state;
    stage_t stage;
    char *message = NULL;
    char found[HEX_BYTES];
    hex_of(content, sizeof content - 1, found);
    stage_open(&stage, "/guest.wasm");
    hex_of(other_content, sizeof other_content - 1, stage.digest);
    assert_false(weir_sources_fetch(&stage.manifest, directory, &message));
    assert_non_null(message);
    assert_non_null(strstr(message, "dir/spin.toml:7:10: "));
    assert_non_null(strstr(message, stage.url));
    assert_non_null(strstr(message, stage.digest));
    assert_non_null(strstr(message, found));
    assert_null(strchr(message, '\n'));
    assert_null(stage.components[0].source);
    assert_int_equal(access(kept_path(&stage), F_OK), -1);
    free(message);
    stage_close(&stage);
}

static void test_a_url_that_gives_nothing_is_refused(void **state)
{
    (void)state;
    static const char *const paths[] = {"/nothing.wasm", "/guest.wasm"};
    for (size_t i = 0; i < 2; i++) {
        stage_t stage;
        char *message = NULL;
        stage_open(&stage, paths[i]);
        if (i == 1)
            snprintf(stage.url, sizeof stage.url, "http://127.0.0.1:1/guest.wasm"); /* nobody listens */
        assert_false(weir_sources_fetch(&stage.manifest, directory, &message));
        assert_non_null(message);
        assert_non_null(strstr(message, "dir/spin.toml:7:10: "));
        assert_non_null(strstr(message, stage.url));
        assert_non_null(strstr(message, "cannot be fetched"));
        free(message);
        stage_close(&stage);
    }
}

static void test_no_more_is_fetched_than_is_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        size_t most;
        const char *reason; /* NULL: it is fetched */
    } rows[] = {
        {"/guest.wasm", sizeof content - 1, NULL},
        {"/guest.wasm", sizeof content - 2, "it is larger than 24 bytes"},
        {"/endless.wasm", 65536, "it is larger than 65536 bytes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char url[128], *reason = NULL;
        wasm_byte_vec_t bytes;
        snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, rows[i].path);
        bool fetched = weir_fetch(url, rows[i].most, &bytes, &reason);
        assert_int_equal(fetched, rows[i].reason == NULL);
        if (fetched) {
            assert_int_equal(bytes.size, sizeof content - 1);
            wasm_byte_vec_delete(&bytes);
        } else {
            assert_string_equal(reason, rows[i].reason);
            weir_bridge_text_free(reason);
        }
    }
}

static void change(const char *path)
{
    assert_int_equal(chmod(path, 0600), 0);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(file, "X", 1, 3), 1);
    close(file);
}

static void cut(const char *path)
{
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 5), 0);
}

static void empty(const char *path)
{
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 0), 0);
}

static void let_others_write(const char *path)
{
    assert_int_equal(chmod(path, 0620), 0);
}

static void test_a_kept_file_that_is_not_to_be_trusted_is_fetched_again(void **state)
{
    (void)state;
    static void (*const harms[])(const char *path) = {change, cut, empty, let_others_write};
    for (unsigned i = 0; i < sizeof harms / sizeof harms[0]; i++) {
        stage_t stage;
        stage_open(&stage, "/guest.wasm");
        fetch(&stage);
        harms[i](kept_path(&stage));
        free(stage.components[0].source);
        stage.components[0].source = NULL;
        fetch(&stage);
        assert_int_equal(atomic_load(&requests), i + 2);
        struct stat status;
        assert_int_equal(stat(kept_path(&stage), &status), 0);
        assert_int_equal(status.st_mode & 0777, 0400);
        stage_close(&stage);
    }
}

static void test_where_nothing_can_be_kept_it_is_in_memory(void **state)
{
    (void)state;
    assert_int_equal(mkdir(directory, 0700), 0);
    assert_int_equal(chmod(directory, 0770), 0);
    for (unsigned i = 0; i < 2; i++) {
        stage_t stage;
        stage_open(&stage, "/guest.wasm");
        fetch(&stage);
        assert_int_equal(strncmp(stage.components[0].source, "/proc/self/fd/", 14), 0);
        assert_int_equal(access(kept_path(&stage), F_OK), -1);
        stage_close(&stage);
    }
    assert_int_equal(atomic_load(&requests), 2);
}

#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOT(test_what_a_url_gives_is_fetched_once_and_kept),
        IN_ROOT(test_a_component_that_has_a_file_is_left_alone),
        IN_ROOT(test_a_url_that_gives_something_else_is_refused_with_both_digests),
        IN_ROOT(test_a_url_that_gives_nothing_is_refused),
        cmocka_unit_test(test_no_more_is_fetched_than_is_allowed),
        IN_ROOT(test_a_kept_file_that_is_not_to_be_trusted_is_fetched_again),
        IN_ROOT(test_where_nothing_can_be_kept_it_is_in_memory),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
