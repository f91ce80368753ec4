"""A program whose standard error is a terminal: what it shows there, which processes it has, and how it ends."""

import contextlib
import os
import pty
import signal
import subprocess
import termios
import threading
import time
from pathlib import Path

from harness import Expired


def wait_until(condition, what, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Expired(f"{what}: not within {seconds} s")
        time.sleep(0.005)


def state_of(process):
    """The letter that /proc has for it: T when it is stopped, Z when it has ended, as also when it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


class OnTerminal:
    """Run in a session of its own; standard output is a pipe."""

    def __init__(self, program, *arguments, environment=None, columns=80):
        ours, its = pty.openpty()
        termios.tcsetwinsize(its, (24, columns))
        self.terminal = ours
        self.written = b""
        self.grown = threading.Condition()
        self.process = subprocess.Popen(
            program.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=its,
            env=program.full_environment(environment),
            start_new_session=True,
        )
        os.close(its)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # children that it left stopped, too
        self.process.wait()
        self.process.stdout.close()
        self.reader.join(10)
        os.close(self.terminal)

    def _read(self):
        while True:
            try:
                chunk = os.read(self.terminal, 4096)
            except OSError:  # how Linux tells that nobody has the other end any more
                chunk = b""
            if not chunk:
                return
            with self.grown:
                self.written += chunk
                self.grown.notify_all()

    def wait_for(self, text, seconds=60):
        with self.grown:
            if not self.grown.wait_for(lambda: text.encode() in self.written, seconds):
                raise Expired(f"no '{text}' on the terminal within {seconds} s: {self.written!r}")

    def finish(self, seconds):
        """Standard output, and all that the terminal was sent."""
        output, _ = self.process.communicate(timeout=seconds)
        self.reader.join(10)
        return output.decode(), self.written.decode()

    def processes(self):
        """Its own and its children's, as far as they have not ended."""
        found = []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                fields = (directory / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
            if int(fields[3]) == self.process.pid and fields[0] not in "ZX":
                found.append(int(directory.name))
        return found

    def hold_with_children(self):
        """Stop it, with at least one child: none of them ends by itself from now on."""
        deadline = time.monotonic() + 60
        while True:
            self.process.send_signal(signal.SIGSTOP)
            wait_until(lambda: state_of(self.process.pid) in "TZ", "that it stops")
            assert state_of(self.process.pid) == "T", "it has ended"
            children = set(self.processes()) - {self.process.pid}
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGSTOP)
            if children and any(state_of(child) == "T" for child in children):
                return
            self.process.send_signal(signal.SIGCONT)
            if time.monotonic() > deadline:
                raise Expired("no child within 60 s")
            time.sleep(0.005)

    def check_that_it_ends_by(self, number):
        """Sent to the program alone, not to its group as a terminal would: at once, and with its children."""
        self.hold_with_children()
        self.process.send_signal(number)
        self.process.send_signal(signal.SIGCONT)
        self.process.wait(timeout=10)
        # One that was held in the moment between its birth and asking for its parent's death has to look for itself.
        for child in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGCONT)
        output, _ = self.process.communicate(timeout=10)
        assert self.process.returncode == -number and output == b"", (self.process.returncode, output)
        wait_until(lambda: not self.processes(), "the end of the children")
