"""Environments in a virtual machine: what is set for all of a machine cannot be set on this one."""

import http.client
import io
import shlex
import tarfile

from environment import ENTER_GROUP, MIB, Environment, Outcome, Served
from harness import Expired, Response, to_response


class Machine(Environment):
    """A virtual machine, or a setting in it: the scripts `setup` and `teardown` run before and after every command."""

    DIRECTORY = "/run/served"

    def __init__(self, name, title, memory_mib, setup="", teardown="", prefix=()):
        super().__init__(name, title)
        self.memory_mib = memory_mib
        self._setup = setup
        self._teardown = teardown
        self._prefix = prefix
        self._owner = None

    def open(self, owner):
        self._owner = owner
        owner.machine(self.memory_mib)

    def _script(self, script, files, timeout):
        machine = self._owner.machine(self.memory_mib)
        try:
            return Outcome(*machine.run(f"set -e\n{self._setup}\nset +e\n{script}", files, timeout))
        finally:
            if self._teardown and machine.alive:
                done = machine.run(f"set -e\n{self._teardown}")
                assert done[0] == 0, Outcome(*done)

    def _words(self, words, environment=None):
        changes = [f"{name}={value}" for name, value in (environment or {}).items() if value is not None]
        removed = [word for name, value in (environment or {}).items() if value is None for word in ("-u", name)]
        before = ["env", *removed, *changes] if environment else []
        return shlex.join(str(word) for word in [*before, *self._prefix, *words])

    def run(self, command, files=None, environment=None, timeout=60.0):
        return self._script(f"exec {self._words(command, environment)}", files, timeout)

    def forget(self):
        self._script("rm -rf /work/.cache", None, 60)

    def serve(self, application, targets, at_once=4, arguments=(), environment=None, timeout=60.0):
        directory = self.DIRECTORY
        up = self._words(["weir", "up", application, *arguments, "--listen", "127.0.0.1:0"], environment)
        workers = []
        for first in range(min(at_once, len(targets))):
            # With -e the connection stays open to both sides: one that is half closed is a client that has left.
            asking = [
                f"timeout -s KILL {round(timeout)} nc 127.0.0.1 $port -e {directory}/ask {shlex.quote(targets[number])}"
                f" {directory}/response.{number}"
                for number in range(first, len(targets), at_once)
            ]
            workers.append("(\n" + "\n".join(asking) + "\n) & asking=\"$asking $!\"")
        script = f"""
rm -rf {directory}
mkdir {directory}
cat >{directory}/ask <<'END'
#!/bin/sh
printf 'GET %s HTTP/1.1\\r\\nHost: weir\\r\\nConnection: close\\r\\n\\r\\n' "$1"
exec cat >"$2"
END
chmod +x {directory}/ask
uptime() {{ cut -d ' ' -f 1 /proc/uptime; }}
uptime >{directory}/started
(
    sh -c 'echo $$ >{directory}/pid; exec "$@"' sh {up} >{directory}/output 2>{directory}/errors
    echo $? >{directory}/ending
    mv {directory}/ending {directory}/status
) &
server=$!
while [ -z "$port" ] && [ ! -e {directory}/status ]; do
    usleep 20000
    port=$(sed -n 's|^Serving http://127.0.0.1:\\([0-9]*\\)/*$|\\1|p' {directory}/output)
done
if [ -n "$port" ]; then
    uptime >{directory}/serving
{chr(10).join(workers)}
    [ -z "$asking" ] || wait $asking
    kill -TERM "$(cat {directory}/pid)"
fi
wait $server
tar -c -C {directory} .
"""
        try:
            done = self._script(script, None, 3 * timeout)
        except Expired:
            machine = self._owner.machine(self.memory_mib)
            said = Outcome(*machine.run(f"cat {directory}/output; cat {directory}/errors >&2"))
            raise Expired(f"{self.name}: weir up had not ended after {3 * timeout} s\n{said}") from None
        assert done.status == 0, done
        return self._served(done.output, len(targets))

    @staticmethod
    def _served(packed, count):
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            found = {
                member.name.removeprefix("./"): archive.extractfile(member).read()
                for member in archive.getmembers()
                if member.isfile()
            }
        text = {name: raw.decode(errors="backslashreplace") for name, raw in found.items()}
        serving = "serving" in text
        return Served(
            float(text["serving"]) - float(text["started"]) if serving else None,
            [parse_response(found.get(f"response.{number}", b"")) for number in range(count)] if serving else [],
            int(text["status"]),
            text["output"],
            text["errors"],
        )


def parse_response(raw) -> Response | None:
    class Connection:
        def makefile(self, *_):
            return io.BytesIO(raw)

    response = http.client.HTTPResponse(Connection())
    try:
        response.begin()
        return to_response(response)
    except http.client.HTTPException:
        return None


def machine_group(name, title, *settings):
    """A control group (version 2) of 256 MiB within the machine of 1 GiB."""
    group = "/sys/fs/cgroup/weir"
    lines = [f"mkdir {group}"]
    for file, value in (("memory.max", 256 * MIB), *settings):
        lines.append(f"echo {value} >{group}/{file}")
    return Machine(name, title, 1024, "\n".join(lines), f"rmdir {group}", (*ENTER_GROUP, group))


LEAVE_200_MIB = """
used=$(sed -n 's/^Committed_AS: *\\([0-9]*\\) kB$/\\1/p' /proc/meminfo)
echo $((used + 200 * 1024)) >/proc/sys/vm/overcommit_kbytes
echo 2 >/proc/sys/vm/overcommit_memory
"""
LEAVE_COMMIT_ALONE = "echo 0 >/proc/sys/vm/overcommit_memory; echo 50 >/proc/sys/vm/overcommit_ratio"
