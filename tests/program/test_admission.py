"""Who gets an instance when there are too few: no component's burst, and none that holds its instances for long, shuts
out another."""

import contextlib
import os

import pytest

from admin import Admin
from harness import Component, all_in_background, in_background, write_application

LOOPS = len(os.sched_getaffinity(0))


@pytest.fixture
def two(weir_checked, serve, guest, tmp_path):
    """An application of two components, served with these options."""

    def start(*options):
        path = write_application(
            tmp_path / "application",
            [Component("slow", "/slow/...", guest("http_wait")), Component("other", "/other/...", guest("http_wait")),
             Component("stream", "/stream/...", guest("http_stream"))],
        )
        return serve(weir_checked, path, *options)

    return start


def test_one_request_does_not_wait_behind_the_burst_of_another_component(two):
    server = two("--max-concurrency", "1")
    burst = 24
    with all_in_background(server.get, ["/slow/100"] * burst) as answers:
        server.stderr.wait_for("waiting")
        assert server.get("/other/1").status == 200
        before_it = sum(answer.done() for answer in answers)
        assert [answer().status for answer in answers] == [200] * burst
    # At most the one under way and the next one on each loop; with one queue for all it would be nearly all of them.
    assert before_it <= burst // 2, f"{before_it} of {burst} were answered before"


def test_instances_that_are_held_for_ever_do_not_shut_out_another_component(two):
    calls = 4 * LOOPS
    server = two("--max-concurrency", str(calls), "--request-timeout", "10s")
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(server.wire()) for _ in range(2 * calls)]
        for wire in wires:
            wire.send(b"GET /stream/forever HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(4):
            assert server.get("/other/1").status == 200
        # Those that were let in go on all the while, one for each call but those that are kept for the silent.
        assert sum(wire.receive() for wire in wires[:1]) == 1


def test_what_is_kept_for_others_is_told_where_a_component_has_all_that_it_may_have(two):
    calls = 8 * LOOPS
    server = two("--max-concurrency", str(calls), "--max-waiting", "0", "--admin", "0")
    admin = Admin(server)
    assert admin.status()["allocator"]["pool"][0]["kept"] == 0, "nothing is kept from those that hold none"
    pool = {}
    with contextlib.ExitStack() as stack:
        for _ in range(20 * calls):
            wire = stack.enter_context(server.wire())
            wire.send(b"GET /stream/forever HTTP/1.1\r\nHost: a\r\n\r\n")
            wire.head()
            [pool] = admin.status()["allocator"]["pool"]
            if pool["live"] + pool["kept"] == pool["max"]:
                break
        # On each loop an eighth of eight.
        assert (pool["kept"], pool["live"], pool["max"]) == (LOOPS, calls - LOOPS, calls)
        slots = {dict(labels)["state"]: value for (name, labels), value in admin.metrics().items() if name == "weir_pool_slots"}
        assert (slots["kept"], slots["live"], slots["max"]) == (LOOPS, calls - LOOPS, calls)
        assert server.get("/stream/forever").status == 503
        server.stderr.wait_for(
            "component stream: a request was answered with 503: all instances that this component may have are in use, and 0 "
            "requests wait already"
        )


def test_a_full_queue_has_room_for_a_component_that_has_less_than_its_share(two):
    server = two("--max-concurrency", "1", "--max-waiting", str(8 * LOOPS))
    burst = 40 * LOOPS
    with all_in_background(server.get, ["/slow/60"] * burst) as answers:
        server.stderr.wait_for("requests wait already")
        assert server.get("/other/1").status == 200
        statuses = [answer().status for answer in answers]
    assert set(statuses) == {200, 503}, statuses


def test_a_request_that_is_turned_away_is_told_when_to_come_again(two):
    server = two("--max-concurrency", "1", "--max-waiting", str(LOOPS))
    with all_in_background(server.get, ["/slow/200"] * (8 * LOOPS)) as answers:
        responses = [answer() for answer in answers]
    refused = [response for response in responses if response.status == 503]
    assert refused and len(refused) < len(responses)
    for response in refused:
        assert 1 <= int(response.get("retry-after")) <= 60, response


def test_a_client_that_resets_while_its_request_waits_leaves_the_queue(two):
    """Its place is free at once: another's request has it."""
    server = two("--max-concurrency", "1", "--max-waiting", str(LOOPS))
    with in_background(lambda: server.get("/slow/3000")) as held:
        server.stderr.wait_for("waiting")
        for _ in range(20 * LOOPS):
            wire = server.wire()
            wire.send(b"GET /slow/1 HTTP/1.1\r\nHost: a\r\n\r\n")
            wire.reset()
        # A place is free as soon as the loops have looked, and long before the instance is.
        while server.get("/slow/1").status != 200:
            assert not held.done()
        assert held().status == 200
