"""Behind a proxy: whom a guest takes for its client is whom a trusted proxy names, and nobody else can name anybody. Proxies
are told by their addresses: 127.0.0.2 and 127.0.0.3 are trusted here, 127.0.0.9 is not."""

import contextlib
import socket
import ssl
import struct
import time

import pytest

from conftest import make_program
from harness import REQUEST_DEADLINE, Component, Server, Wire, starting, write_application
from mirror import read_report, report_of_component, report_of_wagi

TRUSTED, STRANGER = "127.0.0.2", "127.0.0.9"
TRUST = ("--trusted-proxy", TRUSTED, "--trusted-proxy", "127.0.0.3/32", "--trusted-proxy", "2001:db8:ff::/48")


def application_of(guest, directory):
    components = [
        Component("mirror", "/mirror/...", guest("http_mirror")),
        Component("wagi", "/wagi/...", guest("wagi_mirror"), wagi=True),
    ]
    return write_application(directory, components)


@pytest.fixture(scope="module", params=["release", "asan"])
def program(request, tmp_path_factory):
    return make_program(request.param, tmp_path_factory.mktemp(f"program-{request.param}"))


@pytest.fixture(scope="module")
def start(program, guest, tmp_path_factory):
    application = application_of(guest, tmp_path_factory.mktemp("application"))
    with starting(program, application, "--quiet") as begin:
        yield begin


@pytest.fixture(scope="module")
def headers_believed(start):
    return start(*TRUST)


@pytest.fixture(scope="module")
def protocol_spoken(start):
    return start("--proxy-protocol", *TRUST)


def dial(server, source):
    return Wire(socket.create_connection((server.host, server.port), REQUEST_DEADLINE, (source, 0)))


def ask(wire, headers=b"", target=b"/mirror/x"):
    wire.send(b"GET %s HTTP/1.1\r\nHost: a:81\r\n%s\r\n" % (target, headers))
    return wire.response()


def told(response):
    """What a component is told: client, full URL, authority and scheme."""
    assert response.status == 200, response
    report = report_of_component(read_report(response.body)[0])
    values = [*report["headers"]["spin-client-addr"], *report["headers"]["spin-full-url"], *report["authority"]]
    return [value.decode() for value in values], report["headers"]


def own(wire):
    return "%s:%d" % wire.socket.getsockname()


