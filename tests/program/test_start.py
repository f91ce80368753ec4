"""weir up: what it prints, how it is told what to serve and where, and how it ends."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import Component, all_in_background, hello_body, write_application

TIER = r"\b(standard|compact|on-?demand)\b"


def test_hello_answers_from_both_kinds_of_guest(weir_checked, hello, serve):
    """crates/trigger-http/src/server.rs, handler_type_for_component: a component that exports wasi:http, and a core module with
    _start, which crates/componentize/src/lib.rs, componentize_if_necessary, makes a component that exports wasi:cli/run"""
    server = serve(weir_checked, hello)
    for target in ("/hello", "/hello?name=weir", "/cgi/x?y=1", "/cgi", "/cgi/a/b%20c?d=e&f"):
        response = server.get(target)
        assert response.status == 200, f"{target}: {response}"
        assert response.text == hello_body(target)


def open_files(process):
    """What its descriptors are, in order; those that are closed meanwhile are left out."""
    names = []
    directory = Path(f"/proc/{process.pid}/fd")
    for number in sorted(int(entry.name) for entry in directory.iterdir()):
        with contextlib.suppress(FileNotFoundError):
            names.append(os.readlink(directory / str(number)))
    return names


def test_standard_descriptors_that_are_closed_are_not_given_to_other_files(weir_checked, hello):
    report = weir_checked.wrapped("sh", "-c", 'exec "$@" >&-', "sh").run("doctor", "--json")
    assert report.status == 1 and "cannot write" in report.stderr, report
    options = ["up", "-f", str(hello), "--listen", "127.0.0.1:0"]
    program = weir_checked.wrapped("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    with subprocess.Popen(program.command(*options), env=program.full_environment()) as process:
        try:
            deadline = time.monotonic() + 60
            while "anon_inode:[eventpoll]" not in open_files(process):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
            assert open_files(process)[:3] == ["/dev/null"] * 3
        finally:
            process.terminate()
        assert process.wait(60) == 0


def test_hello_counts_the_bytes_of_a_body(weir, hello, serve):
    server = serve(weir, hello)
    for target in ("/hello", "/cgi/x"):
        for body in (b"", b"1", b"x" * 100_000):
            response = server.request("POST", target, body=body)
            assert (response.status, response.text) == (200, hello_body(target, "POST", len(body)))


def test_an_unknown_path_is_404_with_an_empty_body(weir_checked, hello, serve):
    server = serve(weir_checked, hello)
    for target in ("/", "/nothing", "/hellox", "/hello/more", "/cgix", "/HELLO", "/?/hello"):
        response = server.get(target)
        assert (response.status, response.body) == (404, b""), target


def test_start_up_prints_allocator_then_address_then_routes_with_full_urls(weir_checked, hello, serve):
    """crates/trigger-http/src/server.rs, print_startup_msgs; crates/routes/src/lib.rs, Display of ParsedRoute. The line of
    the allocator before them is weir's own."""
    server = serve(weir_checked, hello)
    server.stdout.wait_for(r"/cgi \(wildcard\)")
    lines = server.stdout.lines

    def index(pattern):
        found = [number for number, line in enumerate(lines) if re.search(pattern, line)]
        assert found, f"no line matching {pattern!r}\n{server.log}"
        return found[0]

    order = [
        index(TIER),
        index(rf"^Serving {re.escape(server.url)}$"),
        index(r"^Available Routes:$"),
        index(rf"^  \S+: {re.escape(server.url)}/hello$"),
    ]
    assert order == sorted(order), server.log
    assert re.search(rf"(?m)^  \S+: {re.escape(server.url)}/cgi \(wildcard\)$", server.stdout.text), server.log


def test_the_allocator_line_says_tier_slots_slot_size_and_how_it_was_decided(weir, hello, serve):
    server = serve(weir, hello)
    line = server.stdout.lines[0]
    assert re.search(TIER, line), line
    assert re.search(r"\b[\d,]+ (slots|instances)\b", line), line
    assert re.search(r"\b[\d.,]+ (GiB|MiB|KiB)\b", line), line
    assert re.search(r"trial|measured|tried", line), line


