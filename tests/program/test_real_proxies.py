"""Behind real proxies, HAProxy and nginx: a guest is told of the proxy's client, whatever that client makes up, over each way
that docs/operating.md describes. Skipped where they are not installed (Debian packages haproxy and nginx): ./dev does not bring services to a machine."""

import contextlib
import shutil
import socket
import subprocess
import time

import pytest

from conftest import make_program
from harness import START_DEADLINE, Component, Wire, starting, write_application
from mirror import read_report, report_of_component

MADE_UP = (
    b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6;proto=https;host=evil\r\n"
    b"X-Forwarded-Host: evil\r\nSpin-Client-Addr: 6.6.6.6:6\r\n"
)


@pytest.fixture(scope="module")
def start(guest, tmp_path_factory):
    directory = tmp_path_factory.mktemp("application")
    application = write_application(directory, [Component("mirror", "/...", guest("http_mirror"))])
    program = make_program("release", directory)
    with starting(program, application, "--quiet", "--trusted-proxy", "127.0.0.2") as begin:
        yield begin


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(command, port, directory):
    """A proxy that listens there."""
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_DEADLINE
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 5).close()
                break
            assert process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < deadline, (directory / "log").read_text()
            time.sleep(0.02)  # between looks at whether it listens
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


HAPROXY = """
global
    maxconn 100
defaults
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend in
    mode {mode}
    bind 127.0.0.1:{port}
    default_backend weir
backend weir
    mode {mode}
    source 127.0.0.2
{lines}
    server weir 127.0.0.1:{weir} {options}
"""

HAPROXY_HEADERS = """
    http-request del-header Forwarded
    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
    option forwardfor
"""

NGINX = """
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/error;
events {{ worker_connections 100; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_bind 127.0.0.2;
            proxy_pass http://127.0.0.1:{weir};
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Forwarded "";
        }}
    }}
}}
"""

# The kind; its configuration's mode, lines and options of the server; weir's options; whether the client's port is told
WAYS = {
    "HAProxy with headers": ("haproxy", "http", HAPROXY_HEADERS, "", (), False),
    "HAProxy with version 1": ("haproxy", "tcp", "", "send-proxy", ("--proxy-protocol",), True),
    "HAProxy with version 2": ("haproxy", "tcp", "", "send-proxy-v2", ("--proxy-protocol",), True),
    "HAProxy with version 2 and more": (
        "haproxy", "tcp", "", "send-proxy-v2 proxy-v2-options crc32c,unique-id", ("--proxy-protocol",), True,
    ),
    "HAProxy in HTTP mode with version 2": (
        "haproxy", "http", "    http-request del-header X-Forwarded-Proto", "send-proxy-v2", ("--proxy-protocol",), True,
    ),
    "nginx": ("nginx", None, None, None, (), False),
}  # fmt: skip


def find(name):
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") or shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.mark.parametrize("way", WAYS)
def test_a_guest_is_told_of_the_client_of_a_real_proxy(start, way, tmp_path):
    kind, mode, lines, options, arguments, tells_port = WAYS[way]
    program = find(kind)
    server = start(*arguments)
    port = free_port()
    configuration = tmp_path / "configuration"
    if kind == "haproxy":
        configuration.write_text(HAPROXY.format(mode=mode, port=port, lines=lines, weir=server.port, options=options))
        command = [program, "-db", "-f", configuration]
    else:
        configuration.write_text(NGINX.format(directory=tmp_path, port=port, weir=server.port))
        command = [program, "-e", tmp_path / "error", "-c", configuration]
    with running(command, port, tmp_path):
        for method, body in (("GET", b""), ("POST", b"x" * 100_000)):
            connected = socket.create_connection(("127.0.0.1", port), 30, ("127.0.0.5", 0))
            with Wire(connected) as wire:
                host, own_port = connected.getsockname()
                for _ in range(2):
                    length = b"Content-Length: %d\r\n" % len(body) if body else b""
                    wire.send(b"%s /x?y HTTP/1.1\r\nHost: a.test\r\n%s%s\r\n" % (method.encode(), MADE_UP, length) + body)
                    response = wire.response()
                    assert response.status == 200, response
                    items, mirrored = read_report(response.body)
                    headers = report_of_component(items)["headers"]
                    assert headers["spin-client-addr"] == [f"{host}:{own_port if tells_port else 0}".encode()]
                    assert headers["spin-full-url"] == [b"http://a.test/x?y"]
                    assert mirrored == body
