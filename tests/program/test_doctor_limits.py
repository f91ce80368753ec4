"""weir doctor where limits are low says what weir up would say there; and what weir up remembers of a decision."""

import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from conftest import prlimit_address_space
from diagnoses import (  # noqa: F401 (fixtures, too)
    CHINESE,
    assert_readable,
    diagnosis,
    notices,
    own_cache,
    schema,
    sections,
    start_and_stop,
)
from environment import GIB, MIB
from environments_here import place
from harness import Program, hello_body


# ---- Files and processes ---------------------------------------------------------------------------------------------


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
    assert "begins with 128KiB" in up.stderr and done.stderr == up.stderr and done.status == up.status == 2, (done, up)
    assert done.stdout == ""


def test_a_memory_that_is_none_is_refused_in_the_words_of_up(weir, hello):
    environment = {"SPIN_MAX_INSTANCE_MEMORY": "1"}
    up = weir.run("up", "-f", hello, environment=environment)
    done = weir.run("doctor", environment=environment)
    assert done.status == up.status == 2 and done.stderr == up.stderr and "MiB" in up.stderr, (done, up)


# ---- What is remembered ----------------------------------------------------------------------------------------------


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
    keys += ("pagemap_scan",)
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
