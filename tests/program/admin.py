"""The admin listener of a server as its users see it: over TCP and over a Unix socket."""

import http.client
import json
import re
import socket

from harness import REQUEST_DEADLINE, to_response

LISTENING = r"^weir: status, metrics and health on (http://(?P<authority>\S+)|unix:(?P<path>.+))$"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, seconds):
        super().__init__("localhost", timeout=seconds)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Admin:
    """Where a server that was started with --admin says that it listens."""

    def __init__(self, server):
        found = server.stderr.wait_for(LISTENING)
        self.authority = found["authority"]
        self.path = found["path"]

    @property
    def address(self):
        host, port = self.authority.rsplit(":", 1)
        return host.strip("[]"), int(port)

    def connection(self, seconds=REQUEST_DEADLINE):
        if self.path is not None:
            return UnixConnection(self.path, seconds)
        return http.client.HTTPConnection(*self.address, timeout=seconds)

    def request(self, method, target, headers=None, body=None, seconds=REQUEST_DEADLINE):
        connection = self.connection(seconds)
        try:
            connection.request(method, target, body=body, headers=headers or {})
            return to_response(connection.getresponse())
        finally:
            connection.close()

    def get(self, target, **headers):
        return self.request("GET", target, {name.replace("_", "-"): value for name, value in headers.items()})

    def socket(self, seconds=REQUEST_DEADLINE):
        if self.path is not None:
            connected = socket.socket(socket.AF_UNIX)
            connected.settimeout(seconds)
            connected.connect(self.path)
            return connected
        return socket.create_connection(self.address, timeout=seconds)

    def exchange(self, raw, seconds=REQUEST_DEADLINE):
        """All that is answered to these bytes, until the connection ends."""
        answered = b""
        with self.socket(seconds) as connected:
            connected.sendall(raw)
            while more := connected.recv(65536):
                answered += more
        return answered

    def status(self):
        answer = self.get("/status.json")
        assert answer.status == 200, answer
        assert answer.get("content-type") == "application/json"
        return json.loads(answer.body)

    def metrics(self):
        """Samples as {(name, labels): value}; labels are a frozenset of pairs. Escapes are as the format has them."""
        answer = self.get("/metrics")
        assert answer.status == 200, answer
        return parse_metrics(answer.text)


SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def parse_metrics(text):
    samples = {}
    for line in text.split("\n"):
        if line == "" or line.startswith("#"):
            continue
        name, labels, value = SAMPLE.match(line).groups()
        pairs = LABEL.findall(labels or "")
        assert LABEL.sub("", labels or "") == "", f"labels of {line!r}"
        unescaped = frozenset(
            (label, re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], value))
            for label, value in pairs
        )
        assert (name, unescaped) not in samples, f"{line!r} is there twice"
        samples[name, unescaped] = float(value)
    return samples


def sample(samples, name, **labels):
    return samples[name, frozenset((label, str(value)) for label, value in labels.items())]
