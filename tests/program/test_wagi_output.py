"""What a WAGI module writes becomes a response. The guest copies the request's body to its output, so each case's
document is what it wrote. Expected values are those of Spin's crates/http/src/wagi/mod.rs, compose_response and
parse_cgi_headers; what is an error there, and no output (crates/trigger-http/src/wagi.rs, execute), is 500 with an empty
body (crates/trigger-http/src/server.rs, respond_wasm_component)."""

import pytest

from harness import in_background


def answered(served, document, target="/wagi/cat"):
    return served.request("POST", target, body=document)


def send_document(wire, document):
    wire.send(b"POST /wagi/cat HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(document) + document)


INSUFFICIENT = b"Exactly one of 'location' or 'content-type' must be specified"

# The document; the status, headers (None: must not be there) and body that it becomes.
DOCUMENTS = {
    "a content type": (b"Content-Type: text/plain\n\nbody\n", 200, {"content-type": "text/plain"}, b"body\n"),
    "any case of a name": (b"cOnTeNt-tYpE: text/x\n\nb", 200, {"content-type": "text/x"}, b"b"),
    "CR before LF": (b"content-type: text/x\r\n\r\nbody\r\n", 200, {"content-type": "text/x"}, b"body\r\n"),
    "no body": (b"content-type: text/x\n\n", 200, {"content-type": "text/x"}, b""),
    "a body of any bytes": (b"content-type: a/b\n\n\0\xff\r\n\n\r", 200, {"content-type": "a/b"}, b"\0\xff\r\n\n\r"),
    "an empty line in the body": (b"content-type: a/b\n\n\n\nx: y\n\n", 200, {}, b"\n\nx: y\n\n"),
    "a status": (b"Status: 201 Created\ncontent-type: a/b\n\nx", 201, {"content-type": "a/b", "status": None}, b"x"),
    "a status without text": (b"Status: 418\n\nteapot", 418, {"content-type": None}, b"teapot"),
    "a status that is none": (b"Status: many\ncontent-type: a/b\n\nx", 502, {}, None),
    "a status out of range": (b"Status: 1000\ncontent-type: a/b\n\nx", 502, {}, None),
    "a location": (b"Location: http://a/b\n\n", 302, {"location": "http://a/b"}, b""),
    "a location and a content type": (
        b"location: /x\ncontent-type: a/b\n\ngo",
        302,
        {"location": "/x", "content-type": "a/b"},
        b"go",
    ),
    "a location before a status": (b"location: /x\nstatus: 307\n\n", 307, {"location": "/x"}, b""),
    "a status before a location": (b"status: 201 Created\nlocation: /x\n\n", 201, {"location": "/x"}, b""),
    "other headers": (b"content-type: a/b\nX-One: 1\nx-two:2\n\n", 200, {"x-one": "1", "x-two": "2"}, b""),
    "a header twice": (b"content-type: a/b\nX-One: 1\nX-One: 2\n\n", 200, {"x-one": "2"}, b""),
    "a colon in a value": (b"content-type: a/b\nX-One: a:b: c\n\n", 200, {"x-one": "a:b: c"}, b""),
    "a line without a colon": (b"content-type: a/b\nnonsense\nX-One: 1\n\nx", 200, {"x-one": "1"}, b"x"),
    "a name that is none": (b"content-type: a/b\nX One: 1\nX-Two: 2\n\nx", 200, {"x-two": "2", "x one": None}, b"x"),
    "a name that is empty": (b"content-type: a/b\n: 1\n\nx", 200, {}, b"x"),
    "headers without an end": (b"content-type: a/b\n", 500, {}, INSUFFICIENT),
    "none of the needed headers": (b"X-One: 1\n\nbody", 500, {"x-one": None}, INSUFFICIENT),
    "only an empty line": (b"\n\nbody", 500, {}, INSUFFICIENT),
    "no output": (b"", 500, {}, b""),
    "headers that are not UTF-8": (b"content-type: a/b\nX-One: \xff\n\n", 500, {}, b""),
    "a control character in a value": (b"content-type: a/b\nX-One: a\x01b\n\nbody", 500, {"x-one": None}, b""),
    "a control character in the content type": (b"content-type: a/\x01b\n\nbody", 500, {"content-type": None}, b""),
    "a control character in a value that is replaced": (
        b"content-type: a/b\nX-One: a\x01b\nX-One: 2\n\nx",
        200,
        {"x-one": "2"},
        b"x",
    ),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_modules_output_becomes_the_response(served, case):
    document, status, headers, body = DOCUMENTS[case]
    response = answered(served, document)
    assert response.status == status, response
    for name, value in headers.items():
        assert response.all(name) == ([] if value is None else [value]), response
    if body is not None:
        assert response.body == body


@pytest.mark.parametrize("status", [1, 3, 125])
def test_an_exit_status_other_than_0_is_500_whatever_was_written(served, status):
    """crates/trigger-http/src/wagi.rs, ignore_successful_proc_exit_trap: but for 0 it is an error."""
    response = answered(served, b"content-type: a/b\n\nbody", f"/wagi/cat?{status}")
    assert (response.status, response.body) == (500, b"")
    served.stderr.wait_for(rf"^weir: error: .*\bcat\b.*\b{status}\b")


def test_an_exit_status_after_the_response_began_cuts_it(served):
    """weir differs: Spin's wagi.rs collects all output first. The guest waits when 64 to 128 KiB are held."""
    document = b"content-type: a/b\n\n" + b"x" * (1024 * 1024)
    with served.wire() as wire:
        wire.send(b"POST /wagi/cat?3 HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(document))
        with in_background(lambda: wire.send(document)) as sent:
            response = wire.head()
            assert (response.status, response.all("transfer-encoding")) == (200, ["chunked"]), response
            with pytest.raises(EOFError):
                wire.body(response)
            sent()
    served.stderr.wait_for(r"^weir: error: .*\bcat\b.*after its response began: .*\b3\b")
    assert served.get("/echo/").status == 200


def test_a_status_without_a_body_sends_none(served):
    for status in (204, 304):
        with served.wire() as wire:
            send_document(wire, b"status: %d\n\nthis must not be sent" % status)
            response = wire.response()
            assert response.status == status
            assert response.all("transfer-encoding") == []
            wire.send(b"GET /echo/ HTTP/1.1\r\nHost: a\r\n\r\n")
            assert wire.response().status == 200, "the connection is out of step"


@pytest.mark.parametrize(
    "line",
    [b"Transfer-Encoding: chunked", b"Connection: close", b"Keep-Alive: timeout=1", b"Upgrade: h2c"],
    ids=bytes.decode,
)
def test_a_module_does_not_speak_for_the_connection(served, line):
    with served.wire() as wire:
        for _ in range(2):
            send_document(wire, b"content-type: a/b\n" + line + b"\n\nbody")
            response = wire.response()
            assert (response.status, response.body) == (200, b"body"), response
            assert response.get(line.decode().split(":")[0]) in (None, "chunked", "Keep-Alive"), response


@pytest.mark.parametrize("length", [b"3", b"3000", b"4, 4", b"4\nContent-Length: 3", b"-4", b"many", b"9" * 30])
def test_a_length_that_is_not_the_bodys_never_shifts_the_connection(served, length):
    """Cut at the length, or refused; a body that is short does not look whole, and what comes next is the next."""
    with served.wire() as wire:
        send_document(wire, b"content-type: a/b\nContent-Length: " + length + b"\n\nbody")
        try:
            response = wire.response()
            if response.status != 200:
                assert response.status in (500, 502), response
            else:
                assert (response.body, length) == (b"bod", b"3")
            send_document(wire, b"content-type: a/b\n\nnext")
            assert wire.response().body == b"next"
        except (EOFError, ConnectionError):
            pass
    assert served.get("/echo/").status == 200


def test_a_length_that_is_the_bodys_is_kept(served):
    response = answered(served, b"content-type: a/b\nContent-Length: 4\n\nbody")
    assert (response.status, response.body, response.all("content-length")) == (200, b"body", ["4"])


def test_a_module_cannot_split_the_response(served):
    """A CR is ignored between headers and so may not become a line's end; nothing after it may become a header."""
    for value in (b"a\rX-Evil: 1", b"a\r\r\nX-Evil2: 1\r", b"\0", b"a\x0bb"):
        response = answered(served, b"content-type: a/b\nX-One: " + value + b"\n\nbody")
        assert response.status in (200, 500), response
        assert not response.all("x-evil"), response
        for _, text in response.headers:
            assert all(c >= " " or c == "\t" for c in text), response
    assert served.get("/echo/").status == 200


def test_many_headers_and_long_ones_are_passed_on_or_refused_whole(served):
    document = b"content-type: a/b\n" + b"".join(b"X-%d: %s\n" % (n, b"v" * 100) for n in range(80)) + b"\nbody"
    response = answered(served, document)
    assert response.status == 200
    assert len([name for name, _ in response.headers if name.startswith("x-")]) == 80
    for size in (10_000, 30_000, 60_000, 100_000, 4_000_000):
        response = answered(served, b"content-type: a/b\nX-Long: " + b"v" * size + b"\n\nbody")
        assert response.status in (200, 500, 502), response.status
        if response.status == 200:
            assert response.get("x-long") == "v" * size
    assert served.get("/echo/").status == 200
