# ctest: serial timeout=600
"""Whatever fails during a reload, what was served is served on, nothing is left behind, and the next reload succeeds.

Here some numbers of each kind; test_faults_reload_long.py takes all.
"""

import pytest

from conftest import path_from_environment
from faults import Fault, missing
from harness import Program
from reload_faults import CALLS, Control, Faulty, faults_of
from reloads import Versions

ALLOCATIONS = 60  # so many numbers, spread over all
CALLS_EACH = 1  # numbers of each call that are taken from the first on, and as many of the others
ANY = {"ASAN_OPTIONS": "exitcode=86:detect_leaks=1:strict_string_checks=1", "UBSAN_OPTIONS": "exitcode=87:print_stacktrace=1"}


@pytest.fixture
def versions(guest, tmp_path):
    return Versions(tmp_path / "app", guest)


def start(program, serve, versions, temporary, **options):
    temporary.mkdir()
    server = serve(program, versions.write("1"), "--temp", temporary, "--request-timeout", "10s", **options)
    return Faulty(server, versions, temporary)


@pytest.fixture
def refusing(serve, versions, tmp_path):
    """A server whose allocations can be refused, and what says which."""
    control = Control(tmp_path / "control")
    program = Program(path_from_environment("WEIR_FAULT"), "fault", environment=ANY)
    environment = {"WEIR_FAULT_CONTROL": control.path, "WEIR_FAULT_REPORT": tmp_path / "report"}
    return start(program, serve, versions, tmp_path / "temp", environment=environment), control


@pytest.fixture
def traced(weir, serve, versions, tmp_path):
    if missing():
        pytest.skip(f"{missing()} is not installed: nothing can be made to fail")
    return start(weir, serve, versions, tmp_path / "temp")


def reached(faulty, scratch, calls=CALLS):
    """How often each call is made in a reload by the thread that makes it most."""
    most = {}
    for call in calls:
        by_thread = faulty.refuse_call(Fault(call, "EPERM", 65535, False, "serving"), scratch)
        most[call] = max((count for (_, name), count in by_thread.items() if name == call), default=0)
    return most


def test_allocations_of_a_reload_may_be_refused(refusing):
    faulty, control = refusing
    count = faulty.count_allocations(control)
    step = max(1, count // ALLOCATIONS)
    faulty.refuse_allocations(control, [(number, number // step % 2 == 0) for number in range(1, count + 1, step)])
    print(f"{count} allocations in a reload; {faulty.tally}")
    assert faulty.tally.refused > 0
    faulty.stop()


def test_system_calls_of_a_reload_may_fail(traced, tmp_path):
    most = reached(traced, tmp_path)
    for fault in faults_of(most, CALLS_EACH):
        traced.refuse_call(fault, tmp_path)
    print(f"calls of the thread with most: {most}; {traced.tally}")
    assert traced.tally.refused > 0
    traced.stop()
