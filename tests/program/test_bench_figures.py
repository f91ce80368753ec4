"""The pure parts of the bench: medians, ratios within rounds, what generators print, targets, and how it all is written."""

import itertools
import os
import re
import sys
import tomllib
import xml.etree.ElementTree as XML
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench import inside, load, measures, options, peers, plots, ratios, report, results, targets
from bench.exchange import sum_metrics
from bench.processes import Failed
from bench.rounds import Rounds, plan


def samples(measure, *values):
    return [None if value is None else {measure: value} for value in values]


# ---- Ratios ----------------------------------------------------------------------------------------------------------


def test_a_summary_has_the_median_and_the_ends_and_not_the_best():
    assert ratios.summary([5.0, 1.0, 3.0]) == (3.0, 1.0, 5.0, 3)
    assert ratios.summary([4.0, 1.0]) == (2.5, 1.0, 4.0, 2)
    assert ratios.summary([None, None]) is None


def test_a_ratio_is_taken_within_each_round():
    # A round in which the machine is half as fast moves neither ratio.
    fast, slow = samples("rate", 100.0, 50.0, 104.0), samples("rate", 50.0, 25.0, 26.0)
    assert ratios.ratio(fast, slow, "rate") == (2.0, 2.0, 4.0, 3)


def test_a_round_without_either_does_not_count():
    assert ratios.ratio(samples("rate", 10.0, None, 30.0), samples("rate", 5.0, 1.0, None), "rate") == (2.0, 2.0, 2.0, 1)
    assert ratios.ratio(samples("rate", 1.0), samples("rate", 0.0), "rate") is None
    assert ratios.ratio(samples("rate", 1.0), samples("p99", 1.0), "rate") is None


def test_every_contestant_has_every_place_and_no_constant_neighbour():
    names = ["a", "b", "c", "d"]
    orders = [ratios.rotation(names, number) for number in range(8)]
    assert all(sorted(order) == names for order in orders)
    assert all({order[place] for order in orders} == set(names) for place in range(4))
    before = {name: {order[i - 1] for order in orders for i in range(1, 4) if order[i] == name} for name in names}
    assert all(len(found) > 1 for found in before.values()), before
    assert ratios.rotation([], 3) == []


# ---- What is read ----------------------------------------------------------------------------------------------------

WRK = """Running 1s test @ http://127.0.0.1:1/
  2 threads and 32 connections
  Non-2xx or 3xx responses: 250
{"seconds": 2.000000, "requests": 1000, "bytes": 5, "p50": 0.001000, "p99": 0.002000, "p999": 0.003000, "most": 0.004000, \
"connect_errors": 1, "read_errors": 2, "write_errors": 0, "status_errors": 250, "timeouts": 4}
"""


def test_answers_with_an_error_are_in_no_rate():
    figures = load.parse_wrk(WRK)
    assert load.rate_of(figures) == 375.0
    assert load.errors_of(figures) == 257


def test_a_generator_that_tells_nothing_has_failed():
    for parse in (load.parse_wrk, load.parse_open_load):
        with pytest.raises(Failed):
            parse("")
    with pytest.raises(Failed):
        load.parse_open_load("1 2 3\n")


def test_latencies_of_the_open_loop_are_seconds_by_kind():
    assert load.parse_open_load("90 100 2000 30000 40000\n10 5 6 7 8\n") == [
        (90, 1e-4, 2e-3, 3e-2, 4e-2),
        (10, 5e-6, 6e-6, 7e-6, 8e-6),
    ]


def test_metrics_are_summed_over_their_labels_and_by_their_whole_name():
    text = '# TYPE a counter\na{x="1 } "} 2\na{x="2"} 3\na_total 7\nb 1e3\n'
    assert sum_metrics(text, ("a", "b", "c")) == {"a": 5.0, "b": 1000.0}


