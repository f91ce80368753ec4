"""HTTPS: what goes over it is what goes in the clear, and nothing is served without it once it is asked for."""

import array
import contextlib
import datetime
import errno
import fcntl
import hashlib
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import termios
import time

import pytest

from admin import Admin, sample
from harness import REQUEST_DEADLINE, Wire, in_background

MIB = 1 << 20


def openssl(directory, *arguments, given=None):
    program = shutil.which("openssl")
    assert program, "openssl is not installed"
    return subprocess.run([program, *arguments], cwd=directory, check=True, capture_output=True, input=given).stdout


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """A certificate for localhost that signs itself, its key, and the key of another."""
    directory = tmp_path_factory.mktemp("pem")
    for name in ("server", "other"):
        openssl(
            directory, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={name} of a test",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        )  # fmt: skip
    return directory


@pytest.fixture
def secured(weir_checked, application, serve, pem):
    return serve(weir_checked, application, "--tls-cert", pem / "server.pem", "--tls-key", pem / "server.key")


@pytest.fixture
def client(pem):
    """Dials over TLS: a Wire whose certificate was checked."""

    def dial(server, version=None, protocols=("http/1.1",)):
        context = ssl.create_default_context(cafile=pem / "server.pem")
        context.set_alpn_protocols(protocols)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        plain = socket.create_connection((server.host, server.port), timeout=REQUEST_DEADLINE)
        return Wire(context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False))

    return dial


