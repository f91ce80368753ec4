"""Components whose source is a URL: fetched once, verified whenever they are used, refused when they are something else.
(Spin: crates/loader/src/local.rs, which verifies the digest of what it has fetched and caches it.)"""

import contextlib
import hashlib
import http.server
import re
import ssl
import stat
import threading

import pytest

from harness import toml_text


class Files(http.server.ThreadingHTTPServer):
    """A web server on this machine for some files; `asked` has the paths of the requests."""

    def __init__(self, files, context=None):
        self.files = files
        self.scheme = "http" if context is None else "https"
        self.asked = []
        self.when_asked = {}
        super().__init__(("127.0.0.1", 0), FileRequest)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    def url(self, path):
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}{path}"


class FileRequest(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.server.when_asked.get(self.path, lambda: None)()
        content = self.server.files.get(self.path)
        if isinstance(content, int):  # so many bytes are announced, and none come
            self.send_response(200)
            self.send_header("content-length", str(content))
            self.end_headers()
            return
        if isinstance(content, str):
            self.send_response(302)
            self.send_header("location", content)
            content = b""
        else:
            self.send_response(404 if content is None else 200)
        self.send_header("content-length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def running(server):
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def files(guest):
    with running(Files({"/echo.wasm": guest("http_echo").read_bytes(), "/moved.wasm": "/echo.wasm"})) as server:
        yield server


@pytest.fixture
def secure_files(files, certificates):
    """The same files over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    with running(Files(files.files, context)) as server:
        yield server


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def fetched(tmp_path, weir):
    """The program with a cache of its own, and where that keeps what was fetched."""
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    return weir.wrapped(XDG_CACHE_HOME=cache), cache / "weir" / "source"


def application(directory, url, digest):
    directory.mkdir(exist_ok=True)
    path = directory / "spin.toml"
    path.write_text(
        'spin_manifest_version = 2\n\n[application]\nname = "fetched"\n\n'
        '[[trigger.http]]\nroute = "/..."\ncomponent = "fetched"\n\n'
        f'[component.fetched]\nsource = {{ url = {toml_text(url)}, digest = "sha256:{digest}" }}\n'
    )
    return path


def serves(serve, program, path):
    server = serve(program, path)
    assert server.request("POST", "/x", body="echoed").text == "echoed"
    server.stop()
    return server


@pytest.mark.parametrize("path", ["/echo.wasm", "/moved.wasm"])
def test_what_a_url_gives_is_fetched_once_and_served(serve, fetched, files, tmp_path, path):
    program, kept = fetched
    digest = sha256(files.files["/echo.wasm"])
    manifest = application(tmp_path / "app", files.url(path), digest)
    first = serves(serve, program, manifest)
    assert f"weir: fetching component fetched from {files.url(path)}" in first.log
    asked = list(files.asked)
    assert path in asked
    second = serves(serve, program, manifest)
    assert "fetching" not in second.log
    assert files.asked == asked
    assert [file.name for file in kept.iterdir()] == [digest]
    assert stat.S_IMODE((kept / digest).stat().st_mode) == 0o400
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


def test_what_was_fetched_is_served_when_the_server_is_gone(serve, fetched, files, tmp_path):
    program, _ = fetched
    manifest = application(tmp_path / "app", files.url("/echo.wasm"), sha256(files.files["/echo.wasm"]))
    serves(serve, program, manifest)
    files.files.clear()
    serves(serve, program, manifest)


def test_another_digest_is_an_error_that_names_all(fetched, files, tmp_path):
    program, kept = fetched
    url = files.url("/echo.wasm")
    manifest = application(tmp_path / "app", url, "0" * 64)
    done = program.run("up", manifest)
    assert done.status == 2
    assert len(done.stderr.strip().splitlines()) == 2, "that it fetches, and why it failed"
    error = done.stderr.strip().splitlines()[-1]
    assert re.match(rf"weir: error: {re.escape(str(manifest))}:11:\d+: ", error), error
    for part in (url, f"expected sha256:{'0' * 64}", f"found sha256:{sha256(files.files['/echo.wasm'])}"):
        assert part in error
    assert not list(kept.iterdir())


@pytest.mark.parametrize("gone", ["the file", "the server"])
def test_a_url_that_gives_nothing_is_an_error_that_names_it(fetched, files, tmp_path, gone):
    program, _ = fetched
    url = files.url("/none.wasm") if gone == "the file" else "http://127.0.0.1:1/echo.wasm"
    done = program.run("up", application(tmp_path / "app", url, "0" * 64))
    assert done.status == 2
    error = done.stderr.strip().splitlines()[-1]
    assert re.search(rf'spin\.toml:11:\d+: component "?fetched"?: "{re.escape(url)}" cannot be fetched: ', error), error


def damage(path):
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def let_others_write(path):
    path.chmod(0o420)


@pytest.mark.parametrize("harm", [damage, let_others_write], ids=lambda harm: harm.__name__)
def test_a_kept_file_that_is_not_to_be_trusted_is_fetched_again(serve, fetched, files, tmp_path, harm):
    program, kept = fetched
    digest = sha256(files.files["/echo.wasm"])
    manifest = application(tmp_path / "app", files.url("/echo.wasm"), digest)
    serves(serve, program, manifest)
    harm(kept / digest)
    serves(serve, program, manifest)
    assert files.asked == ["/echo.wasm"] * 2
    assert sha256((kept / digest).read_bytes()) == digest
    assert stat.S_IMODE((kept / digest).stat().st_mode) == 0o400


def test_a_directory_that_cannot_be_used_costs_the_cache_alone(serve, fetched, files, tmp_path):
    program, kept = fetched
    kept.mkdir(parents=True, mode=0o700)
    kept.parent.chmod(0o770)
    manifest = application(tmp_path / "app", files.url("/echo.wasm"), sha256(files.files["/echo.wasm"]))
    server = serves(serve, program, manifest)
    assert "weir: what is fetched is not kept: the cache's directory cannot be used" in server.log
    assert not list(kept.iterdir())


def test_what_was_swapped_after_it_was_verified_is_not_loaded(serve, fetched, files, tmp_path, guest):
    """Where somebody else can write to a directory above: here, while another component is fetched."""
    program, kept = fetched
    echo = files.files["/echo.wasm"]
    files.files["/other.wasm"] = guest("http_request").read_bytes()
    other = sha256(files.files["/other.wasm"])
    path = application(tmp_path / "app", files.url("/echo.wasm"), sha256(echo))
    path.write_text(
        path.read_text()
        + '[[trigger.http]]\nroute = "/other"\ncomponent = "other"\n'
        + f'[component.other]\nsource = {{ url = "{files.url("/other.wasm")}", digest = "sha256:{other}" }}\n'
    )

    def swap():
        theirs = tmp_path / "theirs"
        theirs.write_bytes(guest("http_respond").read_bytes())
        kept.rename(tmp_path / "was")
        kept.mkdir(mode=0o700)
        theirs.rename(kept / sha256(echo))
        (kept / other).write_bytes(files.files["/other.wasm"])

    files.when_asked["/other.wasm"] = swap
    done = program.run("up", path, "--listen", "127.0.0.1:99999")
    assert done.status == 2
    error = done.stderr.strip().splitlines()[-1]
    assert re.search(r"spin\.toml:11:\d+: .*not what was fetched and verified any more", error), error
    files.when_asked.clear()
    serves(serve, program, path)


# ---- Bounds ----------------------------------------------------------------------------------------------------------


def refused(program, tmp_path, url, digest="0" * 64, **environment):
    """Why a URL is refused."""
    done = program.run("up", application(tmp_path / "app", url, digest), environment=environment)
    assert done.status == 2, done
    error = done.stderr.strip().splitlines()[-1]
    assert re.search(r"spin\.toml:11:\d+: ", error), error
    return error


def test_at_most_five_redirects_are_followed(serve, fetched, files, tmp_path):
    program, _ = fetched
    files.files.update({"/1": "/echo.wasm"} | {f"/{i}": f"/{i - 1}" for i in range(2, 7)})
    assert "redirects more than 5 times" in refused(program, tmp_path, files.url("/6"))
    assert files.asked == [f"/{i}" for i in range(6, 0, -1)]
    serves(serve, program, application(tmp_path / "app", files.url("/5"), sha256(files.files["/echo.wasm"])))


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/x", "file:///etc/passwd", "data:,x", "//", ""])
def test_a_redirect_to_what_is_neither_http_nor_https_is_refused(fetched, files, tmp_path, location):
    program, kept = fetched
    files.files["/away"] = location
    error = refused(program, tmp_path, files.url("/away"))
    assert "cannot be fetched" in error and "passwd" not in error
    assert set(files.asked[1:]) <= {"/data:,x", "/"}, "what has no authority is a path of the same server"
    assert not list(kept.iterdir())


def test_a_redirect_from_https_to_http_is_refused(serve, fetched, files, secure_files, certificates, tmp_path):
    program, _ = fetched
    trusted = {"SSL_CERT_FILE": str(certificates / "ca.pem")}
    digest = sha256(files.files["/echo.wasm"])
    secure_files.files = files.files | {"/down": files.url("/echo.wasm"), "/over": secure_files.url("/echo.wasm")}
    error = refused(program, tmp_path, secure_files.url("/down"), digest, **trusted)
    assert "redirects from https to http" in error
    assert files.asked == []
    assert "certificate" in refused(program, tmp_path, secure_files.url("/echo.wasm"), digest)
    files.files["/up"] = secure_files.url("/over")
    server = serve(program, application(tmp_path / "app", files.url("/up"), digest), environment=trusted)
    assert server.request("POST", "/x", body="echoed").text == "echoed"
    assert secure_files.asked[-2:] == ["/over", "/echo.wasm"]


def test_a_file_of_more_than_256_mib_is_refused_before_it_comes(fetched, files, tmp_path):
    program, _ = fetched
    files.files.update({"/most": 256 << 20, "/more": (256 << 20) + 1})
    assert "larger than 268435456 bytes" in refused(program, tmp_path, files.url("/more"))
    error = refused(program, tmp_path, files.url("/most"))
    assert "cannot be fetched" in error and "larger" not in error, error


# ---- Secrets ---------------------------------------------------------------------------------------------------------


def test_what_may_be_a_secret_in_a_url_is_not_shown(serve, fetched, files, tmp_path):
    program, _ = fetched
    url = files.url("/signed.wasm?key=s3cret")
    shown = files.url("/signed.wasm")
    files.files["/signed.wasm?key=s3cret"] = files.files["/echo.wasm"]
    manifest = application(tmp_path / "app", url + "#s3cret", sha256(files.files["/echo.wasm"]))
    for command in (("doctor",), ("doctor", "--json")):
        done = program.run(*command, manifest, seconds=120)
        assert "s3cret" not in done.stdout + done.stderr
    log = serves(serve, program, manifest).log
    assert "s3cret" not in log
    error = refused(program, tmp_path, url)
    assert f'"{shown}" gives something else' in error and "s3cret" not in error
    away = files.url("/none")
    for location in ("ftp://s3cret/", "http://u:s3cret@127.0.0.1:1/?s3cret", f"{away}?s3cret", "//[s3cret"):
        files.files["/signed.wasm?key=s3cret"] = location
        error = refused(program, tmp_path, url)
        assert f'"{shown}" cannot be fetched' in error and "s3cret" not in error
