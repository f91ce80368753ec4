"""Samples of rounds, and what they come to. A sample is {measure: value}, or None where there was none; the medians of
several, how far they spread, and ratios, which are taken within each round: what slows a whole round down is in both
parts of its ratio."""

import statistics
from typing import NamedTuple


class Summary(NamedTuple):
    median: float
    least: float
    most: float
    count: int


def summary(values):
    """Of numbers; None of none."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    return Summary(statistics.median(values), min(values), max(values), len(values))


def values(samples, measure):
    """By round; None where a round has none."""
    return [None if sample is None else sample.get(measure) for sample in samples]


def of_measure(samples, measure):
    return summary(values(samples, measure))


def ratio(samples, others, measure):
    """Of what `samples` have to what `others` have, round by round; None where no round has both."""
    pairs = zip(values(samples, measure), values(others, measure), strict=False)
    return summary(one / other for one, other in pairs if one is not None and other)


def rotation(names, number):
    """The order of a round: each begins with another, so that none is always measured after the same one."""
    if not names:
        return []
    turned = number % len(names)
    order = [*names[turned:], *names[:turned]]
    # Each second time around backwards: else each one would always have the same one before it.
    return order if (number // len(names)) % 2 == 0 else order[::-1]
