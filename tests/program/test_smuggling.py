"""What programs read differently is refused, and what follows it is not answered; what is sound is read in one way. The
corpus is malformed_requests.toml: each of its cases is sent whole and byte by byte, in the clear and over TLS, and a guest
tells what it saw. The responses are read as strictly as weir is to read requests."""

# ctest: timeout=600

import random
import re
import ssl
from dataclasses import dataclass

import pytest

from conftest import make_program
from harness import Component, Server, write_application
from smuggling import SENTINEL, InTheClear, OverTls, check_answer, converse, has_answers, read_answers, read_corpus, seen
from strict_reader import Incomplete, Refused, Request, read

CASES = read_corpus()


@dataclass
class Edge:
    """One application in the clear, and over TLS."""

    clear: Server
    secured: Server
    context: ssl.SSLContext

    def way(self, name):
        server = self.clear if name == "clear" else self.secured
        connected = server.wire().socket
        return InTheClear(connected) if name == "clear" else OverTls(connected, self.context)


STATIC = """
[[trigger.http]]
route = "/static"
static_response = { status_code = 200, body = "static" }
"""


@pytest.fixture(scope="module", params=["release", "asan"])
def edge(request, guest, certificates, tmp_path_factory):
    directory = tmp_path_factory.mktemp(f"edge-{request.param}")
    mirror = guest("http_mirror")
    application = write_application(
        directory,
        [
            Component("late", "/late/...", mirror, environment={"LATE": "1"}),
            Component("now", "/now/...", mirror),
            Component("wagi", "/wagi/...", guest("wagi_mirror"), wagi=True),
        ],
    )
    application.write_text(application.read_text() + STATIC)
    program = make_program(request.param, directory)
    tls = ("--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key")
    servers = [Server(program, application, "--quiet"), Server(program, application, "--quiet", *tls)]
    try:
        for server in servers:
            server.wait_until_serving()
        yield Edge(*servers, ssl.create_default_context(cafile=certificates / "ca.pem"))
        for server in servers:
            server.stop()
    finally:
        for server in servers:
            server.kill()


WAYS = [(layer, piece) for layer in ("clear", "tls") for piece in (None, 1)]


@pytest.mark.parametrize("name", CASES)
def test_each_case_of_the_corpus_is_answered_as_it_says(edge, name):
    case = CASES[name]
    for layer, piece in WAYS:
        if case.only not in (None, layer):
            continue
        way = edge.way(layer)
        with way.socket:
            received = converse(way, case.sent, piece, answered=None if case.sentinel else has_answers(case.methods()))
        how = f"{case.name} ({layer}, {'whole' if piece is None else 'byte by byte'})\n{case.sent[:600]!r}\n{received[:2000]!r}"
        try:
            answers = read_answers(received, case.methods())
            assert len(answers) == len(case.expected), [answer.status for answer in answers]
            for answer, expected in zip(answers, case.expected):
                check_answer(answer, expected, "https" if layer == "tls" else "http")
                asked = b"HTTP/1.1\r\n" in case.request and b"Expect: 100-" in case.request and answer.status == 200
                assert answer.interim <= (1 if asked else 0), "100 that nobody has asked for"
            # Where the answer may come before what is wrong has come, it could not know that it was the last.
            is_known = case.sentinel and case.answers[-1:] != [[400, 404]]
            if answers and is_known:
                assert answers[-1].all("connection") == ["close"], "the last answer does not say that it is"
                assert all("close" not in answer.all("connection") for answer in answers[:-1])
        except AssertionError as error:
            raise AssertionError(f"{how}\n{error}") from None


OF_CHUNKS = [
    name
    for name, case in CASES.items()
    if name.split(":")[0] in ("sizes of chunks", "lines of chunks", "extensions of chunks", "trailers")
    and case.answers == [400]
]


@pytest.mark.parametrize("name", OF_CHUNKS)
@pytest.mark.parametrize("route", [b"now", b"wagi"])
def test_a_bad_chunk_is_never_a_whole_answer_of_a_guest_that_reads_as_it_writes(edge, name, route):
    """Its head may be on its way already; then the connection breaks off, and nothing follows."""
    case = CASES[name]
    for piece in (None, 1):
        way = edge.way("clear")
        with way.socket:
            received = converse(way, case.sent.replace(b"POST /late", b"POST /" + route), piece)
        answers = read_answers(received, ["POST"])
        assert len(answers) <= 1, (case.sent[:600], received[:2000])
        assert not answers or answers[0].status == 400 or not answers[0].whole, (case.sent[:600], received[:2000])


# ---- against a strict reader -----------------------------------------------------------------------------------------

