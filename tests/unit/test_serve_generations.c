/*
 * test_serve_generations.c: a server that serves with one generation after the other, on real engines with real guests:
 * no request fails, each generation is freed, refused instances are had later, bounds and order are kept.
 */
#include "generation_support.h"
#include "serve/admission.h"
#include "serve/chain.h"
#include "serve/gate.h"
#include "serve/limits.h"
#include "serve/shared.h"
#include "serve/ticker.h"

enum { POOL_BYTES = 16 << 20, CLIENTS = 5, SWAPS = 200, NAP_MILLISECONDS = 2 };

static weir_generation_t *eight_slots(world_t *world)
{
    return generation_of(world, (rung_t){.slots = 8, .slot_bytes = POOL_BYTES, .max_calls = 8});
}

static weir_generation_t *four_slots(world_t *world)
{
    return generation_of(world, (rung_t){.slots = 4, .slot_bytes = POOL_BYTES, .max_calls = 4});
}

static weir_generation_t *on_demand(world_t *world)
{
    return generation_of(world, (rung_t){.max_calls = 3});
}

/* A pool that has fewer slots than it was said to hold calls: it refuses the others. */
static weir_generation_t *one_slot_for_eight(world_t *world)
{
    return generation_of(world, (rung_t){.slots = 1, .slot_bytes = POOL_BYTES, .max_calls = 8});
}

static weir_generation_t *one_slot(world_t *world)
{
    return generation_of(world, (rung_t){.slots = 1, .slot_bytes = POOL_BYTES, .max_calls = 1});
}

static weir_generation_t *one_apart(world_t *world)
{
    const rung_t rungs[] = {{.slots = 2, .slot_bytes = POOL_BYTES, .max_calls = 2}, {.max_calls = 1}};
    return generation_with(world, rungs, 2, false);
}

static void nap(long milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Wait until there are no more generations than this. */
static void wait_for_generations(world_t *world, unsigned most)
{
    for (unsigned waited = 0; weir_server_generations(world->server) > most; waited += NAP_MILLISECONDS) {
        assert_true(waited < PATIENCE_MILLISECONDS);
        nap(NAP_MILLISECONDS);
    }
}

static void wait_for_refusals(world_t *world, unsigned least)
{
    for (unsigned waited = 0; atomic_load(&world->refused) < least; waited += NAP_MILLISECONDS) {
        assert_true(waited < PATIENCE_MILLISECONDS);
        nap(NAP_MILLISECONDS);
    }
}

/* ---- Under load -------------------------------------------------------------------------------------------------- */

static const struct {
    const char *request;
    const char *answer; /* the end of it */
} asks[] = {
    {"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\nquick"},
    {"GET /nap HTTP/1.1\r\nHost: a\r\n\r\n", "nap"},
    {"POST /cat HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world", "hello world"},
    {"POST /cat HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        "hello world"},
};

enum { ASKS = sizeof(asks) / sizeof(asks[0]) };

typedef struct client {
    pthread_t thread;
    uint16_t port;
    unsigned number;
    atomic_bool *enough;
    atomic_uint answered;
    char failure[1024]; /* "" while there is none */
} client_t;

/* Ask one thing after the other, the odd ones each on a connection of its own. */
static void *ask_on(void *argument)
{
    client_t *client = argument;
    int connection = -1;
    for (unsigned i = client->number; !atomic_load(client->enough) && client->failure[0] == '\0'; i++) {
        char answer[1024];
        connection = connection < 0 ? dial(client->port) : connection;
        bool told = connection >= 0 && tell(connection, asks[i % ASKS].request);
        if (told)
            hear_answer(connection, answer, sizeof(answer));
        if (!told || strncmp(answer, "HTTP/1.1 200 ", 13) != 0 || strstr(answer, asks[i % ASKS].answer) == NULL)
            snprintf(
                client->failure, sizeof(client->failure), "request %u: %.900s", i, told ? answer : strerror(errno));
        else
            atomic_fetch_add(&client->answered, 1);
        if (client->number % 2 == 1) {
            close(connection);
            connection = -1;
        }
    }
    if (connection >= 0)
        close(connection);
    return NULL;
}

static void start_clients(const world_t *world, client_t *clients, atomic_bool *enough)
{
    atomic_init(enough, false);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (client_t){.port = world->listener.port, .number = i, .enough = enough};
        assert_int_equal(pthread_create(&clients[i].thread, NULL, ask_on, &clients[i]), 0);
    }
}

static void end_clients(client_t *clients, atomic_bool *enough)
{
    atomic_store(enough, true);
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        if (clients[i].failure[0] != '\0')
            fail_msg("client %u, after %u answers: %s", i, atomic_load(&clients[i].answered), clients[i].failure);
        assert_true(atomic_load(&clients[i].answered) > 0);
    }
}

