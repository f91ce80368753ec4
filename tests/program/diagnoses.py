"""What weir doctor says: asked for, checked, and taken apart; and what weir up says of the allocator as it starts."""

import json
import os
import re
import unicodedata
from pathlib import Path

import pytest

from conftest import prlimit_address_space
from json_schema import Schema

DOCUMENTS = Path(__file__).resolve().parents[2] / "docs"
CHINESE = {"LANG": "zh_CN.UTF-8"}
WIDTH = 80


@pytest.fixture(scope="module")
def schema():
    return Schema(DOCUMENTS / "doctor.schema.json")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def diagnosis(schema, program, *arguments, status=0, **options):
    done = program.run("doctor", "--json", *arguments, **options)
    assert done.status == status, done
    document = json.loads(done.stdout)
    assert schema.problems(document) == []
    assert_consistent(document)
    return document


def assert_consistent(document):
    ladder, choice = document["ladder"], document["choice"]
    for result in ladder:
        passed = result["verdict"] == "passed"
        assert (result["instance_microseconds"] is not None) == passed, result
        assert sum(variant["chosen"] for variant in result["variants"]) == (1 if passed else 0), result
        assert passed or result["message"], result
        assert passed or result["explanation"], result
        assert (result["limit_id"] is None) == (result["limit"] == ""), result
    for name in ("wanted", "obstacle", "runner_up"):
        assert document[name] is None or document[name] < len(ladder), name
    if choice is None:
        assert document["notice"]
        return
    result = ladder[choice["index"]]
    assert result["verdict"] == "passed"
    for name in ("tier", "slots", "slot_bytes", "pulley"):
        assert choice[name] == result[name], name
    assert choice["reduced"] == bool(document["notice"])
    assert not choice["remembered"]
    if document["runner_up"] is not None:
        assert document["runner_up"] != choice["index"]
        assert ladder[document["runner_up"]]["verdict"] == "passed"


def columns(line):
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line)


def assert_readable(text):
    """Lines are as wide as a terminal, but for what cannot be broken."""
    for line in text.splitlines():
        words = re.split(r"(?<=\s)(?=\S)", line.strip())
        assert columns(line) <= WIDTH or len(words) == 1 or "'" in line or "/" in line, line
    assert "\x1b" not in text, "colours, and not on a terminal"


def sections(text):
    """Those of a report, as running text: what comes before the first heading is under ""."""
    found, heading = {"": ""}, ""
    for block in text.split("\n\n"):
        first, _, rest = block.partition("\n")
        if rest.startswith("  ") and not first.startswith(" "):
            heading, block = first, rest
        found[heading] = " ".join(f"{found.get(heading, '')} {block}".split())
    return found


def limited_for_good(program, size):
    """With a limit on address space that the program may not raise, whoever runs it."""
    if os.geteuid() == 0:
        program = program.wrapped("setpriv", "--bounding-set=-sys_resource", "--")
    return prlimit_address_space(program, size)


def start_and_stop(program, application, serve, *arguments, **options):
    server = serve(program, application, *arguments, **options)
    server.stop()
    return server


def notices(server):
    return [line for line in server.stderr.lines if line.startswith("weir: warning: ")]