SEEDS = [
    b"GET /late/1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /late/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /late/3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;a=b\r\n, y\r\n0\r\n\r\n",
    b"PUT /late/4 HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\n1\r\nx\r\n00\r\nX-Late: 1\r\n\r\n",
    b"HEAD /late/5 HTTP/1.1\r\nHost: a:80\r\nX-One: 1\r\n\r\n",
    b"GET http://a/late/6 HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    b"GET /late/7 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    b"POST /late/8 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
]
WORDS = [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b"=", b'"', b"\0", b"\x0b", b"\x7f", b"\xff", b"0", b"1", b"5"]
WORDS += [b"-", b"+", b"0x", b"_", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: a\r\n", b"\r\n\r\n"]
WORDS += [b"Connection: close\r\n", b"X: y\r\n", b"X: y\r\n ", b"0\r\n\r\n", b"chunked", b"close", b"HTTP/1.1", b"GET ", b"a" * 40]
CONVERSATIONS = 3000


def mutate(number):
    """A conversation of a few requests in which a few places are changed; always the same for a number."""
    choose = random.Random(f"edge {number}")
    data = bytearray(b"".join(choose.choice(SEEDS) for _ in range(choose.randrange(1, 4))))
    for _ in range(choose.choice([1, 1, 1, 2, 2, 3])):
        at = choose.randrange(len(data) + 1)
        change = choose.randrange(6)
        if change == 0:
            data[at:at] = choose.choice(WORDS)
        elif change == 1:
            del data[at : at + choose.choice([1, 1, 2, 3, 8])]
        elif change == 2:
            data[at : at + 1] = bytes([choose.randrange(256)])
        elif change == 3:
            data[at : at + 1] = choose.choice(WORDS)
        elif change == 4:
            size = choose.randrange(1, 30)
            data[at:at] = data[at : at + size]
        else:
            lines = bytes(data).split(b"\r\n")
            first, second = choose.randrange(len(lines)), choose.randrange(len(lines))
            lines[first], lines[second] = lines[second], lines[first]
            data = bytearray(b"\r\n".join(lines))
    whole = bytes(data) + SENTINEL
    cut = whole[: choose.randrange(len(whole))] if number % 8 == 3 else whole
    return cut if cut and isinstance(read(cut)[-1], Incomplete) else whole


def is_for_the_mirror(target):
    path = re.sub(rb"^(?i:https?)://[^/]*", b"", target).split(b"?")[0].strip(b"/")
    return path == b"late" or path.startswith(b"late/")


def compare(received, strict):
    """Each answer is that of the next request that a strict reader found, and there are no others."""
    requests = [item for item in strict if isinstance(item, Request)]
    end = strict[-1] if strict and not isinstance(strict[-1], Request) else None
    answers = read_answers(received, ["HEAD" if request.method == b"HEAD" else "GET" for request in requests])
    for number, (answer, request) in enumerate(zip(answers, requests)):
        if answer.status == 400:
            assert re.search(rb"[#<>`\x80-\xff]", request.target), answer  # no path or query holds that
        elif answer.status == 500:
            assert not request.is_text, answer  # Spin gives no guest values that are not UTF-8
        elif answer.status == 421:
            assert request.target.lower().startswith(b"https:"), answer
        elif is_for_the_mirror(request.target):
            assert answer.status == 200, answer
            if request.method != b"HEAD":
                assert answer.whole, answer
                method, target, body, _ = seen(answer)
                assert (method, body) == (request.method, request.body)
                assert request.target.endswith(target)
        else:
            assert answer.status in (200, 404), answer
        if answer.all("connection") == ["close"]:
            assert number == len(answers) - 1, "an answer behind the last"
            return
    assert len(answers) >= len(requests), f"{len(requests) - len(answers)} requests were not answered"
    rest = answers[len(requests) :]
    if isinstance(end, Refused):
        assert len(rest) == 1 and rest[0].status >= 400, f"not refused: {end}: {rest}"
    elif isinstance(end, Incomplete):
        assert all(answer.status >= 400 for answer in rest) and len(rest) <= 1, rest
    else:
        assert rest == [], "more answers than requests"


@pytest.mark.parametrize("part", range(10))
def test_no_bytes_are_answered_otherwise_than_a_strict_reader_has_them(edge, part):
    for number in range(part, CONVERSATIONS, 10):
        data = mutate(number)
        strict = read(data)
        incomplete = isinstance(strict[-1], Incomplete)
        methods = ["HEAD" if item.method == b"HEAD" else "GET" for item in strict if isinstance(item, Request)]
        way = edge.way("tls" if number % 50 == 0 else "clear")
        with way.socket:
            received = converse(way, data, piece=choose_piece(number), answered=has_answers(methods) if incomplete else None)
        try:
            compare(received, strict)
        except AssertionError as error:
            raise AssertionError(f"conversation {number}: {data!r}\n{received!r}\n{strict}\n{error}") from None


def choose_piece(number):
    return (None, None, 1, 7)[number // 10 % 4]


def test_the_conversations_have_everything_that_they_are_for():
    """So that a change to the mutations cannot quietly take something out."""
    ends = [type(read(mutate(number))[-1]).__name__ for number in range(CONVERSATIONS)]
    assert mutate(17) == mutate(17)
    for kind in ("Request", "Refused", "Incomplete"):
        assert ends.count(kind) > CONVERSATIONS // 20, kind
    why = {item.why.split(":")[0] for number in range(CONVERSATIONS) for item in read(mutate(number)) if isinstance(item, Refused)}
    assert {"a bare line end", "no request line", "no field", "not one Host", "framing that is not clear", "a coding"} <= why
    assert {"no length", "no size of a chunk", "no line end behind a chunk", "an expectation", "no authority"} <= why
