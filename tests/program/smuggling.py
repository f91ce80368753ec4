"""The corpus of malformed_requests.toml as cases, the ways in which bytes are sent, and the responses that come back, read
strictly."""

import contextlib
import re
import select
import socket
import ssl
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from harness import REQUEST_DEADLINE
from mirror import read_report, report_of_component

SENTINEL = b"GET /late/sentinel HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def to_bytes(text):
    """{X*N} is N times X; each character is a byte."""
    return re.sub(r"\{(.+?)\*(\d+)\}", lambda found: found[1] * int(found[2]), text, flags=re.S).encode("latin-1")


@dataclass
class Case:
    name: str
    request: bytes
    answers: list
    closes: bool
    sentinel: bool = True  # another request follows in the same piece
    only: str | None = None  # "clear" or "tls"
    source: str = ""

    @property
    def sent(self):
        return self.request + (SENTINEL if self.sentinel else b"")

    @property
    def expected(self):
        after = [] if self.closes or not self.sentinel else [["GET", "/late/sentinel", ""]]
        return self.answers + after

    def methods(self):
        return ["HEAD" if isinstance(answer, str) else "GET" for answer in self.expected]


def read_corpus(path=Path(__file__).parent / "malformed_requests.toml"):
    cases = {}
    for title, group in tomllib.loads(path.read_text()).items():
        assert group["source"], title
        for name, given in group["cases"].items():
            own = given if isinstance(given, dict) else {"send": given}
            unknown = set(own) - {"send", "answers", "then", "sentinel"}
            assert not unknown, f"{title}: {name}: {unknown}"
            request = to_bytes(group["request"].replace("<>", own["send"], 1))
            then = own.get("then", group["then"])
            assert then in ("closed", "kept"), f"{title}: {name}: {then}"
            cases[f"{title}: {name}"] = Case(
                name=f"{title}: {name}",
                request=request,
                answers=own.get("answers", group["answers"]),
                closes=then == "closed",
                sentinel=own.get("sentinel", group.get("sentinel", True)),
                only=group.get("only"),
                source=group["source"],
            )
    return cases


# ---- sending ---------------------------------------------------------------------------------------------------------


