"""Threads that the system refuses, or their stacks for signals, are told of in words, when weir starts."""

import os
import re
import shutil

import pytest

from environments_here import compile_helper


@pytest.fixture
def strace():
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed: nothing can make a system call fail")
    return found


SAID = (
    r'error: component "\w+" cannot be compiled or linked: the threads for compiling could not be started: '
    r"Resource temporarily unavailable; no thread could be had: raise the limit on processes.*ulimit -u, \w+ here",
    r'error: component "\w+" cannot be compiled or linked: the thread for timers and sockets could not be started: '
    r"Resource temporarily unavailable; no thread could be had: raise the limit on processes.*ulimit -u, \w+ here",
    r"cannot start the server: Resource temporarily unavailable; no thread could be had: raise",
    r"cannot start the server's threads: Resource temporarily unavailable; no thread could be had: raise",
)


def test_a_thread_that_is_refused_is_an_error_in_one_line(weir, hello, strace, tmp_path):
    """All threads are refused from a certain one on, counted by the thread that makes them. On one processor weir's main
    thread makes four or more."""
    taskset = shutil.which("taskset")
    assert taskset, "taskset (util-linux) is needed"
    found = set()
    for number in range(1, 5):
        options = ["-f", "-o", str(tmp_path / "log"), "-e", "trace=clone3"]
        options += ["-e", f"inject=clone3:error=EAGAIN:when={number}+"]
        refusing = weir.wrapped(taskset, "-c", str(min(os.sched_getaffinity(0))), strace, *options)
        done = refusing.run("up", hello, "--listen", "127.0.0.1:0")
        assert "panicked" not in done.stderr and "stack backtrace" not in done.stderr, done
        if "(INJECTED)" not in (tmp_path / "log").read_text():
            pytest.skip("strace cannot make a system call fail here")
        errors = [line for line in done.stderr.splitlines() if line.startswith("weir: error: ")]
        assert done.status == 1 and len(errors) == 1, done
        found |= {text for text in SAID if re.search(text, errors[0])}
        assert any(re.search(text, errors[0]) for text in SAID), done
    assert len(found) >= 2, found


def test_a_stack_for_signals_that_is_refused_is_told_at_the_start(weir, hello, tmp_path):
    library = compile_helper("refuse_signal_stacks", tmp_path, "-shared", "-fPIC")
    done = weir.run("up", hello, "--listen", "127.0.0.1:0", environment={"LD_PRELOAD": str(library)})
    assert done.status == 1, done
    assert "cannot start the server's threads: Cannot allocate memory; free some memory" in done.stderr, done
    assert "panicked" not in done.stderr, done
