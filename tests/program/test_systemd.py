"""What a service manager hears, and hands over: a receiver in its place, real descriptors, no systemd."""

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

from harness import Component, Expired, write_application
from reloads import reload

UNITS = Path(__file__).resolve().parents[2] / "deploy"


class Manager:
    """Receives what sd_notify(3) would."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.messages = []

    def wait_for(self, pattern, seconds=60):
        """The first message from now on that a line of matches."""
        deadline = time.monotonic() + seconds
        while True:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                message = self.socket.recv(65536).decode()
            except TimeoutError:
                raise Expired(f"{pattern!r} was not told; told was {self.messages}") from None
            self.messages.append(message)
            found = re.search(pattern, message, re.M)
            if found:
                return found

    def silence(self, seconds):
        """What comes in so long."""
        deadline = time.monotonic() + seconds
        got = []
        while time.monotonic() < deadline:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                got.append(self.socket.recv(65536).decode())
            except TimeoutError:
                break
        return got

    def close(self):
        self.socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    name = str(tmp_path / "notify")
    if request.param == "abstract":
        name = f"\0weir-test-{os.getpid()}-{tmp_path.name}"
    manager = Manager(name)
    manager.name = name.replace("\0", "@")
    yield manager
    manager.close()


class Told:
    """An application that is a response: what is tested here has nothing to do with guests."""

    def __init__(self, directory):
        self.path = directory / "spin.toml"

    def write(self, version):
        self.path.write_text(
            f'spin_manifest_version = 2\n[application]\nname = "told"\nversion = "{version}"\n'
            f'[[trigger.http]]\nroute = "/..."\nstatic_response = {{ body = "{version}" }}\n'
        )
        return self.path


def version_of(server):
    return server.get("/").text


@pytest.fixture
def versions(tmp_path):
    return Told(tmp_path)


def test_it_tells_when_it_is_ready_reloads_and_ends(weir_checked, serve, versions, manager):
    environment = {"NOTIFY_SOCKET": manager.name}
    server = serve(weir_checked, versions.write("1"), environment=environment, serving=False)
    manager.wait_for(r"^EXTEND_TIMEOUT_USEC=\d+$")
    manager.wait_for(r"^READY=1$")
    server.wait_until_serving(1)  # it was true
    versions.write("2")
    before = time.monotonic_ns() // 1000
    server.send_signal(signal.SIGHUP)
    found = manager.wait_for(r"^RELOADING=1\nMONOTONIC_USEC=(\d+)$")
    assert before <= int(found[1]) <= time.monotonic_ns() // 1000
    ready = manager.wait_for(r"^READY=1\nSTATUS=(.*)$")
    assert "told 2" in ready[1] and version_of(server) == "2"
    versions.path.write_text("nonsense")
    server.send_signal(signal.SIGHUP)
    manager.wait_for(r"^RELOADING=1$")
    assert "not reloaded" in manager.wait_for(r"^READY=1\nSTATUS=(.*)$")[1]
    server.send_signal(signal.SIGTERM)
    manager.wait_for(r"^STOPPING=1$")
    server.stopped = True
    assert server.wait() == 0


def test_the_time_to_stop_counts_the_drain_delay(weir, serve, versions, manager):
    options = ("--drain-delay", "1s", "--drain-timeout", "20s")
    server = serve(weir, versions.write("1"), *options, environment={"NOTIFY_SOCKET": manager.name})
    manager.wait_for("^READY=1")
    server.send_signal(signal.SIGTERM)
    told = manager.wait_for(r"^STOPPING=1\nEXTEND_TIMEOUT_USEC=(\d+)$")
    assert int(told[1]) >= 21e6
    assert version_of(server) == "1", "it serves on"
    drains = manager.wait_for(r"^STOPPING=1\nEXTEND_TIMEOUT_USEC=(\d+)$")
    assert int(drains[1]) == int(told[1]) - 1e6
    server.stopped = True
    assert server.wait() == 0


def test_guests_know_nothing_of_the_manager(weir, serve, guest, tmp_path, manager):
    path = write_application(tmp_path, [Component("tell", "/...", guest("http_request"))])
    given = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "60000000"}
    server = serve(weir, path, environment=given)
    text = server.get("/").text
    assert "target /" in text and "NOTIFY_SOCKET" not in text and "WATCHDOG" not in text


def test_the_watchdog_hears_of_loops_that_turn_and_nothing_of_loops_that_are_stuck(weir, serve, versions, manager):
    environment = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000"}
    server = serve(weir, versions.write("1"), environment=environment)
    manager.wait_for("^READY=1")
    for _ in range(5):
        manager.wait_for("^WATCHDOG=1$", 30)
    assert version_of(server) == "1"


def test_the_watchdog_hears_nothing_of_a_loop_that_is_stuck(weir, serve, guest, tmp_path, manager):
    """A guest that computes without ever being interrupted holds its loop."""
    path = write_application(tmp_path, [Component("spin", "/...", guest("http_spin"))])
    given = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000"}
    options = ("--time-slice", "0", "--no-trial-requests")
    server = serve(weir, path, *options, environment=given)
    manager.wait_for("^WATCHDOG=1$")
    with server.wire() as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until_silent(manager)
    server.stopped = True
    server.kill()


def wait_until_silent(manager, seconds=60):
    """Until nothing has come for a time in which it would have come ten times."""
    deadline = time.monotonic() + seconds
    while any("WATCHDOG=1" in message for message in manager.silence(1)):
        assert time.monotonic() < deadline, "the watchdog is told that all is well"


def test_no_watchdog_for_another_process(weir, serve, versions, manager):
    environment = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}
    serve(weir, versions.write("1"), environment=environment)
    manager.wait_for("^READY=1")
    assert not any("WATCHDOG" in message for message in manager.silence(1))


# ---- Sockets that are handed over ------------------------------------------------------------------------------------

# What systemd does between fork and exec: the descriptor is 3, and LISTEN_PID the process that gets it.
HAND_OVER = """
import fcntl, os, sys
fds = [int(fd) for fd in sys.argv[1].split(",")]
high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in fds]
for place, fd in enumerate(high, 3):
    os.dup2(fd, place)
