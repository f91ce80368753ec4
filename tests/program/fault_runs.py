"""Runs weir under a fault, as a person does, and judges how it took it."""

import contextlib
import functools
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from faults import NO_FAULT, AllocationFault, Tracer
from harness import SERVING, Expired, Program, Stream, to_response

# A run that is not over by then hangs. Under strace everything is slow, and other work may be going on.
HANG_SECONDS = 60.0
LEFT_SECONDS = 10.0  # in which a process that weir forked ends after it
TARGETS = ("/hello", "/cgi/x?y=1")
REQUESTS = 12
REQUESTS_MOST = 60  # when calls fail once only, until they are answered right
REQUESTS_REFUSED = 4  # are enough when calls fail for ever; each may wait for as long as --request-timeout says
HONEST = (500, 503, 504)
CONNECTION_REQUESTS = 4
RUNNING = set()  # processes that were started and have not been waited for
RIGHT_IN_THE_END = 4  # so many last requests must be right when calls fail once only


@dataclass
class Outcome:
    """What became of a run: "served" (every answer right), "refused" (some requests got an honest 5xx), "ended" (it
    exited with a message) or "wrong" (then `wrong` says what)."""

    fault: object
    kind: str = "wrong"
    injected: int = 0
    status: int | None = None
    stdout: str = ""
    stderr: str = ""
    answers: list = field(default_factory=list)
    wrong: list = field(default_factory=list)
    panics: list = field(default_factory=list)  # places
    signals: list = field(default_factory=list)  # that trials died of
    seconds: float = 0.0
    log: str = ""  # strace's
    places: list = field(default_factory=list)  # in the program, of refused allocations

    @property
    def message(self):
        errors = [line for line in self.stderr.splitlines() if line.startswith("weir: error: ")]
        return errors[-1] if errors else ""

    def complain(self, what):
        self.kind = "wrong"
        self.wrong.append(what)

    def __str__(self):
        answers = " ".join(str(answer) for answer in self.answers)
        return (
            f"[{self.kind}] {self.fault}: {'; '.join(self.wrong)}\n"
            f"exit status {self.status}, {self.injected} calls refused, {self.seconds:.1f} s, answers {answers}\n"
            f"--- stderr\n{self.stderr[-3000:]}\n"
        )


# ---- Starting it -----------------------------------------------------------------------------------------------------


