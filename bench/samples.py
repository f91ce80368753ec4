"""One sample: a server is started, measured as its case has it, and ended. Gives {measure: value}."""

import contextlib
import shutil
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench import crowd, exchange, inside, load
from bench.cases import EVENT_MILLISECONDS, EVENTS, Case
from bench.peers import Peer, Start
from bench.processes import Failed, Process, cpu_seconds, environment_of_server, resident_bytes, settled_resident_bytes

START_SECONDS = 60.0  # in which a server has to answer; a JavaScript guest is compiled for ten of them, or more
WARM_UP_SECONDS = 1
CALLS_SECONDS = 30.0
REQUESTS, INSTANCES = "weir_requests_total", "weir_guest_instances_made_total"


@dataclass
class Contestant:
    """A server with a guest in an environment: what takes part in the rounds of a block."""

    name: str
    title: str  # what the name stands for
    peer: Peer
    case: Case
    environment: str
    prefix: list = field(default_factory=list)
    patience: float = 1.0  # how many times as long as natively its start may take
    rung: dict | None = None  # what weir chose for this guest here
    missing: str | None = None
    cache: Path | None = None  # its own; warm after the first start
    machine: object = None  # gives the virtual machine that it runs in


@dataclass
class Settings:
    seconds: int
    directory: Path
    programs: dict  # of Tools, by name
    rate: float | None = None  # of an open loop; the same for all of a block


class Running:
    """A server that has answered once: `listening` and `first` are the seconds that took."""

    def __init__(self, contestant, settings, cache):
        case = contestant.case
        self.contestant = contestant
        self.directory = settings.directory / "run"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        self.port, self.admin_port = exchange.free_port(), exchange.free_port()
        guest = self.directory / case.guest.name
        if contestant.peer.runs_wasm:
            shutil.copyfile(case.guest, guest)
        else:
            guest = settings.directory / f"{case.name}.answer"  # see rounds.prepare
        start = Start(
            *(self.port, self.admin_port, guest, self.directory, case.content_type, case.target),
            clients=max(case.count, case.connections),
            rung=contestant.rung,
            wasi_0_3=case.wasi_0_3,
        )
        command = [*contestant.prefix, *contestant.peer.command(start)]
        cache.mkdir(parents=True, exist_ok=True)
        self.process = Process(command, environment_of_server(cache), self.directory, self.directory / "output")
        try:
            seconds = START_SECONDS * contestant.patience
            with exchange.connect_when_listening(self.process, self.port, seconds) as connection:
                self.listening = time.monotonic() - self.process.began
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if case.kind == "held":
                    self.answer = b""  # a call that does not end cannot be tried
                else:
                    status, self.answer = exchange.ask(connection, case, self.port)
                    exchange.require_right(case, status, self.answer)
                self.first = time.monotonic() - self.process.began
        except BaseException:
            self.process.stop()
            raise
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stop()

    def counts(self):
        """Requests and instances that weir has counted, once none is under way."""
        if not self.contestant.peer.has_admin:
            return {}
        names = (REQUESTS, INSTANCES, "weir_requests_in_flight")
        deadline = time.monotonic() + 10
        while True:
            sums = exchange.metric_sums(self.admin_port, *names)
            if sums.get(names[2], 0) == 0 or time.monotonic() > deadline:
                return sums
            time.sleep(0.02)

    def status(self):
        return exchange.get_json(self.admin_port, "/status.json")

    def require_alive(self):
        if ended := self.process.ended():
            raise Failed(f"while it was measured {ended}")


def instances_per_request(before, after):
    """By weir's own count; nothing where it is not told."""
    if INSTANCES not in before or INSTANCES not in after or after[REQUESTS] == before.get(REQUESTS, 0):
        return {}
    return {"instances": (after[INSTANCES] - before[INSTANCES]) / (after[REQUESTS] - before.get(REQUESTS, 0))}


def sample_load(contestant, settings):
    case = contestant.case
    with Running(contestant, settings, contestant.cache) as running:
        idle = settled_resident_bytes(running.pid)
        load.wrk(case, running.port, WARM_UP_SECONDS, settings.directory)
        before, spent = running.counts(), cpu_seconds(running.pid)
        figures = load.wrk(case, running.port, settings.seconds, settings.directory)
        running.require_alive()
        spent = cpu_seconds(running.pid) - spent
        after = running.counts()
        loaded = settled_resident_bytes(running.pid)
        # A wrong answer with the right status would show here: all of a run have one size, but for the heavy ones.
        with socket.create_connection(("127.0.0.1", running.port), 20) as connection:
            exchange.require_right(case, *exchange.ask(connection, case, running.port))
    rate = load.rate_of(figures)
    if rate <= 0:
        raise Failed("it gave no right answer under load")
    return {
        **{"rate": rate, "errors": load.errors_of(figures)},
        **({"byte_rate": rate * len(case.body)} if case.echoes else {}),
        **{name: figures[name] for name in ("p50", "p99", "p999")},
        **{"cpu": spent / (rate * figures["seconds"]), "idle_bytes": idle, "loaded_bytes": loaded},
        **instances_per_request(before, after),
    }


