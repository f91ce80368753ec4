"""When things go wrong around a server: docs/operating.md says what becomes of it, and nothing that was accepted is lost."""
# ctest: timeout=600

import contextlib
import email.utils
import os
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

from environments_here import as_root, compile_helper
from harness import REQUEST_DEADLINE, Component, all_in_background, hello_body, in_background, load, hello_load, write_application

DAY = 24 * 3600


@pytest.fixture
def strace():
    return shutil.which("strace") or pytest.fail("strace is needed")


def assert_serves(server):
    for target in ("/hello", "/cgi/x?y=1"):
        response = server.get(target)
        assert (response.status, response.text) == (200, hello_body(target))


# ---- Stopped, and going on -------------------------------------------------------------------------------------------


def children_of(pid):
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def state_of(pid):
    return re.search(r"^State:\t(\w)", Path(f"/proc/{pid}/status").read_text(), re.M).group(1)


@contextlib.contextmanager
def stopped(server, seconds):
    """The process stands still for so long at least."""
    until = time.monotonic() + seconds
    server.send_signal(signal.SIGSTOP)
    while state_of(server.process.pid) != "T":
        time.sleep(0.005)
    yield
    time.sleep(max(0.0, until - time.monotonic()))
    server.send_signal(signal.SIGCONT)


def test_a_stop_that_is_longer_than_the_time_limits_costs_no_request(weir, application, serve):
    """What came while it stood still is handled before limits run out: of requests whose guests wait, whose bodies are on
    their way, which wait for their turn, and of new ones."""
    server = serve(weir, application, "--request-timeout", "2s", "--max-concurrency", "8")
    body = b"x" * 50000
    with server.wire() as half, server.wire() as idle, server.wire() as late:
        half.send(b"POST /echo/ HTTP/1.1\r\nHost: weir\r\nContent-Length: 50000\r\n\r\n" + body[:20000])
        idle.send(b"GET /respond HTTP/1.1\r\nHost: weir\r\n\r\n")
        assert idle.response().status == 200
        late.send(b"GET /respond HTTP/1.1\r\nHo")  # within a head
        with all_in_background(lambda target: server.get(target), ["/wait/300"] * 16) as waiting:
            server.get("/respond")
            with stopped(server, 5):
                half.send(body[20000:])
                idle.send(b"GET /respond HTTP/1.1\r\nHost: weir\r\n\r\n")
                late.send(b"st: weir\r\n\r\n")
            assert [wait().status for wait in waiting] == [200] * 16
        response = half.response()
        assert (response.status, response.body) == (200, body)
        assert idle.response().status == late.response().status == 200
    assert server.get("/wait/60000").status == 504, "limits hold again"
    server.stop()


def test_a_stop_is_no_processor_time_of_the_guests_that_it_finds_at_work(weir, guest, serve, tmp_path):
    application = write_application(tmp_path / "application", [Component("work", "/...", guest("http_work"))])
    server = serve(weir, application, "--cpu-time", "500ms")
    over = threading.Event()

    def ask():
        while not over.is_set():
            assert server.get("/compute/400000").status == 200

    with all_in_background(lambda _: ask(), range(8)) as results:
        for _ in range(4):
            # Guests are at work whenever that is: eight ask without a pause.
            server.get("/compute/1")
            os.kill(server.process.pid, signal.SIGSTOP)
            time.sleep(1)  # longer than the limit
            os.kill(server.process.pid, signal.SIGCONT)
        over.set()
        for result in results:
            result()
    server.stop()
    assert "computed for" not in server.stderr.text, server.log


def test_a_server_that_is_asked_to_end_while_it_stands_still_ends_well(weir, application, serve):
    server = serve(weir, application, "--request-timeout", "5s")
    with in_background(lambda: server.get("/wait/500")) as waiting:
        server.get("/respond")
        with stopped(server, 1.5):
            server.send_signal(signal.SIGTERM)
        assert waiting().status == 200
    server.stopped = True
    assert server.wait() == 0, server.log


# ---- Descriptors and memory for connections --------------------------------------------------------------------------


