"""weir doctor for a person and for programs, and the languages of what is said of the allocator."""

import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unicodedata
from pathlib import Path

import pytest

from conftest import prlimit_address_space
from environments_here import place
from harness import Component, Program, hello_body, write_application
from json_schema import Schema
from terminal import OnTerminal

GIB = 1 << 30
MIB = 1 << 20

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


def is_reduced(program):
    return json.loads(program.run("doctor", "--json").stdout)["choice"]["reduced"]


# ---- JSON ------------------------------------------------------------------------------------------------------------


def test_json_follows_its_schema_here(weir_checked, schema):
    document = diagnosis(schema, weir_checked)
    assert document["components"] == [] and document["apart"] is None and document["choice"]["tuned"] is None


def limited_for_good(program, size):
    """With a limit on address space that the program may not raise, whoever runs it."""
    if os.geteuid() == 0:
        program = program.wrapped("setpriv", "--bounding-set=-sys_resource", "--")
    return prlimit_address_space(program, size)


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


# ---- For a person ----------------------------------------------------------------------------------------------------


def test_the_text_says_first_what_it_comes_to_and_last_what_helps(weir):
    limited = prlimit_address_space(weir, GIB)
    done = limited.run("doctor")
    assert done.status == 0, done
    assert_readable(done.stdout)
    first = done.stdout.split("\n\n")[0]
    assert first.startswith("The pooling allocator is reduced automatically: compact pool"), first
    assert "normal" in first and "Wanted was: standard pool" in " ".join(first.split())
    order = ["What was found", "What was tried", "What was chosen", "What it costs", "Remedy", "Decided anew"]
    places = [done.stdout.index(f"\n{heading}") for heading in order]
    assert places == sorted(places)
    remedy = done.stdout[places[4] : places[5]]
    assert "'ulimit -v unlimited'" in remedy, remedy
    assert "RLIMIT_AS (1 GiB)" in done.stdout and "Against the best" in done.stdout


def sections(text):
    """Those of a report, as running text: what comes before the first heading is under ""."""
    found, heading = {"": ""}, ""
    for block in text.split("\n\n"):
        first, _, rest = block.partition("\n")
        if rest.startswith("  ") and not first.startswith(" "):
            heading, block = first, rest
        found[heading] = " ".join(f"{found.get(heading, '')} {block}".split())
    return found


def test_each_figure_says_what_was_timed(weir):
    text = sections(limited_for_good(weir, 8 * GIB).run("doctor").stdout)
    assert re.search(r"An instance of a made-up guest takes \d+\.\d us \(create, write, run, drop\)", text[""]), text
    assert text["What was tried"].startswith("Each in a process of its own, timed with a made-up guest"), text
    costs = text["What it costs"]
    assert costs.startswith("In its trial, an instance of the made-up guest with each setting"), text
    compared = re.search(
        r"Against the best that the hardware could give(?: \(standard pool, 1 slot of 4 GiB\): (?:(no more)|(\d+\.\d) "
        r"times as much)|: this is it, and costs less than standard pool, 1 slot of 4 GiB)\. For that, both were timed "
        r"once more, in turns, on 1 thread, with the made-up guest; the least of 5 rounds: chosen (\S+) us, standard "
        r"pool, 1 slot of 4 GiB (\S+) us\.",
        costs,
    )
    assert compared, text
    ratio = float(compared[3]) / float(compared[4])
    if compared[2]:
        assert ratio == pytest.approx(float(compared[2]), abs=0.1), text
    else:
        assert 0.99 < ratio < 1.11 if compared[1] else ratio <= 1, text


def test_both_sides_of_a_comparison_are_timed_on_as_many_threads(weir, schema):
    """A pool of one slot holds one thread, and is not to be set against a choice that two were busy with."""
    comparison = diagnosis(schema, limited_for_good(weir, 8 * GIB))["comparison"]
    assert comparison["slots"] == 1 and comparison["threads"] == 1, comparison


def test_without_an_application_it_is_said_what_the_figures_are_for(weir, hello):
    assert "No application was given: all that follows is for a usual small" in sections(weir.run("doctor").stdout)[""]
    assert "No application was given" not in weir.run("doctor", hello).stdout


def test_with_an_application_the_figures_are_those_of_its_components(weir, hello):
    done = weir.run("doctor", "-f", hello)
    text = sections(done.stdout)
    running = re.search(r"Running each of the application's components once takes (\d+\.\d us)", text[""])
    assert running and "made-up guest takes" not in text[""], done
    chosen = re.search(r"(\d+\.\d us) +keeps.*\(chosen\)", done.stdout[done.stdout.index("that decides") :])
    if "pool" in text["What was chosen"].split(";")[0]:
        assert chosen and chosen[1] == running[1], done
    assert "In its trial" not in text["What it costs"], done
    verbose = sections(weir.run("doctor", "-v", "-f", hello).stdout)
    assert "In its trial" in verbose["What it costs"] or "on demand" in verbose["What was chosen"]


def test_the_price_of_a_strategy_that_was_asked_for_is_told_with_the_way_out(weir):
    if is_reduced(weir):
        pytest.skip("this machine does not grant what is wanted")
    text = sections(weir.run("doctor", environment={"SPIN_ALLOCATOR": "ondemand"}).stdout)
    assert re.search(r"\(standard pool, \d+ slots? of 4 GiB\): \d+\.\d times as much", text["What it costs"]), text
    assert text["Remedy"].startswith("It was asked for (ondemand). If nothing is asked for,"), text


