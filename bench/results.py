"""What a run has found, as the JSON that is kept: the machine, the programs, each sample of each round, and the verdicts.
Reports and plots are made from that alone."""

import json
import os
import time
from pathlib import Path

from bench import targets
from bench.ratios import Summary

FORMAT = 1


def of_block(block):
    return {
        "case": block.case.name,
        "title": block.case.title,
        "kind": block.case.kind,
        "environment": block.environment.name,
        "environment_title": block.environment.title,
        "connections": block.case.connections,
        "rate": block.rate,
        "left_out": block.left_out,
        "out_of_time": block.out_of_time,
        "contestants": [
            {
                "name": one.name,
                "peer": one.peer.name,
                "title": one.title,
                "version": one.peer.version,
                "case": one.case.name,
                "environment": one.environment,
                "missing": one.missing,
                "failure": block.failures.get(one.name),
                "allocator": one.rung,
                "samples": block.samples.get(one.name, []),
            }
            for one in block.contestants
        ],
    }


def for_targets(blocks):
    """As targets.judge takes them."""
    return {
        f"{block['case']}/{block['environment']}": (
            {one["name"]: one["samples"] for one in block["contestants"]},
            {one["name"]: one["missing"] or one["failure"] for one in block["contestants"]},
        )
        for block in blocks
    }


def of_verdict(verdict):
    target = verdict.target
    return {
        "title": target.title,
        "block": target.block,
        "measure": target.measure,
        "of": target.of,
        "against": target.against,
        "at_least": target.at_least,
        "at_most": target.at_most,
        "reached": verdict.reached,
        "value": None if verdict.summary is None else target.value(verdict.summary),
        "least": None if verdict.summary is None else verdict.summary.least,
        "most": None if verdict.summary is None else verdict.summary.most,
        "rounds": 0 if verdict.summary is None else verdict.summary.count,
        "why": verdict.why,
    }


def compose(name, about, blocks, ended):
    """The whole. `about` has the machine, programs and options; `ended` says how the run did: done, interrupted."""
    judged = [targets.judge(target, for_targets(blocks)) for target in targets.read()]
    return {
        "format": FORMAT,
        "name": name,
        "ended": ended,
        "written_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **about,
        "targets": [of_verdict(verdict) for verdict in judged],
        "blocks": blocks,
    }


def write(path, text):
    """Whole, or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def as_json(result):
    return json.dumps(result, indent=1, ensure_ascii=False) + "\n"


def missed(result, share):
    """Those measured targets of which not even this share is reached."""
    judged = (targets.judge(target, for_targets(result["blocks"])) for target in targets.read())
    return [
        verdict
        for verdict in judged
        if verdict.summary is not None and not verdict.target.reaches(verdict.target.value(verdict.summary), share)
    ]


def summary_words(found: Summary, write_value):
    """ "17,200 (16,900–17,500)": the median, and the least and the most of all rounds."""
    if found is None:
        return "–"
    if found.count == 1 or found.least == found.most:
        return write_value(found.median)
    return f"{write_value(found.median)} ({write_value(found.least)}–{write_value(found.most)})"
