"""weir bench allocator: the choice against a fixed grid, for people and as JSON; its options, limits and ends."""
# ctest: serial timeout=900

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from conftest import prlimit_address_space
from terminal import OnTerminal

GIB = 1 << 30
MIB = 1 << 20
TWO_MINUTES = 120
CELLS = 1 + 4 * 3 * 3 + 4


def bench(program, *arguments, status=0, **options):
    done = program.run("bench", "allocator", "--json", *arguments, **{"seconds": TWO_MINUTES, **options})
    assert done.status == status, done
    return json.loads(done.stdout), done  # fails when anything else stands on standard output


def check(report):
    """What holds for every report of a choice that was timed."""
    assert report["version"] == 1
    cells = report["cells"]
    assert len(cells) == CELLS
    assert [cell["chosen"] for cell in cells] == [True] + [False] * (CELLS - 1)
    timed = [cell for cell in cells if "dropped" not in cell]
    for cell in cells:
        assert cell["kind"] == ("ondemand" if cell["tier"] == "ondemand" else "pool"), cell
        assert cell.get("dropped", "timed"), "dropped without a reason"
    for cell in timed:
        assert cell["microseconds"] > 0 and cell["rounds"] >= 1 and cell["spread"] >= 0, cell
        assert len(cell["samples"]) == cell["rounds"]
        assert min(cell["samples"]) <= cell["microseconds"] * 1.0001 <= max(cell["samples"]) * 1.001, cell
    choice = report["choice"]
    for key in ("slots", "slot_bytes", "memory_keep_resident_bytes", "microseconds"):
        assert choice[key] == cells[0][key]
    best = min(cell["microseconds"] for cell in timed)
    assert cells[report["best"]]["microseconds"] == best
    assert report["regret"] == pytest.approx(choice["microseconds"] / best - 1, abs=1e-4)
    assert report["regret"] >= 0
    pair = [cells[0], cells[report["best"]]]
    spread = max(cell["spread"] for cell in pair)
    assert report["regret_spread"] == pytest.approx(spread, abs=1e-4)
    least = min(cell["rounds"] for cell in pair)
    assert report["firm"] == (least > 1 and (spread <= 0.1 or spread < report["regret"])), report
    return cells


