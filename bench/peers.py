"""The servers that are measured: how each is had, which guests it can serve, and the command that starts it. One that is
not there is told of as missing, with the reason."""

import getpass
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from bench.machine import first_line

ROOT = Path(__file__).resolve().parent.parent
# The one that weir is built on.
WASMTIME_VERSION = re.search(
    r'wasmtime-c-api-impl", version = "=([^"]+)"', (ROOT / "bridge/Cargo.toml").read_text()
).group(1)


WASMTIME_CONNECTIONS = 1000  # that it holds by default


def cache_directory():
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weir" / "peers"


def processors():
    return len(os.sched_getaffinity(0))


@dataclass
class Start:
    """One start of a server."""

    port: int
    admin_port: int
    guest: Path  # the wasm file, or for those who run none the file with the bytes to answer
    directory: Path  # of its own, for whatever it writes
    content_type: str = "text/plain"
    target: str = "/"
    clients: int = 0  # that are connected at once
    rung: dict | None = None  # what weir's allocator chose for this guest, as in its /status.json
    wasi_0_3: bool = False  # the guest is for wasi:http/handler@0.3


@dataclass
class Peer:
    name: str
    title: str
    runs_wasm: bool = True
    has_admin: bool = False  # it tells its state as weir does
    stops_at_end_of_input: bool = False
    version: str | None = None
    cache: str | None = None  # the peer whose cache it may share, when not its own
    missing: str | None = None  # the reason, when it cannot be had
    program: Path | None = field(default=None, repr=False)

    def find(self, tools):
        """Look for the program and its version; sets `missing` when there is none."""
        raise NotImplementedError

    def command(self, start):
        raise NotImplementedError

    def _use(self, program, version_option, missing):
        self.program = program
        self.version = first_line(program, version_option) if program else None
        if self.version is None:
            self.missing = missing


class Weir(Peer):
    def __init__(self, name="weir", title="weir, with metrics and a log of requests", one_loop=False, options=()):
        super().__init__(name, title, has_admin=True)
        self.one_loop = one_loop
        self.options = options

    def find(self, tools):
        program = Path(os.environ.get("WEIR") or ROOT / "build/release/weir").resolve()
        self._use(program if program.exists() else None, "--version", "build/release/weir is not built")
        if self.one_loop and shutil.which("taskset") is None:
            self.missing = "taskset (Debian package util-linux) is not installed"

    def command(self, start):
        # It has a loop for each processor that it may run on.
        allowed = ["taskset", "-c", str(min(os.sched_getaffinity(0)))] if self.one_loop else []
        # Its defaults, but for what makes it another contestant, with metrics and a log of requests.
        return [
            *allowed,
            *(self.program, "up", start.guest, "--listen", f"127.0.0.1:{start.port}"),
            *("--admin", f"127.0.0.1:{start.admin_port}", "--access-log", start.directory / "access.log"),
            *self.options,
        ]


# What weir's pool keeps resident, as the options of wasmtime's own command line: (option, member of weir's rung).
KEEP_OPTIONS = (
    ("pooling-memory-keep-resident", "keep_resident_bytes"),
    ("pooling-table-keep-resident", "table_keep_resident_bytes"),
    ("pooling-async-stack-keep-resident", "stack_keep_resident_bytes"),
    ("pooling-max-unused-warm-slots", "warm_slots"),
    ("pooling-decommit-batch-size", "decommit_batch"),
)


class Wasmtime(Peer):
    def __init__(self, name="wasmtime", title="wasmtime serve", keeps=False, cached=True, pooled=True):
        # Code is the same for all of them, and compiling a guest in JavaScript takes ten seconds.
        super().__init__(name, title, cache="wasmtime")
        self.pooled = pooled
        self.keeps = keeps
        self.cached = cached

    def find(self, tools):
        program = cache_directory() / f"wasmtime-{WASMTIME_VERSION}" / "bin" / "wasmtime"
        self._use(
            program if program.exists() else None,
            "--version",
            f"wasmtime {WASMTIME_VERSION} is not built (./dev bench builds it; build/logs/bench-wasmtime.log says why not)",
        )

    def command(self, start):
        # All guests import wasi:cli, through the C library or the language's.
        options = ["-S", "cli"]
        if start.wasi_0_3:
            options += ["-S", "p3", "-W", "component-model-async"]
        if not self.pooled:
            options += ["-O", "pooling-allocator=n"]
        if not self.cached:
            options += ["-C", "cache=n"]
        if start.clients > WASMTIME_CONNECTIONS:
            options += ["--max-concurrent-connections", start.clients + 100]
        if self.keeps:
            options += [word for option in keep_settings(start.rung) for word in ("-O", option)]
        return [self.program, "serve", *options, "--addr", f"127.0.0.1:{start.port}", start.guest]


def keep_settings(rung):
    """Wasmtime's options that keep resident what weir keeps; where weir has no pool, there is nothing to keep."""
    if not rung or rung["tier"] == "ondemand":
        return []
    settings = [f"{option}={max(1, rung[member]) if 'batch' in option else rung[member]}" for option, member in KEEP_OPTIONS]
    return ["pooling-allocator=y", *settings, f"pooling-pagemap-scan={'y' if rung['pagemap_scan'] else 'n'}"]


