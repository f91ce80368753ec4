"""Where address space or executable memory are refused, and under emulation: it starts, and answers correctly."""
# ctest: serial

import json
import re
import subprocess
import sys
import time

import pytest

from conftest import prlimit_address_space
from harness import hello_body, hello_load, load

GIB = 1 << 30
MIB = 1 << 20
ADDRESS_SPACES = {"64 GiB": 64 * GIB, "8 GiB": 8 * GIB, "1 GiB": GIB, "400 MiB": 400 * MIB}


def answers(server, requests=160):
    """Both routes, one after the other, and then many at once."""
    for target in ("/hello", "/cgi/x?y=1"):
        response = server.get(target)
        assert response.status == 200, response
        assert response.text == hello_body(target)
    assert server.get("/nothing").status == 404
    assert load(server, requests, 16, hello_load) == []


@pytest.mark.parametrize("size", ADDRESS_SPACES)
def test_hello_answers_under_an_address_space_limit(weir, hello, serve, size):
    server = serve(prlimit_address_space(weir, ADDRESS_SPACES[size]), hello)
    answers(server, requests=1000)


@pytest.mark.parametrize("mib", [39, 40, 41])
def test_a_start_says_what_its_own_components_cost_or_why_that_is_unknown(weir, hello, serve, tmp_path, mib):
    """Compiling beside pools takes more memory than there is, here or there. Backtraces make it worse: Rust makes one
    with a lock held, and takes memory for it."""
    limited = weir.wrapped("prlimit", f"--data={mib * MIB}:{mib * MIB}", "--", RUST_BACKTRACE="1")
    for attempt in range(3):
        server = serve(limited.wrapped(XDG_CACHE_HOME=tmp_path / str(attempt)), hello)
        assert server.get("/hello").status == 200
        server.stop()
        summary = server.stdout.lines[0]
        why = re.findall(r"own components could not be timed.*", server.stderr.text)
        assert ("to run its own components" in summary) == (why == []), server.log
        assert not any("not done after" in line for line in why), server.log


@pytest.mark.parametrize("size", ADDRESS_SPACES)
def test_a_fallback_says_that_it_is_automatic_and_normal_why_and_what_helps(weir, hello, serve, size):
    server = serve(prlimit_address_space(weir, ADDRESS_SPACES[size]), hello)
    server.stderr.wait_for(r"^weir: warning: .*(disabled|reduced) automatically")
    server.stop()
    notice = server.stderr.text
    assert re.search(r"\bnormal\b", notice), server.log
    assert re.search(r"RLIMIT_AS|address.space", notice), server.log
    assert "ulimit -v" in notice, server.log
    assert "overcommit_memory=1" not in notice, "a remedy for a limit that did not refuse anything"


def test_without_a_fallback_there_is_no_notice(weir, hello, serve):
    tier = json.loads(weir.run("doctor", "--json").stdout)["choice"]["tier"]
    if tier != "standard":
        pytest.skip(f"this machine itself does not allow the standard pool, but {tier}")
    server = serve(weir, hello)
    server.stop()
    assert "automatically" not in server.stderr.text, server.log


def test_no_fewer_slots_than_an_address_space_holds(weir):
    """The tier follows the limit: 64 GiB hold a few 4 GiB slots, 1 GiB holds none but still a compact pool."""
    tiers = {}
    for size, limit in ADDRESS_SPACES.items():
        done = prlimit_address_space(weir, limit).run("doctor", "--json")
        assert done.status == 0, done
        tiers[size] = json.loads(done.stdout)["choice"]
    assert tiers["1 GiB"]["tier"] == "compact", tiers
    assert tiers["400 MiB"]["tier"] == "compact", tiers
    assert all(choice["slots"] >= 1 for choice in tiers.values()), tiers
    for size, choice in tiers.items():
        assert choice["slots"] * choice["slot_bytes"] <= ADDRESS_SPACES[size], tiers


