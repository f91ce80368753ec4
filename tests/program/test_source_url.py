"""Components whose source is a URL: fetched once, verified whenever they are used, refused when they are something else.
(Spin: crates/loader/src/local.rs, which verifies the digest of what it has fetched and caches it.)"""

import hashlib
import http.server
import re
import stat
import threading

import pytest

from harness import toml_text


class Files(http.server.ThreadingHTTPServer):
    """A web server on this machine for some files; `asked` has the paths of the requests."""

    def __init__(self, files):
        self.files = files
        self.asked = []
        self.when_asked = {}
        super().__init__(("127.0.0.1", 0), FileRequest)

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class FileRequest(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.server.when_asked.get(self.path, lambda: None)()
        content = self.server.files.get(self.path)
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


@pytest.fixture
def files(guest):
    server = Files({"/echo.wasm": guest("http_echo").read_bytes(), "/moved.wasm": "/echo.wasm"})
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


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