def test_connections_for_which_there_is_no_descriptor_wait_until_there_is(weir, hello, serve):
    server = serve(weir, hello)
    pid = server.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    in_use = len(os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (in_use + 8, hard))
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(server.wire()) for _ in range(32)]
        for wire in idle:
            wire.send(b"GET /hello HTTP/1.1\r\nHost: weir\r\n\r\n")
        server.stderr.wait_for(r"^weir: warning: new connections have to wait: accept: Too many open files; raise the limit")
        answered = []
        while ready := select.select([wire.socket for wire in idle if wire not in answered], [], [], 1)[0]:
            answered += [wire for wire in idle if wire.socket in ready]
        assert 0 < len(answered) < len(idle)
        for wire in answered:  # those that have their answer make room for those that wait
            assert wire.response().status == 200
            wire.close()
        waiting = [wire for wire in idle if wire not in answered]
        while waiting:  # and so on, in the order in which the system queued them
            ready, _, _ = select.select([wire.socket for wire in waiting], [], [], REQUEST_DEADLINE)
            assert ready
            for wire in [wire for wire in waiting if wire.socket in ready]:
                assert wire.response().status == 200
                wire.close()
                waiting.remove(wire)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    assert load(server, 200, 8, hello_load) == []
    server.stop()
    warnings = [line for line in server.stderr.lines if "warning" in line]
    assert all("new connections ha" in line for line in warnings), server.log


@pytest.mark.parametrize("error", ["ENOMEM", "ENOBUFS", "ENFILE", "EPERM", "ECONNABORTED"])
def test_an_accept_that_the_system_refuses_is_tried_again(weir, hello, serve, strace, tmp_path, error):
    """The first five of each thread"""
    log = tmp_path / "strace"
    injected = weir.wrapped(
        strace, "-f", "-o", log, "-e", "trace=accept4", "-e", f"inject=accept4:error={error}:when=1..5"
    )
    server = serve(injected, hello)
    assert load(server, 20, 4, hello_load) == []
    if error in ("ENOMEM", "ENOBUFS", "ENFILE"):  # with the others it is that connection which is gone
        server.stderr.wait_for(r"^weir: warning: new connections have to wait: accept: ")
    assert "(INJECTED)" in log.read_text()
    for child in children_of(server.process.pid):
        os.kill(child, signal.SIGTERM)
    assert server.wait() == 0, server.log
    server.stopped = True
    assert server.stderr.text.count("have to wait") <= 2 * os.cpu_count(), server.log


# ---- A full disk -----------------------------------------------------------------------------------------------------

SMALL_DISKS = """
set -e
for place in "$1" "$2"; do mount -t tmpfs -o size=256k tmpfs "$place"; done
shift 2
exec "$0" "$@"
"""