@pytest.mark.parametrize(
    ("environment", "arguments", "words"),
    [
        ({"SPIN_WASMTIME_POOLING": "0"}, [], "SPIN_WASMTIME_POOLING=0"),
        ({"SPIN_WASMTIME_POOLING": "1"}, [], "SPIN_WASMTIME_POOLING=1"),
        ({"SPIN_WASMTIME_POOLING": "1"}, ["--disable-pooling"], "--disable-pooling"),
        ({"SPIN_WASMTIME_POOLING": "1", "SPIN_ALLOCATOR": "ondemand"}, [], "ondemand"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, (dict, list)) else value,
)
def test_what_asked_for_a_strategy_is_named_as_it_was_given(weir, schema, hello, serve, environment, arguments, words):
    assert f"asked for: {words};" in diagnosis(schema, weir, *arguments, environment=environment)["summary"]
    server = start_and_stop(weir, hello, serve, *arguments, environment=environment)
    assert f"asked for: {words};" in server.stdout.lines[0], server.log


def test_what_was_not_tried_for_time_says_how_much_there_was(weir):
    """Nothing is "used up" beside a time that is less: the figure bounds when trials begin, 4 s where they take long."""
    tried = sections(weir.run("doctor").stdout)["What was tried"]
    assert "used up" not in tried
    for bound in re.findall(r"others are tried only as far as (.*?) suffice", tried):
        assert bound in ("0.2 s", "4 s"), tried


def test_the_text_is_short_and_readable_where_all_is_well(weir):
    if is_reduced(weir):
        pytest.skip("this machine does not grant what is wanted")
    text = weir.run("doctor").stdout
    assert_readable(text)
    assert text.startswith("All is well") and "There is nothing to remedy" in text
    assert len(text.splitlines()) <= 60, text


def test_verbose_shows_every_fact_with_its_source(weir):
    facts = json.loads(weir.run("doctor", "--json").stdout)["facts"]
    text = "".join(weir.run("doctor", "--verbose").stdout.split())
    for name, fact in facts.items():
        assert "".join(f"[{fact['source']}]".split()) in text, name


def test_on_demand_is_compared_with_the_pool_that_could_be_had(weir, schema):
    document = diagnosis(schema, weir, environment={"SPIN_ALLOCATOR": "ondemand"})
    if document["comparison"] is None:
        pytest.skip("no pool can be had on this machine")
    assert document["comparison"]["tier"] == "standard"
    assert document["comparison"]["choice_microseconds"] > 0


def files_limited(program, count):
    """The program with so many descriptors that may be open, however it asks."""
    return program.wrapped("prlimit", f"--nofile={count}", "--")


@pytest.mark.parametrize("language", [{}, CHINESE], ids=["English", "Chinese"])
def test_doctor_ends_as_up_does_where_too_few_files_may_be_open(weir, schema, hello, language):
    limited = files_limited(weir, 20)
    up = limited.run("up", "-f", hello, "--listen", "127.0.0.1:0", environment=language)
    refusal = up.stderr.removeprefix("weir: error: ").strip()
    done = limited.run("doctor", environment=language)
    assert up.status == 1 and done.status == 1, (up, done)
    assert_readable(done.stdout)
    page = "".join(done.stdout.split())
    assert "".join(refusal.split()) in page.split("RLIMIT_NOFILE")[0], done
    assert "All is well" not in done.stdout and "There is nothing to remedy" not in done.stdout
    assert page.count("'ulimit-n'") == 1 and "RLIMIT_NOFILE" in page, done
    document = diagnosis(schema, limited, status=1)
    serving = document["serving"]
    assert serving["possible"] is False and serving["open_files"] == 20 < serving["least_open_files"]
    assert document["choice"] is not None, "the allocator's choice is told all the same"
    if not language:
        assert serving["refusal"] == refusal


def test_where_no_trial_can_open_its_files_the_remedy_is_that_for_them_alone(weir, schema):
    limited = files_limited(weir, 6)
    remedy = sections(limited.run("doctor").stdout)["Remedy"]
    assert "'ulimit -n'" in remedy and "None is known" not in remedy, remedy
    document = diagnosis(schema, limited, status=1)
    assert "'ulimit -n'" in document["advice"], document["advice"]


def test_doctor_tells_its_exit_status_as_it_is(weir):
    text = " ".join(weir.run("help", "doctor").stdout.split())
    assert "1 no allocator works or a limit on open files or processes is too low" in text, text


def test_the_least_number_of_open_files_that_doctor_names_is_enough(weir, schema, hello, serve):
    least = diagnosis(schema, files_limited(weir, 20), status=1)["serving"]["least_open_files"]
    limited = files_limited(weir, least)
    serving = diagnosis(schema, limited)["serving"]
    assert serving["possible"] and serving["refusal"] == ""
    assert serve(limited, hello).get("/hello").text == hello_body("/hello")
    assert diagnosis(schema, files_limited(weir, least - 1), status=1)["serving"]["possible"] is False


OTHER_USER = 50_000 + os.getpid() % 10_000


@pytest.fixture
def users_place(weir, hello):
    """A directory that a user without anything running can read, with weir, the application and a cache in it."""
    if os.geteuid() != 0:
        pytest.skip("another user, whose processes are few, can be had by root alone")
    with tempfile.TemporaryDirectory(prefix="weir-user-") as name:
        directory = Path(name)
        place(directory, {"weir": weir.path, "hello": hello})
        os.chown(directory, OTHER_USER, OTHER_USER)
        yield directory


def processes_limited(users_place, count, *more):
    user = ("setpriv", f"--reuid={OTHER_USER}", f"--regid={OTHER_USER}", "--clear-groups")
    cache = users_place / "cache"
    return Program(users_place / "weir").wrapped(
        *("prlimit", f"--nproc={count}:{count}", "--"), *more, *user, XDG_CACHE_HOME=str(cache)
    )


@pytest.mark.parametrize("language", [{}, CHINESE], ids=["English", "Chinese"])
@pytest.mark.parametrize("count", [2, 5])
def test_doctor_ends_as_up_does_where_too_few_processes_may_be_had(schema, users_place, count, language):
    limited = processes_limited(users_place, count)
    up = limited.run("up", "-f", users_place / "hello", "--listen", "127.0.0.1:0", environment=language)
    refusal = up.stderr.removeprefix("weir: error: ").strip()
    done = limited.run("doctor", environment=language)
    assert up.status == 1 and up.stderr.count("\n") == 1 and done.status == 1, (up, done)
    for word in ("RLIMIT_NPROC", f" {count}", "ulimit -u", "LimitNPROC="):
        assert word in refusal, up
    assert_readable(done.stdout)
    assert "".join(refusal.split()) in "".join(done.stdout.split()), done
    assert "All is well" not in done.stdout and "There is nothing to remedy" not in done.stdout
    assert "None is known" not in done.stdout
    serving = diagnosis(schema, limited, status=1)["serving"]
    assert serving["possible"] is False and serving["processes_limit"] == count < serving["least_processes"]
    assert serving["processes_of_others"] == 0 and (language or serving["refusal"] == refusal)


def test_the_least_number_of_processes_that_doctor_names_is_needed_and_enough(schema, users_place, serve):
    document = diagnosis(schema, processes_limited(users_place, 2), status=1)
    least = document["serving"]["least_processes"]
    assert "'ulimit -u'" in document["advice"], document["advice"]
    fewer = processes_limited(users_place, least - 1)
    assert diagnosis(schema, fewer, status=1)["serving"]["possible"] is False
    limited = processes_limited(users_place, least)
    assert diagnosis(schema, limited)["serving"]["possible"]
    server = serve(limited, users_place / "hello")
    assert server.get("/hello").text == hello_body("/hello")
    assert not any("thread" in line for line in server.stderr.lines if "memory gets short" not in line)


def test_what_others_of_the_user_have_counts(schema, users_place):
    least = diagnosis(schema, processes_limited(users_place, 2), status=1)["serving"]["least_processes"]
    sleeper = subprocess.Popen(
        ["setpriv", f"--reuid={OTHER_USER}", f"--regid={OTHER_USER}", "--clear-groups", "sleep", "300"]
    )
    try:
        serving = diagnosis(schema, processes_limited(users_place, least), status=1)["serving"]
        assert serving["processes_of_others"] == 1 and not serving["possible"], serving
        assert diagnosis(schema, processes_limited(users_place, least + 1))["serving"]["possible"]
    finally:
        sleeper.kill()
        sleeper.wait()


def test_where_processes_cannot_be_counted_those_of_a_server_are_tried(schema, users_place):
    """In a PID namespace not all of the user's processes are to be seen."""
    unshare = ("unshare", "--pid", "--fork", "--mount-proc", "--")
    least = diagnosis(schema, processes_limited(users_place, 2), status=1)["serving"]["least_processes"]
    serving = diagnosis(schema, processes_limited(users_place, least - 1, *unshare), status=1)["serving"]
    assert not serving["possible"] and serving["processes_of_others"] is None, serving
    assert serving["processes_limit"] == least - 1 and serving["refusal"], serving
    assert diagnosis(schema, processes_limited(users_place, least + 1, *unshare))["serving"]["possible"]


def test_root_is_not_bound_by_a_limit_on_processes(weir, schema):
    if os.geteuid() != 0:
        pytest.skip("not root")
    document = diagnosis(schema, weir.wrapped("prlimit", "--nproc=2:2", "--"))
    assert document["serving"]["possible"] and document["serving"]["processes_limit"] is None
    assert document["facts"]["processes_limit"]["knowledge"] == "unlimited"
    assert "root" in document["facts"]["processes_limit"]["source"]


@pytest.mark.parametrize("language", [{}, CHINESE], ids=["English", "Chinese"])
def test_a_limit_on_the_size_of_files_is_named_with_its_remedy(weir, schema, language):
    limited = weir.wrapped("prlimit", "--fsize=65536:65536", "--")
    done = limited.run("doctor", environment=language)
    assert done.status == 1, done
    text = " ".join(done.stdout.split())
    assert "RLIMIT_FSIZE (64 KiB)" in text or "RLIMIT_FSIZE（64 KiB）" in text, done
    assert "'ulimit -f unlimited'" in text and "'LimitFSIZE=infinity'" in text, done
    assert "系统调用 被拒绝" not in text, done
    document = diagnosis(schema, limited, status=1)
    assert {result["limit_id"] for result in document["ladder"]} == {"file_size"}
    assert "LimitFSIZE=" in document["advice"]


def test_a_soft_limit_on_the_size_of_files_is_raised(weir, schema, hello, serve):
    limited = weir.wrapped("prlimit", "--fsize=65536:unlimited", "--")
    assert diagnosis(schema, limited)["choice"]["tier"] == "standard"
    assert serve(limited, hello).get("/hello").text == hello_body("/hello")


def test_doctor_says_how_many_connections_a_limit_leaves(weir, schema):
    connections = diagnosis(schema, files_limited(weir, 256))["serving"]["connections"]
    assert connections == (256 - 64) * 3 // 4
    found = sections(files_limited(weir, 256).run("doctor").stdout)["What was found"]
    assert f"limit on open files (RLIMIT_NOFILE) 256 connections at a time {connections} at most" in found, found
    assert diagnosis(schema, files_limited(weir, "64:300"))["serving"]["open_files"] == 300, "it is raised, as by up"


def read_terminal(program, *arguments, **environment):
    """What the program writes to a terminal of 72 columns."""
    process, terminal = pty.fork()
    if process == 0:
        try:
            os.execve(
                str(program.path), [str(program.path), *arguments], program.full_environment({"TERM": "xterm", **environment})
            )
        finally:
            os._exit(127)
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 72, 0, 0))
    written = b""
    deadline = time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([terminal], [], [], deadline - time.monotonic())
            if not ready:
                break
            piece = os.read(terminal, 65536)
            if not piece:
                break
            written += piece
    except OSError:  # EIO: the other end is closed
        pass
    finally:
        os.close(terminal)
        _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0, written
    return written.decode()


