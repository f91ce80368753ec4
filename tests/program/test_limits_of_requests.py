"""The limits on requests, responses and connections that docs/limits.md lists: what happens beyond each, as an option, in
the manifest for the application, and for one component."""

import re
import socket
import ssl
import subprocess
import time

import pytest

from admin import Admin, sample
from harness import Component, all_in_background, in_background, write_application

GUESTS = {
    "wait": "http_wait",
    "spin": "http_spin",
    "echo": "http_echo",
    "stream": "http_stream",
    "outgoing": "http_outgoing",
}


@pytest.fixture
def limited(weir_checked, serve, guest, tmp_path):
    """Serve guests with these limits: options, tables of the application, and of components."""

    def start(*options, application="", **components):
        path = write_application(
            tmp_path / "application",
            [
                *(Component(name, f"/{name}/...", guest(source)) for name, source in GUESTS.items()),
                Component("other-spin", "/other-spin/...", guest("http_spin")),
                Component("program", "/program/...", guest("wagi_spin"), wagi=True),
                Component("cat", "/cat/...", guest("wagi_cat"), wagi=True),
            ],
        )
        text = path.read_text().replace(
            "[component.outgoing]\n", '[component.outgoing]\nallowed_outbound_hosts = ["http://*.spin.internal"]\n'
        )
        if application:
            text += f"\n[application.tool.weir]\n{application}\n"
        for name, table in components.items():
            text += f"\n[component.{name.replace('_', '-')}.tool.weir]\n{table}\n"
        path.write_text(text)
        return serve(weir_checked, path, *options)

    return start


CGI = b"content-type: text/plain\n\n"  # what a program's output, and so what wagi_cat is sent, begins with


