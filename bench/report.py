"""The result as a page of Markdown, for people: the targets, a table for each block, and what its names stand for."""

from bench.measures import MEASURES, rounded, written
from bench.ratios import of_measure, ratio
from bench.results import summary_words

COLUMNS = {
    "load": ("byte_rate", "rate", "p50", "p99", "p999", "cpu", "idle_bytes", "loaded_bytes", "errors", "instances"),
    "open": ("rate", "light_p50", "light_p99", "light_p999", "heavy_p50", "heavy_p99", "cpu", "errors"),
    "start": ("cold_listening", "cold_first", "warm_listening", "warm_first", "idle_bytes"),
    "held": ("call_bytes", "served", "errors"),
    "events": ("first_p50", "first_p99", "first_most", "end_p50", "end_most", "cpu", "connection_bytes", "served", "errors"),
    "idle": ("connection_bytes", "loaded_bytes", "first_p50", "first_p99", "served", "errors"),
    "fresh": ("fresh", "instances", "errors"),
}
# What the ratio of a block is of.
MAIN = {
    **{"load": "rate", "open": "light_p99", "start": "warm_first", "held": "call_bytes"},
    **{"events": "end_p99", "idle": "connection_bytes", "fresh": "fresh"},
}
LEAST_SECONDS = 3  # of a round, for what one request in a thousand saw


def main_measure(block):
    """What the ratio of a block is of: bytes/s where they are measured, else what its kind has."""
    samples = (sample for one in block["contestants"] for sample in one["samples"] if sample)
    return "byte_rate" if any("byte_rate" in sample for sample in samples) else MAIN[block["kind"]]


def columns_of(block, measured, seconds):
    """The measures that any contestant has; not both bytes/s and requests/s, and no p99.9 of short rounds."""
    dropped = {"p999", "light_p999"} if seconds < LEAST_SECONDS else set()
    if main_measure(block) == "byte_rate":
        dropped.add("rate")
    return [
        name
        for name in COLUMNS[block["kind"]]
        if name not in dropped and any(sample and name in sample for one in measured for sample in one["samples"])
    ]


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def words(samples, measure):
    if measure == "errors":
        found = of_measure(samples, measure)
        return "–" if found is None else ("0" if found.most == 0 else f"**{found.most:,.0f}** in a round")
    return summary_words(of_measure(samples, measure), lambda value: written(measure, value))


def target_words(entry):
    bound = f"≥ {entry['at_least']:g}" if entry["at_least"] is not None else f"≤ {entry['at_most']:g}"
    if entry["measure"] == "call_bytes":
        bound = f"≤ {written('call_bytes', entry['at_most'])}"
    return bound + ("×" if entry["against"] else "")


def verdict_words(entry):
    if entry["reached"] is None:
        return f"not known: {entry['why']}"
    return "**reached**" if entry["reached"] else "**not reached**"


def measured_words(entry):
    if entry["reached"] is None:
        return "–"

    def value_words(value):
        return f"{rounded(value)}×" if entry["against"] else written(entry["measure"], value)

    spread = f" ({value_words(entry['least'])}–{value_words(entry['most'])})" if entry["least"] != entry["most"] else ""
    return value_words(entry["value"]) + spread


def targets_table(result):
    rows = [
        [
            entry["title"],
            entry["against"] or "–",
            target_words(entry),
            measured_words(entry),
            verdict_words(entry),
        ]
        for entry in result["targets"]
    ]
    return table(["what", "against", "target", "measured", ""], rows)


def ratio_words(block, one, first):
    """How the first contestant, which is weir, compares with this one."""
    if one is first or first is None:
        return "1×" if one is first else "–"
    measure = main_measure(block)
    found = ratio(first["samples"], one["samples"], measure)
    return summary_words(found, lambda value: f"{rounded(value)}×")


