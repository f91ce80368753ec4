"""Guests for wasi:http/handler@0.3, whose functions are async: requests, responses and failures are as with 0.2."""

import os
import time

import pytest

from admin import Admin
from harness import REQUEST_DEADLINE, Component, all_in_background, write_application

MIB = 1 << 20
GREETING = "Hello from 0.3!\n"


def at_once(action, arguments):
    with all_in_background(action, arguments) as results:
        return [result() for result in results]


@pytest.fixture
def serve_guests(weir_checked, serve, tmp_path):
    """Serve these components, and nothing else."""

    def start(*components, options=()):
        return serve(weir_checked, write_application(tmp_path / "application", components), *options)

    return start


@pytest.fixture
def server(serve_guests, guest):
    return serve_guests(
        Component("mirror", "/mirror/...", guest("handler_mirror")), Component("echo", "/echo", guest("http_echo"))
    )


def test_it_answers_beside_guests_of_0_2(server):
    for _ in range(3):
        response = server.get("/mirror/a?b=c")
        assert (response.status, response.text) == (200, GREETING)
        assert response.get("target") == "/mirror/a?b=c"
        assert server.request("POST", "/echo", body="echoed").text == "echoed"


def test_a_body_goes_through_it_whole(server):
    body = os.urandom(3 * MIB)
    for chunked in (False, True):
        response = server.request("POST", "/mirror/body", body=body, chunked=chunked)
        assert response.status == 200
        assert response.body == body


