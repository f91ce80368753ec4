# ctest: timeout=900 serial label=long
"""The latency of light requests beside guests that compute, as measure_balance.py measures it: a ratio of two servers
that take turns on the same machine."""

import subprocess
import sys
from pathlib import Path


def test_light_requests_wait_at_most_a_fifth_as_long_as_without_time_slices(weir, hello, guest):
    measure = Path(__file__).with_name("measure_balance.py")
    guests = guest("http_work").parent
    sides = ["--weir", weir.path, "--hello", hello / "hello.wasm", "--guests", guests]
    done = subprocess.run(
        [sys.executable, measure, *sides, "--rounds", "3", "--at-most", "0.2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout
