"""What is set for a whole system is measured in a virtual machine of its own (tests/program/virtual_machine.py): server and
load both run inside, under emulation, so figures compare with each other and with nothing outside."""

import re
import shlex
from pathlib import Path

from bench import load
from bench.peers import Start
from bench.processes import TICKS, Failed

LEFT_KIB = 200 * 1024  # of commit, for the server
LOAD_KIB = 192 * 1024  # and for wrk, which allocates 170 MiB and uses little of it, once the server has answered
PORT, ADMIN_PORT = 8080, 8081
START_SECONDS = 120
PAGE_BYTES = 4096

SCRIPT = """
directory=/run/bench
rm -rf $directory && mkdir $directory && cd $directory || exit 1
mkdir -p /work/cache/{name} && export XDG_CACHE_HOME=/work/cache/{name}
leave() {{
    used=$(sed -n 's/^Committed_AS: *\\([0-9]*\\) kB$/\\1/p' /proc/meminfo)
    echo $((used + $1)) >/proc/sys/vm/overcommit_kbytes
    echo 2 >/proc/sys/vm/overcommit_memory
}}
leave {left}
sh -c 'echo $$ >pid; exec "$@"' sh {command} >output 2>&1 &
began=$(cut -d . -f 1 /proc/uptime)
until wget -q -O answer http://127.0.0.1:{port}{target} 2>/dev/null; do
    [ -e pid ] && kill -0 "$(cat pid)" 2>/dev/null && [ $(($(cut -d . -f 1 /proc/uptime) - began)) -lt {seconds} ]
    if [ $? -ne 0 ]; then
        echo "it did not answer: $(head -c 300 output | tr '\\n' ' ')" >&2
        kill -KILL "$(cat pid)" 2>/dev/null
        echo 0 >/proc/sys/vm/overcommit_memory
        exit 3
    fi
    usleep 20000
done
grep -qF {answer} answer || echo "it answered with: $(head -c 80 answer)" >&2
echo $(($(cat /proc/sys/vm/overcommit_kbytes) + {load})) >/proc/sys/vm/overcommit_kbytes
cat /proc/$(cat pid)/stat
{warm_up} >/dev/null
cat /proc/$(cat pid)/stat
{measured}
cat /proc/$(cat pid)/stat
kill -TERM "$(cat pid)"
wait
echo 0 >/proc/sys/vm/overcommit_memory
"""


def wrk(case, seconds):
    return shlex.join(
        ["wrk", "-t", str(load.THREADS), "-c", str(case.connections), "-d", f"{seconds}s", "--timeout", "5s", "-s"]
        + ["/work/load.lua", f"http://127.0.0.1:{PORT}{case.target}", "--", case.method, "-", case.heavy_target or "-"]
    )


def inside(program):
    return f"/bin/{Path(program).name}"


def command(contestant):
    """As natively, but with the paths inside."""
    peer, case = contestant.peer, contestant.case
    guest = Path("/work") / case.guest.name
    start = Start(PORT, ADMIN_PORT, guest, Path("/run/bench"), rung=contestant.rung, wasi_0_3=case.wasi_0_3)
    words = [str(word) for word in peer.command(start)]
    return shlex.join([inside(word) if word == str(peer.program) else word for word in words])


def unfit(case):
    """Why a case is not measured inside; None when it is."""
    if case.kind != "load" or case.body:
        return "the bench has the virtual machine measure load without bodies, and nothing else; no server was tried"
    return None


def sample(contestant, settings):
    case = contestant.case
    script = SCRIPT.format(
        name=contestant.peer.name,
        command=command(contestant),
        port=PORT,
        target=case.target,
        answer=shlex.quote(case.answer.decode()),
        left=LEFT_KIB,
        load=LOAD_KIB,
        seconds=START_SECONDS,
        warm_up=wrk(case, 1),
        measured=wrk(case, settings.seconds),
    )
    files = {"load.lua": load.SCRIPT, case.guest.name: case.guest}
    status, output, errors = contestant.machine().run(script, files, START_SECONDS + 10 * settings.seconds + 60)
    if status != 0 or errors.strip():
        raise Failed(errors.decode(errors="backslashreplace").strip()[-300:] or f"the script ended with {status}")
    return parse(output.decode())


def parse(output):
    stats = [line.rpartition(")")[2].split() for line in output.splitlines() if re.match(r"\d+ \(", line)]
    if len(stats) != 3:
        raise Failed("the server ended while it was measured")
    figures = load.parse_wrk(output)
    rate = load.rate_of(figures)
    if rate <= 0:
        raise Failed("it gave no right answer under load")
    # utime, stime; rss in pages (proc(5))
    spent = sum(int(stats[2][field]) - int(stats[1][field]) for field in (11, 12)) / TICKS
    return {
        **{"rate": rate, "errors": load.errors_of(figures)},
        **{name: figures[name] for name in ("p50", "p99", "p999")},
        "cpu": spent / (rate * figures["seconds"]),
        **{"idle_bytes": int(stats[0][21]) * PAGE_BYTES, "loaded_bytes": int(stats[2][21]) * PAGE_BYTES},
    }