def sample_open(contestant, settings):
    case = contestant.case
    with Running(contestant, settings, contestant.cache) as running:
        load.wrk(case, running.port, WARM_UP_SECONDS, settings.directory)
        spent = cpu_seconds(running.pid)
        figures = load.open_load(
            settings.programs["open_load"], case, running.port, settings.seconds, settings.rate
        )
        running.require_alive()
        spent = cpu_seconds(running.pid) - spent
    # open_load leaves the first tenth out as warming up.
    count = sum(kind[0] for kind in figures) / 0.9
    sample = {"rate": count / settings.seconds, "cpu": spent / count, "errors": 0}
    for name, kind in zip(("light", "heavy"), figures, strict=False):
        _, p50, p99, p999, _ = kind
        sample |= {f"{name}_p50": p50, f"{name}_p99": p99, **({f"{name}_p999": p999} if name == "light" else {})}
    return sample


def sample_start(contestant, settings):
    """First with nothing in its cache, then with what that start has left there."""
    cache = settings.directory / "cold"
    shutil.rmtree(cache, ignore_errors=True)
    with Running(contestant, settings, cache) as cold:
        sample = {"cold_listening": cold.listening, "cold_first": cold.first}
    with Running(contestant, settings, cache) as warm:
        sample |= {"warm_listening": warm.listening, "warm_first": warm.first}
        sample["idle_bytes"] = settled_resident_bytes(warm.pid)
    return sample


def crowded(running, settings, case, keep_alive=False):
    return crowd.Crowd(settings.programs["clients"], running.port, case, settings.directory, keep_alive)


def sample_held(contestant, settings):
    """What each call more takes, from the first hundred to the second."""
    case = contestant.case
    with Running(contestant, settings, contestant.cache) as running, crowded(running, settings, case) as clients:
        resident = []
        for _ in range(2):
            clients.open(case.count)
            report = clients.ask(0, CALLS_SECONDS)
            resident.append(settled_resident_bytes(running.pid))
        held = report["answered"]
        if held < 2 * case.count:
            raise Failed(f"it held {held} calls of {2 * case.count}: {report['failed']} failed")
        return {"call_bytes": (resident[1] - resident[0]) / case.count, "served": held, "errors": report["failed"]}


def sample_events(contestant, settings):
    """All clients ask at once; each gets its events, and then the end."""
    case = contestant.case
    with Running(contestant, settings, contestant.cache) as running, crowded(running, settings, case) as clients:
        idle = resident_bytes(running.pid)
        clients.open(case.count)
        spent = cpu_seconds(running.pid)
        clients.ask(0, CALLS_SECONDS)
        held = resident_bytes(running.pid)
        report = clients.end(CALLS_SECONDS + EVENTS * EVENT_MILLISECONDS / 1000)
        spent = cpu_seconds(running.pid) - spent
        running.require_alive()
    served = report["ended"]
    if served == 0:
        raise Failed("no client had all its events")
    return {
        **{f"first_{name}": value for name, value in report["first"].items()},
        **{f"end_{name}": value for name, value in report["end"].items()},
        **{"served": served, "errors": case.count - served, "cpu": spent / served},
        "connection_bytes": (held - idle) / case.count,
    }


def sample_idle(contestant, settings):
    """Connections that have each asked once and wait; then all ask again, and it is seen that all are served."""
    case = contestant.case
    crowd.raise_open_files(case.count)
    with Running(contestant, settings, contestant.cache) as running, crowded(running, settings, case, True) as clients:
        # So that what a first load leaves behind does not count as the connections'.
        load.wrk(case, running.port, WARM_UP_SECONDS, settings.directory)
        before = settled_resident_bytes(running.pid)
        clients.open(case.count, needs_all=False)
        clients.ask(case.connections, CALLS_SECONDS)
        idle = settled_resident_bytes(running.pid)
        clients.again()
        report = clients.ask(case.connections, CALLS_SECONDS)
        running.require_alive()
    return {
        **{"connection_bytes": (idle - before) / case.count, "loaded_bytes": idle},
        **{f"first_{name}": value for name, value in report.get("first", {}).items()},
        **{"served": report["answered"], "errors": case.count - report["answered"]},
    }


def sample_fresh(contestant, settings):
    """Requests over a few connections, each answered by an instance that looks for traces of others in its memory."""
    case = contestant.case
    clean = 0
    with Running(contestant, settings, contestant.cache) as running, contextlib.ExitStack() as stack:
        before = running.counts()
        for _ in range(case.connections):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", running.port), 20))
            for _ in range(case.count // case.connections):
                status, body = exchange.ask(connection, case, running.port)
                clean += status == 200 and body == case.answer
        after = running.counts()
    count = case.count // case.connections * case.connections
    return {"fresh": clean / count, "errors": count - clean, **instances_per_request(before, after)}


SAMPLERS = {
    "load": sample_load,
    "open": sample_open,
    "start": sample_start,
    "held": sample_held,
    "events": sample_events,
    "idle": sample_idle,
    "fresh": sample_fresh,
}


def take(contestant, settings):
    if contestant.machine is not None:
        return inside.sample(contestant, settings)
    return SAMPLERS[contestant.case.kind](contestant, settings)
