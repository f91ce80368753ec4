"""Requests that are made from a number, and what Spin's sources say that a guest sees of each. Nothing here is derived from
what weir does.

Spin's sources: spinframework/spin at 94a8fc8a. Where weir differs on purpose (docs/spin-compatibility.md says why), no
such request is made: a client's spin-* headers and Proxy are dropped, and a path with %00 has no environment variable.
"""

import random
import urllib.parse
from dataclasses import dataclass

COUNT = 200
MIB = 1024 * 1024
LARGEST_BODY = 16 * MIB

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "get", "X-Odd!"]
HOSTS = ["a", "example.test", "example.test:8080", "EXAMPLE.test:1", "127.0.0.1:3000", "[::1]:80", "[2001:db8::1]"]
SEGMENTS = ["", "", ".", "..", "...", "a", "A", "x.json", "%", "%2", "%2f", "%2F", "%C3%A9", "%ff", "%25", "a%20b", "a+b"]
SEGMENTS += ["*", ":id", "~", "a;b=c", "$", "${ARGS}", "{{x}}", "a@b", "é", "a:b", "-", "_", "'", '"', "(x)", "%zz", "%E2%82"]
QUERIES = [None, None, "", "a", "a=1", "a=1&b=2", "&", "&&", "a=&=b", "x=%20+%2B", "?", "/?/", "é=ü", "a=1&a=2", "${ARGS}"]
QUERIES += ["q=" + "y" * 3000, "%zz", "a[]=1", "{}"]
NAMES = ["X-One", "x-two", "X-THREE", "x_under", "X.Dot", "X!", "Accept", "Cookie", "User-Agent", "Content-Type", "Via"]
NAMES += ["Authorization", "Keep-Alive", "Proxy-Authorization", "Upgrade-Insecure-Requests", "X-Forwarded-For", "Range"]
VALUES = [b"", b"1", b"two words", b"  padded\t ", b"in\tside", b'"quoted, list"', b"a, b;q=0.5", b"gr\xc3\xbcn", b"a:b: c"]
VALUES += [b"\xe2\x82\xac", b"%20%0d%0a", b"../../etc", b"${SCRIPT_NAME}", b"=", b"0" * 200]
NOT_UTF8 = b"caf\xe9"

# wasmtime-wasi-http/src/lib.rs, DEFAULT_FORBIDDEN_HEADERS: no guest sees these. Spin keeps the default.
FORBIDDEN = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"}
FORBIDDEN |= {"transfer-encoding", "upgrade", "host", "http2-settings"}


@dataclass
class Generated:
    number: int
    prefix: str  # the route's, without its wildcard
    method: str
    path: str
    query: str | None
    headers: list  # of (name, value in bytes), as they go on the wire, Host first
    body: bytes
    chunks: list | None  # their sizes, when the body is chunked

    @property
    def target(self):
        return self.path if self.query is None else f"{self.path}?{self.query}"

    @property
    def host(self):
        return self.headers[0][1].decode()

    @property
    def received(self):
        """The headers as a server reads them: names in lower case, values without the white space around them."""
        return [(name.lower(), value.strip(b" \t")) for name, value in self.headers]

    def __str__(self):
        body = f"{len(self.body)} bytes" + (f" in {len(self.chunks)} chunks" if self.chunks is not None else "")
        return f"request {self.number}: {self.method} {self.target} {self.headers} {body}"

    # -- on the wire

    def head(self):
        lines = [f"{self.method} {self.target} HTTP/1.1".encode()]
        lines += [name.encode() + b": " + value for name, value in self.headers]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def pieces(self):
        """The bytes of the body on the wire."""
        if self.chunks is None:
            for start in range(0, len(self.body), 256 * 1024):
                yield self.body[start : start + 256 * 1024]
            return
        start = 0
        for size in self.chunks:
            yield b"%x\r\n%s\r\n" % (size, self.body[start : start + size])
            start += size
        yield b"0\r\n\r\n"


def body_size(number, choose):
    if number % 100 == 50:
        return LARGEST_BODY
    if number % 20 == 10:
        return choose.randrange(64 * 1024, MIB)
    return choose.choice([0, 0, 0, 1, choose.randrange(2, 200), choose.randrange(200, 70_000), 65536])


def chunk_sizes(size, choose):
    sizes = []
    while size > 0:
        sizes.append(min(size, choose.choice([1, 7, 4096, 65536, 300_000, MIB]) if len(sizes) < 20 else size))
        size -= sizes[-1]
    return sizes