static void test_no_request_fails_while_generations_change_and_each_is_freed(void **state)
{
    (void)state;
    weir_generation_t *(*const rungs[])(world_t *) = {eight_slots, four_slots, on_demand, one_slot};
    world_t world;
    client_t clients[CLIENTS];
    atomic_bool enough;
    world_start(&world, 2, 20000, eight_slots);
    start_clients(&world, clients, &enough);
    for (unsigned i = 0; i < SWAPS; i++) {
        assert_true(weir_server_swap(world.server, rungs[i % 4](&world)));
        if (i % 8 == 7)
            nap(10); /* let some work be done in one of them, too */
    }
    end_clients(clients, &enough);
    assert_int_equal(atomic_load(&world.refused), 0);
    wait_for_generations(&world, 1);
    assert_int_equal(atomic_load(&world.released), SWAPS);
    assert_in_range(atomic_load(&world.counted), 2, SWAPS); /* the current one, and the one that was being freed */
    assert_int_equal(world_stop(&world), 0);
    assert_int_equal(atomic_load(&world.released), SWAPS + 1);
    assert_int_equal(atomic_load(&world.counted), 1);
}

static void test_requests_whose_instances_are_refused_wait_with_their_bodies(void **state)
{
    (void)state;
    world_t world;
    client_t clients[CLIENTS];
    atomic_bool enough;
    world_start(&world, 2, 20000, one_slot_for_eight);
    start_clients(&world, clients, &enough);
    wait_for_refusals(&world, 40);
    end_clients(clients, &enough);
    assert_int_equal(world_stop(&world), 0);
}

/* ---- One after the other ----------------------------------------------------------------------------------------- */

static int ask(const world_t *world, const char *request)
{
    int connection = dial(world->listener.port);
    assert_true(connection >= 0);
    assert_true(tell(connection, request));
    return connection;
}

static int get(const world_t *world, const char *path)
{
    char request[128];
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path);
    return ask(world, request);
}

/* The answer, which has this status and, unless it is NULL, ends with this text. */
static void expect(int connection, unsigned status, const char *end)
{
    char answer[2048];
    char line[32];
    hear(connection, NULL, answer, sizeof(answer));
    close(connection);
    snprintf(line, sizeof(line), "HTTP/1.1 %u ", status);
    if (strncmp(answer, line, strlen(line)) != 0)
        fail_msg("not a %u: %s", status, answer);
    if (end != NULL && (strlen(answer) < strlen(end) || strcmp(answer + strlen(answer) - strlen(end), end) != 0))
        fail_msg("does not end with %s: %s", end, answer);
}

static bool is_silent(int connection)
{
    struct pollfd descriptor = {.fd = connection, .events = POLLIN};
    return poll(&descriptor, 1, 0) == 0;
}

/* The loop has looked at everything that was sent to it before. */
static void wait_for_loop(const world_t *world)
{
    for (unsigned i = 0; i < 2; i++)
        expect(get(world, "/.well-known/spin/health"), 200, "OK");
}

/* A request that has an instance until it is let go: its guest waits for its body. */
static int hold_at(const world_t *world, const char *path)
{
    char request[128];
    snprintf(request, sizeof(request), "POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\n",
        path);
    int connection = ask(world, request);
    wait_for_loop(world);
    return connection;
}

static int hold(const world_t *world)
{
    return hold_at(world, "/holder");
}

static void let_go(int connection)
{
    assert_true(is_silent(connection));
    assert_true(tell(connection, "held"));
    expect(connection, 200, "held");
}

static void wake_nobody(void *context)
{
    (void)context;
}

/* An exchange that has an instance and, because nobody runs it any further, keeps it until it is freed. */
static weir_exchange_t *keep_an_instance(const world_t *world)
{
    static const char path[] = "/holder";
    const weir_request_t request = {.method = bytes_of("POST"),
        .target = bytes_of(path),
        .path = bytes_of(path),
        .query = bytes_of(""),
        .host = bytes_of("a"),
        .version = bytes_of("HTTP/1.1"),
        .has_body = true,
        .content_length = 4,
        .client_address = "192.0.2.7:4711",
        .client_ip = "192.0.2.7",
        .server_port = world->listener.port};
    weir_route_match_t match;
    weir_exchange_t *exchange = NULL;
    assert_true(weir_routes_match(world->routes, path, strlen(path), &match));
    assert_true(weir_exchange_start(world->holder, &request, &match, (weir_waker_t){.wake = wake_nobody}, &exchange));
    assert_int_equal(weir_exchange_poll(exchange), WEIR_EXCHANGE_PENDING);
    return exchange;
}