def pieces_of(data, piece):
    """As one piece, or, where `piece` is set, in pieces of so many bytes; what is large in larger ones."""
    if piece is None:
        return [data]
    size = max(piece, len(data) // 1500)
    return [data[at : at + size] for at in range(0, len(data), size)]


class InTheClear:
    """Bytes as they are on the wire."""

    def __init__(self, connected):
        self.socket = connected

    def seal(self, data):
        return data

    def open(self, data):
        return data


class OverTls:
    """The same within TLS, each piece in a record of its own."""

    def __init__(self, connected, context):
        self.socket = connected
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                connected.sendall(self.outgoing.read())
                self.incoming.write(connected.recv(65536))
        connected.sendall(self.outgoing.read())

    def seal(self, data):
        self.tls.write(data)
        return self.outgoing.read()

    def open(self, data):
        self.incoming.write(data)
        opened = b""
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while more := self.tls.read(65536):
                opened += more
        return opened


def converse(way, data, piece=None, answered=None, seconds=REQUEST_DEADLINE):
    """Send, and receive meanwhile until the connection ends; returns what came. Sending may fail once nobody reads any
    more. `answered` tells of what came whether it answers all that can be: then the client says that it sends no more."""
    waiting = [way.seal(part) for part in pieces_of(data, piece)] if data else []
    waiting.reverse()
    received = b""
    deadline = time.monotonic() + seconds
    way.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    way.socket.setblocking(False)
    while True:
        left = deadline - time.monotonic()
        assert left > 0, f"the connection did not end; received: {received[:2000]!r}"
        ends = answered is not None and not waiting and answered(received)
        writers = [way.socket] if waiting or ends else []
        readable, writable, _ = select.select([way.socket], writers, [], left)
        if readable:
            try:
                more = way.socket.recv(65536)
            except ConnectionResetError:
                return received
            if not more:
                return received
            received += way.open(more)
        elif writable and waiting:
            try:
                sent = way.socket.send(waiting[-1])
                waiting[-1] = waiting[-1][sent:]
                if not waiting[-1]:
                    waiting.pop()
            except (BrokenPipeError, ConnectionResetError):
                waiting, answered = [], None
        elif writable:
            with contextlib.suppress(OSError):
                way.socket.shutdown(socket.SHUT_WR)
            answered = None


# ---- receiving -------------------------------------------------------------------------------------------------------


class Malformed(AssertionError):
    """What came back is no sequence of responses."""


@dataclass
class Answer:
    status: int
    headers: list = field(default_factory=list)  # of (name in lower case, value)
    body: bytes = b""
    whole: bool = True
    interim: int = 0  # responses 100 before it

    def all(self, name):
        return [value for key, value in self.headers if key == name]


def read_head(data, at):
    end = data.find(b"\r\n\r\n", at)
    if end < 0:
        raise Malformed(f"not a whole head: {data[at:][:200]!r}")
    lines = data[at:end].split(b"\r\n")
    found = re.fullmatch(rb"HTTP/1\.1 ([1-9]\d\d) [\t -~\x80-\xff]*", lines[0])
    if found is None:
        raise Malformed(f"not a status line: {lines[0][:200]!r}")
    answer = Answer(int(found[1]))
    for line in lines[1:]:
        parts = re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*", line)
        if parts is None:
            raise Malformed(f"not a header: {line[:200]!r}")
        answer.headers.append((parts[1].decode().lower(), parts[2].decode("latin-1")))
    return answer, end + 4


def read_chunks(data, at):
    body = b""
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return body, len(data), False
        if not re.fullmatch(rb"[0-9a-f]{1,16}", data[at:end]):
            raise Malformed(f"not the size of a chunk: {data[at:end][:200]!r}")
        size = int(data[at:end], 16)
        at = end + 2
        if size == 0:
            if data[at : at + 2] == b"\r\n":
                return body, at + 2, True
            if at == len(data):
                return body, at, False
            raise Malformed(f"trailers that nobody has asked for: {data[at:][:200]!r}")
        body += data[at : at + size]
        at += size
        if at + 2 > len(data):
            return body, len(data), False
        if data[at : at + 2] != b"\r\n":
            raise Malformed(f"no line end behind a chunk: {data[at:][:200]!r}")
        at += 2


def read_answers(data, methods):
    """The responses in what came back, by RFC 9112, section 6.3; `methods` are those of the requests. The last may not be
    whole; interim ones are counted with the one behind them."""
    answers = []
    at = 0
    interim = 0
    while at < len(data):
        answer, at = read_head(data, at)
        if answer.status < 200:
            if answer.status != 100 or answer.headers:
                raise Malformed(f"an interim response that nobody has asked for: {answer}")
            interim += 1
            continue
        answer.interim, interim = interim, 0
        method = methods[len(answers)] if len(answers) < len(methods) else "GET"
        codings = answer.all("transfer-encoding")
        lengths = answer.all("content-length")
        if len(lengths) > 1 or (codings and lengths) or codings not in ([], ["chunked"]):
            raise Malformed(f"its framing is not clear: {answer}")
        if lengths and not re.fullmatch(r"\d+", lengths[0]):
            raise Malformed(f"not a length: {answer}")
        if answer.status in (204, 304) or method == "HEAD":
            if answer.status == 204 and (lengths or codings):
                raise Malformed(f"a length where there is no body: {answer}")
        elif codings:
            answer.body, at, answer.whole = read_chunks(data, at)
        elif lengths:
            answer.body = data[at : at + int(lengths[0])]
            answer.whole = len(answer.body) == int(lengths[0])
            at += len(answer.body)
        else:
            answer.body = data[at:]
            at = len(data)
            answer.whole = answer.all("connection") == ["close"]
        if len(answer.all("date")) != 1:
            raise Malformed(f"not one Date: {answer}")
        answers.append(answer)
    if interim:
        raise Malformed("an interim response and nothing behind it")
    return answers


def has_answers(methods):
    """For `converse`: whether so many responses, to requests with these methods, have come."""

    def count(received):
        try:
            answers = read_answers(received, methods)
        except Malformed:
            return False  # the last is not whole yet
        return sum(answer.whole for answer in answers) >= len(methods)

    return count


# ---- comparing -------------------------------------------------------------------------------------------------------


def seen(answer):
    """What a mirror saw: (method, target, body, headers), or None where it is no mirror's answer."""
    if answer.all("content-type") != ["application/x-mirror"]:
        return None
    items, body = read_report(answer.body)
    report = report_of_component(items)
    headers = {name: values for name, values in report["headers"].items()}
    return report["method"][0], report["target"][0], body, headers


def check_seen(answer, expected, scheme):
    assert answer.status == 200 and answer.whole, answer
    method, target, body, headers = seen(answer)
    wanted = [to_bytes(text) for text in expected[:3]]
    assert [method, target, body] == wanted, f"the guest saw {[method, target, body]}"
    for name, value in (expected[3] if len(expected) > 3 else {}).items():
        found = headers.get(name)
        if value is False:
            assert found is None, f"the guest saw {name}: {found}"
        else:
            assert found == [to_bytes(value.replace("SCHEME", scheme))], f"the guest saw {name}: {found}"


def check_answer(answer, expected, scheme):
    if isinstance(expected, str):
        method, status = expected.split()
        assert method == "HEAD" and answer.status == int(status), answer
    elif isinstance(expected, list) and isinstance(expected[0], str):
        check_seen(answer, expected, scheme)
    else:
        statuses = expected if isinstance(expected, list) else [expected]
        assert answer.status in statuses and answer.whole, answer
