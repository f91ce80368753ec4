"""Servers as processes: started, watched through /proc, ended. A server may have children, which count with it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STOP_DEADLINE = 20.0
SETTLED_BYTES = 64 * 1024  # what a resident size may change by from one reading to the next when it has settled
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """What was to be measured could not be; the text says why, for people."""


def environment_of_server(cache):
    """This process's environment, without what would steer a server, and with a cache and settings of its own."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SPIN_", "WEIR_", "WASMTIME_", "RUST_", "OTEL_", "LC_")) and name not in ("LANG", "LANGUAGE")
    }
    return {**environment, "XDG_CACHE_HOME": str(cache), "XDG_CONFIG_HOME": str(cache / "config"), "LC_ALL": "C.UTF-8"}


def descendants(pid):
    """All processes below this one, at this moment."""
    found = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has ended meanwhile
    return found


def stat_fields(pid):
    """The fields of /proc/PID/stat after the command's name, the state first (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_clock(pid):
    """CPU seconds, user and system, of all threads of a process: its CPU-time clock (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def cpu_seconds(pid):
    """CPU seconds of a process, its descendants, and its children that have ended."""
    total = sum(int(ticks) for ticks in stat_fields(pid)[13:15]) / TICKS
    for one in (pid, *descendants(pid)):
        try:
            total += cpu_clock(one)
        except OSError:
            pass  # a child that has ended meanwhile
    return total


def kibibytes(path, *names):
    fields = dict(line.split(":", 1) for line in Path(path).read_text().splitlines() if ":" in line)
    return sum(int(fields[name].split()[0]) for name in names if name in fields)


def resident_bytes(pid):
    """What a server holds in memory: the resident set of its process, and what its descendants have for themselves."""
    try:
        total = kibibytes(f"/proc/{pid}/status", "VmRSS")
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended
    for one in descendants(pid):
        try:
            total += kibibytes(f"/proc/{one}/smaps_rollup", "Private_Clean", "Private_Dirty")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass
    return total * 1024


def settled_resident_bytes(pid, seconds=3.0):
    """The same, once it changes no more: read until three readings agree, for so many seconds at most."""
    deadline = time.monotonic() + seconds
    readings = [resident_bytes(pid)]
    while time.monotonic() < deadline:
        time.sleep(0.05)
        readings.append(resident_bytes(pid))
        last = readings[-3:]
        if len(last) == 3 and max(last) - min(last) <= SETTLED_BYTES:
            break
    return readings[-1]


GUARD = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


class Guard:
    """A small process that outlives this one for a moment, however it ends, and ends what it has left."""

    def __init__(self):
        self._process = None

    def _tell(self, text):
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", GUARD], stdin=subprocess.PIPE, start_new_session=True
            )
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def add(self, pid):
        self._tell(f"+{pid}\n")

    def remove(self, pid):
        self._tell(f"-{pid}\n")


GUARDED = Guard()


class Process:
    """A process in a session of its own, with its output in a file; always ended with `stop`."""

    def __init__(self, command, environment, directory, log):
        self.command = [str(word) for word in command]
        self.log = Path(log)
        self._output = self.log.open("wb")
        self.began = time.monotonic()
        try:
            # A pipe as standard input, so that what waits for its end sees ours.
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            self._output.close()
            raise Failed(f"{self.command[0]} could not be started: {error.strerror}") from None
        self.pid = self._process.pid
        GUARDED.add(self.pid)

    def ended(self):
        """How it ended, for people; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        how = f"exit status {status}" if status >= 0 else signal.Signals(-status).name
        return f"it ended with {how}{self.last_words()}"

    def last_words(self):
        """The end of what it has said, as the end of a sentence."""
        lines = [line for line in self.log.read_text(errors="backslashreplace").splitlines() if line.strip()]
        return f": {' / '.join(lines[-3:])[-300:]}" if lines else ""

    def stop(self):
        """Ask it to end, and end it if it does not; its whole session, which nobody else is in."""
        try:
            self._process.stdin.close()
            if self._process.poll() is None:
                self._process.terminate()
                try:
                    self._process.wait(STOP_DEADLINE)
                    # A server that is a child of this one (Spin's) may outlive it.
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(self.pid, signal.SIGKILL)
                except subprocess.TimeoutExpired:
                    pass
        finally:
            if self._process.poll() is None:
                os.killpg(self.pid, signal.SIGKILL)
                self._process.wait()
            GUARDED.remove(self.pid)
            self._output.close()
