#!/usr/bin/env python3
"""How long deciding takes where nothing is remembered, and where the last start's decision is: the times that weir
states when it starts, of several rounds in turn, on this machine's processor and on one that qemu-user emulates. What is
promised is in `PROMISES`, for a machine that does nothing else; this measures, and judges nothing.
"""

import argparse
import re
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from platform import machine

from harness import Program, Server

ROOT = Path(__file__).resolve().parents[2]

STATED = re.compile(r"(?P<remembered>as decided before, proved again|by trial) in (?P<time>\d+) ms")
PROMISES = {  # milliseconds
    ("native", "first"): 250,
    ("native", "remembered"): 4,
    ("qemu-user", "first"): 10_000,
    ("qemu-user", "remembered"): 3_000,
}


def start(program, application, cache):
    """Start and stop. Returns whether the decision was remembered, and how long it took, in milliseconds."""
    server = Server(program, "-f", application, environment={"XDG_CACHE_HOME": cache})
    try:
        server.wait_until_serving(120)
        line = server.stdout.lines[0]
        server.stop()
    finally:
        server.kill()
    stated = STATED.search(line)
    if stated is None:
        raise SystemExit(f"weir does not say how long deciding took: {line}")
    return stated["remembered"] != "by trial", int(stated["time"])


def show(text):
    """Over the text before, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r{text:40}\r", end="", file=sys.stderr, flush=True)


def measure(programs, application, rounds):
    """The times of each kind of decision, by place and kind."""
    times = {key: [] for key in PROMISES if key[0] in programs}
    forgotten = dict.fromkeys(programs, 0)
    for done in range(rounds):
        for place, program in programs.items():
            show(f"round {done + 1} of {rounds}, {place}")
            with tempfile.TemporaryDirectory() as cache:
                was_remembered, time = start(program, application, cache)
                assert not was_remembered
                times[place, "first"].append(time)
                was_remembered, time = start(program, application, cache)
                if was_remembered:
                    times[place, "remembered"].append(time)
                else:  # timings that contradict each other are not remembered
                    times[place, "first"].append(time)
                    forgotten[place] += 1
    show("")
    return times, forgotten


def spread(times):
    """Least, lower quartile, median, upper quartile and most."""
    if len(times) < 2:
        return times * 5 if times else ["-"] * 5
    quarters = statistics.quantiles(times, n=4, method="inclusive")
    return [round(value) for value in (min(times), *quarters, max(times))]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", type=Path, default=ROOT / "build/release/weir", help="the program to measure")
    parser.add_argument("--application", type=Path, default=ROOT / "examples/hello", help="what it serves")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--native", action="store_true", help="leave emulation out")
    return parser.parse_args()


def main():
    options = parse_arguments()
    native = Program(options.weir.resolve())
    programs = {"native": native}
    emulator = shutil.which(f"qemu-{machine()}") or shutil.which(f"qemu-{machine()}-static")
    if emulator is None and not options.native:
        print("qemu-user is not installed: this processor alone is measured", file=sys.stderr)
    elif not options.native:
        programs["qemu-user"] = native.wrapped(emulator)
    times, forgotten = measure(programs, options.application.resolve(), options.rounds)
    print(f"{'milliseconds':22} {'times':>6} {'least':>6} {'1/4':>6} {'median':>6} {'3/4':>6} {'most':>6} {'promised':>9}")
    for (place, kind), values in times.items():
        cells = " ".join(f"{cell:>6}" for cell in (len(values), *spread(values)))
        print(f"{place + ', ' + kind:22} {cells} {PROMISES[place, kind]:>9}")
    for place, count in forgotten.items():
        if count > 0:
            print(f"{place}: {count} of {options.rounds} decisions were not remembered, for their timings were too uneven")


if __name__ == "__main__":
    main()