def test_the_grid_is_the_one_that_is_promised_and_needs_no_application(weir_checked, tmp_path):
    remembered = tmp_path / "cache"
    report, done = bench(
        weir_checked, "--rounds", "1", directory=tmp_path, environment={"XDG_CACHE_HOME": str(remembered)}
    )
    cells = check(report)
    assert done.stderr == "", done
    wanted = report["needs"]["concurrency"]
    least = report["needs"]["minimum_memory_bytes"]
    needed = max(8, 2 * report["facts"]["processors"])
    grid = {(cell["slot_bytes"], cell["slots"]) for cell in cells[1:] if cell["kind"] == "pool"}
    counts = [wanted, max(wanted // 4, needed), needed]
    assert grid == {(size, count) for size in (4 * GIB, 64 * MIB, 16 * MIB, least) for count in counts}
    kept = {cell["memory_keep_resident_bytes"] for cell in cells[1:] if cell["slot_bytes"] == 16 * MIB}
    assert {0, 2 * MIB} < kept and len(kept) == 3
    assert [cell["slot_bytes"] for cell in cells if cell["kind"] == "ondemand"][-4:] == [4 * GIB, 256 * MIB, 16 * MIB, 0]
    assert not remembered.exists(), "the choice was to be made anew, and not to be remembered"


def test_every_key_is_documented(weir):
    report, _ = bench(prlimit_address_space(weir, 400 * MIB), "--rounds", "1")
    text = (Path(__file__).resolve().parents[2] / "docs" / "bench-allocator.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([a-z_]+)`", text))
    for found in (report, report["choice"], *report["cells"]):
        assert set(found) - documented == set()


@pytest.mark.parametrize("size", [64 * GIB, GIB, 400 * MIB], ids=lambda size: f"{size // MIB} MiB")
def test_what_a_limit_leaves_no_room_for_is_dropped_and_names_the_limit(weir, size):
    report, _ = bench(prlimit_address_space(weir, size), "--rounds", "1")
    cells = check(report)
    large = [cell for cell in cells if cell["slot_bytes"] == 4 * GIB and cell["slots"] > 100 and cell["kind"] == "pool"]
    assert large and all("RLIMIT_AS" in cell["dropped"] for cell in large), large
    assert any("dropped" not in cell for cell in cells[1:]), "nothing but the choice was timed"
    assert report["facts"]["address_space_limit"] == size


def test_under_qemu_user_it_is_done_in_two_minutes(weir, qemu_user):
    began = time.monotonic()
    report, _ = bench(weir.wrapped(qemu_user))
    took = time.monotonic() - began
    assert took < TWO_MINUTES and report["seconds"] < took
    cells = check(report)
    assert report["facts"]["emulated"] == 1, "the process that chose had left the emulator"
    assert sum("dropped" not in cell for cell in cells) > 20
    assert any("emulator" in cell.get("dropped", "") for cell in cells)


def test_a_strategy_binds_the_choice_and_regret_tells_its_price(weir):
    report, _ = bench(weir, "--rounds=2", environment={"SPIN_ALLOCATOR": "ondemand"})
    cells = check(report)
    assert report["strategy"] == "ondemand" and report["choice"]["tier"] == "ondemand"
    assert any(cell["kind"] == "pool" and "dropped" not in cell for cell in cells)
    assert report["regret"] > 0.5, "a pool is several times cheaper"


def test_when_nothing_works_it_says_so_and_fails(weir):
    limited = prlimit_address_space(weir, GIB)
    report, done = bench(limited, status=1, environment={"SPIN_ALLOCATOR": "pooling"})
    assert report["regret"] is None and report["regret_spread"] is None and report["firm"] is None
    assert report["choice"] is None and report["cells"] == []
    assert "ulimit -v" in report["notice"] and "ulimit -v" in done.stderr, done
    for_people = limited.run("bench", "allocator", environment={"SPIN_ALLOCATOR": "pooling"})
    assert for_people.status == 1 and for_people.stdout == "" and "ulimit -v" in for_people.stderr, for_people


def test_for_a_person_there_is_a_table_with_the_choice_marked_and_the_regret(weir):
    done = prlimit_address_space(weir, 8 * GIB).run("bench", "allocator", "--rounds", "1", seconds=TWO_MINUTES)
    assert done.status == 0 and done.stderr == "", done
    lines = done.stdout.splitlines()
    assert sum(line.startswith("  -> pool") for line in lines) == 1, done
    assert any(re.match(r" +pool +\d+ +16 MiB +128 KiB +\d+\.\d +\d+\.\d\d +\d+ % +\d+", line) for line in lines), done
    costs = [float(found[1]) for line in lines if (found := re.match(r".{41} +(\d+\.\d) +\d+\.\d\d +\d+ %", line))]
    assert len(costs) > 10 and costs == sorted(costs), done
    assert any("RLIMIT_AS (8 GiB)" in line for line in lines), done
    regret = re.match(r"Regret: (\d+\.\d) % \(spread (\d+) %(.*?)\): the choice costs", lines[-1])
    assert regret, done
    if float(regret[2]) < 9 or float(regret[2]) > max(11, float(regret[1]) + 1):
        noisy = "; not to be trusted, noisy machine: repeat"
        assert regret[3] == (noisy if float(regret[2]) > 11 else ""), done
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["bench"], "bench allocator"),
        (["bench", "memory"], "memory"),
        (["bench", "allocator", "allocator"], "allocator"),
        (["bench", "allocator", "--fast"], "--fast"),
        (["bench", "allocator", "--rounds"], "1 to 50"),
        (["bench", "allocator", "--rounds", "0"], "'0'"),
        (["bench", "allocator", "--rounds=51"], "'51'"),
        (["bench", "allocator", "--rounds", "5x"], "'5x'"),
        (["bench", "allocator", "--rounds", "99999999999999999999"], "1 to 50"),
        (["bench", "allocator", "--rounds", ""], "1 to 50"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(weir_checked, arguments, word):
    done = weir_checked.run(*arguments, seconds=15)
    assert done.status == 2 and done.stdout == "" and done.stderr.count("\n") == 1, done
    assert word in done.stderr, done


def test_a_wrong_environment_is_one_line_and_status_2(weir):
    done = weir.run("bench", "allocator", environment={"SPIN_ALLOCATOR": "pool"}, seconds=15)
    assert done.status == 2 and done.stderr.count("\n") == 1 and "SPIN_ALLOCATOR" in done.stderr, done


@pytest.mark.parametrize("arguments", [["bench", "--help"], ["bench", "allocator", "-h"]])
def test_help_tells_options_and_statuses(weir_checked, arguments):
    done = weir_checked.run(*arguments, seconds=15)
    assert done.status == 0 and done.stderr == "", done
    for word in ("--json", "--rounds", "Regret", "Exit status"):
        assert word in done.stdout, done


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("phase", ["choosing", "round 1"])
def test_a_signal_ends_it_at_once_with_its_children(weir, number, phase):
    with OnTerminal(weir, "bench", "allocator", "--json") as bench_there:
        bench_there.wait_for(phase)
        bench_there.check_that_it_ends_by(number)


def test_its_output_goes_to_a_full_disk_with_an_error(weir):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            prlimit_address_space(weir, 400 * MIB).command("bench", "allocator", "--rounds", "1", "--json"),
            stdout=full,
            stderr=subprocess.PIPE,
            env=weir.full_environment(),
            timeout=TWO_MINUTES,
            check=False,
        )
    assert done.returncode == 1, done
    assert b"No space left" in done.stderr, done
