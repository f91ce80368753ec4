"""Whatever a guest says of its response, what comes over the wire is one response, well formed, whose end is certain; it is
never two, and a client never takes a part for the whole. Read as strictly as in test_smuggling.py."""

import random
import urllib.parse

import pytest

from conftest import make_program
from harness import Component, Server, write_application
from smuggling import InTheClear, converse, read_answers

NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
EVIL = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"


@pytest.fixture(scope="module", params=["release", "asan"])
def server(request, guest, tmp_path_factory):
    directory = tmp_path_factory.mktemp(f"responses-{request.param}")
    components = [
        Component("respond", "/respond", guest("http_respond")),
        Component("cat", "/cat", guest("wagi_cat"), wagi=True),
    ]
    application = write_application(directory, components)
    server = Server(make_program(request.param, directory), application, "--quiet")
    try:
        server.wait_until_serving()
        yield server
        server.stop()
    finally:
        server.kill()


def answers_to(server, request, method, keeps=True):
    """The one answer to a request, and whether the one behind it was answered; everything else that comes is an error."""
    way = InTheClear(server.wire().socket)
    with way.socket:
        received = converse(way, request + NEXT)
    answers = read_answers(received, [method, "GET"])
    assert len(answers) <= 2, received
    if len(answers) == 2:
        assert keeps and (answers[1].status, answers[1].body) == (404, b""), received
        assert answers[0].whole and "close" not in answers[0].all("connection"), received
    return answers[0] if answers else None, len(answers) == 2


def respond(server, method="GET", version="1.1", status=200, header=(), body=""):
    """What http_respond is told to answer."""
    pairs = [("status", status), *(("header", value) for value in header), ("body", body)]
    target = "/respond?" + urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote, encoding="latin-1")
    keeps = "Connection: keep-alive\r\n" if version == "1.0" else ""
    return answers_to(server, f"{method} {target} HTTP/{version}\r\nHost: a\r\n{keeps}\r\n".encode(), method)


STATUSES = [0, 99, 100, 101, 102, 103, 199, 200, 204, 205, 206, 304, 404, 418, 500, 599, 600, 999, 1000]
BODIES = ["", "four", EVIL]
LENGTHS = [None, "0", "4", "3", "5", "-1", "4, 4", "+4", "0x4", "99999999999999999999", "", " 4"]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", STATUSES)
def test_a_status_and_a_length_of_a_component_never_shift_what_follows(server, status, method, version):
    for body in BODIES:
        for length in LENGTHS:
            header = [] if length is None else [f"content-length:{length}"]
            answer, _ = respond(server, method, version, status=status, header=header, body=body)
            case = (status, method, version, body, length, answer)
            if answer is None:
                assert length is not None, case
                continue
            if (answer.status, answer.body) != (500, b""):
                assert answer.status == status and 200 <= status <= 999, case
                if answer.whole and method == "GET" and status not in (204, 205, 304):
                    refused = b"refused content-length\n" if length is not None else b""  # by the host, says the guest
                    stated = body[: int(length)] if length in ("0", "3", "4", " 4", "5") else body
                    assert answer.body in (body.encode(), body.encode() + refused, stated.encode()), case
            if answer.status == 205:
                assert answer.body == b"", "RFC 9110, section 15.3.6"


NAMES = ["x-one", "X-ONE", "", " ", "x one", "x:one", "x\r\none", "x\none", "x\0one", "x\xffone", "(x)", "connection", "keep-alive"]
NAMES += ["transfer-encoding", "upgrade", "te", "trailer", "proxy-connection", "content-length", "date", "set-cookie", "host"]
VALUES = ["", "1", "close", "chunked", "gzip, chunked", "a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rX-Evil: 1", "a\0b", "\r\n\r\n" + EVIL]
VALUES += [" a ", "a\tb", "a\x0bb", "a\x7fb", "gr\xfcn", "x" * 3000]


@pytest.mark.parametrize("name", NAMES)
def test_a_header_of_a_component_is_one_header_or_none(server, name):
    for value in VALUES:
        for method in ("GET", "HEAD"):
            answer, _ = respond(server, method, header=[f"{name}:{value}"], body="four")
            case = (name, value, method, answer)
            if answer is None:
                continue
            assert not answer.all("x-evil") and b"evil" not in answer.body, case
            assert answer.all("connection") in ([], ["close"]), case
            for forbidden in ("keep-alive", "upgrade", "te", "proxy-connection"):
                assert not answer.all(forbidden), case


def documents():
    """What a WAGI program may write: headers of all kinds, mutated with a fixed seed."""
    choose = random.Random("responses")
    lines = [f"{name}: {value}" for name in NAMES for value in VALUES[:9]]
    lines += [f"status: {status}" for status in [*STATUSES, "200 OK", "200\r\nX-Evil: 1", "-1", "two", "200 " + "x" * 300]]
    lines += [f"content-length: {length}" for length in LENGTHS if length is not None]
    lines += ["location: /x", "location: /x\rX-Evil: 1", "HTTP/1.1 200 OK", "nonsense", " folded", "\tX-Evil: 1"]
    for number in range(300):
        chosen = choose.sample(lines, choose.randrange(0, 4))
        chosen.insert(choose.randrange(len(chosen) + 1), "content-type: text/plain")
        end = choose.choice(["\n", "\n", "\r\n", "\r"])
        text = end.join(chosen) + choose.choice(["\n\n", "\n\n", "\r\n\r\n", "\n", "\r\r", ""])
        text += choose.choice(["", "four", EVIL, "\0"])
        document = bytearray(text.encode("latin-1"))
        if number % 3 == 0 and document:
            document[choose.randrange(len(document))] = choose.randrange(256)
        yield bytes(document)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("method", ["POST", "HEAD"])
def test_no_output_of_a_module_is_more_than_one_response(server, method, version):
    kinds = set()
    for document in documents():
        head = f"{method} /cat HTTP/{version}\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: {len(document)}\r\n\r\n"
        answer, _ = answers_to(server, head.encode() + document, method)
        case = (document, answer)
        if answer is None:
            continue
        kinds.add(answer.status)
        assert 200 <= answer.status <= 999, case
        assert answer.all("connection") in ([], ["close"], ["keep-alive"]), case
        assert answer.all("connection") != ["keep-alive"] or version == "1.0", case
        # A line's end of any kind ends a header; what stands behind one is a header of its own at most.
        assert not answer.all("x-evil") or b"X-Evil" in document, case
        if answer.whole and answer.status == 200 and method == "POST" and answer.body:
            assert document.endswith(answer.body), case
    assert {200, 500, 502, 302} <= kinds, kinds


def test_the_client_sees_that_a_body_broke_off(server):
    """Fewer bytes than were stated: it is not whole, and nothing follows."""
    answer, follows = respond(server, header=["content-length:5"], body="four")
    assert not follows or answer.status == 500, answer
    assert answer is None or not answer.whole or answer.status == 500, answer
