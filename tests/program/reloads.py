"""An application that comes in versions, and clients of all of them: for the tests of reloads."""

import os
import re
import threading
from http.client import HTTPException

from harness import Component, write_application

RELOADED = r"reloaded in .* serving"
REFUSED = r"not reloaded, and what was served is served on: (.*)"


class Versions:
    """An application whose every component tells its version, and whose parts can be changed one by one."""

    def __init__(self, directory, guest):
        self.directory = directory
        self.guest = guest
        self.static = directory / "static"
        self.static.mkdir(parents=True)
        self.path = directory / "spin.toml"

    def text(self, version, more=""):
        """The manifest of a version, with `more` at its end. It is made beside the application, which may be watched."""
        environment = {"VERSION": version}
        made = write_application(
            self.directory.with_name(self.directory.name + ".made"),
            [
                Component("tell", "/tell/...", self.guest("http_request"), environment=environment),
                Component("stream", "/stream/...", self.guest("http_stream")),
                Component("wait", "/wait/...", self.guest("http_wait")),
                Component("files", "/files", self.guest("wagi_files"), wagi=True, argv="guest ${ARGS}"),
            ],
            name="in versions",
            version=version,
        )
        mounts = 'files = [{ source = "static", destination = "/static" }]\n'
        return made.read_text() + mounts + more

    def write(self, version, more=""):
        """As editors do: a new file takes the place of the old one."""
        new = self.directory / ".spin.toml.new"
        new.write_text(self.text(version, more))
        os.replace(new, self.path)
        return self.path


def version_of(server):
    return re.search(r"^environment VERSION=(.*)$", server.get("/tell/").text, re.M)[1]


def reload(server, pattern=RELOADED, seconds=60):
    """Ask for a reload, and wait for what comes of it; gives the match."""
    import signal

    seen = len(server.stderr.lines)
    server.send_signal(signal.SIGHUP)
    return server.stderr.wait_for(pattern, seconds, after=seen)


class Load:
    """Clients of all kinds at once, until it is enough: on connections that last, on new ones, and on streams that go on
    over several generations. Each answer has to be that of one of the versions."""

    def __init__(self, server, versions):
        self.server = server
        self.versions = versions
        self.failures = []
        self.counts = {}
        self._enough = threading.Event()
        self._lock = threading.Lock()
        kinds = [self.lasting, self.lasting, self.lasting, self.fresh, self.streaming, self.waiting]
        self._threads = [threading.Thread(target=self._run, args=(kind,), daemon=True) for kind in kinds]

    def _run(self, kind):
        while not self._enough.is_set() and not self.failures:
            try:
                kind()
            except (OSError, AssertionError, EOFError, HTTPException, ValueError) as error:
                told = len(self.server.stderr.lines)
                self.failures.append(f"{kind.__name__}, when the server had said {told} lines: {error!r}")

    def _count(self, what):
        with self._lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def _check(self, response):
        assert response.status == 200, response
        found = re.search(r"^environment VERSION=(.*)$", response.text, re.M)
        assert found and found[1] in self.versions, response.text
        self._count(found[1])

    def lasting(self):
        with self.server.wire() as wire:
            for _ in range(200):
                if self._enough.is_set():
                    return
                wire.send(b"GET /tell/ HTTP/1.1\r\nHost: a\r\n\r\n")
                self._check(wire.response())

    def fresh(self):
        self._check(self.server.get("/tell/"))

    def streaming(self):
        response = self.server.get("/stream/pieces/60/20")
        assert response.status == 200, response
        assert response.text == "".join(f"data: {n}\n\n" for n in range(60)), response.text
        self._count("streams")

    def waiting(self):
        response = self.server.get("/wait/50")
        assert (response.status, response.text) == (200, "waited\n"), response
        self._count("waits")

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._enough.set()
        for thread in self._threads:
            thread.join(60)
