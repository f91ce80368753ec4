"""What every environment is: it runs commands to their end, and it serves. See environments.py."""

from dataclasses import dataclass
from typing import NamedTuple

MIB = 1 << 20
GIB = 1 << 30

# Puts the command that follows into the control group that its first argument names.
ENTER_GROUP = ("sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"')


class Outcome(NamedTuple):
    status: int
    output: bytes
    errors: bytes

    def __str__(self):
        return (
            f"exit status {self.status}\n--- stdout\n{self.output.decode(errors='backslashreplace')}"
            f"--- stderr\n{self.errors.decode(errors='backslashreplace')}"
        )


@dataclass
class Served:
    """What became of a server: `seconds` until it served (None when it never did), its answers in the order of the
    requests (None for one that was not answered), and how it ended."""

    seconds: float | None
    responses: list
    status: int
    output: str
    errors: str

    def __str__(self):
        return (
            f"serving after {self.seconds} s, exit status {self.status}, {len(self.responses)} responses\n"
            f"--- stdout\n{self.output}\n--- stderr\n{self.errors}"
        )


class Environment:
    """The interface. `open` makes it ready or raises Unavailable; `close` leaves nothing of it behind."""

    def __init__(self, name, title):
        self.name = name
        self.title = title

    def open(self, owner):
        raise NotImplementedError

    def close(self):
        pass

    def run(self, command, files=None, environment=None, timeout=60.0):
        """Run a command to its end, after placing files; gives an Outcome."""
        raise NotImplementedError

    def serve(self, application, targets, at_once=4, arguments=(), environment=None, timeout=60.0):
        """`weir up` in it: wait until it serves, GET the targets from inside, so many at once, and end it with SIGTERM.
        Gives a Served; each of the three parts may take `timeout` seconds."""
        raise NotImplementedError

    def forget(self):
        """Remove weir's cache: the next choice is made anew."""
        raise NotImplementedError
