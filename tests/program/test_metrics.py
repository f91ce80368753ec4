"""/metrics: what Prometheus is told agrees with its format, with the manual, and with what happened."""

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from admin import Admin, parse_metrics, sample
from harness import REQUEST_DEADLINE, STOP_DEADLINE, Component, hello_load, in_background, load, write_application
from modules import module_that_cannot_start

DOCUMENTS = Path(__file__).resolve().parents[2] / "docs"


def until(condition, seconds=REQUEST_DEADLINE):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{condition} did not come true in {seconds} s"
        time.sleep(0.02)
    return result


def families(text):
    """{name: type}, of a text whose families each have HELP, TYPE and samples, in this order and once."""
    found = {}
    name = None
    for line in text.split("\n"):
        if line.startswith("# HELP "):
            name, words = line[7:].split(" ", 1)
            assert name not in found and words.strip(), line
        elif line.startswith("# TYPE "):
            named, kind = line[7:].split(" ")
            assert named == name and kind in ("counter", "gauge", "histogram"), line
            found[name] = kind
        elif line:
            own = re.match(r"[a-zA-Z0-9_:]+", line)[0]
            ends = ("_bucket", "_sum", "_count") if found[name] == "histogram" else ("",)
            assert own in {name + end for end in ends}, f"{line} is among those of {name}"
    return found


def documented():
    """The same, of the tables of the manual, with the labels of each."""
    kinds, labels = {}, {}
    for line in (DOCUMENTS / "observability.md").read_text().split("\n"):
        row = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| `weir_") or line.startswith("| `process_"):
            for name in re.findall(r"`([a-z_]+)`", row[0]):
                assert name not in kinds, f"{name} is there twice"
                kinds[name] = row[1]
                labels[name] = set(re.findall(r"`([a-z_]+)`", row[2])) if len(row) > 3 or "`" in row[2][:1] else set()
    return kinds, labels


@pytest.fixture
def observed(weir, application, serve):
    """A server after requests that ended in different ways, and its admin."""
    server = serve(weir, application, "--admin", "0")
    for target in ("/echo", "/fail/trap", "/wagi/fail?exit", "/nowhere"):
        server.get(target)
    server.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n")
    server.request("BREW", "/echo")
    return server, Admin(server)


def test_the_manual_and_the_program_agree_on_metrics(observed):
    _, admin = observed
    text = admin.get("/metrics").text
    kinds, labels = documented()
    with_tls = {"weir_tls_certificate_not_after_timestamp_seconds": "gauge"}  # test_tls.py
    assert families(text) | with_tls == kinds
    seen = {}
    for name, pairs in parse_metrics(text):
        family = re.sub(r"_(bucket|sum|count)$", "", name) if name not in kinds else name
        seen.setdefault(family, set()).update(label for label, _ in pairs if label != "le")
    assert seen | {name: set() for name in with_tls} == labels


