"""Environments on this machine: as it is, with limits, emulated, in namespaces and control groups. Each is a command
that goes before weir's."""

import contextlib
import http.client
import os
import platform
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from environment import ENTER_GROUP, Environment, Outcome, Served
from harness import Expired, Program, Server
from virtual_machine import HELPERS, Unavailable, flattened, program_files


def shell_status(returncode):
    return returncode if returncode >= 0 else 128 - returncode


def need_command(*names, package):
    for name in names:
        if path := shutil.which(name):
            return path
    raise Unavailable(f"{names[0]} (Debian package {package}) is not installed")


def compile_helper(name, directory, *more):
    """A program of tests/helpers, or what `more` flags make of it."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "a C compiler is needed: weir was built with one"
    program = Path(directory) / name
    flags = ["-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1"]
    subprocess.run([compiler, *flags, *more, "-o", program, HELPERS / f"{name}.c"], check=True)
    return program


def place(directory, files):
    """Copy files and directories, readable by everybody."""
    for inside, source in flattened(files).items():
        target = directory / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


class ServerBelow(Server):
    """One whose process is the only child of the process that was started."""

    def send_signal(self, number=signal.SIGTERM):
        started = self.process.pid
        os.kill(int(Path(f"/proc/{started}/task/{started}/children").read_text()), number)


class Native(Environment):
    """This machine as it is; and what others build on, which put a command before weir's."""

    server = Server

    def __init__(self, name, title):
        super().__init__(name, title)
        self.directory = None
        self.program = None
        self.prefix = ()
        self.settings = {"LC_ALL": "C.UTF-8"}

    def open(self, owner):
        # Not below pytest's directories, which only their owner may enter.
        self.directory = Path(tempfile.mkdtemp(prefix="weir-environment-"))
        try:
            self.directory.chmod(0o755)
            self.program = owner.weir
            self.settings["XDG_CACHE_HOME"] = str(self.directory / "cache")
            place(self.directory, owner.files)
            self.prefix = self.prepare()
            self._check()
        except BaseException:
            self.close()
            raise

    def prepare(self):
        """Make it ready; gives the command that goes before weir's."""
        return ()

    def _check(self):
        done = subprocess.run([*self.prefix, "true"], capture_output=True, timeout=30, check=False, cwd=self.directory)
        if done.returncode != 0:
            raise Unavailable(f"{shlex.join(map(str, self.prefix))}: {done.stderr.decode(errors='replace').strip()}")

    def close(self):
        if self.directory is not None:
            shutil.rmtree(self.directory)
            self.directory = None

    def forget(self):
        shutil.rmtree(self.directory / "cache", ignore_errors=True)

    def _wrapped(self):
        return Program(Path(self.program), wrapper=tuple(map(str, self.prefix)), environment=self.settings)

    def run(self, command, files=None, environment=None, timeout=60.0):
        place(self.directory, files)
        program = self._wrapped()
        words = [*program.wrapper, *(self.program if word == "weir" else word for word in command[:1]), *command[1:]]
        words = list(map(str, words))
        # Files and not pipes: what outlives its parent would hold a pipe open.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                    cwd=self.directory,
                    env=program.full_environment(environment),
                    start_new_session=True,
                )
            except OSError as error:
                return Outcome(127, b"", f"{error}\n".encode())
            ended = os.pidfd_open(process.pid)
            try:
                in_time = bool(select.select([ended], [], [], timeout)[0])
            finally:
                os.close(ended)
                # Not waited for yet, so the group is still its own.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            for file in (output, errors):
                file.seek(0)
            outcome = Outcome(shell_status(process.returncode), output.read(), errors.read())
        if not in_time:
            raise Expired(f"{self.name}: {shlex.join(words)} had not ended after {timeout} s\n{outcome}")
        return outcome

    def serve(self, application, targets, at_once=4, arguments=(), environment=None, timeout=60.0):
        server = self.server(
            self._wrapped(), application, *arguments, environment=environment, directory=self.directory
        )
        seconds, responses = None, []

        def ask(target):
            try:
                return server.get(target, seconds=timeout)
            except (OSError, http.client.HTTPException):
                return None

        try:
            try:
                server.wait_until_serving(timeout)
                seconds = time.monotonic() - server.started
            except Expired:
                # Its output has ended, so it is about to; or its time is over.
                try:
                    server.process.wait(max(1.0, server.started + timeout - time.monotonic()))
                except subprocess.TimeoutExpired:
                    raise Expired(f"{self.name}: not serving after {timeout} s\n{server.log}") from None
            if seconds is not None:
                with ThreadPoolExecutor(at_once) as pool:
                    responses = list(pool.map(ask, targets))
                if server.process.poll() is None:
                    server.send_signal()
            status = server.wait(timeout)
        finally:
            server.kill()
        return Served(seconds, responses, shell_status(status), server.stdout.text, server.stderr.text)


class Limited(Native):
    """Resource limits, as prlimit takes them."""

    def __init__(self, name, title, **limits):
        super().__init__(name, title)
        self.limits = limits

    def prepare(self):
        prlimit = need_command("prlimit", package="util-linux")
        return (prlimit, *(f"--{name}={value}:{value}" for name, value in self.limits.items()), "--")


