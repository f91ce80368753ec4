"""Blocks and rounds. A block is a case in an environment: its contestants are measured in rounds, each of which has every
one once, in an order that rotates, so that what the machine does meanwhile meets all of them."""

import time
from dataclasses import dataclass, field

from bench import environments, inside, load
from bench.cases import BY_NAME
from bench.measures import MEASURES, written
from bench.processes import Failed
from bench.ratios import rotation
from bench.samples import Contestant, Running, take

PEERS_NATIVE_ONLY = ("wasmtime-keep", "spin", "libmicrohttpd", "h2o", "weir-1-loop", "wasmtime-uncached")
HEADLINES = ("byte_rate", "rate", "warm_first", "call_bytes", "end_p50", "connection_bytes", "fresh")


@dataclass
class Block:
    case: object
    environment: object
    contestants: list = field(default_factory=list)
    samples: dict = field(default_factory=dict)  # of each contestant by round, None where there is none
    failures: dict = field(default_factory=dict)  # of each contestant: why there is none
    rate: float | None = None
    left_out: str | None = None
    out_of_time: str | None = None  # how much of it there was no time for

    @property
    def name(self):
        return f"{self.case.name}/{self.environment.name}"


def plan(case, environment, peers):
    """The contestants of a block. In a restricted environment weir is measured natively, too, to be compared with."""
    wanted = [(name, case, environment.name) for name in case.peers]
    wanted += [(name, BY_NAME[other], environment.name) for name, other in case.beside]
    if environment.name != "native":
        wanted = [one for one in wanted if one[0] not in PEERS_NATIVE_ONLY]
        wanted.append(("weir", case, "native"))
    block = Block(case, environment)
    for name, its_case, where in wanted:
        if name in peers:
            full_name, title = name, peers[name].title
            if its_case is not case:
                full_name += f":{its_case.name}"
                title += f"; here in another case, '{its_case.name}', measured in the same rounds to be compared with"
            if where != environment.name:
                full_name += f"@{where}"
                title += f"; here in another environment, '{where}', measured in the same rounds to be compared with"
            block.contestants.append(Contestant(full_name, title, peers[name], its_case, where))
    return block


class Rounds:
    """Runs blocks; `tell` gets a line of progress."""

    def __init__(self, settings, opened, rounds, tell, deadline=None):
        self.settings = settings
        self.opened = opened
        self.rounds = rounds
        self.tell = tell
        self.deadline = deadline

    def is_over(self):
        return self.deadline is not None and time.monotonic() >= self.deadline

    def run(self, block):
        if block.environment.in_machine and (reason := inside.unfit(block.case)):
            raise Failed(reason)
        if self.is_over():
            block.left_out = "there was no time left for it"
            block.out_of_time = "all of it"
            self.tell(f"{block.name}: left out, for {block.left_out}")
            return
        self._prepare(block)
        ready = [one for one in block.contestants if one.missing is None]
        names = [one.name for one in ready]
        block.samples = {name: [] for name in names}
        by_name = {one.name: one for one in ready}
        if block.case.kind == "open":
            self._find_rate(block, by_name)
        for number in range(self.rounds):
            if number > 0 and self.is_over():
                block.out_of_time = f"{self.rounds - number} of {self.rounds} rounds"
                self.tell(f"{block.name}: ended after {number} of {self.rounds} rounds, for there was no time left")
                return
            for name in rotation(names, number):
                self._sample(block, by_name[name], number)

    def _prepare(self, block):
        """Find what is missing, and start each once: that fills its cache, and shows whether it answers rightly."""
        for one in block.contestants:
            prefix, reason = self.opened.prefix(one.environment)
            one.missing = one.peer.missing or one.case.missing() or reason
            if one.missing is None and environments.BY_NAME[one.environment].in_machine:
                one.machine = self.opened.machine
            elif one.missing is None:
                one.prefix = prefix
                one.patience = environments.BY_NAME[one.environment].slower
                one.cache = self.settings.directory / "caches" / f"{one.peer.cache or one.peer.name}@{one.environment}"
                if one.case.kind != "start":
                    self._try(block, one)
            if one.missing:
                self.tell(f"{block.name}: {one.name} is missing: {one.missing}")

    def _try(self, block, one):
        if one.peer.name == "wasmtime-keep":
            chosen = [other.rung for other in block.contestants if other.peer.name == "weir" and other.rung]
            if not chosen:
                one.missing = "it is set as weir is, and weir told nothing of that"
                return
            one.rung = chosen[0]
        self.tell(f"{block.name}: {one.name} starts for the first time, and compiles the guest …", passing=True)
        try:
            with Running(one, self.settings, one.cache) as running:
                if one.peer.has_admin:
                    status = running.status()
                    one.rung = status["allocator"]["rung"] if status else None
                answer = self.settings.directory / f"{one.case.name}.answer"
                if one.peer.name == "weir":
                    answer.write_bytes(running.answer)
        except Failed as failure:
            block.failures[one.name] = str(failure)
            one.missing = f"it cannot serve this: {failure}"

    def _find_rate(self, block, by_name):
        """An open loop asks each of a block at the same rate: half of what the slowest answers as fast as it can."""
        rates = []
        for name in list(by_name):
            one = by_name[name]
            try:
                with Running(one, self.settings, one.cache) as running:
                    rates.append(load.rate_of(load.wrk(one.case, running.port, 1, self.settings.directory)))
            except Failed as failure:
                self.tell(f"{block.name}: {name}: {failure}")
        if not rates or min(rates) <= 0:
            raise Failed("no server could be loaded")
        block.rate = self.settings.rate = min(rates) / 2

    def _sample(self, block, one, number):
        at = f"{block.name}: round {number + 1} of {self.rounds}, {one.name}"
        # What failed twice fails again: the time is better spent on the others.
        if block.samples[one.name][-2:] == [None, None]:
            block.samples[one.name].append(None)
            return
        self.tell(f"{at} …", passing=True)
        try:
            sample = take(one, self.settings)
            said = next((f"{MEASURES[name].title}: {written(name, sample[name])}" for name in HEADLINES if name in sample), "done")
            errors = f", {sample['errors']:,} ERRORS" if sample.get("errors") else ""
            self.tell(f"{at}: {said}{errors}")
        except Failed as failure:
            sample = None
            block.failures[one.name] = str(failure)
            self.tell(f"{at}: {failure}")
        block.samples[one.name].append(sample)