def test_colours_are_for_terminals_and_not_with_no_color(weir):
    assert "\x1b[" in read_terminal(weir, "doctor")
    assert "\x1b[" not in read_terminal(weir, "doctor", NO_COLOR="1")
    assert "\x1b[" not in read_terminal(weir, "doctor", TERM="dumb")


# ---- How many are wanted ---------------------------------------------------------------------------------------------


@pytest.fixture
def group_of():
    """Makes control groups (v1) of so many bytes, and gives the words that start a program in one."""
    parent = Path("/sys/fs/cgroup/memory")
    if not os.access(parent / "cgroup.procs", os.W_OK):
        pytest.skip("no control group can be made here: there is no writable memory controller (v1)")
    groups = []

    def make(size):
        group = parent / f"weir-doctor-{os.getpid()}-{len(groups)}"
        group.mkdir()
        groups.append(group)
        (group / "memory.limit_in_bytes").write_text(str(size))
        return ("sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group))

    yield make
    for group in groups:
        deadline = time.monotonic() + 30
        while (group / "cgroup.procs").read_text().strip() and time.monotonic() < deadline:
            time.sleep(0.05)
        group.rmdir()


def test_a_control_group_that_lessens_what_is_wanted_is_told_by_doctor(weir, schema, group_of):
    limited = weir.wrapped(*group_of(64 * MIB))
    document = diagnosis(schema, limited)
    concurrency = document["concurrency"]
    assert concurrency["wanted"] == document["needs"]["concurrency"] < concurrency["usual"] == 1000
    assert concurrency["limit_id"] == "cgroup" and not concurrency["stated"]
    assert document["choice"]["reduced"] and "MemoryMax=" in document["advice"]
    text = limited.run("doctor").stdout
    assert_readable(text)
    parts = sections(text)
    assert "All is well" not in text and "nothing is held back" not in text
    assert re.search(
        r"requests wanted at a time \d+: as many as the control group's memory limit \(64 MiB\) has room for the memory "
        r"of; 1000 are usual",
        parts["What was found"],
    ), text
    assert "'MemoryMax='" in parts["Remedy"], text
    stated = diagnosis(schema, limited, "--max-concurrency", "4")
    assert stated["concurrency"] == {"wanted": 4, "stated": True, "usual": 4, "limit_id": None}
    assert "control group" not in stated["notice"] or stated["ladder"][stated["obstacle"]]["limit_id"] == "cgroup"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, ("reduced automatically", "control group's memory limit (64 MiB)", "MemoryMax=")),
        (CHINESE, ("自动缩减", "控制组", "MemoryMax=")),
    ],
    ids=["English", "Chinese"],
)
def test_up_warns_where_a_control_group_lessens_what_is_wanted(weir, hello, serve, group_of, environment, words):
    limited = weir.wrapped(*group_of(64 * MIB))
    for _ in range(2):  # decided, and remembered
        server = start_and_stop(limited, hello, serve, environment=environment)
        lines = notices(server)
        assert 0 < len(lines) <= 3, server.log
        for word in words:
            assert word in "\n".join(lines), server.log
    server = start_and_stop(limited, hello, serve, "--max-concurrency", "2", environment=environment)
    assert notices(server) == [] or "1000" not in notices(server)[0], server.log


