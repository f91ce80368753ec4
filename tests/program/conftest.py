"""Fixtures: the builds of weir, the applications it serves in these tests, and servers that are stopped and checked.

From the environment, set by ctest: WEIR, WEIR_ASAN, WEIR_TSAN (the programs of the presets), WEIR_EXAMPLES (built
examples), WEIR_TEST_GUESTS (built test guests).
"""

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from environments import Environments
from environments_here import compile_helper
from harness import Component, Program, Server, write_application
from virtual_machine import Unavailable

# Before a test imports it: what its assertions say has the values, too.
pytest.register_assert_rewrite("diagnoses")

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent

BUILDS = {"release": "WEIR", "asan": "WEIR_ASAN", "tsan": "WEIR_TSAN"}


def path_from_environment(name):
    value = os.environ.get(name)
    if not value:
        pytest.skip(f"{name} is not set: that build is not part of this run")
    path = Path(value).resolve()
    if not path.exists():
        pytest.fail(f"{name} names {path}, which does not exist")
    return path


def make_program(flavour, directory):
    path = path_from_environment(BUILDS[flavour])
    if flavour == "release":
        return Program(path, flavour)
    reports = directory / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    common = f"log_path={reports}/{flavour}:halt_on_error=1:abort_on_error=0"
    environment = {}
    if flavour == "asan":
        environment["ASAN_OPTIONS"] = f"{common}:exitcode=86:detect_leaks=1:strict_string_checks=1"
        environment["UBSAN_OPTIONS"] = f"{common}:exitcode=87:print_stacktrace=1"
        suppressions = TESTS / "lsan.supp"
        if suppressions.exists():
            environment["LSAN_OPTIONS"] = f"suppressions={suppressions}:print_suppressions=0"
    else:
        # halt_on_error off: every race of a run is to be seen, and the exit status still tells.
        options = f"log_path={reports}/{flavour}:halt_on_error=0:exitcode=88:second_deadlock_stack=1"
        suppressions = TESTS / "tsan.supp"
        if suppressions.exists():
            options += f":suppressions={suppressions}"
        environment["TSAN_OPTIONS"] = options
    return Program(path, flavour, environment=environment, reports=reports)


@pytest.fixture(scope="session", autouse=True)
def cache_of_their_own(tmp_path_factory):
    """What programs remember of this machine in a test is no business of the user's, nor the other way round."""
    with pytest.MonkeyPatch.context() as patch:
        users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weir"
        patch.setenv("WEIR_TEST_CACHE", os.environ.get("WEIR_TEST_CACHE", str(users)))  # where kernels are
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def weir(tmp_path):
    """The program as it is released."""
    return make_program("release", tmp_path)


@pytest.fixture(params=["release", "asan"])
def weir_checked(request, tmp_path):
    """The program as it is released, and the one with AddressSanitizer."""
    return make_program(request.param, tmp_path)


@pytest.fixture
def weir_asan(tmp_path):
    return make_program("asan", tmp_path)


@pytest.fixture
def weir_tsan(tmp_path):
    return make_program("tsan", tmp_path)


@pytest.fixture(scope="session")
def examples():
    return path_from_environment("WEIR_EXAMPLES")


@pytest.fixture(scope="session")
def hello(examples):
    """The directory of the example application."""
    directory = examples / "hello"
    assert (directory / "spin.toml").exists(), f"{directory} holds no spin.toml"
    return directory


@pytest.fixture(scope="session")
def guests():
    return path_from_environment("WEIR_TEST_GUESTS")


@pytest.fixture(scope="session")
def guest(guests):
    def find(name):
        path = guests / f"{name}.wasm"
        assert path.exists(), f"{path} was not built"
        return path

    return find