@pytest.fixture
def small_disks(weir, tmp_path):
    """weir with a directory for logs and one for its cache, each on a disk of 256 KiB; what is in them is seen from
    outside below /proc/PID/root."""
    places = [tmp_path / "logs", tmp_path / "cache"]
    for place in places:
        place.mkdir()
    unshare = ("unshare", "--mount", "--propagation=private", "--")
    if subprocess.run([*as_root(), *unshare, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("a namespace of mounts cannot be had here")

    # The script comes before the program: "sh -c SCRIPT WEIR LOGS CACHE up ..." would have weir's arguments after those.
    launcher = tmp_path / "launcher"
    launcher.write_text(f"#!/bin/sh\nprogram=$1; shift\nset -- {places[0]} {places[1]} \"$@\"\n" + SMALL_DISKS.replace('"$0"', '"$program"'))
    launcher.chmod(0o755)
    return weir.wrapped(*as_root(), *unshare, launcher), *places


def test_full_disks_cost_lines_of_logs_and_the_cache_alone(small_disks, guest, serve, tmp_path):
    program, logs, cache = small_disks
    application = write_application(tmp_path / "application", [Component("log", "/log", guest("http_log"))])
    server = serve(program, application, "--log-dir", logs, environment={"XDG_CACHE_HOME": cache})
    inside = Path(f"/proc/{server.process.pid}/root")
    file = inside / str(logs).lstrip("/") / "log_stderr.txt"
    while "cannot write" not in server.stderr.text:  # each writes 20 KB
        assert server.get("/log").status == 200
    server.stderr.wait_for(r"lost \d+ bytes that component log wrote to stderr: .*No space left on device")
    for _ in range(20):
        assert server.get("/log").status == 200
    # Once there is room again, it goes on.
    with open(file, "r+b") as opened:
        opened.truncate(0)
    deadline = time.monotonic() + 30
    while file.stat().st_size == 0:
        assert server.get("/log").status == 200
        assert time.monotonic() < deadline, server.log
    server.stop()
    assert server.stderr.text.count("No space left on device") <= 8, "told from time to time: " + server.log
    assert "error" not in re.sub(r"^\[log std.*$", "", server.stderr.text, flags=re.M)


# ---- The clock -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [-3650 * DAY, -3600, 3600, 3650 * DAY])
def test_a_step_of_the_clock_changes_dates_and_no_time_limit(weir, application, serve, tmp_path, step):
    library = compile_helper("step_clock", tmp_path, "-shared", "-fPIC")
    file = tmp_path / "step"
    file.write_bytes(struct.pack("q", 0))
    environment = {"LD_PRELOAD": library, "STEP_CLOCK": file}
    server = serve(weir, application, "--request-timeout", "5s", environment=environment)

    def date():
        said = server.get("/respond").get("date")
        return email.utils.parsedate_to_datetime(said).timestamp() - time.time()

    assert abs(date()) < 60
    with server.wire() as idle:
        idle.send(b"GET /respond HTTP/1.1\r\nHost: weir\r\n\r\n")
        assert idle.response().status == 200
        with all_in_background(lambda target: server.get(target), ["/wait/1000"] * 8) as waiting:
            server.get("/respond")
            file.write_bytes(struct.pack("q", step))
            assert [wait().status for wait in waiting] == [200] * 8
        idle.send(b"GET /respond HTTP/1.1\r\nHost: weir\r\n\r\n")
        assert idle.response().status == 200
    assert abs(date() - step) < 60, "the date follows"
    began = time.monotonic()
    assert server.get("/wait/60000").status == 504
    assert 4.5 < time.monotonic() - began < 25, "a limit is as long as before"
    server.stop()
    told = [line for line in server.stderr.lines if line.startswith("weir: ") and "no response within 5 s" not in line]
    assert told == ["weir: stopped"]


def test_nothing_waits_on_the_clock_that_can_be_set(weir, application, serve, strace, tmp_path):
    """Seen from outside: a wait with a time limit on CLOCK_REALTIME would end early or late when that is set."""
    log = tmp_path / "strace"
    traced = weir.wrapped(strace, "-f", "-o", log, "-e", "trace=futex,timerfd_create,timerfd_settime,clock_nanosleep,mq_timedsend")
    server = serve(traced, application, "--request-timeout", "1s")
    for target in ("/respond", "/wait/100", "/log", "/spin"):
        server.get(target)
    for child in children_of(server.process.pid):
        os.kill(child, signal.SIGTERM)
    server.wait()
    server.stopped = True
    lines = log.read_text().splitlines()
    assert any("FUTEX_WAIT" in line for line in lines)
    # A pause of some length is none of these, for setting the clock does not change that (clock_nanosleep(2)): glibc's
    # nanosleep(3) is one.
    harmless = r"FUTEX_CLOCK_REALTIME, \d+, NULL|clock_nanosleep\(CLOCK_REALTIME, 0, "
    timed = [line for line in lines if "CLOCK_REALTIME" in line and not re.search(harmless, line)]
    assert timed == []


# ---- Standard streams ------------------------------------------------------------------------------------------------


class Quiet:
    """weir with pipes that nobody reads any more, or that are closed from the beginning."""

    def __init__(self, weir, application, port, *, before=""):
        command = weir.command("up", application, "--listen", f"127.0.0.1:{port}")
        if before:
            command = ["sh", "-c", f'exec "$0" "$@" {before}', *command]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=weir.full_environment()
        )
        self.port = port

    def get(self, target):
        """The status, once it serves."""
        deadline = time.monotonic() + 60
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
                    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n\r\n".encode())
                    return int(connection.makefile("rb").readline().split()[1])
            except ConnectionRefusedError:
                assert self.process.poll() is None and time.monotonic() < deadline
                time.sleep(0.02)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            for stream in (self.process.stdout, self.process.stderr):
                stream.close()


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("streams", [("stdout",), ("stderr",), ("stdout", "stderr")], ids=" and ".join)
def test_a_reader_of_its_output_that_goes_takes_nothing_with_it(weir_checked, application, free_port, streams):
    """A pipe without a reader is an error of the write (SIGPIPE is ignored), and lines are lost, not requests."""
    quiet = Quiet(weir_checked, application, free_port)
    try:
        assert quiet.get("/respond") == 200
        for stream in streams:
            getattr(quiet.process, stream).close()
        for target, status in (("/log", 200), ("/fail/trap", 500), ("/respond", 200)) * 5:
            assert quiet.get(target) == status
    finally:
        status = quiet.end()
    assert status == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_were_closed_before_the_start_are_no_reason_not_to_serve(weir_checked, application, free_port, closed):
    quiet = Quiet(weir_checked, application, free_port, before=closed)
    try:
        for target, status in (("/log", 200), ("/fail/trap", 500), ("/respond", 200)) * 3:
            assert quiet.get(target) == status
        first = {os.readlink(f"/proc/{quiet.process.pid}/fd/{number}") for number in range(3)}
        assert not any("socket" in name or "eventpoll" in name for name in first), first
    finally:
        status = quiet.end()
    assert status == 0