@dataclass
class Place:
    """Where the campaign happens: the program, the application, what strace is preloaded with, a scratch directory."""

    program: Program
    application: Path
    pause: Path
    directory: Path
    arguments: tuple = ("--max-concurrency", "4", "--request-timeout", "2s")
    doctor_arguments: tuple = ("--json",)
    remembered: Path | None = None  # a cache in which weir finds an earlier decision; None: it decides afresh
    expected: dict = field(default_factory=dict)  # body by target
    shape: dict | None = None  # of doctor's report

    def start(self, command, fault, scratch, pause):
        # What is decided under a fault is nobody else's business.
        cache = Path(scratch) / "cache"
        if self.remembered:
            shutil.copytree(self.remembered, cache)
        environment = {"XDG_CACHE_HOME": cache} | fault.environment(scratch)
        if pause:
            environment |= {"LD_PRELOAD": str(self.pause), "WEIR_FAULT_PAUSE": pause}
        return subprocess.Popen(
            [*fault.prefix, *self.program.command(*command)],
            env=self.program.full_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


def wait_for_stop(process):
    """Until it has stopped itself. False when it ended first."""
    while True:
        state = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if state.si_code == os.CLD_STOPPED:
            return True
        if state.si_code in (os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED):
            return False


def kill_group(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def squeezed(place, faults):
    """Those limits under which the loader gets as far as main."""

    def runs(fault):
        command = [*fault.prefix, str(place.program.path), "--version"]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0

    return [fault for fault in faults if runs(fault)]


# ---- Talking to it ---------------------------------------------------------------------------------------------------


class Client:
    """Asks for the targets by turns and notes status or "wrong"."""

    def __init__(self, host, port, expected, deadline):
        self.host = host
        self.port = port
        self.expected = expected
        self.deadline = deadline
        self.answers = []

    def ask(self, count):
        """So many requests on a connection of their own."""
        left = max(0.1, self.deadline - time.monotonic())
        connection = http.client.HTTPConnection(self.host, self.port, timeout=left)
        try:
            for index in range(count):
                self.answers.append(self.ask_one(connection, TARGETS[index % len(TARGETS)]))
        finally:
            connection.close()

    def ask_one(self, connection, target):
        try:
            connection.request("GET", target)
            response = to_response(connection.getresponse())
        except TimeoutError:
            return "time-out"
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return f"cut:{type(error).__name__}"
        if response.status == 200 and response.body != self.expected.get(target, response.body):
            return f"wrong:{response.body[:80]!r}"
        if response.status == 200:
            self.expected.setdefault(target, response.body)
        return response.status


def learn(place):
    """What the application answers, and what doctor reports, when nothing fails."""
    for run in (run_up, run_doctor):
        outcome = run(place, NO_FAULT)
        assert outcome.kind == "served", outcome


# ---- Runs ------------------------------------------------------------------------------------------------------------


def attach(process, fault, scratch):
    return Tracer(process.pid, Path(scratch) / "strace", fault.options(process.pid), follow=fault.scope != "main")


def begin(place, command, fault, scratch):
    """Start weir, with strace attached where the fault's scope has it: (process, tracer or None)."""
    pause = {"process": "main", "main": "main", "threads": "thread"}.get(fault.scope)
    process = place.start(command, fault, scratch, pause)
    RUNNING.add(process)
    tracer = None
    try:
        if pause and wait_for_stop(process):
            tracer = attach(process, fault, scratch)
            os.kill(process.pid, signal.SIGCONT)
    except BaseException:
        kill_group(process)
        raise
    return process, tracer


def is_gone(group):
    """Whether all processes of a group end. They are not this process's children, so it can only look again."""
    deadline = time.monotonic() + LEFT_SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def finish(outcome, process, tracer, streams, scratch):
    """Gather what is left of a process that has ended or is to be killed."""
    stdout, stderr = streams
    RUNNING.discard(process)
    outcome.status = process.returncode
    if not is_gone(process.pid):
        outcome.complain("it left a child process behind")
        kill_group(process)
    outcome.log = text = tracer.end() if tracer else ""
    for stream in streams:
        stream.wait_for_end(10)
    outcome.stdout = stdout.text
    outcome.stderr = stderr.text
    process.stdout.close()
    process.stderr.close()
    outcome.injected = outcome.fault.count(text, scratch)
    if isinstance(outcome.fault, AllocationFault):
        outcome.places = outcome.fault.places(scratch)
    outcome.signals = re.findall(r"^(?!%d )\d+ +\+\+\+ killed by (\w+)" % process.pid, text, re.M)
    outcome.panics = [place_of(line) for line in outcome.stderr.splitlines() if "panicked at" in line]
    strange = [line for line in stderr.lines if not line.startswith("weir: ")]
    if strange:
        outcome.complain(f"a line on standard error that is not weir's: {strange[0][:200]!r}")


def place_of(line):
    """The file and line of a panic, without where this machine keeps sources."""
    found = re.search(r"panicked at ([^\s:]+:\d+)", line)
    return re.sub(r"^.*/registry/src/[^/]+/", "", found[1]) if found else line[:120]


def judge_exit(outcome):
    """It ended by itself: with status 1 or 2 and an error of one line."""
    if outcome.status is None or outcome.status < 0:
        outcome.complain(f"it died of {signal.Signals(-outcome.status).name if outcome.status else 'nothing'}")
    elif outcome.status not in (1, 2):
        outcome.complain(f"it ended with status {outcome.status}")
    elif len(outcome.message) < len("weir: error: ") + 8:
        outcome.complain("it ended and did not say why")


def remember(place):
    """Let weir find its own earlier decision from now on."""
    place.remembered = None
    cache = place.directory / "remembered"
    cache.mkdir()
    for command in (["up", place.application, "--listen", "127.0.0.1:0", *place.arguments], ["doctor", *place.doctor_arguments]):
        environment = place.program.full_environment({"XDG_CACHE_HOME": cache})
        process = subprocess.Popen(
            place.program.command(*command), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        stdout = Stream("stdout", process.stdout)
        if command[0] == "up":
            stdout.wait_for(SERVING.pattern, HANG_SECONDS)
            process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_SECONDS) == 0
        stdout.wait_for_end(10)
        process.stdout.close()
    place.remembered = cache


def run_up(place, fault):
    """`weir up` under a fault: it serves, or says why not."""
    outcome = Outcome(fault, "served")
    began = time.monotonic()
    deadline = began + HANG_SECONDS
    with tempfile.TemporaryDirectory(dir=place.directory) as scratch:
        command = ["up", place.application, "--listen", "127.0.0.1:0", *place.arguments]
        process, tracer = begin(place, command, fault, scratch)
        streams = Stream("stdout", process.stdout), Stream("stderr", process.stderr)
        try:
            try:
                found = SERVING.search(streams[0].wait_for(SERVING.pattern, HANG_SECONDS).group(0))
            except Expired:
                found = None
            if found:
                if fault.scope == "serving":
                    tracer = attach(process, fault, scratch)
                client = Client(found["host"], int(found["port"]), place.expected, deadline)
                while not is_enough(client.answers, fault.onward):
                    client.ask(CONNECTION_REQUESTS)
                outcome.answers = client.answers
                judge_answers(outcome, not fault.onward)
                process.send_signal(signal.SIGTERM)
            process.wait(max(1.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            outcome.complain(f"it hung: not over after {HANG_SECONDS:.0f} s, {'serving' if found else 'starting'}")
            kill_group(process)
        except BaseException:
            kill_group(process)
            raise
        finish(outcome, process, tracer, streams, scratch)
    outcome.seconds = time.monotonic() - began
    if any(answer in CUT for answer in outcome.answers) and not SAYS_CUT.search(outcome.stderr):
        outcome.complain("a connection was closed without an answer, and nobody said why")
    if found and outcome.status not in (0, -signal.SIGKILL):
        outcome.complain(f"SIGTERM ended it with status {outcome.status}")
    elif not found and not outcome.wrong:
        outcome.kind = "ended"
        judge_exit(outcome)
    return outcome


def settled(answers):
    return all(answer == 200 for answer in answers[-RIGHT_IN_THE_END:])


def is_enough(answers, onward):
    refused = sum(answer != 200 for answer in answers)
    if onward and refused >= REQUESTS_REFUSED or len(answers) >= REQUESTS_MOST:
        return True
    return len(answers) >= REQUESTS and (onward or settled(answers))


# Closing a connection for which there is no memory is honest, if weir says so.
CUT = ("cut:RemoteDisconnected", "cut:ConnectionResetError")
SAYS_CUT = re.compile(r"^weir: error: a (new )?connection was closed", re.M)


def judge_answers(outcome, once):
    bad = [answer for answer in outcome.answers if answer not in (200, *HONEST, *CUT)]
    if bad:
        outcome.complain(f"a request was answered with {bad[0]}")
    elif once and not settled(outcome.answers):
        outcome.complain("requests still fail although calls failed once only")
    elif any(answer != 200 for answer in outcome.answers):
        outcome.kind = "refused"


def shape(value):
    """The keys of a report, at every depth; of a list, those that all elements have. None: there is no more to say."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    if isinstance(value, list) and value:
        return [functools.reduce(common, map(shape, value))]
    return None


def common(one, other):
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: common(one[key], other[key]) for key in one if key in other}
    return one if one == other else None


def lacks(value, keys, name="report"):
    """What of these keys is not in a value, where it has any: null may stand for an object."""
    if isinstance(keys, dict) and isinstance(value, dict):
        missing = [f"{name}.{key}" for key in keys if key not in value]
        return missing + [each for key in keys if key in value for each in lacks(value[key], keys[key], f"{name}.{key}")]
    if isinstance(keys, list) and isinstance(value, list):
        return [each for index, member in enumerate(value) for each in lacks(member, keys[0], f"{name}[{index}]")]
    return []


def judge_shape(place, outcome, report):
    """Whatever was refused, the report has all of its keys."""
    place.shape = place.shape or shape(report)
    missing = lacks(report, place.shape)
    if missing:
        outcome.complain(f"the report lacks {missing[0]}")


def run_doctor(place, fault):
    """`weir doctor --json` under a fault: a whole report with a choice or without, or a message."""
    outcome = Outcome(fault, "served")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=place.directory) as scratch:
        process, tracer = begin(place, ["doctor", *place.doctor_arguments], fault, scratch)
        streams = Stream("stdout", process.stdout), Stream("stderr", process.stderr)
        try:
            process.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired:
            outcome.complain(f"it hung: not over after {HANG_SECONDS:.0f} s")
            kill_group(process)
        finish(outcome, process, tracer, streams, scratch)
    outcome.seconds = time.monotonic() - began
    if outcome.wrong:
        return outcome
    try:
        report = json.loads(outcome.stdout) if outcome.stdout else None
    except ValueError as error:
        outcome.complain(f"standard output is no JSON: {error}")
        return outcome
    if report is not None:
        judge_shape(place, outcome, report)
    if outcome.status == 0 and (report is None or not report["choice"]):
        outcome.complain("it succeeded without a choice")
    elif outcome.status == 1 and report is not None:
        outcome.kind = "refused"
        if report["choice"]:
            outcome.complain("it failed with a choice")
        elif not any(rung["message"] for rung in report["ladder"]):
            outcome.complain("it does not say what was refused")
    elif outcome.status != 0:
        outcome.kind = "ended"
        judge_exit(outcome)
    return outcome