def application_components(guest):
    """Every test guest at a route of its own."""
    return [
        Component("echo", "/echo/...", guest("http_echo")),
        Component(
            "request",
            "/request/...",
            guest("http_request"),
            environment={"PLAIN": "value", "EMPTY": "", "WORDS": "two words = one value", "UNICODE": "grün"},
        ),
        Component("exact", "/request/exact", guest("http_request")),
        Component("respond", "/respond", guest("http_respond")),
        Component("fail", "/fail/...", guest("http_fail")),
        Component("wait", "/wait/...", guest("http_wait")),
        Component("spin", "/spin", guest("http_spin")),
        Component("stream", "/stream/...", guest("http_stream")),
        Component("trailers", "/trailers/...", guest("http_trailers")),
        Component("log", "/log", guest("http_log")),
        Component("cat", "/wagi/cat", guest("wagi_cat"), wagi=True, argv="cat ${ARGS}"),
        Component(
            "environment",
            "/wagi/environment/...",
            guest("wagi_environment"),
            wagi=True,
            environment={"PLAIN": "value", "WORDS": "two words = one value"},
        ),
        Component(
            "arguments",
            "/wagi/arguments/...",
            guest("wagi_environment"),
            wagi=True,
            argv="fixed ${SCRIPT_NAME}  ${ARGS} end",
        ),
        Component("wagi-fail", "/wagi/fail", guest("wagi_fail"), wagi=True, argv="fail ${ARGS}"),
        Component("wagi-wait", "/wagi/wait", guest("wagi_wait"), wagi=True, argv="wait ${ARGS}"),
        Component("wagi-spin", "/wagi/spin", guest("wagi_spin"), wagi=True),
    ]


@pytest.fixture(scope="session")
def application(guest, tmp_path_factory):
    """A spin.toml with all test guests."""
    return write_application(tmp_path_factory.mktemp("application"), application_components(guest))


class Servers:
    """Starts servers for one test, and at its end stops those that the test did not stop itself."""

    def __init__(self):
        self.started = []

    def __call__(self, program, *arguments, seconds=None, serving=True, **options):
        server = Server(program, *arguments, **options)
        self.started.append(server)
        if serving:
            server.wait_until_serving(*([seconds] if seconds else []))
        return server

    def finish(self, failed):
        try:
            if not failed:
                for server in self.started:
                    if not server.stopped:
                        server.stop()
        finally:
            for server in self.started:
                server.kill()

    def logs(self):
        return "\n".join(server.log for server in self.started)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.stash[CALL_FAILED] = report.failed
    if report.failed:
        for name in ("serve", "served"):
            value = item.funcargs.get(name)
            if isinstance(value, Servers):
                report.sections.append(("what weir said", value.logs()))
            elif isinstance(value, Server):
                report.sections.append(("what weir said", value.log[-20000:]))


CALL_FAILED = pytest.StashKey[bool]()


@pytest.fixture
def serve(request):
    servers = Servers()
    yield servers
    servers.finish(request.node.stash.get(CALL_FAILED, True))


@pytest.fixture(scope="module", params=["release", "asan"])
def served(request, application, tmp_path_factory):
    """All test guests, served by one process for a whole module: what one request does must not harm the next."""
    program = make_program(request.param, tmp_path_factory.mktemp(f"served-{request.param}"))
    server = Server(program, application, "--request-timeout", "20s")
    try:
        server.wait_until_serving()
        yield server
        server.stop()
    finally:
        server.kill()


def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """An authority (ca.pem), and a server's certificate for localhost and 127.0.0.1 (server.pem, server.key)."""
    directory = tmp_path_factory.mktemp("certificates")
    openssl(
        directory, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
        "-subj", "/CN=authority of a test",
    )  # fmt: skip
    openssl(directory, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr",
        "-subj", "/CN=server of a test")  # fmt: skip
    (directory / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    openssl(
        directory, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-out", "server.pem", "-days", "2", "-extfile", "names",
    )  # fmt: skip
    return directory


# ---- where weir runs -------------------------------------------------------------------------------------------------


def prlimit_address_space(program, size):
    assert shutil.which("prlimit"), "prlimit (util-linux) is needed"
    return program.wrapped("prlimit", f"--as={size}:{size}", "--")


@pytest.fixture(scope="session")
def qemu_user():
    name = f"qemu-{platform.machine()}"
    path = shutil.which(name) or shutil.which(f"{name}-static")
    if path is None:
        pytest.skip(f"{name} (Debian package qemu-user) is not installed")
    return path


@pytest.fixture(scope="session")
def deny_exec(tmp_path_factory):
    """A launcher under which no memory can be made executable, as with systemd's MemoryDenyWriteExecute."""
    return compile_helper("deny_exec", tmp_path_factory.mktemp("helpers"))


@pytest.fixture(scope="session")
def environments(hello):
    """All of them, with examples/hello in place as `hello`."""
    with Environments(path_from_environment("WEIR"), {"hello": hello}) as opened:
        yield opened


@pytest.fixture
def environment(request, environments):
    """The one that the test is parametrized with (indirectly); skipped, with the reason, where it cannot be had."""
    try:
        return environments[request.param]
    except Unavailable as reason:
        pytest.skip(str(reason))
