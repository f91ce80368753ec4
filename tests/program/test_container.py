"""weir as process 1 of a container: namespaces of users, processes, mounts and network, a root that cannot be written and
holds nothing but what weir needs, no capability, and perhaps a memory control group."""
# ctest: timeout=600

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from environments_here import Group, ServerBelow, as_root, need_command, place
from harness import Component, REQUEST_DEADLINE, Program, hello_body, write_application
from virtual_machine import Unavailable, program_files

MIB = 1 << 20
CLONE_NEWNET = 0x40000000

# What the outside of the container does; "$0" is its root. Then weir is process 1, and has nothing.
SCRIPT = """
set -e
cd "$0"
mount --bind . .
{mounts}
mount -o remount,bind,ro "$0"
ip link set lo up
cd "$0"
exec chroot . /bin/setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""

PROC = 'mount -t proc proc "$0/proc"'
HIDDEN_PROC = 'mount -t proc -o hidepid=2 proc "$0/proc"'
TMP = 'mount -t tmpfs tmpfs "$0/tmp"'
NULL = 'touch "$0/dev/null"; mount --bind /dev/null "$0/dev/null"'


class Contained(ServerBelow):
    """A server that is reached through its own network namespace."""

    @property
    def inner(self):
        """Its process, as it is called outside."""
        started = self.process.pid
        return int(Path(f"/proc/{started}/task/{started}/children").read_text())

    def request(self, *arguments, **options):
        """The thread that dials enters the namespace, and ends afterwards: a socket stays in that where it was made."""
        box = {}

        def work():
            try:
                with open(f"/proc/{self.inner}/ns/net", "rb") as namespace:
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                box["response"] = super(Contained, self).request(*arguments, **options)
            except BaseException as error:  # pylint: disable=broad-except
                box["error"] = error

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(REQUEST_DEADLINE + 5)
        if "error" in box:
            raise box["error"]
        return box["response"]


class Containers:
    def __init__(self, weir):
        self.weir = weir
        self.root = Path(tempfile.mkdtemp(prefix="weir-container-"))
        self.root.chmod(0o755)
        self.servers = []
        files = program_files(weir.path, shutil.which("setpriv") or pytest.skip("setpriv (util-linux) is needed"))
        place(self.root, files)
        for name in ("proc", "sys", "tmp", "dev", "app"):
            (self.root / name).mkdir(exist_ok=True)

    def command(self, mounts, prefix=()):
        namespaces = ["unshare", "--fork", "--pid", "--mount", "--net", "--ipc", "--uts", "--propagation=private", "--kill-child"]
        return (*prefix, *as_root(), *namespaces, "--", "sh", "-c", SCRIPT.format(mounts="\n".join(mounts)), self.root)

    def program(self, mounts, prefix=()):
        inside = Path("/bin") / self.weir.path.name
        settings = {"HOME": None, "XDG_CACHE_HOME": None, "TMPDIR": None, "PATH": os.environ["PATH"]}
        return Program(inside, wrapper=tuple(map(str, self.command(mounts, prefix))), environment=settings)

    def __call__(self, *arguments, mounts=(PROC, TMP, NULL), environment=None, prefix=(), serving=True):
        server = Contained(self.program(mounts, prefix), *arguments, environment=environment)
        self.servers.append(server)
        if serving:
            server.wait_until_serving()
        return server

    def close(self):
        for server in self.servers:
            with contextlib.suppress(OSError, ValueError):
                os.kill(server.inner, signal.SIGKILL)
            server.kill()
        shutil.rmtree(self.root)


@pytest.fixture(scope="module")
def namespaces():
    done = subprocess.run(
        [*as_root(), "unshare", "--fork", "--pid", "--mount", "--net", "true"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"namespaces cannot be had here: {done.stderr.strip()}")
    for name, package in (("ip", "iproute2"), ("setpriv", "util-linux")):
        try:
            need_command(name, package=package)
        except Unavailable as error:
            pytest.skip(str(error))


@pytest.fixture
def container(namespaces, weir, hello):
    containers = Containers(weir)
    shutil.copytree(hello, containers.root / "app", dirs_exist_ok=True, ignore=shutil.ignore_patterns(".spin"))
    yield containers
    containers.close()


def assert_serves(server):
    for target in ("/hello", "/cgi/x?y=1"):
        response = server.get(target)
        assert (response.status, response.text) == (200, hello_body(target))


def status_of(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_1_of_a_container_serves_and_ends_when_it_is_asked_to(container, number):
    """Signals for which process 1 has no handler are not delivered to it at all (signal(7), pid_namespaces(7))."""
    server = container("/app")
    status = status_of(server.inner)
    assert status["NSpid"].split()[-1] == "1"
    assert {status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["Seccomp"].strip(), status["NoNewPrivs"].strip()) == ("2", "1")
    assert_serves(server)
    server.stop(number)
    assert "warning" not in server.stderr.text, server.log


def children_of(pid):
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def test_process_1_reaps_its_own_and_what_others_leave_to_it(container):
    server = container("/app")
    before = children_of(server.inner)
    assert len(before) == 1, "the trial server"
    # A process of the container whose parent ends; what it waits for is this test's to give.
    read, write = os.pipe()
    orphan = "exec 3<&0; cat <&3 >/dev/null & exit 0"
    subprocess.run(
        ["nsenter", "--target", str(server.inner), "--pid", "--", "sh", "-c", orphan], stdin=read, check=True, timeout=30
    )
    strangers = wait_until(lambda: set(children_of(server.inner)) - set(before))
    assert len(strangers) == 1
    os.close(write)
    os.close(read)
    wait_until(lambda: set(children_of(server.inner)) == set(before))
    # Its own that is killed
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: children_of(server.inner) == [])
    assert_serves(server)
    server.stop()


@pytest.mark.parametrize(
    "mounts",
    [
        pytest.param((), id="nothing at all"),
        pytest.param((TMP, NULL), id="no proc"),
        pytest.param((HIDDEN_PROC, TMP, NULL), id="proc that hides processes"),
        pytest.param((PROC, NULL), id="no place to write"),
        pytest.param((PROC, TMP), id="no dev"),
    ],
)
def test_a_root_that_lacks_something_is_no_reason_not_to_serve(container, mounts):
    server = container("/app", mounts=mounts)
    assert_serves(server)
    server.stop()
    assert "error" not in server.stderr.text, server.log


def test_without_a_place_to_write_it_says_so_once_and_serves(container, guest):
    """A home is named, but nothing can be made there; guests log, and there is nowhere to put it but standard error."""
    application = write_application(container.root / "logging", [Component("log", "/log", "log.wasm")])
    shutil.copy(guest("http_log"), application.parent / "log.wasm")
    server = container("/logging", mounts=(PROC, NULL), environment={"HOME": "/home"})
    for _ in range(5):
        assert server.get("/log").status == 200
    server.stop()
    lines = [line for line in server.stderr.text.splitlines() if line.startswith("weir: ")]
    assert lines.pop() == "weir: stopped"
    cache = [line for line in lines if "compiled code is not kept" in line or "this decision is not kept" in line]
    logs = [line for line in lines if "_stdout.txt: Read-only" in line or "_stderr.txt: Read-only" in line]
    assert len(cache) == 2, server.log
    # Of each stream when its first line is lost, and at the end how much that was.
    assert 2 <= len(logs) <= 4 and len(lines) == len(cache) + len(logs), server.log


def test_the_limits_of_a_container_are_facts_for_the_allocator(container):
    """A memory control group and a limit on descriptors, as seen by process 1, in `weir doctor --json`."""
    group = Group("container", "a container", 256 * MIB)
    try:
        prefix = group.prepare()
    except Unavailable as error:
        pytest.skip(str(error))
    try:
        mounts = (PROC, TMP, NULL, 'mount --rbind /sys "$0/sys"')
        limits = ("prlimit", "--as=8589934592", "--")
        done = container.program(mounts, (*prefix, *limits)).run("doctor", "--json")
        assert done.status == 0, done
        facts = json.loads(done.stdout)["facts"]
        text = json.dumps(facts)
        assert str(256 * MIB) in text and str(8 << 30) in text, text
        server = container("/app", mounts=mounts, prefix=prefix)
        assert_serves(server)
        server.stop()
    finally:
        for server in container.servers:
            server.kill()
        group.close()