static void test_request_that_never_gets_an_instance_is_503_and_may_come_again(void **state)
{
    (void)state;
    world_t world;
    char answer[2048];
    world_start(&world, 1, 500, one_slot_for_eight);
    weir_exchange_t *keeper = keep_an_instance(&world);
    capture_t capture = capture_begin();
    int refused = get(&world, "/cat");
    hear(refused, NULL, answer, sizeof(answer));
    close(refused);
    char *log = capture_end(capture);
    assert_true(atomic_load(&world.refused) > 0);
    assert_non_null(strstr(answer, "HTTP/1.1 503 "));
    assert_non_null(strstr(answer, "Retry-After: 1\r\n"));
    assert_int_equal(count_of(log, "weir: warning: component b-cat: no instance could be had, and its request waits: "
                                   "maximum concurrent limit"),
        1);
    assert_int_equal(count_of(log, "weir: warning: component b-cat: a request was answered with 503"), 1);
    free(log);
    weir_exchange_free(keeper);
    expect(hold(&world), 504, NULL); /* it has its instance, and does not answer in time */
    assert_int_equal(world_stop(&world), 0);
}

static void test_new_generation_serves_at_once_what_was_refused_in_the_last(void **state)
{
    (void)state;
    world_t world;
    world_start(&world, 1, 20000, one_slot_for_eight);
    int holder = hold(&world);
    int refused = ask(&world, "POST /cat HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "5\r\nhello\r\n0\r\n\r\n");
    wait_for_refusals(&world, 2);
    assert_true(weir_server_swap(world.server, eight_slots(&world)));
    expect(refused, 200, "hello");
    assert_int_equal(weir_server_generations(world.server), 2);
    let_go(holder); /* which goes on in the old one */
    wait_for_generations(&world, 1);
    assert_int_equal(world_stop(&world), 0);
}

/* Other than in Spin, where a body is waited for without end (no time limit in crates/trigger-http/src/server.rs). */
static void test_body_of_which_nothing_comes_for_long_is_given_up(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *answer;
    } cases[] = {{"", "HTTP/1.1 408 "}, {"hello", "HTTP/1.1 200 "}};
    world_t world;
    world_start_with(&world, 1, 20000, 300, four_slots);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        char answer[2048];
        snprintf(text, sizeof(text), "POST /cat HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n%s", cases[i].body);
        int client = ask(&world, text);
        size_t size = hear(client, NULL, answer, sizeof(answer));
        assert_memory_equal(answer, cases[i].answer, strlen(cases[i].answer));
        assert_int_equal(is_whole(answer, size), i == 0);
        assert_true(recv(client, text, sizeof(text), MSG_DONTWAIT) <= 0 && errno != EAGAIN);
        close(client);
    }
    assert_int_equal(world_stop(&world), 0);
}

static void test_guest_of_an_old_generation_that_spins_gives_its_thread_back(void **state)
{
    (void)state;
    world_t world;
    world_start(&world, 1, 20000, four_slots);
    int spinner = get(&world, "/spinner");
    wait_for_loop(&world);
    assert_true(weir_server_swap(world.server, four_slots(&world)));
    for (unsigned i = 0; i < 3; i++)
        expect(get(&world, "/nap"), 200, "nap");
    assert_true(is_silent(spinner));
    assert_int_equal(weir_server_generations(world.server), 2);
    close(spinner); /* it would spin for ever */
    wait_for_generations(&world, 1);
    assert_int_equal(world_stop(&world), 0);
}

