"""SPIN_ALLOCATOR and Spin's own switches, and weir doctor."""

import json
import re
import subprocess

import pytest

from conftest import prlimit_address_space

GIB = 1 << 30
MIB = 1 << 20

TIERS = {"standard": r"\bstandard\b", "compact": r"\bcompact\b", "ondemand": r"\bon[- ]?demand\b"}


def tier_of(server):
    """The tier that the first line names."""
    line = server.stdout.lines[0]
    places = {name: found.start() for name, word in TIERS.items() if (found := re.search(word, line))}
    assert places, f"no tier in {line!r}"
    return min(places, key=places.get)


@pytest.mark.parametrize(
    ("word", "tiers"),
    [
        ("auto", {"standard", "compact", "ondemand"}),
        ("pooling", {"standard"}),
        ("compact", {"compact"}),
        ("ondemand", {"ondemand"}),
        ("", {"standard", "compact", "ondemand"}),  # as a file of containers says that there is none
    ],
)
def test_spin_allocator_forces_a_strategy(weir_checked, hello, serve, word, tiers):
    server = serve(weir_checked, hello, environment={"SPIN_ALLOCATOR": word})
    assert tier_of(server) in tiers, server.log
    for target in ("/hello", "/cgi/x?y=1"):
        assert server.get(target).status == 200
    server.stop()
    assert "automatically" not in server.stderr.text or word in ("", "auto"), "what was asked for is no fallback"


@pytest.mark.parametrize("word", ["pool", "POOLING", "on-demand", "standard", "auto ", "1"])
def test_any_other_value_ends_start_up_with_2_and_names_the_four(weir_checked, hello, word):
    for command in (["up", hello, "--listen", "127.0.0.1:0"], ["doctor"], ["doctor", "--json"]):
        done = weir_checked.run(*command, environment={"SPIN_ALLOCATOR": word}, seconds=15)
        assert done.status == 2, done
        assert done.stderr.count("\n") == 1, done
        for name in ("SPIN_ALLOCATOR", "auto", "pooling", "compact", "ondemand"):
            assert name in done.stderr, done
        if word.strip():
            assert word.strip() in done.stderr
        assert done.stdout == ""


@pytest.mark.parametrize("size", [GIB, 400 * MIB], ids=["1 GiB", "400 MiB"])
def test_a_forced_strategy_that_cannot_be_had_is_an_error_that_says_why(weir, hello, size):
    limited = prlimit_address_space(weir, size)
    done = limited.run("up", hello, "--listen", "127.0.0.1:0", environment={"SPIN_ALLOCATOR": "pooling"}, seconds=30)
    assert done.status not in (0, None) and done.status in (1, 2), done
    assert "Serving" not in done.stdout, "it was silently replaced"
    assert re.search(r"RLIMIT_AS|address.space", done.stderr), done
    assert "SPIN_ALLOCATOR" in done.stderr, done
    assert "ulimit -v" in done.stderr, done


def test_spins_switch_takes_either_pool_where_only_the_compact_one_fits(weir):
    value = diagnosis(prlimit_address_space(weir, GIB), environment={"SPIN_WASMTIME_POOLING": "1"})
    assert value["choice"]["tier"] == "compact"


@pytest.mark.parametrize(
    ("arguments", "environment", "tiers"),
    [
        (["--disable-pooling"], {}, {"ondemand"}),
        ([], {"SPIN_WASMTIME_POOLING": "0"}, {"ondemand"}),
        ([], {"SPIN_WASMTIME_POOLING": "1"}, {"standard", "compact"}),
        (["--disable-pooling"], {"SPIN_WASMTIME_POOLING": "0"}, {"ondemand"}),
        (["--disable-pooling"], {"SPIN_ALLOCATOR": "ondemand"}, {"ondemand"}),
        ([], {"SPIN_ALLOCATOR": "pooling", "SPIN_WASMTIME_POOLING": "1"}, {"standard"}),
        ([], {"SPIN_ALLOCATOR": "compact", "SPIN_WASMTIME_POOLING": "1"}, {"compact"}),
    ],
)
def test_spins_own_switches_are_honoured(weir, hello, serve, arguments, environment, tiers):
    server = serve(weir, hello, *arguments, environment=environment)
    assert tier_of(server) in tiers, server.log
    assert server.get("/hello").status == 200
    server.stop()
    assert not re.search(r"contradict|ignored|wins", server.stderr.text), server.log


@pytest.mark.parametrize(
    ("arguments", "environment", "tier", "words"),
    [
        (
            [],
            {"SPIN_ALLOCATOR": "compact", "SPIN_WASMTIME_POOLING": "0"},
            "compact",
            ["SPIN_ALLOCATOR", "SPIN_WASMTIME_POOLING"],
        ),
        (
            [],
            {"SPIN_ALLOCATOR": "ondemand", "SPIN_WASMTIME_POOLING": "1"},
            "ondemand",
            ["SPIN_ALLOCATOR", "SPIN_WASMTIME_POOLING"],
        ),
        (["--disable-pooling"], {"SPIN_ALLOCATOR": "compact"}, "compact", ["SPIN_ALLOCATOR", "--disable-pooling"]),
        (["--disable-pooling"], {"SPIN_ALLOCATOR": "pooling"}, "standard", ["SPIN_ALLOCATOR", "--disable-pooling"]),
        (["--disable-pooling"], {"SPIN_WASMTIME_POOLING": "1"}, None, ["SPIN_WASMTIME_POOLING", "--disable-pooling"]),
    ],
)
def test_switches_that_contradict_each_other_are_warned_about(weir, hello, serve, arguments, environment, tier, words):
    server = serve(weir, hello, *arguments, environment=environment)
    if tier is not None:
        assert tier_of(server) == tier, server.log
    assert server.get("/hello").status == 200
    server.stop()
    warnings = [line for line in server.stderr.lines if line.startswith("weir: warning: ")]
    assert any(all(word in line for word in words) for line in warnings), server.log


