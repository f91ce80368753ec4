"""What guests may reach: over HTTP, with TLS, and within their own application.

Expected values are Spin's: allowed_outbound_hosts from crates/outbound-networking-config/src/allowed_hosts.rs, errors
and self requests from crates/factor-outbound-http/src/wasi.rs, service chaining from crates/trigger-http/src/
outbound_http.rs and RouteMatch::synthetic in crates/http/src/routes.rs.
"""

import concurrent.futures
import contextlib
import hashlib
import http.server
import os
import re
import socket
import ssl
import threading
import time

import pytest

from environments_here import compile_helper
from harness import Component, in_background, write_application

# wasi:http's error codes, by their place in the variant (wasi:http/types@0.2.x).
DESTINATION_NOT_FOUND = 2
DNS_ERROR = 1
DESTINATION_IP_PROHIBITED = 4
CONNECTION_REFUSED = 6
CONNECTION_READ_TIMEOUT = 9
CONNECTION_LIMIT_REACHED = 11
TLS_PROTOCOL_ERROR = 12
HTTP_REQUEST_DENIED = 15
HTTP_REQUEST_METHOD_INVALID = 18
HTTP_REQUEST_URI_INVALID = 19
LOOP_DETECTED = 36

ACCESS_DENIED = ": error 1\n"  # as the guest "sockets" has wasi:sockets' error code, after the step that failed


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        server = self.server
        size = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(size) if size else self.read_chunks()
        with server.lock:
            server.requests.append((self.command, self.path, self.headers.items(), body))
            server.peers.add(self.client_address)
        if self.path == "/silent":
            server.released.wait(60)
            self.close_connection = True
            return
        if self.path == "/stalls":
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"some")
            self.wfile.flush()
            server.released.wait(60)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Peer", str(self.client_address[1]))
        if self.path == "/close":
            self.close_connection = True  # without saying so: as when a server has had enough of an idle connection
        self.end_headers()
        self.wfile.write(body)

    def read_chunks(self):
        body = b""
        if "chunked" in self.headers.get("transfer-encoding", ""):
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        return body

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *arguments):
        pass


class Remote(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context=None, family=socket.AF_INET):
        self.address_family = family
        super().__init__(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), Handler)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.lock = threading.Lock()
        self.requests = []
        self.peers = set()
        self.released = threading.Event()

    def handle_error(self, request, address):
        pass  # clients that hang up are what is tested


@contextlib.contextmanager
def running(remote):
    thread = threading.Thread(target=remote.serve_forever, daemon=True)
    thread.start()
    try:
        yield remote
    finally:
        remote.released.set()
        remote.shutdown()
        remote.server_close()
        thread.join()


@pytest.fixture
def remote():
    with running(Remote()) as server:
        yield server


