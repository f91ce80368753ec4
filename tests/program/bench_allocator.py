"""`weir bench allocator --json`, run in an environment and read: what its tests share."""

import json
import math

import pytest

# It promises to be done in two minutes, under emulation too; a machine that does other work takes longer.
DEADLINE = 300.0


def need_bench(environment):
    """Skip where the program does not know the command."""
    done = environment.run(["weir", "bench", "allocator", "--help"])
    if done.status == 2:
        pytest.skip(f"this weir has no `bench allocator`: {done.errors.decode(errors='replace').strip()}")
    assert done.status == 0, done


def measure(environment):
    """One run with its choice made anew; gives the report after checking its shape."""
    environment.forget()
    done = environment.run(["weir", "bench", "allocator", "--json"], timeout=DEADLINE)
    assert done.status == 0, done
    report = json.loads(done.output)  # fails when anything else stands on standard output
    assert {"regret", "choice", "cells"} <= set(report), done
    regret = report["regret"]
    assert isinstance(regret, (int, float)) and not isinstance(regret, bool), done
    assert math.isfinite(regret) and regret >= 0, done
    assert report["choice"], done
    assert isinstance(report["cells"], list) and report["cells"], done
    return report