def test_descriptions_stand_below_their_routes(weir, guest, serve, tmp_path):
    """crates/trigger-http/src/server.rs, print_startup_msgs: four spaces and the description"""
    application = write_application(
        tmp_path, [Component("answer", "/a", guest("http_request"), description="says what it was asked")]
    )
    server = serve(weir, application)
    server.stdout.wait_for("says what it was asked")
    lines = server.stdout.lines
    place = lines.index(f"  answer: {server.url}/a")
    assert lines[place + 1] == "    says what it was asked"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_stop_answers_the_requests_in_flight_and_exits_0(weir_checked, application, serve, number):
    """Status 0 as in crates/trigger/src/cli.rs, run (`Err(_aborted)` is Ok); there what is in flight is cut: weir differs."""
    server = serve(weir_checked, application)
    targets = ["/wait/1000", "/wagi/wait?1000"] * 4
    with all_in_background(server.get, targets) as answers:
        server.stderr.wait_for("waiting", count=len(targets))
        assert not any(answer.done() for answer in answers), "the requests were over before the signal was sent"
        server.stop(number)
        for answer in answers:
            response = answer()
            assert (response.status, response.text) == (200, "waited\n")
    told = [line for line in server.stderr.lines if "in flight" in line]
    assert len(told) == 1, server.log
    assert server.stderr.lines[-1] == "weir: stopped"
    assert told[0].endswith(
        f"ending after {len(targets)} requests in flight, in 60 s at the latest; "
        "a second Ctrl-C or SIGTERM ends it at once"
    )


@pytest.mark.parametrize("quiet", [False, True])
def test_the_end_is_told_also_where_nothing_was_in_flight(weir_checked, application, serve, quiet):
    """By a line of weir's own, which --quiet does not silence: it is about guests."""
    server = serve(weir_checked, application, *(["--quiet"] if quiet else []))
    server.stop()
    assert [line for line in server.stderr.lines if "in flight" in line] == []
    assert server.stderr.lines[-1] == "weir: stopped"


def test_a_second_signal_ends_it_at_once(weir, application, serve):
    server = serve(weir, application, "--request-timeout", "60s")
    with server.wire() as wire:
        wire.send(b"GET /wait/60000 HTTP/1.1\r\nHost: a\r\n\r\n")
        server.stderr.wait_for("waiting")
        server.stopped = True
        server.send_signal(signal.SIGINT)
        server.stderr.wait_for("ending after 1 request in flight, in 90 s at the latest;")
        before = time.monotonic()
        # One that comes within the moment of the first is taken for the same wish.
        while server.process.poll() is None and time.monotonic() - before < 30:
            server.send_signal(signal.SIGINT)
        assert server.wait() == 1, server.log
        assert time.monotonic() - before < 40, "it waited for the request, which takes a minute"
        assert "ended at once by a second signal" in server.stderr.text


def test_one_wish_to_end_that_comes_as_two_signals_is_one(weir, application, serve):
    server = serve(weir, application)
    with server.wire() as wire:
        wire.send(b"GET /wait/1000 HTTP/1.1\r\nHost: a\r\n\r\n")
        server.stderr.wait_for("waiting")
        server.stopped = True
        server.send_signal(signal.SIGTERM)
        server.send_signal(signal.SIGINT)
        response = wire.response("GET")
        assert (response.status, response.text) == (200, "waited\n")
    assert server.wait() == 0, server.log
    assert "second signal" not in server.stderr.text