os.environ["LISTEN_PID"] = str(os.getpid() if sys.argv[2] == "own" else 1)
os.environ["LISTEN_FDS"] = str(len(fds))
os.execv(sys.argv[3], sys.argv[3:])
"""


def handed(program, sockets, pid="own"):
    for one in sockets:
        one.set_inheritable(True)
    listed = ",".join(str(one.fileno()) for one in sockets)
    return program.wrapped(sys.executable, "-c", HAND_OVER, listed, pid)


class Inheriting:
    """subprocess closes what is not named."""

    def __init__(self, sockets, monkeypatch):
        original = subprocess.Popen
        fds = [one.fileno() for one in sockets]
        monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: original(*a, **{**k, "pass_fds": fds}))


@pytest.fixture
def listening():
    sockets = []

    def make(family=socket.AF_INET, kind=socket.SOCK_STREAM, listens=True, address=("127.0.0.1", 0)):
        one = socket.socket(family, kind)
        one.bind(address)
        if listens:
            one.listen(64)
        sockets.append(one)
        return one

    yield make
    for one in sockets:
        one.close()


def test_it_serves_on_a_socket_that_was_handed_over_and_leaves_it_listening(
    weir_checked, serve, versions, listening, monkeypatch
):
    one = listening()
    port = one.getsockname()[1]
    early = socket.create_connection(("127.0.0.1", port))  # before anybody serves
    early.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    Inheriting([one], monkeypatch)
    server = serve(handed(weir_checked, [one]), versions.write("1"))
    assert server.port == port
    early.settimeout(60)
    assert early.recv(12) == b"HTTP/1.1 200"
    early.close()
    versions.write("2")
    reload(server)
    assert version_of(server) == "2"
    server.stop()
    # Who comes between two of its lives waits, and is served by the next one.
    between = socket.create_connection(("127.0.0.1", port), timeout=60)
    between.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    serve(handed(weir_checked, [one]), versions.write("3"))
    assert between.recv(12) == b"HTTP/1.1 200"
    between.close()


def test_sockets_for_another_process_are_not_taken(weir, serve, versions, listening, monkeypatch):
    one = listening()
    Inheriting([one], monkeypatch)
    server = serve(handed(weir, [one], pid="other"), versions.write("1"))
    assert server.port != one.getsockname()[1]


@pytest.mark.parametrize("what", ["datagrams", "not listening", "two", "unix"])
def test_sockets_that_it_cannot_serve_on_are_refused(weir, versions, listening, tmp_path, monkeypatch, what):
    sockets = {
        "datagrams": lambda: [listening(kind=socket.SOCK_DGRAM, listens=False)],
        "not listening": lambda: [listening(listens=False)],
        "two": lambda: [listening(), listening()],
        "unix": lambda: [listening(family=socket.AF_UNIX, address=str(tmp_path / "socket"))],
    }[what]()
    fds = [one.fileno() for one in sockets]
    program = handed(weir, sockets)
    done = subprocess.run(
        program.command("up", versions.write("1")), env=program.full_environment(), pass_fds=fds, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    text = done.stderr.decode()
    assert done.returncode == 2, text
    assert ("2 sockets were handed over" if what == "two" else "no listening TCP socket") in text


# ---- The units -------------------------------------------------------------------------------------------------------


def test_systemd_finds_nothing_wrong_with_the_units(weir, tmp_path):
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("systemd-analyze is not installed")
    service = (UNITS / "weir.service").read_text()
    (tmp_path / "weir.service").write_text(service.replace("/usr/bin/weir", str(weir.path)))
    shutil.copy(UNITS / "weir.socket", tmp_path)
    done = subprocess.run(
        [analyze, "verify", "--man=no", tmp_path / "weir.service", tmp_path / "weir.socket"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    # systemd before 253 does not know this type.
    said = [line for line in done.stderr.splitlines() if "notify-reload" not in line and str(tmp_path) in line]
    assert done.returncode == 0 and not said, done.stderr
