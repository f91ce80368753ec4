"""What weir gives up while it serves: new privileges, system calls, places to write, root's rights."""

import errno
import json
import os
import platform
import re
import shutil
import signal
import socket
from pathlib import Path

import pytest

from environments_here import compile_helper
from harness import START_DEADLINE, hello_body
from terminal import wait_until

REFUSED = "the sandbox refused system call"
UNCONFINED = "this system refuses what would confine weir"


def children_of(pid):
    """Processes; each thread may have some."""
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def confinement(pid):
    """What /proc says of each thread: (its name, NoNewPrivs, Seccomp)."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
        found.append((status["Name"], status["NoNewPrivs"].strip(), status["Seccomp"].strip()))
    return found


@pytest.fixture(scope="session")
def refuse_calls(tmp_path_factory):
    return compile_helper("refuse_calls", tmp_path_factory.mktemp("helpers"))


def assert_serves(server):
    for target in ("/hello", "/cgi/x?y=1"):
        response = server.get(target)
        assert (response.status, response.text) == (200, hello_body(target))


# ---- It is on --------------------------------------------------------------------------------------------------------


def test_every_thread_and_the_trial_server_are_confined(weir, hello, serve):
    server = serve(weir, hello)
    assert_serves(server)
    threads = confinement(server.process.pid)
    assert len(threads) >= 4, threads
    trials = children_of(server.process.pid)
    assert len(trials) == 1
    # That one lets the program start first.
    wait_until(lambda: confinement(trials[0])[0][1:] == ("1", "2"), "the trial server is confined", START_DEADLINE)
    threads += confinement(trials[0])
    assert "weir-trials" in {thread[0] for thread in threads}
    assert all(thread[1:] == ("1", "2") for thread in threads), threads
    server.stop()
    assert server.stderr.text == "" or UNCONFINED not in server.stderr.text


def test_nothing_is_confined_without_the_sandbox(weir, hello, serve):
    server = serve(weir, hello, "--no-sandbox")
    before = confinement(os.getpid())[0][1:]
    assert_serves(server)
    threads = confinement(server.process.pid) + confinement(children_of(server.process.pid)[0])
    assert all(thread[1:] == before for thread in threads), threads


def test_no_call_is_refused_while_it_serves_everything(weir, application, serve, tmp_path):
    """Each guest of the tests, with logs, cache and trials."""
    server = serve(
        weir, application, "--log-dir", tmp_path / "logs", environment={"WEIR_SANDBOX": "tell", "XDG_CACHE_HOME": tmp_path / "cache"}
    )
    for target in ("/echo/x", "/request/x", "/respond", "/wait/20", "/stream/4", "/log", "/wagi/cat", "/wagi/environment/x"):
        server.get(target)
    server.stop()
    assert REFUSED not in server.stderr.text, server.log
    assert list((tmp_path / "logs").iterdir())


def test_what_else_it_does_is_not_refused_either(weir, hello, serve, tmp_path):
    """An admin socket, an access log that is opened anew, loading the application anew with code to compile, a watch on
    its files, and being asked what it gave up."""
    copy = tmp_path / "application"
    shutil.copytree(hello, copy, ignore=shutil.ignore_patterns(".spin"))
    socket_path = tmp_path / "admin.socket"
    access = tmp_path / "access.log"
    arguments = ["--admin", f"unix:{socket_path}", "--access-log", access, "--watch"]
    server = serve(weir, copy, *arguments, environment={"WEIR_SANDBOX": "tell", "XDG_CACHE_HOME": tmp_path / "cache"})
    assert_serves(server)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(socket_path))
        client.sendall(b"GET /status.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        document = b"".join(iter(lambda: client.recv(65536), b"")).partition(b"\r\n\r\n")[2]
    sandbox = json.loads(document)["sandbox"]
    assert sandbox["enabled"] and sandbox["no_new_privs"] and sandbox["seccomp"], sandbox
    access.rename(tmp_path / "access.1")
    with open(copy / "hello.wasm", "ab") as module:
        module.write(b"\x00\x05\x04anew")  # a custom section: other code, as far as the cache knows
    server.stderr.wait_for(r"^weir: reloaded in .*, 1 compiled: ", START_DEADLINE)
    after = len(server.stderr.lines)
    server.send_signal(signal.SIGHUP)
    server.stderr.wait_for(r"^weir: reloaded in .*, 0 compiled: ", START_DEADLINE, after=after)
    assert_serves(server)
    server.stop()
    assert access.exists() and access.read_text() and not socket_path.exists()


# ---- It is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EPERM, errno.ENOSYS])
def test_where_the_kernel_refuses_a_filter_weir_warns_once_and_serves(weir, hello, serve, refuse_calls, number):
    server = serve(weir.wrapped(refuse_calls, number, "seccomp,prctl-seccomp"), hello)
    assert_serves(server)
    assert all(thread[1] == "1" for thread in confinement(server.process.pid))
    server.stop()
    warnings = [line for line in server.stderr.text.splitlines() if UNCONFINED in line]
    assert len(warnings) == 1 and "(seccomp: " in warnings[0], server.log


@pytest.mark.skipif(os.geteuid() != 0, reason="without no_new_privs only root can have a filter (seccomp(2))")
def test_where_the_kernel_refuses_no_new_privs_weir_warns_once_and_serves(weir, hello, serve, refuse_calls):
    server = serve(weir.wrapped(refuse_calls, errno.EINVAL, "no-new-privs"), hello)
    assert_serves(server)
    server.stop()
    warnings = [line for line in server.stderr.text.splitlines() if UNCONFINED in line]
    assert len(warnings) == 1 and "(no_new_privs: Invalid argument)" in warnings[0], server.log


def test_where_there_is_no_landlock_weir_serves_in_silence(weir, hello, serve, refuse_calls):
    server = serve(weir.wrapped(refuse_calls, errno.ENOSYS, "landlock"), hello)
    assert_serves(server)
    server.stop()
    assert server.stderr.lines == ["weir: stopped"], server.log


def test_an_emulator_that_knows_no_filter_is_warned_of_and_serves(weir, hello, serve):
    emulator = shutil.which(f"qemu-{platform.machine()}") or shutil.which(f"qemu-{platform.machine()}-static")
    if emulator is None:
        pytest.skip("qemu-user is not installed")
    server = serve(weir.wrapped(emulator), hello)
    assert_serves(server)
    server.stop()
    assert server.stderr.text.count(UNCONFINED) == 1, server.log


# ---- Where it writes -------------------------------------------------------------------------------------------------


def opened_for_writing(log):
    """What was opened to write, made, renamed or removed, as strace tells it: names of paths."""
    wanted = re.compile(
        r'(?:openat\((?:AT_FDCWD|\d+<(?P<at>[^>]*)>), "(?P<open>[^"]*)", [^)]*O_(?:WRONLY|RDWR|CREAT)'
        r'|(?:mkdir|unlink|rmdir|creat|truncate)\("(?P<one>[^"]*)"'
        r'|(?:mkdirat|unlinkat|renameat|renameat2)\((?:AT_FDCWD|\d+<(?P<below>[^>]*)>), "(?P<two>[^"]*)")'
    )
    for line in log.splitlines():
        if found := wanted.search(line):
            name = found["open"] or found["one"] or found["two"] or ""
            yield os.path.normpath(os.path.join(found["at"] or found["below"] or "/", name)), line


def test_a_run_writes_nowhere_but_to_its_own_directories(weir, application, serve, tmp_path):
    """Whatever Landlock does: what is written is seen from outside."""
    strace = shutil.which("strace")
    assert strace, "strace is needed"
    log = tmp_path / "strace.log"
    calls = "open,openat,creat,mkdir,mkdirat,unlink,unlinkat,rename,renameat,renameat2,truncate,rmdir"
    # A file for each thread: no call is cut in two.
    traced = weir.wrapped(strace, "-ff", "-y", "-o", log, "-e", f"trace={calls}")
    arguments = ["--log-dir", tmp_path / "logs", "--temp", tmp_path / "temp", "--no-sandbox"]
    (tmp_path / "temp").mkdir()
    server = serve(traced, application, *arguments, environment={"XDG_CACHE_HOME": tmp_path / "cache"})
    for target in ("/log", "/respond", "/fail/trap", "/wagi/cat"):
        server.get(target)
    server.send_signal(signal.SIGTERM)  # strace hands it on by ending
    for child in children_of(server.process.pid):
        os.kill(child, signal.SIGTERM)
    server.wait()
    server.stopped = True
    allowed = [str(tmp_path / name) for name in ("logs", "temp", "cache")]
    written = list(opened_for_writing("".join(part.read_text() for part in tmp_path.glob("strace.log.*"))))
    assert any(path.startswith(allowed[0]) for path, _ in written) and any(path.startswith(allowed[2]) for path, _ in written)
    for path, line in written:
        own = path == "/dev/null" or re.fullmatch(r"/proc/self/(oom_score_adj|fd/[12])", path)
        made_above = "mkdir" in line and "EEXIST" in line
        assert own or made_above or any(path == place or path.startswith(place + "/") for place in allowed), line