def generate(number, prefix):
    """The request of that number for the route `prefix`/...; always the same."""
    choose = random.Random(f"weir {number}")
    path = "/" * choose.choice([1, 1, 1, 1, 1, 1, 1, 2, 3]) + prefix.strip("/")
    path += "".join("/" + choose.choice(SEGMENTS) for _ in range(choose.choice([0, 0, 1, 1, 2, 3, 5])))
    if number % 40 == 7:
        path += "/" + "long" * 500
    headers = [(choose.choice(["Host", "host", "HOST"]), choose.choice(HOSTS).encode())]
    for _ in range(choose.choice([0, 1, 2, 4, 8, 40])):
        headers.append((choose.choice(NAMES), choose.choice(VALUES)))
    if number % 25 == 3:
        headers.append(("X-Long", b"v" * choose.randrange(1000, 8000)))
    if number % 25 == 4:
        headers.append(("X-Bytes", NOT_UTF8))
    body = choose.randbytes(body_size(number, choose))
    chunks = None
    if choose.random() < 0.4:
        chunks = chunk_sizes(len(body), choose)
        headers.append(("Transfer-Encoding", b"chunked"))
    elif body or choose.random() < 0.5:
        headers.append(("Content-Length", b"%d" % len(body)))
    return Generated(number, prefix, choose.choice(METHODS), path, choose.choice(QUERIES), headers, body, chunks)


# ---- what a guest sees -----------------------------------------------------------------------------------------------


def trailing_wildcard(request):
    """crates/routes/src/lib.rs, RouteMatchKind::trailing_wildcard, for the route `prefix`/...; routefinder 0.5.4 matches
    the path without the slashes at both of its ends, and captures what follows the prefix and one slash."""
    trimmed = request.path.strip("/")
    route = request.prefix.strip("/")
    assert trimmed == route or trimmed.startswith(route + "/"), request
    captured = trimmed[len(route) + 1 :]
    ends_in_slash = request.path.endswith("/")
    if captured == "":
        return "/" if ends_in_slash else ""
    return f"/{captured}/" if ends_in_slash else f"/{captured}"


def spin_values(request, client):
    """crates/trigger-http/src/headers.rs, compute_default_headers: by the end of the names of header and variable."""
    return {
        "PATH_INFO": trailing_wildcard(request),
        "FULL_URL": f"http://{request.host}{request.target}",
        "MATCHED_ROUTE": f"{request.prefix}/...",
        "BASE_PATH": "/",
        "RAW_COMPONENT_ROUTE": f"{request.prefix}/...",
        "COMPONENT_ROUTE": request.prefix,
        "CLIENT_ADDR": client,
    }


def is_utf8(value):
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def seen_by_component(request, client):
    """What `http_mirror` reports of the request, or None when Spin answers it with 500.

    crates/trigger-http/src/headers.rs, prepare_request_headers: a value that is not UTF-8 fails the request. wasi.rs: the
    scheme is always HTTP, repeated headers keep their order. server.rs, set_req_uri: the authority is the Host header's.
    """
    if not all(is_utf8(value) for _, value in request.headers):
        return None
    headers = {}
    for name, value in request.received:
        if name not in FORBIDDEN:
            headers.setdefault(name, []).append(value)
    for name, value in spin_values(request, client).items():
        headers["spin-" + name.lower().replace("_", "-")] = [value.encode()]
    return {
        "method": [request.method.encode()],
        "scheme": [b"HTTP"],
        "authority": [request.host.encode()],
        "target": [request.target.encode()],
        "headers": headers,
    }


def text_of(value):
    """http::HeaderValue::to_str: visible ASCII, spaces and tabs, or nothing."""
    return value.decode() if all(32 <= byte < 127 or byte == 9 for byte in value) else None


def server_of(host):
    """crates/http/src/wagi/mod.rs, parse_host_header_uri, with "default_host" as wagi.rs gives it and no port in the URI"""
    name, _, port = host.partition(":")
    return name or "default_host", port or "80"


def seen_by_wagi(request, client):
    """What `wagi_mirror` reports: crates/trigger-http/src/wagi.rs and crates/http/src/wagi/mod.rs, build_headers.

    But for CONTENT_TYPE, where weir differs on purpose: build_headers looks for a header that is called "CONTENT_TYPE", so
    that Spin has "" for Content-Type. Here it is RFC 3875's (section 4.1.3), and what is no text is "" as there.
    """
    address = client.rpartition(":")[0].strip("[]")
    path_info = trailing_wildcard(request)
    name, port = server_of(request.host)
    types = [text_of(value) or "" for key, value in request.received if key == "content-type"]
    variables = {
        "AUTH_TYPE": "",
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": types[0] if types else "",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "QUERY_STRING": request.query or "",
        "REMOTE_ADDR": address,
        "REMOTE_HOST": address,
        "REMOTE_USER": "",
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": request.prefix,
        "X_RAW_PATH_INFO": path_info,
        "PATH_TRANSLATED": urllib.parse.unquote_to_bytes(path_info).decode("utf-8", "replace"),
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "WAGI/1",
    }
    for key, value in request.received:
        if key not in ("authorization", "connection"):
            text = text_of(value)
            variables["HTTP_" + key.upper().replace("-", "_")] = "CORRUPT VALUE" if text is None else text
    for key, value in spin_values(request, client).items():
        variables["PATH_INFO" if key == "PATH_INFO" else f"X_{key}"] = value
    arguments = "${SCRIPT_NAME} ${ARGS}".replace("${SCRIPT_NAME}", request.path)
    arguments = arguments.replace("${ARGS}", (request.query or "").replace("&", " "))
    return {
        "argument": [argument.encode() for argument in arguments.split(" ")],
        "variables": {name: [value.encode()] for name, value in variables.items()},
    }
