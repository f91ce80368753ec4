# ctest: serial timeout=900
"""Whatever the system refuses, weir serves correctly or says in a line why it cannot: no abort, no hang, no signal.

Here each call fails with each error at some number, once or from then on; test_faults_long.py takes every number.
"""

import collections
import os
import re
import signal

import pytest

from campaign import SCOPES_OF, Campaign, faults_by_file, reached, show_wrong
from conftest import path_from_environment
from fault_runs import Place, learn, run_up, squeezed
from faults import CALLS, ERRORS, AllocationFault, Fault, LimitFault, Watch, build_pause, calls_in, missing
from harness import Program

MIB = 1 << 20


@pytest.fixture(scope="module")
def pause(tmp_path_factory):
    if missing():
        pytest.skip(f"{missing()} is not installed: nothing can be made to fail")
    return build_pause(tmp_path_factory.mktemp("helpers"))


@pytest.fixture
def place(weir, hello, pause, tmp_path):
    made = Place(weir, hello, pause, tmp_path)
    learn(made)
    return made


def assert_nothing_wrong(campaign):
    print(campaign.report())
    assert not campaign.wrong, show_wrong(campaign.wrong)


# ---- The injector ----------------------------------------------------------------------------------------------------


def summary_of(log):
    """The table of strace -c: calls by name."""
    rows = re.findall(r"^ *\d+\.\d+ +\d+\.\d+ +\d+ +(\d+)(?: +\d+)? +(\w+)$", log, re.M)
    return {name: int(count) for count, name in rows if name != "total"}


@pytest.mark.parametrize("scope", ["process", "main", "threads", "serving"])
def test_the_injector_sees_every_call_that_strace_counts(place, scope):
    outcome = run_up(place, Watch(scope=scope, mark=True))
    assert outcome.kind == "served", outcome
    marked = collections.Counter(name for _, name, tampered in calls_in(outcome.log) if tampered)
    assert marked, outcome.log[-2000:]
    assert marked == summary_of(outcome.log)


@pytest.mark.parametrize("onward", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("call", ["mmap", "mprotect", "madvise", "read"])
def test_the_nth_call_of_each_thread_is_refused(place, call, onward):
    number = min(3, reached(place, "up", "process")[0][call])
    outcome = run_up(place, Fault(call, "ENOMEM", number, onward))
    seen = collections.Counter()
    refused = 0
    for thread, _, tampered in calls_in(outcome.log):
        seen[thread] += 1
        assert tampered == (seen[thread] >= number if onward else seen[thread] == number), outcome.log[-3000:]
        refused += tampered
    assert refused == outcome.injected > 0


# ---- System calls ----------------------------------------------------------------------------------------------------


def some_of_each(most):
    """Each call with each error, by turns once and from then on, in scopes and at numbers that go through all that are
    reached: `most` has the highest by scope and call."""
    for turn, call in enumerate(CALLS):
        scopes = [scope for scope, by_call in most.items() if by_call[call]]
        for index, error in enumerate(ERRORS if scopes else ()):
            scope = scopes[(turn + index) % len(scopes)]
            number = 1 + (7 * index + len(call)) % most[scope][call]
            yield Fault(call, error, number, (turn + index) % 2 == 1, scope)


@pytest.mark.parametrize("command", ["up", "doctor"])
def test_each_call_may_fail_with_each_error_once_or_from_then_on(place, command):
    most = {scope: reached(place, command, scope)[0] for scope in SCOPES_OF[command]}
    assert_nothing_wrong(Campaign(place, command).run(some_of_each(most)))


def test_an_engine_that_cannot_be_unmapped_is_told_of_in_a_line(place):
    """A first start drops an engine before it has loaded a guest: there is no code for it in the cache."""
    most = reached(place, "up", "main")[0]["munmap"]
    faults = [Fault("munmap", "ENOMEM", number, False, "main") for number in range(1, most + 1)]
    campaign = Campaign(place, "up").run(faults)
    assert_nothing_wrong(campaign)
    assert any("mmap.rs" in panic for _, panic, _ in campaign.panics), campaign.report()


def test_each_file_of_the_system_may_be_unreadable_or_empty(place):
    _, log = reached(place, "doctor", "process")
    faults = list(faults_by_file(log, ["EPERM"]))
    assert {fault.path for fault in faults} > {"/proc/meminfo", "/proc/self/status", "/proc/sys/vm/max_map_count"}
    assert_nothing_wrong(Campaign(place, "doctor").run(faults))


# ---- Contents --------------------------------------------------------------------------------------------------------


@pytest.fixture
def stale(weir, guest, pause, tmp_path):
    """A guest that answers "clean" if its memory is that of a fresh instance."""
    made = Place(weir, guest("wagi_stale"), pause, tmp_path)
    learn(made)
    assert set(made.expected.values()) == {b"clean\n"}
    return made


def test_a_madvise_that_does_nothing_is_found_out(stale):
    outcome = run_up(stale, Fault("madvise", "0", 1, True))
    assert outcome.kind == "served" and outcome.injected > 0, outcome
    assert set(outcome.answers) == {200}
    assert "pool" not in outcome.stdout.splitlines()[0], outcome.stdout
    assert re.search(r"^weir: warning: .*\bearlier\b", outcome.stderr, re.M), outcome


def test_the_guest_that_looks_for_stale_memory_can_find_it(stale):
    """When calls begin to do nothing after the trial, nobody can know, and what Wasmtime relies on is stale too."""
    outcome = run_up(stale, Fault("madvise", "0", 1, True, scope="serving"))
    seen = any(str(answer).startswith("wrong:b'stale") for answer in outcome.answers)
    assert seen or outcome.status == -signal.SIGSEGV, outcome


# ---- Memory of weir's own --------------------------------------------------------------------------------------------


@pytest.fixture
def fault_place(hello, pause, tmp_path):
    made = Place(Program(path_from_environment("WEIR_FAULT"), "fault"), hello, pause, tmp_path)
    learn(made)
    return made


def test_memory_may_be_refused(fault_place):
    campaign = Campaign(fault_place, "up")
    campaign.run([AllocationFault(number, number % 14 == 1) for number in range(1, 170, 7)])
    assert_nothing_wrong(campaign)


# ---- Limits ----------------------------------------------------------------------------------------------------------


def squeeze(place, faults, command="up"):
    """Serve under each limit; what the loader does before main is not weir's."""
    faults = list(faults)
    mine = squeezed(place, faults)
    print(f"{len(faults) - len(mine)} of {len(faults)} limits end the loader, before main")
    assert mine
    assert_nothing_wrong(Campaign(place, command).run(mine))


def test_few_descriptors_are_served_with_or_refused(place):
    squeeze(place, [LimitFault("nofile", count) for count in (*range(3, 48, 4), 64)])


def test_a_small_stack_is_served_with_or_refused(place):
    squeeze(place, [LimitFault("stack", 1024 * size) for size in (32, 64, 128, 256, 512, 1024)])


def test_few_processes_are_served_with_or_refused(place):
    if os.geteuid() != 0:
        pytest.skip("only root can give weir a user of its own, whose processes are counted")
    squeeze(place, [LimitFault("nproc", count, 54000 + count) for count in range(1, 16)])


@pytest.mark.parametrize("limit", ["as", "data"])
def test_little_memory_is_served_with_or_refused(place, limit):
    squeeze(place, [LimitFault(limit, size * MIB) for size in (*range(10, 60, 2), 80, 120)])
