"""The application is loaded anew beside the one that is served: no request fails, and what is broken changes nothing."""
# ctest: timeout=900

import contextlib
import os
import pty
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from admin import Admin
from conftest import make_program, prlimit_address_space
from environments_here import compile_helper
from harness import REQUEST_DEADLINE, Component, Expired, in_background, write_application
from json_schema import Schema
from modules import module_with_memory
from held import Held, wait_until_no_more_than
from reloads import REFUSED, RELOADED, Load, Versions, reload, version_of

GIB = 1 << 30


@pytest.fixture
def versions(guest, tmp_path):
    return Versions(tmp_path / "app", guest)


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Expired(f"not within {seconds} s")
        time.sleep(0.02)


# ---- What changes ----------------------------------------------------------------------------------------------------


def test_a_reload_serves_what_the_manifest_says_now(weir_checked, serve, versions, guest):
    server = serve(weir_checked, versions.write("1"))
    assert version_of(server) == "1"
    versions.write("2", '[[trigger.http]]\nroute = "/new"\nstatic_response = { body = "a route more" }\n')
    assert version_of(server) == "1"
    line = reload(server).string
    assert "serving in versions 2" in line
    assert version_of(server) == "2"
    assert server.get("/new").text == "a route more"
    assert '"version": "2"' in server.get("/.well-known/spin/info").text
    text = versions.text("3").replace(str(guest("http_wait")), str(guest("http_echo")))
    versions.path.write_text(text)
    reload(server)
    assert server.get("/new").status == 404
    assert server.request("POST", "/wait/", body=b"echoed now").text == "echoed now"


def test_variables_and_files_are_read_again(weir_checked, serve, guest, tmp_path):
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "page").write_text("first")
    path = write_application(
        tmp_path,
        [
            Component("files", "/files", guest("wagi_files"), wagi=True, argv="guest ${ARGS}"),
            Component("contracts", "/variables", guest("contracts"), wagi=True, argv="guest ${ARGS}"),
        ],
    )
    text = path.read_text().replace(
        "[component.files]\n", '[component.files]\nfiles = [{ source = "static", destination = "/static" }]\n'
    )
    path.write_text(text + 'variables = { greeting = "{{ word }}" }\n[variables]\nword = { required = true }\n')
    word = tmp_path / "word"
    word.write_text("hello")
    server = serve(weir_checked, path, "--variable", f"word=@{word}")
    assert server.get("/variables?variables&greeting").text == "ok hello\n"
    (tmp_path / "static" / "page").write_text("second")
    word.write_text("goodbye")
    assert "first" in server.get("/files?read&/static/page").text
    reload(server)
    assert "second" in server.get("/files?read&/static/page").text
    assert server.get("/variables?variables&greeting").text == "ok goodbye\n"


def test_what_is_broken_leaves_the_old_application_serving_and_says_why(weir_checked, serve, versions, guest, tmp_path):
    server = serve(weir_checked, versions.write("1"))
    good = versions.text("2")
    wasm = tmp_path / "copy.wasm"
    wasm.write_bytes(guest("http_wait").read_bytes()[:2000])
    source = str(guest("http_wait"))
    cases = [
        (good + "nonsense = [", r"spin\.toml:\d+:\d+: "),
        (good.replace(source, str(tmp_path / "absent.wasm")), r"absent\.wasm"),
        (good.replace(source, str(wasm)), r"copy\.wasm\" is truncated"),
        (good + "[variables]\nword = { required = true }\n", r"word"),
        (good.replace('source = "static"', 'source = "elsewhere"'), r"elsewhere"),
    ]
    for text, expected in cases:
        versions.path.write_text(text)
        why = reload(server, REFUSED)[1]
        assert re.search(expected, why), why
        assert version_of(server) == "1"
    versions.path.write_text(good)
    reload(server)
    assert version_of(server) == "2"


def assert_last_reload(admin, result, why=None):
    last = admin.status()["last_reload"]
    assert last["result"] == result and (last["error"] is None) == (why is None), last
    assert why is None or why in last["error"], last
    assert admin.metrics()["weir_last_reload_successful", frozenset()] == (1 if result == "done" else 0)