# ---- Where nothing works ---------------------------------------------------------------------------------------------


def least_limit(text):
    """In MiB, as the message has it."""
    found = re.search(r"with a limit of (\d+) MiB it would fit", " ".join(text.split()))
    assert found, text
    return int(found[1])


def test_where_nothing_fits_the_least_limit_is_named_and_enough(weir, hello, serve):
    few = prlimit_address_space(weir, 50 * MIB)
    up = few.run("up", "-f", hello, "--listen", "127.0.0.1:0")
    assert up.status == 1, up
    lines = up.stderr.splitlines()
    assert len(lines) == 2, "a thing is said once, and its remedy"
    assert "What asks for least is on demand, 1 instance" in lines[0] and "TiB" not in up.stderr, up
    assert "'weir doctor -f" in lines[1] and "50 MiB, that is for root" in lines[1], up
    least = least_limit(up.stderr)
    server = serve(prlimit_address_space(weir, least * MIB), hello)
    assert server.get("/hello").text == hello_body("/hello")
    less = prlimit_address_space(weir, (least - 4) * MIB).run("up", "-f", hello, "--listen", "127.0.0.1:0")
    assert less.status == 1 and "would fit" in less.stderr, less
    doctor = few.run("doctor")
    assert doctor.status == 1, doctor
    least = least_limit(doctor.stdout)
    again = prlimit_address_space(weir, least * MIB).run("doctor")
    assert again.status == 0, again
    less = prlimit_address_space(weir, (least - 4) * MIB).run("doctor")
    assert less.status == 1, less


