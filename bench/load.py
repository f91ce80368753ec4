"""The load: wrk for as much as a server answers, open_load for requests that arrive at a rate. Both run on this machine
and share its processors with the server; nothing is pinned."""

import json
import random
import shutil
import socket
import subprocess

from bench.cases import ROOT
from bench.processes import GUARDED, Failed

SCRIPT = ROOT / "bench/load.lua"
THREADS = 2
ONE_OF = 100  # how many requests there are to each heavy one
MARGIN = 30.0


def run(command, seconds, **options):
    """A generator's standard output. It runs in a session of its own: Ctrl-C is ours to pass on."""
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )
    GUARDED.add(process.pid)
    try:
        output, errors = process.communicate(timeout=seconds + MARGIN)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} had not ended after {seconds + MARGIN:g} s") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
        GUARDED.remove(process.pid)
    if process.returncode != 0:
        raise Failed(f"{command[0]} ended with {process.returncode}: {(errors or output).strip()[-200:]}")
    return output


def missing():
    """Why there is no wrk; None when there is."""
    return None if shutil.which("wrk") else "wrk (Debian package wrk) is not installed"


def wrk(case, port, seconds, directory):
    """Closed loop: each connection sends its next request when the last one was answered. Gives what load.lua prints."""
    body = "-"
    if case.body:
        body = directory / "body"
        body.write_bytes(case.body)
    words = [f"{name}: {value}" for name, value in case.headers]
    url = f"http://127.0.0.1:{port}{case.target}"
    # wrk waits for two seconds by default; what takes longer still has to be counted with its time.
    output = run(
        ["wrk", "-t", THREADS, "-c", case.connections, "-d", f"{seconds:g}s", "--timeout", "20s", "-s", SCRIPT, url]
        + ["--", case.method, body, case.heavy_target or "-", *words],
        seconds,
    )
    return parse_wrk(output)


def parse_wrk(output):
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise Failed("wrk told no figures")
    return json.loads(lines[-1])


def errors_of(figures):
    kinds = ("connect_errors", "read_errors", "write_errors", "status_errors", "timeouts")
    return sum(figures[kind] for kind in kinds)


def rate_of(figures):
    """Right answers a second: wrk counts responses with an error's status among its requests."""
    return (figures["requests"] - figures["status_errors"]) / figures["seconds"]


def open_load(program, case, port, seconds, rate):
    """Open loop: requests arrive at random (Poisson) at this rate, and each counts from when it was due. Gives a line of
    (count, p50, p99, p99.9, most) for each kind, in seconds: the light ones, and the heavy ones where there are any."""
    sockets = []
    try:
        def connected(count):
            made = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
            sockets.extend(made)
            return ",".join(str(one.fileno()) for one in made)

        kinds = [f"{rate * (1 - 1 / ONE_OF) if case.heavy_target else rate}:{connected(case.connections)}:{case.target}"]
        if case.heavy_target:
            kinds.append(f"{rate / ONE_OF}:{connected(max(4, case.connections // 4))}:{case.heavy_target}")
        output = run(
            [program, seconds, random.randrange(1 << 30), *kinds],
            seconds,
            pass_fds=[one.fileno() for one in sockets],
        )
    finally:
        for one in sockets:
            one.close()
    return parse_open_load(output)


def parse_open_load(output):
    lines = [[int(word) for word in line.split()] for line in output.splitlines()]
    if not lines or any(len(line) != 5 for line in lines):
        raise Failed("open_load told no figures")
    return [(line[0], *(value / 1e6 for value in line[1:])) for line in lines]