def test_whether_the_last_reload_was_good_can_be_seen(weir_checked, serve, versions):
    def success():
        return admin.metrics()["weir_last_reload_success_timestamp_seconds", frozenset()]

    schema = Schema(Path(__file__).resolve().parents[2] / "docs" / "status.schema.json")
    server = serve(weir_checked, versions.write("1"), "--admin", "0")
    admin = Admin(server)
    began = success()
    assert admin.status()["last_reload"] is None
    assert admin.metrics()["weir_last_reload_successful", frozenset()] == 1
    assert schema.problems(admin.status()) == []
    versions.path.write_text("nonsense")
    reload(server, REFUSED)
    assert_last_reload(admin, "refused", "spin.toml:1:")
    assert success() == began
    assert schema.problems(admin.status()) == []
    wait_until(lambda: time.time() >= began + 1)
    versions.write("2")
    reload(server)
    assert_last_reload(admin, "done")
    assert success() > began
    assert schema.problems(admin.status()) == []


def test_code_that_no_cache_has_is_compiled_by_another_process(weir_checked, serve, versions, guest):
    server = serve(weir_checked, versions.write("1"), "--disable-cache")
    seen = len(server.stderr.lines)
    reload(server)
    lines = "\n".join(server.stderr.lines[seen:])
    for component in ("tell", "stream", "wait", "files"):
        assert re.search(rf"component {component} was compiled in \d+\.\d s", lines), lines
    assert "4 compiled" in lines
    assert server.get("/wait/1").text == "waited\n"


def test_a_component_that_needs_more_memory_gets_slots_that_hold_it(weir, serve, tmp_path):
    """The choice in use has slots for less: it is made anew, while requests go on."""
    wasm = tmp_path / "large.wasm"
    wasm.write_bytes(module_with_memory(2, "little"))
    path = write_application(tmp_path, [Component("large", "/...", wasm, wagi=True)])
    server = serve(prlimit_address_space(weir, 2 * GIB), path)
    slots = re.search(r"compact pool, \d+ slots of (\d+) MiB", server.stdout.text)
    assert slots and int(slots[1]) < 250, server.log
    assert server.get("/").text == "little"
    wasm.write_bytes(module_with_memory(250 * 16, "much"))
    reload(server)
    assert server.get("/").text == "much"
    server.stderr.wait_for("the allocator was chosen anew for what the components need now")


