"""weir doctor for a person, and the languages of what is said of the allocator."""

import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from conftest import prlimit_address_space
from diagnoses import (  # noqa: F401 (fixtures, too)
    CHINESE,
    WIDTH,
    assert_readable,
    columns,
    diagnosis,
    limited_for_good,
    notices,
    own_cache,
    schema,
    sections,
    start_and_stop,
)
from environment import GIB, MIB
from terminal import OnTerminal


def is_reduced(program):
    return json.loads(program.run("doctor", "--json").stdout)["choice"]["reduced"]


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
        ({"SPIN_MAX_INSTANCE_MEMORY": "65536"}, None, "而 SPIN_MAX_INSTANCE_MEMORY 只允许 64KiB"),
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