def test_wasmtime_is_told_to_keep_what_weir_keeps():
    rung = {"tier": "standard", "keep_resident_bytes": 2097152, "table_keep_resident_bytes": 5, "decommit_batch": 0}
    rung |= {"stack_keep_resident_bytes": 0, "warm_slots": 100, "pagemap_scan": True}
    assert peers.keep_settings(rung) == [
        "pooling-allocator=y",
        "pooling-memory-keep-resident=2097152",
        "pooling-table-keep-resident=5",
        "pooling-async-stack-keep-resident=0",
        "pooling-max-unused-warm-slots=100",
        "pooling-decommit-batch-size=1",
        "pooling-pagemap-scan=y",
    ]
    assert peers.keep_settings(None) == peers.keep_settings({"tier": "ondemand"}) == []


INSIDE = """12 (weir) S 1 1 1 0 -1 4194560 900 0 0 0 10 20 0 0 20 0 5 0 99 4295000000 1000 1844674407 1 1 0
12 (weir) S 1 1 1 0 -1 4194560 900 0 0 0 100 50 0 0 20 0 5 0 99 4295000000 1500 1844674407 1 1 0
""" + WRK + """12 (weir) S 1 1 1 0 -1 4194560 900 0 0 0 300 225 0 0 20 0 5 0 99 4295000000 2000 1844674407 1 1 0
"""


def test_what_a_virtual_machine_tells_is_read_as_natively():
    found = inside.parse(INSIDE)
    assert (found["rate"], found["errors"], found["p99"]) == (375.0, 257, 0.002)
    assert found["cpu"] == pytest.approx(3.75 / os.sysconf("SC_CLK_TCK") * 100 / 750)
    assert (found["idle_bytes"], found["loaded_bytes"]) == (1000 * 4096, 2000 * 4096)
    with pytest.raises(Failed):
        inside.parse(WRK)


# ---- Targets ---------------------------------------------------------------------------------------------------------


def target(**more):
    return targets.Target("t", "hello/native", "rate", **more)


def judged(wanted, weir, other=None, reasons=None):
    return targets.judge(wanted, {"hello/native": ({"weir": weir, "wasmtime": other or []}, reasons or {})})


def test_the_median_of_the_ratios_reaches_a_target():
    weir = samples("rate", 390.0, 400.0, 900.0)
    other = samples("rate", 100.0, 100.0, 100.0)
    assert judged(target(against="wasmtime", at_least=4.0), weir, other).reached is True
    assert judged(target(against="wasmtime", at_least=4.1), weir, other).reached is False
    assert judged(target(against="wasmtime", at_most=4.0), weir, other).reached is True
    assert judged(target(against="wasmtime", at_most=3.9), weir, other).reached is False


def test_the_worst_round_counts_where_every_round_must():
    weir = samples("rate", 0.0, 0.0, 5.0)
    assert judged(target(at_most=0), weir).reached is True
    assert judged(target(at_most=0, every_round=True), weir).reached is False
    assert judged(target(at_least=0, every_round=True), weir).reached is True


def test_what_was_not_measured_is_neither_reached_nor_missed():
    assert targets.judge(target(at_least=1.0), {}).reached is None
    verdict = judged(target(against="wasmtime", at_least=1.0), samples("rate", 2.0), [], {"wasmtime": "not built"})
    assert verdict.reached is None
    assert "not built" in verdict.why
    assert judged(target(at_least=1.0), [None, None]).reached is None


def test_a_share_of_a_target_is_more_generous_both_ways():
    assert target(at_least=4.0).reaches(2.0, 0.5)
    assert not target(at_least=4.0).reaches(1.9, 0.5)
    assert target(at_most=0.4).reaches(0.8, 0.5)
    assert not target(at_most=0.4).reaches(0.81, 0.5)
    assert not target(at_most=0).reaches(1, 0.5)


def test_a_target_has_one_bound_and_a_known_measure():
    for wrong in ("", "at_least = 1\nat_most = 2", "at_least = 1\nwrong = 2"):
        with pytest.raises((ValueError, TypeError)):
            targets.read(f'[[target]]\ntitle = "t"\nblock = "b"\nmeasure = "rate"\n{wrong}\n')
    with pytest.raises(ValueError, match="speed"):
        targets.read('[[target]]\ntitle = "t"\nblock = "b"\nmeasure = "speed"\nat_least = 1\n')