def test_guests_of_all_kinds_work_in_400_mib(weir, application, serve):
    server = serve(prlimit_address_space(weir, 400 * MIB), application, "--request-timeout", "3s")
    body = bytes(range(256)) * 4096
    assert server.request("POST", "/echo/", body=body).body == body
    assert server.request("POST", "/wagi/cat", body=b"content-type: a/b\n\n" + body).body == body
    assert server.get("/fail/trap").status == 500
    assert server.get("/wait/50").status == 200
    assert server.get("/wagi/spin").status == 504
    assert load(server, 500, 32, lambda number: ("/echo/", b"")) == []


# ---- no executable memory --------------------------------------------------------------------------------------------

TRY = """
import ctypes, errno, mmap
libc = ctypes.CDLL(None, use_errno=True)
def refused(protection):
    try:
        mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=protection)
    except PermissionError:
        return True
memory = mmap.mmap(-1, 4096)
address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
assert refused(mmap.PROT_READ | mmap.PROT_EXEC) and not refused(mmap.PROT_READ | mmap.PROT_WRITE)
assert libc.mprotect(address, 4096, mmap.PROT_READ | mmap.PROT_EXEC) == -1 and ctypes.get_errno() == errno.EPERM
assert libc.mprotect(address, 4096, mmap.PROT_READ) == 0
"""


def test_the_launcher_really_refuses_executable_memory(deny_exec):
    subprocess.run([deny_exec, sys.executable, "-c", TRY], check=True, timeout=30)


def test_hello_answers_where_no_memory_may_be_executable(weir, hello, serve, deny_exec):
    server = serve(weir.wrapped(deny_exec), hello)
    answers(server)
    server.stop()
    assert re.search("pulley", server.stdout.text + server.stderr.text, re.I), server.log


def test_doctor_knows_that_no_memory_may_be_executable(weir, deny_exec):
    done = weir.wrapped(deny_exec).run("doctor", "--json")
    assert done.status == 0, done
    assert "pulley" in done.stdout.lower(), done


def test_guests_of_all_kinds_work_in_the_interpreter(weir, application, serve, deny_exec):
    server = serve(weir.wrapped(deny_exec), application, "--request-timeout", "2s")
    body = bytes(range(256)) * 4096
    assert server.request("POST", "/echo/", body=body).body == body
    assert server.request("POST", "/wagi/cat", body=b"content-type: a/b\n\n" + body).body == body
    for target in ("/fail/trap", "/fail/memory", "/fail/divide", "/fail/overflow", "/wagi/fail?trap"):
        assert server.get(target).status == 500, target
    assert server.get("/wait/50").status == 200
    assert server.get("/spin").status == 504
    assert server.get("/echo/").status == 200


def test_hello_answers_in_the_interpreter_and_a_small_address_space(weir, hello, serve, deny_exec):
    server = serve(prlimit_address_space(weir.wrapped(deny_exec), 400 * MIB), hello)
    answers(server)


# ---- emulation -------------------------------------------------------------------------------------------------------


def test_hello_answers_under_qemu_user_within_15_seconds(weir, hello, serve, qemu_user):
    before = time.monotonic()
    server = serve(weir.wrapped(qemu_user), hello)
    for target in ("/hello", "/cgi/x?y=1"):
        response = server.get(target)
        assert response.status == 200
        assert response.text == hello_body(target)
    seconds = time.monotonic() - before
    assert seconds < 15, f"{seconds:.1f} s\n{server.log}"
    answers(server)


def test_a_fallback_under_qemu_user_does_not_name_a_remedy_that_does_not_help(weir, hello, serve, qemu_user):
    server = serve(weir.wrapped(qemu_user), hello)
    server.stop()
    assert re.search(r"emulat|qemu", server.stdout.text + server.stderr.text, re.I), server.log
    assert "ulimit" not in server.stderr.text, server.log


def test_a_stop_under_qemu_user_exits_0(weir, hello, serve, qemu_user):
    server = serve(weir.wrapped(qemu_user), hello)
    assert server.get("/hello").status == 200
    server.stop()
