# ctest: timeout=300 serial
"""Many clients at once: 10,000 that are idle and 1,000 with an event stream each, what one of them takes of the server's
memory, and that others do not notice them.

Memory is what the server has for itself (Private_Dirty in /proc/PID/smaps_rollup, proc(5)), as the slope between two
numbers of clients: what is there once does not count. Time limits on clients are lifted, for a machine may be slow."""

import contextlib
import re
import resource
import socket
import ssl
import statistics
import time
from pathlib import Path

import pytest

from harness import REQUEST_DEADLINE, Component, Wire, hello_body, write_application

IDLE = 10_000
STREAMS = 1_000
OTHER_FILES = 256  # of the test, and of the server, beside those of clients
MAX_IDLE_BYTES = 4 * 1024  # 1.4 KiB were measured
MAX_IDLE_TLS_BYTES = 16 * 1024  # 9 KiB were measured
MAX_STREAM_BYTES = 128 * 1024  # 53 KiB were measured
MAX_SECONDS = 2  # until an answer, at the median, in the midst of them
PATIENT = ("--idle-timeout", "1h", "--header-timeout", "1h")
REQUEST = b"GET %s HTTP/1.1\r\nHost: weir\r\n\r\n"


@pytest.fixture
def clients():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def many_files():
    """As many files as the clients need may be open here, and there: a quarter of the server's is for its guests."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = (IDLE + OTHER_FILES) * 4 // 3
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"{IDLE} clients need a hard limit on open files (ulimit -Hn) of {needed}; it is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def private_bytes(server):
    rollup = Path(f"/proc/{server.process.pid}/smaps_rollup").read_text()
    return int(re.search(r"^Private_Dirty:\s+(\d+) kB$", rollup, re.M).group(1)) * 1024


def socket_count(server):
    count = 0
    for entry in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += str(entry.readlink()).startswith("socket:")
    return count


def connect(server, count, clients):
    """So many clients that have said nothing, and are accepted. They have many addresses, so that the ports suffice."""
    before = socket_count(server)
    wires = []
    for number in range(count):
        source = (f"127.0.0.{2 + number % 250}", 0)
        connected = socket.create_connection((server.host, server.port), REQUEST_DEADLINE, source)
        wires.append(clients.enter_context(Wire(connected)))
    deadline = time.monotonic() + REQUEST_DEADLINE
    while socket_count(server) < before + count:
        assert time.monotonic() < deadline, f"{socket_count(server) - before} of {count} were accepted"
        time.sleep(0.02)
    return wires


def connect_and_ask(server, count, clients):
    """So many clients that have had an answer, and stay."""
    wires = connect(server, count, clients)
    for wire in wires:
        assert ask(wire) == 200
    return wires


def begin_streams(server, count, clients):
    """So many clients that have had the first event of a stream, whose next one is an hour away."""
    wires = connect(server, count, clients)
    for wire in wires:
        wire.send(REQUEST % b"/stream/pieces/2/3600000")
    for wire in wires:
        assert wire.head().status == 200
        assert wire.chunk() == b"data: 0\n\n"
    return wires


def ask(wire):
    wire.send(REQUEST % b"/hello")
    return wire.response().status


def bytes_of_each(server, few, many, begin, clients):
    """What each of more clients takes, from `few` to `many` of them; and all their connections."""
    wires = begin(server, few, clients)
    before = private_bytes(server)
    wires += begin(server, many - few, clients)
    return (private_bytes(server) - before) / (many - few), wires


def answer_seconds(server):
    seconds = []
    for _ in range(30):
        began = time.monotonic()
        assert server.get("/hello").text == hello_body("/hello")
        seconds.append(time.monotonic() - began)
    return statistics.median(seconds)


def test_ten_thousand_idle_clients_take_little_memory_and_nobodys_time(weir, hello, serve, many_files, clients):
    server = serve(weir.wrapped("prlimit", "--nofile=1024:", "--"), hello, *PATIENT)  # it raises that by itself
    connect_and_ask(server, 1, clients)  # what is made for the first is made
    of_silent, silent = bytes_of_each(server, 100, IDLE // 2, connect, clients)
    of_answered, answered = bytes_of_each(server, 100, IDLE // 2, connect_and_ask, clients)
    print(f"bytes of a client that has sent nothing: {of_silent:.0f}; that has had an answer: {of_answered:.0f}")
    assert of_silent <= MAX_IDLE_BYTES
    assert of_answered <= MAX_IDLE_BYTES
    assert socket_count(server) > len(silent) + len(answered) == IDLE
    assert answer_seconds(server) < MAX_SECONDS
    for wire in silent[::500] + answered[::500]:
        assert ask(wire) == 200, "those that were idle are served as well"
    server.stop()


def test_an_idle_client_with_tls_takes_little_memory(weir, hello, serve, certificates, clients):
    keys = ("--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key")
    server = serve(weir, hello, *PATIENT, *keys)
    context = ssl.create_default_context(cafile=certificates / "ca.pem")

    def secure(server, count, clients):
        wires = connect(server, count, clients)
        for wire in wires:
            wire.socket = clients.enter_context(context.wrap_socket(wire.socket, server_hostname="localhost"))
            assert ask(wire) == 200
        return wires

    of_client, _ = bytes_of_each(server, 100, 400, secure, clients)
    print(f"bytes of an idle client with TLS: {of_client:.0f}")
    assert of_client <= MAX_IDLE_TLS_BYTES
    server.stop()


def test_a_client_more_than_there_is_room_for_waits_until_another_leaves(weir, hello, serve, clients):
    room = (256 - 64) * 3 // 4  # docs/limits.md: three quarters, after what else is open
    server = serve(weir.wrapped("prlimit", "--nofile=256:256", "--"), hello, *PATIENT)
    wires = connect_and_ask(server, room, clients)
    waiting = clients.enter_context(server.wire())
    waiting.send(REQUEST % b"/hello")
    for wire in wires:
        assert ask(wire) == 200
    waiting.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        waiting.receive()
    waiting.socket.settimeout(REQUEST_DEADLINE)
    wires[0].close()
    assert waiting.response().status == 200
    server.stop()


@pytest.fixture
def streams(guest, hello, tmp_path):
    components = [
        Component("stream", "/stream/...", guest("http_stream")),
        Component("hello", "/hello", hello / "hello.wasm"),
    ]
    return write_application(tmp_path, components)


def test_a_guest_that_waits_in_the_midst_of_its_response_takes_little_memory(weir, serve, streams, clients):
    server = serve(weir, streams, *PATIENT)
    connect_and_ask(server, 1, clients)  # what is made for the first is made
    of_stream, _ = bytes_of_each(server, 100, 200, begin_streams, clients)
    print(f"bytes of a stream: {of_stream:.0f}")
    assert of_stream <= MAX_STREAM_BYTES
    clients.close()
    server.stop()


def test_a_thousand_streams_leave_an_instance_for_others(weir, serve, streams, many_files, clients):
    # A few more instances than are usual: each loop keeps some for components that have none.
    server = serve(weir, streams, *PATIENT, "--max-concurrency", STREAMS * 5 // 4)
    begin_streams(server, STREAMS, clients)
    assert answer_seconds(server) < MAX_SECONDS
    clients.close()
    server.stop()
