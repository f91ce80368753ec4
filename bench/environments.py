"""Where servers are measured: on this machine as it is, with limits, in control groups, emulated; the load always comes
from outside. Each is a command before the server's; one that cannot be had tells why. The classes are those that tests
use (tests/program)."""

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests/program"))

from environment import GIB, MIB  # noqa: E402
from environments_here import EmulatedProgram, Group, Limited, Native  # noqa: E402
from virtual_machine import Unavailable, VirtualMachine  # noqa: E402

TRUE = Path("/bin/true")
MACHINE_MIB = 1024


@dataclass(frozen=True)
class Environment:
    name: str
    title: str
    make: object  # gives one of the tests' environments
    slower: float = 1.0  # how much longer a start may take
    in_machine: bool = False  # in a virtual machine: there is no command for that


def limited(name, title, size):
    return Environment(name, title, lambda: Limited(name, title, **{"as": size}))


def grouped(name, title, size):
    return Environment(name, title, lambda: Group(f"bench-{name}", title, size))


ENVIRONMENTS = (
    Environment("native", "this machine as it is", lambda: Native("native", "")),
    limited("rlimit-as-64gib", "RLIMIT_AS 64 GiB", 64 * GIB),
    limited("rlimit-as-16gib", "RLIMIT_AS 16 GiB", 16 * GIB),
    limited("rlimit-as-8gib", "RLIMIT_AS 8 GiB", 8 * GIB),
    limited("rlimit-as-1gib", "RLIMIT_AS 1 GiB", GIB),
    limited("rlimit-as-400mib", "RLIMIT_AS 400 MiB", 400 * MIB),
    grouped("cgroup-512mib", "a control group of 512 MiB", 512 * MIB),
    grouped("cgroup-256mib", "a control group of 256 MiB", 256 * MIB),
    Environment("qemu-user", "qemu-user", lambda: EmulatedProgram("qemu-user", ""), slower=1.5),
    Environment("commit-200mib", "vm.overcommit_memory=2, 200 MiB left, in a virtual machine", None, in_machine=True),
)
BY_NAME = {environment.name: environment for environment in ENVIRONMENTS}


class Opened:
    """Environments that are ready; opened when first asked for, and closed with this. `programs` are those that the
    virtual machine has to have."""

    def __init__(self, programs=()):
        self._stack = contextlib.ExitStack()
        self._prefixes = {}
        self._programs = programs
        self._machine = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def prefix(self, name):
        """(the command to put before a server's, None), or (None, why it cannot be had)."""
        if BY_NAME[name].in_machine:
            try:
                self.machine()
            except Unavailable as reason:
                return None, str(reason)
            return [], None
        if name not in self._prefixes:
            opened = BY_NAME[name].make()
            try:
                opened.open(SimpleNamespace(weir=TRUE, files={}))
                self._stack.callback(opened.close)
                self._prefixes[name] = ([os.fspath(word) for word in opened.prefix], None)
            except Unavailable as reason:
                self._prefixes[name] = (None, str(reason))
        return self._prefixes[name]

    def machine(self):
        """The virtual machine; a new one when it has ended."""
        if self._machine is None or not self._machine.alive:
            self._machine = self._stack.enter_context(VirtualMachine(MACHINE_MIB, list(self._programs)))
        return self._machine