def test_a_body_goes_through_it_as_it_comes(server):
    """Each part is back before the next one is sent."""
    with server.wire() as wire:
        wire.send(b"POST /mirror/parts HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        head = None
        for part in (b"one", b"two and more", b"three"):
            wire.send(b"%x\r\n%s\r\n" % (len(part), part))
            head = head or wire.head()
            assert head.status == 200
            assert wire.chunk() == part
        wire.send(b"0\r\n\r\n")
        assert wire.chunk() == b""


def test_head_has_no_body(server):
    with server.wire() as wire:
        for _ in range(2):
            wire.send(b"HEAD /mirror/ HTTP/1.1\r\nHost: a\r\n\r\n")
            assert wire.response("HEAD").status == 200


@pytest.mark.parametrize("way, word", [("trap", "unreachable"), ("error", "Denied")])
def test_one_that_fails_is_500_and_costs_no_other(server, way, word):
    with server.wire() as wire:
        for _ in range(2):
            wire.send(b"GET /mirror/%s HTTP/1.1\r\nHost: a\r\n\r\n" % way.encode())
            response = wire.response()
            assert (response.status, response.body) == (500, b"")
        wire.send(b"GET /mirror/ HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.response().status == 200
    server.stderr.wait_for(rf"^weir: error: .*\bmirror\b.*{word}")


def test_a_trap_after_the_head_cuts_the_connection(server):
    with server.wire() as wire:
        wire.send(b"POST /mirror/trap-after HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        assert wire.head().status == 200
        assert wire.chunk() == b"one"
        wire.send(b"0\r\n\r\n")
        with pytest.raises((EOFError, ConnectionError)):
            wire.chunk()
    assert server.get("/mirror/").status == 200
    server.stderr.wait_for(r"\bmirror\b.*unreachable")


def test_those_that_wait_wait_beside_each_other(server):
    started = time.monotonic()
    answers = at_once(lambda _: server.get("/mirror/wait"), range(20))
    assert [answer.text for answer in answers] == [GREETING] * 20
    assert time.monotonic() - started < 20 * 0.5


def test_one_that_computes_for_ever_is_ended_by_its_time_limit(serve_guests, guest):
    server = serve_guests(Component("mirror", "/...", guest("handler_mirror")), options=["--request-timeout", "1s"])
    answers = at_once(lambda way: server.get(way), ["/spin", "/"])
    assert [answer.status for answer in answers] == [504, 200]
    assert server.get("/").text == GREETING


def until_no_instance_is_left(server):
    deadline = time.monotonic() + REQUEST_DEADLINE
    while Admin(server).status()["allocator"]["pool"][0]["live"] > 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def counts(server, count):
    """How many requests the instances that answer these have been given, one after another on a connection."""
    answers = []
    with server.wire() as wire:
        for _ in range(count):
            wire.send(b"GET /mirror/ HTTP/1.1\r\nHost: a\r\n\r\n")
            answers.append(int(wire.response().get("requests")))
    return answers


def serve_mirror(serve_guests, guest, *options):
    return serve_guests(Component("mirror", "/mirror/...", guest("handler_mirror")), options=options)


def test_an_instance_handles_128_requests(serve_guests, guest):
    server = serve_mirror(serve_guests, guest, "--idle-instance-timeout", "1m")
    assert counts(server, 300) == [*range(1, 129), *range(1, 129), *range(1, 45)]


def test_an_instance_handles_as_many_requests_as_it_is_told_to(serve_guests, guest):
    options = ["--idle-instance-timeout", "1m", "--max-instance-reuse-count"]
    assert counts(serve_mirror(serve_guests, guest, *options, "3"), 7) == [1, 2, 3, 1, 2, 3, 1]
    assert counts(serve_mirror(serve_guests, guest, *options, "1"), 3) == [1, 1, 1]


def test_each_instance_has_a_bound_of_its_own_where_two_were_given(serve_guests, guest):
    options = ["--idle-instance-timeout", "1m", "--max-instance-reuse-count", "2..5"]
    answers = counts(serve_mirror(serve_guests, guest, *options), 200)
    lengths = [last for last, following in zip(answers, answers[1:]) if following == 1]
    assert set(lengths) == {2, 3, 4}


def test_an_idle_instance_is_dropped_in_time(serve_guests, guest):
    server = serve_mirror(serve_guests, guest, "--admin", "0", "--idle-instance-timeout", "50ms")
    assert counts(server, 1) == [1]
    until_no_instance_is_left(server)
    assert counts(server, 1) == [1]


def test_no_instance_stays_idle_where_it_is_told_so(serve_guests, guest):
    assert counts(serve_mirror(serve_guests, guest, "--idle-instance-timeout", "0"), 3) == [1, 1, 1]


def test_an_idle_instance_is_dropped_for_another_component(serve_guests, guest):
    """With one slot in all, the idle instance of one component does not keep another from being served."""
    components = [Component("mirror", "/mirror/...", guest("handler_mirror")), Component("echo", "/echo", guest("http_echo"))]
    components.append(Component("other", "/other/...", guest("handler_mirror")))
    server = serve_guests(*components, options=["--max-concurrency", "1", "--idle-instance-timeout", "1m"])
    for _ in range(5):
        assert server.get("/mirror/").text == GREETING
        assert server.get("/other/").text == GREETING
        assert server.request("POST", "/echo", body="echoed").text == "echoed"


def test_after_a_trap_the_next_request_has_a_fresh_instance(serve_guests, guest):
    server = serve_mirror(serve_guests, guest, "--idle-instance-timeout", "1m")
    for way, kept in (("trap", 0), ("error", 0), ("trap", 2)):
        assert counts(server, 1) == [kept + 1]
        assert server.get(f"/mirror/{way}").status == 500
    assert counts(server, 1) == [1]


def test_what_a_request_left_unfinished_takes_its_instance_with_it(serve_guests, guest):
    server = serve_mirror(serve_guests, guest, "--admin", "0", "--idle-instance-timeout", "1m")
    assert counts(server, 1) == [1]
    with server.wire() as wire:
        wire.send(b"POST /mirror/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        assert wire.head().get("requests") == "2"
        assert wire.chunk() == b"one"
        wire.reset()
    until_no_instance_is_left(server)
    assert counts(server, 1) == [1]


@pytest.mark.parametrize("at_most", [16, 2, 1])
def test_requests_share_instances_where_these_are_scarce(weir_checked, guest, serve, tmp_path, at_most):
    application = write_application(tmp_path / "application", [Component("mirror", "/...", guest("handler_mirror"))])
    one_loop = weir_checked.wrapped("taskset", "--cpu-list", str(min(os.sched_getaffinity(0))))
    options = ["--max-concurrency", "8", "--max-instance-concurrent-reuse-count", str(at_most)]
    server = serve(one_loop, application, *options)
    most = 0
    for _ in range(3):
        answers = at_once(lambda _: server.get("/pause"), range(8))
        assert [answer.text for answer in answers] == [GREETING] * 8
        most = max(most, *(int(answer.get("together")) for answer in answers))
    assert most > 2 if at_most == 16 else most == at_most


@pytest.mark.parametrize(
    "option, value",
    [
        ("--max-instance-reuse-count", "0"),
        ("--max-instance-reuse-count", "8..2"),
        ("--max-instance-concurrent-reuse-count", "many"),
        ("--idle-instance-timeout", "1s.."),
    ],
)
def test_a_bound_that_is_none_is_refused(weir, hello, option, value):
    result = weir.run("up", hello, option, value)
    assert result.status == 2
    assert f"{option} is '{value}'; give" in result.stderr


def test_clients_that_leave_give_their_instances_back(serve_guests, guest):
    server = serve_guests(Component("mirror", "/...", guest("handler_mirror")), options=["--max-concurrency", "4"])
    for _ in range(12):
        with server.wire() as wire:
            wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            assert wire.head().status == 200
            assert wire.chunk() == b"one"
            wire.reset()
    answers = at_once(lambda _: server.get("/"), range(8))
    assert [answer.text for answer in answers] == [GREETING] * 8


def test_more_requests_at_once_than_slots_are_all_answered(serve_guests, guest):
    """More requests at once than there are slots, and many after each other: all of them are answered."""
    server = serve_guests(Component("mirror", "/...", guest("handler_mirror")), options=["--max-concurrency", "3"])
    for _ in range(4):
        answers = at_once(lambda _: server.request("POST", "/", body=b"x" * 100_000), range(12))
        assert [(answer.status, len(answer.body)) for answer in answers] == [(200, 100_000)] * 12