SPIN_MANIFEST = """spin_manifest_version = 2

[application]
name = "bench"

[[trigger.http]]
route = "/..."
component = "guest"

[component.guest]
source = "{guest}"
"""


class Spin(Peer):
    def __init__(self):
        super().__init__("spin", "Spin, as it is installed here")

    def find(self, tools):
        named, found = os.environ.get("SPIN"), shutil.which("spin")
        # A model checker has the same name.
        if not named and found and not re.match(r"spin \d", first_line(found, "--version") or ""):
            found = None
        missing = "it is not on PATH, nor named by the variable SPIN, and the bench cannot fetch it"
        if named:
            found, missing = named, f"'{named} --version', as the variable SPIN has it, says nothing"
        self._use(Path(found).absolute() if found else None, "--version", missing)

    def command(self, start):
        manifest = start.directory / "spin.toml"
        manifest.write_text(SPIN_MANIFEST.format(guest=start.guest.name))
        return [self.program, "up", "--from", manifest, "--listen", f"127.0.0.1:{start.port}"]


class Microhttpd(Peer):
    def __init__(self):
        title = "libmicrohttpd, which answers with the same bytes without a guest"
        super().__init__("libmicrohttpd", title, runs_wasm=False, stops_at_end_of_input=True)

    def find(self, tools):
        program, reason = tools.build("microhttpd", "-lmicrohttpd")
        self._use(program, "--version", f"no program with libmicrohttpd (Debian package libmicrohttpd-dev): {reason}")

    def command(self, start):
        return [self.program, start.port, max(2, processors()), start.guest, start.content_type]


class Mirror(Peer):
    def __init__(self):
        super().__init__("mirror", "a loop that sends back what it reads", runs_wasm=False, stops_at_end_of_input=True)

    def find(self, tools):
        program, reason = tools.build("mirror", "-lpthread")
        self._use(program, "--version", f"bench/mirror.c could not be built: {reason}")

    def command(self, start):
        return [self.program, start.port, max(2, processors())]


class H2o(Peer):
    def __init__(self):
        super().__init__("h2o", "h2o, which answers with the same bytes from a file", runs_wasm=False)

    def find(self, tools):
        found = shutil.which("h2o") or next(iter(sorted(cache_directory().glob("h2o-*/usr/bin/h2o"))), None)
        self._use(Path(found) if found else None, "--version", "h2o is not there (build/logs/bench-h2o.log says why)")

    def command(self, start):
        files = start.directory / "files"
        files.mkdir(exist_ok=True)
        shutil.copyfile(start.guest, files / start.target.strip("/"))
        configuration = start.directory / "h2o.conf"
        configuration.write_text(
            f"user: {getpass.getuser()}\n"
            f"num-threads: {processors()}\nmax-connections: 20000\n"
            f"listen:\n  host: 127.0.0.1\n  port: {start.port}\n"
            f'file.mime.setdefaulttype: "{start.content_type}"\n'
            f'hosts:\n  default:\n    paths:\n      /:\n        file.dir: "{files}"\n'
        )
        return [self.program, "-c", configuration]


def every_peer():
    return [
        Weir(),
        Wasmtime(),
        Wasmtime("wasmtime-keep", "wasmtime serve, keeping resident what weir keeps", keeps=True),
        Wasmtime("wasmtime-ondemand", "wasmtime serve, without its pool", pooled=False),
        Wasmtime("wasmtime-uncached", "wasmtime serve, without its cache", cached=False),
        Spin(),
        Microhttpd(),
        H2o(),
        Mirror(),
        Weir("weir-1-loop", "weir on one processor", one_loop=True),
        Weir("weir-fresh", "weir, with a new instance for each request", options=("--max-instance-reuse-count", "1")),
    ]


NAMES = tuple(peer.name for peer in every_peer())


class Tools:
    """Programs in C that the bench itself needs, compiled when they are not there or older than their source."""

    SOURCES = {
        "clients": ROOT / "bench/clients.c",
        "microhttpd": ROOT / "bench/microhttpd.c",
        "mirror": ROOT / "bench/mirror.c",
        "open_load": ROOT / "tests/helpers/open_load.c",
    }

    def __init__(self, directory=ROOT / "build/bench"):
        self.directory = Path(directory)

    def build(self, name, *libraries):
        """(the program, None), or (None, the reason)."""
        source, program = self.SOURCES[name], self.directory / name
        if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
            return program, None
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            return None, "there is no C compiler"
        self.directory.mkdir(parents=True, exist_ok=True)
        new = program.with_suffix(f".{os.getpid()}")
        done = subprocess.run(
            [*compiler.split(), "-std=c17", "-D_GNU_SOURCE", "-O2", "-Wall", "-o", new, source, *libraries],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if "error" in line]
            return None, (errors or done.stderr.splitlines() or ["the compiler failed"])[0]
        new.replace(program)
        return program, None


def emulator():
    name = f"qemu-{platform.machine()}"
    return shutil.which(name) or shutil.which(f"{name}-static")