def test_a_stop_lets_a_stream_in_flight_come_to_its_end(weir_checked, application, serve):
    server = serve(weir_checked, application)
    with server.wire() as wire:
        wire.send(b"GET /stream/pieces/5/200 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.head().status == 200
        pieces = [wire.chunk()]
        server.stop()
        pieces += iter(wire.chunk, b"")
        assert b"".join(pieces) == b"".join(b"data: %d\n\n" % number for number in range(5))


def test_a_stop_does_not_wait_for_idle_connections(weir_checked, hello, serve):
    server = serve(weir_checked, hello)
    with server.wire() as silent, server.wire() as used, server.wire() as unfinished:
        used.send(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        assert used.response().status == 200
        unfinished.send(b"GET /hello HTT")
        before = time.monotonic()
        server.stop()
        assert time.monotonic() - before < 10
        silent.assert_closed()
        used.assert_closed()
    assert "in flight" not in server.stderr.text, server.log


def test_a_stopped_server_has_let_go_of_its_port(weir, hello, serve):
    first = serve(weir, hello)
    with first.wire() as kept:
        kept.send(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        assert kept.response().status == 200
        first.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((first.host, first.port), timeout=5)
    second = serve(weir, hello, listen=first.authority)
    assert second.url == first.url
    assert second.get("/hello").status == 200


# ---- what to serve ---------------------------------------------------------------------------------------------------


def test_the_application_may_be_a_directory_a_manifest_or_the_current_directory(weir, hello, serve):
    """crates/common/src/paths.rs, resolve_manifest_file_path; src/commands/up.rs, default_manifest_or_none. Without -f it is
    weir's own."""
    for arguments, directory in (
        ([hello], None),
        ([hello / "spin.toml"], None),
        ([], hello),
        (["-f", hello], None),
        (["-f", hello / "spin.toml"], None),
        (["spin.toml"], hello),
        (["hello"], hello.parent),
    ):
        server = serve(weir, *arguments, directory=directory)
        assert server.get("/hello").status == 200, arguments
        server.stop()


def test_a_manifest_above_the_current_directory_is_not_looked_for(weir, hello, tmp_path):
    """weir differs: src/commands/up.rs, default_manifest_or_none, goes on in the directories above, up to that of a Git
    repository (crates/common/src/paths.rs, search_upwards_for_manifest)."""
    shutil.copytree(hello, tmp_path / "application")
    below = tmp_path / "application" / "below"
    below.mkdir()
    done = weir.run("up", "--listen", "127.0.0.1:0", directory=below)
    assert done.status == 2 and "no spin.toml in ." in done.stderr, done


@pytest.mark.parametrize(
    ("name", "kind"), [("http_request", "target /any/path?q"), ("wagi_environment", "environment QUERY_STRING=q")]
)
def test_a_wasm_file_is_an_application_that_answers_every_path(weir, guest, serve, name, kind):
    """crates/loader/src/lib.rs, single_file_manifest: the route is "/...". The executor there is http alone; that a program
    is served through WAGI is weir's own."""
    server = serve(weir, guest(name))
    response = server.get("/any/path?q")
    assert response.status == 200
    assert kind in response.text.splitlines()


def test_a_source_is_looked_for_beside_the_manifest_not_in_the_current_directory(weir, guest, serve, tmp_path):
    """crates/loader/src/local.rs, load_component_source: app_root.join(path)"""
    application = write_application(tmp_path / "application", [Component("a", "/a", "guest.wasm")])
    (application.parent / "guest.wasm").write_bytes(guest("http_request").read_bytes())
    server = serve(weir, application, directory="/")
    assert server.get("/a").status == 200


def test_quiet_hides_what_guests_write_but_not_weirs_own_log(weir, application, serve):
    server = serve(weir, application, "--quiet")
    assert server.get("/log").status == 200
    assert server.get("/fail/trap").status == 500
    server.stderr.wait_for(r"^weir: error: .*unreachable")
    server.stop()
    assert "[log " not in server.stderr.text + server.stdout.text


# ---- where to serve --------------------------------------------------------------------------------------------------


def test_spin_http_listen_addr_is_the_address_and_listen_wins_over_it(weir, hello, serve):
    """crates/trigger-http/src/lib.rs, CliArgs::address: clap takes the option before its variable"""
    server = serve(weir, hello, listen=None, environment={"SPIN_HTTP_LISTEN_ADDR": "127.0.0.1:0"})
    assert server.host == "127.0.0.1" and server.port not in (0, 3000)
    assert server.get("/hello").status == 200
    other = serve(weir, hello, environment={"SPIN_HTTP_LISTEN_ADDR": server.authority})
    assert other.port != server.port
    assert other.get("/hello").status == 200


def test_localhost_is_ipv4(weir, hello, serve):
    """crates/trigger-http/src/lib.rs, parse_listen_addr"""
    server = serve(weir, hello, listen="localhost:0")
    assert server.host in ("127.0.0.1", "localhost")
    with socket.create_connection(("127.0.0.1", server.port), timeout=5):
        pass
    assert server.get("/hello").status == 200


def test_ipv6_is_served_and_written_in_brackets(weir, guest, serve):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 loopback: {error}")
    server = serve(weir, guest("http_request"), listen="[::1]:0")
    assert server.url == f"http://[::1]:{server.port}"
    lines = server.get("/x").text.splitlines()
    assert f"header spin-full-url: {server.url}/x" in lines
    assert any(re.fullmatch(r"header spin-client-addr: \[::1\]:\d+", line) for line in lines), lines


# SIOCSIFFLAGS (netdevice(7)) with IFF_UP: ip(8) may not be installed.
LOOPBACK_UP = """
import fcntl, os, socket, struct, sys
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 1))
os.execv(sys.argv[1], sys.argv[1:])
"""
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode(), end='')"


def in_network_of_its_own():
    """A command that runs another where all ports are free, and the options of nsenter(1) to get there; or None."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *user, "--net", "--", sys.executable, "-c", LOOPBACK_UP]
    if not shutil.which("unshare") or not shutil.which("nsenter"):
        return None
    if subprocess.run([*command, shutil.which("true")], capture_output=True, check=False).returncode != 0:
        return None
    return command, ["--net"] if not user else ["--user", "--preserve-credentials", "--net"]


def test_without_an_address_it_serves_on_127_0_0_1_3000(weir, hello, serve):
    """crates/trigger-http/src/lib.rs, CliArgs::address"""
    network = in_network_of_its_own()
    if network is not None:
        server = serve(weir.wrapped(*network[0]), hello, listen=None)
        enter = ["nsenter", "--target", str(server.process.pid), *network[1], "--"]
        fetch = [*enter, sys.executable, "-c", FETCH, "http://127.0.0.1:3000/hello"]
        done = subprocess.run(fetch, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == hello_body("/hello")
    else:
        try:
            socket.create_server(("127.0.0.1", 3000)).close()
        except OSError as error:
            pytest.skip(f"impossible here: port 3000 is taken ({error}), and there are no network namespaces")
        server = serve(weir, hello, listen=None)
        assert server.get("/hello").status == 200
    assert server.url == "http://127.0.0.1:3000"


# ---- asking the program itself ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["up", "doctor", "--version"]),
        (["up", "--help"], ["--listen", "-f", "--request-timeout", "--disable-pooling", "SPIN_ALLOCATOR"]),
        (["doctor", "--help"], ["--json"]),
    ],
    ids=" ".join,
)
def test_help_is_on_stdout_with_exit_status_0(weir_checked, arguments, words):
    done = weir_checked.run(*arguments, seconds=20)
    assert (done.status, done.stderr) == (0, ""), done
    for word in words:
        assert word in done.stdout, f"{word!r} is missing in\n{done}"


def test_version_is_one_line_on_stdout(weir):
    done = weir.run("--version", seconds=20)
    assert done.status == 0, done
    assert re.fullmatch(r"weir \d+\.\d+\.\d+\S*( .*)?\n", done.stdout), done
    assert done.stderr == ""
