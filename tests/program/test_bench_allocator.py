"""weir bench allocator: JSON alone on standard output, with a regret that is a number."""
# ctest: serial timeout=700

import pytest

from bench_allocator import measure, need_bench


@pytest.mark.parametrize("environment", ["native", "rlimit-as-400mib"], indirect=True)
def test_bench_allocator_tells_regret_choice_and_cells(environment):
    need_bench(environment)
    measure(environment)
