"""Compiling: done in a child process, so that the server stays small and unharmed; told of when it takes long; and ended
at once by a signal."""

import os
import re
import select
import signal
from pathlib import Path

import pytest

from conftest import prlimit_address_space
from harness import Component, hello_body, write_application

COMPILING = r"^weir: compiling component slow \(\d+(\.\d)? [KM]iB\); a large one takes a while, but only once on this machine$"


def unsigned(number):
    """LEB128, as all numbers in a wasm file."""
    out = bytearray()
    while True:
        out.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(out)


def vector(*items):
    return unsigned(len(items)) + b"".join(items)


def section(number, content):
    return bytes([number]) + unsigned(len(content)) + content


def function(local_groups, code):
    body = local_groups + code + b"\x0b"
    return unsigned(len(body)) + body


def slow_module(functions=4, steps=600_000):
    """A module that takes the better part of a minute to compile: long functions, in which each step needs the last."""
    load = b"".join(bytes([0x23, 0, 0x21, local]) for local in range(4))  # global.get 0, local.set
    # (local.get a) * constant ^ (local.get b) -> local c
    step = b"".join(
        bytes([0x20, k % 4, 0x42, k * 37 % 63 + 1, 0x7E, 0x20, (k + 1) % 4, 0x85, 0x21, (k + 2) % 4]) for k in range(252)
    )
    store = bytes([0x20, 0, 0x24, 0])  # local.get 0, global.set 0
    long = function(vector(b"\x04\x7e"), load + step * (steps // 252) + store)
    return (
        b"\0asm\1\0\0\0"
        + section(1, vector(b"\x60\0\0"))
        + section(3, vector(*[b"\0"] * (functions + 1)))
        + section(6, vector(b"\x7e\x01\x42\0\x0b"))
        + section(7, vector(b"\x06_start\0\0"))
        + section(10, vector(function(vector(), b""), *[long] * functions))
    )


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    path = tmp_path_factory.mktemp("slow") / "slow.wasm"
    path.write_bytes(slow_module())
    return path


def compilers(process):
    """Its children, but for the one that runs trials later."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(child) for child in children if Path(f"/proc/{child}/comm").read_text() != "weir-trials\n"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_while_it_compiles_ends_it_and_the_compiler_at_once(weir, serve, slow, tmp_path, number):
    server = serve(weir, slow, serving=False, environment={"XDG_CACHE_HOME": tmp_path / "cache"})
    server.stderr.wait_for(COMPILING, 60)
    found = compilers(server.process.pid)
    assert found, "it compiles in its own process"
    watches = [os.pidfd_open(compiler) for compiler in found]
    for compiler in found:
        os.kill(compiler, signal.SIGSTOP)  # whoever waits for it waits for ever
    server.stopped = True
    server.send_signal(number)
    assert server.wait() == 0, server.log
    for watch in watches:
        assert select.select([watch], [], [], 20)[0], "a compiler outlived its server"
        os.close(watch)
    assert not server.stdout.lines, "something was printed before it was ready"
    kept = [path.name for path in (tmp_path / "cache" / "weir" / "code").iterdir()]
    # What a file is known by may be kept: it was left alone for a while when the machine is busy.
    assert all(name.startswith("f-") for name in kept), "code was kept that is not complete"


def memory_left():
    """What /proc/meminfo and the control group leave, or 0 where that is not known."""
    available = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
    return int(available.group(1)) * 1024 if available else 0


def test_components_are_compiled_at_once_and_a_signal_ends_that(weir, serve, tmp_path):
    if len(os.sched_getaffinity(0)) < 2 or memory_left() < 4 << 30:
        pytest.skip("two processors and memory for two compilers are needed")
    for name in ("one", "two"):
        (tmp_path / f"{name}.wasm").write_bytes(slow_module(functions=2, steps=500_000 if name == "one" else 499_968))
    components = [Component(name, f"/{name}", tmp_path / f"{name}.wasm", wagi=True) for name in ("one", "two")]
    server = serve(weir, write_application(tmp_path / "application", components), serving=False)
    for name in ("one", "two"):
        server.stderr.wait_for(rf"^weir: compiling component {name} \(\d+(\.\d)? [KM]iB\), [12] of 2; ", 60)
    assert not re.search(r"^weir: component \w+ took", server.log, re.M), "one was compiled after the other"
    for compiler in compilers(server.process.pid):
        os.kill(compiler, signal.SIGSTOP)  # whoever waits for it waits for ever
    server.stopped = True
    server.send_signal(signal.SIGINT)
    assert server.wait() == 0, server.log


def test_a_compiler_that_dies_is_tried_once_more_and_then_told_of(weir, serve, slow):
    server = serve(weir, slow, serving=False)
    for count in (1, 2):
        server.stderr.wait_for(COMPILING, 60, count=count)
        found = compilers(server.process.pid)
        assert found, "it compiles in its own process"
        for compiler in found:
            os.kill(compiler, signal.SIGKILL)
    server.stopped = True
    assert server.wait() == 1, server.log
    assert "weir: error: component slow could not be compiled: " in server.stderr.text, server.log


def test_too_little_memory_for_the_compiler_is_an_error_in_words(weir, tmp_path):
    (tmp_path / "large.wasm").write_bytes(slow_module(functions=40, steps=25_200))
    done = prlimit_address_space(weir, 150 << 20).run("up", tmp_path / "large.wasm", seconds=120)
    assert done.status == 1, done
    said = r"^weir: error: (component \S+ could not be compiled: its \d+\.\d MiB of WebAssembly|.*RLIMIT_AS \(150 MiB\))"
    assert re.search(said, done.stderr, re.M), done
    assert "panicked" not in done.stderr and "backtrace" not in done.stderr, done


def test_what_a_server_runs_is_mapped_from_code_that_its_child_compiled(weir, serve, hello, tmp_path):
    server = serve(weir.wrapped(XDG_CACHE_HOME=tmp_path), hello)  # where nothing is compiled yet
    for target in ("/hello", "/cgi/x"):
        assert server.get(target).text == hello_body(target)
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    code = re.findall(r"^\S+ r-xp .*/memfd:weir-code", maps, re.M)
    assert len(code) >= 2, maps
    assert not re.findall(r"^\S+ .w.s .*/memfd:weir-code", maps, re.M), maps
    tasks = Path(f"/proc/{server.process.pid}/task")
    names = [(task / "comm").read_text().strip() for task in tasks.iterdir()]
    assert not [name for name in names if "rayon" in name], names


def test_components_run_in_the_same_way_without_trial_requests(weir, serve, hello):
    server = serve(weir, hello, "--no-trial-requests")
    for target in ("/hello", "/cgi/x"):
        assert server.get(target).text == hello_body(target)