def test_every_target_is_of_a_block_that_is_measured_by_default():
    every = {peer.name: peer for peer in peers.every_peer()}
    blocks = {}
    for case, environment in options.parse([]).blocks:
        block = plan(case, environment, every)
        blocks[block.name] = (block.case.kind, {one.name for one in block.contestants})
    for one in targets.read():
        kind, contestants = blocks[one.block]
        assert {one.of, *([one.against] if one.against else [])} <= contestants, one
        assert one.measure in report.COLUMNS[kind], one


# ---- What is written -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "value", "words"),
    [
        ("rate", 61284.3, "61,300"),
        ("rate", 999.6, "1,000"),
        ("rate", 17.26, "17.3"),
        ("p99", 0.00131, "1.31 ms"),
        ("p99", 2.5, "2.50 s"),
        ("cpu", 0.0000125, "12.5 µs"),
        ("idle_bytes", 24956108, "23.8 MiB"),
        ("call_bytes", 131072, "128 KiB"),
        ("call_bytes", -2048, "-2.00 KiB"),
        ("byte_rate", 1.5 * (1 << 30), "1.50 GiB/s"),
        ("errors", 0, "0"),
        ("rate", None, "–"),
    ],
)
def test_values_are_written_for_people(measure, value, words):
    assert measures.written(measure, value) == words


def contestant(name, *rates, p99=0.001, **more):
    found = [None if rate is None else {"rate": rate, "errors": 0, "p99": p99} for rate in rates]
    nothing = {"missing": None, "failure": None, "allocator": None, "version": "1", "title": name}
    return {"name": name, "peer": name, "case": "hello", "environment": "native", "samples": found, **nothing, **more}


def result(*contestants, **more):
    block = {"case": "hello", "title": "C hello", "kind": "load", "environment": "native", "left_out": None, "out_of_time": None}
    block |= {"environment_title": "here", "connections": 32, "rate": None, "contestants": list(contestants)}
    machine = {"model": "M", "processors": 2, "virtual": True, "memory_bytes": 1 << 30, "system": "S", "kernel": "6"}
    about = {"machine": {**machine, "load_before": [0.1, 0, 0]}, "commit": None, "versions": {"weir": "1"}}
    about["options"] = {"rounds": 3, "seconds": 1}
    return results.compose("name", about, [block | more], "done")


def test_a_table_shows_medians_spreads_and_ratios():
    page = report.markdown(result(contestant("weir", 80.0, 90.0, 100.0), contestant("wasmtime", 20.0, 30.0, 25.0)))
    assert "| weir | 90.0 (80.0–100) | 1.00 ms | 0 | 1× |" in page
    assert "| wasmtime | 25.0 (20.0–30.0) | 1.00 ms | 0 | 4.00× (3.00×–4.00×) |" in page
    assert "| C hello, requests/s | wasmtime | ≥ 4× | 4.00× (3.00×–4.00×) | **reached** |" in page


def test_what_is_missing_or_failed_is_told_of():
    missing = contestant("wasmtime", missing="it is not built")
    failing = contestant("h2o", 1.0, None, None, failure="it ended with SIGSEGV")
    page = report.markdown(result(contestant("weir", 1.0), missing, failing))
    assert "wasmtime is missing: it is not built" in page
    assert "h2o failed in 2 of 3 rounds: it ended with SIGSEGV" in page
    assert "not known: wasmtime: it is not built" in page


def test_errors_in_any_round_are_told_of():
    weir = contestant("weir", 1.0, 2.0, 3.0)
    weir["samples"][1]["errors"] = 1234
    assert "**1,234** in a round" in report.markdown(result(weir))


def test_a_name_that_stands_for_more_than_a_server_is_explained():
    every = {peer.name: peer for peer in peers.every_peer()}
    blocks = [plan(case, place, every) for case, place in options.parse(["--case", "wagi,hello", "--environment", "all"]).blocks]
    found = report.names_words([results.of_block(block) for block in blocks])
    assert "- weir:hello: weir, with metrics and a log of requests; here in another case, 'hello'," in found
    assert "- weir@native: weir, with metrics and a log of requests; here in another environment, 'native'," in found
    assert len(found.splitlines()) == len({one.name for block in blocks for one in block.contestants})
    assert "- wasmtime: wasmtime serve\n" in report.markdown(result(contestant("wasmtime", 1.0, title="wasmtime serve")))


