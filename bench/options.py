"""The command line of `./dev bench`."""

import argparse
import re
import time
from dataclasses import dataclass
from pathlib import Path

from bench import environments, inside, peers
from bench.cases import BY_NAME, CASES

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench/results"

# In restricted environments what depends on them most, unless cases are named.
RESTRICTED = ("hello", "memory", "start-hello")
# Last the one whose guest takes longest to compile, which may leave no time for what comes after it.
QUICK = ("fresh", "hello", "echo", "wagi", "held", "start-hello", "events", "javascript")
QUICK_SECONDS = 110  # the last round that has begun by then is finished

EPILOG = """\
Without --case and --environment every case is measured natively, and those that depend on limits most in every environment.
--quick measures a few cases natively in two minutes, and says at the end which it had no time for. Ctrl-C ends it, and what
was measured until then is written. Nothing else should run on the machine. docs/performance.md says how it measures."""


@dataclass
class Options:
    blocks: list  # of (Case, Environment)
    peers: list  # names
    rounds: int
    seconds: int
    deadline_seconds: int | None
    name: str
    output: Path
    fail_below: float | None
    list_only: bool
    needs_only: bool


def number(least, most):
    def parse(text):
        if not re.fullmatch(r"\d{1,4}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is no number from {least} to {most}")
        return int(text)

    return parse


def share(text):
    if not re.fullmatch(r"0?\.\d{1,4}|1(\.0{1,4})?", text) or float(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no share, such as 0.5")
    return float(text)


def file_name(text):
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no name of letters, digits, '.', '_' and '-'")
    return text


def names_of(parser, option, given, known):
    """Those of a repeated option, each of which may have several with commas; `all` is all."""
    found = [name for text in given for name in text.split(",")]
    for name in found:
        if name != "all" and name not in known:
            parser.error(f"{option}: there is no '{name}'; there are: all {' '.join(known)}")
    return list(known) if "all" in found else [name for name in known if name in found]


def by_default(place):
    """The cases that are measured in an environment unless others are named."""
    if place == "native":
        return tuple(BY_NAME)
    return [case for case in RESTRICTED if not environments.BY_NAME[place].in_machine or not inside.unfit(BY_NAME[case])]


def choose_blocks(parser, given):
    cases = names_of(parser, "--case", given.case, tuple(BY_NAME))
    places = names_of(parser, "--environment", given.environment, tuple(environments.BY_NAME))
    if given.quick and not cases and not places:
        pairs = [(case, "native") for case in QUICK]
    elif cases or places:
        pairs = [(case, place) for place in places or ["native"] for case in cases or by_default(place)]
    else:
        pairs = [(case, place) for place in environments.BY_NAME for case in by_default(place)]
    return [(BY_NAME[case], environments.BY_NAME[place]) for case, place in pairs]


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="./dev bench",
        description="Measure weir beside other hosts of the same components, in rounds that take turns.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="two minutes: a few cases, short rounds")
    add("--case", action="append", default=[], metavar="NAME,...", help="measure these, or all; may be repeated")
    add("--peer", action="append", default=[], metavar="NAME,...", help="only these servers; may be repeated")
    add("--environment", action="append", default=[], metavar="NAME,...", help="only there, or all; may be repeated")
    add("--rounds", type=number(1, 100), metavar="N", help="(default 5; quick: 2)")
    add("--seconds", type=number(1, 600), metavar="N", help="that each load takes (default 5; quick: 1)")
    add("--name", type=file_name, help="of the files that are written (default: the time)")
    add("--output", type=Path, default=RESULTS, metavar="DIRECTORY", help="where they are written (bench/results)")
    add("--fail-below", type=share, metavar="SHARE", help="exit status 1 when less than this share of a target is reached")
    add("--list", action="store_true", help="show the cases, servers and environments, and measure nothing")
    add("--needs", action="store_true", help=argparse.SUPPRESS)  # what dev is to install: names of peers
    given = parser.parse_args(arguments)
    blocks = choose_blocks(parser, given)
    chosen = names_of(parser, "--peer", given.peer, peers.NAMES) or list(peers.NAMES)
    return Options(
        blocks=blocks,
        peers=chosen,
        rounds=given.rounds or (2 if given.quick else 5),
        seconds=given.seconds or (1 if given.quick else 5),
        deadline_seconds=QUICK_SECONDS if given.quick else None,
        name=given.name or time.strftime("%Y-%m-%d-%H%M%S", time.gmtime()),
        output=given.output,
        fail_below=given.fail_below,
        list_only=given.list,
        needs_only=given.needs,
    )


def listing():
    lines = ["Cases (--case):"]
    lines += [f"  {case.name:18} {case.title}" for case in CASES]
    lines += ["", "Servers (--peer):"]
    lines += [f"  {peer.name:18} {peer.title}" for peer in peers.every_peer()]
    lines += ["", "Environments (--environment):"]
    lines += [f"  {one.name:18} {one.title}" for one in environments.ENVIRONMENTS]
    return "\n".join(lines)
