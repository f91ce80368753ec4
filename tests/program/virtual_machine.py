"""A machine under QEMU's emulation (TCG) with a distribution's cloud kernel, a busybox and weir in its memory. Booted
once, it runs commands one after another over a serial port; outputs come back byte for byte, with the exit status.

Needs qemu-system-x86_64, busybox and a kernel, which `./dev test` fetches (tools/dev/virtual_machine.sh); no rights and
no disk image. tests/helpers/machine_init.sh is what happens inside.
"""

import hashlib
import io
import os
import platform
import re
import select
import shutil
import stat
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

from harness import Expired

HELPERS = Path(__file__).resolve().parent.parent / "helpers"

# A boot takes 8 to 15 s on two idle cores.
BOOT_DEADLINE = 120.0
# How much longer than the machine itself the outside waits for a command: its clock runs true, but it is slow to act.
MARGIN = 30.0


class Unavailable(Exception):
    """This machine does not offer what is needed; the text says what, for people."""


class MachineDied(AssertionError):
    """The virtual machine ended, or no longer answers."""


def shared_libraries(program):
    """What the dynamic loader would load for a program, the loader itself among it."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, timeout=30, check=False)
    if listed.returncode != 0:
        if "not a dynamic executable" in listed.stderr + listed.stdout:
            return []
        raise AssertionError(f"ldd {program}: {listed.stderr}")
    missing = re.findall(r"^\s*(\S+) => not found", listed.stdout, re.M)
    assert not missing, f"{program} needs {missing}, which are not found"
    return [Path(path) for path in re.findall(r"(?:^|\s)(/\S+) \(0x", listed.stdout)]


def program_files(*programs):
    """For a root of their own: {path inside: file here} of programs, as bin/NAME, and their shared libraries."""
    placed = {}
    for program in programs:
        placed[f"bin/{Path(program).name}"] = Path(program)
        for library in shared_libraries(program):
            placed[str(library).lstrip("/")] = library
    return placed


def flattened(files):
    """{path inside: file here} of files and of directories with all that is in them."""
    placed = {}
    for inside, source in (files or {}).items():
        source = Path(source)
        if source.is_dir():
            for path in sorted(source.rglob("*")):
                if path.is_file():
                    placed[f"{inside}/{path.relative_to(source)}"] = path
        else:
            placed[str(inside)] = source
    return placed


class Archive:
    """An initial RAM file system: a cpio archive as Linux's driver-api/early-userspace/buffer-format describes it."""

    def __init__(self, file):
        self._file = file
        self._number = 0
        self._directories = set()

    def _pad(self):
        self._file.write(b"\0" * (-self._file.tell() % 4))

    def _add(self, name, mode, content=b"", device=(0, 0)):
        self._number += 1
        raw = name.encode() + b"\0"
        # inode, mode, uid, gid, links, time, size, its device (2), the device it is (2), size of the name, checksum
        fields = (self._number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(raw), 0)
        self._file.write(b"070701" + b"".join(b"%08X" % field for field in fields) + raw)
        self._pad()
        self._file.write(content)
        self._pad()

    def _add_parents(self, name):
        for parent in reversed(Path(name).parents[:-1]):
            if str(parent) not in self._directories:
                self._directories.add(str(parent))
                self._add(str(parent), stat.S_IFDIR | 0o755)

    def add_directory(self, name):
        self._add_parents(f"{name}/x")

    def add_file(self, name, content, mode):
        self._add_parents(name)
        self._add(name, stat.S_IFREG | mode, content)

    def add_device(self, name, major, minor):
        self._add_parents(name)
        self._add(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def finish(self):
        self._add("TRAILER!!!", 0)


def write_initial_file_system(file, busybox, programs, files):
    archive = Archive(file)
    for name in ("proc", "sys", "dev", "tmp", "run", "root", "work"):
        archive.add_directory(name)
    archive.add_device("dev/console", 5, 1)
    archive.add_file("init", (HELPERS / "machine_init.sh").read_bytes(), 0o755)
    placed = program_files(*programs)
    placed.update(program_files(busybox))
    placed.update({f"work/{inside}": source for inside, source in flattened(files).items()})
    for inside, source in placed.items():
        archive.add_file(inside, source.read_bytes(), 0o755 if os.access(source, os.X_OK) else 0o644)
    archive.finish()


def find_kernel():
    """The kernel that ./dev has fetched: WEIR_TEST_KERNEL, else the newest in weir's cache directory."""
    named = os.environ.get("WEIR_TEST_KERNEL")
    if named:
        if not Path(named).is_file():
            raise Unavailable(f"WEIR_TEST_KERNEL names {named}, which is no file")
        return Path(named)
    users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weir"
    cache = Path(os.environ.get("WEIR_TEST_CACHE", users)) / "kernel"
    found = sorted(cache.glob("????????????????/vmlinuz"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise Unavailable(
            "there is no kernel for the virtual machine: ./dev test fetches it with apt, and build/logs/kernel.log "
            "says why it could not (WEIR_TEST_KERNEL can name one)"
        )
    return found[-1]


class VirtualMachine:
    """One machine. `run` may be called while it is `alive`; use it as a context manager, so that it is always ended."""

    def __init__(self, memory_mib, programs, files=None, processors=2):
        if platform.machine() != "x86_64":
            raise Unavailable("the virtual machine is described for x86-64, and its programs are this machine's")
        self._qemu = shutil.which("qemu-system-x86_64")
        if self._qemu is None:
            raise Unavailable("qemu-system-x86_64 (Debian package qemu-system-x86) is not installed")
        self._busybox = shutil.which("busybox")
        if self._busybox is None:
            raise Unavailable("busybox (Debian package busybox-static) is not installed")
        self._kernel = find_kernel()
        self.memory_mib = memory_mib
        self.processors = processors
        self._programs = programs
        self._files = files
        self._process = None
        self._directory = None
        self._received = b""
        self.boot_seconds = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def alive(self):
        return self._process is not None and self._process.poll() is None

    @property
    def console(self):
        """What the kernel said."""
        return (self._directory / "console").read_text(errors="backslashreplace") if self._directory else ""

    def start(self):
        self._directory = Path(tempfile.mkdtemp(prefix="weir-machine-"))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self):
        initial = self._directory / "initial"
        with initial.open("wb") as file:
            write_initial_file_system(file, self._busybox, self._programs, self._files)
        console = self._directory / "console"
        console.touch()
        # The emulation is what is tested: no KVM, even where there is one.
        command = [
            *([setpriv, "--pdeathsig", "KILL", "--"] if (setpriv := shutil.which("setpriv")) else []),
            *(self._qemu, "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot", "-nic", "none"),
            *("-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max"),
            *("-smp", str(self.processors), "-m", str(self.memory_mib)),
            *("-serial", f"file:{console}", "-serial", "stdio"),
            *("-kernel", str(self._kernel), "-initrd", str(initial)),
            *("-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on"),
        ]
        before = time.monotonic()
        with (self._directory / "qemu").open("wb") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0
            )
        os.set_blocking(self._process.stdin.fileno(), False)
        deadline = before + BOOT_DEADLINE
        ready = self._read_line(deadline, "booted")
        if ready != b"ready":
            raise self._died(f"it began with {ready!r}")
        self.boot_seconds = time.monotonic() - before
        initial.unlink()  # it is in the machine's memory now

    def stop(self):
        """End the machine, however it is. May be called again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
        if self._directory is not None:
            shutil.rmtree(self._directory)
            self._directory = None

    def _died(self, why):
        said = (self._directory / "qemu").read_text(errors="backslashreplace")
        return MachineDied(
            f"the virtual machine ({self.memory_mib} MiB): {why}; exit status {self._process.poll()}\n"
            f"--- qemu\n{said}\n--- its console\n{self.console[-8000:]}"
        )

    # -- the serial port

    def _send(self, data, deadline):
        left = memoryview(data)
        while left:
            seconds = deadline - time.monotonic()
            if seconds <= 0 or not select.select([], [self._process.stdin], [], seconds)[1]:
                raise self._died(f"it did not take {len(left)} of {len(data)} bytes in time")
            try:
                left = left[os.write(self._process.stdin.fileno(), left) :]
            except BrokenPipeError:
                raise self._died("it ended") from None

    def _receive(self, deadline, what):
        """More bytes; raises when time is over or the machine has ended."""
        seconds = deadline - time.monotonic()
        if seconds <= 0 or not select.select([self._process.stdout], [], [], seconds)[0]:
            raise self._died(f"it had not {what} in time")
        received = os.read(self._process.stdout.fileno(), 1 << 16)
        if not received:
            self._process.wait()
            raise self._died("it ended")
        self._received += received

    def _read_line(self, deadline, what):
        while b"\n" not in self._received:
            self._receive(deadline, what)
        line, self._received = self._received.split(b"\n", 1)
        return line

    def _read(self, size, deadline, what):
        while len(self._received) < size:
            self._receive(deadline, what)
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def run(self, script, files=None, timeout=60.0):
        """Run a script of busybox's shell in /work, after putting files there. Gives (exit status, output, errors); the
        status of what a signal ended is 128 and its number. Raises harness.Expired after `timeout` seconds, and
        MachineDied when the machine ends or hangs."""
        assert self.alive, "the virtual machine has ended"
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            command = tarfile.TarInfo(".command")
            command.size = len(script.encode())
            archive.addfile(command, io.BytesIO(script.encode()))
            for inside, source in flattened(files).items():
                archive.add(source, inside, recursive=False)
        payload = packed.getvalue()
        limit = max(1, round(timeout))
        deadline = time.monotonic() + limit + MARGIN
        try:
            self._send(b"%d %d\n" % (limit, len(payload)) + payload, deadline)
            header = self._read_line(deadline, "answered")
            status, expired, *sizes, first, second = header.split()
            outputs = [self._read(int(size), deadline, "sent its output") for size in sizes]
        except MachineDied:
            self._process.kill()
            self._process.wait()
            raise
        for output, checksum in zip(outputs, (first, second)):
            assert hashlib.sha256(output).hexdigest() == checksum.decode(), "the serial port changed bytes on the way"
        if int(expired):
            raise Expired(f"$ {script}\nhad not ended after {limit} s\nstdout: {outputs[0]!r}\nstderr: {outputs[1]!r}")
        return int(status), outputs[0], outputs[1]