def head_of(target, *headers, method="GET"):
    lines = [f"{method} {target} HTTP/1.1", "Host: a", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


# ---- processor time --------------------------------------------------------------------------------------------------


def test_a_guest_that_spins_is_ended_before_the_time_for_its_request_is_over(limited):
    server = limited("--cpu-time", "200ms", "--request-timeout", "60s")
    before = time.monotonic()
    assert server.get("/spin").status == 504
    assert time.monotonic() - before < 30
    server.stderr.wait_for(r"component spin: it computed for 0.2 s, the time limit that --cpu-time sets.*504")


def test_a_program_that_spins_is_ended_too(limited):
    server = limited("--cpu-time", "200ms", "--request-timeout", "60s")
    assert server.get("/program").status == 504


def test_a_guest_that_spins_after_its_responses_head_is_cut_off(limited):
    server = limited("--cpu-time", "300ms", "--request-timeout", "60s")
    with server.wire() as wire:
        wire.send(head_of("/spin/after"))
        assert wire.head().status == 200
        assert not wire.rest().endswith(b"0\r\n\r\n")
    server.stderr.wait_for("it computed for 0.3 s.*after its response began")


def test_a_guest_that_spins_after_its_response_is_ended(limited):
    server = limited("--cpu-time", "300ms", "--request-timeout", "60s", "--max-concurrency", "1")
    assert server.get("/spin/late").text == "spinning\n"
    server.stderr.wait_for("it computed for 0.3 s.*after its response began")
    assert server.get("/wait/1").status == 200


def test_a_guest_that_spins_for_another_guest_is_ended(limited):
    """What the caller gets is the answer of one that failed."""
    server = limited("--cpu-time", "300ms", "--request-timeout", "60s")
    response = server.get("/outgoing/", headers={"x-to": "http spin.spin.internal /spin"})
    server.stderr.wait_for("component spin: it computed for 0.3 s")
    assert response.status == 504


def test_each_component_has_its_own_time(limited):
    server = limited("--request-timeout", "3s", spin='cpu_time = "100ms"', other_spin='cpu_time = "none"')
    assert server.get("/spin").status == 504
    server.stderr.wait_for("component spin: it computed for 0.1 s")
    assert server.get("/other-spin").status == 504
    server.stderr.wait_for("component other-spin: no response within 3 s")


def test_an_event_stream_outlives_the_time_for_requests_and_that_of_the_processor(limited):
    """It waits nearly all the time: 60 events at 50 ms are three seconds, three times either limit."""
    server = limited("--request-timeout", "1s", "--cpu-time", "1s")
    response = server.get("/stream/pieces/60/50")
    assert response.status == 200
    assert response.text == "".join(f"data: {number}\n\n" for number in range(60))


# ---- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_long_is_413(limited, chunked):
    server = limited("--max-request-body", "1000")
    enough = CGI.ljust(1000, b"x")
    assert server.request("POST", "/cat", body=iter([enough]) if chunked else enough).status == 200
    body = iter([enough, b"y"]) if chunked else enough + b"y"
    assert server.request("POST", "/cat", body=body).status == 413


def test_a_body_that_grows_too_long_after_the_response_began_cuts_the_connection(limited):
    server = limited("--max-request-body", "1000")
    with server.wire() as wire:
        wire.send(head_of("/echo/body", "Transfer-Encoding: chunked", method="POST"))
        wire.send(b"258\r\n" + b"x" * 600 + b"\r\n")
        assert wire.head().status == 200
        wire.send(b"258\r\n" + b"x" * 600 + b"\r\n")
        assert not wire.rest().endswith(b"0\r\n\r\n")


def test_a_body_that_is_announced_too_long_is_413_before_it_comes(limited):
    server = limited(application='max_request_body = "1KiB"')
    with server.wire() as wire:
        wire.send(head_of("/echo/body", "Content-Length: 1025", "Expect: 100-continue", method="POST"))
        assert wire.response().status == 413


def test_a_component_may_take_longer_bodies_than_others(limited):
    server = limited(application="max_request_body = 1000", cat='max_request_body = "none"')
    assert server.request("POST", "/cat", body=CGI + b"x" * 5000).status == 200
    assert server.request("POST", "/echo/body", body=b"x" * 5000).status == 413


def test_a_response_that_is_too_long_is_502_or_cut(limited):
    server = limited("--max-response-body", "100KiB")
    assert len(server.get("/stream/bulk/102400").body) == 102400
    with server.wire() as wire:
        wire.send(head_of("/stream/bulk/10000000"))
        response = wire.head()
        # What is known before the head is sent is 502; else the body breaks off, and does not look complete.
        if response.status == 200:
            assert response.get("transfer-encoding") == "chunked"
            assert not wire.rest().endswith(b"0\r\n\r\n")
        else:
            assert response.status == 502
    server.stderr.wait_for("longer than 100KiB, the limit that --max-response-body sets")
    assert server.request("HEAD", "/stream/bulk/10000000").status == 200


# ---- heads -----------------------------------------------------------------------------------------------------------


def test_a_request_with_too_many_headers_is_431(limited):
    server = limited("--max-request-headers", "20")
    fields = [f"X-{number}: 1" for number in range(19)]
    assert server.exchange(head_of("/wait/1", *fields)).status == 200
    assert server.exchange(head_of("/wait/1", *fields, "X-Last: 1")).status == 431


def test_a_request_with_too_long_a_head_is_431_or_414(limited):
    server = limited(application='max_request_head = "2KiB"')
    assert server.exchange(head_of("/wait/1", "X: " + "x" * 1800)).status == 200
    assert server.exchange(head_of("/wait/1", "X: " + "x" * 2100)).status == 431
    assert server.exchange(head_of("/wait/" + "1" * 2100)).status == 414


def test_a_head_that_trickles_in_is_408(limited):
    server = limited("--header-timeout", "1s")
    with server.wire() as wire:
        wire.send(b"GET / HTTP/1.1\r\n")
        with in_background(lambda: wire.response().status) as status:
            number = 0
            while not status.done():
                try:
                    wire.send(f"X-{number}: 1\r\n".encode())
                except OSError:
                    break
                number += 1
                time.sleep(0.05)  # what is tested is that it never falls silent
            assert status() == 408


def test_a_body_that_trickles_in_is_408(limited):
    server = limited("--body-timeout", "1s")
    with server.wire() as wire:
        wire.send(head_of("/cat", "Content-Length: 100000", method="POST"))
        with in_background(lambda: wire.response().status) as status:
            while not status.done():
                try:
                    wire.send(b"x")
                except OSError:
                    break
                time.sleep(0.05)
            assert status() == 408


def test_a_body_that_comes_slowly_but_enough_of_it_is_taken(limited):
    server = limited("--body-timeout", "500ms")
    with server.wire() as wire:
        wire.send(head_of("/cat", "Content-Length: 30000", method="POST"))
        for number in range(10):
            wire.send((CGI if number == 0 else b"").ljust(3000, b"x"))
            time.sleep(0.2)
        response = wire.response()
        assert (response.status, len(response.body)) == (200, 30000 - len(CGI))


# ---- waiting ---------------------------------------------------------------------------------------------------------


def test_the_time_for_waiting_is_apart_from_that_for_the_request(limited):
    server = limited("--max-concurrency", "1", "--waiting-timeout", "500ms", "--request-timeout", "20s")
    with in_background(lambda: server.get("/wait/2500")) as held:
        server.stderr.wait_for("waiting")
        assert server.get("/wait/1").status == 503
        assert not held.done()
        assert held().status == 200
    server.stderr.wait_for("no instance could be had within 0.5 s, the time limit that --waiting-timeout sets")


def test_components_have_their_own_time_for_requests(limited):
    server = limited("--request-timeout", "20s", wait='request_timeout = "300ms"')
    assert server.get("/wait/5000").status == 504
    server.stderr.wait_for("component wait: no response within 0.3 s")
    assert server.get("/stream/pieces/2/500").status == 200


def test_no_component_may_have_more_than_an_option_allows(limited):
    server = limited("--request-timeout", "300ms", wait='request_timeout = "20s"')
    assert server.get("/wait/5000").status == 504


# ---- connections -----------------------------------------------------------------------------------------------------


def test_a_connection_is_closed_after_so_many_requests(limited):
    server = limited("--max-requests-per-connection", "3")
    with server.wire() as wire:
        for number in range(3):
            wire.send(head_of("/wait/1"))
            response = wire.response()
            assert response.status == 200
            assert response.get("connection") == ("close" if number == 2 else None)
        wire.assert_closed()


def test_one_address_may_have_so_many_connections(limited):
    server = limited("--max-connections-per-address", "4")
    wires = [server.wire() for _ in range(4)]
    for wire in wires:
        wire.send(head_of("/wait/1"))
        assert wire.response().status == 200
    with server.wire() as refused:
        refused.assert_closed()
    with socket.socket() as elsewhere:  # another address is another client
        elsewhere.bind(("127.0.0.2", 0))
        elsewhere.settimeout(30)
        elsewhere.connect((server.host, server.port))
        elsewhere.sendall(head_of("/wait/1"))
        assert elsewhere.recv(100).startswith(b"HTTP/1.1 200")
    wires.pop().close()
    # The place is free again as soon as the loop has seen it.
    deadline = time.monotonic() + 30
    while True:
        with server.wire() as wire:
            try:
                wire.send(head_of("/wait/1"))
                if wire.receive():
                    break
            except OSError:
                pass
        assert time.monotonic() < deadline
    for wire in wires:
        wire.close()


def test_an_idle_connection_is_closed(limited):
    server = limited("--idle-timeout", "300ms")
    with server.wire() as wire:
        wire.send(head_of("/wait/1"))
        assert wire.response().status == 200
        wire.assert_closed()


def test_more_connections_than_allowed_wait_for_their_turn(limited):
    server = limited("--max-connections", "2", "--idle-timeout", "1s")
    with all_in_background(server.get, ["/wait/20"] * 20) as answers:
        assert [answer().status for answer in answers] == [200] * 20


# ---- clients that leave ----------------------------------------------------------------------------------------------


def test_a_client_that_closes_its_side_has_left_and_its_guest_is_ended(limited):
    server = limited("--max-concurrency", "1")
    with server.wire() as wire:
        wire.send(head_of("/wait/20000"))
        server.stderr.wait_for("waiting")
        wire.end()
        wire.assert_closed()
    assert server.get("/wait/1", seconds=10).status == 200  # its instance is free


def test_a_client_that_closes_its_side_gets_what_is_answered_at_once(limited):
    server = limited()

    def is_answered():
        with server.wire() as wire:
            wire.send(head_of("/wait/1"))
            wire.end()
            answer = wire.rest()
        return answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"waited\n")

    until(is_answered, "an answer")  # at once is not at once on a machine that is busy