static void test_earlier_calls_count_against_the_new_bound_but_one_is_always_let_in(void **state)
{
    (void)state;
    world_t world;
    int holders[5];
    world_start(&world, 1, 20000, four_slots);
    for (unsigned i = 0; i < 3; i++)
        holders[i] = hold(&world);
    holders[3] = hold_at(&world, "/cat"); /* the last is kept for another component */
    int waits[2] = {get(&world, "/quick"), get(&world, "/quick")};
    wait_for_loop(&world);
    assert_true(is_silent(waits[0]) && is_silent(waits[1]));
    assert_true(weir_server_swap(world.server, on_demand(&world))); /* three, and four are under way */
    expect(waits[0], 200, "quick");
    expect(waits[1], 200, "quick");
    holders[4] = hold(&world);
    int late = get(&world, "/quick");
    wait_for_loop(&world);
    assert_true(is_silent(late));
    for (unsigned i = 0; i < 5; i++)
        let_go(holders[i]);
    expect(late, 200, "quick");
    wait_for_generations(&world, 1);
    assert_int_equal(world_stop(&world), 0);
}

static void test_one_instance_goes_round_among_loops(void **state)
{
    (void)state;
    world_t world;
    client_t clients[CLIENTS];
    atomic_bool enough;
    world_start(&world, 3, 20000, one_slot);
    start_clients(&world, clients, &enough);
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (unsigned waited = 0; atomic_load(&clients[i].answered) < 20; waited += NAP_MILLISECONDS) {
            assert_true(waited < PATIENCE_MILLISECONDS);
            nap(NAP_MILLISECONDS);
        }
    }
    end_clients(clients, &enough);
    assert_int_equal(atomic_load(&world.refused), 0);
    assert_int_equal(world_stop(&world), 0);
}

static void test_component_apart_holds_up_nobody_but_itself(void **state)
{
    (void)state;
    world_t world;
    world_start(&world, 1, 20000, one_apart);
    int first = hold(&world);
    int second = ask(&world, "POST /holder HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nheld");
    for (unsigned i = 0; i < 20; i++)
        expect(get(&world, "/quick"), 200, "quick");
    assert_true(is_silent(second)); /* it has to wait for the first */
    let_go(first);
    expect(second, 200, "held");
    assert_int_equal(atomic_load(&world.refused), 0);
    assert_int_equal(world_stop(&world), 0);
}

static void test_what_waits_goes_where_the_new_routes_lead(void **state)
{
    (void)state;
    world_t world;
    world_start(&world, 1, 20000, one_slot);
    int holder = hold(&world);
    int moved = get(&world, "/cat");
    int gone = get(&world, "/nap");
    int without_guest = get(&world, "/quick");
    wait_for_loop(&world);
    const rung_t rung = {.slots = 2, .slot_bytes = POOL_BYTES, .max_calls = 2};
    assert_true(weir_server_swap(world.server, generation_with(&world, &rung, 1, true)));
    expect(gone, 404, NULL);
    expect(without_guest, 200, "\r\n\r\nnow static");
    expect(moved, 200, "quick");
    let_go(holder);
    assert_int_equal(world_stop(&world), 0);
}

/* ---- Refused late ------------------------------------------------------------------------------------------------ */

enum { LATE_REQUESTS = 5 }; /* the first is of the guest that is apart */

typedef struct late {
    world_t world;
    int first;
    int connections[LATE_REQUESTS];
    atomic_uint refusals;
} late_t;

/* One slot for the guest apart and one for the others, and both are said to hold eight calls. */
static weir_generation_t *one_apart_for_eight(world_t *world)
{
    const rung_t rungs[] = {
        {.slots = 1, .slot_bytes = POOL_BYTES, .max_calls = 8}, {.slots = 1, .slot_bytes = POOL_BYTES, .max_calls = 8}};
    return generation_with(world, rungs, 2, false);
}

/*
 * On the loop's thread. When the first is refused its client leaves, and requests come that are handled in one turn,
 * once the pause after the refusal is over. Of these the one apart is refused, and meanwhile this turn becomes late, so
 * that the guests of the others are left for the next; and what that serves with is another generation.
 */
