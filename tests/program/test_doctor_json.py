"""weir doctor for programs: its JSON follows the schema, and says of an application what becomes of its components."""

import re
import time

import pytest

from conftest import prlimit_address_space
from diagnoses import CHINESE, DOCUMENTS, diagnosis, limited_for_good, own_cache, schema  # noqa: F401 (fixtures, too)
from environment import GIB, MIB
from harness import Component, write_application


# ---- JSON ------------------------------------------------------------------------------------------------------------


def test_json_follows_its_schema_here(weir_checked, schema):
    document = diagnosis(schema, weir_checked)
    assert document["components"] == [] and document["apart"] is None and document["choice"]["tuned"] is None


@pytest.mark.parametrize("size", [8 * GIB, 400 * MIB], ids=["8 GiB", "400 MiB"])
def test_json_follows_its_schema_under_a_limit_and_names_it(weir, schema, size):
    document = diagnosis(schema, limited_for_good(weir, size))
    obstacle = document["ladder"][document["obstacle"]]
    assert obstacle["limit_id"] == "address_space" and obstacle["verdict"] == "not tried"
    assert document["wanted"] == document["obstacle"]
    assert document["budgets"]["address_space"]["limit_at"] == size
    assert document["budgets"]["address_space"]["limit_id"] == "address_space"
    assert 0 < document["budgets"]["address_space"]["left"] < size
    assert document["notice"].count("\n") <= 2
    # What one slot takes is more than 400 MiB, so there is nothing to compare with.
    assert (document["comparison"] is None) == (size < GIB)
    assert document["comparison"] is None or not document["comparison"]["limits_raised"]


def test_the_best_beyond_a_limit_that_may_be_raised_is_compared_with(weir, schema):
    limited = weir.wrapped("prlimit", f"--as={400 * MIB}:", "--")
    document = diagnosis(schema, limited)
    comparison = document["comparison"]
    assert comparison["limits_raised"] and comparison["tier"] == "standard" and comparison["slot_bytes"] == 4 * GIB
    assert document["choice"]["tier"] == "compact" and document["facts"]["address_space_limit"]["value"] == 400 * MIB
    said = "".join(limited.run("doctor").stdout.split())
    assert "Thebestwastimedinaprocessthathadraiseditslimits" in said, said


def test_json_follows_its_schema_under_qemu_user(weir, schema, qemu_user):
    document = diagnosis(schema, weir.wrapped(qemu_user), seconds=120)
    assert document["facts"]["emulated"]["value"] == 1
    assert document["ladder"][document["obstacle"]]["limit_id"] == "emulation"


def test_json_follows_its_schema_where_nothing_can_be_had(weir, schema):
    document = diagnosis(
        schema, prlimit_address_space(weir, GIB), status=1, environment={"SPIN_ALLOCATOR": "pooling"}
    )
    assert document["choice"] is None and document["comparison"] is None
    assert "ulimit -v" in document["advice"]


@pytest.mark.parametrize("word", ["pooling", "compact", "ondemand"])
def test_json_follows_its_schema_for_each_strategy(weir, schema, word):
    assert diagnosis(schema, weir, environment={"SPIN_ALLOCATOR": word})["strategy"] == word


def test_json_follows_its_schema_where_a_path_is_not_utf8(weir, schema):
    value = diagnosis(schema, weir, environment={"XDG_CACHE_HOME": "/tmp/caf\udce9"})
    assert value["memory"]["directory"] == "/tmp/caf\\xe9/weir"


def test_every_member_is_documented(schema):
    text = (DOCUMENTS / "doctor-json.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([a-z_]+)`", text))

    def names(node):
        if isinstance(node, dict):
            yield from node.get("properties", {})
            for value in node.values():
                yield from names(value)
        elif isinstance(node, list):
            for value in node:
                yield from names(value)

    assert set(names(schema.root)) - documented == set()


def test_json_is_english_in_every_language(weir):
    limited = prlimit_address_space(weir, GIB)
    text = limited.run("doctor", "--json", environment=CHINESE).stdout
    assert text.isascii(), text
    assert "reduced automatically" in text