def test_a_soft_limit_is_for_its_user_to_raise(weir):
    text = weir.wrapped("prlimit", f"--as={GIB}:", "--").run("doctor").stdout
    soft_only = resource.getrlimit(resource.RLIMIT_AS)[1] == resource.RLIM_INFINITY
    assert ("for root" in text) != soft_only, text


def test_where_no_process_can_be_had_the_limit_on_them_is_named_once(weir, schema):
    if os.geteuid() != 0:
        pytest.skip("another user, whose processes are few, can be had by root alone")
    limited = weir.wrapped("prlimit", "--nproc=1", "setpriv", "--reuid=65534", "--clear-groups")
    done = limited.run("doctor", environment={"XDG_CACHE_HOME": "/nonexistent"})
    assert done.status == 1, done
    tried = sections(done.stdout)["What was tried"]
    assert tried.count("fork (EAGAIN)") == 1 and re.search(r"failed \d+ more, for the same reasons", tried), done
    for name in ("RLIMIT_NPROC", "TasksMax=", "pids.max"):
        assert name in done.stdout.split("\n\n")[0], done
    assert "'TasksMax='" in sections(done.stdout)["Remedy"], done
    document = diagnosis(schema, limited, status=1, environment={"XDG_CACHE_HOME": "/nonexistent"})
    assert {result["limit_id"] for result in document["ladder"]} == {"processes"}


def test_doctor_ends_as_up_does_where_a_component_needs_more_memory_than_is_allowed(weir, hello):
    given = ("-f", hello, "--max-instance-memory", "64KiB")
    up = weir.run("up", *given, "--listen", "127.0.0.1:0")
    done = weir.run("doctor", *given)
    assert "131072" in up.stderr and done.stderr == up.stderr and done.status == up.status == 2, (done, up)
    assert done.stdout == ""


@pytest.mark.parametrize("language", [{}, CHINESE], ids=["English", "Chinese"])
@pytest.mark.parametrize("kind", ["file", "missing below a file", "open to others"])
def test_doctor_does_not_say_that_decisions_are_remembered_where_they_cannot_be(
    weir, schema, hello, serve, tmp_path, kind, language
):
    cache = tmp_path / "place"
    if kind == "open to others":
        (cache / "weir").mkdir(parents=True)
        (cache / "weir").chmod(0o777)
    else:
        cache.write_text("")
        cache = cache if kind == "file" else cache / "deeper"
    environment = {**language, "XDG_CACHE_HOME": str(cache)}
    text = "".join(weir.run("doctor", environment=environment).stdout.split())
    assert str(cache / "weir") in text, text
    assert ("不记住任何决定" if language else "remembersnothing") in text, text
    note = diagnosis(schema, weir, environment={"XDG_CACHE_HOME": str(cache)})["memory"]["note"]
    assert note
    if not language:
        server = start_and_stop(weir, hello, serve, environment=environment)
        assert note in server.log, "weir up says the same"
        document = diagnosis(schema, weir, environment={"XDG_CACHE_HOME": str(tmp_path / "other")})
        assert document["memory"]["note"] == "" and not (tmp_path / "other").exists()


def test_a_decision_that_can_be_neither_removed_nor_replaced_is_told_of_once(weir, hello, serve, tmp_path):
    if os.geteuid() != 0 or shutil.which("chattr") is None:
        pytest.skip("only root can make a directory immutable, with chattr")
    environment = {"XDG_CACHE_HOME": str(tmp_path / "kept")}
    start_and_stop(weir, hello, serve, environment=environment)
    directory = tmp_path / "kept" / "weir"
    if subprocess.run(["chattr", "+i", directory], check=False, capture_output=True).returncode != 0:
        pytest.skip("this file system has no immutable directories")
    try:
        server = start_and_stop(weir, hello, serve, "--decide-anew", environment=environment)
        assert "cannot be removed" in server.log and "the next start decides anew" not in server.log, server.log
        assert not any("chosen by trial" in line for line in start_and_stop(
            weir, hello, serve, environment=environment).stdout.lines)
        text = " ".join(weir.run("doctor", "-f", hello, environment=environment).stdout.split())
        assert "It stays, since nothing can be changed" in text and "To forget it" not in text, text
    finally:
        subprocess.run(["chattr", "-i", directory], check=True)


def test_doctor_says_how_long_it_took_over_all(weir, schema, hello):
    began = time.monotonic()
    document = diagnosis(schema, weir, "-f", hello)
    took = (time.monotonic() - began) * 1000
    assert document["milliseconds"] < document["total_milliseconds"] <= took
    assert "it took" in weir.run("doctor").stdout.split("Decided anew")[1]


def test_a_memory_that_is_none_is_refused_in_the_words_of_up(weir, hello):
    environment = {"SPIN_MAX_INSTANCE_MEMORY": "1"}
    up = weir.run("up", "-f", hello, environment=environment)
    done = weir.run("doctor", environment=environment)
    assert done.status == up.status == 2 and done.stderr == up.stderr and "MiB" in up.stderr, (done, up)


# ---- While it works --------------------------------------------------------------------------------------------------