static void send_then_swap(void *context, const char *component, const char *what)
{
    late_t *late = context;
    weir_server_t *server = late->world.server;
    const struct linger at_once = {1, 0};
    unsigned number = atomic_fetch_add(&late->refusals, 1);
    (void)component;
    (void)what;
    if (number == 0) {
        assert_int_equal(setsockopt(late->first, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
        close(late->first);
        for (unsigned i = 0; i < LATE_REQUESTS; i++)
            assert_true(
                tell(late->connections[i], i == 0 ? "GET /holder HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                                                  : "GET /cat HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        nap(2 * WEIR_REFUSED_PAUSE_MILLISECONDS);
    } else if (number == 1) {
        const rung_t rungs[] = {{.slots = 8, .slot_bytes = POOL_BYTES, .max_calls = 8},
            {.slots = 8, .slot_bytes = POOL_BYTES, .max_calls = 8}};
        assert_true(weir_server_swap(server, generation_with(&late->world, rungs, 2, true)));
        uint32_t began = weir_ticker_count(server->ticker);
        weir_ticker_begin(server->ticker, 0);
        while (weir_ticker_count(server->ticker) - began <= server->loops[0].max_turn_ticks + 1)
            nap(1);
        weir_ticker_end(server->ticker, 0);
    }
}

static void test_what_is_refused_by_an_old_generation_goes_where_the_new_routes_lead(void **state)
{
    (void)state;
    static late_t late;
    world_t *world = &late.world;
    weir_server_settings_t settings = {.loops = 1,
        .max_waiting = 64,
        .max_connections = 128,
        .request_timeout_milliseconds = 20000,
        .drain_timeout_milliseconds = 30000,
        .refused = send_then_swap,
        .context = &late};
    world_prepare(world);
    world_serve(world, &settings, one_apart_for_eight);
    int holders[2] = {hold(world), hold_at(world, "/cat")};
    for (unsigned i = 0; i < LATE_REQUESTS; i++) {
        late.connections[i] = dial(world->listener.port);
        assert_true(late.connections[i] >= 0);
    }
    wait_for_loop(world);
    late.first = dial(world->listener.port);
    assert_true(tell(late.first, "GET /cat HTTP/1.1\r\nHost: a\r\n\r\n"));
    expect(late.connections[0], 404, NULL);
    for (unsigned i = 1; i < LATE_REQUESTS; i++)
        expect(late.connections[i], 200, "quick");
    assert_true(atomic_load(&late.refusals) >= 4); /* two as above, one in that turn, and after it */
    for (unsigned i = 0; i < 2; i++)
        let_go(holders[i]);
    wait_for_generations(world, 1);
    assert_int_equal(world_stop(world), 0);
}

static void test_static_response_keeps_the_generation_whose_route_it_is_of(void **state)
{
    (void)state;
    world_t world;
    world_start(&world, 1, 20000, one_slot);
    int slow = ask(&world, "POST /static HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
    wait_for_loop(&world);
    const rung_t rung = {.slots = 2, .slot_bytes = POOL_BYTES, .max_calls = 2};
    assert_true(weir_server_swap(world.server, generation_with(&world, &rung, 1, true)));
    wait_for_loop(&world);
    assert_int_equal(weir_server_generations(world.server), 2);
    assert_int_equal(atomic_load(&world.released), 0);
    expect(get(&world, "/static"), 200, "\r\n\r\nother static");
    assert_int_equal(send(slow, "abc", 3, MSG_NOSIGNAL), 3);
    expect(slow, 200, "\r\n\r\nstatic");
    wait_for_generations(&world, 1);
    assert_int_equal(world_stop(&world), 0);
}

static void test_static_response_needs_no_instance(void **state)
{
    (void)state;
    world_t world;
    world_start(&world, 1, 20000, one_slot);
    int holder = hold(&world);
    int waits = get(&world, "/cat");
    expect(get(&world, "/static"), 200, "\r\n\r\nstatic");
    assert_true(is_silent(waits));
    let_go(holder);
    expect(waits, 200, NULL);
    assert_int_equal(world_stop(&world), 0);
}

/* ---- The gate ---------------------------------------------------------------------------------------------------- */

static void note_wake(void *context, unsigned loop)
{
    unsigned *woken = context;
    *woken = *woken * 10 + loop;
}

static void test_gate_gives_to_loops_in_the_order_in_which_they_asked(void **state)
{
    (void)state;
    weir_gate_t gate;
    unsigned woken = 0;
    assert_true(weir_gate_init(&gate, 2, 5, note_wake, &woken));
    assert_true(weir_gate_enter(&gate, 1));
    assert_true(weir_gate_enter(&gate, 1));
    assert_false(weir_gate_enter(&gate, 1));
    assert_false(weir_gate_enter(&gate, 3));
    assert_false(weir_gate_enter(&gate, 2));
    assert_false(weir_gate_enter(&gate, 1)); /* once in the queue is enough */
    weir_gate_decline(&gate, 3);
    weir_gate_leave(&gate);
    assert_int_equal(woken, 1);
    assert_false(weir_gate_enter(&gate, 4)); /* it is kept for 1, and 2 comes before */
    weir_gate_decline(&gate, 1);             /* so 2 gets it */
    assert_int_equal(woken, 12);
    assert_true(weir_gate_enter(&gate, 2));
    weir_gate_leave(&gate);
    assert_int_equal(woken, 124);
    assert_true(weir_gate_enter(&gate, 4));
    weir_gate_leave(&gate);
    weir_gate_leave(&gate);
    assert_int_equal(gate.free, 2);
    assert_int_equal(woken, 124);
    weir_gate_destroy(&gate);
}

/*
 * Two loops with calls of an earlier generation, of which one waits for a call that another loop gives back. The other
 * wanted one as well, before it, but its last call has ended meanwhile.
 */
static void test_loop_that_leaves_a_generation_does_not_keep_what_others_wait_for(void **state)
{
    (void)state;
    world_t world;
    world_start(&world, 1, 60000, eight_slots); /* for its guests' code */
    unsigned woken = 0;
    weir_server_t *server = calloc(1, sizeof(*server));
    weir_loop_t *loops = calloc(2, sizeof(*loops));
    weir_metrics_t *metrics = weir_metrics_new(2);
    weir_generation_t *first = one_apart(&world);
    weir_generation_t *second = one_apart(&world);
    assert_true(weir_generation_prepare(first, 2, 1, metrics, note_wake, &woken));
    assert_true(weir_generation_prepare(second, 2, 2, metrics, note_wake, &woken));
    assert_true(weir_keeper_init(&server->keeper, first));
    weir_chain_t callers[2];
    weir_chain_t callees[2];
    weir_permit_t callers_permits[2];
    weir_permit_t permit;
    for (unsigned i = 0; i < 2; i++) {
        loops[i].server = server;
        loops[i].index = i;
        weir_admission_init(&loops[i]);
        callers[i] = (weir_chain_t){.loop = &loops[i], .stake = loops[i].stake, .component = QUICK};
        callees[i] = (weir_chain_t){.loop = &loops[i], .stake = loops[i].stake, .component = HOLDER, .depth = 1};
        assert_true(weir_admission_chain_take(&callers[i], &callers_permits[i]));
    }
    weir_keeper_swap(&server->keeper, second);
    weir_admission_refresh(&loops[0]);
    weir_admission_refresh(&loops[1]);
    assert_true(weir_admission_chain_take(&callees[1], &permit));
    assert_false(weir_admission_chain_take(&callees[0], &permit));
    weir_permit_t other;
    assert_false(weir_admission_chain_take(&callees[1], &other));
    weir_admission_leave(&loops[0], &callers_permits[0]); /* it gave up, and its own request with it */
    weir_admission_leave(&loops[1], &permit);
    assert_int_equal(woken, 1);
    assert_true(weir_admission_chain_take(&callees[1], &permit));
    weir_admission_leave(&loops[1], &permit);
    weir_admission_leave(&loops[1], &callers_permits[1]);
    weir_admission_destroy(&loops[0]);
    weir_admission_destroy(&loops[1]);
    weir_keeper_destroy(&server->keeper);
    assert_int_equal(atomic_load(&world.released), 2);
    weir_metrics_free(metrics);
    free(loops);
    free(server);
    assert_int_equal(world_stop(&world), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_request_fails_while_generations_change_and_each_is_freed),
        cmocka_unit_test(test_requests_whose_instances_are_refused_wait_with_their_bodies),
        cmocka_unit_test(test_request_that_never_gets_an_instance_is_503_and_may_come_again),
        cmocka_unit_test(test_new_generation_serves_at_once_what_was_refused_in_the_last),
        cmocka_unit_test(test_body_of_which_nothing_comes_for_long_is_given_up),
        cmocka_unit_test(test_guest_of_an_old_generation_that_spins_gives_its_thread_back),
        cmocka_unit_test(test_earlier_calls_count_against_the_new_bound_but_one_is_always_let_in),
        cmocka_unit_test(test_one_instance_goes_round_among_loops),
        cmocka_unit_test(test_component_apart_holds_up_nobody_but_itself),
        cmocka_unit_test(test_what_waits_goes_where_the_new_routes_lead),
        cmocka_unit_test(test_what_is_refused_by_an_old_generation_goes_where_the_new_routes_lead),
        cmocka_unit_test(test_static_response_keeps_the_generation_whose_route_it_is_of),
        cmocka_unit_test(test_static_response_needs_no_instance),
        cmocka_unit_test(test_gate_gives_to_loops_in_the_order_in_which_they_asked),
        cmocka_unit_test(test_loop_that_leaves_a_generation_does_not_keep_what_others_wait_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