@pytest.mark.parametrize("value", ["", "2", "yes", "true"])
def test_a_bad_value_of_spins_switch_ends_start_up_with_2(weir, hello, value):
    done = weir.run("up", hello, "--listen", "127.0.0.1:0", environment={"SPIN_WASMTIME_POOLING": value}, seconds=15)
    assert done.status == 2, done
    assert "SPIN_WASMTIME_POOLING" in done.stderr and done.stderr.count("\n") == 1, done


# ---- doctor ----------------------------------------------------------------------------------------------------------

TIER_NAMES = {"standard", "compact", "ondemand"}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def diagnosis(program, **options):
    done = program.run("doctor", "--json", **options)
    assert done.status == 0, done
    value = json.loads(done.stdout)  # fails when anything else stands on standard output
    assert {"facts", "ladder", "choice", "advice"} <= set(value), done
    assert isinstance(value["facts"], dict) and value["facts"]
    assert isinstance(value["ladder"], list) and value["ladder"]
    for rung in value["ladder"]:
        assert rung["tier"] in TIER_NAMES, rung
        assert is_number(rung["slots"]) and rung["slots"] >= 1, rung
        assert is_number(rung["slot_bytes"]) and rung["slot_bytes"] >= 0, rung
        assert rung["verdict"], rung
    choice = value["choice"]
    assert choice["tier"] in TIER_NAMES
    assert is_number(choice["slots"]) and choice["slots"] >= 1
    assert is_number(choice["slot_bytes"])
    assert isinstance(choice["reason"], str) and choice["reason"]
    assert isinstance(value["advice"], str)
    assert any(
        (rung["tier"], rung["slots"], rung["slot_bytes"]) == (choice["tier"], choice["slots"], choice["slot_bytes"])
        for rung in value["ladder"]
    ), "the choice is no rung of the ladder"
    return value


def test_doctor_json_is_json_alone_with_its_keys(weir_checked, tmp_path):
    value = diagnosis(weir_checked, directory=tmp_path)  # an empty directory: no application is needed
    assert value["facts"]


def test_doctor_json_reports_the_machine_truly(weir):
    facts = diagnosis(weir)["facts"]
    text = json.dumps(facts)
    with open("/proc/meminfo", encoding="ascii") as file:
        total = int(re.search(r"^MemTotal:\s+(\d+) kB", file.read(), re.M).group(1)) * 1024
    assert str(total) in text, text
    with open("/proc/sys/vm/max_map_count", encoding="ascii") as file:
        assert file.read().strip() in text


@pytest.mark.parametrize("size", [64 * GIB, 8 * GIB, GIB, 400 * MIB], ids=lambda size: f"{size // MIB} MiB")
def test_doctor_under_an_address_space_limit_says_what_was_refused_and_what_helps(weir, size):
    value = diagnosis(prlimit_address_space(weir, size))
    assert str(size) in json.dumps(value["facts"]), value["facts"]
    assert "ulimit -v" in value["advice"], value["advice"]
    assert "automatically" in json.dumps(value) or value["choice"]["reason"]


@pytest.mark.parametrize("word", ["auto", "pooling", "compact", "ondemand"])
def test_doctor_shows_the_choice_that_up_would_make(weir, word):
    value = diagnosis(weir, environment={"SPIN_ALLOCATOR": word})
    wanted = {"auto": TIER_NAMES, "pooling": {"standard"}, "compact": {"compact"}, "ondemand": {"ondemand"}}[word]
    assert value["choice"]["tier"] in wanted


def test_doctor_for_a_person_shows_facts_ladder_choice_and_advice(weir_checked, tmp_path):
    done = weir_checked.run("doctor", directory=tmp_path)
    assert done.status == 0, done
    for word in ("memory", "standard|compact|on-?demand", "slots", "RLIMIT_AS|address space"):
        assert re.search(word, done.stdout, re.I), f"{word}\n{done}"
    assert "\x1b" not in done.stdout, "colours, and not on a terminal"


def test_doctor_for_a_person_gives_advice_under_a_limit(weir):
    done = prlimit_address_space(weir, GIB).run("doctor")
    assert done.status == 0, done
    assert "ulimit -v" in done.stdout, done


def test_doctor_says_so_when_nothing_can_be_had(weir):
    done = prlimit_address_space(weir, GIB).run("doctor", "--json", environment={"SPIN_ALLOCATOR": "pooling"})
    value = json.loads(done.stdout)
    assert done.status == 1, done
    assert value["choice"] is None or value["choice"].get("tier") is None, value["choice"]
    assert "ulimit -v" in value["advice"], value


def test_doctor_under_qemu_user_knows_where_it_is(weir, qemu_user):
    value = diagnosis(weir.wrapped(qemu_user), seconds=60)
    assert re.search(r"emulat|qemu", json.dumps(value["facts"])), value["facts"]


def test_doctors_output_goes_to_a_full_disk_with_an_error(weir):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            weir.command("doctor", "--json"),
            stdout=full,
            stderr=subprocess.PIPE,
            env=weir.full_environment(),
            timeout=60,
            check=False,
        )
    assert done.returncode == 1, done
    assert b"No space left" in done.stderr, done
