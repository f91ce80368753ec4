"""docs/spin-compatibility.md says the truth: it has a row for each of Spin's rules, and the tests that it names are there,
were not skipped, and passed. A test that a machine cannot run says "impossible here: " and why when it is skipped: then
nothing is known of it, which is said.

To say that weir keeps a rule now: change its row and RULES, and name the tests that show it.
"""

# ctest: last timeout=600

import ast
import concurrent.futures
import os
import re
import subprocess
import xml.etree.ElementTree
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "spin-compatibility.md"

# Every rule that a table must have, by section, and what weir does: of the last two the table says more. They stand here
# as well, so that none can be lost there, and none becomes supported because of one word.
RULES = {
    1: (
        "manifest",
        {
            "supported": """version unknown-keys application base component-ids variable-names store-labels allowed-http-hosts
                source-path inline-components trigger-ids key-value-stores""",
            "differs": "version-1 targets source-url",
            "not yet": "component-keys stores profiles source-registry trigger-components other-triggers",
        },
    ),
    2: (
        "routes",
        {
            "supported": """forms slashes-of-a-route wildcard lost-slash parameters dots duplicates reserved raw-path
                outer-slashes inner-slashes case wildcard-matches root precedence listing trailing-capture no-match""",
            "differs": "asterisk bad-patterns leading-dot same-shape",
        },
    ),
    3: (
        "reserved",
        {
            "supported": "before-routes health info others",
        },
    ),
    4: (
        "request",
        {
            "supported": """connection-header target scheme not-utf8 headers spin-headers path-match bodies head 100-continue
                keep-alive tls""",
            "differs": """authority internal-host spin-headers-of-clients stalled-bodies trailers ambiguous half-close
                forwarded""",
            "not yet": "http2",
        },
    ),
    5: (
        "executors",
        {
            "supported": "kind wasi-http-0.2 fresh-instance streaming trap-after-response failure static-response",
            "differs": "types core-modules instance-reuse trap-within-body exhausted-pool unknown-imports",
            "not yet": "wasi-http-0.2-rc wasi-http-0.3 inbound-http",
        },
    ),
    6: (
        "wagi",
        {
            "supported": """modules components entrypoint argv body stderr environment server-name headers spin-variables
                path-match component-environment empty-output head header-lines status insufficient other-headers""",
            "differs": "argv-bounds body-bounds content-type proxy exit-status headers-of-the-connection",
        },
    ),
    7: (
        "chaining",
        {
            "supported": "internal private route allowed self subset",
            "differs": "bounds",
        },
    ),
    8: (
        "outbound",
        {
            "supported": "requests denied matching templates sockets",
            "differs": "time-limits entries block-networks connections socket-bounds lookup-names lookups",
            "not yet": "http2",
        },
    ),
    9: (
        "variables",
        {
            "supported": "declared required imports",
            "differs": "environment option",
            "not yet": "providers",
        },
    ),
    10: (
        "files",
        {
            "supported": """read-only direct-mounts environment environment-option console log-directory truncate-logs
                state-directory follow""",
            "differs": "patterns direct-mounts-write temp",
        },
    ),
    11: (
        "cli",
        {
            "supported": "components format cache start-up port-in-use build",
            "differs": """application listen find-free-port request-timeout http1-max-buf-size options pooling-switch
                pooling-sizes stop new doctor max-instance-memory watch telemetry""",
            "not yet": "oci runtime-config",
        },
    ),
    12: (
        "key-value",
        {
            "supported": "access",
            "differs": "contracts default-store initial increment limits",
            "not yet": "runtime-config",
        },
    ),
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


def statuses_of(section):
    prefix, rules = RULES[section]
    return {f"{prefix}/{name}": status for status, names in rules.items() for name in names.split()}


STATUSES = {rule: status for section in RULES for rule, status in statuses_of(section).items()}


def contradiction(row):
    """What is wrong with a row's status, or None."""
    if not STATUS.fullmatch(row.status):
        return f"{row}: '{row.status}' is neither supported, differs: ... nor not yet: ..."
    if row.status.partition(":")[0] != STATUSES.get(row.rule):
        return f"{row}: '{row.status}', but RULES has it under '{STATUSES.get(row.rule)}': is that true now? Then change both"
    return None


# ---- the table by itself ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", RULES)
def test_each_rule_of_a_section_has_one_row_there(section):
    rules = [row.rule for row in ROWS if row.section == section]
    assert {rule: count for rule, count in Counter(rules).items() if count > 1} == {}
    assert set(statuses_of(section)) - set(rules) == set(), "rules without a row"
    assert set(rules) - set(statuses_of(section)) == set(), "rows of no rule: add them to RULES"


def test_no_rule_has_two_statuses():
    named = [name for prefix, rules in RULES.values() for names in rules.values() for name in names.split()]
    assert len(STATUSES) == len(named)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.rule)
def test_a_row_says_what_spin_does_what_weir_does_and_names_tests_that_exist(row):
    assert row.spin, row
    assert contradiction(row) is None
    assert row.tests or row.status.startswith("not yet"), f"{row}: no test shows it"
    for kind, file, test in row.tests:
        assert test in registered(kind, file), f"{row}: there is no {kind}/{file}:{test}"


@pytest.mark.parametrize("status", ["supported", "differs: in a way", "not yet: soon", "differs", "not yet", "perhaps", ""])
def test_a_status_that_changes_in_the_table_alone_is_noticed(status):
    kept = [row.rule for row in ROWS if not contradiction(replace(row, status=status))]
    same = [rule for rule, expected in STATUSES.items() if STATUS.fullmatch(status) and status.startswith(expected)]
    assert sorted(kept) == sorted(same)


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
    bad = sorted(set(outcomes) - {"passed", "impossible"})
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
        outcome = "passed"
        for child in case:
            if child.tag in ("failure", "error", "skipped"):
                is_impossible = child.tag == "skipped" and child.get("message", "").startswith("impossible here: ")
                outcome = "impossible" if is_impossible else child.tag
        name = case.get("name").partition("[")[0]
        outcomes.setdefault(name, []).append(outcome)
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
        unknown += [f"{file}:{test}" for test in tests if "impossible" in outcomes.get(test, [])]
    assert [text for text in wrong if text] == []
    if unknown:
        pytest.skip(f"not run with this program, so that nothing is known of them: {', '.join(unknown)}")


def test_what_a_test_came_to_is_read_and_judged(tmp_path):
    skipped = '<testcase name="%s"><skipped type="pytest.skip" message="%s">a.py:1</skipped></testcase>'
    (tmp_path / "a.xml").write_text(
        '<testsuites><testsuite><testcase name="fine[1]" /><testcase name="fine[2]" />'
        '<testcase name="bad[1]" /><testcase name="bad[2]"><failure message="m" /></testcase>'
        '<testcase name="broken"><error message="impossible here: m" /></testcase>'
        + skipped % ("left", "no reason")
        + skipped % ("cannot", "impossible here: no namespaces")
        + "</testsuite></testsuites>"
    )
    outcomes = read_results(tmp_path / "a.xml")
    assert outcomes["fine"] == ["passed", "passed"]
    judged = {name: judge("row", name, outcomes.get(name, [])) for name in ("fine", "cannot", "bad", "broken", "left", "gone")}
    assert [name for name, text in judged.items() if text is None] == ["fine", "cannot"]
