"""The admin listener: where it listens, what it answers to whom, and what it shows of the server."""

import os
import re
import resource
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

from admin import Admin
from harness import REQUEST_DEADLINE, Component, in_background, write_application
from json_schema import Schema

DOCUMENTS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="session")
def schema():
    return Schema(DOCUMENTS / "status.schema.json")


def until(condition, seconds=REQUEST_DEADLINE):
    """What the condition yields as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{condition} did not come true in {seconds} s"
        time.sleep(0.02)
    return result


# ---- The document ---------------------------------------------------------------------------------------------------


def test_status_tells_what_the_server_is_and_follows_its_schema(weir_checked, hello, serve, schema):
    server = serve(weir_checked, hello, "--admin", "0", "--max-concurrency", "7")
    admin = Admin(server)
    for _ in range(3):
        assert server.get("/hello").status == 200
    assert server.get("/nowhere").status == 404
    # A request is over a moment after its client has all of the answer.
    status = until(lambda: (now := admin.status())["totals"]["requests"] == 4 and now)
    assert schema.problems(status) == []
    assert status["weir"]["state"] == "serving" and status["weir"]["pid"] == server.process.pid
    assert status["listen"] == [server.url]
    assert status["application"]["name"] == "hello" and status["application"]["generation"] == 1
    assert status["limits"]["max_concurrency"] == 7
    assert status["limits"]["request_timeout_seconds"] == 30 and status["limits"]["max_waiting"] == 1024
    assert {route["component"] for route in status["routes"]} >= {"hello"}
    [component] = [one for one in status["components"] if one["id"] == "hello"]
    assert component["requests"] == 3 and component["statuses"] == {"200": 3}
    assert 0 < component["latency_seconds"]["p50"] <= component["latency_seconds"]["p999"] < 60
    assert status["totals"]["requests"] == 4 and status["totals"]["statuses"] == {"200": 3, "404": 1}
    assert [pool["max"] for pool in status["allocator"]["pool"]] == [7]


def test_limits_are_those_in_force_where_the_allocator_sets_them(weir, hello, serve):
    server = serve(weir, hello, "--admin", "0", environment={"SPIN_ALLOCATOR": "compact"})
    status = Admin(server).status()
    rung = status["allocator"]["rung"]
    assert status["limits"]["max_concurrency"] == rung["slots"] == status["allocator"]["pool"][0]["max"]
    assert status["limits"]["max_instance_memory_bytes"] == rung["slot_bytes"] > 0


def test_each_component_has_its_limits_in_the_status(weir, serve, guest, tmp_path, schema):
    components = [Component(name, f"/{name}/...", guest("http_wait")) for name in ("plain", "own")]
    path = write_application(tmp_path / "application", components)
    path.write_text(
        path.read_text() + '[application.tool.weir]\nrequest_timeout = "20s"\nmax_request_body = "1MiB"\n'
        '[component.own.tool.weir]\nrequest_timeout = "1m"\nmax_request_body = "none"\nmax_instance_memory = "1MiB"\n'
        'waiting_timeout = "500ms"\n'
    )
    status = Admin(serve(weir, path, "--admin", "0", "--request-timeout", "40s")).status()
    assert schema.problems(status) == []
    limits = {one["id"]: one["limits"] for one in status["components"]}
    assert limits["plain"] == {
        "request_timeout_seconds": 40, "waiting_timeout_seconds": None, "cpu_time_seconds": 40,
        "max_instance_memory_bytes": status["limits"]["max_instance_memory_bytes"],
        "max_request_body_bytes": 1 << 20, "max_response_body_bytes": None,
    }  # fmt: skip
    assert limits["own"] == limits["plain"] | {
        "waiting_timeout_seconds": 0.5, "max_request_body_bytes": None, "max_instance_memory_bytes": 1 << 20,
    }  # fmt: skip


def test_status_shows_the_last_seconds(weir, hello, serve, schema):
    server = serve(weir, hello, "--admin", "0")
    admin = Admin(server)
    assert [server.get("/hello").status for _ in range(5)] == [200] * 5
    status = until(lambda: sum((now := admin.status())["recent"]["requests"]) == 5 and now)
    assert schema.problems(status) == []
    recent = status["recent"]
    lengths = {name: len(values) for name, values in recent.items()}
    assert len(set(lengths.values())) == 1, lengths
    second = next(index for index, count in enumerate(recent["requests"]) if count > 0)
    assert 0 < recent["p50_seconds"][second] <= recent["p99_seconds"][second]
    assert recent["resident_bytes"][second] > 1 << 20


def test_status_counts_what_is_under_way(weir, application, serve):
    server = serve(weir, application, "--admin", "0")
    admin = Admin(server)
    with in_background(lambda: server.get("/wait/3000")) as answer:
        until(lambda: (1, 1) in [(one["in_flight"], one["instances"]) for one in admin.status()["components"]])
        assert answer().status == 200
    until(lambda: all(one["in_flight"] == 0 and one["instances"] == 0 for one in admin.status()["components"]))


# ---- Where it listens -----------------------------------------------------------------------------------------------


def test_without_the_option_nothing_listens(weir, hello, serve):
    server = serve(weir, hello)
    assert "status, metrics and health" not in server.stderr.text


def test_a_unix_socket_is_for_its_user_alone_and_goes_with_the_program(weir_checked, hello, serve, tmp_path):
    path = tmp_path / "admin.sock"
    server = serve(weir_checked, hello, "--admin", f"unix:{path}")
    admin = Admin(server)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert admin.get("/health/live").status == 200
    assert admin.get("/health/live", Host="evil.example").status == 200  # no browser gets here
    server.stop()
    assert not path.exists()


def test_a_stale_socket_is_replaced_and_one_that_is_used_is_not(weir, hello, serve, tmp_path):
    path = tmp_path / "admin.sock"
    first = serve(weir, hello, "--admin", f"unix:{path}")
    refused = weir.run("up", hello, "--listen", "127.0.0.1:0", "--admin", f"unix:{path}")
    assert refused.status == 2
    assert str(path) in refused.stderr and "another process answers on this socket" in refused.stderr
    assert Admin(first).get("/health/live").status == 200
    first.kill()
    first.stopped = True
    assert path.exists()
    second = serve(weir, hello, "--admin", f"unix:{path}")
    assert Admin(second).get("/health/live").status == 200


def test_what_is_no_socket_is_left_alone(weir, hello, tmp_path):
    path = tmp_path / "precious"
    path.write_text("precious")
    refused = weir.run("up", hello, "--listen", "127.0.0.1:0", "--admin", f"unix:{path}")
    assert refused.status == 2 and "no socket" in refused.stderr
    assert path.read_text() == "precious"


def test_a_port_that_is_taken_is_told_and_nothing_is_served(weir, hello):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = weir.run("up", hello, "--listen", "127.0.0.1:0", "--admin", str(port))
    assert refused.status == 2
    [line] = [line for line in refused.stderr.splitlines() if "admin address" in line]
    assert str(port) in line and "the port is in use" in line and "--admin" in line


def test_the_port_of_the_application_is_not_the_admins_too(weir, hello):
    """Both would be bound, and the one that listens later would fail."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    refused = weir.run("up", hello, "--listen", f"127.0.0.1:{port}", "--admin", str(port))
    assert refused.status == 2 and f"the admin address {port}: the port is in use" in refused.stderr, refused