SAID = {
    "nothing": (b"", None, "http://a:81/mirror/x"),
    "Forwarded": (b"Forwarded: for=192.0.2.7", "192.0.2.7:0", "http://a:81/mirror/x"),
    "with a port": (b'Forwarded: for="192.0.2.7:47"', "192.0.2.7:47", "http://a:81/mirror/x"),
    "with a hidden port": (b'Forwarded: for="192.0.2.7:_x"', "192.0.2.7:0", "http://a:81/mirror/x"),
    "IPv6": (b'Forwarded: for="[2001:db8::7]:47"', "[2001:db8::7]:47", "http://a:81/mirror/x"),
    "all of it": (
        b'Forwarded: FOR=192.0.2.7;Proto=HTTPS;by="_x";host="b.test:8443"',
        "192.0.2.7:0",
        "https://b.test:8443/mirror/x",
    ),
    "extensions and spaces": (b'Forwarded:  a="b;,\\"" ; for=192.0.2.7 ;', "192.0.2.7:0", "http://a:81/mirror/x"),
    "what the client made up before it": (
        b"Forwarded: for=6.6.6.6;proto=https;host=evil, for=192.0.2.7",
        "192.0.2.7:0",
        "http://a:81/mirror/x",
    ),
    "what the client made up in another line": (
        b"Forwarded: for=6.6.6.6\r\nForwarded: for=192.0.2.7",
        "192.0.2.7:0",
        "http://a:81/mirror/x",
    ),
    "two proxies": (
        b"Forwarded: for=6.6.6.6, for=192.0.2.7;proto=https, for=127.0.0.3;proto=http",
        "192.0.2.7:0",
        "https://a:81/mirror/x",
    ),
    "a proxy with an IPv6 address": (
        b'Forwarded: for=192.0.2.7, for="[2001:db8:ff::1]", for=127.0.0.3',
        "192.0.2.7:0",
        "http://a:81/mirror/x",
    ),
    "a client that hides": (b"Forwarded: for=6.6.6.6, for=_hidden;proto=https", None, "https://a:81/mirror/x"),
    "a client that is not known": (b"Forwarded: for=unknown", None, "http://a:81/mirror/x"),
    "a client behind a proxy that hides": (
        b"Forwarded: for=6.6.6.6, for=_hidden, for=127.0.0.3",
        "127.0.0.3:0",
        "http://a:81/mirror/x",
    ),
    "no client": (b"Forwarded: proto=https", None, "https://a:81/mirror/x"),
    "another scheme": (b"Forwarded: for=192.0.2.7;proto=ftp", "192.0.2.7:0", "http://a:81/mirror/x"),
    "all of them proxies": (b"Forwarded: for=127.0.0.2, for=127.0.0.3", "127.0.0.2:0", "http://a:81/mirror/x"),
    "X-Forwarded-For": (b"X-Forwarded-For: 192.0.2.7", "192.0.2.7:0", "http://a:81/mirror/x"),
    "X-Forwarded-For with IPv6": (b"X-Forwarded-For: 2001:db8::7", "[2001:db8::7]:0", "http://a:81/mirror/x"),
    "X-Forwarded-For with a port": (b"X-Forwarded-For: [2001:db8::7]:47", "[2001:db8::7]:47", "http://a:81/mirror/x"),
    "X-Forwarded-For with IPv4 and a port": (b"X-Forwarded-For: 192.0.2.7:47", "192.0.2.7:47", "http://a:81/mirror/x"),
    "X-Forwarded-For of two proxies": (
        b"X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nX-Forwarded-For: 127.0.0.3\r\nX-Forwarded-Proto: https",
        "192.0.2.7:0",
        "https://a:81/mirror/x",
    ),
    "X-Forwarded-Proto for each hop": (
        b"X-Forwarded-For: 6.6.6.6, 192.0.2.7, 127.0.0.3\r\nX-Forwarded-Proto: http, https, http",
        "192.0.2.7:0",
        "https://a:81/mirror/x",
    ),
    "X-Forwarded-For that is none": (b"X-Forwarded-For: 6.6.6.6, nonsense", None, "http://a:81/mirror/x"),
    "X-Forwarded-Host, which is not believed": (
        b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Host: evil",
        "192.0.2.7:0",
        "http://a:81/mirror/x",
    ),
    "both, the same": (
        b"Forwarded: for=192.0.2.7;proto=https\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https",
        "192.0.2.7:0",
        "https://a:81/mirror/x",
    ),
    "both, where only one says more": (
        b"Forwarded: for=192.0.2.7;proto=https;host=evil\r\nX-Forwarded-For: 192.0.2.7",
        "192.0.2.7:0",
        "http://a:81/mirror/x",
    ),
}


@pytest.mark.parametrize("case", SAID)
def test_a_trusted_proxy_is_believed_and_others_are_not(headers_believed, case):
    headers, client, url = SAID[case]
    lines = headers + b"\r\n" if headers else b""
    with dial(headers_believed, TRUSTED) as wire, dial(headers_believed, STRANGER) as stranger:
        host = url.split("/")[2]
        assert told(ask(wire, lines))[0] == [client or own(wire), url, host]
        # The next request on the same connection says something for itself.
        assert told(ask(wire))[0] == [own(wire), "http://a:81/mirror/x", "a:81"]
        values, seen = told(ask(stranger, lines))
        assert values == [own(stranger), "http://a:81/mirror/x", "a:81"]
        if b"X-Forwarded-For: 6" in lines:
            assert seen["x-forwarded-for"], "what nobody believes is passed on as it came"


