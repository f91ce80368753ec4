"""Limits in a manifest that is loaded anew: those that come with the application are in force at once; of those that a
server keeps until it ends, and that would be others now, a warning tells; and /status.json shows what is in force."""
# ctest: timeout=300

import re
import time

import pytest

from admin import Admin
from harness import Component, Expired, write_application
from reloads import RELOADED, reload

MIB = 1 << 20


class Manifest:
    """An application whose limits are written anew."""

    def __init__(self, directory, guest):
        self.path = write_application(
            directory, [Component("wait", "/wait/...", guest("http_wait")), Component("echo", "/echo/...", guest("http_echo"))]
        )
        self.text = self.path.read_text()

    def write(self, application="", **components):
        text = self.text + f"\n[application.tool.weir]\n{application}\n"
        for name, table in components.items():
            text += f"\n[component.{name}.tool.weir]\n{table}\n"
        self.path.write_text(text)
        return self.path

    def line_of(self, key):
        return next(number for number, line in enumerate(self.path.read_text().split("\n"), 1) if line.startswith(key))


@pytest.fixture
def manifest(guest, tmp_path):
    return Manifest(tmp_path / "application", guest)


def warnings_of_reload(server):
    """What a reload warns of on the way; all of it is told before its end."""
    seen = len(server.stderr.lines)
    reload(server, RELOADED)
    return [line for line in server.stderr.lines[seen:] if "stays in force" in line]


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise Expired(f"not within {seconds} s")
        time.sleep(0.02)
    return result


def many_headers(count):
    return {f"x-{number}": "a" for number in range(count)}


def test_limits_that_come_with_the_application_are_in_force_after_a_reload(weir_checked, serve, manifest):
    server = serve(weir_checked, manifest.write(), "--admin", "0")
    admin = Admin(server)
    before = admin.status()["limits"]
    assert server.get("/wait/1", headers=many_headers(20)).status == 200
    manifest.write(
        'max_request_headers = 10\nmax_request_head = "2KiB"\nmax_requests_per_connection = 1\nmax_waiting = 7\n'
        'request_timeout = "7s"\nmax_request_body = 5\n'
    )
    assert warnings_of_reload(server) == []
    assert server.get("/wait/1", headers=many_headers(20)).status == 431
    assert server.get("/wait/1", headers={"x-long": "a" * 4096}).status == 431
    assert server.request("POST", "/echo/body", body=b"too long").status == 413
    answer = server.get("/wait/1")
    assert answer.status == 200 and ("connection", "close") in answer.headers
    now = admin.status()["limits"]
    changed = {name: value for name, value in now.items() if value != before[name]}
    assert changed == {
        "max_request_headers": 10, "max_request_head_bytes": 2048, "max_requests_per_connection": 1, "max_waiting": 7,
        "request_timeout_seconds": 7, "cpu_time_seconds": 7, "max_request_body_bytes": 5,
    }  # fmt: skip
    manifest.write()
    assert warnings_of_reload(server) == []
    assert server.get("/wait/1", headers=many_headers(20)).status == 200
    assert admin.status()["limits"] == before


