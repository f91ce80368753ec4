"""Root's rights given up for another user's (--user): what that user has from then on, and what it is told it lacks."""

import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from admin import Admin, sample
from harness import REQUEST_DEADLINE, all_in_background, hello_body

only_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def children_of(pid):
    """Processes; each thread may have some."""
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def assert_serves(server):
    for target in ("/hello", "/cgi/x?y=1"):
        response = server.get(target)
        assert (response.status, response.text) == (200, hello_body(target))


def wait_until(true):
    deadline = time.monotonic() + REQUEST_DEADLINE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def tmp_path():
    """A directory that every user may enter: pytest closes its own to others, and those above it, again and again."""
    with tempfile.TemporaryDirectory(prefix="weir-test-") as directory:
        path = Path(directory)
        path.chmod(0o755)
        yield path


@pytest.fixture
def anybodys(hello, tmp_path):
    """A copy of the example that every user may read."""
    copy = tmp_path / "application"
    shutil.copytree(hello, copy, ignore=shutil.ignore_patterns(".spin"))
    subprocess.run(["chmod", "-R", "a+rX", copy], check=True)
    return copy


@pytest.fixture
def anybodys_weir(weir, tmp_path):
    program = tmp_path / "weir"
    shutil.copy(weir.path, program)
    program.chmod(0o755)
    weir.path = program
    return weir


