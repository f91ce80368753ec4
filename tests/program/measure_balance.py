#!/usr/bin/env python3
"""What guests that compute do to the latency of light requests, with time slices and without: an open-loop load
(tests/helpers/open_load.c) at half of capacity, which is measured first, in rounds that take turns between servers.

even      a third of the CPU time that the load takes goes to guests that compute for 100 ms, on all event loops
one loop  the same, but all of these come to one event loop; the latencies are of the light requests on that one and on
          the others
always    four guests compute on one event loop all the time, and the light load is half as much

What is promised is that the light requests' p99 in the first of these is at most a fifth of what it is without slices.
This measures, for a machine that does nothing else; --at-most has it judge that, as test_balance_long.py does.
"""

import argparse
import collections
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from environments_here import compile_helper
from harness import Component, Program, Server, Wire, write_application
from soak import rounds_of_100_ms

ROOT = Path(__file__).resolve().parents[2]

LIGHT, HEAVY = 256, 16  # connections
HEAVY_SECONDS = 0.1
HEAVY_SHARE = 1 / 3  # of the CPU time of the load
ALWAYS = 4
LIGHT_TARGET = "/hello?name=light"

Latency = collections.namedtuple("Latency", "count p50 p99 p999 most")


def switches(pid):
    """How often each thread has waited."""
    counts = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        line = next(line for line in (task / "status").read_text().splitlines() if line.startswith("voluntary"))
        counts[task.name] = int(line.split()[1])
    return counts


def ask(connection, target):
    wire = Wire(connection)
    wire.send(f"GET {target} HTTP/1.1\r\nHost: load\r\n\r\n".encode())
    response = wire.response()
    assert response.status == 200, response


class Measured:
    """A server with this time slice, and connections to it, by the thread that they belong to."""

    def __init__(self, program, application, slice_, load):
        self.slice = slice_
        self.load = load
        self.server = Server(program, application, *([] if slice_ == "default" else ["--time-slice", slice_]))
        self.server.wait_until_serving()
        self.connections = collections.defaultdict(list)

    def thread_of(self, connection):
        """The one that waits for each request on it."""
        while True:
            before = switches(self.server.process.pid)
            for _ in range(10):
                ask(connection, LIGHT_TARGET)
            after = switches(self.server.process.pid)
            counts = sorted((after[name] - before.get(name, 0), name) for name in after)
            if counts[-1][0] > 7 and counts[-2][0] < 3:
                return counts[-1][1]

    def open(self, most):
        """So many on each of the loops; those that there are have been idle too long, perhaps."""
        self.close_connections()
        while len(self.connections) < os.cpu_count() or min(map(len, self.connections.values())) < most:
            connection = socket.create_connection((self.server.host, self.server.port))
            self.connections[self.thread_of(connection)].append(connection)
        self.connections = {thread: kept[:most] for thread, kept in self.connections.items()}

    def run(self, seconds, *kinds):
        """Each kind: rate, connections, target."""
        words, kept = [], []
        for rate, connections, target in kinds:
            words.append(f"{rate}:{','.join(str(one.fileno()) for one in connections)}:{target}")
            kept += [one.fileno() for one in connections]
        done = subprocess.run(
            [self.load, str(seconds), str(random.randrange(1 << 30)), *words],
            pass_fds=kept,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=seconds + 60,
        )
        return [Latency(*map(int, line.split())) for line in done.stdout.splitlines()]

    def close_connections(self):
        for connections in self.connections.values():
            for connection in connections:
                connection.close()
        self.connections = collections.defaultdict(list)

    def close(self):
        self.close_connections()
        self.server.stop()


def spread(values):
    return f"{statistics.median(values):8.2f} ({min(values):.2f} to {max(values):.2f})"


