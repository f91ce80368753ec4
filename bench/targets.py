"""The targets (targets.toml), and whether what was measured reaches them."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from bench.measures import MEASURES
from bench.ratios import of_measure, ratio

FILE = Path(__file__).resolve().parent / "targets.toml"


@dataclass(frozen=True)
class Target:
    title: str
    block: str
    measure: str
    of: str = "weir"
    against: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    every_round: bool = False

    def __post_init__(self):
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"target '{self.title}': exactly one of at_least and at_most is needed")
        if self.measure not in MEASURES:
            raise ValueError(f"target '{self.title}': there is no measure '{self.measure}'")

    @property
    def bound(self):
        return self.at_least if self.at_least is not None else self.at_most

    def value(self, summary):
        """What counts of a summary: its median, or its worst end."""
        if not self.every_round:
            return summary.median
        return summary.least if self.at_least is not None else summary.most

    def reaches(self, value, share=1.0):
        """Whether a value reaches the target, or this share of it."""
        return value >= self.at_least * share if self.at_least is not None else value <= self.at_most / share


@dataclass(frozen=True)
class Verdict:
    target: Target
    summary: object = None
    why: str | None = None  # there is none

    @property
    def reached(self):
        return None if self.summary is None else self.target.reaches(self.target.value(self.summary))


def read(text=None):
    return [Target(**entry) for entry in tomllib.loads(FILE.read_text() if text is None else text)["target"]]


def judge(target, blocks):
    """`blocks` is {name: (samples of each contestant, {contestant: why there are none})}."""
    if target.block not in blocks:
        return Verdict(target, why="not measured")
    samples, reasons = blocks[target.block]
    for name in (target.of, target.against):
        if name is not None and not any(samples.get(name, ())):
            return Verdict(target, why=f"{name}: {reasons.get(name) or 'not measured'}")
    if target.against is None:
        found = of_measure(samples[target.of], target.measure)
    else:
        found = ratio(samples[target.of], samples[target.against], target.measure)
    return Verdict(target, found, None if found else "no round has what is needed")