def identity(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    users = re.search(r"^Uid:\t(.*)$", status, re.M).group(1).split()
    groups = re.search(r"^Gid:\t(.*)$", status, re.M).group(1).split()
    more = re.search(r"^Groups:\t(.*)$", status, re.M).group(1).split()
    capabilities = set(re.findall(r"^Cap(?:Inh|Prm|Eff|Amb):\t(\w+)$", status, re.M))
    return users, groups, more, capabilities


@only_as_root
def test_root_becomes_another_user_and_keeps_nothing(anybodys_weir, anybodys, serve, tmp_path):
    arguments = ["--user", "65532:65533", "--state-dir", tmp_path / "state", "--listen", "127.0.0.1:0"]
    server = serve(anybodys_weir, anybodys, *arguments, listen=None)
    assert_serves(server)
    for process in (server.process.pid, *children_of(server.process.pid)):
        users, groups, more, capabilities = identity(process)
        assert users == ["65532"] * 4 and groups == ["65533"] * 4 and more == [], identity(process)
        assert capabilities == {"0" * 16}
    assert (tmp_path / "state").stat().st_uid == 65532
    server.stop()
    assert "warning" not in server.stderr.text, server.log


@only_as_root
def test_what_root_alone_may_do_is_done_before_it_is_another_user(anybodys_weir, anybodys, serve, tmp_path):
    """A port below 1024, and a key that nobody else may read."""
    openssl = shutil.which("openssl")
    assert openssl, "openssl is needed"
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    subprocess.run(
        [openssl, *command.split(), "-keyout", tmp_path / "key", "-out", tmp_path / "certificate"],
        check=True,
        capture_output=True,
    )
    (tmp_path / "key").chmod(0o400)
    arguments = ["--tls-cert", tmp_path / "certificate", "--tls-key", tmp_path / "key", "--user", "65532:65532"]
    for port in range(1023, 900, -1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                break
            except OSError:
                continue
    server = serve(anybodys_weir, anybodys, *arguments, "--listen", f"127.0.0.1:{port}", listen=None)
    assert server.port == port
    assert identity(server.process.pid)[0] == ["65532"] * 4


@only_as_root
def test_a_user_has_its_home_its_groups_and_its_cache(anybodys_weir, anybodys, serve, tmp_path):
    try:
        entry = pwd.getpwnam("www-data")
    except KeyError:
        pytest.skip("there is no user www-data here")
    cache = tmp_path / "cache"
    server = serve(anybodys_weir, anybodys, "--user", "www-data", environment={"XDG_CACHE_HOME": cache})
    environment = Path(f"/proc/{server.process.pid}/environ")
    assert environment.stat().st_uid == entry.pw_uid, "what is in /proc is its own"
    assert identity(server.process.pid)[2] == [str(entry.pw_gid)]
    server.stop()
    assert cache.stat().st_uid == entry.pw_uid and any((cache / "weir").rglob("*"))


@only_as_root
def test_a_directory_that_the_user_may_not_write_is_an_error_with_the_remedy(anybodys_weir, anybodys, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir(mode=0o700)
    done = anybodys_weir.run("up", anybodys, "--user", "65532:65532", "--log-dir", logs, "--listen", "127.0.0.1:0")
    assert done.status == 2 and "--log-dir DIRECTORY names another place" in done.stderr, done
    assert f'"{logs}" belongs to user root, and weir runs as 65532; \'chown -R 65532 {logs}\'' in done.stderr, done
    assert stat.S_IMODE(logs.stat().st_mode) == 0o700 and logs.stat().st_uid == 0


@pytest.mark.parametrize(
    "user, words",
    [
        ("nobody-of-that-name", "there is no user 'nobody-of-that-name' on this system"),
        ("65532", "give it too, as in --user 65532:65532"),
        ("root:no-such-group", "there is no group 'no-such-group'"),
        ("", "give a user and perhaps a group"),
    ],
)
def test_a_user_that_cannot_be_is_refused(weir_checked, hello, user, words):
    done = weir_checked.run("up", hello, "--user", user, "--listen", "127.0.0.1:0")
    assert done.status == 2 and words in done.stderr and done.stderr.count("\n") == 1, done


def test_build_commands_do_not_run_as_root_by_accident(weir, hello):
    done = weir.run("up", hello, "--user", "root", "--build")
    assert done.status == 2 and "--user" in done.stderr and "--build" in done.stderr, done


@only_as_root
def test_nobody_else_can_become_another_user(anybodys_weir, anybodys):
    unprivileged = anybodys_weir.wrapped("setpriv", "--reuid=65532", "--regid=65532", "--clear-groups")
    done = unprivileged.run("up", anybodys, "--user", "root", "--listen", "127.0.0.1:0", environment={"HOME": "/nowhere"})
    assert done.status == 2 and "only root can become another user, and this is user 65532" in done.stderr, done


@only_as_root
def test_who_is_that_user_already_serves(anybodys_weir, anybodys, serve):
    unprivileged = anybodys_weir.wrapped("setpriv", "--reuid=65532", "--regid=65532", "--clear-groups")
    server = serve(unprivileged, anybodys, "--user", "65532:65532", environment={"HOME": None, "XDG_CACHE_HOME": None})
    assert_serves(server)

# ---- What is another user's already ----------------------------------------------------------------------------------

USER = "65532"


def remedy_in(text):
    """The command that a message names in quotes: of the kind that it has none of itself."""
    return shlex.split(shell_command_in(text))


def shell_command_in(text):
    return re.search(r"""(?<=; )(['"])((?:chown|install|chgrp|chmod|setfacl) .*?)\1 (?:gives|makes|opens) """, text)[2]


def another_ones(path, mode=0o755):
    path.mkdir(mode=mode)
    return path


@only_as_root
@pytest.mark.parametrize("there", ["", "weir", "weir/code"])
def test_a_cache_of_another_user_is_told_with_the_command_that_helps(anybodys_weir, anybodys, serve, tmp_path, there):
    """As a start without --user has left it, or as an administrator has made the directory above it."""
    cache = another_ones(tmp_path / "cache")
    (cache / there).mkdir(mode=0o755, parents=True, exist_ok=True)
    arguments = (anybodys_weir, anybodys, "--user", f"{USER}:{USER}")
    server = serve(*arguments, environment={"XDG_CACHE_HOME": cache})
    assert_serves(server)
    line = server.stderr.wait_for("(?m)^.*compiled code is not kept.*$")[0]
    obstacle = cache / there
    assert f'"{obstacle}" belongs to user root, and weir runs as {USER}' in line and "XDG_CACHE_HOME" in line, line
    server.stop()
    command = remedy_in(line)
    assert str(obstacle) in command[-1], line
    subprocess.run(command, check=True)
    server = serve(*arguments, environment={"XDG_CACHE_HOME": cache})
    assert "compiled code is not kept" not in server.stderr.text, server.log
    kept = list((cache / "weir/code").iterdir())
    assert kept and {entry.stat().st_uid for entry in kept} == {int(USER)}


@only_as_root
def test_of_a_directory_above_the_users_own_nothing_else_is_to_be_given_away(anybodys_weir, anybodys, serve, tmp_path):
    cache = another_ones(tmp_path / "cache")
    above = another_ones(cache / "weir")
    os.chown(above, 65531, 65531)
    os.chown(another_ones(above / "code", 0o700), int(USER), int(USER))
    server = serve(anybodys_weir, anybodys, "--user", f"{USER}:{USER}", environment={"XDG_CACHE_HOME": cache})
    line = server.stderr.wait_for("compiled code is not kept.*")[0]
    assert f'"{above}" belongs to user 65531, and weir runs as {USER}' in line, line
    assert remedy_in(line) == ["chown", USER, str(above)], line


@only_as_root
def test_a_cache_in_a_directory_that_is_closed_is_told(anybodys_weir, anybodys, serve, tmp_path):
    closed = another_ones(tmp_path / "closed", 0o700)
    server = serve(anybodys_weir, anybodys, "--user", f"{USER}:{USER}", environment={"XDG_CACHE_HOME": closed / "cache"})
    assert_serves(server)
    words = f'"{closed}" belongs to user root and is closed to user {USER}, whom weir runs as'
    assert words in server.stderr.wait_for("compiled code is not kept.*")[0]


@only_as_root
@pytest.mark.parametrize("there", ["nothing", "the file", "no directory"])
def test_an_access_log_of_another_user_is_an_error_with_the_command_that_helps(
    anybodys_weir, anybodys, serve, tmp_path, there
):
    directory = tmp_path / "log"
    log = directory / "access"
    if there != "no directory":
        another_ones(directory)
    if there == "the file":
        log.write_text("")
        log.chmod(0o640)
    arguments = (anybodys, "--user", f"{USER}:{USER}", "--access-log", log)
    if there == "no directory":
        done = anybodys_weir.run("up", *arguments, "--listen", "127.0.0.1:0")
        assert done.status == 2 and "the access log" in done.stderr and "No such file" in done.stderr, done
        return
    done = anybodys_weir.run("up", *arguments, "--listen", "127.0.0.1:0")
    assert done.status == 2, done
    obstacle = log if there == "the file" else directory
    [error] = re.findall("^weir: error: .*$", done.stderr, re.M)
    assert f'"{obstacle}" belongs to user root, and weir runs as {USER}' in error, done
    subprocess.run(remedy_in(error), check=True)
    assert log.is_file() and log.stat().st_uid == int(USER)
    server = serve(anybodys_weir, *arguments)
    assert server.get("/hello").status == 200
    server.stop()
    assert "target=/hello" in log.read_text()


@only_as_root
@pytest.mark.parametrize("option, kept", [("--state-dir", "logs"), ("--log-dir", ".")])
def test_a_state_directory_of_another_user_is_an_error_with_the_command_that_helps(
    anybodys_weir, anybodys, serve, tmp_path, option, kept
):
    directory = another_ones(tmp_path / "state")
    arguments = (anybodys, "--user", f"{USER}:{USER}", option, directory)
    done = anybodys_weir.run("up", *arguments, "--listen", "127.0.0.1:0")
    assert done.status == 2, done
    [error] = re.findall("^weir: error: .*$", done.stderr, re.M)
    assert f'"{directory}" belongs to user root, and weir runs as {USER}' in error, done
    subprocess.run(remedy_in(error), check=True)
    serve(anybodys_weir, *arguments)
    assert (directory / kept).stat().st_uid == int(USER)


@only_as_root
@pytest.mark.parametrize("there", ["directory", "nothing"])
def test_commands_quote_paths_for_a_shell(anybodys_weir, anybodys, serve, tmp_path, there):
    """With a quote, too, which needs one more of its own, and longer than what a message shows of a path."""
    name = "it's a state; $(exit 3)"
    parent = another_ones(tmp_path / "a place" if there == "nothing" else tmp_path / ("long" * 40))
    directory = parent / name
    if there == "directory":
        another_ones(directory)
    option = "--log-dir" if there == "directory" else "--access-log"
    arguments = (anybodys, "--user", f"{USER}:{USER}", option, directory)
    done = anybodys_weir.run("up", *arguments, "--listen", "127.0.0.1:0")
    assert done.status == 2, done
    [line] = re.findall("^weir: error: .*$", done.stderr, re.M)
    assert remedy_in(line)[-1] == str(directory), done
    subprocess.run(["sh", "-c", shell_command_in(line)], check=True)
    assert directory.stat().st_uid == int(USER)


@only_as_root
def test_the_state_directory_beside_the_application_is_warned_of_with_the_command_that_helps(
    anybodys_weir, anybodys, serve
):
    """Nobody has named it, so it is no error."""
    arguments = (anybodys_weir, anybodys, "--user", f"{USER}:{USER}")
    for remedied in (".spin", "later"):
        server = serve(*arguments)
        assert_serves(server)
        server.stop()
        lines = [line for line in server.stderr.lines if "what components write goes to no file" in line]
        if remedied == "later":
            assert not lines, server.log
            break
        assert len(lines) == 1 and lines[0].startswith("weir: warning: "), server.log
        assert f'"{anybodys}" belongs to user root, and weir runs as {USER}' in lines[0], lines
        assert "--state-dir DIRECTORY names another place" in lines[0], lines
        subprocess.run(remedy_in(lines[0]), check=True)
    assert (anybodys / ".spin/logs").stat().st_uid == int(USER)


@only_as_root
@pytest.mark.parametrize("there", ["of another", "closed", "nothing"])
def test_a_decision_that_is_not_kept_is_told_with_what_helps(anybodys_weir, anybodys, serve, tmp_path, there):
    cache = another_ones(tmp_path / "cache", 0o700 if there == "closed" else 0o755)
    if there == "of another":
        another_ones(cache / "weir")
    server = serve(anybodys_weir, anybodys, "--user", f"{USER}:{USER}", environment={"XDG_CACHE_HOME": cache})
    line = server.stderr.wait_for("(?m)^.*the next start decides anew.*$")[0]
    obstacle = cache / "weir" if there == "of another" else cache
    assert f'"{obstacle}" belongs to user root' in line and line.endswith("; XDG_CACHE_HOME names another"), line
    if there != "closed":
        assert remedy_in(line)[0] == ("chown" if there == "of another" else "install"), line


# ---- What is to be read again ----------------------------------------------------------------------------------------


@pytest.fixture
def certified(tmp_path):
    """The options for a key and a certificate in a directory that every user may enter."""
    directory = another_ones(tmp_path / "certified")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 99 -subj /CN=localhost"
    files = ("-keyout", directory / "key", "-out", directory / "certificate")
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    (directory / "certificate").chmod(0o644)
    return directory


def warnings_of_reloads(server):
    """All of them: whoever has ended says no more."""
    server.stop()
    return [line for line in server.stderr.lines if "reloads (SIGHUP) cannot read" in line]


@only_as_root
@pytest.mark.parametrize("mode, command", [(0o600, "chgrp"), (0o640, "setfacl")])
def test_a_key_that_a_reload_cannot_read_is_told_at_the_start_with_what_helps(
    anybodys_weir, anybodys, serve, certified, mode, command
):
    key = certified / "key"
    key.chmod(mode)
    options = ["--tls-cert", certified / "certificate", "--tls-key", key, "--user", f"{USER}:65533", "--state-dir", ""]
    server = serve(anybodys_weir, anybodys, *options, "--admin", "0")
    words = f'"{key}" belongs to user root and group root with mode {mode:04o}, and weir runs as {USER}; '
    warning = server.stderr.wait_for("(?m)^.*reloads .SIGHUP. cannot read.*$")[0]
    assert f"weir: warning: --tls-key: reloads (SIGHUP) cannot read {key}: {words}" in warning
    assert remedy_in(warning)[0] == command, warning
    server.send_signal(signal.SIGHUP)
    refused = server.stderr.wait_for("(?m)^.*certificate and key stay as they were.*$")[0]
    assert f"{key} cannot be read: Permission denied: {words}" in refused
    assert shell_command_in(refused) == shell_command_in(warning)
    server.stderr.wait_for("reloaded in")
    if command == "setfacl" and shutil.which("setfacl") is None:
        return  # it cannot be tried here
    subprocess.run(["sh", "-c", shell_command_in(refused)], check=True)
    server.send_signal(signal.SIGHUP)
    server.stderr.wait_for("new connections use certificate and key as they are now")
    wait_until(lambda: Admin(server).status()["last_reload"]["result"] == "done")
    server.stop()
    assert not warnings_of_reloads(serve(anybodys_weir, anybodys, *options))


@only_as_root
def test_a_key_behind_a_link_in_a_directory_that_is_closed_is_told(anybodys_weir, anybodys, serve, certified, tmp_path):
    """As certbot has them; both are behind it, which is told once."""
    live = another_ones(tmp_path / "live")
    for name in ("key", "certificate"):
        (live / name).symlink_to(Path("../certified") / name)
    (certified / "key").chmod(0o644)
    certified.chmod(0o700)
    options = ["--tls-cert", live / "certificate", "--tls-key", live / "key", "--user", f"{USER}:{USER}"]
    server = serve(anybodys_weir, anybodys, *options, "--state-dir", "")
    [warning] = warnings_of_reloads(server)
    assert f'"{certified}" belongs to user root and group root with mode 0700' in warning
    subprocess.run(["sh", "-c", shell_command_in(warning)], check=True)
    assert not warnings_of_reloads(serve(anybodys_weir, anybodys, *options, "--state-dir", ""))


@only_as_root
@pytest.mark.parametrize("kind", ["spin.toml", "*.wasm"])
def test_what_the_user_may_not_read_at_a_reload_is_told_with_the_user(anybodys_weir, anybodys, serve, kind):
    server = serve(anybodys_weir, anybodys, "--user", f"{USER}:{USER}", "--state-dir", "")
    file = next(path for path in sorted(anybodys.rglob(kind)) if path.is_file())
    file.chmod(0o600)
    server.send_signal(signal.SIGHUP)
    line = server.stderr.wait_for("(?m)^.*not reloaded.*$")[0]
    assert file.name in line and line.endswith(f"; weir runs as user {USER} now (--user)"), line
    assert_serves(server)


@only_as_root
def test_who_it_runs_as_is_not_told_without_user(anybodys_weir, anybodys, serve):
    unprivileged = anybodys_weir.wrapped("setpriv", "--reuid=65532", "--regid=65532", "--clear-groups")
    server = serve(unprivileged, anybodys, environment={"HOME": None, "XDG_CACHE_HOME": None})
    (anybodys / "spin.toml").chmod(0o600)
    server.send_signal(signal.SIGHUP)
    line = server.stderr.wait_for("(?m)^.*not reloaded.*$")[0]
    assert "Permission denied" in line and "weir runs as" not in line, line


# ---- The admin's socket ----------------------------------------------------------------------------------------------


@only_as_root
def test_the_admins_socket_is_the_users_and_a_stale_one_is_replaced(anybodys_weir, anybodys, serve, tmp_path):
    """In a directory that the user may not write to, so that nobody else can put a socket there."""
    path = another_ones(tmp_path / "run") / "admin.sock"
    arguments = (anybodys, "--user", f"{USER}:65533", "--admin", f"unix:{path}")

    def owner():
        facts = path.stat()
        return facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)

    def answers_to(user):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setgroups([])
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(str(path))
                code = 0
            except PermissionError:
                code = 2
            finally:
                os._exit(code)
        return {0: True, 2: False}[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]

    first = serve(anybodys_weir, *arguments)
    assert owner() == (int(USER), 65533, 0o600)
    assert answers_to(int(USER)) and not answers_to(65531)
    assert Admin(first).get("/health/live").status == 200
    refused = anybodys_weir.run("up", *arguments, "--listen", "127.0.0.1:0")
    assert refused.status == 2 and "another process answers on this socket" in refused.stderr, refused
    assert owner() == (int(USER), 65533, 0o600) and Admin(first).get("/health/live").status == 200
    first.kill()
    first.stopped = True
    assert path.is_socket()
    second = serve(anybodys_weir, *arguments)
    assert Admin(second).get("/health/live").status == 200 and answers_to(int(USER))
    second.stop()
    third = serve(anybodys_weir, *arguments)  # the user could not remove it there
    assert Admin(third).get("/health/live").status == 200


# ---- Watching --------------------------------------------------------------------------------------------------------


@only_as_root
def test_watching_as_a_user_who_sees_less_than_root_loads_nothing_anew(anybodys_weir, anybodys, serve, tmp_path):
    """The key is in a directory that is closed to the user: with a look as root and one as the user it seems gone."""
    private = another_ones(tmp_path / "private", 0o700)
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 99 -subj /CN=localhost"
    files = ("-keyout", private / "key", "-out", tmp_path / "certificate")
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    arguments = ["--tls-cert", tmp_path / "certificate", "--tls-key", private / "key", "--user", f"{USER}:{USER}"]
    server = serve(anybodys_weir, anybodys, *arguments, "--watch", "--admin", "0")
    admin = Admin(server)

    def reloads():
        samples = admin.metrics()
        return sum(sample(samples, "weir_reloads_total", result=result) for result in ("done", "refused"))

    manifest = anybodys / "spin.toml"
    manifest.write_text(manifest.read_text() + "\n# changed\n")
    wait_until(lambda: reloads() > 0)
    # It looks at once, and then at each change: one reload of its own accord would have come before this one.
    server.stderr.wait_for("(?m)reloaded in|not reloaded")
    assert len(re.findall("reloading: ", server.stderr.text)) == 1 and reloads() == 1, server.log


@only_as_root
def test_a_stop_loses_no_request_of_those_who_have_connected(anybodys_weir, anybodys, serve, tmp_path):
    """Some kernels let root alone close a port to newcomers before the queue is empty: others look into it last."""
    for _ in range(5):
        server = serve(anybodys_weir, anybodys, "--user", "65532:65533", "--state-dir", "", "--drain-timeout", "20s")
        answered, over = [], threading.Event()

        def ask_on_new_connections(_):
            while not over.is_set():
                try:
                    wire = server.wire()
                except OSError:
                    return  # refused: it no longer listens
                with wire:
                    wire.send(b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    assert wire.response().status == 200
                    answered.append(True)

        with all_in_background(ask_on_new_connections, range(8)) as results:
            wait_until(lambda: len(answered) > 100)
            server.stop()
            over.set()
            for result in results:
                result()
