"""Bars with their spread, as SVG that reads well on light and dark pages. No library draws it: it is a few rectangles."""

from html import escape

from bench.measures import MEASURES, written
from bench.ratios import of_measure
from bench.report import block_title, main_measure

WIDTH, LABEL, BAR, GAP, TOP, VALUE = 760, 210, 22, 12, 46, 150

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.unit { fill: #59636e }
.weir { fill: #0969da }
.other { fill: #8c959f }
.spread { stroke: #1f2328; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .unit { fill: #9198a1 }
  .weir { fill: #4493f8 }
  .other { fill: #656c76 }
  .spread { stroke: #e6edf3 }
}
"""


def bars(title, measure, rows):
    """`rows` are (label, Summary, whether it is weir). Lengths are medians; a line goes from the least to the most."""
    space = WIDTH - LABEL - VALUE
    largest = max((summary.most for _, summary, _ in rows), default=0) or 1
    height = TOP + len(rows) * (BAR + GAP) + 4
    better = "more is better" if MEASURES[measure].more_is_better else "less is better"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<text class="title" x="0" y="16">{escape(title)}</text>',
        f'<text class="unit" x="0" y="34">{escape(MEASURES[measure].title)}: median, least and most of all rounds; '
        f"{better}</text>",
    ]
    for number, (label, summary, is_weir) in enumerate(rows):
        top = TOP + number * (BAR + GAP)
        middle = top + BAR / 2
        length, least, most = (space * value / largest for value in (summary.median, summary.least, summary.most))
        parts += [
            f'<text x="{LABEL - 8}" y="{middle + 4.5:.1f}" text-anchor="end">{escape(label)}</text>',
            f'<rect class="{"weir" if is_weir else "other"}" x="{LABEL}" y="{top}" width="{max(length, 1):.1f}" '
            f'height="{BAR}" rx="2"/>',
            f'<line class="spread" x1="{LABEL + least:.1f}" y1="{middle}" x2="{LABEL + most:.1f}" y2="{middle}"/>',
            f'<text x="{LABEL + max(length, most) + 8:.1f}" y="{middle + 4.5:.1f}">'
            f"{escape(written(measure, summary.median))}</text>",
        ]
    return "\n".join([*parts, "</svg>", ""])


def rows_of(block, measure):
    found = [(one, of_measure(one["samples"], measure)) for one in block["contestants"]]
    return [(one["name"], summary, one["peer"].startswith("weir")) for one, summary in found if summary]


def of_result(name, result):
    """The plots of a result: [(file's name, SVG, case, environment)]. One for each block that compares something, and one
    of the same case in all environments."""
    plots = []
    for block in result["blocks"]:
        measure = main_measure(block)
        rows = rows_of(block, measure)
        if len(rows) > 1 and block["kind"] != "fresh":
            file = f"{name}-{block['case']}-{block['environment']}.svg"
            plots.append((file, bars(block_title(block), measure, rows), block["case"], block["environment"]))
    for case in dict.fromkeys(block["case"] for block in result["blocks"]):
        blocks = [block for block in result["blocks"] if block["case"] == case]
        if len(blocks) < 2:
            continue
        measure = main_measure(blocks[0])
        rows = [
            (f"{one}, {block['environment']}", summary, is_weir)
            for block in blocks
            for one, summary, is_weir in rows_of(block, measure)
            if one in ("weir", "wasmtime")
        ]
        if rows:
            title = f"{blocks[0]['title']} in all environments"
            plots.append((f"{name}-{case}.svg", bars(title, measure, rows), title, None))
    return plots
