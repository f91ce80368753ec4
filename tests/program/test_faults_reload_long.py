# ctest: serial timeout=14400 label=long
"""All that may fail during a reload: each allocation, and each call at each number at which it is reached, with each
error, once and from then on. WEIR_FAULT_SHARD=2/8 takes the second eighth of it."""

import faulthandler

import pytest

from faults import ERRORS, Fault
from reload_faults import CALLS
from test_faults_long import SHARD
from test_faults_reload import reached, refusing, traced, versions  # noqa: F401 (fixtures among them)

EXHAUSTIVE = 100  # numbers of a call that are all taken; as many more are spread up to the last


@pytest.fixture(autouse=True)
def patience():
    """These tests take longer than pytest.ini's faulthandler_timeout allows for."""
    faulthandler.cancel_dump_traceback_later()


def mine(faults):
    part, parts = map(int, SHARD.split("/"))
    return [fault for index, fault in enumerate(faults) if index % parts == part - 1]


def test_every_allocation_of_a_reload_may_be_refused(refusing):  # noqa: F811
    faulty, control = refusing
    count = faulty.count_allocations(control)
    faulty.refuse_allocations(control, mine((number, onward) for number in range(1, count + 3) for onward in (False, True)))
    print(f"{count} allocations in a reload; {faulty.tally}")
    faulty.stop()


@pytest.mark.parametrize("call", CALLS)
def test_every_system_call_of_a_reload_may_fail(traced, tmp_path, call):  # noqa: F811
    last = reached(traced, tmp_path, [call])[call]
    chosen = sorted({*range(1, min(last, EXHAUSTIVE) + 1), *(round(last * i / EXHAUSTIVE) for i in range(1, EXHAUSTIVE + 1))} - {0})
    onwards = (False,) if call == "munmap" else (False, True)
    faults = (Fault(call, error, number, onward, "serving") for number in chosen for error in ERRORS for onward in onwards)
    for fault in mine(faults) if last else []:
        traced.refuse_call(fault, tmp_path)
    print(f"{call}: {last} calls of the thread with most; {traced.tally}")
    traced.stop()
