"""Many clients at once (bench/clients.c), told step by step what to do."""

import json
import os
import resource
import select
import subprocess

from bench.processes import GUARDED, Failed

SPARE_FILES = 1000  # that a server may have open beside its connections


def raise_open_files(count):
    """Allow this process and what it starts so many connections; raises Failed where the hard limit is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + SPARE_FILES
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise Failed(f"{count:,} connections need more open files than the hard limit of {hard:,} (ulimit -Hn)")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Crowd:
    def __init__(self, program, port, case, directory, keep_alive):
        request = directory / "request"
        lines = [f"{case.method} {case.target} HTTP/1.1", "Host: bench", *(f"{name}: {value}" for name, value in case.headers)]
        if not keep_alive:
            lines.append("Connection: close")
        request.write_bytes("\r\n".join([*lines, "", ""]).encode())
        self._process = subprocess.Popen(
            [program, "127.0.0.1", str(port), request, case.answer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        GUARDED.add(self._process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()
        GUARDED.remove(self._process.pid)

    def tell(self, words, seconds=0.0):
        """Give an order that may take so many seconds; what came of it."""
        self._process.stdin.write(f"{words}\n".encode())
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], seconds + 30)[0]:
            raise Failed(f"clients did not answer to {words!r}")
        line = self._process.stdout.readline()
        if not line:
            raise Failed(os.fsdecode(self._process.stderr.read()).strip() or "clients ended")
        return json.loads(line)

    def open(self, count, seconds=60, needs_all=True):
        report = self.tell(f"open {count} {seconds}", seconds)
        if needs_all and (report["connecting"] or report["failed"]):
            raise Failed(f"{report['connecting'] + report['failed']} of {count} connections could not be had")
        return report

    def ask(self, window, seconds):
        return self.tell(f"ask {window} {seconds:g}", seconds)

    def again(self):
        return self.tell("again")

    def end(self, seconds):
        return self.tell(f"end {seconds:g}", seconds)