WRONG = {
    "quotes that are not closed": b'Forwarded: for="192.0.2.7',
    "quotes that swallow what the proxy adds": b'Forwarded: for="6.6.6.6, for=192.0.2.7',
    "no value": b"Forwarded: for=",
    "no name": b"Forwarded: =192.0.2.7",
    "no pair": b"Forwarded: 192.0.2.7",
    "IPv6 without quotes": b"Forwarded: for=[2001:db8::7]",
    "spaces within a pair": b"Forwarded: for = 192.0.2.7",
    "a name twice": b"Forwarded: for=6.6.6.6;for=192.0.2.7",
    "text behind quotes": b'Forwarded: for="192.0.2.7"x',
    "a host that is none": b'Forwarded: for=192.0.2.7;host="a b"',
    "a host of a component": b"Forwarded: for=192.0.2.7;host=mirror.spin.internal",
    "two clients": b"Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 192.0.2.7",
    "two schemes": b"Forwarded: for=192.0.2.7;proto=https\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http",
    "a client that one hides": b"Forwarded: for=_hidden\r\nX-Forwarded-For: 192.0.2.7",
    "a scheme for a client that only one knows": b"Forwarded: for=192.0.2.7\r\nX-Forwarded-Proto: https",
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_right_is_refused_where_it_would_be_believed(headers_believed, case):
    lines = WRONG[case] + b"\r\n"
    with dial(headers_believed, TRUSTED) as wire, dial(headers_believed, STRANGER) as stranger:
        response = ask(wire, lines)
        assert (response.status, response.get("connection")) == (400, "close")
        wire.assert_closed()
        assert told(ask(stranger, lines))[0][0] == own(stranger)


def test_a_module_is_told_of_the_client_too(headers_believed):
    with dial(headers_believed, TRUSTED) as wire:
        response = ask(wire, b'Forwarded: for="[2001:db8::7]:47";proto=https;host=b\r\n', b"/wagi/x")
        variables = report_of_wagi(read_report(response.body)[0])["variables"]
        assert variables["REMOTE_ADDR"] == variables["REMOTE_HOST"] == [b"2001:db8::7"]
        assert variables["X_CLIENT_ADDR"] == [b"[2001:db8::7]:47"]
        assert variables["X_FULL_URL"] == [b"https://b/wagi/x"]
        assert variables["SERVER_NAME"] == [b"b"]
        assert variables["HTTP_HOST"] == [b"a:81"], "the header stays as it came"


def test_a_trusted_proxy_may_ask_for_https_in_the_clear(headers_believed):
    """RFC 9110, section 7.4: who is no gateway that is trusted is misdirected."""
    with dial(headers_believed, TRUSTED) as wire, dial(headers_believed, STRANGER) as stranger:
        request = b"GET https://a/mirror/x HTTP/1.1\r\nHost: a\r\nForwarded: for=192.0.2.7;proto=https\r\n\r\n"
        wire.send(request)
        assert told(wire.response())[0][1] == "https://a/mirror/x"
        stranger.send(request)
        assert stranger.response().status == 421


# ---- the PROXY protocol ----------------------------------------------------------------------------------------------

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def block(command=0x21, family=0x11, body=b"", size=None):
    return SIGNATURE + struct.pack(">BBH", command, family, len(body) if size is None else size) + body


def ipv4(client="192.0.2.7", port=47):
    return socket.inet_aton(client) + socket.inet_aton("198.51.100.1") + struct.pack(">HH", port, 443)


def ipv6(client="2001:db8::7", port=47):
    addresses = socket.inet_pton(socket.AF_INET6, client) + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    return addresses + struct.pack(">HH", port, 443)


def checked(body):
    whole = block(body=body + b"\x03\0\x04\0\0\0\0")
    return whole[:-4] + struct.pack(">I", crc32c(whole))


HEADERS = {
    "TCP4": (b"PROXY TCP4 192.0.2.7 198.51.100.1 47 443\r\n", "192.0.2.7:47"),
    "TCP6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 47 443\r\n", "[2001:db8::7]:47"),
    "UNKNOWN": (b"PROXY UNKNOWN\r\n", None),
    "UNKNOWN and more": (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
    "version 2, IPv4": (block(body=ipv4()), "192.0.2.7:47"),
    "version 2, IPv6": (block(family=0x21, body=ipv6()), "[2001:db8::7]:47"),
    "version 2, LOCAL": (block(command=0x20, family=0x00), None),
    "version 2, LOCAL with addresses": (block(command=0x20, body=ipv4()), None),
    "version 2, not specified": (block(family=0x00), None),
    "version 2, not specified and more": (block(family=0x00, body=b"anything"), None),
    "version 2, a Unix socket": (block(family=0x31, body=b"\0" * 216), None),
    "version 2, with what is skipped": (block(body=ipv4() + b"\x04\0\x03abc\x02\0\x01a\xea\0\0"), "192.0.2.7:47"),
    "version 2, as large as may be": (block(body=ipv4() + b"\x04" + struct.pack(">H", 4065) + b"a" * 4065), "192.0.2.7:47"),
    "version 2, with a checksum": (checked(ipv4()), "192.0.2.7:47"),
}


@pytest.mark.parametrize("piece", [None, 1])
@pytest.mark.parametrize("case", HEADERS)
def test_the_proxy_protocol_names_the_client(protocol_spoken, case, piece):
    header, client = HEADERS[case]
    with dial(protocol_spoken, TRUSTED) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        whole = header + b"GET /mirror/x HTTP/1.1\r\nHost: a:81\r\n\r\n"
        for part in [whole] if piece is None or len(whole) > 500 else [whole[at : at + 1] for at in range(len(whole))]:
            wire.send(part)
        assert told(wire.response())[0] == [client or own(wire), "http://a:81/mirror/x", "a:81"]
        assert told(ask(wire))[0][0] == (client or own(wire)), "it is for the whole connection"
        if client is not None:
            assert told(ask(wire, b"X-Forwarded-For: 6.6.6.6\r\n"))[0][0] == client, "and the client is no proxy"


def test_a_proxy_behind_a_proxy_may_name_the_client_in_headers(protocol_spoken):
    with dial(protocol_spoken, TRUSTED) as wire:
        wire.send(b"PROXY TCP4 127.0.0.3 198.51.100.1 47 443\r\n")
        assert told(ask(wire, b"X-Forwarded-For: 192.0.2.7\r\n"))[0][0] == "192.0.2.7:0"


REFUSED = {
    "none": b"",
    "TLS": bytes.fromhex("160301020001"),
    "lower case": b"proxy TCP4 192.0.2.7 198.51.100.1 47 443\r\n",
    "LF": b"PROXY TCP4 192.0.2.7 198.51.100.1 47 443\n",
    "CR within": b"PROXY TCP4 192.0.2.7\r198.51.100.1 47 443\r\n",
    "two spaces": b"PROXY TCP4  192.0.2.7 198.51.100.1 47 443\r\n",
    "a space at the end": b"PROXY TCP4 192.0.2.7 198.51.100.1 47 443 \r\n",
    "a port too few": b"PROXY TCP4 192.0.2.7 198.51.100.1 47\r\n",
    "a port too many": b"PROXY TCP4 192.0.2.7 198.51.100.1 47 443 1\r\n",
    "a port that is too high": b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
    "a port with a zero before it": b"PROXY TCP4 192.0.2.7 198.51.100.1 047 443\r\n",
    "a port with a sign": b"PROXY TCP4 192.0.2.7 198.51.100.1 +47 443\r\n",
    "an address with zeros": b"PROXY TCP4 192.0.02.7 198.51.100.1 47 443\r\n",
    "an address that is none": b"PROXY TCP4 192.0.2.256 198.51.100.1 47 443\r\n",
    "an address of the other kind": b"PROXY TCP4 2001:db8::7 2001:db8::1 47 443\r\n",
    "IPv4 as TCP6": b"PROXY TCP6 192.0.2.7 198.51.100.1 47 443\r\n",
    "brackets": b"PROXY TCP6 [2001:db8::7] [2001:db8::1] 47 443\r\n",
    "UDP4": b"PROXY UDP4 192.0.2.7 198.51.100.1 47 443\r\n",
    "a long line": b"PROXY UNKNOWN " + b"a" * 100 + b"\r\n",
    "version 3": block(command=0x31, body=ipv4()),
    "an unknown command": block(command=0x22, body=ipv4()),
    "an unknown family": block(family=0x41, body=ipv4()),
    "UDP over IPv4": block(family=0x12, body=ipv4()),
    "addresses that are cut": block(body=ipv4()[:-1]),
    "IPv4 as IPv6": block(family=0x21, body=ipv4()),
    "a Unix socket that is cut": block(family=0x31, body=b"\0" * 215),
    "a value that is cut": block(body=ipv4() + b"\x04\0\x04abc"),
    "a value without its size": block(body=ipv4() + b"\x04\0"),
    "too large": block(body=ipv4() + b"\x04" + struct.pack(">H", 4066) + b"a" * 4066),
    "a wrong checksum": checked(ipv4())[:-1] + bytes([checked(ipv4())[-1] ^ 1]),
    "a checksum that is cut": block(body=ipv4() + b"\x03\0\x03abc"),
    "another signature": b"\r\n\r\n\0\r\nQUIX\n" + block(body=ipv4())[12:],
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_connection_without_a_sound_header_is_closed(protocol_spoken, case):
    with dial(protocol_spoken, TRUSTED) as wire:
        with contextlib.suppress(OSError):
            wire.send(REFUSED[case] + b"GET /mirror/x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.rest() == b""


def test_the_proxy_protocol_is_for_trusted_proxies_alone(protocol_spoken):
    known = len(protocol_spoken.stderr.lines)
    with dial(protocol_spoken, STRANGER) as wire:
        with contextlib.suppress(OSError):
            wire.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 47 443\r\nGET /mirror/x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.rest() == b""
    deadline = time.monotonic() + REQUEST_DEADLINE
    while not any("the PROXY protocol" in line for line in protocol_spoken.stderr.lines[known:]):
        assert time.monotonic() < deadline, protocol_spoken.log
        with dial(protocol_spoken, STRANGER) as wire:
            wire.rest()


def test_a_header_that_does_not_come_is_not_waited_for_for_long(protocol_spoken):
    with dial(protocol_spoken, TRUSTED) as silent, dial(protocol_spoken, TRUSTED) as slow:
        slow.send(b"PROXY TCP4 ")
        assert silent.rest() == b"" and slow.rest() == b""


def test_without_the_option_a_header_is_no_request(headers_believed):
    with dial(headers_believed, TRUSTED) as wire:
        wire.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 47 443\r\nGET /mirror/x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.response().status == 400
        wire.assert_closed()


def test_the_header_comes_before_tls(start, certificates):
    server = start("--proxy-protocol", *TRUST, "--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key")
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    for header in (HEADERS["TCP4"][0], HEADERS["version 2, with a checksum"][0]):
        plain = socket.create_connection((server.host, server.port), REQUEST_DEADLINE, (TRUSTED, 0))
        plain.sendall(header)
        with Wire(context.wrap_socket(plain, server_hostname="localhost")) as wire:
            assert told(ask(wire))[0] == ["192.0.2.7:47", "https://a:81/mirror/x", "a:81"]


def test_a_server_that_drains_does_not_wait_for_headers(program, guest, tmp_path):
    server = Server(program, application_of(guest, tmp_path), "--quiet", "--proxy-protocol", *TRUST).wait_until_serving()
    try:
        with dial(server, TRUSTED) as wire, dial(server, TRUSTED) as served:
            wire.send(b"PROXY")
            served.send(b"PROXY UNKNOWN\r\n")
            assert ask(served).status == 200
            server.stop()
            assert wire.rest() == b""
    finally:
        server.kill()


def test_connections_are_counted_by_whom_the_proxy_names(start):
    server = start("--proxy-protocol", *TRUST, "--max-connections-per-address", "2")
    with contextlib.ExitStack() as opened:
        for client in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2", "127.0.0.3", "127.0.0.3", "127.0.0.3"):
            wire = opened.enter_context(dial(server, TRUSTED))
            wire.send(b"PROXY TCP4 %s 198.51.100.1 47 443\r\n" % client.encode())
            assert told(ask(wire))[0][0] == f"{client}:47"
        third = opened.enter_context(dial(server, TRUSTED))
        third.send(b"PROXY TCP4 192.0.2.1 198.51.100.1 47 443\r\n")
        assert third.rest() == b""
        server.stderr.wait_for("--max-connections-per-address")


# ---- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", "a", "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "::/129", "[::1]", "10.0.0.1:80", "1.2.3.4/-1"])
def test_an_address_that_is_none_is_refused(program, value):
    done = program.run("up", "--trusted-proxy", value)
    assert done.status == 2 and "--trusted-proxy" in done.stderr, done


@pytest.mark.parametrize(
    ("value", "meant"),
    [("10.0.0.1/8", "10.0.0.0/8"), ("192.0.2.255/31", "192.0.2.254/31"), ("fd00::1/8", "fd00::/8"), ("1.2.3.4/0", "0.0.0.0/0")],
)
def test_a_network_with_bits_of_a_host_is_refused_with_the_one_that_was_meant(program, value, meant):
    done = program.run("up", "--trusted-proxy", value)
    assert done.status == 2 and f"'{value}'" in done.stderr and f"give {meant} for all" in done.stderr, done


def test_the_proxy_protocol_needs_somebody_to_speak_it(program):
    done = program.run("up", "--proxy-protocol")
    assert done.status == 2 and "--trusted-proxy" in done.stderr, done


def test_loopback_is_a_word_for_this_machine(start):
    server = start("--trusted-proxy", "loopback")
    with dial(server, STRANGER) as wire:
        assert told(ask(wire, b"X-Forwarded-For: 192.0.2.7\r\n"))[0][0] == "192.0.2.7:0"