def test_it_is_the_text_format(observed):
    _, admin = observed
    answer = admin.get("/metrics")
    assert answer.get("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text.endswith("\n") and "\r" not in answer.text
    samples = parse_metrics(answer.text)
    for name in ("weir_request_head_seconds", "weir_request_duration_seconds", "weir_request_queue_seconds"):
        for component in {dict(pairs)["component"] for family, pairs in samples if family == name + "_count"}:
            buckets = sorted(
                (float(dict(pairs)["le"]), value)
                for (family, pairs), value in samples.items()
                if family == name + "_bucket" and dict(pairs)["component"] == component
            )
            assert len(buckets) == 37 and buckets[-1][0] == float("inf")
            assert [value for _, value in buckets] == sorted(value for _, value in buckets)
            assert buckets[-1][1] == sample(samples, name + "_count", component=component)


def test_promtool_has_nothing_to_say(observed):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    _, admin = observed
    done = subprocess.run(
        [promtool, "check", "metrics"], input=admin.get("/metrics").body, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_the_rules_of_the_manual_are_rules(tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    text = (DOCUMENTS / "observability.md").read_text()
    rules = tmp_path / "weir.rules.yaml"
    rules.write_text(re.search(r"```yaml\n(# weir\.rules\.yaml\n.*?)```", text, re.S)[1])
    subprocess.run([promtool, "check", "rules", str(rules)], timeout=60, check=True)
    config = tmp_path / "prometheus.yaml"
    config.write_text(re.search(r"```yaml\n(scrape_configs:\n.*?)```", text, re.S)[1])
    subprocess.run([promtool, "check", "config", str(config)], timeout=60, check=True)


def test_rules_of_the_manual_name_metrics_that_there_are():
    kinds, _ = documented()
    known = set(kinds) | {name + "_bucket" for name, kind in kinds.items() if kind == "histogram"}
    text = (DOCUMENTS / "observability.md").read_text()
    used = set(re.findall(r"\bweir_[a-z_]+\b", re.search(r"groups:\n.*?```", text, re.S)[0]))
    assert used and used <= known


def test_requests_are_counted_by_what_came_of_them(observed):
    _, admin = observed
    samples = admin.metrics()
    total, outcomes = "weir_requests_total", "weir_request_outcomes_total"
    assert sample(samples, total, component="echo", method="GET", status=200) == 1
    assert sample(samples, total, component="echo", method="other", status=200) == 1
    assert sample(samples, total, component="fail", method="GET", status=500) == 1
    assert sample(samples, total, component="", method="GET", status=404) == 1
    assert sample(samples, total, component="", method="other", status=400) == 1
    assert sample(samples, outcomes, component="fail", outcome="trapped") == 1
    assert sample(samples, outcomes, component="wagi-fail", outcome="failed") == 1
    assert sample(samples, outcomes, component="", outcome="malformed") == 1
    assert sample(samples, "weir_guest_traps_total", component="fail") == 1
    assert sample(samples, "weir_guest_cpu_seconds_total", component="echo") > 0
    assert sample(samples, "weir_connections_accepted_total") >= 6


def test_each_request_enters_an_instance_of_its_own(weir, guest, serve, tmp_path):
    """The instances say so, too: each looks for what an earlier one has left in its memory."""
    kinds = [
        Component("component", "/component", guest("http_stale")),
        Component("wagi", "/wagi", guest("wagi_stale"), wagi=True),
    ]
    server = serve(weir, write_application(tmp_path, kinds), "--admin", "0")
    targets = [("/component", b"clean\n"), ("/wagi", b"clean\n"), ("/component", b"clean\n")]
    assert load(server, 300, 8, lambda number: targets[number % 3]) == []
    assert server.get("/nowhere").status == 404
    admin = Admin(server)
    # The last ones may not be over yet when their clients have the whole response.
    until(lambda: sample(admin.metrics(), "weir_requests_in_flight", component="component") == 0)
    until(lambda: sample(admin.metrics(), "weir_requests_in_flight", component="wagi") == 0)
    samples = admin.metrics()
    for component, count in (("component", 200), ("wagi", 100)):
        assert sample(samples, "weir_requests_total", component=component, method="GET", status=200) == count
        assert sample(samples, "weir_guest_instances_made_total", component=component) == count


def test_what_fails_while_it_starts_is_no_instance_that_was_made(weir, guest, serve, tmp_path):
    wasm = tmp_path / "trap.wasm"
    wasm.write_bytes(module_that_cannot_start())
    kinds = [Component("bad", "/bad", wasm, wagi=True), Component("good", "/good", guest("http_stale"))]
    server = serve(weir, write_application(tmp_path / "application", kinds), "--admin", "0")
    admin = Admin(server)
    assert [server.get("/bad").status, server.get("/bad").status, server.get("/good").status] == [500, 500, 200]
    good = ("weir_requests_total", frozenset({("component", "good"), ("method", "GET"), ("status", "200")}))
    until(lambda: admin.metrics().get(good) == 1)
    samples = admin.metrics()
    assert sample(samples, "weir_guest_traps_total", component="bad") == 2
    assert sample(samples, "weir_guest_instances_made_total", component="bad") == 0
    assert sample(samples, "weir_guest_instances_made_total", component="good") == 1


def test_what_only_guests_have_is_not_told_of_what_the_server_answers(observed):
    _, admin = observed
    of_server = {(family, dict(pairs).get("outcome")) for family, pairs in admin.metrics() if ("component", "") in pairs}
    assert {family for family, _ in of_server} == {
        "weir_requests_total",
        "weir_request_outcomes_total",
        "weir_requests_in_flight",
        *(
            f"weir_request_{name}_seconds_{part}"
            for name in ("head", "duration")
            for part in ("bucket", "sum", "count")
        ),
    }
    assert {outcome for _, outcome in of_server} - {None} == {
        "answered",
        "malformed",
        "stalled",
        "left",
        "internal",
        "cut",
    }


def test_statuses_that_guests_make_up_do_not_grow_without_bound(weir, application, serve):
    server = serve(weir, application, "--admin", "0")
    for status in range(200, 500):
        server.get(f"/respond?status={status}")
    admin = Admin(server)

    def counted():
        samples = admin.metrics()
        own = {pairs: value for (name, pairs), value in samples.items() if name == "weir_requests_total"}
        return own if sum(own.values()) == 300 else None

    own = until(counted)  # a request counts once its response has gone
    loops = sample(admin.metrics(), "weir_loops")
    assert 40 <= len(own) <= 48 * loops


def watch(program, serve, hello, requests):
    """Ask for everything that there is again and again while there is load, and compare what was counted with it."""
    server = serve(program, hello, "--admin", "0")
    admin = Admin(server)
    with in_background(lambda: load(server, requests, 8, hello_load)) as failures:
        before = 0
        while before < requests:
            samples = admin.metrics()
            count = sum(value for (name, _), value in samples.items() if name == "weir_requests_total")
            assert before <= count <= requests
            before = count
            assert admin.status()["totals"]["requests"] >= count
            assert admin.get("/health/live").status == 200
        assert failures(STOP_DEADLINE) == []
    samples = admin.metrics()
    for name in ("weir_requests_total", "weir_request_head_seconds_count", "weir_request_duration_seconds_count"):
        assert sum(value for (family, _), value in samples.items() if family == name) == requests
    assert all(value == 0 for (name, _), value in samples.items() if name == "weir_requests_in_flight")
    assert sample(samples, "weir_received_bytes_total") > requests * 20
    return server


def test_nothing_is_lost_or_counted_twice_under_load(weir_checked, hello, serve):
    watch(weir_checked, serve, hello, 3000)


def test_readers_and_writers_do_not_race(weir_tsan, hello, serve):
    watch(weir_tsan, serve, hello, 600).stop()


# ---- What changes while it serves ------------------------------------------------------------------------------------


def test_a_reload_is_counted_and_what_is_shown_is_new(weir, guest, serve, tmp_path):
    first = [Component("one", "/one", guest("http_echo"))]
    both = [*first, Component("two", "/two", guest("http_echo"))]
    write_application(tmp_path / "application", first, version="1.0.0")
    server = serve(weir, tmp_path / "application", "--admin", "0")
    admin = Admin(server)
    assert server.get("/one").status == 200
    write_application(tmp_path / "application", both, version="2.0.0")
    server.send_signal(signal.SIGHUP)
    status = until(lambda: (now := admin.status())["application"]["version"] == "2.0.0" and now)
    assert status["application"]["generation"] == 2
    assert [route["component"] for route in status["routes"]] == ["one", "two"]
    assert server.get("/two").status == 200
    (tmp_path / "application" / "spin.toml").write_text("broken")
    server.send_signal(signal.SIGHUP)
    samples = until(lambda: sample(now := admin.metrics(), "weir_reloads_total", result="refused") == 1 and now)
    assert sample(samples, "weir_reloads_total", result="done") == 1
    assert sample(samples, "weir_generation") == 2
    assert admin.status()["application"]["version"] == "2.0.0"
    assert sample(samples, "weir_requests_total", component="one", method="GET", status=200) == 1


def test_a_loop_that_does_not_turn_any_more_is_told_of(weir, application, serve):
    """A guest that is never interrupted holds its thread: with --time-slice 0, which is for measuring."""
    server = serve(weir.wrapped("taskset", "1"), application, "--admin", "0", "--time-slice", "0")
    admin = Admin(server)
    assert admin.get("/health/live").status == 200
    with server.wire() as wire:
        wire.send(b"GET /spin HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: admin.get("/health/live").status == 503, 60)
        samples = admin.metrics()
        assert sample(samples, "weir_loops_live") == 0
        assert max(loop["busy_fraction"] for loop in admin.status()["loops"]) == 1
    server.stopped = True
    server.kill()


def test_an_allocator_that_is_lower_than_wanted_is_shown(weir, hello, serve):
    server = serve(weir, hello, "--admin", "0", environment={"SPIN_ALLOCATOR": "ondemand"})
    admin = Admin(server)
    samples = admin.metrics()
    tiers = {tier: sample(samples, "weir_allocator_tier", tier=tier) for tier in ("standard", "compact", "ondemand")}
    assert tiers == {"standard": 0, "compact": 0, "ondemand": 1}
    status = admin.status()
    assert status["allocator"]["tier"] == "ondemand" and status["allocator"]["strategy"] == "ondemand"
    assert [pool["pooled"] for pool in status["allocator"]["pool"]] == [False]
    assert server.get("/hello").status == 200
