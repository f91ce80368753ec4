"""A reader of what a client sends, written from RFC 9110 and 9112 alone and as strict as they allow. It is slow and reads
all at once, so that there is nothing in it to get wrong in the way a server can."""

import re
from dataclasses import dataclass

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(rb"(%s) ([\x21-\x7e\x80-\xff]+) HTTP/([0-9])\.([0-9])" % TOKEN)
FIELD = re.compile(rb"(%s):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*" % TOKEN)
HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?")
QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
EXTENSION = rb";[ \t]*%s[ \t]*(?:=[ \t]*(?:%s|%s)[ \t]*)?" % (TOKEN, TOKEN, QUOTED)
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})((?:%s)*)" % EXTENSION)


@dataclass
class Request:
    """It is complete."""

    method: bytes
    target: bytes
    body: bytes
    keeps: bool
    is_text: bool = True  # all values of its headers are UTF-8


@dataclass
class Refused:
    """It is answered with an error, and nothing behind it counts."""

    why: str


@dataclass
class Incomplete:
    """Nothing can be said of it before more comes; `body`: its head is complete."""

    body: bool = False


class Wrong(Exception):
    pass


class More(Exception):
    def __init__(self, body=False):
        super().__init__()
        self.body = body


def is_utf8(text):
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def members(values):
    return [member.strip(b" \t").lower() for value in values for member in value.split(b",")]


def read_fields(lines):
    fields = {}
    for line in lines:
        found = FIELD.fullmatch(line)
        if found is None:
            raise Wrong(f"no field: {line!r}")
        fields.setdefault(found[1].lower(), []).append(found[2])
    return fields


def lines_to_the_empty_one(data, at):
    end = data.find(b"\r\n\r\n", at - 2 if data[at - 2 : at] == b"\r\n" else at)
    if end < 0:
        # A line end that is none cannot be mended by what comes.
        if re.search(rb"(?<!\r)\n|\r[^\n]", data[at:]):
            raise Wrong("a bare line end")
        raise More()
    text = data[at:end] if end >= at else b""
    if re.search(rb"[\r\n]", text.replace(b"\r\n", b"")):
        raise Wrong("a bare line end")
    return (text.split(b"\r\n") if text else []), end + 4


def read_chunks(data, at):
    body = b""
    while True:
        end = data.find(b"\r\n", at)
        line = data[at:] if end < 0 else data[at:end]
        found = CHUNK_LINE.fullmatch(line)
        if end < 0:
            raise More(body=True)
        if found is None or int(found[1], 16) > 2**63 - 1:
            raise Wrong(f"no size of a chunk: {line!r}")
        size = int(found[1], 16)
        at = end + 2
        if size == 0:
            break
        if len(data) < at + size:
            raise More(body=True)
        body += data[at : at + size]
        at += size
        if data[at : at + 2] != b"\r\n":
            if b"\r\n".startswith(data[at : at + 2]):
                raise More(body=True)
            raise Wrong("no line end behind a chunk")
        at += 2
    try:
        lines, at = lines_to_the_empty_one(data, at)
    except More:
        raise More(body=True) from None
    read_fields(lines)
    return body, at


def authority_is_sound(authority):
    found = HOST.fullmatch(authority)
    return found is not None and int(found[1] or b"0") <= 65535


def check_target(method, target, fields):
    hosts = fields.get(b"host", [])
    host = hosts[0] if hosts else b""
    if method == b"CONNECT":
        raise Wrong("a tunnel")
    if target == b"*":
        if method != b"OPTIONS":
            raise Wrong("an asterisk")
    elif not target.startswith(b"/"):
        found = re.fullmatch(rb"(?i:http|https)://([^/?]*)(/.*)?", target, flags=re.S)
        if found is None or not authority_is_sound(found[1]) or (host and found[1].lower() != host.lower()):
            raise Wrong("a target that is none")
        host = host or found[1]
    if not authority_is_sound(host):
        raise Wrong("no authority")


def read_request(data, at):
    while data[at : at + 2] == b"\r\n":
        at += 2
    if data[at:] in (b"", b"\r"):
        raise More()
    lines, end = lines_to_the_empty_one(data, at)
    line = REQUEST_LINE.fullmatch(lines[0]) if lines else None
    if line is None or line[3] != b"1" or line[4] not in b"01":
        raise Wrong("no request line")
    minor = int(line[4])
    fields = read_fields(lines[1:])
    hosts, lengths = fields.get(b"host", []), fields.get(b"content-length", [])
    codings = fields.get(b"transfer-encoding", [])
    if len(hosts) > 1 or (minor == 1 and not hosts):
        raise Wrong("not one Host")
    if len(lengths) + len(codings) > 1 or (codings and minor == 0):
        raise Wrong("framing that is not clear")
    if codings and codings[0].lower() != b"chunked":
        raise Wrong("a coding")
    if lengths and (not re.fullmatch(rb"[0-9]+", lengths[0]) or int(lengths[0]) > 2**63 - 1):
        raise Wrong("no length")
    if minor == 1 and set(members(fields.get(b"expect", []))) - {b"100-continue", b""}:
        raise Wrong("an expectation")
    check_target(line[1], line[2], fields)
    connection = members(fields.get(b"connection", []))
    keeps = b"close" not in connection and (minor == 1 or b"keep-alive" in connection)
    body = b""
    if codings:
        body, end = read_chunks(data, end)
    elif lengths:
        if len(data) < end + int(lengths[0]):
            raise More(body=True)
        body, end = data[end : end + int(lengths[0])], end + int(lengths[0])
    return Request(line[1], line[2], body, keeps, is_utf8(b"".join(lines[1:]))), end


def read(data):
    """What a strict server makes of these bytes, of which no more will come: Requests, then nothing, or one Refused or
    Incomplete."""
    found = []
    at = 0
    while at < len(data):
        try:
            request, at = read_request(data, at)
        except Wrong as wrong:
            return [*found, Refused(str(wrong))]
        except More as more:
            return [*found, Incomplete(more.body)]
        found.append(request)
        if not request.keeps:
            break
    return found
