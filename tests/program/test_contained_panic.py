"""A panic inside the bridge costs the request that ran into it, not the process.

Wasmtime panics when the system refuses to unmap an instance's memory, which strace can make it do.
"""

import shutil
import signal
import subprocess

import pytest


@pytest.fixture
def strace():
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed: nothing can make a system call fail")
    return found


class Refusals:
    """While it is entered, the first calls of munmap(2) in each thread of a server fail."""

    def __init__(self, strace, server, log):
        self.log = log
        self.command = [strace, "-f", "-p", str(server.process.pid), "-o", str(log), "-e", "trace=munmap"]
        self.command += ["-e", "inject=munmap:error=ENOMEM:when=1..2"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "attached" in line:
                return self
        pytest.skip(f"strace cannot attach to another process here: {''.join(said).strip()}")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.stderr.close()
        self.process.wait(30)

    def count(self):
        return self.log.read_text().count("(INJECTED)")


@pytest.mark.parametrize("target", ["/hello", "/cgi/x"])
def test_a_panic_costs_its_request_and_not_the_process(weir, serve, hello, strace, tmp_path, target):
    server = serve(weir, hello, environment={"SPIN_ALLOCATOR": "ondemand"})
    assert server.get(target).status == 200
    with Refusals(strace, server, tmp_path / "strace") as refusals:
        response = server.get(target)
    assert refusals.count() > 0, "no call was refused"
    assert (response.status, response.body) == (500, b""), server.log
    server.stderr.wait_for(r"^weir: error: .*panicked")
    for _ in range(20):
        assert server.get(target).status == 200, server.log
    server.stopped = True  # here, because the fixture wants a log without a panic
    server.send_signal()
    assert server.wait() == 0, server.log
