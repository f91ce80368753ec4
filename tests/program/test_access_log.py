"""The access log as programs that read it find it: a line for each request, whatever becomes of file and reader."""

import concurrent.futures
import json
import os
import re
import signal

import pytest

from conftest import TESTS
from harness import Component, write_application

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def application(guest, tmp_path):
    return write_application(
        tmp_path / "logged",
        [
            Component("request", "/request/...", guest("http_request")),
            Component("fail", "/fail/...", guest("http_fail")),
        ],
    )


def fields_of(line):
    """The fields of a line of logfmt. What is between quotes is written as in JSON."""
    fields = {}
    at = 0
    pattern = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "=]+)(?: |$)')
    while at < len(line):
        match = pattern.match(line, at)
        assert match, f"{line!r} is no logfmt from {at} on"
        name, value = match.groups()
        assert name not in fields, line
        fields[name] = json.loads(value) if value.startswith('"') else value
        at = match.end()
    return fields


def documented():
    """The names in the table of docs/observability.md, in its order."""
    text = (TESTS.parent / "docs/observability.md").read_text()
    table = text.split("## The access log")[1].split("\n## ")[0]
    return re.findall(r"^\| `([a-z_]+)` \|", table, re.M)


def read(path, form):
    lines = path.read_bytes().decode("utf-8").split("\n")
    assert lines.pop() == ""
    if form == "json":
        return [json.loads(line) for line in lines]
    return [fields_of(line) for line in lines]


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_each_request_has_its_line_with_the_fields_that_are_documented(
    weir_checked, serve, application, tmp_path, form
):
    log = tmp_path / "access.log"
    server = serve(weir_checked, application, "--access-log", log, "--access-log-format", form)
    answer = server.request(
        "POST", "/request/a?b=c%20d", body=b"12345", headers={"traceparent": TRACEPARENT}
    )
    assert answer.status == 200
    assert server.get("/fail/trap").status == 500
    assert server.get("/nowhere").status == 404
    assert server.exchange(b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n").status == 400
    assert server.exchange(b'GET /?\\x=%22 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n').status == 404
    server.stop()
    # Two loops may tell of their requests in another order than these had.
    lines = read(log, form)
    assert len(lines) == 5
    by_status = {int(line["status"]): line for line in lines if int(line["status"]) != 404}
    whole, trapped, malformed = (by_status[status] for status in (200, 500, 400))
    [nowhere] = [line for line in lines if line.get("target") == "/nowhere"]
    [quoted] = [line for line in lines if line.get("target") == '/?\\x=%22']
    assert oct(log.stat().st_mode & 0o137) == oct(0), "others may read it"
    number = (lambda value: value) if form == "json" else float
    assert list(whole) == [name for name in documented() if name != "span_id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", whole["time"])
    assert re.fullmatch(r"127\.0\.0\.1:\d+", whole["client"])
    expected = {
        "method": "POST",
        "target": "/request/a?b=c%20d",
        "host": server.authority,
        "scheme": "http",
        "protocol": "HTTP/1.1",
        "outcome": "answered",
        "component": "request",
        "route": "/request/...",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
    assert {name: whole[name] for name in expected} == expected
    assert (number(whole["status"]), number(whole["bytes_in"]), number(whole["bytes_out"])) == (200, 5, len(answer.body))
    assert 0 <= number(whole["queue_ms"]) <= number(whole["head_ms"]) <= number(whole["duration_ms"])
    assert (number(trapped["status"]), trapped["outcome"], trapped["component"]) == (500, "trapped", "fail")
    assert number(nowhere["status"]) == 404 and "component" not in nowhere and "trace_id" not in nowhere
    assert malformed["outcome"] == "malformed" and "method" not in malformed
    assert number(quoted["status"]) == 404


def test_queries_are_left_out_where_that_is_wanted(weir, serve, application, tmp_path):
    log = tmp_path / "access.log"
    server = serve(weir, application, "--access-log", log, "--omit-queries")
    assert server.get("/request/?token=secret").status == 200
    server.stop()
    assert [line["target"] for line in read(log, "logfmt")] == ["/request/"]


def test_the_standard_streams_take_it(weir, serve, application):
    server = serve(weir, application, "--access-log", "-", "--access-log-format", "json")
    assert server.get("/nowhere").status == 404
    assert json.loads(server.stdout.wait_for(r"^\{.*\}$").group(0))["target"] == "/nowhere"
    server = serve(weir, application, "--access-log", "stderr")
    assert server.get("/nowhere").status == 404
    assert fields_of(server.stderr.wait_for(r"^time=.*").group(0))["target"] == "/nowhere"


def test_every_answered_request_has_its_line_when_it_ends(weir_checked, serve, application, tmp_path):
    log = tmp_path / "access.log"
    server = serve(weir_checked, application, "--access-log", log)
    with concurrent.futures.ThreadPoolExecutor(16) as workers:
        statuses = list(workers.map(lambda index: server.get(f"/request/{index}").status, range(400)))
    assert statuses == [200] * 400
    server.stop()
    targets = sorted(line["target"] for line in read(log, "logfmt"))
    assert targets == sorted(f"/request/{index}" for index in range(400))


def test_a_log_that_is_rotated_under_load_loses_no_line(weir, serve, application, tmp_path):
    log = tmp_path / "access.log"
    server = serve(weir, application, "--access-log", log)
    rotated = []
    with concurrent.futures.ThreadPoolExecutor(8) as workers:
        answers = [workers.submit(server.get, f"/nowhere/{index}") for index in range(2000)]
        for turn in range(5):
            answers[turn * 300 + 200].result()
            rotated.append(log.with_suffix(f".{turn}"))
            log.rename(rotated[-1])
            server.send_signal(signal.SIGHUP)
            while not log.exists():
                assert server.get("/").status == 404
        assert all(answer.result().status == 404 for answer in answers)
    server.stop()
    lines = [line["target"] for path in [*rotated, log] for line in read(path, "logfmt")]
    found = sorted(target for target in lines if target != "/")
    assert found == sorted(f"/nowhere/{index}" for index in range(2000))


def lost_in(server):
    return sum(map(int, re.findall(r"lost (\d+) lines? of the access log", server.log)))


def test_a_full_disk_costs_lines_and_nothing_else(weir_checked, serve, application):
    server = serve(weir_checked, application, "--access-log", "/dev/full")
    for _ in range(50):
        assert server.get("/nowhere").status == 404
    server.stop()
    assert lost_in(server) == 50
    assert server.log.count("lost") <= 3 and "No space left on device" in server.log


def test_a_reader_that_leaves_costs_lines_and_nothing_else(weir, serve, application, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    server = serve(weir, application, "--access-log", fifo)
    os.close(reader)
    for _ in range(20):
        assert server.get("/nowhere").status == 404
    server.stderr.wait_for("lost .*: Broken pipe")
    # Another one gets what comes from then on.
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    assert server.get("/later").status == 404
    # Lines of before that were not written yet may come first.
    with open(reader, encoding="utf-8") as lines:
        assert any("target=/later" in line for line in lines)
        server.stop()


def test_a_reader_that_stalls_holds_up_no_request(weir, serve, application, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    server = serve(weir, application, "--access-log", fifo)
    with concurrent.futures.ThreadPoolExecutor(8) as workers:
        target = "/nowhere/" + "x" * 3000
        assert set(workers.map(lambda _: server.get(target).status, range(1000))) == {404}
    server.stop()
    os.close(reader)
    assert lost_in(server) > 0, server.log


def test_a_file_that_cannot_be_opened_is_named_before_anything_is_served(weir_checked, application, tmp_path):
    done = weir_checked.run("up", application, "--access-log", tmp_path / "nowhere" / "log")
    assert done.status == 2 and "the access log" in done.stderr and "No such file or directory" in done.stderr, done


def test_an_unknown_format_is_refused(weir, application):
    done = weir.run("up", application, "--access-log-format", "xml")
    assert done.status == 2 and "--access-log-format is 'xml'; it can be logfmt or json" in done.stderr, done
