"""Measures what the command line asks for, and writes what was found."""

import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench import environments, load, machine, options, peers, plots, report, results
from bench.processes import Failed
from bench.rounds import PEERS_NATIVE_ONLY, Rounds, plan
from bench.samples import Settings

INTERRUPTED = 130


class Progress:
    """Lines on standard error; on a terminal one that is passing is written over by the next."""

    def __init__(self):
        self.terminal = sys.stderr.isatty()
        self.began = time.monotonic()

    def __call__(self, text, passing=False):
        if passing and not self.terminal:
            return
        elapsed = time.monotonic() - self.began
        line = f"{int(elapsed) // 60:3}:{int(elapsed) % 60:02} {text}"
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{line[:width]}", end="" if passing else "\n", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def interrupt(*_):
    raise KeyboardInterrupt


def find_peers(tools, names, tell):
    found = {}
    for peer in peers.every_peer():
        if peer.name in names:
            peer.find(tools)
            found[peer.name] = peer
            if peer.missing:
                tell(f"{peer.name} is missing: {peer.missing}")
    return found


def programs_inside(found):
    """What the virtual machine has to have."""
    servers = {
        peer.program
        for peer in found.values()
        if peer.runs_wasm and not peer.missing and peer.name not in PEERS_NATIVE_ONLY
    }
    return [*servers, shutil.which("wrk")]


def describe(chosen, found):
    return {
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine.facts(),
        "commit": machine.commit(options.ROOT),
        "versions": {
            **{name: peer.version for name, peer in found.items()},
            # It tells its version and ends with status 1.
            "wrk": machine.first_line("wrk", "-v"),
            "qemu-user": machine.first_line(peers.emulator(), "--version") if peers.emulator() else None,
        },
        "options": {"rounds": chosen.rounds, "seconds": chosen.seconds},
    }


def write(chosen, about, blocks, ended):
    result = results.compose(chosen.name, about, [results.of_block(block) for block in blocks], ended)
    drawn = plots.of_result(chosen.name, result)
    results.write(chosen.output / f"{chosen.name}.json", results.as_json(result))
    for file, picture, _, _ in drawn:
        results.write(chosen.output / file, picture)
    page = report.markdown(result, [(file, case, environment) for file, _, case, environment in drawn])
    results.write(chosen.output / f"{chosen.name}.md", page)
    return result


def measure(chosen, tell):
    """Gives (the result, how the run ended)."""
    if reason := load.missing():
        raise Failed(reason)
    tools = peers.Tools()
    found = find_peers(tools, chosen.peers, tell)
    programs = {}
    for name, libraries in (("clients", ()), ("open_load", ("-lm",))):
        programs[name], reason = tools.build(name, *libraries)
        if reason:
            raise Failed(f"{name} could not be compiled: {reason}")
    about = describe(chosen, found)
    blocks, ended, result = [], "done", None
    directory = Path(tempfile.mkdtemp(prefix="weir-bench-"))
    try:
        with environments.Opened(programs_inside(found)) as opened:
            settings = Settings(chosen.seconds, directory, programs)
            deadline = None if chosen.deadline_seconds is None else tell.began + chosen.deadline_seconds
            rounds = Rounds(settings, opened, chosen.rounds, tell, deadline)
            for case, environment in chosen.blocks:
                block = plan(case, environment, found)
                if not block.contestants:
                    continue
                blocks.append(block)
                try:
                    rounds.run(block)
                except Failed as failure:
                    block.left_out = str(failure)
                    tell(f"{block.name}: {failure}")
                result = write(chosen, about, blocks, "not finished yet")
    except KeyboardInterrupt:
        ended = "interrupted"
        tell("interrupted")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if blocks:
        result = write(chosen, about, blocks, ended)
    return result, ended


def ending(result):
    """What is said on the terminal at the end: the targets that were measured, and what they have to be read with."""
    judged = [one for one in result["targets"] if one["why"] != "not measured"]
    against = {one["against"] for one in judged}
    words = [
        report.targets_table({"targets": judged}),
        report.names_words(result["blocks"], against),
        report.short_words(result),
        report.out_of_time_words(result),
    ]
    return "\n".join(text for text in words if text) + "\n"


def main(arguments):
    chosen = options.parse(arguments)
    if chosen.list_only:
        print(options.listing())
        return 0
    if chosen.needs_only:
        used = {name for case, _ in chosen.blocks for name in case.peers}
        print("\n".join(name for name in chosen.peers if name in used))
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    tell = Progress()
    try:
        result, ended = measure(chosen, tell)
    except Failed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    if result is None:
        print("bench: nothing was measured", file=sys.stderr)
        return INTERRUPTED if ended == "interrupted" else 1
    print(ending(result))
    print(f"{os.path.relpath(chosen.output / chosen.name)}.md and .json, and plots beside them (.svg)")
    if ended == "interrupted":
        return INTERRUPTED
    missed = results.missed(result, chosen.fail_below) if chosen.fail_below else []
    for verdict in missed:
        print(f"bench: far from its target: {verdict.target.title}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