class Measurement:
    def __init__(self, servers, options):
        self.servers = servers
        self.options = options
        self.latencies = collections.defaultdict(list)

    def take(self, name, measured, latencies):
        for where, latency in latencies.items():
            self.latencies[name, where, measured.slice].append(latency)

    def round(self, capacity, target):
        light = capacity / 2 * (1 - HEAVY_SHARE)
        heavy = os.cpu_count() / 2 * HEAVY_SHARE / HEAVY_SECONDS
        seconds = self.options.seconds
        for measured in self.servers:
            measured.open(LIGHT // 2 + HEAVY)
            threads = list(measured.connections.values())
            share = LIGHT // len(threads)
            each = HEAVY // len(threads)
            all_light = [one for kept in threads for one in kept[:share]]
            all_heavy = [one for kept in threads for one in kept[share : share + each]]
            found = measured.run(seconds, (light, all_light, LIGHT_TARGET), (heavy, all_heavy, target))
            self.take("even", measured, {"light": found[0], "heavy": found[1]})
            one, *others = threads
            busy = one[share : share + HEAVY]
            rest = [connection for kept in others for connection in kept[:share]]
            if not rest:
                continue
            per_loop = light / len(threads)
            kinds = [(per_loop, one[:share], LIGHT_TARGET), (light - per_loop, rest, LIGHT_TARGET)]
            found = measured.run(seconds, *kinds, (heavy, busy, target))
            self.take("one loop", measured, {"light there": found[0], "light elsewhere": found[1]})
            kinds = [(rate / 2, *others) for rate, *others in kinds]
            found = measured.run(seconds, *kinds, (0, busy[:ALWAYS], target))
            self.take("always", measured, {"light there": found[0], "light elsewhere": found[1]})

    def show(self):
        """Returns the ratio that is promised, where both of its sides were measured."""
        print(f"{'milliseconds':10} {'':16} {'slice':8} {'p50':>26} {'p99':>26} {'p99.9':>26} {'longest':>26}")
        for (name, where, slice_), latencies in sorted(self.latencies.items()):
            cells = [spread([getattr(one, field) / 1000 for one in latencies]) for field in Latency._fields[1:]]
            print(f"{name:10} {where:16} {slice_:8} " + " ".join(f"{cell:>26}" for cell in cells))
        on, off = (self.latencies["even", "light", slice_] for slice_ in (self.servers[0].slice, "0"))
        if on and off:
            ratio = statistics.median(one.p99 for one in on) / statistics.median(one.p99 for one in off)
            print(f"even: p99 of light requests is {ratio:.3f} of what it is without slices; promised is 0.2 at most")
            return ratio
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", type=Path, default=ROOT / "build/release/weir", help="the program to measure")
    parser.add_argument("--guests", type=Path, default=ROOT / "build/release/guests", help="where the test guests are")
    parser.add_argument("--hello", type=Path, default=ROOT / "examples/hello/hello.wasm", help="the light guest")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5, help="that each load of a round takes")
    parser.add_argument("--slices", default="default,0", help="values of --time-slice, with commas")
    parser.add_argument("--at-most", type=float, metavar="RATIO", help="exit with status 1 when it is more")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        load = compile_helper("open_load", directory, "-Wl,--no-as-needed", "-lm")
        path = write_application(
            Path(directory) / "application",
            [
                Component("hello", "/hello", options.hello.resolve()),
                Component("work", "/work/...", (options.guests / "http_work.wasm").resolve()),
            ],
        )
        program = Program(options.weir.resolve())
        servers = []
        try:
            for slice_ in options.slices.split(","):
                servers.append(Measured(program, path, slice_, load))
            target = f"/work/compute/{rounds_of_100_ms(servers[0].server)}"
            first = servers[0]
            first.open(LIGHT // 2 + HEAVY)
            all_light = [one for kept in first.connections.values() for one in kept[: LIGHT // 2]]
            capacities = [first.run(2, (0, all_light, LIGHT_TARGET))[0].count / 1.8 for _ in range(3)]
            capacity = statistics.median(capacities)
            print(f"capacity: {capacity:.0f} light requests a second ({min(capacities):.0f} to {max(capacities):.0f})")
            measurement = Measurement(servers, options)
            for number in range(options.rounds):
                if sys.stderr.isatty():
                    print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
                measurement.round(capacity, target)
            ratio = measurement.show()
        finally:
            for measured in servers:
                measured.close()
    if options.at_most is not None and (ratio is None or ratio > options.at_most):
        sys.exit(1)


if __name__ == "__main__":
    main()