# ---- An application --------------------------------------------------------------------------------------------------


def module_with_memory(pages):
    """A WAGI module that does nothing, with so many pages of 64 KiB of memory from the start."""

    def number(value):
        out = bytearray()
        while True:
            out.append(value & 0x7F | (0x80 if value > 0x7F else 0))
            value >>= 7
            if value == 0:
                return bytes(out)

    def section(kind, body):
        return bytes([kind]) + number(len(body)) + body

    exports = b"\x02\x06memory\x02\x00\x06_start\x00\x00"
    return (
        b"\0asm\x01\0\0\0"
        + section(1, b"\x01\x60\x00\x00")  # a function without parameters and results
        + section(3, b"\x01\x00")
        + section(5, b"\x01\x00" + number(pages))
        + section(7, exports)
        + section(10, b"\x01\x02\x00\x0b")
    )


@pytest.fixture
def application_with_a_giant(tmp_path, guest):
    giant = tmp_path / "giant.wasm"
    giant.write_bytes(module_with_memory(600 * MIB >> 16))
    return write_application(
        tmp_path,
        [
            Component("small", "/small", guest("http_request")),
            Component("giant", "/giant", giant, wagi=True),
            Component("other", "/other", guest("http_request")),
        ],
    )


def test_an_applications_own_components_are_timed_and_named(weir, schema, hello):
    document = diagnosis(schema, weir, "-f", hello)
    assert [component["id"] for component in document["components"]] == ["hello", "cgi"]
    assert not any(component["apart"] for component in document["components"])
    assert sum(variant["chosen"] for variant in document["choice"]["tuned"]) == 1
    text = weir.run("doctor", hello).stdout
    assert "the application's components" in " ".join(text.split()), text


def test_components_that_are_placed_apart_are_named_with_the_reason(weir, schema, application_with_a_giant, serve):
    limited = prlimit_address_space(weir, 8 * GIB)
    document = diagnosis(schema, limited, application_with_a_giant)
    assert [component["id"] for component in document["components"] if component["apart"]] == ["giant"]
    giant = document["components"][1]
    assert giant["needs"]["minimum_memory_bytes"] == 600 * MIB
    assert document["apart"]["rung"]["tier"] == "ondemand"
    joined = document["apart"]["pool_with_them"]
    assert joined is None or joined["slots"] < document["choice"]["slots"]
    text = limited.run("doctor", application_with_a_giant).stdout
    assert re.search(r"giant: its memory begins with 600 MiB", text), text
    server = serve(limited, application_with_a_giant)
    assert server.get("/small").status == 200
    server.stop()
    line = next(line for line in server.stderr.lines if "placed apart" in line)
    assert "giant" in line and "on demand" in line and "small" not in line, line


def test_an_application_that_cannot_be_read_ends_with_2(weir, tmp_path):
    for arguments in (["-f", tmp_path / "none.toml"], [tmp_path / "none.toml"], ["-f"], ["a", "b"], ["--max-concurrency=0"]):
        done = weir.run("doctor", *arguments)
        assert done.status == 2, done
        assert done.stdout == "" and done.stderr.count("\n") == 1, done


def test_doctor_judges_for_so_many_requests(weir, schema):
    document = diagnosis(schema, prlimit_address_space(weir, 400 * MIB), "--max-concurrency", "4")
    assert document["needs"]["concurrency"] == 4
    usual = diagnosis(schema, prlimit_address_space(weir, 400 * MIB))
    assert document["choice"]["slot_bytes"] > usual["choice"]["slot_bytes"]


def test_doctor_says_how_long_it_took_over_all(weir, schema, hello):
    began = time.monotonic()
    document = diagnosis(schema, weir, "-f", hello)
    took = (time.monotonic() - began) * 1000
    assert document["milliseconds"] < document["total_milliseconds"] <= took
    assert "it took" in weir.run("doctor").stdout.split("Decided anew")[1]
