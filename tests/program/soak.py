"""A soak: an application of all kinds of guests under clients of all kinds (soak_clients.py), for a given time, and what
must hold of the server meanwhile and afterwards: right answers, memory that does not grow, nothing left open."""

import collections
import contextlib
import json
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from admin import Admin
from harness import Expired, toml_text
from held import Held, wait_until_no_more_than

HERE = Path(__file__).resolve().parent
CLIENTS = HERE / "soak_clients.py"

MEMORY_MIB = 96  # that a guest may have
REQUEST_TIMEOUT = 5  # seconds
MAX_GROWTH = 1.05  # of resident memory, from the second third of the time to the last
REFUSED_MAX = 0.02  # of all requests
SAMPLE_SECONDS = 0.25
RELOAD_SECONDS = 5

ROUTES = [  # route, component, its file (None: of examples/hello), WAGI
    ("/hello", "hello", "hello", False),
    ("/cgi/...", "cgi", "cgi", True),
    ("/echo/...", "echo", "http_echo", False),
    ("/fail/...", "fail", "http_fail", False),
    ("/wait/...", "wait", "http_wait", False),
    ("/spin", "spin", "http_spin", False),
    ("/stream/...", "stream", "http_stream", False),
    ("/work/...", "work", "http_work", False),
    ("/out/...", "out", "http_outgoing", False),
    ("/wagi/wait", "wagi-wait", "wagi_wait", True),
    ("/wagi/spin", "wagi-spin", "wagi_spin", True),
]


def write_soak_application(directory, guest, hello):
    lines = ["spin_manifest_version = 2", "[application]", 'name = "soak"']
    for route, component, source, wagi in ROUTES:
        path = hello / f"{source}.wasm" if source in ("hello", "cgi") else guest(source)
        lines += ["[[trigger.http]]", f'route = "{route}"', f'component = "{component}"']
        if wagi:
            arguments = ', argv = "wait ${ARGS}"' if component == "wagi-wait" else ""
            lines.append(f'executor = {{ type = "wagi"{arguments} }}')
        lines += [f"[component.{component}]", f"source = {toml_text(path)}"]
        if component == "out":
            lines.append('allowed_outbound_hosts = ["http://127.0.0.1:*", "http://echo.spin.internal"]')
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "spin.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def options(log, *more):
    return [
        "--admin", "127.0.0.1:0", "--access-log", log, "--request-timeout", f"{REQUEST_TIMEOUT}s", "--max-instance-memory", f"{MEMORY_MIB}MiB", "--quiet",
        "--log-dir", "", "--state-dir", "", *more,
    ]  # fmt: skip


@dataclass
class Watcher:
    """Samples what the server's process holds, until it is closed."""

    pid: int
    resident: list = field(default_factory=list)  # bytes
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self):
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self):
        with contextlib.suppress(OSError):  # it has ended, which others tell
            while not self._over.wait(SAMPLE_SECONDS):
                self.resident.append(read_resident(self.pid))

    def close(self):
        self._over.set()
        self._thread.join()

    def thirds(self):
        third = len(self.resident) // 3
        return [statistics.median(self.resident[at * third : (at + 1) * third]) for at in range(3)]


class Reloads:
    """Has the server load its application anew, again and again, until it is closed."""

    def __init__(self, server):
        self.server = server
        self.count = 0
        self.error = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._reload, daemon=True)
        self._thread.start()

    def _reload(self):
        try:
            while not self._over.wait(RELOAD_SECONDS):
                known = len(self.server.stderr.lines)
                self.server.send_signal(signal.SIGHUP)
                self.server.stderr.wait_for("^weir: reloaded in ", after=known)
                self.count += 1
        except (Expired, OSError) as error:
            self.error = error

    def close(self):
        self._over.set()
        self._thread.join()


def read_resident(pid):
    return int(re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.M)[1]) * 1024


def rounds_of_100_ms(server):
    """How many rounds of http_work's /compute take about so long here."""
    rounds, taken = 1_000_000, 0
    while taken < 0.05:
        rounds *= 2
        began = time.monotonic()
        assert server.get(f"/work/compute/{rounds}").status == 200, server.log
        taken = time.monotonic() - began
    return int(rounds * 0.1 / taken)