@pytest.fixture
def secure(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    with running(Remote(context)) as server:
        yield server


@pytest.fixture
def application(guest, tmp_path):
    """Writes a manifest whose component "out" may reach what is given, and others that it may call."""

    def write(*hosts):
        listed = ", ".join(f'"{host}"' for host in hosts)
        path = tmp_path / "spin.toml"
        path.write_text(
            f"""spin_manifest_version = 2
[application]
name = "outbound"
version = "1.2.3"
[[trigger.http]]
route = "/out/..."
component = "out"
[[trigger.http]]
route = "/echo/..."
component = "echo"
[[trigger.http]]
route = {{ private = true }}
component = "request"
[[trigger.http]]
route = "/cgi/..."
component = "environment"
executor = {{ type = "wagi" }}
[[trigger.http]]
route = {{ private = true }}
component = "stream"
[[trigger.http]]
route = {{ private = true }}
component = "wait"
[[trigger.http]]
route = {{ private = true }}
component = "fail"
[component.out]
source = "{guest('http_outgoing')}"
allowed_outbound_hosts = [{listed}]
[component.echo]
source = "{guest('http_echo')}"
[component.request]
source = "{guest('http_request')}"
[component.environment]
source = "{guest('wagi_environment')}"
[component.stream]
source = "{guest('http_stream')}"
[component.wait]
source = "{guest('http_wait')}"
[component.fail]
source = "{guest('http_fail')}"
"""
        )
        return path

    return write


def ask(server, to, path="/out/", body=None, method=None, **headers):
    """Have the guest request `to`, "SCHEME AUTHORITY TARGET"."""
    fields = {"x-to": to, **{name.replace("_", "-"): str(value) for name, value in headers.items()}}
    method = method or ("POST" if body is not None else "GET")
    fields["x-method"] = method
    # A body goes with every method to the guest, which passes the method on.
    return server.request("POST" if body is not None else "GET", path, body=body, headers=fields)


def assert_error(response, code):
    assert (response.status, response.body) == (502, b"error %d\n" % code)


def lines(response):
    assert response.status == 200
    return response.body.decode().splitlines()


def test_a_guest_may_go_on_with_a_body_that_nobody_wants(serve, weir_checked, application, remote):
    """Spin's SDK for Python flushes and ends its body when the response may be there, and takes "closed" for an error."""
    server = serve(weir_checked, "-f", application("http://127.0.0.1:*", "http://echo.spin.internal", "http://self"))
    for to in (
        f"http 127.0.0.1:{remote.server_port} /",
        "http 127.0.0.1:1 /",  # refused
        "http denied.invalid /",
        "http 127.0.0.1:x /",
        "- - /nowhere",
    ):
        for method in ("GET", "HEAD"):
            response = ask(server, to, path="/out/late", method=method)
            assert (response.status, response.text) == (200, "open\n"), to


# ---- Section 8: allowed_outbound_hosts


def test_nothing_can_be_reached_by_default(serve, weir_checked, application, remote):
    server = serve(weir_checked, "-f", application())
    for to in (
        f"http 127.0.0.1:{remote.server_port} /",
        "http example.invalid /",
        "https example.invalid /",
        "http echo.spin.internal /",
        "- - /echo/",
        "http self.alt /echo/",
    ):
        assert_error(ask(server, to), HTTP_REQUEST_DENIED)
    assert remote.requests == []


def test_a_denial_names_the_destination_and_the_line_to_add(serve, weir, application):
    path = application()
    line = 1 + path.read_text().splitlines().index("allowed_outbound_hosts = []")
    server = serve(weir, "-f", path)
    for to, destination in (
        ("http example.invalid /secret?token", "http://example.invalid"),
        ("https example.invalid:444 /", "https://example.invalid:444"),
        ("- - /x", "http://self"),
    ):
        assert_error(ask(server, to), HTTP_REQUEST_DENIED)
        server.stderr.wait_for(re.escape(f"Outbound network destination not allowed: {destination}; "))
        server.stderr.wait_for(
            re.escape(f'add "{destination}" to allowed_outbound_hosts of component "out" at {path}:{line}:1')
        )
    assert "token" not in server.log


@pytest.mark.parametrize("allowed", ["http://self", "http://example.com"])
def test_self_as_a_host_is_told_to_be_left_out(serve, weir, application, allowed):
    """Whether "self" is in allowed_outbound_hosts, which it cannot help, or not."""
    server = serve(weir, "-f", application(allowed))
    assert_error(ask(server, "http self /echo/static"), HTTP_REQUEST_DENIED)
    server.stderr.wait_for(
        'component out: Outbound network destination not allowed: http://self, for "self" is no host of a URL; to call '
        "this application, leave the host out of the URL, or write http://self.alt$"
    )
    assert "To allow this" not in server.log
    for remedy in ("- - /echo/static", "http self.alt /echo/static"):
        answered = ask(server, remedy)
        assert (answered.status == 200) == (allowed == "http://self"), answered


def test_scheme_host_and_port_must_be_those_that_are_allowed(serve, weir, application, remote):
    port = remote.server_port
    server = serve(weir, "-f", application(f"http://127.0.0.1:{port}"))
    assert ask(server, f"http 127.0.0.1:{port} /").status == 200
    assert_error(ask(server, f"http 127.0.0.1:{port + 1} /"), HTTP_REQUEST_DENIED)
    assert_error(ask(server, f"http localhost:{port} /"), HTTP_REQUEST_DENIED)
    assert_error(ask(server, f"https 127.0.0.1:{port} /"), HTTP_REQUEST_DENIED)
    assert_error(ask(server, f"http 127.0.0.2:{port} /"), HTTP_REQUEST_DENIED)
    assert len(remote.requests) == 1


def test_an_authority_with_a_user_reaches_nobody(serve, weir, application, remote):
    server = serve(weir, "-f", application("*://*:*"))
    assert_error(ask(server, f"http allowed@127.0.0.1:{remote.server_port} /"), HTTP_REQUEST_URI_INVALID)
    assert remote.requests == []


# ---- Over the network


def test_bodies_go_both_ways(serve, weir_checked, application, remote):
    server = serve(weir_checked, "-f", application("http://127.0.0.1:*"))
    body = bytes(range(256)) * 4096
    response = ask(server, f"http 127.0.0.1:{remote.server_port} /a?b=c", body=body, method="PUT")
    assert response.status == 200
    assert hashlib.sha256(response.body).digest() == hashlib.sha256(body).digest()
    method, path, headers, got = remote.requests[0]
    assert (method, path) == ("PUT", "/a?b=c")
    assert got == body
    assert ("host", f"127.0.0.1:{remote.server_port}") in [(name.lower(), value) for name, value in headers]


def test_connections_are_used_again(serve, weir, application, remote):
    server = serve(weir, "-f", application("http://127.0.0.1:*"))
    for _ in range(10):
        assert ask(server, f"http 127.0.0.1:{remote.server_port} /", body=b"x").status == 200
    # The connection is kept as soon as the body was read, which may be after the next request began.
    assert len(remote.peers) < 10


def test_a_kept_connection_that_the_server_closed_is_no_error(serve, weir, application, remote):
    server = serve(weir, "-f", application("http://127.0.0.1:*"))
    # What has no body and is idempotent can be asked again, so that it does not matter when the closing is noticed.
    for _ in range(20):
        assert ask(server, f"http 127.0.0.1:{remote.server_port} /close").status == 200


def test_tls_is_checked_against_the_trusted_authorities(serve, weir, application, secure, certificates):
    hosts = application("https://127.0.0.1:*", "https://localhost:*")
    server = serve(weir, "-f", hosts, environment={"SSL_CERT_FILE": str(certificates / "ca.pem")})
    for name in ("localhost", "127.0.0.1"):
        assert ask(server, f"https {name}:{secure.server_port} /", body=b"secret").body == b"secret"
    server = serve(weir, "-f", hosts)
    assert_error(ask(server, f"https localhost:{secure.server_port} /"), TLS_PROTOCOL_ERROR)
    server.stderr.wait_for("UnknownIssuer")


def test_a_name_that_the_certificate_lacks_is_refused(serve, weir, application, secure, certificates):
    server = serve(
        weir, "-f", application("https://127.0.0.2:*"), environment={"SSL_CERT_FILE": str(certificates / "ca.pem")}
    )
    secure_everywhere = socket.create_server(("127.0.0.2", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")

    def accept():
        with contextlib.suppress(OSError), context.wrap_socket(secure_everywhere.accept()[0], server_side=True) as peer:
            peer.recv(1)

    thread = threading.Thread(target=accept)
    thread.start()
    assert_error(ask(server, f"https 127.0.0.2:{secure_everywhere.getsockname()[1]} /"), TLS_PROTOCOL_ERROR)
    thread.join()
    secure_everywhere.close()


def test_proxies_of_the_environment_are_not_used(serve, weir, application, remote):
    proxy = {name: "http://127.0.0.1:1" for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy")}
    server = serve(weir, "-f", application("http://127.0.0.1:*"), environment=proxy)
    assert ask(server, f"http 127.0.0.1:{remote.server_port} /").status == 200


def test_who_does_not_answer_is_an_error_with_a_line_of_log(serve, weir, application):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    server = serve(weir, "-f", application("http://127.0.0.1:*", "http://no-such-host.invalid"))
    assert_error(ask(server, f"http 127.0.0.1:{port} /"), CONNECTION_REFUSED)
    server.stderr.wait_for(f"component out: a request to http://127.0.0.1:{port} failed")
    assert_error(ask(server, "http no-such-host.invalid /"), DNS_ERROR)
    server.stderr.wait_for("component out: a request to http://no-such-host.invalid failed")


def test_a_host_that_came_of_a_secret_is_not_in_the_log(serve, weir, application):
    path = application("http://{{ place }}.invalid", "http://127.0.0.1:{{ port }}", "http://open.invalid")
    path.write_text(
        path.read_text() + "\n[variables]\nplace = { required = true, secret = true }\nport = { default = '1' }\n"
    )
    server = serve(weir, "-f", path, "--variable", "place=s3cret")
    assert_error(ask(server, "http s3cret.invalid /"), DNS_ERROR)
    server.stderr.wait_for("component out: a request to a host that a secret variable is part of failed")
    assert_error(ask(server, "http 127.0.0.1:1 /"), CONNECTION_REFUSED)
    server.stderr.wait_for("component out: a request to http://127.0.0.1:1 failed")
    server.stop()
    assert "s3cret" not in server.stderr.text + server.stdout.text


def test_the_guests_time_limits_hold(serve, weir, application, remote):
    server = serve(weir, "-f", application("http://127.0.0.1:*"))
    assert_error(ask(server, f"http 127.0.0.1:{remote.server_port} /silent", x_first=200), CONNECTION_READ_TIMEOUT)
    with server.wire() as wire:
        wire.send(
            f"GET /out/ HTTP/1.1\r\nHost: a\r\nx-to: http 127.0.0.1:{remote.server_port} /stalls\r\n"
            "x-between: 200\r\n\r\n".encode()
        )
        assert wire.head().status == 200
        assert wire.rest() == b"some", "the rest of ten bytes never came, and the response must not look complete"


@pytest.mark.parametrize("name", ["connection", "keep-alive", "proxy-authorization", "transfer-encoding", "upgrade", "host"])
def test_headers_of_the_connection_cannot_be_set(serve, weir, application, name):
    # wasmtime-wasi-http's DEFAULT_FORBIDDEN_HEADERS
    server = serve(weir, "-f", application("*://*:*"))
    response = ask(server, "http echo.spin.internal /", x_add=name)
    assert (response.status, response.body) == (409, b"refused\n")


def test_connect_is_for_proxies(serve, weir, application, remote):
    server = serve(weir, "-f", application("*://*:*"))
    to = f"http 127.0.0.1:{remote.server_port} /"
    assert_error(ask(server, to, method="CONNECT"), HTTP_REQUEST_METHOD_INVALID)


# ---- Section 7: service chaining and self requests


def test_a_chained_request_has_spins_synthetic_match(serve, weir_checked, application):
    server = serve(weir_checked, "-f", application("http://request.spin.internal"))
    seen = lines(ask(server, "http request.spin.internal /a/b?c=d"))
    for line in (
        "method GET",
        "scheme http",
        "target /a/b?c=d",
        "header spin-path-info: /a/b",
        "header spin-matched-route: /...",
        "header spin-raw-component-route: /...",
        "header spin-component-route: ",
        "header spin-base-path: /",
        "header spin-client-addr: 0.0.0.0:0",
        "header spin-full-url: http://request.spin.internal/a/b?c=d",
    ):
        assert line in seen


def test_a_component_with_capitals_in_its_id_is_chained(serve, weir, application):
    # crates/serde/src/id.rs lets words be all upper case
    manifest = application("http://ECHO.spin.internal")
    manifest.write_text(manifest.read_text().replace('"echo"', '"ECHO"').replace("[component.echo]", "[component.ECHO]"))
    server = serve(weir, "-f", manifest)
    assert ask(server, "http ECHO.spin.internal /", body=b"x").body == b"x"


def test_a_private_component_is_reached_by_chaining_only(serve, weir, application):
    server = serve(weir, "-f", application("http://*.spin.internal"))
    assert ask(server, "http request.spin.internal /").status == 200
    assert server.get("/request").status == 404
    response = server.request("GET", "/", headers={"Host": "request.spin.internal"})
    assert response.status >= 400


def test_only_components_that_are_allowed_are_chained(serve, weir, application):
    server = serve(weir, "-f", application("http://echo.spin.internal"))
    assert ask(server, "http echo.spin.internal /", body=b"x").body == b"x"
    assert_error(ask(server, "http request.spin.internal /"), HTTP_REQUEST_DENIED)
    assert_error(ask(server, "- - /echo/"), HTTP_REQUEST_DENIED)


def test_a_component_that_there_is_not_is_not_looked_up_in_the_network(serve, weir, application):
    server = serve(weir, "-f", application("*://*:*"))
    assert_error(ask(server, "http nobody.spin.internal /"), DESTINATION_NOT_FOUND)


def test_wagi_is_chained(serve, weir_checked, application):
    server = serve(weir_checked, "-f", application("http://environment.spin.internal"))
    seen = lines(ask(server, "http environment.spin.internal /deep/path?q=1"))
    for line in (
        "environment PATH_INFO=/deep/path",
        "environment X_MATCHED_ROUTE=/...",
        "environment X_CLIENT_ADDR=0.0.0.0:0",
        "environment QUERY_STRING=q=1",
        "environment SERVER_NAME=environment.spin.internal",
    ):
        assert line in seen


@pytest.mark.parametrize(
    "to", ["- - /cgi/x", "http - /cgi/x", "http self.alt /cgi/x", "http :443 /cgi/x", "https :80 /cgi/x"]
)
def test_a_request_without_a_host_is_matched_by_the_own_routes(serve, weir, application, to):
    server = serve(weir, "-f", application("http://self"))
    seen = lines(ask(server, to))
    assert "environment PATH_INFO=/x" in seen
    assert "environment X_MATCHED_ROUTE=/cgi/..." in seen
    assert f"environment SERVER_PORT={server.port}" in seen


def test_self_requests_get_what_the_listener_would_give(serve, weir, application):
    server = serve(weir, "-f", application("http://self"))
    assert ask(server, "- - /nowhere").status == 404
    assert ask(server, "- - /.well-known/spin/health").body == b"OK"
    assert ask(server, "- - /.well-known/spin/info").body == server.get("/.well-known/spin/info").body
    assert_error(ask(server, "http echo.spin.internal /"), HTTP_REQUEST_DENIED)


def test_large_bodies_stream_through_a_chain(serve, weir_checked, application):
    server = serve(weir_checked, "-f", application("http://*.spin.internal"))
    body = bytes(range(251)) * 33000
    with server.wire() as wire:
        head = f"POST /out/ HTTP/1.1\r\nHost: a\r\nx-to: http echo.spin.internal /\r\nContent-Length: {len(body)}\r\n\r\n"
        with in_background(lambda: wire.send(head.encode() + body)) as sent:
            response = wire.response()
            sent()
    assert response.status == 200
    assert hashlib.sha256(response.body).digest() == hashlib.sha256(body).digest()


def test_what_nobody_reads_is_not_written(serve, weir, application):
    server = serve(weir, "-f", application("http://*.spin.internal"))
    before = server.resident_bytes()
    with server.wire() as wire:
        wire.send(b"GET /out/ HTTP/1.1\r\nHost: a\r\nx-to: http stream.spin.internal /bulk/1000000000\r\n\r\n")
        assert wire.head().status == 200
        for _ in range(20):
            assert ask(server, "http echo.spin.internal /", body=b"x").body == b"x"
        assert server.resident_bytes() - before < 64 << 20


def test_a_callee_that_reads_on_after_its_response_does_not_wait_for_what_nobody_sends(serve, weir, application):
    server = serve(weir, "-f", application("http://*.spin.internal"))
    with server.wire() as wire:
        wire.send(
            b"POST /out/ HTTP/1.1\r\nHost: a\r\nx-to: http echo.spin.internal /after\r\nx-method: POST\r\n"
            b"Content-Length: 10\r\n\r\nsome"
        )
        assert wire.response().body == b"answered\n"
        server.stderr.wait_for("the body broke off")


def test_a_callee_that_fails_is_a_500(serve, weir, application):
    server = serve(weir, "-f", application("http://*.spin.internal"))
    response = ask(server, "http fail.spin.internal /trap")
    assert (response.status, response.body) == (500, b"")


# ---- Slots: a chained call needs one, and its caller keeps its own


def test_chains_end_at_a_depth(serve, weir, application):
    server = serve(weir, "-f", application("http://out.spin.internal"))
    assert ask(server, "http out.spin.internal /", path="/out/chain/16").body == b"bottom\n"
    assert_error(ask(server, "http out.spin.internal /", path="/out/chain/17"), LOOP_DETECTED)


def test_one_slot_is_an_error_and_no_deadlock(serve, weir_checked, application):
    server = serve(weir_checked, "-f", application("http://*.spin.internal"), "--max-concurrency", "1")
    for _ in range(3):
        assert_error(ask(server, "http echo.spin.internal /", body=b"x"), CONNECTION_LIMIT_REACHED)
        assert server.request("POST", "/echo/", body=b"y").body == b"y", "the slot was not given back"
    server.stderr.wait_for("every instance is in use")


def test_many_callers_at_once_never_hang(serve, weir, application):
    server = serve(weir, "-f", application("http://*.spin.internal"), "--max-concurrency", "8")
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        asked = [
            pool.submit(ask, server, "http out.spin.internal /", path=f"/out/chain/{number % 4}") for number in range(200)
        ]
        responses = [one.result() for one in asked]
    assert {response.status for response in responses} <= {200, 502}
    assert all(response.body == b"error %d\n" % CONNECTION_LIMIT_REACHED for response in responses if response.status == 502)
    assert ask(server, "http echo.spin.internal /", body=b"x").body == b"x"


def test_callers_of_one_depth_never_fail_for_want_of_slots(serve, weir, application):
    # A quarter of each loop's slots is kept for callees.
    server = serve(weir, "-f", application("http://*.spin.internal"), "--max-concurrency", "16")
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        asked = [pool.submit(ask, server, "http wait.spin.internal /20") for _ in range(128)]
        assert {one.result().status for one in asked} == {200}


def test_a_callee_ends_with_its_caller(serve, weir_checked, application):
    server = serve(weir_checked, "-f", application("http://*.spin.internal"), "--max-concurrency", "4")
    for _ in range(8):
        with server.wire() as wire:
            wire.send(b"GET /out/ HTTP/1.1\r\nHost: a\r\nx-to: http stream.spin.internal /forever\r\n\r\n")
            assert wire.head().status == 200
            assert wire.chunk().startswith(b"data: 0")
    # There are slots again only when the guests of those that hung up are gone.
    assert server.request("POST", "/echo/", body=b"y").body == b"y"


def test_a_caller_that_gives_up_ends_its_callee(serve, weir, application):
    server = serve(weir, "-f", application("http://*.spin.internal"), "--max-concurrency", "4")
    for _ in range(12):
        assert ask(server, "http wait.spin.internal /60000", path="/out/drop").body == b"dropped\n"
    assert ask(server, "http echo.spin.internal /", body=b"x").body == b"x"


def test_the_callers_deadline_is_the_callees(serve, weir, application):
    server = serve(weir, "-f", application("http://*.spin.internal"), "--request-timeout", "300ms")
    assert ask(server, "http wait.spin.internal /60000").status == 504
    server.stop()  # which waits for guests: it would not end in time with the callee still there


def test_the_callers_time_limits_hold_within_the_application(serve, weir, application):
    server = serve(weir, "-f", application("http://*.spin.internal"))
    assert_error(ask(server, "http wait.spin.internal /60000", x_first=100), CONNECTION_READ_TIMEOUT)


# ---- block_networks, in Spin's runtime configuration


def test_a_name_cannot_be_rebound_past_blocked_networks(serve, weir, application, remote, tmp_path):
    # The name is allowed; what counts is the address that it resolves to when the connection is made.
    config = tmp_path / "runtime-config.toml"
    config.write_text('[outbound_networking]\nblock_networks = ["private"]\n')
    hosts = application("http://localhost:*", "http://127.0.0.1:*", "http://echo.spin.internal")
    to = f"http localhost:{remote.server_port} /"
    assert ask(serve(weir, "-f", hosts), to).status == 200
    asked = len(remote.requests)
    server = serve(weir, "-f", hosts, "--runtime-config-file", config)
    assert_error(ask(server, to), DESTINATION_IP_PROHIBITED)
    assert_error(ask(server, f"http 127.0.0.1:{remote.server_port} /"), DESTINATION_IP_PROHIBITED)
    assert len(remote.requests) == asked
    server.stderr.wait_for("is in a network that is blocked")
    assert ask(server, "http echo.spin.internal /", body=b"x").body == b"x", "what stays in the process is no network"


# ---- Bounds of what guests have open (crates/factor-outbound-http/src/runtime_config/spin.rs)


@pytest.fixture
def runtime_config(tmp_path):
    def write(text):
        path = tmp_path / "bounds.toml"
        path.write_text(text)
        return "--runtime-config-file", path

    return write


def wait_until(holds):
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_guests_requests_are_bounded_for_the_whole_process(serve, weir, application, remote, runtime_config):
    server = serve(
        weir, "-f", application("http://127.0.0.1:*"), *runtime_config("[outbound_http]\nmax_connections = 2\n")
    )
    to = f"http 127.0.0.1:{remote.server_port}"
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        held = [pool.submit(ask, server, f"{to} /silent") for _ in range(2)]
        wait_until(lambda: len(remote.peers) == 2)
        # It may wait as long as it may take to connect, as in Spin (crates/factor-outbound-http/src/wasi.rs).
        assert_error(ask(server, f"{to} /", x_connect=100), CONNECTION_LIMIT_REACHED)
        server.stderr.wait_for("a request to http://127.0.0.1:.* all connections that guests may have are in use")
        waiting = [pool.submit(ask, server, f"{to} /", body=b"x") for _ in range(3)]
        remote.released.set()
        assert [result.result().body for result in waiting] == [b"x"] * 3
        assert [result.result().status for result in held] == [502] * 2


def test_a_process_with_few_descriptors_bounds_guests_requests_by_itself(serve, weir, application, remote):
    server = serve(weir.wrapped("prlimit", "--nofile=160"), "-f", application("http://127.0.0.1:*"))
    to = f"http 127.0.0.1:{remote.server_port} /silent"
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        held = [pool.submit(ask, server, to) for _ in range(20)]
        wait_until(lambda: len(remote.peers) == 20)  # an eighth of 160
        assert_error(ask(server, to, x_connect=100), CONNECTION_LIMIT_REACHED)
        assert len(remote.peers) == 20
        remote.released.set()
        assert [result.result().status for result in held] == [502] * 20
    assert ask(server, f"http 127.0.0.1:{remote.server_port} /").status == 200


def test_a_connection_that_is_kept_makes_room_for_another(serve, weir, application, remote, runtime_config):
    hosts = application("http://127.0.0.1:*", "http://localhost:*")
    server = serve(weir, "-f", hosts, *runtime_config("[outbound_http]\nmax_connections = 2\n"))
    with running(Remote()) as silent, concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert ask(server, f"http 127.0.0.1:{remote.server_port} /").status == 200
        held = pool.submit(ask, server, f"http 127.0.0.1:{silent.server_port} /silent")
        wait_until(lambda: silent.peers)
        assert ask(server, f"http localhost:{remote.server_port} /").status == 200
        silent.released.set()
        assert held.result().status == 502


def test_without_pooling_each_request_has_a_connection(serve, weir, application, remote, runtime_config):
    config = runtime_config("[outbound_http]\nconnection_pooling = false\n")
    server = serve(weir, "-f", application("http://127.0.0.1:*"), *config)
    for _ in range(3):
        assert ask(server, f"http 127.0.0.1:{remote.server_port} /").status == 200
    assert len(remote.peers) == 3


def test_a_resolver_that_hangs_holds_up_no_files_and_no_other_requests(serve, weir, guest, remote, tmp_path):
    components = [
        Component("out", "/out/...", guest("http_outgoing")),
        Component("sockets", "/sockets", guest("sockets"), wagi=True),
        Component("files", "/files", guest("wagi_files"), wagi=True, argv="guest ${ARGS}"),
    ]
    path = write_application(tmp_path / "app", components)
    (tmp_path / "app" / "some.txt").write_text("some text")
    text = path.read_text()
    for line in ("[component.out]\n", "[component.sockets]\n"):
        text = text.replace(line, line + 'allowed_outbound_hosts = ["*://*:*"]\n')
    path.write_text(text.replace("[component.files]\n", '[component.files]\nfiles = ["some.txt"]\n'))
    library = compile_helper("hang_resolver", tmp_path, "-shared", "-fPIC")
    gate, begun = tmp_path / "gate", tmp_path / "begun"
    os.mkfifo(gate)
    begun.touch()
    environment = {"LD_PRELOAD": str(library), "WEIR_RESOLVER_GATE": str(gate), "WEIR_RESOLVER_COUNT": str(begun)}
    server = serve(weir, "-f", path, environment=environment)
    count = 20  # of each kind: more than there are threads
    with concurrent.futures.ThreadPoolExecutor(2 * count) as pool:
        looking = [pool.submit(ask, server, "http a.hang.test /") for _ in range(count)]
        looking += [pool.submit(server.get, "/sockets?resolve&a.hang.test") for _ in range(count)]
        wait_until(lambda: begun.stat().st_size >= 16)
        assert "some text" in server.get("/files?read&/some.txt").text
        assert ask(server, f"http 127.0.0.1:{remote.server_port} /").status == 200
        while not all(result.done() for result in looking):
            with contextlib.suppress(OSError):
                os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
            time.sleep(0.01)
        for result in looking[:count]:
            assert_error(result.result(), DNS_ERROR)
        assert {result.result().text for result in looking[count:]} == {"resolve-next-address: error 18\n"}


# ---- Sockets of WASI, which keep to the same entries (crates/factor-outbound-networking/src/lib.rs)


@pytest.fixture
def greeting():
    """A server that greets who connects, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet():
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listening.accept()
                    with peer:
                        peer.sendall(b"hello")

        thread = threading.Thread(target=greet)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_socket_connects_where_it_may_and_nowhere_else(serve, weir_checked, guest, greeting, tmp_path):
    path = write_application(tmp_path / "app", [Component("sockets", "/", guest("sockets"), wagi=True)])
    manifest = path.read_text()
    path.write_text(manifest + f'allowed_outbound_hosts = ["tcp://127.0.0.1:{greeting}"]\n')
    config = tmp_path / "runtime-config.toml"
    config.write_text('[outbound_networking]\nblock_networks = ["127.0.0.0/8"]\n')
    server = serve(weir_checked, path)
    assert server.get(f"/?connect&127.0.0.1&{greeting}").text == "got hello\n"
    assert server.get(f"/?connect&127.0.0.2&{greeting}").text.endswith(ACCESS_DENIED)
    server.stderr.wait_for(re.escape(f'"tcp://127.0.0.2:{greeting}"'))
    assert server.get("/?connect&127.0.0.1&1").text.endswith(ACCESS_DENIED)
    assert server.get("/?bind&127.0.0.1&0").text.endswith(ACCESS_DENIED)
    blocked = serve(weir_checked, path, "--runtime-config-file", config)
    assert blocked.get(f"/?connect&127.0.0.1&{greeting}").text.endswith(ACCESS_DENIED)
    path.write_text(manifest)
    denied = serve(weir_checked, path)
    assert denied.get(f"/?connect&127.0.0.1&{greeting}").text.endswith(ACCESS_DENIED)


def test_names_are_looked_up_that_may_be_reached_and_no_others(serve, weir_checked, guest, tmp_path):
    """To look a name up tells it to whoever answers: a way out for data, which Spin bars for all names."""
    path = write_application(tmp_path / "app", [Component("sockets", "/", guest("sockets"), wagi=True)])
    manifest = path.read_text()
    path.write_text(manifest + 'allowed_outbound_hosts = ["http://self", "https://localhost:1", "http://10.0.0.1"]\n')
    server = serve(weir_checked, path)
    assert server.get("/?resolve&localhost").text == "found\n"
    assert server.get("/?resolve&127.0.0.9").text == "found\n"
    for name in ("secret.localhost", "secret.attacker.test", "self.alt", "sockets.spin.internal"):
        assert server.get(f"/?resolve&{name}").text == "resolve-addresses" + ACCESS_DENIED, name
    server.stderr.wait_for(re.escape('"https://secret.attacker.test"'))


NEW_SOCKET_LIMIT = "create-tcp-socket: error 10\n"  # crates/factor-outbound-networking/tests/factor_test.rs


def test_sockets_are_bounded_for_the_whole_process(serve, weir_checked, guest, runtime_config, tmp_path):
    path = write_application(tmp_path / "app", [Component("sockets", "/", guest("sockets"), wagi=True)])
    path.write_text(path.read_text() + 'allowed_outbound_hosts = ["tcp://127.0.0.1:*"]\n')
    config = runtime_config("[outbound_networking]\nmax_socket_connections = 1\n")
    server = serve(weir_checked, path, *config)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        target = f"/?connect&127.0.0.1&{silent.getsockname()[1]}"
        with in_background(lambda: server.get(target)) as first:
            peer, _ = silent.accept()
            with peer:
                assert server.get(target).text == NEW_SOCKET_LIMIT
                peer.sendall(b"hello")
            assert first().text == "got hello\n"
    # What the instance had is given back with it.
    wait_until(lambda: server.get(target).text != NEW_SOCKET_LIMIT)
