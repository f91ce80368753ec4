"""What every test of the program needs: to start weir as a person does, to talk HTTP to it, and to stop it.

Nothing here knows weir from the inside. Conditions are waited for with deadlines; nothing sleeps in their place.
"""

import contextlib
import http.client
import os
import re
import shlex
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

# Generous, because sanitizers and busy machines are slow; a test that promises a time states it itself.
START_DEADLINE = 60.0
STOP_DEADLINE = 45.0
REQUEST_DEADLINE = 30.0

SERVING = re.compile(r"^Serving (https?://(?P<host>\[[0-9a-fA-F:.]+\]|[^:/\s]+):(?P<port>\d+))/?$")


class Expired(AssertionError):
    """A condition did not come true in time."""


class Stream:
    """One output stream of a process, read line by line as it comes."""

    def __init__(self, name, pipe):
        self.name = name
        self._lines = []
        self._ended = False
        self._changed = threading.Condition()
        self._pipe = pipe
        self._thread = threading.Thread(target=self._read, name=f"reads {name}", daemon=True)
        self._thread.start()

    def _read(self):
        for raw in self._pipe:
            with self._changed:
                self._lines.append(raw.decode("utf-8", "backslashreplace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def lines(self):
        with self._changed:
            return list(self._lines)

    @property
    def text(self):
        return "\n".join(self.lines)

    def wait_for(self, pattern, seconds=REQUEST_DEADLINE, count=1, after=0):
        """The match in the `count`-th line that `pattern` is found in, the first `after` lines left out; raises Expired
        when the stream ends or time is over."""
        expression = re.compile(pattern)
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                found = [match for match in map(expression.search, self._lines[after:]) if match]
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "it ended" if self._ended else f"{seconds} s were over"
                    raise Expired(f"{self.name} had no {count} lines matching {pattern!r} when {why}")
                self._changed.wait(left)

    def wait_for_end(self, seconds):
        self._thread.join(seconds)


@dataclass
class Response:
    status: int
    reason: str
    headers: list  # of (name in lower case, value), in order
    body: bytes
    version: int = 11

    def all(self, name):
        return [value for key, value in self.headers if key == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    @property
    def text(self):
        return self.body.decode("utf-8", "backslashreplace")


def to_response(raw):
    body = raw.read()
    headers = [(name.lower(), value) for name, value in raw.getheaders()]
    return Response(raw.status, raw.reason, headers, body, raw.version)


@dataclass
class Program:
    """A build of weir, and how it is to be run: the command before it and its environment."""

    path: Path
    flavour: str = "release"
    wrapper: tuple = ()
    environment: dict = field(default_factory=dict)
    reports: Path | None = None  # where sanitizers write what they find

    def wrapped(self, *command, **environment):
        return Program(
            self.path,
            self.flavour,
            (*map(str, command), *self.wrapper),
            {**self.environment, **environment},
            self.reports,
        )

    def command(self, *arguments):
        return [*self.wrapper, str(self.path), *map(str, arguments)]

    def full_environment(self, extra=None):
        """This process's environment without what would steer weir or change its language, and with what the test
        wants; None removes."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if name == "WEIR_SANDBOX"  # a whole run can have it: what the sandbox refuses is told, and fails
            or (not name.startswith(("SPIN_", "WEIR_", "RUST_", "LC_")) and name not in ("LANG", "LANGUAGE"))
        }
        for name, value in {**self.environment, **(extra or {})}.items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = str(value)
        return environment

    def sanitizer_reports(self):
        if self.reports is None:
            return {}
        return {path.name: path.read_text(errors="replace") for path in sorted(self.reports.glob("*"))}

    def assert_no_report(self):
        reports = self.sanitizer_reports()
        assert not reports, "a sanitizer reported:\n" + "\n".join(
            f"--- {name}\n{text[:6000]}" for name, text in reports.items()
        )

    def run(self, *arguments, environment=None, directory=None, seconds=START_DEADLINE):
        """Run to the end, as for a command that serves nothing."""
        command = self.command(*arguments)
        try:
            done = subprocess.run(
                command,
                env=self.full_environment(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            raise Expired(
                f"{shlex.join(command)} had not ended after {seconds} s\n"
                f"stdout: {expired.stdout!r}\nstderr: {expired.stderr!r}"
            ) from None
        self.assert_no_report()
        return Finished(command, done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "backslashreplace"))


@dataclass
class Finished:
    command: list
    status: int
    stdout: str
    stderr: str

    def __str__(self):
        return (
            f"$ {shlex.join(self.command)}\nexit status {self.status}\n"
            f"--- stdout\n{self.stdout}--- stderr\n{self.stderr}"
        )


class Server:
    """weir up, running."""

    def __init__(self, program, *arguments, environment=None, directory=None, listen="127.0.0.1:0"):
        self.program = program
        self.arguments = ["up", *map(str, arguments)]
        if listen is not None:
            self.arguments += ["--listen", listen]
        self.command = program.command(*self.arguments)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            env=program.full_environment(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.stdout = Stream("stdout", self.process.stdout)
        self.stderr = Stream("stderr", self.process.stderr)
        self.host = None
        self.port = None
        self.stopped = False

    def wait_until_serving(self, seconds=START_DEADLINE):
        found = SERVING.search(self.stdout.wait_for(SERVING.pattern, seconds).group(0))
        self.host = found["host"].strip("[]")
        self.port = int(found["port"])
        return self

    @property
    def url(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def authority(self):
        return self.url.removeprefix("http://")

    # -- talking to it

    def connection(self, seconds=REQUEST_DEADLINE):
        return http.client.HTTPConnection(self.host, self.port, timeout=seconds)

    def request(self, method, target, body=None, headers=None, seconds=REQUEST_DEADLINE, chunked=False):
        """One request on a connection of its own."""
        connection = self.connection(seconds)
        try:
            connection.request(method, target, body=body, headers=headers or {}, encode_chunked=chunked)
            return to_response(connection.getresponse())
        finally:
            connection.close()

    def get(self, target, headers=None, seconds=REQUEST_DEADLINE):
        return self.request("GET", target, headers=headers, seconds=seconds)

    def wire(self, seconds=REQUEST_DEADLINE):
        return Wire(socket.create_connection((self.host, self.port), timeout=seconds))

    def exchange(self, raw, seconds=REQUEST_DEADLINE, method="GET"):
        """Send bytes on a connection of their own and read one response."""
        with self.wire(seconds) as wire:
            wire.send(raw)
            return wire.response(method)

    # -- watching it

    def resident_bytes(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.M).group(1)) * 1024

    @property
    def log(self):
        return (
            f"$ {shlex.join(self.command)}\nexit status: {self.process.poll()}\n"
            f"--- stdout\n{self.stdout.text}\n--- stderr\n{self.stderr.text}\n"
        )

    # -- ending it

    def send_signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_DEADLINE):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Expired(f"weir had not ended after {seconds} s\n{self.log}") from None
        self.stdout.wait_for_end(10)
        self.stderr.wait_for_end(10)
        return status

    def stop(self, number=signal.SIGTERM, seconds=STOP_DEADLINE):
        """Ask it to end, and see that it does so well: exit status 0, no sanitizer's report, no panic."""
        self.stopped = True
        assert self.process.poll() is None, f"weir had ended by itself\n{self.log}"
        self.send_signal(number)
        status = self.wait(seconds)
        self.program.assert_no_report()
        assert status == 0, f"exit status {status}\n{self.log}"
        assert "panicked" not in self.stderr.text, self.log
        assert "the sandbox refused system call" not in self.stderr.text, self.log

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def starting(program, *arguments):
    """A function that starts a server with these arguments and more, and returns it once it serves. With the block they
    all end as they should."""
    servers = []

    def start(*options):
        server = Server(program, *arguments, *options)
        servers.append(server)
        return server.wait_until_serving()

    try:
        yield start
        for server in servers:
            server.stop()
    finally:
        for server in servers:
            server.kill()


class Wire:
    """A connection on which bytes are written and responses read as they are on the wire."""

    def __init__(self, connected):
        self.socket = connected
        self.buffer = b""
        self.trailers = []  # of the last chunked body

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Close it with a RST in place of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def end(self):
        """Say that nothing more comes, with a FIN, and go on listening."""
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, raw):
        self.socket.sendall(raw)

    def receive(self):
        """More bytes into the buffer; False at the end of the stream. A reset is an end too."""
        try:
            more = self.socket.recv(65536)
        except ConnectionResetError:
            more = b""
        self.buffer += more
        return bool(more)

    def take(self, size):
        while len(self.buffer) < size:
            if not self.receive():
                raise EOFError(f"the stream ended with {self.buffer[:200]!r} where {size} bytes were due")
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def take_line(self):
        while b"\n" not in self.buffer:
            if not self.receive():
                raise EOFError(f"the stream ended within the line {self.buffer[:200]!r}")
        line, self.buffer = self.buffer.split(b"\n", 1)
        assert line.endswith(b"\r"), f"a line that does not end in CR LF: {line!r}"
        return line[:-1].decode("latin-1")

    def head(self):
        """A status line and headers; the body is not touched."""
        found = re.fullmatch(r"HTTP/1\.([01]) (\d{3})(?: (.*))?", line := self.take_line())
        assert found, f"not a status line: {line!r}"
        headers = []
        while line := self.take_line():
            name, colon, value = line.partition(":")
            assert colon and name and name == name.strip(), f"not a header: {line!r}"
            headers.append((name.lower(), value.strip()))
        return Response(int(found[2]), found[3] or "", headers, b"", 10 + int(found[1]))

    def chunk(self):
        """The next chunk of a chunked body; b"" for the last, whose trailers are read too."""
        size = int(self.take_line().split(";")[0], 16)
        if size == 0:
            self.trailers = list(iter(self.take_line, ""))
            return b""
        data = self.take(size)
        assert self.take(2) == b"\r\n"
        return data

    def body(self, response, method="GET"):
        if method == "HEAD" or response.status in (204, 304) or response.status < 200:
            return b""
        codings = [coding.lower() for coding in response.all("transfer-encoding")]
        if codings:
            assert codings == ["chunked"], codings
            assert not response.all("content-length"), "both Transfer-Encoding and Content-Length"
            return b"".join(iter(self.chunk, b""))
        lengths = response.all("content-length")
        if lengths:
            assert len(lengths) == 1, lengths
            return self.take(int(lengths[0]))
        return self.rest()

    def response(self, method="GET"):
        response = self.head()
        response.body = self.body(response, method)
        return response

    def rest(self):
        """Everything up to the end of the stream."""
        while self.receive():
            pass
        taken, self.buffer = self.buffer, b""
        return taken

    def assert_closed(self):
        rest = self.rest()
        assert rest == b"", f"unexpected bytes before the end of the connection: {rest[:200]!r}"


def load(server, requests, connections, targets):
    """Send `requests` requests over so many keep-alive connections at once; `targets` yields (target, expected body) by
    number. Returns the failures as texts, at most the first few."""
    numbers = iter(range(requests))
    lock = threading.Lock()
    failures = []

    def work():
        connection = server.connection()
        try:
            while True:
                with lock:
                    number = next(numbers, None)
                    if number is None or len(failures) > 5:
                        return
                target, expected = targets(number)
                connection.request("GET", target)
                response = connection.getresponse()
                body = response.read()
                if response.status != 200 or body != expected:
                    with lock:
                        failures.append(f"request {number} of {target}: {response.status} {body[:200]!r}")
        except (OSError, http.client.HTTPException) as error:
            with lock:
                failures.append(f"a connection failed: {error!r}")
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


@contextlib.contextmanager
def in_background(action):
    """Run `action` in a thread; gives a function that waits for its result (or raises what it raised)."""
    box = {}

    def work():
        try:
            box["result"] = action()
        except BaseException as error:  # pylint: disable=broad-except
            box["error"] = error

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def result(seconds=REQUEST_DEADLINE + 5):
        thread.join(seconds)
        if thread.is_alive():
            raise Expired(f"no result after {seconds} s")
        if "error" in box:
            raise box["error"]
        return box["result"]

    result.done = lambda: not thread.is_alive()
    yield result
    thread.join(REQUEST_DEADLINE + 5)


@contextlib.contextmanager
def all_in_background(action, arguments):
    """Run `action` for each argument at once, each in a thread; gives the functions that wait for the results."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(in_background(lambda value=value: action(value))) for value in arguments]


def hello_body(target, method="GET", body_size=0):
    """What examples/hello answers."""
    path, _, query = target.partition("?")
    if path.startswith("/cgi"):
        arguments = "".join(f"Argument {n}: {text}\n" for n, text in enumerate(query.split("&"), 1))
        return (
            f"Hello through CGI!\nYou asked: {method} {path}\nPATH_INFO: {path.removeprefix('/cgi')}\n"
            f"QUERY_STRING: {query}\n{arguments}The request's body: {body_size} bytes\n"
        )
    names = urllib.parse.parse_qs(query).get("name", ["world"])
    return f"Hello, {names[0]}!\nYou asked: {method} {target}\nThe request's body: {body_size} bytes\n"


def hello_load(number):
    """Requests for `load` on examples/hello: both routes in turn, each with an answer of its own."""
    target = f"/hello?name=number+{number}" if number % 2 else f"/cgi/{number}?number={number}"
    return target, hello_body(target).encode()


# ---- applications ----------------------------------------------------------------------------------------------------


@dataclass
class Component:
    id: str
    route: str
    source: object
    wagi: bool = False
    argv: str | None = None
    environment: dict = field(default_factory=dict)
    description: str | None = None


def toml_text(value):
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in str(value)) + '"'


def write_application(directory, components, name="application under test", version="1.2.3"):
    """A spin.toml in `directory`, which is made; returns its path."""
    lines = [
        "spin_manifest_version = 2",
        "",
        "[application]",
        f"name = {toml_text(name)}",
    ]
    if version is not None:
        lines.append(f"version = {toml_text(version)}")
    for component in components:
        lines += [
            "",
            "[[trigger.http]]",
            f"route = {toml_text(component.route)}",
            f"component = {toml_text(component.id)}",
        ]
        if component.wagi:
            argv = f", argv = {toml_text(component.argv)}" if component.argv is not None else ""
            lines.append(f'executor = {{ type = "wagi"{argv} }}')
    for component in {component.id: component for component in components}.values():
        lines += ["", f"[component.{component.id}]", f"source = {toml_text(component.source)}"]
        if component.description is not None:
            lines.append(f"description = {toml_text(component.description)}")
        if component.environment:
            pairs = ", ".join(f"{name} = {toml_text(value)}" for name, value in component.environment.items())
            lines.append(f"environment = {{ {pairs} }}")
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "spin.toml"
    path.write_text("\n".join(lines) + "\n")
    return path
