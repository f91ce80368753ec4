"""Guests for wasi:http/handler@0.3, whose functions are async: requests, responses and failures are as with 0.2."""

import os
import time

import pytest

from harness import Component, all_in_background, write_application

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


def test_each_request_enters_a_fresh_instance_in_every_slot(serve_guests, guest):
    """More requests at once than there are slots, and many after each other: all of them are answered."""
    server = serve_guests(Component("mirror", "/...", guest("handler_mirror")), options=["--max-concurrency", "3"])
    for _ in range(4):
        answers = at_once(lambda _: server.request("POST", "/", body=b"x" * 100_000), range(12))
        assert [(answer.status, len(answer.body)) for answer in answers] == [(200, 100_000)] * 12