class FewProcesses(Native):
    """RLIMIT_NPROC counts the threads of a user and does not bind root: where this is root, weir gets another user."""

    def __init__(self, name, title, extra):
        super().__init__(name, title)
        self.extra = extra

    def prepare(self):
        prlimit = need_command("prlimit", package="util-linux")
        if os.getuid() != 0:
            threads = sum(
                len(list((path / "task").iterdir()))
                for path in Path("/proc").glob("[0-9]*")
                if path.exists() and path.stat().st_uid == os.getuid()
            )
            return (prlimit, f"--nproc={threads + self.extra}", "--")
        setpriv = need_command("setpriv", package="util-linux")
        user = 50_000 + os.getpid() % 10_000
        # weir's own place may be closed to others.
        place(self.directory, {"bin/weir": self.program})
        self.program = self.directory / "bin" / "weir"
        os.chown(self.directory, user, user)
        return (
            *(setpriv, f"--reuid={user}", f"--regid={user}", "--clear-groups"),
            *(prlimit, f"--nproc={self.extra}:{self.extra}", "--"),
        )


class EmulatedProgram(Native):
    def prepare(self):
        name = f"qemu-{platform.machine()}"
        return (need_command(name, f"{name}-static", package="qemu-user"),)

    def _check(self):
        pass  # it takes a path where others search


class NoExecutableMemory(Native):
    def prepare(self):
        return (compile_helper("deny_exec", self.directory),)


def as_root():
    """What makes the next command root, at least in a namespace of its own."""
    unshare = need_command("unshare", package="util-linux")
    return () if os.getuid() == 0 else (unshare, "--user", "--map-root-user", "--")


class FirstProcess(Native):
    """Process 1 of its own namespace, as in a container without an init."""

    server = ServerBelow

    def prepare(self):
        return (*as_root(), "unshare", "--fork", "--pid", "--mount-proc", "--kill-child", "--")


class Rooted(Native):
    """A directory tree that holds weir, its libraries and the files, as the root: no /proc, no /sys, no /dev."""

    def prepare(self):
        place(self.directory, program_files(self.program, shutil.which("true")))
        self.program = f"/bin/{Path(self.program).name}"
        self.settings["XDG_CACHE_HOME"] = "/cache"
        return (*as_root(), need_command("chroot", package="coreutils"), self.directory)


class ReadOnly(Rooted):
    """A root that cannot be written, with /proc and /sys, without a home, a cache directory and /tmp."""

    SCRIPT = (
        'mount --bind "$0" "$0" && mount --rbind /proc "$0/proc" && mount --rbind /sys "$0/sys" && '
        'mount -o remount,bind,ro "$0" && cd "$0" && exec chroot . "$@"'
    )

    def prepare(self):
        super().prepare()
        for name in ("proc", "sys"):
            (self.directory / name).mkdir()
        self.settings.update(HOME=None, XDG_CACHE_HOME=None, TMPDIR=None)
        namespace = ("unshare", "--mount", "--propagation=private", "--")
        return (*as_root(), *namespace, "sh", "-c", self.SCRIPT, self.directory)

    def forget(self):
        pass


# ---- Control groups --------------------------------------------------------------------------------------------------

def memory_groups():
    """The version of this machine's memory control groups; and the group of this process and those above it, its own
    first."""
    groups = [line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines()]
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, options, *_ = line.split()
        if kind == "cgroup" and "memory" in options.split(","):
            version, own = 1, next(path for names, path in groups if "memory" in names.split(","))
        elif kind == "cgroup2" and "memory" in (Path(point) / "cgroup.controllers").read_text().split():
            version, own = 2, next(path for names, path in groups if names == "")
        else:
            continue
        directory = Path(point) / own.lstrip("/")
        candidates = [path for path in (directory, *directory.parents) if path.is_relative_to(point)]
        return version, [path for path in candidates if path.is_dir()]
    raise Unavailable("no control groups of this machine have a memory controller")


class Group(Native):
    """A memory control group of this machine, version 1 or 2; with `hog`, another process in it holds so many bytes."""

    # What a file in memory holds does not count for who is killed: that is never this process.
    HOG = (
        "import os, sys; file = os.memfd_create('held'); size = int(sys.argv[1]); "
        "print(sum(os.write(file, bytes(1 << 20)) for _ in range(size >> 20)), flush=True); sys.stdin.read()"
    )

    def __init__(self, name, title, limit, hog=0):
        super().__init__(name, title)
        self.limit = limit
        self.hog = hog
        self.group = None
        self._holding = None

    def prepare(self):
        version, above = memory_groups()
        setting = {1: "memory.limit_in_bytes", 2: "memory.max"}[version]
        refusals = []
        for parent in above:
            group = parent / f"weir-test-{os.getpid()}-{self.name}"
            try:
                group.mkdir()
                self.group = group
                (group / setting).write_text(str(self.limit))
                subprocess.run([*ENTER_GROUP, group, "true"], check=True, capture_output=True, timeout=30)
                break
            except (OSError, subprocess.CalledProcessError) as error:
                refusals.append(str(error))
                self._remove_group()
        else:
            raise Unavailable(f"no memory control group can be made here: {'; '.join(refusals)}")
        if self.hog:
            self._holding = subprocess.Popen(
                [*ENTER_GROUP, self.group, sys.executable, "-c", self.HOG, str(self.hog)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert int(self._holding.stdout.readline() or 0) == self.hog, "the process that holds memory got none"
        return (*ENTER_GROUP, self.group)

    def _remove_group(self):
        group, self.group = self.group, None
        if group is None:
            return
        deadline = time.monotonic() + 20
        while group.exists():
            for pid in (group / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            try:
                group.rmdir()
            except OSError:
                # Busy until the last process has been waited for, which others do.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def close(self):
        had_ended = False
        if self._holding is not None:
            had_ended = self._holding.poll() is not None
            self._holding.communicate(timeout=20)
            self._holding = None
        self._remove_group()
        super().close()
        assert not had_ended, "the process that held memory had been killed"