def test_short_rounds_tell_no_p999_and_that_p99_misleads():
    one = contestant("weir", 1.0)
    one["samples"][0]["p999"] = 0.5
    short, long = result(one), result(one)
    long["options"]["seconds"] = report.LEAST_SECONDS
    assert "p99.9 |" not in report.markdown(short) and "p99.9 is left out" in report.markdown(short)
    assert "p99.9 |" in report.markdown(long) and "left out" not in report.markdown(long)


def test_what_there_was_no_time_for_is_told_of_with_how_to_measure_it():
    some, none = result(contestant("weir", 1.0), out_of_time="1 of 2 rounds"), result(out_of_time="all of it", case="echo")
    some["blocks"] += none["blocks"]
    assert report.out_of_time_words(some) in report.markdown(some)
    words = "There was no time for: hello (1 of 2 rounds); echo (all of it). To measure that: ./dev bench --case hello,echo"
    assert report.out_of_time_words(some) == words
    assert options.parse(words.split("./dev bench ")[1].split()).blocks
    assert report.out_of_time_words(result(contestant("weir", 1.0))) is None


def test_a_block_is_left_out_for_want_of_time_or_because_nothing_of_it_fits():
    every = {peer.name: peer for peer in peers.every_peer()}
    (late,), (unfit,) = (
        [plan(case, place, every) for case, place in options.parse(["--case", case, "--environment", place]).blocks]
        for case, place in (("hello", "native"), ("start-hello", "commit-200mib"))
    )
    rounds = Rounds(None, None, 2, lambda *_, **__: None, deadline=0)
    rounds.run(late)
    assert results.of_block(late)["out_of_time"] == "all of it" and late.left_out
    with pytest.raises(Failed, match="no server was tried"):
        rounds.run(unfit)


def test_an_echo_is_told_of_in_bytes():
    one, other = contestant("weir", 100.0), contestant("wasmtime", 50.0)
    for found in (one, other):
        found["samples"][0]["byte_rate"] = found["samples"][0]["rate"] * 1048576
    page = report.markdown(result(one, other, case="echo"))
    assert "| weir | 100 MiB/s | 1.00 ms | 0 | 1× |" in page
    assert "| wasmtime | 50.0 MiB/s | 1.00 ms | 0 | 2.00× |" in page
    assert "requests/s |" not in page.split("C hello, 32 connections")[1]


def test_instances_are_told_of_where_servers_tell_them():
    one = contestant("weir", 100.0)
    one["samples"][0]["instances"] = 1 / 128
    page = report.markdown(result(one, contestant("wasmtime", 50.0)))
    assert "| 0.00781 | 1× |" in page and "– where it tells of none" in page


def test_far_from_its_target_is_what_misses_a_share_of_it():
    other = contestant("wasmtime", 100.0, p99=0.002)
    assert results.missed(result(contestant("weir", 210.0), other), 0.5) == []
    (missed,) = results.missed(result(contestant("weir", 190.0), other), 0.5)
    assert missed.target.title == "C hello, requests/s"


def test_a_plot_is_svg_with_a_bar_for_each_contestant_as_long_as_its_median():
    name = "a <b> & c"
    found = result(contestant("weir", 80.0, 90.0, 100.0), contestant("wasmtime", 45.0), title=name)
    ((file, picture, case, environment),) = plots.of_result("n", found)
    assert (file, case, environment) == ("n-hello-native.svg", "hello", "native")
    tree = XML.fromstring(picture)
    space = "{http://www.w3.org/2000/svg}"
    first, second = tree.findall(f"{space}rect")
    assert first.get("class") == "weir"
    assert float(first.get("width")) == pytest.approx(2 * float(second.get("width")), rel=0.01)
    assert name in tree.find(f"{space}title").text
    width = float(tree.get("width"))
    assert all(float(bar.get("x")) + float(bar.get("width")) <= width for bar in (first, second))
    assert "prefers-color-scheme: dark" in picture


