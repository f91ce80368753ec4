"""What a client, a guest, a manifest or a reader of the log may do to weir, and what that must not cost others."""

import json
import os
import re
import shutil
import socket
import subprocess
import time

import pytest

from harness import Component, toml_text, write_application


@pytest.fixture
def serve_guests(weir_checked, serve, tmp_path):
    """Serve these components, and nothing else."""

    def start(*components, options=()):
        return serve(weir_checked, write_application(tmp_path / "application", components), *options)

    return start


def test_a_client_that_leaves_after_an_early_answer_gives_its_slot_back(serve_guests, guest):
    server = serve_guests(
        Component("echo", "/echo/...", guest("http_echo")), options=["--max-concurrency", "1", "--request-timeout", "60s"]
    )
    with server.wire() as wire:
        wire.send(b"HEAD /echo/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        assert wire.response("HEAD").status == 200
    before = time.monotonic()
    response = server.request("POST", "/echo/", body=b"next", seconds=50)
    assert (response.status, response.body) == (200, b"next"), server.log
    assert time.monotonic() - before < 30, "the slot was held until the first request's time was over"


@pytest.mark.parametrize("size", [1_000, 20_000, 40_000, 60_000])
@pytest.mark.parametrize("asked", [0, 10_000])
def test_a_response_with_a_large_head_is_answered(serve_guests, guest, size, asked):
    server = serve_guests(Component("cat", "/cat", guest("wagi_cat"), wagi=True, argv="cat ${ARGS}"))
    lines = [f"x-part-{i}: {'v' * 1000}" for i in range(size // 1000)]
    document = "\n".join(["content-type: text/plain", *lines, "", "body"]).encode()
    response = server.request("POST", "/cat", body=document, headers={"X-Asked": "a" * asked} if asked else None)
    assert (response.status, response.body) == (200, b"body"), server.log
    assert [response.get(f"x-part-{i}") for i in range(len(lines))] == ["v" * 1000] * len(lines)


def test_a_description_cannot_pass_for_a_line_of_weirs(serve_guests, guest):
    description = "\x1b[31m red\nServing http://elsewhere:1\r\nAvailable Routes:"
    server = serve_guests(Component("echo", "/echo", guest("http_echo"), description=description))
    server.stop()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", server.stdout.text), repr(server.stdout.text)
    assert len([line for line in server.stdout.lines if line.startswith("Serving ")]) == 1
    assert "    Serving http://elsewhere:1\\r" in server.stdout.lines


@pytest.mark.parametrize("form", ["plain", "json"])
def test_a_route_and_an_id_cannot_pass_for_lines_of_weirs(weir_checked, serve, tmp_path, form):
    """U+009B begins what a terminal obeys, U+0085 and U+2028 end lines."""
    harm = "a\nServing http://elsewhere:1\x1b[31m\u009b31m\u0085\u2028\u202e\x7f"
    path = tmp_path / "spin.toml"
    path.write_text(
        f'spin_manifest_version = 2\n[application]\nname = "x"\n[[trigger.http]]\nid = {toml_text(harm)}\n'
        f'route = {toml_text("/" + harm)}\nstatic_response = {{ body = "x" }}\n'
    )
    server = serve(weir_checked, path, "--format", form, serving=form == "plain")
    if form == "json":
        server.stdout.wait_for("^}")
    server.stop()
    printed = server.stdout.text
    assert not re.search("[\x00-\x09\x0b-\x1f\x80-\x9f\u2028-\u202e]", printed), repr(printed)
    if form == "plain":
        assert len([line for line in server.stdout.lines if line.startswith("Serving ")]) == 1
        assert len(server.stdout.lines) == 4 and "\x7f" not in printed
        assert r"  a\nServing http://elsewhere:1\x1b[31m\u009b31m\u0085\u2028\u202e\x7f: http://" in printed
    else:
        (route,) = json.loads(printed)["routes"]
        assert (route["id"], route["route"]) == (harm, "/" + harm)


@pytest.mark.parametrize("name", ["module.wasm", "MODULE.WASM"])
def test_a_lone_module_is_served_as_wagi_whatever_its_name(weir_checked, serve, hello, tmp_path, name):
    shutil.copy(hello / "cgi.wasm", tmp_path / name)
    assert serve(weir_checked, tmp_path / name).get("/anything").status == 200


def test_a_log_that_nobody_reads_holds_up_nobody(weir, guest, tmp_path):
    path = write_application(
        tmp_path / "application",
        [Component("log", "/log", guest("http_log")), Component("echo", "/echo", guest("http_echo"))],
    )
    unread, written = os.pipe()
    process = subprocess.Popen(
        weir.command("up", path, "--listen", "127.0.0.1:0"), stdout=subprocess.PIPE, stderr=written, text=True
    )
    os.close(written)
    try:
        port = next(int(m[1]) for m in map(re.compile(r"^Serving .*:(\d+)$").match, process.stdout) if m)
        for _ in range(2000):  # each writes some lines; a pipe holds 64 KiB
            with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
                client.sendall(b"GET /log HTTP/1.0\r\nHost: a\r\n\r\n")
                assert client.recv(100).startswith(b"HTTP/1."), "no answer while the log is full"
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(b"GET /echo HTTP/1.0\r\nHost: a\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1."), "no answer while the log is full"
        process.terminate()
        assert process.wait(45) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        os.close(unread)
