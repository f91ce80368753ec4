"""What a process holds of the system, with names: so that a test which finds more than before says what it is."""

import contextlib
import re
import time
from collections import Counter
from pathlib import Path

from harness import Expired

SETTLE_SECONDS = 60  # until all that a client's request opened is closed: Tokio's threads stay for ten
TCP_STATES = {"01": "established", "04": "fin-wait", "05": "fin-wait", "06": "time-wait", "08": "close-wait", "0A": "listening"}


def sockets(process):
    """What the sockets of the process's network are, by inode."""
    found = {}
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (process / "net" / table).read_text().splitlines()[1:]:
                fields = line.split()
                local, remote = (int(end.rpartition(":")[2], 16) for end in fields[1:3])
                found[fields[9]] = f"{table} {TCP_STATES.get(fields[3], fields[3])} from port {local} to {remote}"
    with contextlib.suppress(OSError):
        for line in (process / "net" / "unix").read_text().splitlines()[1:]:
            fields = line.split()
            found[fields[6]] = f"unix {fields[7] if len(fields) > 7 else 'without a name'}"
    return found


def descriptors(pid):
    """What each descriptor of a process is, by number."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found[int(entry.name)] = str(entry.readlink())
    known = sockets(Path(f"/proc/{pid}"))
    for number, what in found.items():
        if inode := re.fullmatch(r"socket:\[(\d+)\]", what):
            found[number] = f"socket ({known.get(inode[1], 'of another kind, or just closed')})"
    return found


def named(pid, tasks):
    """Threads or children, by number."""
    found = {}
    for task in tasks:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found[int(task)] = Path(f"/proc/{task if pid is None else f'{pid}/task/{task}'}/comm").read_text().strip()
    return found


def kinds(names):
    """How many there are of each kind; ports, inodes and digests make no difference."""
    return Counter(re.sub(r"\b[0-9a-f]{32,}\b|\d{2,}", "N", name) for name in names)


class Held:
    """What a process has at this moment; `temporary` is where it keeps copies of files, if anywhere."""

    COUNTED = ("descriptors", "threads", "children", "copies")
    # A lower rung keeps what its trial compiled. Where no second pool fits beside the first, a reload takes one, and it
    # may be served with for minutes (src/cli/pressure_policy.c): so its file is counted apart, and bounded.
    TRIAL_CODE = "/memfd:weir-trial-code (deleted)"
    TRIAL_CODE_MORE = 2

    def __init__(self, server, temporary=None):
        pid = server.process.pid
        process = Path(f"/proc/{pid}")
        found = descriptors(pid)
        self.trial_code = sum(what == self.TRIAL_CODE for what in found.values())
        self.descriptors = {number: what for number, what in found.items() if what != self.TRIAL_CODE}
        self.threads = named(pid, [task.name for task in (process / "task").iterdir()])
        self.children = named(None, (process / "task" / str(pid) / "children").read_text().split())
        self.copies = dict(enumerate(path.name for path in Path(temporary).iterdir())) if temporary else {}
        self.resident = server.resident_bytes()

    def counts(self):
        return {what: len(getattr(self, what)) for what in self.COUNTED}

    def __str__(self):
        counts = ", ".join(f"{count} {what}" for what, count in self.counts().items())
        return f"{counts}, {self.trial_code} files of trials' code, {self.resident / (1 << 20):.1f} MiB resident"

    def more_than(self, before):
        """What there is more of than before, in words; empty: nothing."""
        lines = []
        if self.trial_code > before.trial_code + self.TRIAL_CODE_MORE:
            lines.append(f"files of trials' code: {self.trial_code} instead of {before.trial_code}")
        for what, count in self.counts().items():
            was = getattr(before, what)
            if count > len(was):
                now = getattr(self, what)
                more, fewer = kinds(now.values()) - kinds(was.values()), kinds(was.values()) - kinds(now.values())
                lines.append(f"{what}: {count} instead of {len(was)}; more: {dict(more)}; fewer: {dict(fewer)}")
        return lines


def wait_until_no_more_than(before, server, temporary=None, seconds=SETTLE_SECONDS):
    """Wait until the process holds no more than before; gives what it holds then."""
    deadline = time.monotonic() + seconds
    while more := (now := Held(server, temporary)).more_than(before):
        if time.monotonic() > deadline:
            everything = "\n".join(f"  {number}: {what}" for number, what in sorted(now.descriptors.items()))
            more = "\n".join(more)
            raise Expired(f"more is held than before, also after {seconds} s:\n{more}\nall descriptors:\n{everything}")
        time.sleep(0.05)
    return now