def screens(written, width):
    """What one line of a terminal shows after each text that is written over the one before."""
    cells, at, shown = [], 0, []
    for character in written:
        if character == "\r":
            shown.append("".join(cells).rstrip())
            at = 0
        elif character == "\n":
            cells, at = [], 0
        else:
            wide = columns(character)
            cells[at : at + wide] = [character, *[""] * (wide - 1)]
            at += wide
            assert at < width, "in the last column some terminals begin another line"
    return [*shown, "".join(cells).rstrip()]


def texts_of(written):
    """Each text that is shown; with blanks after it, it is written over a longer one."""
    return [text.rstrip() for text in written.split("\r")]


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["text", "json"])
def test_a_terminal_shows_what_is_tried_and_nothing_of_it_stays(weir, hello, arguments):
    with OnTerminal(weir, "doctor", "-f", hello, *arguments, environment={"NO_COLOR": "1"}) as doctor:
        output, shown = doctor.finish(60)
    assert "\rtrying standard pool" in shown or "\rtrying compact pool" in shown, shown
    assert "timing the application's own components" in shown and "\x1b" not in shown
    assert screens(shown, WIDTH) == texts_of(shown), "something is left of a text that was longer"
    assert texts_of(shown)[-2:] == ["", ""], "what was shown is erased at the end"
    assert "trying" not in output
    if arguments:
        json.loads(output)


def first_tried(weir, width):
    """The text that is shown first of what is tried, in Chinese on a terminal of this width."""
    with OnTerminal(weir, "doctor", environment=CHINESE, columns=width) as doctor:
        _, shown = doctor.finish(60)
    texts = texts_of(shown)
    assert screens(shown, width) == texts, "something is left of a text that was longer"
    assert texts[-2:] == ["", ""], "what was shown is erased at the end"
    return texts[1]


def test_progress_is_told_in_chinese_too_and_fits_the_terminal(weir):
    whole = first_tried(weir, 200)
    assert whole.startswith("正在试验：标准池，") and columns(whole) > 30, whole
    for width in (12, 25, 26):  # some are filled to the last column but one, some have no room for half a character
        cut = whole
        while columns(cut) > width - 1:
            cut = cut[:-1]
        assert first_tried(weir, width) == cut.rstrip()


def test_no_terminal_no_progress(weir, qemu_user):
    for program in (weir, weir.wrapped(qemu_user)):
        done = program.run("doctor", seconds=120)
        assert done.status == 0 and done.stderr == "", done


