"""The campaign of faults: every call of a list, refused at every number that is reached, with every error, once and from
then on. Run as a program it prints what became of each, and its exit status is 1 when something went wrong:

    campaign.py --weir build/release/weir --application examples/hello [--exhaustive 64] [--shard 1/4] ...

Numbers up to --exhaustive are all taken; beyond, so many more are taken evenly up to the last.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from fault_runs import CUT, HONEST, RUNNING, Place, kill_group, learn, remember, run_doctor, run_up
from faults import CALLS, ERRORS, SCOPES, AllocationFault, Fault, Watch, build_pause, calls_in
from harness import Program

RUNS = {"up": run_up, "doctor": run_doctor}
SCOPES_OF = {"up": SCOPES, "doctor": ("process", "main")}
BEYOND = 4  # numbers that are tried after the last one that a run without faults reached
JOBS = 2


# ---- What is reached -------------------------------------------------------------------------------------------------


def reached(place, command, scope):
    """How often each call is made by the thread that makes it most, in a run in which nothing is refused; and the log."""
    outcome = RUNS[command](place, Watch(scope=scope))
    assert outcome.kind == "served", outcome
    by_thread = collections.Counter((thread, name) for thread, name, _ in calls_in(outcome.log))
    most = dict.fromkeys(CALLS, 0)
    for (_, name), count in by_thread.items():
        if name in most:
            most[name] = max(most[name], count)
    return most, outcome.log


def files_in(log):
    """The files of /proc and /sys that are opened, and links that are read, in a log."""
    opened = set(re.findall(r'\bopenat\([^,]+, "(/(?:proc|sys)/[^"]*)"', log))
    links = set(re.findall(r'\breadlink\("(/(?:proc|sys)/[^"]*)"', log))
    return sorted(opened), sorted(links)


def numbers(most, exhaustive):
    """1 to `most` and some beyond, where that is at most `exhaustive`; else as many again, spread evenly."""
    last = most + BEYOND if most else 1
    if last <= exhaustive:
        return list(range(1, last + 1))
    spread = {exhaustive + round((last - exhaustive) * i / exhaustive) for i in range(1, exhaustive + 1)}
    return sorted(set(range(1, exhaustive + 1)) | spread)


def faults_by_number(most, scope, calls, errors, exhaustive):
    for call in calls:
        for number in numbers(most[call], exhaustive):
            for error in errors:
                for onward in (False, True):
                    yield Fault(call, error, number, onward, scope)


def faults_by_file(log, errors):
    """Each file can be neither opened nor read, cannot be read to its end, or is empty."""
    opened, links = files_in(log)
    for path in opened:
        for error in errors:
            yield Fault("openat", error, 1, True, path=path)
            yield Fault("read", error, 1, True, path=path)
            yield Fault("read", error, 2, True, path=path)
        yield Fault("read", "0", 1, True, path=path)
    for path in links:
        for error in errors:
            yield Fault("readlink", error, 1, True, path=path)


# ---- Going through them ----------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What became of the runs of one kind."""

    kinds: collections.Counter = field(default_factory=collections.Counter)
    first_unreached: int | None = None
    last_reached: int = 0


@dataclass
class Campaign:
    place: Place
    command: str
    record: object = None  # a file for one line of JSON a run
    tallies: dict = field(default_factory=lambda: collections.defaultdict(Tally))
    messages: collections.Counter = field(default_factory=collections.Counter)
    panics: collections.Counter = field(default_factory=collections.Counter)
    signals: collections.Counter = field(default_factory=collections.Counter)
    places: collections.Counter = field(default_factory=collections.Counter)
    wrong: list = field(default_factory=list)
    slowest: float = 0.0

    def run(self, faults, jobs=JOBS):
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for outcome in pool.map(lambda fault: RUNS[self.command](self.place, fault), faults):
                self.note(outcome)
        return self

    def note(self, outcome):
        fault = outcome.fault
        tally = self.tallies[fault.scope, fault.call, "file" if fault.path else "number"]
        kind = outcome.kind
        if outcome.injected == 0 and kind == "served":
            kind = "not reached"
        else:
            tally.last_reached = max(tally.last_reached, fault.first)
        excused = kind == "wrong" and excuse(outcome)
        if excused:
            kind = "excused"
        tally.kinds[kind] += 1
        for panic in outcome.panics:
            self.panics[fault.call, panic, "in a run that was aborted" if excused else "contained"] += 1
        self.places.update(outcome.places)
        for name in outcome.signals:
            self.signals[fault.call, name] += 1
        if outcome.message:
            self.messages[fault.call, without_figures(outcome.message)] += 1
        if kind == "wrong":
            self.wrong.append(outcome)
        self.slowest = max(self.slowest, outcome.seconds)
        if self.record:
            fields = {"kind": kind, "excused": excused, "fault": str(fault), "injected": outcome.injected}
            fields |= {name: getattr(outcome, name) for name in ("status", "wrong", "answers", "panics", "signals")}
            fields |= {"stderr": outcome.stderr[-4000:], "seconds": round(outcome.seconds, 2)}
            print(json.dumps({"command": self.command, **fields}), file=self.record, flush=True)

    def report(self):
        kinds = ("served", "refused", "ended", "excused", "not reached", "wrong")
        lines = [f"weir {self.command}: {sum(sum(tally.kinds.values()) for tally in self.tallies.values())} runs"]
        lines.append(f"  {'scope':8} {'call':12} {'by':6} {'last N':>6} " + " ".join(f"{kind:>11}" for kind in kinds))
        for (scope, call, way), tally in self.tallies.items():
            figures = " ".join(f"{tally.kinds[kind]:11}" for kind in kinds)
            lines.append(f"  {scope:8} {call:12} {way:6} {tally.last_reached:6} {figures}")
        lines += counted("panics, by the call that was refused", self.panics)
        lines += counted("signals that ended trials", self.signals)
        lines += counted("last messages", self.messages)
        lines.append(f"  the slowest run took {self.slowest:.1f} s")
        return "\n".join(lines)


    def places_report(self):
        """Where in weir's source memory was refused, and how often."""
        addresses = sorted(self.places)
        command = ["addr2line", "-s", "-f", "-e", str(self.place.program.path), *addresses]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        by_place = collections.Counter()
        for index, address in enumerate(addresses):
            by_place[f"{lines[2 * index]} {lines[2 * index + 1]}"] += self.places[address]
        return counted("refused allocations, by place", {(place,): count for place, count in by_place.items()})


