"""Many requests at once: none is lost, none gets another's answer, and the sanitizers have nothing to say."""

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from harness import REQUEST_DEADLINE, all_in_background, hello_load, in_background, load

REQUESTS = 10_000
CONCURRENCY = 32


def test_10000_requests_at_concurrency_32_without_an_error(weir_checked, hello, serve):
    server = serve(weir_checked, hello)
    assert load(server, REQUESTS, CONCURRENCY, hello_load) == []
    assert not re.search(r"(?m)^weir: error", server.stderr.text), server.log


def test_requests_beyond_the_slots_wait_for_their_turn(weir_checked, application, serve):
    """More guests at once than the tightest allocator has slots: they queue."""
    server = serve(weir_checked, application, environment={"SPIN_ALLOCATOR": "compact"})
    with all_in_background(server.get, ["/wait/30"] * 200) as answers:
        statuses = [answer().status for answer in answers]
    assert statuses == [200] * 200


def test_max_concurrency_bounds_the_guests_at_work(weir, application, serve):
    server = serve(weir, application, "--max-concurrency", "2")
    before = time.monotonic()
    with all_in_background(server.get, ["/wait/300", "/wagi/wait?300"] * 3) as answers:
        assert [answer().status for answer in answers] == [200] * 6
    assert time.monotonic() - before >= 0.9, "six waits of 0.3 s, two at a time"


def test_wrk_sees_no_error(weir, hello, serve):
    wrk = shutil.which("wrk")
    if wrk is None:
        pytest.skip("wrk is not installed")
    server = serve(weir, hello)
    for target in ("/hello", "/cgi/x?y=1"):
        done = subprocess.run(
            [wrk, "-t2", f"-c{CONCURRENCY}", "-d2s", f"{server.url}{target}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert "Socket errors" not in done.stdout and "Non-2xx" not in done.stdout, done.stdout
        assert int(re.search(r"(\d+) requests in", done.stdout).group(1)) > 100, done.stdout


def test_memory_does_not_grow_with_the_number_of_requests(weir, hello, serve):
    server = serve(weir, hello)
    assert load(server, 2000, CONCURRENCY, hello_load) == []
    before = server.resident_bytes()
    assert load(server, 6000, CONCURRENCY, hello_load) == []
    grown = server.resident_bytes() - before
    assert grown < 16 << 20, f"{grown / (1 << 20):.1f} MiB more after 6,000 requests"


def test_idle_connections_hold_no_buffers(weir, hello, serve):
    server = serve(weir, hello)
    assert load(server, 200, CONCURRENCY, hello_load) == []
    before = server.resident_bytes()
    wires = []
    try:
        for _ in range(800):
            wires.append(server.wire())
            wires[-1].send(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            assert wires[-1].response().status == 200
        grown = (server.resident_bytes() - before) / len(wires)
    finally:
        for wire in wires:
            wire.close()
    assert grown < 8 << 10, f"{grown / 1024:.1f} KiB for each idle connection"


def unread_bytes(server):
    """What the system holds of connections to a server: sent by a client, and not received by the server yet."""
    size = 0
    for line in Path(f"/proc/{server.process.pid}/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, queues = line.split()[:5]
        sending, receiving = (int(queue, 16) for queue in queues.split(":"))
        if state == "01":
            size += receiving if int(local.split(":")[1], 16) == server.port else 0
            size += sending if int(remote.split(":")[1], 16) == server.port else 0
    return size


def test_a_body_in_tiny_chunks_takes_no_more_memory_than_its_bytes(weir, application, serve):
    """Each client sends nearly 64 KiB, which is what is kept of a body that the guest does not read, byte by byte."""
    server = serve(weir, application, "--request-timeout", "120s")
    wires = [server.wire() for _ in range(8)]
    try:
        for wire in wires:
            wire.send(b"POST /wait/100000 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        server.stderr.wait_for("waiting", count=len(wires))
        before = server.resident_bytes()
        for wire in wires:
            wire.send(b"1\r\nx\r\n" * 60_000)
        deadline = time.monotonic() + REQUEST_DEADLINE
        while unread_bytes(server) > 0:
            assert time.monotonic() < deadline, "the server does not take the bodies"
            time.sleep(0.01)
        grown = (server.resident_bytes() - before) / len(wires)
    finally:
        for wire in wires:
            wire.close()
    assert grown < 512 << 10, f"{grown / 1024:.0f} KiB for each body of 60 KB"


def test_a_stop_under_load_loses_no_request_that_was_accepted(weir_checked, application, serve):
    server = serve(weir_checked, application)
    wires = [server.wire() for _ in range(24)]
    for wire in wires:
        wire.send(b"GET /wait/300 HTTP/1.1\r\nHost: a\r\n\r\n")
    server.stderr.wait_for("waiting", count=len(wires))
    with in_background(server.stop):
        for wire in wires:
            assert wire.response().body == b"waited\n"
            wire.close()


def test_thread_sanitizer_finds_no_race(weir_tsan, application, hello, serve):
    """Start, load, all kinds of ends of a request, and stop with requests in flight."""
    server = serve(weir_tsan, hello, seconds=120)
    assert load(server, 2000, CONCURRENCY, hello_load) == []
    server.stop()

    server = serve(weir_tsan, application, "--request-timeout", "3s", seconds=120)
    targets = ["/wait/300", "/spin", "/wagi/spin", "/fail/trap", "/wagi/fail?trap", "/echo/", "/stream/pieces/3/50"] * 4
    with all_in_background(server.get, targets) as answers:
        statuses = [answer(60).status for answer in answers]
    assert statuses == [200, 504, 504, 500, 500, 200, 200] * 4
    for _ in range(8):
        with server.wire() as wire:  # leaves while a guest is at work
            wire.send(b"GET /stream/forever HTTP/1.1\r\nHost: a\r\n\r\n")
            assert wire.head().status == 200
    known = server.stderr.text.count("waiting")
    with all_in_background(server.get, ["/wait/700", "/wagi/wait?700"] * 4) as answers:
        server.stderr.wait_for("waiting", count=known + 8)
        server.stop()
        assert [answer().status for answer in answers] == [200] * 8