def test_a_client_may_close_its_side_and_wait_where_that_is_allowed(limited):
    server = limited("--allow-half-close")
    with server.wire() as wire:
        wire.send(head_of("/wait/1500") + head_of("/wait/1"))
        wire.end()
        assert wire.response().status == 200
        assert wire.response().status == 200
        wire.assert_closed()


@pytest.mark.parametrize("target", ["/wait/20000", "/spin", "/stream/forever"])
@pytest.mark.parametrize("allowed", [False, True])
def test_a_client_that_resets_ends_its_guest_at_once(limited, target, allowed):
    server = limited("--max-concurrency", "1", *(["--allow-half-close"] if allowed else []))
    with server.wire() as wire:
        wire.send(head_of(target))
        server.stderr.wait_for("waiting|spinning") if "stream" not in target else wire.head()
        wire.reset()
    assert server.get("/wait/1", seconds=10).status == 200


def test_a_client_that_resets_ends_the_guest_that_its_guest_waits_for(limited):
    server = limited("--request-timeout", "60s")
    with server.wire() as wire:
        wire.send(head_of("/outgoing/", "x-to: http wait.spin.internal /wait/50000"))
        server.stderr.wait_for("wait stderr.*waiting")
        wire.reset()
    server.stop(seconds=20)  # with a guest under way it would wait for that