@pytest.mark.parametrize("address", ["", "x", "127.0.0.1", "example.com:80", "65536", "unix:", "unix:" + "x" * 200])
def test_an_address_that_is_none_is_told(weir, hello, address):
    refused = weir.run("up", hello, "--listen", "127.0.0.1:0", "--admin", address)
    assert refused.status == 2 and "admin" in refused.stderr and refused.stderr.count("\n") == 1, refused


@pytest.mark.parametrize("address", ["65536", ":99999", "127.0.0.1:99999", "[::1]:99999999999999999999"])
def test_a_port_that_is_too_high_is_told_as_such(weir, hello, address):
    refused = weir.run("up", hello, "--listen", "127.0.0.1:0", "--admin", address)
    assert refused.status == 2 and f"the admin address {address}: a port is at most 65535" in refused.stderr, refused


def test_a_directory_in_which_no_socket_can_be_made_is_named(weir, hello, tmp_path):
    (tmp_path / "file").touch()
    for path, words in (
        (tmp_path / "none/deep/a.sock", f"the directory {tmp_path}/none/deep does not exist; make it, or choose another path"),
        (tmp_path / "file/a.sock", f"{tmp_path}/file is no directory; move away what is in its place, or choose another"),
    ):
        refused = weir.run("up", hello, "--listen", "127.0.0.1:0", "--admin", f"unix:{path}")
        assert refused.status == 2 and words in refused.stderr and refused.stderr.count("\n") == 1, refused


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user, who may not write somewhere")
def test_a_directory_that_may_not_be_written_to_is_named(weir, hello, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    without = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
    refused = weir.wrapped(*without).run("up", hello, "--listen", "127.0.0.1:0", "--admin", f"unix:{closed}/a.sock")
    expected = f"permission denied; let this user write to the directory {closed}, or choose another path with --admin"
    assert refused.status == 2 and expected in refused.stderr, refused


def test_what_cannot_be_read_without_proc_is_unknown_and_not_0(weir, hello, serve, schema):
    as_root = () if os.getuid() == 0 else ("--user", "--map-root-user")
    hiding = 'mount -t tmpfs none /proc && exec "$0" "$@"'
    unshare = ("unshare", *as_root, "--mount", "--propagation=private", "--", "sh", "-c", hiding)
    tried = subprocess.run([*unshare, "true"], stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    if tried.returncode != 0:
        pytest.skip(f"a process cannot be without /proc here: {tried.stderr.strip()}")
    admin = Admin(serve(weir.wrapped(*unshare), hello, "--admin", "0"))
    status = until(lambda: (now := admin.status())["recent"]["resident_bytes"] and now)
    assert schema.problems(status) == []
    assert status["memory"]["resident_bytes"] is None and status["memory"]["virtual_bytes"] is None
    assert set(status["recent"]["resident_bytes"]) == {None}
    told = {name for name, _ in admin.metrics() if name.startswith("process_")}
    assert told == {"process_cpu_seconds_total", "process_max_fds", "process_start_time_seconds"}


def test_an_address_that_others_can_reach_is_warned_of(weir, hello, serve):
    server = serve(weir, hello, "--admin", "0.0.0.0:0")
    server.stderr.wait_for(r"warning: the admin address http://0\.0\.0\.0:\d+ can be reached from other machines")
    quiet = serve(weir, hello, "--admin", ":0")
    assert Admin(quiet).authority.startswith("127.0.0.1:")
    assert "can be reached" not in quiet.stderr.text


# ---- What it answers ------------------------------------------------------------------------------------------------


def test_health_is_ready_until_the_server_drains(weir_checked, application, serve):
    server = serve(weir_checked, application, "--admin", "0")
    admin = Admin(server)
    assert (admin.get("/health/live").status, admin.get("/health/ready").status) == (200, 200)
    with in_background(lambda: server.get("/wait/2000")) as answer:
        until(lambda: admin.status()["totals"]["in_flight"] == 1)
        server.send_signal(signal.SIGTERM)
        ready = until(lambda: (now := admin.get("/health/ready")).status != 200 and now)
        assert (ready.status, ready.text) == (503, "draining\n")
        assert admin.get("/health/live").status == 200
        assert admin.status()["weir"]["state"] == "draining"
        assert answer().status == 200
    assert server.wait() == 0
    server.stopped = True
    server.program.assert_no_report()


def test_it_serves_on_for_the_drain_delay_while_it_is_not_ready(weir_checked, application, serve):
    """Until then load balancers send new connections; a second signal ends the wait at once."""
    server = serve(weir_checked, application, "--admin", "0", "--drain-delay", "1h")
    admin = Admin(server)
    with server.wire() as kept, server.wire() as left:
        request = b"GET /respond HTTP/1.1\r\nHost: weir\r\n\r\n"
        kept.send(request)
        before = kept.response()
        assert (before.status, before.get("connection")) == (200, None)
        server.send_signal(signal.SIGTERM)
        ready = until(lambda: (now := admin.get("/health/ready")).status != 200 and now)
        assert (ready.status, ready.text) == (503, "draining\n")
        server.stderr.wait_for(r"^weir: not ready any more, and serving on for 3600\.0 s \(--drain-delay\)")
        for wire in (kept, left):  # one that was there, and a new one
            wire.send(request)
            response = wire.response()
            assert (response.status, response.get("connection")) == (200, "close")
            wire.assert_closed()
        assert server.get("/respond").status == 200
        status = admin.status()
        assert (status["weir"]["state"], status["limits"]["drain_delay_seconds"]) == ("draining", 3600)
        assert admin.metrics()["weir_draining", frozenset()] == 1
        server.send_signal(signal.SIGHUP)
        server.stderr.wait_for("not reloaded: the server is ending")

    def ends():
        server.send_signal(signal.SIGTERM)  # what comes within a quarter of a second is still the first
        return server.process.poll() is not None

    until(ends)
    assert server.wait() == 1
    server.stderr.wait_for("ended at once by a second signal")
    server.stopped = True
    server.program.assert_no_report()


def test_it_drains_once_the_drain_delay_is_over(weir_checked, application, serve):
    server = serve(weir_checked, application, "--drain-delay", "700ms")
    with in_background(lambda: server.get("/wait/2000")) as answer:
        assert server.get("/respond").status == 200
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        server.stderr.wait_for("^weir: ending after 1 request in flight")
        assert time.monotonic() - began >= 0.7
        with pytest.raises(ConnectionRefusedError):
            server.wire().__enter__()
        assert answer().status == 200
    assert server.wait() == 0
    server.stopped = True
    server.program.assert_no_report()


def test_only_get_and_head_are_answered(weir, hello, serve):
    admin = Admin(serve(weir, hello, "--admin", "0"))
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE"):
        refused = admin.request(method, "/status")
        assert (refused.status, refused.get("allow")) == (405, "GET, HEAD"), method
    for target in ("/health/live", "/health/ready", "/metrics", "/status", "/status.json"):
        got, head = admin.request("GET", target), admin.request("HEAD", target)
        assert (got.status, head.status, head.body) == (200, 200, b""), target
        assert int(head.get("content-length")) > 0
        assert got.get("cache-control") == "no-store" and got.get("access-control-allow-origin") is None
    assert admin.get("/else").status == 404
    moved = admin.get("/")
    assert (moved.status, moved.get("location")) == (302, "/status")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("application/json;q=0.2, text/html;level=1;q=0.3", "text/html; charset=utf-8"),
    ],
)
def test_the_status_is_what_the_client_accepts(weir, hello, serve, accept, kind):
    admin = Admin(serve(weir, hello, "--admin", "0"))
    answer = admin.get("/status", **({} if accept is None else {"Accept": accept}))
    assert (answer.get("content-type"), answer.get("vary")) == (kind, "Accept")