def merge(parts):
    whole = {"requests": 0, "left": 0, "statuses": {}, "outcomes": {}, "failures": []}
    for part in parts:
        for name, value in part.items():
            if isinstance(value, dict):
                for key, count in value.items():
                    whole[name][key] = whole[name].get(key, 0) + count
            else:
                whole[name] += value
    return whole


class Clients:
    """The processes of the clients of one server."""

    def __init__(self, server, users, processes, until, rounds, authority=None):
        self.processes = []
        for number in range(processes):
            settings = {
                "port": server.port,
                "seed": f"{server.port}/{number}",
                "users": users // processes,
                "until": until,
                "rounds": rounds,
                "request_timeout": REQUEST_TIMEOUT,
                "memory_mib": MEMORY_MIB,
                "authority": authority,
            }
            process = subprocess.Popen(
                [sys.executable, str(CLIENTS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            process.stdin.write(json.dumps(settings).encode())
            process.stdin.close()
            process.stdin = None
            self.processes.append(process)

    def results(self, seconds):
        parts = []
        for process in self.processes:
            out, error = process.communicate(timeout=seconds)
            assert process.returncode == 0, error.decode()
            parts.append(json.loads(out))
        return merge(parts)

    def kill(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def judge(results, server):
    """What must hold of every soak."""
    told = "\n".join(results["failures"][:20])
    assert not results["failures"], f"{len(results['failures'])} requests failed:\n{told}"
    outcomes = results["outcomes"]
    refused = sum(count for outcome, count in outcomes.items() if outcome.endswith((": 503", ": 504")))
    assert refused <= REFUSED_MAX * results["requests"] + 5, outcomes
    assert "panicked" not in server.stderr.text


def compare(told, results, where):
    """Each answer that a client has read is told of, and no other ones but for clients that did not wait for theirs."""
    seen = collections.Counter(results["statuses"])
    missing = {status: (count, told[status]) for status, count in seen.items() if told[status] < count}
    assert not missing, f"answers that were read, and those that {where} tells of: {missing}"
    more = sum(told.values()) - sum(seen.values())
    assert more <= results["left"], f"{where}: {more} more than were read; {results['left']} clients left: {told}"


def count_in_metrics(server):
    counts = collections.Counter()
    for (name, labels), value in Admin(server).metrics().items():
        if name == "weir_requests_total" and dict(labels)["status"] != "none":
            counts[dict(labels)["status"]] += int(value)
    return counts


def judge_access_log(path, results):
    logged = collections.Counter()
    with path.open(errors="backslashreplace") as lines:
        for line in lines:
            status = re.search(r" status=(\d+) ", line)
            if status and " host=127.0.0.1:" not in line:  # that is not a soak's
                logged[status[1]] += 1
    compare(logged, results, "the access log")


def soak(server, seconds, users, processes=1, authority=None, rounds=None):
    """Let clients loose on a server, and judge. Returns what came of it, for figures."""
    rounds = rounds or rounds_of_100_ms(server)
    counted = count_in_metrics(server)
    before = Held(server)
    watcher = Watcher(server.process.pid)
    reloads = Reloads(server)
    clients = Clients(server, users, processes, time.monotonic() + seconds, rounds, authority)
    try:
        results = clients.results(seconds + 150)
    finally:
        watcher.close()
        reloads.close()
        clients.kill()
    results["resident_thirds"] = watcher.thirds()
    results["reloads"] = reloads.count
    print(summary(results, seconds))  # first: where the rest fails it is needed most
    assert reloads.error is None, reloads.error
    judge(results, server)
    server.program.assert_no_report()  # before descriptors are counted: a sanitizer's report is one
    after = wait_until_no_more_than(before, server)
    print(f"before: {before}; after: {after}")
    compare(count_in_metrics(server) - counted, results, "/metrics")
    return results


def summary(results, seconds):
    thirds = ", ".join(f"{size / (1 << 20):.1f}" for size in results["resident_thirds"])
    return (
        f"{results['requests']} requests in {seconds} s ({results['requests'] / seconds:.0f}/s), "
        f"{results['left']} left by their clients; statuses {dict(sorted(results['statuses'].items()))}; "
        f"resident MiB in thirds {thirds}; {results['reloads']} reloads\n"
        f"{json.dumps(dict(sorted(results['outcomes'].items())))}"
    )
