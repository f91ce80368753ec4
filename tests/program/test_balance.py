"""Guests that compute, and those who share the server with them. How much it is in figures measure_balance.py tells."""

import contextlib

from harness import in_background


def test_many_that_compute_hold_up_nobody_on_their_loops(weir, application, serve):
    """One that waits, and requests on a connection that is kept, beside more of them than there are loops."""
    server = serve(weir, application, "--request-timeout", "120s")
    with contextlib.ExitStack() as kept:
        for _ in range(8):
            kept.enter_context(server.wire()).send(b"GET /spin HTTP/1.1\r\nHost: a\r\n\r\n")
        server.stderr.wait_for("spinning", count=8)
        wire = kept.enter_context(server.wire())
        with in_background(lambda: server.get("/wait/1000")) as answer:
            for _ in range(50):
                wire.send(b"GET /echo/ignore HTTP/1.1\r\nHost: a\r\n\r\n")
                assert wire.response().body == b"ignored\n"
            assert answer().status == 200