def test_the_page_runs_only_its_own_scripts_and_loads_nothing(weir, hello, serve):
    admin = Admin(serve(weir, hello, "--admin", "0"))
    pages = [admin.get("/status", Accept="text/html") for _ in range(2)]
    nonces = [re.search(r"script-src 'nonce-([0-9a-f]{24})'", page.get("content-security-policy"))[1] for page in pages]
    assert nonces[0] != nonces[1]
    for page, nonce in zip(pages, nonces, strict=True):
        policy = page.get("content-security-policy")
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert "{{nonce}}" not in page.text
        openings = re.findall(r"<(?:script|style)\b[^>]*>", page.text)
        assert openings and all(f'nonce="{nonce}"' in opening for opening in openings)
        assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page.text)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("127.0.0.1", 200),
        ("10.1.2.3:9090", 200),
        ("[::1]:9090", 200),
        ("[fd00::2]", 200),
        ("weir:9090", 200),
        ("metrics.example.com", 200),
        ("Metrics.Example.com:9090", 200),
        ("evil.example.com", 421),
        ("evil.example.com:9090", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("metrics.example.com.evil.example", 421),
    ],
)
def test_a_name_of_the_web_is_not_answered(weir, hello, serve, host, status):
    admin = Admin(serve(weir, hello, "--admin", "0", "--admin-host", "metrics.example.com"))
    assert admin.get("/status.json", Host=host).status == status
    absolute = admin.exchange(
        f"GET http://{host}/health/live HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    )
    assert absolute.startswith(f"HTTP/1.1 {status} ".encode())


# ---- Hostile clients ------------------------------------------------------------------------------------------------

GARBAGE = [
    (b"\x00\x01\x02\r\n\r\n", 400),
    (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    (b"GET /status\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"GET /" + b"a" * 9000, 414),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 2000, 431),
]


def test_what_is_no_request_is_refused(weir_checked, hello, serve):
    admin = Admin(serve(weir_checked, hello, "--admin", "0"))
    for raw, status in GARBAGE:
        answer = admin.exchange(raw)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), (raw[:60], answer[:200])
        assert b"\r\nConnection: close\r\n" in answer
    assert admin.get("/health/live").status == 200


def test_requests_that_come_at_once_are_answered_in_order(weir, hello, serve):
    admin = Admin(serve(weir, hello, "--admin", "0"))
    raw = b"".join(
        f"GET /{path} HTTP/1.1\r\nHost: localhost\r\n{end}\r\n".encode()
        for path, end in (("health/live", ""), ("else", ""), ("health/ready", "Connection: close\r\n"))
    )
    answer = admin.exchange(raw)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"404", b"200"]
    assert answer.endswith(b"ready\n")


def test_a_head_that_never_ends_is_given_up(weir, hello, serve):
    admin = Admin(serve(weir, hello, "--admin", "0"))
    with admin.socket(seconds=REQUEST_DEADLINE) as connected:
        connected.sendall(b"GET /status HTTP/1.1\r\nHost: ")
        assert connected.recv(1) == b""  # after some seconds


def test_a_thousand_connections_hold_up_neither_probes_nor_requests(weir_checked, hello, serve):
    server = serve(weir_checked, hello, "--admin", "0")
    admin = Admin(server)
    held = []
    try:
        for index in range(1000):
            connected = admin.socket()
            held.append(connected)
            connected.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n" if index % 2 else b"G")
            if index % 100 == 99:
                assert admin.get("/health/live").status == 200
                assert server.get("/hello").status == 200
        descriptors = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        assert descriptors < 200, f"{descriptors} descriptors are open"
        assert admin.status()["weir"]["state"] == "serving"
    finally:
        for connected in held:
            connected.close()
    server.stop()


def test_a_client_that_takes_nothing_holds_up_nobody(weir, hello, serve):
    server = serve(weir, hello, "--admin", "0")
    admin = Admin(server)
    stuck = []
    try:
        for _ in range(100):
            connected = admin.socket()
            stuck.append(connected)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connected.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 40)
        assert admin.get("/health/live").status == 200
        assert admin.get("/metrics").status == 200
    finally:
        for connected in stuck:
            connected.close()


def test_few_open_files_neither_keep_the_admin_busy_nor_hold_up_the_end(weir, hello, serve):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (62, before[1]))  # fewer than clients that there could be room for
    try:
        server = serve(weir, hello, "--admin", "0")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert Admin(server).get("/health/live").status == 200
    server.stop()
