"""What Spin's sources say of `spin up`'s options, asked of `weir up`: sections 10 and 11 of docs/spin-compatibility.md.

Spin's sources: spinframework/spin at 94a8fc8a.
"""

import contextlib
import json
import socket

import pytest

from harness import Component, write_application


@pytest.fixture
def several(guest, tmp_path):
    """An application: two components that tell their environment, and one that writes to its standard streams."""
    return write_application(
        tmp_path / "application",
        [
            Component("one", "/one/...", guest("http_request"), environment={"KEPT": "one", "CHANGED": "manifest"}),
            Component("two", "/two", guest("wagi_environment"), wagi=True, description="The second one"),
            Component("chatty", "/log", guest("http_log")),
        ],
    )


def environment_of(server, target):
    response = server.get(target)
    assert response.status == 200, response
    lines = [line.removeprefix("environment ") for line in response.text.splitlines() if line.startswith("environment ")]
    return dict(line.split("=", 1) for line in lines)


def refused(program, *arguments):
    """Start-up ends with 2, nothing on standard output, and says why."""
    done = program.run("up", "--listen", "127.0.0.1:0", *arguments)
    assert (done.status, done.stdout) == (2, ""), done
    return done.stderr


# ---- section 10: environment and output ------------------------------------------------------------------------------


def test_env_is_given_to_every_component_and_wins_over_the_manifest(weir, several, serve):
    """src/commands/up.rs: `component.env.extend(self.env)` for each component; tests/integration.rs, dynamic_env_test"""
    server = serve(weir, several, "--env", "CHANGED=option", "-e", "NEW=a=b c")
    assert environment_of(server, "/one") == {"KEPT": "one", "CHANGED": "option", "NEW": "a=b c"}
    second = environment_of(server, "/two")
    assert (second["NEW"], second["CHANGED"]) == ("a=b c", "option")


def read_log(directory, component, stream):
    return (directory / f"{component}_{stream}.txt").read_bytes()


def write_a_log(serve, weir, several, *arguments, **options):
    server = serve(weir, several, *arguments, **options)
    assert server.get("/log").status == 200
    server.stop()
    return server


def test_what_components_write_is_kept_in_files_of_their_own(weir, several, serve, tmp_path):
    """crates/trigger/src/cli/stdio.rs: <log-dir>/<id>_stdout.txt and <id>_stderr.txt; the directory is made, and what is
    there is kept unless --truncate-logs"""
    logs = tmp_path / "deep" / "logs"
    write_a_log(serve, weir, several, "--log-dir", logs)
    assert read_log(logs, "chatty", "stdout") == b"first\nsecond\n"
    written = read_log(logs, "chatty", "stderr")
    assert written.startswith(b"weir: error: forged\nbefore\rafter ")
    assert b"x" * 19999 in written and b"unfinished" in written
    write_a_log(serve, weir, several, "-L", logs)
    assert read_log(logs, "chatty", "stdout") == b"first\nsecond\n" * 2
    write_a_log(serve, weir, several, "--log-dir", logs, "--truncate-logs")
    assert read_log(logs, "chatty", "stdout") == b"first\nsecond\n"


def test_logs_are_beside_the_manifest_by_default(weir, several, serve):
    """crates/trigger/src/cli.rs: the log directory is `logs` in the state directory, `.spin` beside the manifest"""
    write_a_log(serve, weir, several)
    assert read_log(several.parent / ".spin" / "logs", "chatty", "stdout") == b"first\nsecond\n"


def test_follow_shows_those_components_alone_and_quiet_none(weir, several, serve, tmp_path):
    """crates/trigger/src/cli/stdio.rs, FollowComponents"""
    for arguments, shown in ((["--follow", "chatty"], True), (["--follow", "one"], False), (["--quiet"], False)):
        server = write_a_log(serve, weir, several, *arguments, "--log-dir", tmp_path / "logs")
        assert ("[chatty stdout] second" in server.stderr.lines) == shown, arguments


def test_follow_of_what_is_not_there_lists_what_is(weir, several):
    """crates/trigger/src/cli/stdio.rs, validate_follows"""
    said = refused(weir, several, "--follow", "nobody")
    for name in ("nobody", "one", "two", "chatty"):
        assert name in said


# ---- section 11: the command line ------------------------------------------------------------------------------------


def test_only_the_chosen_components_are_served(weir, several, serve):
    """src/commands/up.rs, retain_components"""
    server = serve(weir, several, "-c", "two", "--component-id", "chatty")
    assert server.get("/two").status == 200
    assert server.get("/log").status == 200
    assert server.get("/one").status == 404
    assert not any(line.startswith("  one:") for line in server.stdout.lines)


def test_a_chosen_component_that_is_not_there_is_an_error(weir, several):
    said = refused(weir, several, "-c", "nobody")
    assert "nobody" in said


def test_json_alone_tells_address_and_routes(weir, several, serve):
    """tests/integration.rs, http_smoke_test_json_format; crates/trigger-http/src/server.rs, print_startup_msgs"""
    server = serve(weir, several, "--format", "json", serving=False)
    server.stdout.wait_for(r"^\}")
    told = json.loads(server.stdout.text)
    assert told["base_url"].startswith("http://127.0.0.1:")
    routes = {route["id"]: route for route in told["routes"]}
    assert set(routes) == {"one", "two", "chatty"}
    assert (routes["one"]["route"], routes["one"]["wildcard"]) == ("/one", True)
    assert (routes["two"]["route"], routes["two"]["wildcard"]) == ("/two", False)
    assert routes["two"]["description"] == "The second one"


@pytest.fixture
def occupied():
    """A port that is in use, with those above it free as far as anyone can know."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_port_in_use_is_an_error_that_names_the_option(weir, several, occupied):
    """crates/trigger-http/src/server.rs, serve"""
    done = weir.run("up", several, "--listen", f"127.0.0.1:{occupied}")
    assert done.status != 0
    assert "--find-free-port" in done.stderr


@pytest.fixture
def ten_occupied():
    """Sockets that listen on ten ports, one above the other."""
    for first in range(23000, 60000, 10):
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(10)]
            try:
                for port, taken in enumerate(sockets, first):
                    taken.bind(("127.0.0.1", port))
                    taken.listen()
            except OSError:
                continue
            yield sockets
            return
    pytest.skip("there are no ten ports in a row that are free")


def test_find_free_port_takes_one_of_the_nine_above(weir, several, ten_occupied, serve):
    """crates/trigger-http/src/server.rs, search_for_free_port: MAX_RETRIES = 10 ports are tried, the first among them"""
    first = ten_occupied[0].getsockname()[1]
    done = weir.run("up", several, "--find-free-port", "--listen", f"127.0.0.1:{first}")
    assert done.status != 0 and "those above it" in done.stderr, done
    ten_occupied[9].close()
    server = serve(weir, several, "--find-free-port", listen=f"127.0.0.1:{first}")
    assert server.port == first + 9
    assert server.get("/two").status == 200
