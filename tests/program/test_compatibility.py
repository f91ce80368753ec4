"""docs/spin-compatibility.md says the truth: it has a row for each of Spin's rules, and the tests that it names are there,
were not skipped, and passed.

To say that weir keeps a rule now: change its row, and name the tests that show it.
"""

# ctest: last timeout=600

import ast
import concurrent.futures
import os
import re
import subprocess
import xml.etree.ElementTree
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "spin-compatibility.md"

# Every rule that a table must have, by section. They are listed here as well, so that none can be lost there.
RULES = {
    1: """manifest: version version-1 unknown-keys application base component-ids variable-names component-keys stores
        allowed-http-hosts source-path source-url source-registry inline-components trigger-ids other-triggers""",
    2: """routes: forms slashes-of-a-route wildcard lost-slash asterisk parameters bad-patterns dots leading-dot duplicates reserved
        raw-path outer-slashes inner-slashes case wildcard-matches root precedence same-shape listing trailing-capture no-match""",
    3: "reserved: before-routes health info others",
    4: """request: authority internal-host connection-header target scheme not-utf8 headers spin-headers path-match
        spin-headers-of-clients bodies head 100-continue trailers keep-alive http2 tls ambiguous""",
    5: """executors: types kind wasi-http-0.2 wasi-http-0.2-rc wasi-http-0.3 inbound-http core-modules fresh-instance
        instance-reuse streaming trap-after-response trap-within-body failure exhausted-pool unknown-imports
        static-response""",
    6: """wagi: modules components argv argv-bounds body body-bounds stderr environment server-name content-type headers proxy
        spin-variables path-match component-environment empty-output exit-status head header-lines status insufficient
        other-headers headers-of-the-connection""",
    7: "chaining: internal private route allowed self subset bounds",
    8: "outbound: requests http2 denied entries matching templates block-networks sockets connections socket-bounds lookups lookup-names",
    9: "variables: declared environment providers option required imports",
    10: """files: patterns read-only direct-mounts direct-mounts-write environment environment-option console
        log-directory follow""",
    11: """cli: application oci listen find-free-port components format request-timeout max-instance-memory runtime-config
        options pooling-switch pooling-sizes cache start-up port-in-use stop telemetry new build doctor""",
}

STATUS = re.compile(r"supported|(?:differs|not yet): \S.*")
TEST = re.compile(r"`(unit|program)/(test_[a-z0-9_]+):([a-z0-9_]+)`")


@dataclass
class Row:
    line: int
    section: int
    rule: str
    spin: str
    status: str
    tests: list  # of (kind, file, test)

    def __str__(self):
        return f"docs/spin-compatibility.md:{self.line}: {self.rule}"


def read_rows():
    rows = []
    section = None
    for number, line in enumerate(DOCUMENT.read_text().splitlines(), 1):
        if found := re.fullmatch(r"## (\d+)\. .+", line):
            section = int(found[1])
        if not line.startswith("|") or line.startswith(("| rule |", "|---")):
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        assert len(cells) == 4, f"docs/spin-compatibility.md:{number}: {len(cells)} cells, not 4"
        rule, spin, status, tests = cells
        assert TEST.sub("", tests).strip() == "", f"docs/spin-compatibility.md:{number}: not a test: {tests}"
        rows.append(Row(number, section, rule, spin, status, TEST.findall(tests)))
    return rows


ROWS = read_rows()


def names_of(section):
    prefix, _, names = RULES[section].partition(":")
    return [f"{prefix}/{name}" for name in names.split()]


# ---- the table by itself ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", RULES)
def test_each_rule_of_a_section_has_one_row_there(section):
    rules = [row.rule for row in ROWS if row.section == section]
    assert {rule: count for rule, count in Counter(rules).items() if count > 1} == {}
    assert set(names_of(section)) - set(rules) == set(), "rules without a row"
    assert set(rules) - set(names_of(section)) == set(), "rows of no rule: add them to RULES"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.rule)
