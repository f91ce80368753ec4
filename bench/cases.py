"""What is measured: for each case the guest, what is asked of it, what a right answer is, and which servers take part.

Kinds: `load` as many requests as are answered, from so many connections at once; `open` requests that arrive at a rate,
whatever is answered, counted from when they were due; `start` from the start of the program to its first response;
`held` calls that have begun their response and wait; `events` server-sent events; `idle` connections that wait for their
client; `fresh` whether each request finds its instance as new."""

import json
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
GUESTS = ROOT / "build/release/guests"

HEAVY_ROUNDS = 8_000_000  # of a generator of numbers: about 10 ms of computing
NUMBERS = list(range(10_000))
EVENTS = 20
EVENT_MILLISECONDS = 100
IDLE_CONNECTIONS = 10_000
EVENT_CLIENTS = 1_000

WASM_PEERS = ("weir", "wasmtime", "wasmtime-keep")
WITH_SPIN = (*WASM_PEERS, "spin")


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    kind: str
    guest: Path
    target: str
    answer: bytes  # is in every right answer
    connections: int = 32
    method: str = "GET"
    body: bytes = field(default=b"", repr=False)
    heavy_target: str | None = None  # of each hundredth request
    headers: tuple = ()
    peers: tuple = WASM_PEERS
    beside: tuple = ()  # (peer, case) that is measured in the same rounds, to be compared with
    count: int = 0  # of clients
    content_type: str = "text/plain; charset=utf-8"
    echoes: bool = False  # its answers are as large as what it is sent: bytes/s tell more than requests/s
    wasi_0_3: bool = False  # its guest is for wasi:http/handler@0.3, which hosts may give several requests

    def missing(self):
        """Why its guest is not there; None when it is."""
        if self.guest.exists():
            return None
        reason = ROOT / "build/examples" / f"{self.guest.stem}.reason"
        why = reason.read_text().strip() if reason.exists() else "./dev bench builds it"
        return f"{self.guest.name} is not there: {why}"


def guest(name):
    return GUESTS / f"{name}.wasm"


def example(name, file=None):
    return EXAMPLES / name / f"{file or name}.wasm"


HELLO = {"guest": example("hello"), "target": "/hello", "answer": b"Hello"}
JAVASCRIPT = {"guest": example("javascript"), "content_type": "application/json"}
PYTHON = {
    **{"guest": example("python"), "target": "/python?name=Ada", "answer": b"Hello, Ada!"},
    **{"content_type": "application/json"},
}
JAVASCRIPT_HELLO = {**JAVASCRIPT, "target": "/javascript/hello/Ada", "answer": b"Hello, Ada!"}
WORK = {"guest": guest("http_work")}

CASES = (
    # First: what would be measured otherwise counts for nothing.
    Case(
        *("fresh", "instances that are as new", "fresh", guest("http_stale"), "/", b"clean\n"),
        **{"count": 160, "peers": ("weir", "wasmtime", "wasmtime-keep"), "connections": 8},
    ),
    Case("hello", "C hello", "load", **HELLO, peers=(*WITH_SPIN, "wasmtime-ondemand", "libmicrohttpd", "h2o")),
    Case(
        *("hello-0.3", "C hello for WASI 0.3, instances reused", "load", guest("handler_hello"), "/hello", b"Hello"),
        **{"peers": ("weir", "wasmtime", "weir-fresh", "spin"), "wasi_0_3": True},
    ),
    Case(
        *("echo", "C echo of 1 MiB", "load", guest("http_echo"), "/echo", b"weir weir weir"),
        **{"method": "POST", "body": b"weir " * (1024 * 1024 // 5) + b"w", "connections": 16},
        **{"peers": (*WITH_SPIN, "mirror"), "echoes": True},
    ),
    Case(
        *("wagi", "WAGI hello", "load", example("hello", "cgi"), "/cgi", b"Hello through CGI!"),
        **{"peers": ("weir",), "beside": (("weir", "hello"),)},
    ),
    Case("javascript", "JavaScript hello", "load", **JAVASCRIPT_HELLO, connections=16, peers=WITH_SPIN),
    Case("python", "Python hello", "load", **PYTHON, connections=16, peers=WITH_SPIN),
    Case(
        *("json", "JSON work in JavaScript (10,000 numbers)", "load"),
        **JAVASCRIPT,
        **{"target": "/javascript/sum", "answer": b'"sum":49995000', "method": "POST", "connections": 16},
        **{"body": json.dumps(NUMBERS).encode(), "headers": (("content-type", "application/json"),)},
    ),
    Case(
        *("mix", "1 % heavy (10 ms of computing)", "load"),
        **WORK,
        **{"target": "/compute/1", "answer": b"7806831264735756412", "heavy_target": f"/compute/{HEAVY_ROUNDS}"},
    ),
    Case(
        *("mix-open", "1 % heavy, arriving at a rate", "open"),
        **WORK,
        **{"target": "/compute/1", "answer": b"7806831264735756412", "heavy_target": f"/compute/{HEAVY_ROUNDS}"},
        **{"connections": 64},
    ),
    Case("hello-open", "C hello, arriving at a rate", "open", **HELLO, connections=64),
    Case("memory", "a guest that dirties 8 MiB", "load", **WORK, target="/dirty/8", answer=b"2098176", connections=16),
    Case("loops", "C hello, one event loop and all", "load", **HELLO, peers=("weir", "weir-1-loop")),
    Case("start-hello", "start, C hello", "start", **HELLO, peers=("weir", "wasmtime", "wasmtime-uncached")),
    Case(
        *("start-javascript", "start, JavaScript hello", "start"),
        **JAVASCRIPT_HELLO,
        **{"peers": ("weir", "wasmtime", "wasmtime-uncached")},
    ),
    Case("start-python", "start, Python hello", "start", **PYTHON, peers=("weir", "wasmtime", "wasmtime-uncached")),
    Case(
        *("held", "calls held open after their first event", "held", guest("http_stream"), "/pieces/2/600000", b"data: 0"),
        **{"count": 100, "peers": ("weir", "wasmtime")},
    ),
    Case(
        *("events", f"server-sent events to {EVENT_CLIENTS:,} clients", "events", guest("http_stream")),
        *(f"/pieces/{EVENTS}/{EVENT_MILLISECONDS}", b"data: "),
        **{"count": EVENT_CLIENTS, "peers": ("weir", "wasmtime")},
    ),
    Case(
        *("idle", f"{IDLE_CONNECTIONS:,} idle connections", "idle"),
        **HELLO,
        **{"count": IDLE_CONNECTIONS, "peers": ("weir", "wasmtime", "libmicrohttpd", "h2o")},
    ),
)
BY_NAME = {case.name: case for case in CASES}
