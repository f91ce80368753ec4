"""Makes weir's system calls fail, and its allocations, and its limits tight.

strace refuses the calls below libc, because Wasmtime makes its own. It counts by thread: "the Nth call" of a fault is
the Nth in every thread and every child process that strace follows, from the moment it was attached or from the
thread's birth. So a number that weir's main thread reaches is refused in each trial too, and faults have a scope,
which says whom strace follows and from when on:

    process   everything from main on: the main thread, the trials, all threads
    main      the main thread from main on, and nobody else: trials pass, and what comes after them is reached
    threads   everything from the first thread on: compiling, starting the loops, serving
    serving   everything from when it serves: the requests, the end

The dynamic loader's calls come before main. What it says when it is refused one is not weir's; the library fault_pause
stops the process behind them, strace is attached there, and what the loader did is not counted.

fault_runs.py runs weir under a fault and judges how it took it, campaign.py goes through all of them.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness import Stream

HERE = Path(__file__).resolve().parent
HELPERS = HERE.parent / "helpers"

CALLS = (
    "mmap",
    "mprotect",
    "madvise",
    "munmap",
    "mremap",
    "clone",
    "clone3",
    "fork",
    "vfork",
    "pipe",
    "pipe2",
    "memfd_create",
    "ftruncate",
    "open",
    "openat",
    "read",
    "readlink",
)
ERRORS = ("ENOMEM", "EINVAL", "EPERM", "EAGAIN", "ENOSYS")
SCOPES = ("process", "main", "threads", "serving")

ATTACH_SECONDS = 60.0


def known(*calls):
    """A set for strace that leaves out what this architecture does not have."""
    return ",".join(f"?{call}" for call in calls)


@dataclass(frozen=True)
class Fault:
    call: str
    error: str  # an errno's name, or a number that is returned as if the call had done its work
    first: int = 1
    onward: bool = False
    scope: str = "process"
    path: str | None = None  # only calls on this file

    prefix = ()  # what the program is started by

    @property
    def when(self):
        return f"{self.first}{'+' if self.onward else ''}"

    def __str__(self):
        return f"{self.scope} {self.call}:{self.error}:{self.when}" + (f" on {self.path}" if self.path else "")

    def environment(self, scratch):
        del scratch
        return {}

    def count(self, log, scratch):
        """How many calls were refused."""
        del scratch
        return sum(1 for _, _, tampered in calls_in(log) if tampered)

    def options(self, process):
        """What strace is told. `process` is the id that /proc/self stands for."""
        what = f"retval={self.error}" if self.error.isdigit() else f"error={self.error}"
        options = ["-e", f"trace={known(self.call)}", "-e", f"inject={known(self.call)}:{what}:when={self.when}"]
        if self.path:
            options += ["-P", self.path, "-P", self.path.replace("/proc/self/", f"/proc/{process}/")]
        return options


@dataclass(frozen=True)
class Watch(Fault):
    """Takes the place of a fault where strace only looks on."""

    call: str = ""
    error: str = ""
    mark: bool = False  # every call is tampered with, in a way that changes nothing, and counted by strace as well

    def options(self, process):
        del process
        calls = known(*CALLS)
        mark = ["-C", "-e", f"inject={calls}:delay_enter=1"] if self.mark else []
        return ["-e", f"trace={calls}", *mark]


@dataclass(frozen=True)
class AllocationFault:
    """Memory that weir's own C asks for is refused, in a program of the preset "fault". Numbers go through the process,
    and a child goes on where its parent was."""

    first: int
    onward: bool = False
    scope = "allocation"
    call = "allocation"
    path = None
    prefix = ()

    def __str__(self):
        return f"allocation {self.first}{'+' if self.onward else ''}"

    def environment(self, scratch):
        return {
            "WEIR_FAULT_ALLOCATION": f"{self.first}{'+' if self.onward else ''}",
            "WEIR_FAULT_REPORT": f"{scratch}/report",
            # What it finds goes to standard error, where nothing but weir's own lines may be.
            "ASAN_OPTIONS": "exitcode=86:detect_leaks=1:strict_string_checks=1:abort_on_error=0",
            "UBSAN_OPTIONS": "exitcode=87:print_stacktrace=1",
        }

    def count(self, log, scratch):
        del log
        return len(self.places(scratch))

    def places(self, scratch):
        report = Path(scratch) / "report"
        return [line.split()[1] for line in report.read_text().splitlines()] if report.exists() else []


@dataclass(frozen=True)
class LimitFault:
    """A resource limit (prlimit's option, such as "as") has a value from the start on."""

    resource: str
    value: int
    user: int = 0
    scope = "limit"
    first = 1
    onward = True
    path = None

    @property
    def call(self):
        return self.resource

    @property
    def prefix(self):
        # The limit on processes does not bind root, and counts all of a user's: weir gets a user of its own.
        alone = ("setpriv", f"--reuid={self.user}", "--clear-groups") if self.user else ()
        return ("prlimit", f"--{self.resource}={self.value}:{self.value}", "--", *alone)

    def __str__(self):
        return f"limit {self.resource} {self.value}"

    def environment(self, scratch):
        del scratch
        return {}

    def count(self, log, scratch):
        del log, scratch
        return 1


NO_FAULT = LimitFault("core", 0)  # which changes nothing


# ---- Helpers ---------------------------------------------------------------------------------------------------------


def missing():
    """A program that is needed here and is not installed, or None."""
    return next((name for name in ("strace", "prlimit", "setpriv") if shutil.which(name) is None), None)


def build_pause(directory):
    """The library fault_pause, compiled."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "a C compiler is needed: weir was built with one"
    library = Path(directory) / "fault_pause.so"
    flags = ["-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", library, HELPERS / "fault_pause.c", "-ldl"], check=True)
    return library


class Tracer:
    """strace, attached to a process and writing what it sees to a file."""

    def __init__(self, process, log, options, follow=True):
        self.log = Path(log)
        command = ["strace", *(["-f"] if follow else []), "-p", str(process), "-o", str(log), *options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.said = Stream("strace", self.process.stderr)
        self.said.wait_for(r"Process \d+ attached", ATTACH_SECONDS)

    def end(self):
        """Wait until it is done, which it is when the processes that it follows are."""
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait(10)
        self.said.wait_for_end(10)
        self.process.stderr.close()
        return self.log.read_text(errors="replace")


def calls_in(text):
    """Of strace's log: (process or thread, name of the call, whether it was tampered with), in the order of begins."""
    found = []
    begun = {}
    for line in text.splitlines():
        match = re.match(r"(?:(\d+) +)?(?:<\.\.\. )?(\w+)(\(| resumed)", line)
        if not match:
            continue
        thread = match[1] or ""
        tampered = line.endswith(("(INJECTED)", "(DELAYED)"))
        if match[3] == "(":
            begun[thread] = len(found)
            found.append([thread, match[2], tampered])
        elif thread in begun:
            found[begun[thread]][2] = tampered
    return [tuple(call) for call in found]