def test_a_row_says_what_spin_does_what_weir_does_and_names_tests_that_exist(row):
    assert row.spin, row
    assert STATUS.fullmatch(row.status), f"{row}: '{row.status}' is neither supported, differs: ... nor not yet: ..."
    assert row.tests or row.status.startswith("not yet"), f"{row}: no test shows it"
    for kind, file, test in row.tests:
        assert test in registered(kind, file), f"{row}: there is no {kind}/{file}:{test}"


def registered(kind, file):
    """The tests that a file registers."""
    if kind == "unit":
        path = ROOT / "tests" / "unit" / f"{file}.c"
        _, _, table = path.read_text().partition("const struct CMUnitTest tests[]") if path.exists() else ("", "", "")
        return re.findall(r"^ +\w+\((\w+)", table, re.M)
    path = ROOT / "tests" / "program" / f"{file}.py"
    if not path.exists():
        return []
    return [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]


# ---- what came of the tests ------------------------------------------------------------------------------------------


def named_tests(kind):
    """The tests that rows name, by their file."""
    named = {}
    for row in ROWS:
        for test_kind, file, test in row.tests:
            if test_kind == kind:
                named.setdefault(file, {}).setdefault(test, row)
    return named


def judge(row, name, outcomes):
    """What is wrong with the outcomes of a test's cases, or None."""
    bad = sorted(set(outcomes) - {"passed"})
    if not outcomes:
        return f"{row}: {name} did not run"
    return f"{row}: {name}: {', '.join(bad)}" if bad else None


def run_unit_test(program):
    environment = {**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    done = subprocess.run(
        [program], cwd=ROOT / "tests" / "unit", env=environment, capture_output=True, timeout=240, check=False
    )
    outcomes = {}
    for line in done.stdout.decode("utf-8", "backslashreplace").splitlines():
        if found := re.match(r"(not )?ok \d+ - (\w+)(.*)", line):
            skipped = "skip" in found[3].lower()
            outcomes.setdefault(found[2], []).append("failed" if found[1] else "skipped" if skipped else "passed")
    return outcomes


def test_the_unit_tests_that_are_named_pass_and_none_is_skipped():
    asan = os.environ.get("WEIR_ASAN")
    if not asan:
        pytest.skip("WEIR_ASAN is not set: that build is not part of this run")
    named = named_tests("unit")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = dict(zip(named, pool.map(lambda file: run_unit_test(Path(asan).parent / "tests" / file), named)))
    wrong = [judge(row, f"unit/{file}:{test}", results[file].get(test, [])) for file in named for test, row in named[file].items()]
    assert [text for text in wrong if text] == []


def read_results(path):
    """The outcomes of a file's cases by test, from what pytest wrote."""
    outcomes = {}
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        name = case.get("name").partition("[")[0]
        outcomes.setdefault(name, []).append(next(iter(kinds), "passed"))
    return outcomes


def is_of_now(results, source):
    """The results are there, and of this program and this test."""
    newest = max(path.stat().st_mtime for path in (source, Path(os.environ["WEIR"])))
    return results.exists() and results.stat().st_mtime > newest


def test_the_program_tests_that_are_named_passed_and_none_was_skipped():
    """ctest runs this file after all others, which leave their results."""
    directory = os.environ.get("WEIR_TEST_RESULTS")
    if not directory:
        pytest.skip("WEIR_TEST_RESULTS is not set: only ctest keeps the results of the other tests")
    wrong = []
    unknown = []
    for file, tests in named_tests("program").items():
        results = Path(directory) / f"{file}.xml"
        if not is_of_now(results, ROOT / "tests" / "program" / f"{file}.py"):
            unknown.append(file)
            continue
        outcomes = read_results(results)
        wrong += [judge(row, f"program/{file}:{test}", outcomes.get(test, [])) for test, row in tests.items()]
    assert [text for text in wrong if text] == []
    if unknown:
        pytest.skip(f"not run with this program, so that nothing is known of them: {', '.join(unknown)}")