def block_table(block, seconds):
    measured = [one for one in block["contestants"] if any(one["samples"])]
    first = next((one for one in measured if one["peer"] == "weir"), None)
    columns = columns_of(block, measured, seconds)
    main = main_measure(block)
    header = ["", *(MEASURES[name].title for name in columns), f"weir's {MEASURES[main].title} to this one's"]
    rows = [
        [one["name"], *(words(one["samples"], name) for name in columns), ratio_words(block, one, first)]
        for one in measured
    ]
    text = table(header, rows) if measured else ""
    for one in block["contestants"]:
        lost = sum(sample is None for sample in one["samples"])
        if one["missing"]:
            text += f"\n{one['name']} is missing: {one['missing']}\n"
        elif lost:
            text += f"\n{one['name']} failed in {lost} of {len(one['samples'])} rounds: {one['failure']}\n"
    if "instances" in columns and any("instances" not in sample for one in measured for sample in one["samples"] if sample):
        text += "\nInstances per request: by the server's own count; – where it tells of none.\n"
    if block["out_of_time"]:
        text += f"\nThere was no time for {block['out_of_time']}.\n"
    return text


def names_words(blocks, names=None):
    """What contestants' names stand for, a line each; of all, or of these."""
    titles = {one["name"]: one["title"] for block in blocks for one in block["contestants"]}
    return "\n".join(f"- {name}: {title}" for name, title in titles.items() if names is None or name in names)


def short_words(result):
    """What rounds as short as these do not tell; None where they are long enough."""
    seconds = result["options"]["seconds"]
    if seconds >= LEAST_SECONDS:
        return None
    return (
        f"Rounds of {seconds} s are for a first look: one stall of the machine decides what p99 is, so it and its target "
        f"are not to be relied on, and p99.9 is left out. --seconds {LEAST_SECONDS} or more, and --rounds 5, tell them."
    )


def out_of_time_words(result):
    """What was left out for want of time, and how to measure it; None where nothing was."""
    blocks = [block for block in result["blocks"] if block["out_of_time"]]
    if not blocks:
        return None
    cases = ",".join(dict.fromkeys(block["case"] for block in blocks))
    places = ",".join(dict.fromkeys(block["environment"] for block in blocks))
    where = "" if places == "native" else f" --environment {places}"
    left = "; ".join(f"{block['case']} ({block['out_of_time']})" for block in blocks)
    return f"There was no time for: {left}. To measure that: ./dev bench --case {cases}{where}"


def block_title(block):
    where = "" if block["environment"] == "native" else f", {block['environment_title']}"
    how = f", {block['connections']} connections" if block["kind"] in ("load", "open") else ""
    at = f", {block['rate']:,.0f} requests/s" if block["rate"] else ""
    return f"{block['title']}{where}{how}{at}"


def about_words(result):
    machine = result["machine"]
    commit = result["commit"]
    lines = [
        f"{machine['model']}, {machine['processors']} processors{' (virtual)' if machine['virtual'] else ''}, "
        f"{written('idle_bytes', machine['memory_bytes'])} of memory; {machine['system']}, Linux {machine['kernel']}.",
        f"{result['options']['rounds']} rounds of {result['options']['seconds']} s each; the median, and in brackets the "
        "least and the most of all rounds. Ratios are taken within rounds. The load comes from the same processors.",
        "Commit " + (f"{commit['commit'][:12]}{', with changes' if commit['changed'] else ''}" if commit else "unknown")
        + f"; load of the machine before: {machine['load_before'][0]}.",
        "; ".join(f"{name}: {version}" for name, version in result["versions"].items() if version) + ".",
    ]
    lines += [f"**{text}**" for text in (short_words(result), out_of_time_words(result)) if text]
    if result["ended"] != "done":
        lines.append(f"**This run was {result['ended']}.**")
    return "\n".join(f"- {line}" for line in lines)


def markdown(result, plots=()):
    parts = [f"# {result['name']}\n", about_words(result), "\n## Targets\n", targets_table(result)]
    parts.append(f"\n## Names\n\n{names_words(result['blocks'])}\n")
    for block in result["blocks"]:
        parts.append(f"\n## {block_title(block)}\n")
        parts.append(f"Left out: {block['left_out']}.\n" if block["left_out"] else block_table(block, result["options"]["seconds"]))
        for file, case, environment in plots:
            if (case, environment) == (block["case"], block["environment"]):
                parts.append(f"![{block_title(block)}]({file})\n")
    for file, case, environment in plots:
        if environment is None:
            parts.append(f"\n## {case}\n\n![{case}]({file})\n")
    return "\n".join(parts)
