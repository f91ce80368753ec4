# ctest: serial timeout=14400 label=long
"""The campaign of faults in full: each number at which a call is reached, with each error, once and from then on.

WEIR_FAULT_SHARD=2/8 takes the second eighth of it. The counts are printed (./dev test --long -V -R faults_long).
"""

import faulthandler
import os
from types import SimpleNamespace

import pytest

from campaign import JOBS, SCOPES_OF, Campaign, go, refuse_all_memory
from faults import CALLS, ERRORS, LimitFault
from test_faults import MIB, assert_nothing_wrong, fault_place, pause, place, squeeze  # noqa: F401 (fixtures among them)

EXHAUSTIVE = 64  # numbers that are all taken; as many more are spread up to the last
FILES = ("openat", "read")  # by number two errors do: one that says "again", and one that does not
SHARD = os.environ.get("WEIR_FAULT_SHARD", "1/1")


@pytest.fixture(autouse=True)
def patience():
    """These tests take longer than pytest.ini's faulthandler_timeout allows for."""
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def small_place(place):
    """doctor judges as few slots as up has here: then most calls are refused at every number at which they are made."""
    place.doctor_arguments = ("--json", "--max-concurrency", "4")
    place.shape = None
    return place


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("command", ["up", "doctor"])
def test_every_call_may_fail_at_every_number(small_place, command, call):
    options = SimpleNamespace(
        scopes=",".join(SCOPES_OF[command]),
        calls=call,
        errors="EPERM,EAGAIN" if call in FILES else ",".join(ERRORS),
        exhaustive=400 if call in FILES else EXHAUSTIVE,
        shard=SHARD,
        jobs=JOBS,
        no_files=True,
    )
    assert_nothing_wrong(go(small_place, command, options, None))


@pytest.mark.parametrize("command", ["up", "doctor"])
def test_every_file_of_the_system_may_be_refused_cut_short_or_empty(small_place, command):
    options = SimpleNamespace(
        scopes="process", calls="", errors=",".join(ERRORS), exhaustive=0, shard=SHARD, jobs=JOBS, no_files=False
    )
    assert_nothing_wrong(go(small_place, command, options, None))


@pytest.mark.parametrize("command", ["up", "doctor"])
def test_all_memory_may_be_refused(fault_place, command):
    campaign = Campaign(fault_place, command)
    refuse_all_memory(campaign)
    print("\n".join(campaign.places_report()))
    assert_nothing_wrong(campaign)


def test_the_stack_may_be_of_any_size(place):
    squeeze(place, [LimitFault("stack", 1024 * size) for size in range(32, 1024, 32)])


def test_there_may_be_any_number_of_descriptors(place):
    squeeze(place, [LimitFault("nofile", count) for count in range(3, 80)])


@pytest.mark.parametrize("limit", ["as", "data"])
@pytest.mark.parametrize("command", ["up", "doctor"])
def test_memory_may_be_limited_to_any_size(place, command, limit):
    squeeze(place, [LimitFault(limit, size * MIB) for size in (*range(10, 80), *range(80, 205, 5))], command)