def test_a_choice_that_had_no_room_beside_requests_under_way_is_made_anew_later(weir, serve, guest, tmp_path):
    wasm = tmp_path / "large.wasm"
    wasm.write_bytes(module_with_memory(2, "little"))
    components = [Component("large", "/large", wasm, wagi=True), Component("stream", "/stream/...", guest("http_stream"))]
    server = serve(prlimit_address_space(weir, 2 * GIB), write_application(tmp_path, components))
    makeshift = "requests that had begun before kept the room of a better one; reload again"
    with server.wire() as wire:
        wire.send(b"GET /stream/forever HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.head().status == 200
        wasm.write_bytes(module_with_memory(80 * 16, "much"))
        reload(server)
        server.stderr.wait_for(makeshift)
        assert server.get("/large").text == "much"
    reload(server)
    server.stderr.wait_for("the allocator was chosen anew for what the components need now", count=2)
    assert server.get("/large").text == "much"
    reload(server)
    assert len(re.findall(makeshift, server.stderr.text)) == 1, server.log
    assert len(re.findall("the allocator was chosen anew", server.stderr.text)) == 2, server.log


# ---- Requests meanwhile ----------------------------------------------------------------------------------------------


def test_requests_that_have_begun_end_on_what_they_began_with(weir_checked, serve, versions):
    server = serve(weir_checked, versions.write("1"))
    with server.wire() as wire:
        wire.send(b"GET /stream/pieces/150/20 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.head().status == 200
        with in_background(lambda: server.get("/wait/1500")) as waited:
            for version in ("2", "3", "4"):
                versions.write(version)
                reload(server)
                assert version_of(server) == version
            assert waited().text == "waited\n"
        pieces = b"".join(iter(wire.chunk, b""))
        assert pieces.decode() == "".join(f"data: {n}\n\n" for n in range(150))


RELOADS = {"release": 100, "asan": 30, "tsan": 12}


def reload_again_and_again(server, versions, count):
    """Reloads under load, of one version and the other in turn."""
    names = ("one", "two")
    with Load(server, ("1", *names)) as load:
        for number in range(count):
            versions.write(names[number % 2])
            reload(server)
            assert load.failures == []
    assert load.failures == []
    return load


def settled(server, temporary):
    """What is held once all is over that was served before."""
    wait_until(lambda: len(Held(server, temporary).copies) == 1)
    return Held(server, temporary)


def wait_until_resident_is(most, server):
    """What was freed is given back to the system within seconds of the last reload."""
    try:
        wait_until(lambda: server.resident_bytes() <= most)
    except Expired:
        pytest.fail(f"{server.resident_bytes()} bytes are resident, and {most:.0f} may be")


def reload_under_load(program, serve, versions, temporary, count, warm=10):
    temporary.mkdir()
    server = serve(program, versions.write("1"), "--temp", temporary)
    reload_again_and_again(server, versions, warm)  # until what is kept is there: arenas, pools, code
    before = settled(server, temporary)
    load = reload_again_and_again(server, versions, count)
    assert all(load.counts.get(what, 0) > 0 for what in ("one", "two", "streams", "waits")), load.counts
    return server, before, wait_until_no_more_than(before, server, temporary), load


@pytest.mark.parametrize("flavour", RELOADS)
def test_reloads_under_load_fail_no_request_and_leave_nothing_behind(flavour, serve, versions, tmp_path):
    program = make_program(flavour, tmp_path)
    server, before, after, load = reload_under_load(program, serve, versions, tmp_path / "temp", RELOADS[flavour])
    others = [line for line in server.stderr.lines if re.match("weir: (?!reload)", line)]
    print(f"before: {before}; after: {after}; answers: {load.counts}; said besides: {others[-20:]}")
    if flavour == "release":
        wait_until_resident_is(before.resident * 1.25 + (4 << 20), server)


def test_many_wishes_for_a_reload_at_once_are_few_reloads_and_the_last_is_served(weir_checked, serve, versions):
    server = serve(weir_checked, versions.write("1"), "--disable-cache")
    for number in range(200):
        if number == 100:
            versions.write("2")
        server.send_signal(signal.SIGHUP)
    wait_until(lambda: version_of(server) == "2")
    begun = len([line for line in server.stderr.lines if "reloading: SIGHUP" in line])
    assert 1 <= begun < 100, server.log


@pytest.mark.parametrize("flavour", ["release", "asan", "tsan"])
def test_a_stop_while_something_is_compiled_is_a_stop(flavour, serve, versions, tmp_path):
    server = serve(make_program(flavour, tmp_path), versions.write("1"), "--disable-cache")
    server.send_signal(signal.SIGHUP)
    server.stderr.wait_for("reloading: SIGHUP")
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 30
    lines = "\n".join(server.stderr.lines)
    assert "not reloaded: the server is ending" in lines or re.search(RELOADED, lines), lines


def test_a_reload_while_it_ends_is_refused(weir_checked, serve, versions):
    server = serve(weir_checked, versions.write("1"))
    with in_background(lambda: server.get("/wait/1500")) as waited:
        server.stderr.wait_for(r"\[wait stderr\] waiting")
        server.send_signal(signal.SIGTERM)
        server.stderr.wait_for("ending after 1 request in flight")
        server.send_signal(signal.SIGHUP)
        server.stderr.wait_for("not reloaded: the server is ending")
        assert waited().text == "waited\n"
    server.stopped = True
    assert server.wait() == 0


# ---- Draining --------------------------------------------------------------------------------------------------------


def test_what_is_left_when_the_time_to_drain_is_over_is_cut(weir_checked, serve, versions):
    server = serve(weir_checked, versions.write("1"), "--drain-timeout", "1s")
    with server.wire() as wire:
        wire.send(b"GET /stream/forever HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.head().status == 200
        server.send_signal(signal.SIGTERM)
        found = server.stderr.wait_for(r"ending after 1 request in flight, in (\d+) s at the latest")
        assert found[1] == "1"
        with pytest.raises(OSError):
            wait_until(lambda: server.connection(1).connect() and False, 5)
        server.stopped = True
        assert server.wait() == 0
    assert "1 request had no answer yet when the time to stop was over, and was cut" in server.stderr.text


# ---- The allocator ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mebibytes", [1024, 400])
def test_it_reloads_where_no_second_pool_fits_beside_the_first(weir, serve, versions, mebibytes):
    """Beside the pool, instances are had on demand; once that is gone, there is a pool again."""
    server = serve(prlimit_address_space(weir, mebibytes << 20), versions.write("1"))
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(server.wire())
        wire.send(b"GET /stream/forever HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.head().status == 200
        for version in ("2", "3"):
            versions.write(version)
            reload(server)
            assert version_of(server) == version
    server.stderr.wait_for("what was served before the reload is gone; the allocator was raised again: compact pool")
    versions.write("4")
    reload(server)
    assert version_of(server) == "4"


# ---- Watching --------------------------------------------------------------------------------------------------------


@pytest.fixture
def watching(weir_checked, serve, versions):
    return serve(weir_checked, versions.write("1"), "--watch")


def test_a_manifest_that_an_editor_replaces_is_loaded(watching, versions):
    versions.write("2")
    watching.stderr.wait_for(RELOADED)
    assert version_of(watching) == "2"
    versions.path.write_text(versions.text("3"))
    watching.stderr.wait_for(RELOADED, count=2)
    assert version_of(watching) == "3"


def test_files_of_components_are_watched_also_new_ones(watching, versions):
    page = versions.static / "page"
    page.write_text("new")
    watching.stderr.wait_for(RELOADED)
    assert "new" in watching.get("/files?read&/static/page").text
    below = versions.static / "deep" / "er"
    below.mkdir(parents=True)
    (below / "page").write_text("deep")
    wait_until(lambda: "deep" in watching.get("/files?read&/static/deep/er/page").text)
    page.unlink()
    wait_until(lambda: "new" not in watching.get("/files?read&/static/page").text)


def test_wasm_that_a_build_writes_in_pieces_and_dotenv_are_watched(weir_checked, serve, versions, guest, tmp_path):
    target = versions.directory / "target"
    wasm = target / "out.wasm"
    target.mkdir()
    shutil.copy(guest("http_wait"), wasm)
    versions.write("1", '[variables]\nword = { default = "none" }\n')
    versions.path.write_text(versions.path.read_text().replace(str(guest("http_wait")), "target/out.wasm"))
    server = serve(weir_checked, versions.path, "--watch")
    assert server.get("/wait/1").text == "waited\n"
    shutil.rmtree(target)  # as a build that begins by cleaning up
    target.mkdir()
    new = guest("http_echo").read_bytes()
    with open(wasm, "wb") as out:
        for at in range(0, len(new), 4096):
            out.write(new[at : at + 4096])
            out.flush()
    wait_until(lambda: server.request("POST", "/wait/1", body=b"echoed").text == "echoed")
    seen = len(server.stderr.lines)
    (versions.directory / ".env").write_text("SPIN_VARIABLE_WORD=some\n")
    server.stderr.wait_for(RELOADED, after=seen)


def test_what_only_looks_like_a_change_loads_nothing(watching, versions):
    (versions.directory / "unrelated").write_text("nothing of the application's")
    (versions.directory / ".swap").write_text("")
    os.replace(versions.directory / ".swap", versions.directory / "unrelated")
    versions.write("2")
    watching.stderr.wait_for(RELOADED)
    assert len([line for line in watching.stderr.lines if "reloading:" in line]) == 1


# ---- TLS -------------------------------------------------------------------------------------------------------------


def make_certificate(directory, name):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
         directory / f"{name}.key", "-out", directory / f"{name}.pem", "-days", "2", "-subj", f"/CN={name}",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip


def dial(server, certificate):
    context = ssl.create_default_context(cafile=certificate)
    plain = socket.create_connection((server.host, server.port), timeout=REQUEST_DEADLINE)
    return context.wrap_socket(plain, server_hostname="localhost")


def ask(connection):
    connection.sendall(b"GET /wait/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    got = b""
    while not got.endswith(b"waited\n"):
        more = connection.recv(4096)
        assert more, got
        got += more


def test_certificate_and_key_are_read_again_and_broken_ones_change_nothing(weir_checked, serve, versions, tmp_path):
    for name in ("first", "second"):
        make_certificate(tmp_path, name)
    pem, key = tmp_path / "used.pem", tmp_path / "used.key"
    shutil.copy(tmp_path / "first.pem", pem)
    shutil.copy(tmp_path / "first.key", key)
    server = serve(weir_checked, versions.write("1"), "--tls-cert", pem, "--tls-key", key, "--admin", "0")
    admin = Admin(server)
    old = dial(server, tmp_path / "first.pem")
    ask(old)
    shutil.copy(tmp_path / "second.pem", pem)  # whose key is another
    why = reload(server, "certificate and key stay as they were: (.*)")[1]
    assert "does not belong to the certificate" in why
    server.stderr.wait_for(RELOADED)
    assert_last_reload(admin, "refused", "does not belong to the certificate")
    results = {result: admin.metrics()["weir_tls_reloads_total", frozenset({("result", result)})] for result in ("done", "refused")}
    assert results == {"done": 0, "refused": 1}
    dial(server, tmp_path / "first.pem").close()
    shutil.copy(tmp_path / "second.key", key)
    reload(server, "new connections use certificate and key as they are now")
    with dial(server, tmp_path / "second.pem") as new:
        ask(new)
    with pytest.raises(ssl.SSLError):
        dial(server, tmp_path / "first.pem")
    ask(old)  # goes on with what it began with
    old.close()


def test_that_a_certificate_was_refused_is_told_although_memory_ran_out(weir, serve, versions, tmp_path):
    for name in ("used", "other"):
        make_certificate(tmp_path, name)
    library = compile_helper("refuse_copies", tmp_path, "-shared", "-fPIC")
    environment = {"LD_PRELOAD": library, "REFUSE_COPIES": "does not belong to the certificate"}
    server = serve(
        weir, versions.write("1"), "--tls-cert", tmp_path / "used.pem", "--tls-key", tmp_path / "used.key", "--admin", "0",
        environment=environment,
    )  # fmt: skip
    admin = Admin(server)
    shutil.copy(tmp_path / "other.pem", tmp_path / "used.pem")
    reload(server)
    last = admin.status()["last_reload"]
    assert (last["result"], last["error"]) == ("refused", None), "the reason is what there was no memory for"
    assert admin.metrics()["weir_last_reload_successful", frozenset()] == 0


# ---- Who asks --------------------------------------------------------------------------------------------------------


def test_a_terminal_that_is_gone_ends_it(weir, versions):
    """A shell that loses its terminal tells its jobs with the same signal."""
    path = versions.write("1")
    child, terminal = pty.fork()
    if child == 0:
        os.execve(weir.path, [str(weir.path), "up", str(path), "--listen", "127.0.0.1:0"], weir.full_environment())
    said = b""
    while b"Available Routes" not in said:
        said += os.read(terminal, 4096)
    os.close(terminal)
    deadline = time.monotonic() + 30
    ended, status = os.waitpid(child, os.WNOHANG)
    while ended == 0:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("it goes on without its terminal")
        time.sleep(0.05)
        ended, status = os.waitpid(child, os.WNOHANG)
    assert os.waitstatus_to_exitcode(status) == 0