def test_a_request_that_waits_has_the_limit_on_bodies_of_who_is_to_answer_it_now(weir_checked, serve, manifest):
    """Matched anew, its body is too long for the component that it leads to, although it is short enough for another."""
    server = serve(weir_checked, manifest.write(echo="max_request_body = 100"), "--admin", "0", "--max-concurrency", "1")
    admin = Admin(server)
    head = b"POST /echo/body HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n"
    with server.wire() as held, server.wire() as long:
        held.send(b"GET /wait/60000 HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: any(one["instances"] == 1 for one in admin.status()["components"]))
        long.send(head + b"too long")
        until(lambda: sum(one["waiting"] for one in admin.status()["components"]) == 1)
        manifest.write(echo="max_request_body = 5", wait="max_request_body = 100")
        reload(server)
        assert long.response("POST").status == 413
        # It is counted as refused, and nothing of it waits any more.
        echo = until(lambda: next((c for c in admin.status()["components"] if c["id"] == "echo" and c["requests"]), None))
        assert echo["waiting"] == 0 and echo["statuses"] == {"413": 1}
        assert echo["outcomes"]["malformed"] == 1
        long.send(b"GET /echo/body HTTP/1.1\r\nHost: a\r\n\r\n")
        assert long.response("GET").status == 200


def test_as_many_wait_as_the_manifest_says_now(weir, serve, manifest):
    server = serve(weir, manifest.write(), "--admin", "0", "--max-concurrency", "1")
    admin = Admin(server)
    manifest.write("max_waiting = 0")
    reload(server)
    with server.wire() as held:
        held.send(b"GET /wait/60000 HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: any(one["instances"] == 1 for one in admin.status()["components"]))
        assert server.get("/wait/1").status == 503
    server.stderr.wait_for("all instances that this component may have are in use, and 0 requests wait already")


def test_a_guest_that_goes_on_after_its_response_has_the_time_of_now(weir, serve, guest, tmp_path):
    path = write_application(tmp_path / "application", [Component("spin", "/spin/...", guest("http_spin"))])
    text = path.read_text() + "\n[application.tool.weir]\n"
    path.write_text(text + 'request_timeout = "10m"\ncpu_time = "none"\n')
    server = serve(weir, path)
    path.write_text(text + 'request_timeout = "300ms"\ncpu_time = "none"\n')
    reload(server)
    assert server.get("/spin/late").text == "spinning\n"
    server.stderr.wait_for("component spin: still running long after its response; ended", seconds=60)


KEPT = {
    "header_timeout": ('"90s"', "90s", "110s", "110s"),
    "body_timeout": ('"1500ms"', "1500ms", "none", "none"),
    "idle_timeout": ("50", "50s", "70s", "70s"),
    "max_connections": ("33", "33", "64", "64"),
    "max_connections_per_address": ("20", "20", "30", "30"),
}


def test_limits_that_need_a_restart_stay_and_are_warned_of(weir_checked, serve, manifest):
    """Told as they can be written, with their lines, and no more once the manifest says what is in force."""
    first = "\n".join(f"{key} = {values[2] if values[2].isdigit() else repr(values[2])}" for key, values in KEPT.items())
    server = serve(weir_checked, manifest.write(first), "--admin", "0")
    admin = Admin(server)
    before = admin.status()["limits"]
    manifest.write("\n".join(f"{key} = {values[0]}" for key, values in KEPT.items()))
    told = warnings_of_reload(server)
    assert len(told) == len(KEPT), told
    for (key, (_, now, _, stays)), line in zip(KEPT.items(), told, strict=True):
        place = re.escape(f"{manifest.path}:{manifest.line_of(key)}: ")
        expected = (
            rf'^weir: warning: {place}"{key}" of \[application\.tool\.weir\] is {now} now, and {stays} stays in force; '
            r"restart to change it$"
        )
        assert re.search(expected, line), (expected, line)
    assert admin.status()["limits"] == before
    manifest.write()
    told = warnings_of_reload(server)
    assert len(told) == len(KEPT) and all("is not set now" in line for line in told), told
    manifest.write(first)
    assert warnings_of_reload(server) == []


def test_where_an_option_counts_the_manifest_changes_nothing_and_nobody_is_warned(weir, serve, manifest):
    server = serve(weir, manifest.write("idle_timeout = 10"), "--idle-timeout", "30s", "--max-waiting", "3", "--admin", "0")
    manifest.write("idle_timeout = 20\nmax_waiting = 9")
    assert warnings_of_reload(server) == []
    limits = Admin(server).status()["limits"]
    assert (limits["idle_timeout_seconds"], limits["max_waiting"]) == (30, 3)


def test_connections_that_are_more_than_there_is_room_for_stay_what_they_are(weir, serve, manifest):
    limited = weir.wrapped("prlimit", "--nofile=4096:4096", "--")
    server = serve(limited, manifest.write("max_connections = 900000"), "--admin", "0")
    room = int(server.stderr.wait_for(
        r'warning: 900000 connections at once were asked for with "max_connections" of \[application\.tool\.weir\], and '
        r"there is room for (\d+)"
    )[1])  # fmt: skip
    manifest.write("max_connections = 17")
    [told] = warnings_of_reload(server)
    assert f"is 17 now, and {room} stays in force" in told
    assert Admin(server).status()["limits"]["max_connections"] == room


def test_bounds_of_the_runtime_configuration_stay_and_are_warned_of(weir, serve, manifest, tmp_path):
    config = tmp_path / "run.toml"
    first = "[outbound_http]\nmax_connections = 10\n[outbound_networking]\nmax_socket_connections = 20\n"
    config.write_text(first)
    server = serve(weir, manifest.write(), "--runtime-config-file", config)
    config.write_text(
        "[outbound_http]\nmax_connections = 11\nconnection_pooling = false\n"
        "[outbound_networking]\nmax_socket_connections = 21\n"
    )
    told = warnings_of_reload(server)
    stays = "stays in force; restart to change it"
    assert [line.split(f"{config}: ")[1] for line in told] == [
        f'"max_connections" of [outbound_http] is 11 now, and 10 {stays}',
        f'"max_socket_connections" of [outbound_networking] is 21 now, and 20 {stays}',
        f'"connection_pooling" of [outbound_http] is false now, and true {stays}',
    ]
    config.write_text("")
    told = warnings_of_reload(server)
    assert len(told) == 2 and all("is not set now" in line for line in told), told
    config.write_text(first)
    assert warnings_of_reload(server) == []


def test_memory_that_a_reload_allows_is_there(weir, serve, manifest):
    """Slots are as large as the manifest says now: an allocator is chosen for that."""
    server = serve(weir, manifest.write('max_instance_memory = "2MiB"'), "--admin", "0", environment={"SPIN_ALLOCATOR": "compact"})
    admin = Admin(server)

    def memory():
        status = admin.status()
        own = {one["id"]: one["limits"]["max_instance_memory_bytes"] for one in status["components"]}
        return status["limits"]["max_instance_memory_bytes"], own["wait"], own["echo"]

    assert memory() == (2 * MIB,) * 3
    manifest.write('max_instance_memory = "16MiB"', echo='max_instance_memory = "8MiB"')
    reload(server)
    assert memory() == (16 * MIB, 16 * MIB, 8 * MIB)
    assert server.get("/wait/1").status == 200