def ask(wire, target, more=b""):
    wire.send(b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n" % (target.encode(), more))
    return wire.response()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_requests_are_served_over_tls_of_each_version(secured, client, version):
    assert f"Serving https://{secured.host}:{secured.port}" in secured.stdout.lines
    assert any(line.startswith("  echo: https://") for line in secured.stdout.lines)
    with client(secured, version) as wire:
        assert wire.socket.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
        assert wire.socket.selected_alpn_protocol() == "http/1.1"
        for _ in range(3):
            assert ask(wire, "/echo/").status == 200
            assert ask(wire, "/nowhere").status == 404
        assert ask(wire, "/echo/", b"Connection: close\r\n").get("connection") == "close"
        wire.assert_closed()


def test_a_client_that_wants_another_protocol_gets_none(secured, client):
    with pytest.raises(ssl.SSLError):
        client(secured, protocols=("h2",))
    with client(secured, protocols=("h2", "http/1.1")) as wire:
        assert wire.socket.selected_alpn_protocol() == "http/1.1"


PLAIN = [b"GET /echo/ HTTP/1.1\r\nHost: a\r\n\r\n", b"P", b"POST /echo/ HTTP/1.1\r\n" + b"a" * 9000]


@pytest.mark.parametrize("sent", PLAIN, ids=["a request", "its first byte", "a long one"])
def test_plain_http_is_told_that_the_port_speaks_https(secured, client, sent):
    with secured.wire(REQUEST_DEADLINE) as wire:
        wire.send(sent)
        response = wire.response()
        assert response.status == 400 and "https://" in response.text
        wire.assert_closed()
    with client(secured) as wire:
        assert ask(wire, "/echo/").status == 200


def test_a_guest_is_told_of_https(secured, client):
    """Spin: crates/trigger-http/src/headers.rs, and wasi.rs for the scheme of wasi:http, which is always HTTP."""
    with client(secured) as wire:
        lines = ask(wire, "/request/x?y").text.splitlines()
        assert "header spin-full-url: https://a/request/x?y" in lines
        assert "scheme http" in lines
        assert "environment X_FULL_URL=https://a/wagi/environment/x" in ask(wire, "/wagi/environment/x").text.splitlines()


@pytest.mark.parametrize("target", ["/echo/", "/wagi/cat"])
def test_large_bodies_come_back_whole(secured, client, target):
    head = b"content-type: application/x-weir\n\n" if "wagi" in target else b""
    body = hashlib.sha256(b"weir").digest() * (2 * MIB // 32)
    with client(secured) as wire:
        length = len(head) + len(body)
        request = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (target.encode(), length)
        # Both ways at once, on one thread: OpenSSL's objects bear no two.
        sent = memoryview(request + head + body)
        wire.socket.setblocking(False)
        received = b""
        while sent:
            select.select([wire.socket], [wire.socket], [], REQUEST_DEADLINE)
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                sent = sent[wire.socket.send(sent[:16384]) :]
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                received += wire.socket.recv(65536)
        wire.socket.settimeout(REQUEST_DEADLINE)
        wire.buffer = received
        response = wire.response()
        assert (response.status, response.body) == (200, body)
        assert ask(wire, "/echo/").status == 200


def test_a_client_that_reads_slowly_gets_all(secured, client):
    with client(secured) as wire:
        wire.send(b"GET /stream/bulk/%d HTTP/1.1\r\nHost: a\r\n\r\n" % (8 * MIB))
        with client(secured) as other:
            assert ask(other, "/echo/").status == 200, "one that does not read holds up another"
        response = wire.response()
        pattern = bytes(range(251))
        assert response.body == (pattern * (8 * MIB // 251 + 1))[: 8 * MIB]


def test_a_stream_arrives_piece_by_piece(secured, client):
    with client(secured) as wire:
        wire.send(b"GET /stream/forever HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.head().status == 200
        assert [wire.chunk() for _ in range(3)] == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]


NOT_TLS = [bytes.fromhex("1603010005") + b"\1\0\0\1\0" + b"x" * 500, b"\0GET /echo/ HTTP/1.1\r\nHost: a\r\n\r\n"]


@pytest.mark.parametrize("sent", NOT_TLS, ids=["a record that makes no sense", "a NUL before a request"])
def test_what_is_not_tls_is_not_served(secured, client, sent):
    with secured.wire(REQUEST_DEADLINE) as wire:
        wire.send(sent)
        assert b"HTTP/1.1" not in wire.rest()
    with client(secured) as wire:
        assert ask(wire, "/echo/").status == 200


def wait_until(true):
    deadline = time.monotonic() + REQUEST_DEADLINE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_handshakes_that_fail_are_counted_and_others_are_not(weir_checked, application, serve, pem, client):
    certificate = ("--tls-cert", pem / "server.pem", "--tls-key", pem / "server.key")
    server = serve(weir_checked, application, *certificate, "--admin", "0")
    admin = Admin(server)

    def failed():
        return sample(admin.metrics(), "weir_tls_handshakes_failed_total")

    with client(server) as wire:
        assert ask(wire, "/echo/").status == 200
    assert failed() == 0
    with server.wire(REQUEST_DEADLINE) as wire:
        wire.send(NOT_TLS[0])
        wire.rest()
    wait_until(lambda: failed() == 1)
    plain = socket.create_connection((server.host, server.port), timeout=REQUEST_DEADLINE)
    with pytest.raises(ssl.SSLError), ssl.create_default_context().wrap_socket(plain, server_hostname="localhost"):
        pass  # it does not trust the certificate, and says so in the middle of the handshake
    wait_until(lambda: failed() == 2)
    with pytest.raises(ssl.SSLError):
        client(server, protocols=("h2",))
    wait_until(lambda: failed() == 3)
    with client(server) as wire:
        assert ask(wire, "/echo/").status == 200
    assert failed() == 3


# ---- Until when ------------------------------------------------------------------------------------------------------


def certify(directory, name, days):
    """A certificate that is valid from ten days ago until so many days from now; returns that end, as OpenSSL has it."""
    openssl(directory, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=localhost")  # fmt: skip
    (directory / "index.txt").write_text("")
    now = datetime.datetime.now(datetime.timezone.utc)
    begin, end = (now + datetime.timedelta(days=days) for days in (-10, days))
    configuration = directory / "ca.cnf"
    configuration.write_text(
        f"[ca]\ndefault_ca = it\n[it]\ndatabase = {directory}/index.txt\nnew_certs_dir = {directory}\nrand_serial = yes\n"
        "policy = any\ndefault_md = sha256\nunique_subject = no\n"
        "x509_extensions = more\n[any]\ncommonName = supplied\n[more]\nsubjectAltName = DNS:localhost\n"
    )
    openssl(directory, "ca", "-batch", "-selfsign", "-config", configuration, "-notext", "-keyfile", f"{name}.key",
            "-in", f"{name}.csr", "-out", f"{name}.pem",
            "-startdate", f"{begin:%Y%m%d%H%M%SZ}", "-enddate", f"{end:%Y%m%d%H%M%SZ}")  # fmt: skip
    told = openssl(directory, "x509", "-in", f"{name}.pem", "-noout", "-enddate").decode().strip()
    return ssl.cert_time_to_seconds(told.removeprefix("notAfter="))


EXPIRED = "warning: --tls-cert: the certificate in .* expired at .*: it is used all the same, but clients refuse it"
EXPIRES = r"warning: --tls-cert: the certificate in .* expires in (\d+\.\d) days"


def told_end(admin):
    """What metrics and status say, which agree."""
    seconds = sample(admin.metrics(), "weir_tls_certificate_not_after_timestamp_seconds")
    date = admin.status()["tls"]["certificate_not_after"]
    assert datetime.datetime.fromisoformat(date.replace("Z", "+00:00")).timestamp() == seconds
    return seconds


def test_when_the_certificate_expires_is_told_and_warned_of(weir_checked, application, serve, tmp_path):
    """Of 2050 and later, too, which is written in another form (RFC 5280, section 4.1.2.5)."""
    ends = {name: certify(tmp_path, name, days) for name, days in (("far", 40_000), ("near", 13), ("expired", -1))}
    pem, key = tmp_path / "used.pem", tmp_path / "used.key"

    def wait_until_told(end):
        wait_until(lambda: sample(admin.metrics(), "weir_tls_certificate_not_after_timestamp_seconds") == end)
        assert told_end(admin) == end

    def use(name):
        shutil.copy(tmp_path / f"{name}.pem", pem)
        shutil.copy(tmp_path / f"{name}.key", key)

    use("far")
    server = serve(weir_checked, application, "--tls-cert", pem, "--tls-key", key, "--admin", "0")
    admin = Admin(server)
    assert told_end(admin) == ends["far"]
    assert "expire" not in server.stderr.text
    use("near")
    server.send_signal(signal.SIGHUP)
    assert float(server.stderr.wait_for(EXPIRES)[1]) in (12.9, 13.0)
    wait_until_told(ends["near"])
    use("expired")
    server.send_signal(signal.SIGHUP)
    server.stderr.wait_for(EXPIRED)
    wait_until_told(ends["expired"])


def test_an_expired_certificate_is_served_and_refused_by_who_looks(weir_checked, application, serve, tmp_path):
    end = certify(tmp_path, "expired", -1)
    server = serve(
        weir_checked, application, "--tls-cert", tmp_path / "expired.pem", "--tls-key", tmp_path / "expired.key", "--admin", "0"
    )
    server.stderr.wait_for(EXPIRED)
    assert told_end(Admin(server)) == end
    blind = ssl.create_default_context(cafile=tmp_path / "expired.pem")
    blind.check_hostname = False
    address = (server.host, server.port)
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        blind.wrap_socket(socket.create_connection(address, timeout=REQUEST_DEADLINE))
    blind.verify_mode = ssl.CERT_NONE
    with Wire(blind.wrap_socket(socket.create_connection(address, timeout=REQUEST_DEADLINE))) as wire:
        assert ask(wire, "/echo/").status == 200


def test_without_tls_there_is_no_certificate_to_tell_of(weir_checked, application, serve):
    admin = Admin(serve(weir_checked, application, "--admin", "0"))
    assert admin.status()["tls"] is None
    assert not any(name.startswith("weir_tls_certificate") for name, _ in admin.metrics())


def test_clients_that_leave_are_noticed_and_a_stop_ends_well(secured, client):
    for number in range(8):
        wire = client(secured)
        wire.send(b"GET /wait/60000 HTTP/1.1\r\nHost: a\r\n\r\n")
        secured.stderr.wait_for("waiting", count=number + 1)
        wire.close()
    with client(secured) as wire:
        wire.send(b"POST /echo/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nonly this")
    with client(secured) as wire:
        assert ask(wire, "/echo/").status == 200
        wire.send(b"GET /wait/500 HTTP/1.1\r\nHost: a\r\n\r\n")
        secured.stderr.wait_for("waiting", count=9)
        with in_background(secured.stop):
            assert wire.response().body == b"waited\n"


def test_an_end_between_requests_is_told_in_tls(secured, client):
    """RFC 8446, section 6.1: who sends nothing more says so. (Without it, reading on raises ssl.SSLEOFError here.)"""
    with client(secured) as silent, client(secured) as used, client(secured) as left:
        assert ask(used, "/echo/").status == 200
        assert ask(left, "/echo/").status == 200
        left.socket.settimeout(REQUEST_DEADLINE)
        left.socket.unwrap().close()  # says so, and waits until it is said in return
        with in_background(secured.stop):
            silent.assert_closed()
            used.assert_closed()


def test_a_handshake_that_goes_on_survives_the_beginning_of_a_stop(weir_checked, application, serve, pem):
    """Drained, a connection on which nothing comes is closed after half a second: this one takes a second for TLS."""
    for _ in range(5):
        server = serve(weir_checked, application, "--tls-cert", pem / "server.pem", "--tls-key", pem / "server.key")
        to_client, from_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=pem / "server.pem")
        tls = context.wrap_bio(to_client, from_client, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        hello = from_client.read()
        with server.wire() as wire, in_background(server.stop):
            sent, longest = time.monotonic(), 0
            with contextlib.suppress(ConnectionError):
                for piece in (hello[:5], *(hello[5 + i : 6 + i] for i in range(9)), hello[14:]):
                    wire.send(piece)
                    longest = max(longest, time.monotonic() - sent)
                    sent = time.monotonic()
                    time.sleep(0.1)
            answered = wire.receive()
        if longest < 0.3:
            assert answered and wire.buffer[0] == 22, "the handshake was broken off"
            return
    pytest.skip("this machine is too busy to send ten bytes a second")


def test_a_key_may_come_through_a_pipe_when_it_is_ready(weir_checked, application, serve, pem, client, tmp_path):
    """As `<(...)` of a shell hands it over: its writer may be slower than weir."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    server = serve(weir_checked, application, "--tls-cert", pem / "server.pem", "--tls-key", pipe, serving=False)
    key = (pem / "server.key").read_bytes()
    with writer_to(pipe, server) as writer:
        writer.write(key[:100])
        while waiting_bytes(writer) > 0:  # once it is read weir waits for more
            assert server.process.poll() is None, server.log
            time.sleep(0.01)
        writer.write(key[100:])
    server.wait_until_serving()
    with client(server) as wire:
        assert ask(wire, "/echo/").status == 200


def writer_to(pipe, server):
    """Once the server has opened it to read."""
    while True:
        assert server.process.poll() is None, server.log
        try:
            return os.fdopen(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK), "wb", buffering=0)
        except OSError as error:
            assert error.errno == errno.ENXIO, error
            time.sleep(0.01)


def waiting_bytes(pipe):
    size = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, size)
    return size[0]


def test_a_pipe_that_nobody_writes_to_can_be_interrupted(weir_checked, application, serve, pem, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    server = serve(weir_checked, application, "--tls-cert", pipe, "--tls-key", pem / "server.key", serving=False)
    with writer_to(pipe, server):
        server.stop(signal.SIGINT)
    assert server.stdout.text == ""


def test_a_key_of_another_certificate_is_refused(weir_checked, application, pem):
    done = weir_checked.run("up", application, "--tls-cert", pem / "server.pem", "--tls-key", pem / "other.key")
    assert done.status != 0 and "server.pem" in done.stderr, done
    assert re.search(
        r"--tls-key: \S*/other.key does not belong to the certificate in \S*/server.pem; give the key that it was made "
        r"with$",
        done.stderr,
    ), done
    assert len(done.stderr.splitlines()) == 1, done


@pytest.mark.parametrize(
    "commands",
    [
        "genrsa -traditional -aes128 -passout pass:pass",
        "ecparam -name prime256v1 -genkey -noout | ec -aes128 -passout pass:pass",
        "genpkey -algorithm ed25519 -aes128 -pass pass:pass",
    ],
    ids=["RSA", "EC", "PKCS 8"],
)
def test_an_encrypted_key_of_any_form_is_told_how_to_decrypt(weir_checked, application, pem, tmp_path, commands):
    """The forms are those that OpenSSL writes; the remedy is run as it stands in the message."""
    key = b""
    for command in commands.split("|"):
        key = openssl(tmp_path, *command.split(), given=key)
    (tmp_path / "locked.key").write_bytes(key)
    arguments = ("up", application, "--tls-cert", pem / "server.pem", "--tls-key")
    done = weir_checked.run(*arguments, "locked.key", directory=tmp_path)
    remedy = re.fullmatch(
        "weir: error: --tls-key: the key in locked.key is encrypted; decrypt it with 'openssl (.*) FILE', and give that "
        "file\n",
        done.stderr,
    )
    assert done.status == 2 and remedy, done
    openssl(tmp_path, *remedy[1].split(), "plain.key", "-passin", "pass:pass")
    done = weir_checked.run(*arguments, "plain.key", directory=tmp_path)
    assert "plain.key does not belong to the certificate" in done.stderr, done  # so it was read
