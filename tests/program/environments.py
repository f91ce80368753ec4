#!/usr/bin/env python3
"""Where weir must hold: this machine as it is, with limits, in a group, emulated, and machines of their own. All have
one interface: `run` a command to its end, and `serve` an application, ask it and stop it.

    with Environments(weir, {"hello": directory}) as environments:
        status, output, errors = environments["rlimit-as-1gib"].run(["weir", "doctor", "--json"])

A command's first word `weir` is the program. It runs in a directory that holds the files given, with a cache of its
own.
Statuses are as a shell has them: 128 and the number of the signal that ended it. What does not end in time raises
harness.Expired; what this machine cannot offer raises Unavailable with the reason. Also a tool for the command line:

    python3 tests/program/environments.py machine-256mib -- weir doctor
"""

import argparse
import contextlib
import os
import sys
from pathlib import Path

from environment import GIB, MIB
from environments_here import (
    EmulatedProgram,
    FewProcesses,
    FirstProcess,
    Group,
    Limited,
    Native,
    NoExecutableMemory,
    ReadOnly,
    Rooted,
)
from environments_in_machine import LEAVE_200_MIB, LEAVE_COMMIT_ALONE, Machine, machine_group
from harness import Expired
from virtual_machine import HELPERS, Unavailable, VirtualMachine


def every_environment():
    processors = os.cpu_count() or 1
    return [
        Native("native", "this machine as it is"),
        Limited("rlimit-as-64gib", "RLIMIT_AS 64 GiB", **{"as": 64 * GIB}),
        Limited("rlimit-as-8gib", "RLIMIT_AS 8 GiB", **{"as": 8 * GIB}),
        Limited("rlimit-as-1gib", "RLIMIT_AS 1 GiB", **{"as": GIB}),
        Limited("rlimit-as-400mib", "RLIMIT_AS 400 MiB", **{"as": 400 * MIB}),
        Machine(
            "machine-commit-200mib",
            "vm.overcommit_memory=2, 200 MiB left, in a machine of 1 GiB",
            1024,
            LEAVE_200_MIB,
            LEAVE_COMMIT_ALONE,
        ),
        Group("cgroup-256mib", "a control group of 256 MiB", 256 * MIB),
        EmulatedProgram("qemu-user", "qemu-user"),
        Machine("machine-256mib", "a virtual machine of 256 MiB", 256),
        Machine("machine-1gib", "a virtual machine of 1 GiB", 1024),
        machine_group("machine-cgroup-256mib", "a control group (v2) of 256 MiB in a machine of 1 GiB"),
        machine_group(
            "machine-cgroup-oom-group",
            "a control group (v2) of 256 MiB that is killed as a whole",
            ("memory.oom.group", 1),
        ),
        Machine(
            "machine-few-mappings",
            "vm.max_map_count 1000",
            1024,
            "echo 1000 >/proc/sys/vm/max_map_count",
            "echo 65530 >/proc/sys/vm/max_map_count",
        ),
        Machine(
            "machine-rlimit-as-1gib",
            "RLIMIT_AS 1 GiB in a machine of 1 GiB",
            1024,
            prefix=("sh", "-c", f'ulimit -v {GIB // 1024} && exec "$0" "$@"'),
        ),
        Group("cgroup-256mib-hog", "a control group of 256 MiB, half of it taken", 256 * MIB, hog=128 * MIB),
        Limited("rlimit-data-256mib", "RLIMIT_DATA 256 MiB", data=256 * MIB),
        FewProcesses("rlimit-nproc", "RLIMIT_NPROC, a few more than processors", 8 + 4 * processors),
        NoExecutableMemory("no-executable-memory", "no memory may be executable"),
        Rooted("chroot", "a root without /proc, /sys and /dev"),
        ReadOnly("read-only", "a root that cannot be written, no home, no cache"),
        FirstProcess("first-process", "process 1 of its namespace"),
    ]


# Where the allocator's choice is measured against every alternative.
TEN = (
    "native",
    "rlimit-as-64gib",
    "rlimit-as-8gib",
    "rlimit-as-1gib",
    "rlimit-as-400mib",
    "machine-commit-200mib",
    "cgroup-256mib",
    "qemu-user",
    "machine-256mib",
    "machine-1gib",
)
NAMES = tuple(environment.name for environment in every_environment())


class Environments:
    """All environments, for one program and its files. Each is opened when it is first asked for, closed with this."""

    def __init__(self, weir, files=None):
        self.weir = Path(weir).resolve()
        self.files = files or {}
        self._known = {environment.name: environment for environment in every_environment()}
        self._open = {}
        self._refused = {}
        self._machines = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __getitem__(self, name):
        if name in self._refused:
            raise Unavailable(self._refused[name])
        if name not in self._open:
            try:
                self._known[name].open(self)
            except Unavailable as reason:
                self._refused[name] = str(reason)
                raise
            self._open[name] = self._known[name]
        return self._open[name]

    def machine(self, memory_mib):
        """The machine of so much memory; a new one when it has ended."""
        machine = self._machines.get(memory_mib)
        if machine is None or not machine.alive:
            if machine is not None:
                machine.stop()
            machine = VirtualMachine(memory_mib, [self.weir], self.files)
            self._machines[memory_mib] = machine
            machine.start()
        return machine

    def close(self):
        with contextlib.ExitStack() as stack:
            for opened in (*self._machines.values(),):
                stack.callback(opened.stop)
            for opened in self._open.values():
                stack.callback(opened.close)
        self._open.clear()
        self._machines.clear()


# ---- The tool --------------------------------------------------------------------------------------------------------


def main():
    root = HELPERS.parent.parent
    parser = argparse.ArgumentParser(description="Run a command where weir must hold. Its first word may be weir.")
    parser.add_argument("--weir", default=os.environ.get("WEIR") or root / "build/release/weir", help="the program")
    parser.add_argument("--file", action="append", default=[], metavar="INSIDE=PATH", help="what to put in place")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS")
    parser.add_argument("name", metavar="NAME", help="list: show all")
    parser.add_argument("command", nargs="*", metavar="COMMAND")
    options = parser.parse_args()
    if options.name == "list":
        for environment in every_environment():
            print(f"{environment.name:26} {environment.title}")
        return 0
    if options.name not in NAMES or not options.command:
        parser.error(f"NAME is one of: list {' '.join(NAMES)}; then -- COMMAND...")
    files = {"hello": root / "examples/hello"}
    for word in options.file:
        inside, equals, path = word.partition("=")
        if not equals or not Path(path).exists():
            parser.error(f"--file {word}: INSIDE=PATH is needed, and PATH must exist")
        files[inside] = Path(path)
    try:
        with Environments(options.weir, files) as environments:
            outcome = environments[options.name].run(options.command, timeout=options.timeout)
    except (Unavailable, Expired) as error:
        print(f"environments: {options.name}: {error}", file=sys.stderr)
        return 125
    sys.stdout.buffer.write(outcome.output)
    sys.stdout.flush()
    sys.stderr.buffer.write(outcome.errors)
    return outcome.status


if __name__ == "__main__":
    sys.exit(main())