def refuse_all_memory(campaign, jobs=JOBS):
    """Every allocation, once and from then on, up to the first number that is not reached."""
    number = 1
    batch = 4 * jobs
    while campaign.tallies["allocation", "allocation", "number"].last_reached >= number - batch:
        numbers_of_batch = range(number, number + batch)
        campaign.run([AllocationFault(each, onward) for each in numbers_of_batch for onward in (False, True)], jobs)
        number += batch


def counted(title, counter):
    rows = [f"    {count:6} {' | '.join(map(str, key))}" for key, count in sorted(counter.items())]
    return [f"  {title}: {sum(counter.values())}", *rows]


def without_figures(message):
    """Messages that differ in numbers and places only are one."""
    message = re.sub(r"/\S*/(?=[\w.-]+)", "…/", message)
    return re.sub(r"\d+(\.\d+)?", "N", message)[:220]


# What Rust says when it cannot unwind any further: a panic that reached C, or one within another.
ABORTS = re.compile(
    r"weir: |fatal runtime error: failed to initiate panic|thread .* panicked at|panic in a destructor during cleanup|"
    r"thread caused non-unwinding panic|munmap failed|stack backtrace:|note: |\s+\d+: |\s+at |$"
)


def excuse(outcome):
    """Wasmtime panics where it drops a mapping that cannot be unmapped. One panic is contained; when the unwinding drops
    another such mapping, Rust ends the process. Returns the place where that was so."""
    places = [panic for panic in outcome.panics if panic.startswith("wasmtime-")]
    if outcome.fault.call != "munmap" or not outcome.fault.onward or outcome.status != -signal.SIGABRT or not places:
        return ""
    if not all(ABORTS.match(line) for line in outcome.stderr.splitlines()):
        return ""
    if any(answer not in (200, *HONEST, *CUT) for answer in outcome.answers):
        return ""
    return f"aborted: {places[-1]}"


def show_wrong(outcomes, most=20):
    shown = "\n".join(str(outcome) for outcome in outcomes[:most])
    return f"{len(outcomes)} runs went wrong, among them:\n{shown}"


# ---- As a program ----------------------------------------------------------------------------------------------------


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", type=Path, required=True)
    parser.add_argument("--application", type=Path, required=True)
    parser.add_argument("--commands", default="up,doctor")
    parser.add_argument("--scopes", default=",".join(SCOPES))
    parser.add_argument("--calls", default=",".join(CALLS))
    parser.add_argument("--errors", default=",".join(ERRORS))
    parser.add_argument("--exhaustive", type=int, default=64)
    parser.add_argument("--shard", default="1/1", help="which part of how many")
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--no-files", action="store_true", help="leave out the faults of single files")
    parser.add_argument("--remembered", action="store_true", help="weir finds an earlier decision of its own")
    parser.add_argument("--record", type=Path, help="a file to which each run is added as a line of JSON")
    parser.add_argument("arguments", nargs="*", help="of weir up; default: those of Place")
    return parser.parse_args()


def go(place, command, options, record):
    """One command's campaign, as the options say."""
    campaign = Campaign(place, command, record)
    part, parts = map(int, options.shard.split("/"))
    faults = []
    for scope in SCOPES_OF[command]:
        if scope in options.scopes.split(","):
            most, log = reached(place, command, scope)
            print(f"weir {command}, {scope}: calls of the thread with most, nothing refused: {most}", flush=True)
            calls = options.calls.split(",") if options.calls else []
            faults += faults_by_number(most, scope, calls, options.errors.split(","), options.exhaustive)
            if scope == "process" and not options.no_files:
                faults += faults_by_file(log, options.errors.split(","))
    mine = [fault for index, fault in enumerate(faults) if index % parts == part - 1]
    print(f"weir {command}: {len(mine)} of {len(faults)} faults in shard {options.shard}", flush=True)
    return campaign.run(mine, options.jobs)


def give_up(number, frame):
    """Asked to end: no weir is left behind."""
    del frame
    for process in list(RUNNING):
        kill_group(process)
    os._exit(128 + number)


def main():
    options = parse_arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, give_up)
    failed = False
    with tempfile.TemporaryDirectory() as directory:
        place = Place(Program(options.weir.resolve()), options.application, build_pause(directory), Path(directory))
        if options.arguments:
            place.arguments = tuple(options.arguments)
        learn(place)
        if options.remembered:
            remember(place)
        record = options.record.open("a", encoding="utf-8") if options.record else None
        for command in options.commands.split(","):
            began = time.monotonic()
            campaign = go(place, command, options, record)
            print(f"{campaign.report()}\n  {time.monotonic() - began:.0f} s", flush=True)
            if campaign.wrong:
                print(show_wrong(campaign.wrong), flush=True)
                failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    os.nice(5)
    sys.exit(main())