def test_a_client_that_resets_ends_its_guest_with_tls_too(weir_checked, serve, guest, tmp_path):
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    path = write_application(tmp_path / "application", [Component("wait", "/wait/...", guest("http_wait"))])
    options = ["--tls-cert", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem", "--request-timeout", "60s"]
    server = serve(weir_checked, path, *options)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    wire = server.wire()
    wire.socket = context.wrap_socket(wire.socket)
    wire.send(head_of("/wait/50000"))
    server.stderr.wait_for("waiting")
    wire.reset()
    server.stop(seconds=20)


# ---- memory ----------------------------------------------------------------------------------------------------------


def leb(number):
    """A number as WebAssembly's binary format has it, unsigned or, being below 64, signed."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(encoded + bytes([number]))


def module_with_two_memories(first, second):
    """A WASI program (WebAssembly's binary format, section 5) with two memories of one page. It grows each by so many
    pages, traps where one does not grow, and writes an answer."""

    def section(number, *entries):
        body = leb(len(entries)) + b"".join(entries)
        return bytes([number]) + leb(len(body)) + body

    def name(text):
        return leb(len(text)) + text.encode()

    answer = CGI + b"grown\n"
    vector = (16).to_bytes(4, "little") + len(answer).to_bytes(4, "little")

    def grow(memory, pages):  # (if (i32.eq (memory.grow (i32.const pages)) (i32.const -1)) (then unreachable))
        return b"\x41" + leb(pages) + b"\x40" + leb(memory) + b"\x41\x7f\x46\x04\x40\x00\x0b"

    write = b"\x41\x01\x41\x00\x41\x01\x41\x08\x10\x00\x1a"  # fd_write(1, 0, 1, 8), dropped
    code = b"\x00" + grow(0, first) + grow(1, second) + write + b"\x0b"
    return (
        b"\0asm\x01\0\0\0"
        + section(1, b"\x60\x04\x7f\x7f\x7f\x7f\x01\x7f", b"\x60\x00\x00")
        + section(2, name("wasi_snapshot_preview1") + name("fd_write") + b"\x00\x00")
        + section(3, b"\x01")
        + section(5, b"\x00\x01", b"\x00\x01")
        + section(7, name("memory") + b"\x02\x00", name("_start") + b"\x00\x01")
        + section(10, leb(len(code)) + code)
        + section(11, b"\x00\x41\x00\x0b" + leb(len(vector)) + vector, b"\x00\x41\x10\x0b" + leb(len(answer)) + answer)
    )


@pytest.mark.parametrize(("first", "second", "status"), [(14, 0, 200), (8, 6, 200), (8, 7, 500), (0, 15, 500)])
@pytest.mark.parametrize("allocator", ["pooling", "ondemand"])
def test_the_limit_on_memory_is_over_all_memories(weir, serve, tmp_path, allocator, first, second, status):
    (tmp_path / "two.wasm").write_bytes(module_with_two_memories(first, second))
    path = write_application(tmp_path / "application", [Component("two", "/...", tmp_path / "two.wasm", wagi=True)])
    path.write_text(path.read_text() + '\n[component.two.tool.weir]\nmax_instance_memory = "1MiB"\n')
    server = serve(weir, path, environment={"SPIN_ALLOCATOR": allocator})
    response = server.get("/")
    assert response.status == status, server.log
    assert status != 200 or response.text == "grown\n"


def test_a_component_that_begins_with_more_than_its_memory_is_refused(weir, guest, tmp_path):
    path = write_application(tmp_path / "application", [Component("wait", "/...", guest("http_wait"))])
    path.write_text(path.read_text() + '\n[component.wait.tool.weir]\nmax_instance_memory = "64KiB"\n')
    finished = weir.run("up", path, "--listen", "127.0.0.1:0")
    assert finished.status == 2, finished
    line = path.read_text().count("\n")
    assert re.search(
        rf"spin.toml:{line}: component wait begins with \d+KiB of memory, "
        r'and "max_instance_memory" of \[component\.wait\.tool\.weir\] allows 64KiB; raise',
        finished.stderr,
    ), finished
    finished = weir.run("up", path, "--listen", "127.0.0.1:0", "--max-instance-memory", "64KiB")
    assert finished.status == 2 and re.search(
        r"error: component wait begins with \d+KiB of memory, and --max-instance-memory allows 64KiB", finished.stderr
    ), finished


def test_the_memories_that_a_component_begins_with_count_together(weir, tmp_path):
    (tmp_path / "two.wasm").write_bytes(module_with_two_memories(0, 0))
    path = write_application(tmp_path / "application", [Component("two", "/...", tmp_path / "two.wasm", wagi=True)])
    path.write_text(path.read_text() + '\n[component.two.tool.weir]\nmax_instance_memory = "64KiB"\n')
    finished = weir.run("up", path, "--listen", "127.0.0.1:0")
    assert finished.status == 2 and "component two begins with 128KiB of memory" in finished.stderr, finished


def test_what_is_refused_because_of_its_memory_names_who_has_set_the_limit(weir, guest, tmp_path):
    path = write_application(tmp_path / "application", [Component("wait", "/...", guest("http_wait"))])
    config = tmp_path / "run.toml"
    config.write_text("max_instance_memory = 65536\n")
    up = ("up", path, "--listen", "127.0.0.1:0")
    done = weir.run(*up, environment={"SPIN_MAX_INSTANCE_MEMORY": "65536"})
    assert done.status == 2 and "and SPIN_MAX_INSTANCE_MEMORY allows 64KiB" in done.stderr, done
    diagnosed = weir.run("doctor", path, environment={"SPIN_MAX_INSTANCE_MEMORY": "65536"})
    assert diagnosed.stderr == done.stderr, diagnosed
    done = weir.run(*up, "--runtime-config-file", config)
    assert done.status == 2, done
    assert 'and "max_instance_memory" of the runtime configuration allows 64KiB' in done.stderr, done
    done = weir.run(*up, "--runtime-config-file", config, environment={"SPIN_MAX_INSTANCE_MEMORY": "64KiB"})
    assert "and SPIN_MAX_INSTANCE_MEMORY allows 64KiB" in done.stderr, done


def test_a_connection_too_many_names_who_has_set_the_limit(limited):
    server = limited(application="max_connections_per_address = 1")
    with server.wire() as first:
        first.send(head_of("/wait/1"))
        assert first.head().status == 200
        with server.wire() as second:
            assert second.rest() == b""
    server.stderr.wait_for(
        r'a client\'s connection was closed: its address has 1 already, the limit that "max_connections_per_address" of '
        r"\[application\.tool\.weir\] sets \(line \d+ of the manifest\)"
    )


def test_messages_name_who_has_set_the_limit(weir, serve, guest, tmp_path):
    path = write_application(
        tmp_path / "application",
        [Component("wait", "/wait/...", guest("http_wait")), Component("spin", "/spin/...", guest("http_spin"))],
    )
    text = path.read_text()
    line = text.count("\n") + 2
    path.write_text(text + '[component.wait.tool.weir]\nrequest_timeout = "200ms"\n[application.tool.weir]\ncpu_time = "100ms"\n')
    server = serve(weir, path)
    assert server.get("/spin/").status == 504
    server.stderr.wait_for(
        r'it computed for 0\.1 s, the time limit that "cpu_time" of \[application\.tool\.weir\] sets '
        rf"\(line {line + 2} of the manifest\), and was ended"
    )
    assert server.get("/wait/60000").status == 504
    server.stderr.wait_for(
        r'no response within 0\.2 s, the time limit that "request_timeout" of \[component\.wait\.tool\.weir\] sets '
        rf"\(line {line} of the manifest\); answered with 504"
    )


def test_a_table_whose_name_is_nearly_weir_is_warned_of(weir, serve, guest, tmp_path):
    path = write_application(tmp_path / "application", [Component("wait", "/...", guest("http_wait"))])
    path.write_text(path.read_text() + "[component.wait.tool.wier]\ncpu_time = 1\n[application.tool.commit]\na = 1\n")
    server = serve(weir, path)
    server.stderr.wait_for(r'nobody here reads "wier" in "tool" of \[component\.wait\]; did you mean "weir"')
    assert "commit" not in server.log


# ---- the manifest ----------------------------------------------------------------------------------------------------


def test_an_error_in_a_limit_names_its_place(weir, guest, tmp_path):
    path = write_application(tmp_path / "application", [Component("wait", "/...", guest("http_wait"))])
    lines = path.read_text().count("\n")
    path.write_text(path.read_text() + '[component.wait.tool.weir]\ncpu_time = "soon"\n')
    finished = weir.run("up", path)
    assert finished.status == 2, finished
    assert f'spin.toml:{lines + 2}:12: "cpu_time" in "tool.weir" of [component.wait] is "soon"' in finished.stderr


# ---- metrics ---------------------------------------------------------------------------------------------------------


def test_everything_that_is_refused_or_ended_is_counted(limited):
    """As docs/limits.md says under "Counted as"."""
    server = limited(
        "--admin", "0", "--max-concurrency", "1", "--max-waiting", "0",
        "--max-connections-per-address", "8", "--header-timeout", "300ms", "--max-response-body", "100KiB",
        wait='request_timeout = "2s"', spin='cpu_time = "100ms"', cat="max_request_body = 10",
    )  # fmt: skip
    admin = Admin(server)
    expected = {
        ("timed_out", "wait"): lambda: server.get("/wait/30000").status == 504,
        ("cpu_over", "spin"): lambda: server.get("/spin").status == 504,
        ("malformed", "cat"): lambda: server.request("POST", "/cat", body=CGI).status == 413,
        ("failed", "stream"): lambda: too_long(server),
        ("full", "echo"): lambda: while_one_waits(server, lambda: server.get("/echo/path").status == 503),
    }
    for number, (what, provoke) in enumerate(expected.items()):
        assert provoke(), what
        until(lambda what=what: outcome(admin, *what) == 1, f"{number}: {what}")
    until(lambda: outcome(admin, "left", "wait") == 1, "left")  # who held the instance meanwhile
    with server.wire() as slow:
        slow.send(b"GET / HT")
        assert slow.response().status == 408
    until(lambda: outcome(admin, "stalled", "") == 1, "stalled")
    wires = [server.wire() for _ in range(20)]
    until(lambda: sample(admin.metrics(), "weir_connections_refused_total") >= 12, "connections")
    for wire in wires:
        wire.close()
    assert sample(admin.metrics(), "weir_guest_cpu_limits_total", component="spin") == 1


def until(condition, what):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def outcome(admin, name, component):
    return sample(admin.metrics(), "weir_request_outcomes_total", component=component, outcome=name)


def too_long(server):
    with server.wire() as wire:
        wire.send(head_of("/stream/bulk/10000000"))
        status = wire.head().status
        wire.rest()
    return status in (200, 502)


def while_one_waits(server, action):
    with server.wire() as wire:
        wire.send(head_of("/wait/20000"))
        server.stderr.wait_for("waiting", count=2)
        done = action()
        wire.reset()
    return done