@pytest.mark.parametrize("emulated", [False, True], ids=["native", "qemu-user"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_with_its_children(weir, request, number, emulated):
    program = weir.wrapped(request.getfixturevalue("qemu_user")) if emulated else weir
    with OnTerminal(program, "doctor", environment={"SPIN_ALLOCATOR": "ondemand"}) as doctor:
        doctor.wait_for("trying" if emulated else "comparing")
        doctor.check_that_it_ends_by(number)


# ---- What is remembered ----------------------------------------------------------------------------------------------


def start_and_stop(program, application, serve, *arguments, **options):
    server = serve(program, application, *arguments, **options)
    server.stop()
    return server


def start_until_remembered(program, application, serve, cache, **options):
    """Timings that contradict each other, as on a busy machine, are not remembered. Returns the file."""
    for _ in range(5):
        server = start_and_stop(program, application, serve, **options)
        assert "by trial in" in server.stdout.lines[0], server.log
        if files := list((cache / "weir").glob("allocator-*")):
            return files[0]
    raise AssertionError(f"nothing is remembered: {server.log}")


def test_what_up_remembers_is_said_and_doctor_decides_anew(weir, hello, serve, tmp_path, schema):
    start_until_remembered(weir, hello, serve, tmp_path / "cache")
    second = start_and_stop(weir, hello, serve)
    assert re.search(r"as decided before, proved again in \d+ ms\)$", second.stdout.lines[0]), second.stdout.lines[0]
    cache = tmp_path / "cache" / "weir"
    before = sorted((path.name, path.stat().st_mtime_ns) for path in cache.glob("allocator-*"))
    assert before
    document = diagnosis(schema, weir, "-f", hello)
    assert document["memory"]["directory"] == str(cache)
    assert document["choice"]["remembered"] is False
    assert sorted((path.name, path.stat().st_mtime_ns) for path in cache.glob("allocator-*")) == before
    assert str(cache) in "".join(weir.run("doctor").stdout.split())


def remembered_line(text):
    return sections(text)["What is remembered"]


def test_doctor_shows_what_up_remembers_for_an_application_and_since_when(weir, hello, serve, tmp_path, schema):
    environment = {"TZ": "UTC"}
    assert diagnosis(schema, weir, "-f", hello)["memory"]["remembered"] is None
    before = remembered_line(weir.run("doctor", hello, environment=environment).stdout)
    assert before.startswith("Nothing in ") and "the next 'weir up' decides anew" in before, before
    file = start_until_remembered(weir, hello, serve, tmp_path / "cache")
    os.utime(file, (1700000000, 1700000000))
    document = diagnosis(schema, weir, "-f", hello)
    found = document["memory"]["remembered"]
    assert found["since"] == "2023-11-14T22:13:20Z"
    keys = ("tier", "slots", "slot_bytes", "pulley", "memory_keep_resident_bytes", "decommit_batch", "huge_pages_off")
    assert found["same"] == all(found[key] == document["choice"][key] for key in keys), document
    shown = remembered_line(weir.run("doctor", hello, environment=environment).stdout)
    assert shown.startswith("For this application 'weir up' remembers since 2023-11-14 22:13: "), shown
    assert "That is" in shown and "'weir up --decide-anew'" in shown, shown
    for other in (["--max-concurrency", "3", hello], [hello]):  # another application, in effect, and another environment
        limits = prlimit_address_space(weir, GIB) if other == [hello] else weir
        assert diagnosis(schema, limits, *other)["memory"]["remembered"] is None


def test_another_decision_that_is_remembered_is_told_apart(weir, hello, serve, schema, tmp_path):
    forced = {"SPIN_ALLOCATOR": "ondemand"}
    start_until_remembered(weir, hello, serve, tmp_path / "cache", environment=forced)
    assert diagnosis(schema, weir, hello, environment=forced)["memory"]["remembered"]["tier"] == "ondemand"
    shown = remembered_line(weir.run("doctor", hello, environment=forced).stdout)
    assert re.search(r"remembers since \S+ \S+: on demand, \d+ instances", shown), shown
    assert diagnosis(schema, weir, hello)["memory"]["remembered"] is None, "nothing was decided without that"


def test_up_decides_anew_when_that_is_asked_and_remembers_it(weir, hello, serve, tmp_path):
    file = start_until_remembered(weir, hello, serve, tmp_path / "cache")
    os.utime(file, (1700000000, 1700000000))
    again = start_and_stop(weir, hello, serve)
    assert "as decided before" in again.stdout.lines[0] and file.stat().st_mtime == 1700000000, again.log
    arguments = ["--decide-anew"]
    server = serve(weir, hello, *arguments)
    server.stop()
    assert "by trial in" in server.stdout.lines[0] and "as decided before" not in server.stdout.lines[0], server.log
    assert any(line.startswith("weir: decided anew, as --decide-anew asks") for line in server.stderr.lines), server.log
    assert not file.exists() or file.stat().st_mtime > 1700000000, "what was remembered is forgotten"


def test_a_decision_that_cannot_be_kept_is_said_with_the_reason(weir, hello, serve, tmp_path):
    (tmp_path / "file").write_text("")
    server = start_and_stop(weir, hello, serve, environment={"XDG_CACHE_HOME": str(tmp_path / "file")})
    lines = [line for line in server.stderr.lines if "decides anew" in line]
    assert len(lines) == 1 and str(tmp_path / "file" / "weir") in lines[0], server.log
    assert "cannot be opened or made" in lines[0]


# ---- Languages -------------------------------------------------------------------------------------------------------


def test_chinese_follows_lang_where_no_locale_is_installed(weir):
    limited = prlimit_address_space(weir, GIB)
    done = limited.run("doctor", environment={**CHINESE, "LOCPATH": "/nonexistent"})
    assert done.status == 0, done
    assert done.stdout.startswith("自动缩减池化分配器：紧凑池"), done
    assert_readable(done.stdout)
    for heading in ("本机情况", "试验过的方案", "选定的方案", "代价", "改善办法"):
        assert f"\n{heading}\n" in done.stdout, done
    assert "'ulimit -v unlimited'" in done.stdout
    # Nothing is left in English but names, commands, units and paths.
    text = re.sub(r"\S*/\S*", "", done.stdout)
    assert not re.search(r"\b(the|is|and|of|was|slots?|instances?)\b", text), done


@pytest.mark.parametrize("language", ["C", "zh_CN.UTF-8"])
def test_all_of_the_text_is_laid_out_within_bounds(weir_checked, hello, language):
    for arguments in ([], ["--verbose"], ["-f", hello]):
        done = weir_checked.run("doctor", *arguments, environment={"LANG": language})
        assert done.status == 0, done
        assert_readable(done.stdout)


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "zh_CN.UTF-8"},
        {"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.utf8"},
        {"LC_ALL": "C.UTF-8", "LANGUAGE": "zh_CN:en"},
    ],
    ids=lambda value: " ".join(f"{name}={word}" for name, word in value.items()),
)
def test_other_ways_to_ask_for_chinese(weir, environment):
    assert "本机情况" in weir.run("doctor", environment=environment).stdout


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LANG": "C"},
        {"LANG": "de_DE.UTF-8"},
        {**CHINESE, "LC_ALL": "C"},
        {"LANG": "zh_CN.GB18030"},
    ],
    ids=lambda value: " ".join(f"{name}={word}" for name, word in value.items()) or "none",
)
def test_english_otherwise(weir, environment):
    text = weir.run("doctor", environment=environment).stdout
    assert "What was found" in text and text.isascii(), text


def test_a_locale_whose_charset_is_another_gets_english(weir, tmp_path):
    """zh_CN alone is GB2312 where glibc's is installed, and unknown, so taken for UTF-8, where it is not."""
    if shutil.which("localedef") is None or not Path("/usr/share/i18n/locales/zh_CN").exists():
        pytest.skip("localedef with the sources of locales (Debian: locales) makes the locale")
    made = subprocess.run(
        ["localedef", "-i", "zh_CN", "-f", "GB2312", tmp_path / "zh_CN"], capture_output=True, text=True, check=False
    )
    assert (tmp_path / "zh_CN" / "LC_CTYPE").exists(), made
    for places, chinese in ((tmp_path, False), ("/nonexistent", True)):
        text = weir.run("doctor", environment={"LANG": "zh_CN", "LOCPATH": str(places)}).stdout
        assert text.isascii() != chinese, text


