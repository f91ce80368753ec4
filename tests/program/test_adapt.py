"""Memory gets short while weir serves, or instances are refused: it takes less, and no request fails because of it."""
# ctest: serial timeout=300

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from admin import Admin, sample
from conftest import prlimit_address_space
from harness import Component, all_in_background, hello_load, load, write_application
from modules import module_with_memory
from reloads import reload

MIB = 1 << 20
GIB = 1 << 30
LIMIT = 256 * MIB

# Takes memory until no more than so much is left below its group's limit, says so, and keeps it at that, giving back what
# others come to need, until its input ends.
HOG = """
import mmap, select, sys
group, left = sys.argv[1], int(sys.argv[2])
read = lambda name: int(open(f"{group}/{name}").read())
# Of files the kernel holds what nobody has used lately only while there is room: it is as good as left.
stat = lambda: dict(line.split() for line in open(f"{group}/memory.stat"))
pieces = []
full = False
while not select.select([sys.stdin], [], [], 0.01 if full else 0)[0]:
    found = read("memory.limit_in_bytes") - read("memory.usage_in_bytes") + int(stat()["total_inactive_file"])
    if found > left:
        piece = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        piece[:] = b"x" * len(piece)
        pieces.append(piece)
    elif found < left // 2 and pieces:
        pieces.pop().close()
    elif not full:
        full = True
        print("full", flush=True)
"""


@pytest.fixture
def group():
    """A control group of 256 MiB, to which processes can be moved (cgroup v1)."""
    parent = Path("/sys/fs/cgroup/memory")
    directory = parent / f"weir-test-{os.getpid()}"
    try:
        directory.mkdir()
        (directory / "memory.limit_in_bytes").write_text(str(LIMIT))
    except OSError as error:
        pytest.skip(f"no control group with a memory limit can be made under {parent}: {error}")
    yield directory
    deadline = time.monotonic() + 20
    while (directory / "cgroup.procs").read_text().strip() and time.monotonic() < deadline:
        time.sleep(0.05)
    directory.rmdir()


def enter(group):
    """A command that runs another one in the group."""
    return ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh")


