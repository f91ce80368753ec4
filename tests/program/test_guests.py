"""Guests that fail, wait, compute for ever, stream and log: each costs its own request and no other."""

import hashlib
import http.client
import re
import socket
import time

import pytest

from harness import REQUEST_DEADLINE, all_in_background, in_background

MIB = 1 << 20


def bulk(size):
    """The bytes of http_stream's /bulk."""
    pattern = bytes(range(251))
    return (pattern * (size // 251 + 1))[:size]


# ---- failing ---------------------------------------------------------------------------------------------------------

# The way to fail, and what the log says of it. crates/trigger-http/src/server.rs, respond_wasm_component: whatever error an
# executor returns is logged, and answered by internal_error without a body. wasi.rs, execute, has one for a guest that fails,
# sets an error, or returns without a response; wagi.rs, execute, for a trap, a status other than 0, and empty output.
FAILURES = {
    "/fail/trap": ("fail", "unreachable"),
    "/fail/memory": ("fail", "out of bounds"),
    "/fail/overflow": ("fail", "trapped"),
    "/fail/divide": ("fail", "divide by zero"),
    "/fail/abort": ("fail", ""),
    "/fail/exit": ("fail", ""),
    "/fail/nothing": ("fail", ""),
    "/fail/error": ("fail", ""),
    "/wagi/fail?trap": ("wagi-fail", "unreachable"),
    "/wagi/fail?abort": ("wagi-fail", ""),
    "/wagi/fail?exit": ("wagi-fail", "3"),
    "/wagi/fail?nothing": ("wagi-fail", ""),
}


@pytest.mark.parametrize("target", FAILURES)
def test_a_guest_that_fails_is_500_with_an_empty_body_and_a_log_line(served, target):
    component, word = FAILURES[target]
    known = len(served.stderr.lines)
    with served.wire() as wire:
        for _ in range(2):  # the next request on the same connection works
            wire.send(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % target.encode())
            response = wire.response()
            assert (response.status, response.body) == (500, b"")
        wire.send(b"GET /fail/none-of-them HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.response().status == 200
    for count in (1, 2):
        line = served.stderr.wait_for(rf"^weir: error: .*\b{component}\b.*", count=count, after=known).group(0)
        assert word in line, line


def test_exit_status_0_through_proc_exit_is_success(served):
    """crates/trigger-http/src/wagi.rs, ignore_successful_proc_exit_trap"""
    response = served.get("/wagi/fail?exit-0")
    assert (response.status, response.text) == (200, "nobody must see this\n")


def test_a_trap_after_the_head_cuts_the_connection(served):
    """The status has been sent: all that is left is not to let the body look complete."""
    with served.wire() as wire:
        wire.send(b"GET /fail/head-then-trap HTTP/1.1\r\nHost: a\r\n\r\n")
        response = wire.head()
        assert response.status == 200
        with pytest.raises((EOFError, ConnectionError)):
            wire.body(response)
    assert served.get("/fail/none-of-them").status == 200
    served.stderr.wait_for(r"\bfail\b.*unreachable")


def test_a_trap_after_the_end_of_the_body_does_not_harm_the_response(served):
    response = served.get("/fail/end-then-trap")
    assert (response.status, response.text) == (200, "all of it\n")
    served.stderr.wait_for("about to trap")


def test_many_failures_at_once_leave_no_slot_behind(served):
    """More failing requests than a pool has slots: each slot comes back."""
    for target in ("/fail/trap", "/wagi/fail?trap", "/fail/head-then-trap"):
        connections = [
            http.client.HTTPConnection(served.host, served.port, timeout=REQUEST_DEADLINE) for _ in range(16)
        ]
        for _ in range(8):
            for connection in connections:
                connection.request("GET", target)
            for connection in connections:
                response = connection.getresponse()
                try:
                    response.read()
                except http.client.IncompleteRead:
                    connection.close()
                assert response.status == (200 if "head" in target else 500)
        for connection in connections:
            connection.close()
    assert served.get("/echo/").status == 200


# ---- waiting and computing -------------------------------------------------------------------------------------------


def quick_ones_are_answered_meanwhile(served, target):
    """Whether others are answered while more requests wait, all at once, than there are event loops."""
    known = len([line for line in served.stderr.lines if "waiting" in line])
    with all_in_background(served.get, [target] * 12) as answers:
        served.stderr.wait_for("waiting", count=known + 12)
        at_once = not any(answer.done() for answer in answers)
        for _ in range(20):
            assert served.get("/echo/").status == 200
        quick = not any(answer.done() for answer in answers)
        for answer in answers:
            response = answer()
            assert (response.status, response.text) == (200, "waited\n")
    return at_once and quick


@pytest.mark.parametrize("target", ["/wait/", "/wagi/wait?"])
def test_guests_that_wait_hold_up_nobody(served, target):
    """On a busy machine the wait can be over before the others have been answered; a longer one then tells."""
    assert any(quick_ones_are_answered_meanwhile(served, f"{target}{wait}") for wait in (1500, 5000, 20000))


def quick_ones_are_answered_before_a_limit(server, target):
    """Whether others are answered before the time of guests that compute for ever is over."""
    with all_in_background(server.get, [target] * 4) as answers:
        server.stderr.wait_for("spinning", count=4)
        for _ in range(10):
            assert server.get("/echo/").status == 200
            assert server.get("/wagi/environment").status == 200
        quick = not any(answer.done() for answer in answers)
        for answer in answers:
            response = answer()
            assert (response.status, response.body) == (504, b"")
    assert server.get("/echo/").status == 200
    return quick


@pytest.mark.parametrize("target", ["/spin", "/wagi/spin"])
def test_guests_that_compute_for_ever_hold_up_nobody_and_end_with_504(weir_checked, application, serve, target):
    """On a busy machine the others need longer; a longer limit then tells."""
    assert any(
        quick_ones_are_answered_before_a_limit(serve(weir_checked, application, "--request-timeout", limit), target)
        for limit in ("4s", "16s")
    ), "the quick requests had to wait for the others to end"


@pytest.mark.parametrize("target", ["/spin", "/wagi/spin", "/wait/60000", "/wagi/wait?60000"])
def test_a_request_that_takes_too_long_is_504_in_time(weir_checked, application, serve, target):
    server = serve(weir_checked, application, "--request-timeout", "1s")
    before = time.monotonic()
    response = server.get(target)
    seconds = time.monotonic() - before
    assert (response.status, response.body) == (504, b"")
    assert 0.9 <= seconds < 25, seconds
    assert server.get("/echo/").status == 200
    server.stderr.wait_for(
        r"^weir: warning: component (wagi-)?(spin|wait): no response within 1 s, the time limit that --request-timeout "
        r"sets; answered with 504"
    )


def test_the_time_limit_ends_with_the_head_not_with_the_body(weir_checked, application, serve):
    server = serve(weir_checked, application, "--request-timeout", "500ms")
    response = server.get("/stream/pieces/4/300")
    assert response.status == 200
    assert response.body == b"".join(b"data: %d\n\n" % number for number in range(4))


def test_a_slow_upload_is_not_the_guests_time(weir_checked, application, serve):
    """A client that sends its body slowly is still served, or refused cleanly; the guest is never blamed with 500."""
    server = serve(weir_checked, application, "--request-timeout", "1s")
    with server.wire() as wire:
        wire.send(b"POST /wagi/cat HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\ncontent-type: text")
        assert server.get("/echo/").status == 200
        try:
            wire.send(b"/plain\n\nok")
        except OSError:
            pass
        response = wire.response()
        assert response.status in (200, 408, 504), response


# ---- streaming -------------------------------------------------------------------------------------------------------


def test_a_stream_without_an_end_arrives_piece_by_piece(served):
    with served.wire() as wire:
        wire.send(b"GET /stream/forever HTTP/1.1\r\nHost: a\r\n\r\n")
        response = wire.head()
        assert response.status == 200
        assert response.get("content-type") == "text/event-stream"
        assert response.all("content-length") == []
        seen = b""
        while not seen.endswith(b"data: 5\n\n"):
            piece = wire.chunk()
            assert piece, "the stream came to an end"
            seen += piece
    assert seen == b"".join(b"data: %d\n\n" % number for number in range(6))


def test_the_first_piece_is_seen_before_the_last_is_written(served):
    """crates/trigger-http/src/wasi.rs, execute: the response leaves when the guest sets it, and the guest goes on"""
    last = "writing the last piece"
    known = served.stderr.text.count(last)
    with served.wire() as wire:
        wire.send(b"GET /stream/pieces/3/500 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.head().status == 200
        pieces = [wire.chunk()]
        assert served.stderr.text.count(last) == known, "the last piece was written before the first was seen"
        pieces += iter(wire.chunk, b"")
    assert b"".join(pieces) == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"


def test_clients_that_leave_a_stream_give_their_slots_back(weir_checked, application, serve):
    server = serve(weir_checked, application)
    for _ in range(6):
        wires = [server.wire() for _ in range(16)]
        for wire in wires:
            wire.send(b"GET /stream/forever HTTP/1.1\r\nHost: a\r\n\r\n")
        for wire in wires:
            assert wire.head().status == 200
            assert wire.chunk() == b"data: 0\n\n"
        for wire in wires:
            wire.close()
    assert server.get("/echo/").status == 200
    before = time.monotonic()
    server.stop()  # nothing is in flight: streams without a reader were cancelled
    assert time.monotonic() - before < 10


@pytest.mark.parametrize("target", ["/wait/60000", "/wagi/wait?60000", "/spin", "/wagi/spin"])
def test_guests_whose_clients_left_are_cancelled(weir_checked, application, serve, target):
    server = serve(weir_checked, application, "--request-timeout", "60s")
    wires = [server.wire() for _ in range(4)]
    for wire in wires:
        wire.send(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % target.encode())
    server.stderr.wait_for("waiting|spinning", count=len(wires))
    for wire in wires:
        wire.close()
    before = time.monotonic()
    server.stop()
    assert time.monotonic() - before < 15


def test_a_large_body_comes_whole(served):
    size = 16 * MIB + 7
    response = served.get(f"/stream/bulk/{size}")
    assert response.status == 200
    assert len(response.body) == size
    assert hashlib.sha256(response.body).digest() == hashlib.sha256(bulk(size)).digest()


def test_a_client_that_does_not_read_costs_no_memory(weir, application, serve):
    """Back-pressure: the guest waits until the client takes what has been written."""
    server = serve(weir, application)
    size = 256 * MIB
    assert server.get("/echo/").status == 200
    before = server.resident_bytes()
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection.settimeout(REQUEST_DEADLINE)
    connection.connect((server.host, server.port))
    with connection:
        connection.sendall(b"GET /stream/bulk/%d HTTP/1.1\r\nHost: a\r\n\r\n" % size)
        assert connection.recv(12) == b"HTTP/1.1 200"
        # Others' requests, one after the other, give the guest all the time it wants to write.
        for _ in range(300):
            assert server.get("/echo/").status == 200
        grown = server.resident_bytes() - before
    assert grown < 48 * MIB, f"{grown / MIB:.0f} MiB more"
    assert "all is written" not in server.stderr.text


# ---- echo ------------------------------------------------------------------------------------------------------------

CHUNKED_LIMIT = 16 * MIB  # for a WAGI module
SIZES = [0, 1, 64 * 1024, MIB, 16 * MIB]


def pieces(body, size=50_021):
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("chunked", [False, True], ids=["fixed", "chunked"])
@pytest.mark.parametrize("size", SIZES)
def test_a_component_echoes_a_body_byte_by_byte(served, size, chunked):
    body = bulk(size)
    headers = {"Content-Type": "application/x-weir"}
    headers.update({"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(size)})
    response, wire = exchange_body(served, "/echo/x", headers, body, chunked)
    with wire:
        assert response.status == 200
        assert response.get("content-type") == "application/x-weir"
        assert len(response.body) == size
        assert response.body == body
        if response.get("connection", "").lower() == "close":
            wire.assert_closed()
        else:
            wire.send(b"GET /echo/again HTTP/1.1\r\nHost: a\r\n\r\n")
            assert wire.response().body == b""


def exchange_body(served, target, headers, body, chunked):
    """Send and receive at once: an echo of 16 MiB fits no socket's buffer. Gives response and connection."""
    wire = served.wire(60)
    with in_background(lambda: send_body(wire, target, headers, body, chunked)) as sent:
        response = wire.response()
        sent(60)
    return response, wire


def send_body(wire, target, headers, body, chunked):
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    wire.send(f"POST {target} HTTP/1.1\r\nHost: a\r\n{head}\r\n".encode())
    for piece in pieces(body):
        wire.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
    if chunked:
        wire.send(b"0\r\n\r\n")


@pytest.mark.parametrize("chunked", [False, True], ids=["fixed", "chunked"])
@pytest.mark.parametrize("size", SIZES)
def test_a_wagi_module_echoes_a_body_byte_by_byte(served, size, chunked):
    head = b"content-type: application/x-weir\n\n"
    if size == CHUNKED_LIMIT:
        size -= len(head)  # a module is told the length first, so that weir has to hold a body that comes in chunks
    body = bulk(size)
    document = head + body
    headers = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(document))}
    response, wire = exchange_body(served, "/wagi/cat", headers, document, chunked)
    with wire:
        assert response.status == 200
        assert response.get("content-type") == "application/x-weir"
        assert len(response.body) == size
        assert response.body == body


def test_a_module_is_not_given_more_in_chunks_than_weir_holds(served):
    body = b"content-type: a/b\n\n" + bulk(CHUNKED_LIMIT)
    with served.wire(60) as wire:
        with in_background(lambda: send_whatever_is_taken(wire, body)) as sent:
            response = wire.response()
            sent(60)
        assert response.status == 413, response
    response, wire = exchange_body(served, "/wagi/cat", {"Content-Length": str(len(body))}, body, False)
    with wire:
        assert response.body == body.partition(b"\n\n")[2]


def send_whatever_is_taken(wire, body):
    try:
        send_body(wire, "/wagi/cat", {"Transfer-Encoding": "chunked"}, body, True)
    except OSError:
        pass


def test_a_component_answers_while_it_still_reads(served):
    """Both directions at once: each piece comes back before the next is sent. crates/trigger-http/src/wasi.rs, execute: the
    guest has the request's body as a stream, and the response is not waited for until its end."""
    with served.wire() as wire:
        wire.send(b"POST /echo/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        response = None
        for piece in (b"one", b"two", b"three"):
            wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            if response is None:
                response = wire.head()
                assert response.status == 200
            back = b""
            while len(back) < len(piece):
                back += wire.chunk()
            assert back == piece
        wire.send(b"0\r\n\r\n")
        assert wire.chunk() == b""


def test_a_body_that_the_guest_does_not_read_is_no_trouble(served):
    body = bulk(2 * MIB)
    for _ in range(3):
        response, wire = exchange_body(served, "/echo/ignore", {"Content-Length": str(len(body))}, body, False)
        with wire:
            assert (response.status, response.text) == (200, "ignored\n")


def test_a_body_that_waits_for_the_guest_comes_whole(served):
    body = bulk(300_000)
    response = served.request("POST", "/echo/late", body=body)
    assert response.body == body


@pytest.mark.parametrize("target", ["/echo/", "/wagi/cat"])
@pytest.mark.parametrize(
    "raw", [b"Content-Length: 1000\r\n\r\nonly this", b"Transfer-Encoding: chunked\r\n\r\n5\r\nonly"]
)
def test_an_upload_that_breaks_off_costs_nothing(served, target, raw):
    for _ in range(20):
        with served.wire() as wire:
            wire.send(b"POST %s HTTP/1.1\r\nHost: a\r\n" % target.encode() + raw)
    assert served.request("POST", "/echo/", body=b"whole").body == b"whole"


@pytest.mark.parametrize("target", ["/echo/", "/wagi/cat"])
def test_guests_whose_uploads_broke_off_are_cancelled(weir_checked, application, serve, target):
    server = serve(weir_checked, application, "--request-timeout", "60s")
    for rest in (b"Content-Length: 1000\r\n\r\nonly this", b"Transfer-Encoding: chunked\r\n\r\n5\r\nonly"):
        for _ in range(4):
            with server.wire() as wire:
                wire.send(b"POST %s HTTP/1.1\r\nHost: a\r\n" % target.encode() + rest)
    assert server.get("/wagi/environment").status == 200
    before = time.monotonic()
    server.stop()
    assert time.monotonic() - before < 15, "something still waited for a body that nobody sends"


def test_many_echoes_at_once_are_not_mixed_up(served):
    bodies = [hashlib.sha256(bytes([number])).digest() * 4000 for number in range(24)]
    with all_in_background(lambda body: served.request("POST", "/echo/", body=body).body, bodies) as answers:
        assert [answer() for answer in answers] == bodies


# ---- logging ---------------------------------------------------------------------------------------------------------


def test_what_a_guest_writes_is_logged_line_by_line_with_its_name_and_no_forgeries(served):
    assert served.get("/log").text == "logged\n"
    served.stderr.wait_for("unfinished")
    lines = served.stderr.lines
    assert "[log stdout] first" in lines
    assert "[log stdout] second" in lines
    assert "[log stderr] weir: error: forged" in lines
    assert "weir: error: forged" not in lines
    assert "[log stderr] unfinished" in lines
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", "".join(lines)), "a control character reached the log"
    (red,) = [line for line in lines if "red" in line and "before" in line]
    assert red.startswith("[log stderr] before")
    assert sum("x" * 50 in line for line in lines) >= 1
    assert all(len(line) < 10_000 for line in lines)
