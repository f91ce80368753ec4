"""When memory has been there again for long enough, the allocator goes back up, and no request fails because of it."""
# ctest: serial timeout=1200 label=long

import faulthandler

import pytest

from harness import hello_load, load
from test_adapt import MIB, enter, group, hog, steady_load  # noqa: F401 (a fixture among them)


@pytest.fixture(autouse=True)
def patience():
    """This takes longer than pytest.ini's faulthandler_timeout allows for."""
    faulthandler.cancel_dump_traceback_later()


def test_memory_that_is_there_again_takes_the_allocator_back_up_under_load(weir, hello, group, serve):  # noqa: F811
    server = serve(weir.wrapped(*enter(group)), hello)
    with steady_load(server) as failures:
        with hog(group, 8 * MIB):
            server.stderr.wait_for(r"the allocator was reduced automatically, and requests go on", 60)
        found = server.stderr.wait_for(
            r"memory has not been short for (\d+) s; the allocator was raised again.*?: (.*), instead of (.*)", 300
        )
        assert int(found[1]) >= 60 and found[2] != found[3], found[0]
        server.stderr.wait_for(r"the allocator was raised again, to what it was at first: ", 900)
        assert load(server, 500, 8, hello_load) == []
    assert failures == []