@contextlib.contextmanager
def hog(group, left):
    """For as long as this lasts, so little is left in the group."""
    command = [*enter(group), sys.executable, "-c", HOG, str(group), str(left)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        # The kernel is to end this one rather than the server, should it come to that.
        Path(f"/proc/{process.pid}/oom_score_adj").write_text("1000")
        assert process.stdout.readline() == b"full\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def steady_load(server):
    """Requests all the time; what failed is a list."""
    failures = []
    enough = threading.Event()

    def work():
        while not enough.is_set() and not failures:
            failures.extend(load(server, 200, 8, hello_load))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield failures
    finally:
        enough.set()
        thread.join()


def assert_shown(admin, kind, cause, to):
    """That the allocator was changed is in the metrics, and in the status with what it was and why."""
    samples = admin.metrics()
    assert sample(samples, f"weir_allocator_{kind}_total", cause=cause) >= 1
    assert sample(samples, "weir_generation") >= 2
    allocator = admin.status()["allocator"]
    assert re.search(to, allocator["history"][0]["to"]) and "control group" in allocator["history"][0]["cause"]
    assert allocator["rung"]["slots"] == sample(samples, "weir_allocator_slots")
    return samples


def test_a_control_group_that_is_nearly_full_takes_the_allocator_down_and_fails_no_request(weir, hello, group, serve):
    server = serve(weir.wrapped(*enter(group)), hello, "--admin", "0")
    with steady_load(server) as failures:
        with hog(group, 8 * MIB):
            found = server.stderr.wait_for(r"memory is short: (\d+) (MiB|KiB) are left below the control group's", 60)
            assert found[2] == "KiB" or int(found[1]) < 16, found[0]
            line = next(line for line in server.stderr.lines if "memory is short" in line)
            assert re.search(
                r"the allocator was reduced automatically, and requests go on: (standard|compact) pool, \d+ slots, "
                r"nothing kept in unused ones, instead of (standard|compact) pool, \d+ slots, up to",
                line,
            ), line
            assert_shown(Admin(server), "reductions", "group_left", r"(standard|compact) pool, \d+ slots, nothing kept")
        # And afterwards, with what there is now.
        assert load(server, 500, 8, hello_load) == []
    assert failures == []


def test_a_pool_that_holds_nearly_all_address_space_makes_way_for_instances_on_demand(weir, hello, group, serve):
    """No pool can be had beside it, not even a smaller one; and no request fails while it goes."""
    program = prlimit_address_space(weir, 1 * GIB)
    server = serve(program.wrapped(*enter(group)), hello, "--admin", "0")
    assert re.search(r"compact pool, \d+ slots", server.stdout.text), server.log
    with steady_load(server) as failures:
        with hog(group, 8 * MIB):
            line = server.stderr.wait_for(r"memory is short: .*", 90)[0]
            assert re.search(
                r"the pooling allocator was disabled automatically, and requests go on: no pool, (\d+) instances at "
                r"once, instead of compact pool, (\d+) slots",
                line,
            ), line
            samples = assert_shown(Admin(server), "fallbacks", "group_left", r"no pool, \d+ instances at once")
            assert sample(samples, "weir_allocator_tier", tier="ondemand") == 1
        assert load(server, 500, 8, hello_load) == []
    assert failures == []


def test_a_reload_while_memory_is_short_stays_on_the_lower_rung_and_fails_no_request(weir, hello, group, serve, tmp_path):
    server = serve(weir.wrapped(*enter(group)), hello, "--admin", f"unix:{tmp_path}/admin")

    def slots():
        """Of the pool that serves, as the admin listener has it."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(f"{tmp_path}/admin")
            admin.sendall(b"GET /status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: admin.recv(65536), b""))
        return json.loads(answer.partition(b"\r\n\r\n")[2])["allocator"]["rung"]

    first = slots()
    with steady_load(server) as failures:
        with hog(group, 8 * MIB):
            server.stderr.wait_for("memory is short: .*the allocator was reduced automatically", 60)
            lowered = slots()
            assert lowered != first
            reload(server)
            after = slots()
            assert after == lowered or after["slots"] < lowered["slots"], (first, lowered, after)
        assert load(server, 200, 8, hello_load) == []
    assert failures == []


def address_space(process):
    return int(re.search(r"^VmSize:\s+(\d+) kB$", Path(f"/proc/{process.pid}/status").read_text(), re.M)[1]) * 1024


def test_instances_that_the_system_refuses_are_had_later_and_no_request_fails(weir, application, serve):
    """An address space that holds a few instances of an allocator that takes each from the system."""
    if shutil.which("prlimit") is None:
        pytest.skip("prlimit (util-linux) is not installed")
    server = serve(weir, application, "--admin", "0", environment={"SPIN_ALLOCATOR": "ondemand"})
    body = bytes(range(256)) * 4096

    def ask(target):
        if target == "/wagi/cat":
            answer = server.request("POST", target, body=iter([b"content-type: a/b\n\n", body]), chunked=True)
            return answer.status, answer.body == body
        if target == "/echo/":
            answer = server.request("POST", target, body=body)
            return answer.status, answer.body == body
        return server.get(target).status, True

    targets = ["/wait/200", "/echo/", "/wagi/wait?100", "/wagi/cat"] * 10
    assert {ask(target) for target in targets[:4]} == {(200, True)}  # and whatever is made once is there
    reserved = re.search(r"(\d+) (GiB|MiB) reserved per memory", "\n".join(server.stdout.lines))
    reserved = int(reserved[1]) * (GIB if reserved[2] == "GiB" else MIB)
    limit = address_space(server.process) + 2 * reserved + reserved // 4 + 128 * MIB
    subprocess.run(["prlimit", f"--as={limit}:{limit}", "--pid", str(server.process.pid)], check=True)
    with all_in_background(ask, targets) as answers:
        found = [answer() for answer in answers]
    assert found == [(200, True)] * len(targets), server.log
    server.stderr.wait_for("no instance could be had, and its request waits: .*Cannot allocate memory")
    server.stderr.wait_for("memory is short: instances were refused")
    samples = Admin(server).metrics()
    assert sum(value for (name, _), value in samples.items() if name == "weir_guest_instances_refused_total") > 0


# ---- Placement -------------------------------------------------------------------------------------------------------


def test_a_guest_too_large_for_the_others_pool_is_served_beside_it(weir_checked, guest, tmp_path, serve):
    large = tmp_path / "large.wasm"
    large.write_bytes(module_with_memory(1400, "large"))  # 88 MiB
    components = [
        Component("echo", "/echo/...", guest("http_echo")),
        Component("large", "/large", large, wagi=True),
        Component("wait", "/wait/...", guest("http_wait")),
    ]
    program = weir_checked
    if program.flavour == "release":  # AddressSanitizer needs more address space than that
        program = prlimit_address_space(program, 2 * GIB)
    server = serve(program, write_application(tmp_path / "application", components))
    targets = ["/echo/", "/large", "/wait/50"] * 20
    with all_in_background(server.get, targets) as answers:
        for target, answer in zip(targets, answers):
            response = answer()
            assert response.status == 200, (target, server.log)
            assert response.body == {"/large": b"large", "/wait/50": b"waited\n"}.get(target, b"")
    if program is not weir_checked:
        assert re.search(r"allocator: compact pool, \d+ slots of (\d+) MiB", server.stdout.text), server.log
        slot = int(re.search(r"slots of (\d+) MiB", server.stdout.text)[1])
        assert slot < 88, f"it was not placed apart, and nothing was shown\n{server.log}"