def test_values_and_sources_of_facts_are_in_chinese_too(weir):
    text = weir.run("doctor", "--verbose", environment=CHINESE).stdout
    assert not re.search(r"\b(none|bytes|in a child|hard)\b", text), text


def notices(server):
    return [line for line in server.stderr.lines if line.startswith("weir: warning: ")]


def test_up_warns_in_three_lines_at_most(weir, hello, serve):
    server = start_and_stop(prlimit_address_space(weir, 400 * MIB), hello, serve)
    lines = notices(server)
    assert len(lines) <= 3, server.log
    assert "reduced automatically" in lines[0] and "RLIMIT_AS (400 MiB)" in lines[0]
    assert "normal" in lines[1] and " us" in lines[1]
    assert "ulimit -v unlimited" in lines[2] and f"'weir doctor -f {hello}/spin.toml' says more" in lines[2]
    assert "--max-concurrency" in lines[2], "its slots are small"


def test_up_says_it_in_chinese(weir, hello, serve):
    server = start_and_stop(prlimit_address_space(weir, 400 * MIB), hello, serve, environment=CHINESE)
    assert server.stdout.lines[0].startswith("分配器：紧凑池"), server.log
    assert any(line.startswith("Serving http://") for line in server.stdout.lines), "that line is for programs"
    lines = notices(server)
    assert len(lines) <= 3, server.log
    assert "自动缩减池化分配器" in lines[0] and "RLIMIT_AS（400 MiB）" in lines[0], server.log
    assert "改善办法" in lines[2] and "ulimit -v unlimited" in lines[2], server.log


@pytest.mark.parametrize(
    ("language", "reason", "comparison"),
    [
        ({}, "executable memory is refused here", "native code cannot be measured"),
        (CHINESE, "此处拒绝可执行内存", "无法测量原生代码"),
    ],
    ids=["English", "Chinese"],
)
def test_doctor_says_first_why_code_is_interpreted(weir, deny_exec, language, reason, comparison):
    done = weir.wrapped(deny_exec).run("doctor", environment=language)
    first, rest = done.stdout.split("\n\n", 1)
    assert "".join(reason.split()) in "".join(first.split()), first
    assert "".join(comparison.split()) in "".join(rest.split()), rest


def test_a_pool_that_is_disabled_is_called_so_in_both_languages(weir, hello, serve, deny_exec):
    """Where code cannot be made executable there is no pool for what interprets it."""
    limited = prlimit_address_space(weir, 400 * MIB)
    words = {"": ("disabled automatically", "reduced automatically"), "zh_CN.UTF-8": ("自动禁用池化分配器", "自动缩减池化分配器")}
    for language, (disabled, reduced) in words.items():
        server = start_and_stop(limited.wrapped(deny_exec), hello, serve, environment={"LANG": language})
        tier = re.search(r"on demand|按需分配", server.stdout.lines[0])
        assert (disabled if tier else reduced) in notices(server)[0], server.log


def test_an_error_is_in_the_language_too(weir, hello):
    limited = prlimit_address_space(weir, GIB)
    done = limited.run(
        "up", hello, "--listen", "127.0.0.1:0", environment={**CHINESE, "SPIN_ALLOCATOR": "pooling"}, seconds=30
    )
    assert done.status == 1, done
    assert "SPIN_ALLOCATOR=pooling 在本机不可用" in done.stderr and "地址空间" in done.stderr, done


def few_files(count):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))

    return limit


@pytest.mark.parametrize("language", [CHINESE, {"LC_ALL": "C.UTF-8", "LANGUAGE": "zh_CN:en"}], ids=["LANG", "LANGUAGE"])
@pytest.mark.parametrize(
    ("environment", "prepare", "words"),
    [
        ({}, few_files(20), "打开文件数的限制是 20，"),
        ({"SPIN_MAX_INSTANCE_MEMORY": "5x"}, None, "SPIN_MAX_INSTANCE_MEMORY 的值是 '5x'；请给出字节数"),
        ({"SPIN_MAX_INSTANCE_MEMORY": "65536"}, None, "而 --max-instance-memory 只允许 65536 字节"),
        ({"SPIN_MAX_INSTANCE_COUNT": "0"}, None, "SPIN_MAX_INSTANCE_COUNT 的值是 '0'；请给出 1 到"),
    ],
    ids=["open files", "memory that is none", "too little memory", "count"],
)
def test_what_ends_a_start_is_told_in_chinese(weir, hello, language, environment, prepare, words):
    done = subprocess.run(
        weir.command("up", hello, "--listen", "127.0.0.1:0"),
        capture_output=True,
        text=True,
        env=weir.full_environment({**language, **environment}),
        preexec_fn=prepare,
        timeout=30,
        check=False,
    )
    assert done.returncode in (1, 2) and done.stdout == "", done
    assert done.stderr.startswith("weir: error: ") and done.stderr.count("\n") == 1 and words in done.stderr, done


def test_what_has_no_effect_and_what_is_not_kept_is_told_in_chinese(weir, hello, serve, tmp_path):
    (tmp_path / "file").write_text("")
    server = start_and_stop(
        weir,
        hello,
        serve,
        environment={**CHINESE, "SPIN_WASMTIME_TOTAL_MEMORIES": "9", "XDG_CACHE_HOME": str(tmp_path / "file")},
    )
    told = "\n".join(server.stderr.lines)
    assert "weir: warning: SPIN_WASMTIME_TOTAL_MEMORIES：在这里不起作用" in told, told
    assert "编译后的代码不会保存：缓存目录无法使用：" in told and "下次启动将重新决定" in told, told