def test_labels_of_a_plot_do_not_reach_beyond_their_room():
    names = [f"{one}, {place}" for one, place in itertools.product(("weir", "wasmtime"), options.environments.BY_NAME)]
    assert max(map(len, (*names, *peers.NAMES))) * 8 <= plots.LABEL


# ---- The command line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--case", "nothing"], "there is no 'nothing'"),
        (["--peer", "weir,nginx"], "there is no 'nginx'"),
        (["--environment", "moon"], "there is no 'moon'"),
        (["--rounds", "0"], "'0' is no number from 1 to 100"),
        (["--seconds", "1.5"], "'1.5' is no number"),
        (["--name", "../x"], "'../x' is no name"),
        (["--fail-below", "0"], "'0' is no share"),
        (["--quickly"], "--quickly"),
    ],
)
def test_a_wrong_command_line_is_status_2_and_says_what(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        options.parse(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def names(arguments):
    return [f"{case.name}/{environment.name}" for case, environment in options.parse(arguments).blocks]


def test_what_is_asked_for_is_measured():
    assert names(["--case", "hello,echo", "--environment", "native,rlimit-as-8gib"]) == [
        *("hello/native", "echo/native", "hello/rlimit-as-8gib", "echo/rlimit-as-8gib")
    ]
    assert names(["--case", "wagi"]) == ["wagi/native"]
    # The virtual machine measures no starts.
    assert names(["--environment", "commit-200mib"]) == ["hello/commit-200mib", "memory/commit-200mib"]
    assert names(["--environment", "qemu-user"]) == ["hello/qemu-user", "memory/qemu-user", "start-hello/qemu-user"]
    everything = names(["--case", "all", "--environment", "all"])
    assert len(everything) == len(set(everything)) == len(options.CASES) * len(options.environments.ENVIRONMENTS)
    assert set(names(["--quick"])) < set(names([]))


def start_of(name, **more):
    (peer,) = (peer for peer in peers.every_peer() if peer.name == name)
    peer.program = Path(name)
    return [str(word) for word in peer.command(peers.Start(1, 2, Path("guest.wasm"), **more))]


def test_instances_for_wasi_0_3_are_reused_by_both_or_by_none(tmp_path):
    case = options.BY_NAME["hello-0.3"]
    assert {"weir", "wasmtime", "weir-fresh"} <= set(case.peers) and case.wasi_0_3
    new, old = {"directory": tmp_path, "wasi_0_3": True}, {"directory": tmp_path}
    assert {"p3", "component-model-async"} < set(start_of("wasmtime", **new))
    assert "p3" not in start_of("wasmtime", **old)
    assert not any("reuse" in word for name in ("weir", "wasmtime") for word in start_of(name, **new))
    assert start_of("weir-fresh", **new)[-2:] == ["--max-instance-reuse-count", "1"]


def test_spin_is_measured_where_it_is_installed_and_told_of_where_not(monkeypatch, tmp_path):
    def found(path, named=None):
        (spin,) = (peer for peer in peers.every_peer() if peer.name == "spin")
        monkeypatch.setenv("PATH", str(path))
        monkeypatch.delenv("SPIN", raising=False)
        if named:
            monkeypatch.setenv("SPIN", str(named))
        spin.find(None)
        return spin

    def install(version):
        program = tmp_path / "spin"
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)
        return program

    assert "not on PATH" in found(tmp_path).missing
    program = install("Spin Version 6.5.2")
    assert "not on PATH" in found(tmp_path).missing, "that is the model checker"
    install("spin 1.2.3")
    for spin in (found(tmp_path), found("/nowhere", named=program)):
        assert (spin.missing, spin.version, spin.program) == (None, "spin 1.2.3", program)
    assert "says nothing" in found(tmp_path, named="/nowhere/spin").missing
    command = start_of("spin", directory=tmp_path)
    assert command[1:] == ["up", "--from", str(tmp_path / "spin.toml"), "--listen", "127.0.0.1:1"]
    assert tomllib.loads((tmp_path / "spin.toml").read_text())["component"]["guest"]["source"] == "guest.wasm"


def test_every_peer_has_a_name_that_files_can_have():
    assert all(re.fullmatch(r"[a-z0-9.-]+", name) for name in (*peers.NAMES, *options.BY_NAME))
