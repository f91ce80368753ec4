"""What is measured: names, units, and how a value is written for people."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    name: str
    title: str
    unit: str
    more_is_better: bool = False


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("rate", "requests/s", "1/s", True),
        Measure("byte_rate", "bytes/s", "B/s", True),
        Measure("p50", "p50", "s"),
        Measure("p99", "p99", "s"),
        Measure("p999", "p99.9", "s"),
        Measure("light_p50", "p50, light", "s"),
        Measure("light_p99", "p99, light", "s"),
        Measure("light_p999", "p99.9, light", "s"),
        Measure("heavy_p50", "p50, heavy", "s"),
        Measure("heavy_p99", "p99, heavy", "s"),
        Measure("cpu", "CPU per request", "s"),
        Measure("idle_bytes", "resident, idle", "B"),
        Measure("loaded_bytes", "resident, after load", "B"),
        Measure("cold_listening", "cold: listens", "s"),
        Measure("cold_first", "cold: first response", "s"),
        Measure("warm_listening", "warm: listens", "s"),
        Measure("warm_first", "warm: first response", "s"),
        Measure("first_p50", "first event, p50", "s"),
        Measure("first_p99", "first event, p99", "s"),
        Measure("first_most", "first event, last client", "s"),
        Measure("end_p50", "all events, p50", "s"),
        Measure("end_p99", "all events, p99", "s"),
        Measure("end_most", "all events, last client", "s"),
        Measure("served", "clients served", "", True),
        Measure("connection_bytes", "memory per connection", "B"),
        Measure("call_bytes", "memory per call held", "B"),
        Measure("errors", "errors", ""),
        Measure("instances", "instances per request", ""),
        Measure("fresh", "answers from a fresh instance", "", True),
    )
}


def scaled(value, steps):
    for factor, unit in steps:
        if abs(value) >= factor:
            return value / factor, unit
    return value / steps[-1][0], steps[-1][1]


def rounded(value):
    """Three digits that count, no exponent: 61300, 17.2, 0.41."""
    if value == 0:
        return "0"
    digits = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    if digits >= 3:
        return f"{value:,.0f}" if digits <= 3 else f"{round(value, 3 - digits):,.0f}"
    text = f"{value:.{3 - digits}f}" if digits else f"{value:.3g}"
    return text


def written(measure, value):
    """A value for people: "17,200", "1.30 ms", "23.8 MiB"."""
    unit = MEASURES[measure].unit
    if value is None:
        return "–"
    if unit == "s" and value != 0:
        scaled_value, name = scaled(value, ((1, "s"), (1e-3, "ms"), (1e-6, "µs")))
        return f"{rounded(scaled_value)} {name}"
    if unit in ("B", "B/s") and value != 0:
        scaled_value, name = scaled(value, ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")))
        return f"{rounded(scaled_value)} {name}{unit[1:]}"
    return rounded(value)
