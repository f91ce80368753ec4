"""Runs in which system calls or allocations fail while an application is reloaded, one after the other in one server.

Whatever fails: the reload succeeds, or the old application is served on and why is said; nothing more is held than
before; and the next reload, without a fault, succeeds.
"""

import mmap
import os
import struct
from dataclasses import dataclass

from faults import ERRORS, Fault, Tracer, calls_in
from held import Held, wait_until_no_more_than
from reloads import REFUSED, RELOADED, reload, version_of

# Calls of a reload, and of what it has others do. munmap is not among those that fail for ever: see campaign.excuse.
CALLS = ("mmap", "mprotect", "madvise", "munmap", "clone", "clone3", "memfd_create", "ftruncate", "openat", "read", "pread64", "fstat", "newfstatat", "getdents64", "readlink", "sendmsg", "recvmsg")  # fmt: skip
OUTCOME = f"{RELOADED}|{REFUSED}"
HANG_SECONDS = 60


class Control:
    """Says to a program of the preset "fault", while it runs, which allocation is refused."""

    def __init__(self, path):
        path.write_bytes(bytes(24))
        self.path = path
        with open(path, "r+b") as file:
            self._mapped = mmap.mmap(file.fileno(), 24)

    def _write(self, *numbers):
        # The number that switches it on last.
        self._mapped[8:16] = bytes(8)
        self._mapped[16:24] = struct.pack("=Q", numbers[2])
        self._mapped[0:8] = struct.pack("=Q", numbers[0])
        self._mapped[8:16] = struct.pack("=Q", numbers[1])

    def refuse(self, number, onward):
        self._write(0, number, int(onward))

    def stop(self):
        """Refuse no more; gives how many were asked for."""
        asked = struct.unpack("=Q", self._mapped[0:8])[0]
        self._write(0, 0, 0)
        return asked


@dataclass
class Tally:
    runs: int = 0
    reached: int = 0
    reloaded: int = 0
    refused: int = 0

    def __str__(self):
        return f"{self.runs} runs, {self.reached} in which something was refused: {self.reloaded} reloaded all the same, {self.refused} not"


class Faulty:
    """A server, and reloads of it that meet faults."""

    def __init__(self, server, versions, temporary):
        self.server = server
        self.versions = versions
        self.temporary = temporary
        self.number = 0
        self.served = "1"
        self.tally = Tally()
        for _ in range(3):  # until what is kept is there
            self.reload_well()
        self.before = Held(server, temporary)
        # Where code that is there could not be used, the server compiles; the threads that Wasmtime has for that stay.
        self.before.threads |= {-number: "compiles" for number in range(1, (os.cpu_count() or 1) + 1)}

    def next_version(self):
        self.number += 1
        self.versions.write(f"v{self.number}")
        return f"v{self.number}"

    def reload_well(self):
        version = self.next_version()
        reload(self.server, seconds=HANG_SECONDS)
        self.served = version
        assert version_of(self.server) == version

    def run(self, fault, begin, end):
        """A reload under a fault: `begin` has calls fail, and `end` has them fail no more and tells whether any did."""
        version = self.next_version()
        begin()
        try:
            found = reload(self.server, OUTCOME, HANG_SECONDS)
        finally:
            reached = end()
        told = f"{fault}: {found.string}"
        if not found.string.startswith("weir: error:"):
            self.served = version
        else:
            assert reached, f"refused without a cause: {told}"
            assert len(found[1] or "") > 3, f"it does not say why: {told}"
        self.tally.runs += 1
        self.tally.reached += reached
        self.tally.reloaded += reached and self.served == version
        self.tally.refused += self.served != version
        assert self.server.process.poll() is None, f"it ended: {told}"
        assert version_of(self.server) == self.served, told
        try:
            self.reload_well()
            wait_until_no_more_than(self.before, self.server, self.temporary)
        except AssertionError as error:
            raise AssertionError(f"after {told}:\n{error}") from error
        return reached

    def stop(self):
        """It ends well. A panic was contained, and told of: Wasmtime's where memory could not be unmapped."""
        self.server.stopped = True
        self.server.send_signal()
        assert self.server.wait() == 0, self.server.log
        panics = [line for line in self.server.stderr.lines if "panicked" in line]
        assert all("munmap failed" in line for line in panics), panics

    # ---- Allocations

    def count_allocations(self, control):
        counts = []
        self.run("none", lambda: control.refuse(0, False), lambda: bool(counts.append(control.stop())))
        return counts[0]

    def refuse_allocations(self, control, faults):
        for number, onward in faults:
            words = f"allocation {number}{'+' if onward else ''}"
            self.run(words, lambda: control.refuse(number, onward), lambda: control.stop() >= number)

    # ---- System calls

    def trace(self, fault, scratch):
        """strace on the server and on what it has forked."""
        log = scratch / "strace"
        pid = self.server.process.pid
        others = [option for child in self.before.children for option in ("-p", str(child))]
        return Tracer(pid, log, [*others, *fault.options(pid)])

    def refuse_call(self, fault, scratch):
        """Returns how often the thread made the call that made it most."""
        box = []

        def begin():
            box.append(self.trace(fault, scratch))

        def end():
            box[0].process.terminate()  # it lets go of them
            box.append(box[0].end())
            return any(tampered for _, _, tampered in calls_in(box[1]))

        self.run(fault, begin, end)
        by_thread = {}
        for thread, name, _ in calls_in(box[1]):
            by_thread[thread, name] = by_thread.get((thread, name), 0) + 1
        return by_thread


def faults_of(most, exhaustive, errors=ERRORS):
    """Each call at each number up to `exhaustive`, and beyond evenly as many again; errors and once or for ever by
    turns."""
    turn = 0
    for call in CALLS:
        last = most.get(call, 0)
        chosen = range(1, last + 1)
        if last > 2 * exhaustive:
            beyond = {exhaustive + round((last - exhaustive) * i / exhaustive) for i in range(1, exhaustive + 1)}
            chosen = [*range(1, exhaustive + 1), *sorted(beyond)]
        for number in chosen:
            turn += 1
            yield Fault(call, errors[turn % len(errors)], number, turn % 2 == 1 and call != "munmap", "serving")
