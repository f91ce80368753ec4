"""The facts that weir doctor reports: as docs/facts.md says, and true of this machine."""

import json
import os
import platform
import re
import resource
import shutil
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs/facts.md"
ROW = re.compile(r"^\| `([a-z_]+)` \| ([a-z ]+) \| (?:yes|no) \|", re.M)
TYPES = {
    "count": int,
    "bytes": int,
    "percent": int,
    "hundredths of a percent": int,
    "flag": int,
    "word": str,
    "text": str,
    "set": list,
}


def facts_of(program, **options):
    done = program.run("doctor", "--json", **options)
    assert done.status in (0, 1), done
    return json.loads(done.stdout)["facts"]


def value(facts, name):
    assert facts[name]["knowledge"] == "known", (name, facts[name])
    return facts[name]["value"]


def test_json_has_the_facts_of_the_documentation_and_no_others(weir_checked):
    facts = facts_of(weir_checked)
    documented = dict(ROW.findall(DOCUMENT.read_text(encoding="utf-8")))
    assert set(facts) == set(documented)
    for name, fact in facts.items():
        assert fact["unit"] == documented[name], (name, fact)
        assert fact["source"], (name, fact)
        assert fact["knowledge"] in ("known", "unknown", "unlimited"), (name, fact)
        if fact["knowledge"] == "known":
            assert type(fact["value"]) is TYPES[fact["unit"]], (name, fact)
            assert fact["value"] in (0, 1) if fact["unit"] == "flag" else True, (name, fact)
        else:
            assert fact["value"] is None, (name, fact)


def test_facts_are_those_that_others_read_as_well(weir):
    facts = facts_of(weir)
    assert value(facts, "kernel_release") == platform.release()
    assert value(facts, "processors") == len(os.sched_getaffinity(0))
    assert value(facts, "page_size") == os.sysconf("SC_PAGESIZE")
    assert value(facts, "overcommit_ratio") == int(Path("/proc/sys/vm/overcommit_ratio").read_text(encoding="ascii"))
    assert value(facts, "gvisor") == int(Path("/proc/sentry-meminfo").exists())
    pages = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if pages.exists():
        assert f"[{value(facts, 'huge_pages')}]" in pages.read_text(encoding="ascii")
    soft = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    assert facts["memory_lock_limit"]["value"] == (None if soft == resource.RLIM_INFINITY else soft)


def test_processor_flags_are_among_those_of_the_kernel(weir):
    """The kernel may know more words, and hide what is broken; what runs on every x86-64 of ten years must be there."""
    flags = value(facts_of(weir), "processor_flags")
    listed = re.search(r"^(?:flags|Features)\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
    assert listed, "this kernel lists no flags"
    kernel = set(listed.group(1).replace("pni", "sse3").replace("abm", "lzcnt").split())
    assert set(flags) <= kernel, set(flags) - kernel
    for flag in ("sse4_2", "avx2", "avx512f", "bmi2", "erms", "atomics", "sve"):
        assert (flag in flags) == (flag in kernel), flag


def test_under_qemu_user_the_emulator_is_seen_and_asked_for_its_processor(weir, qemu_user):
    facts = facts_of(weir.wrapped(qemu_user), seconds=60)
    assert value(facts, "emulated") == 1
    if platform.machine() == "x86_64":
        assert value(facts, "hypervisor") == "tcg"
        assert facts["hypervisor"]["signature"] == "TCGTCGTCGTCG"


def test_a_process_with_namespaces_of_its_own_is_in_some_container(weir):
    unshare = [shutil.which("unshare"), "--fork", "--pid", "--ipc", "--uts", "--cgroup", "--mount-proc"]
    if unshare[0] is None:
        pytest.skip("unshare is not installed")
    wrapped = weir.wrapped(*unshare)
    done = wrapped.run("--version")
    if done.status != 0:
        pytest.skip(f"this system gives no namespaces: {done.stderr.strip()}")
    assert value(facts_of(wrapped), "container") != "none"


def test_a_person_finds_the_facts_in_groups(weir_checked):
    done = weir_checked.run("doctor", "--verbose")
    assert done.status == 0, done
    found = done.stdout.split("What was found\n")[1].split("\n\n")[0]
    headings = [line for line in found.splitlines() if line and not line.startswith("   ")]
    assert headings == [f"  {name}" for name in ("Memory", "Limits", "Kernel", "Processor", "Where it runs")], done
    for words in ("transparent huge pages", "control group's memory limit", "hypervisor", "container"):
        assert words in found, done
    if Path("/proc/buddyinfo").exists():
        assert "does not matter for ordinary pages" in " ".join(found.split()), done
