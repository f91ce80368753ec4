# ctest: timeout=400 serial
"""A minute of everything at once: guests and clients of all kinds, 256 at a time, also over TLS. Every request gets its
right answer or a refusal that is documented, and the server holds no more afterwards than before. test_soak_long.py is
the same for half an hour."""

import os

import pytest

from harness import all_in_background
from soak import MAX_GROWTH, judge_access_log, options, rounds_of_100_ms, soak, write_soak_application

SECONDS = float(os.environ.get("WEIR_SOAK_SECONDS", "60"))


@pytest.fixture(scope="module")
def soaked(guest, hello, tmp_path_factory):
    return write_soak_application(tmp_path_factory.mktemp("soak"), guest, hello)


def test_a_minute_of_all_guests_and_clients(weir, serve, soaked, certificates, tmp_path):
    logs = [tmp_path / "plain.log", tmp_path / "secure.log"]
    tls = ["--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key"]
    plain = serve(weir, soaked, *options(logs[0]))
    secure = serve(weir, soaked, *options(logs[1], *tls))
    rounds = rounds_of_100_ms(plain)
    runs = [(plain, 224, None), (secure, 32, str(certificates / "ca.pem"))]
    with all_in_background(lambda run: soak(run[0], SECONDS, run[1], 1, run[2], rounds), runs) as results:
        for (server, *_), log, result in zip(runs, logs, results):
            done = result(SECONDS + 300)
            _, second, last = done["resident_thirds"]
            # In a minute it may still be warming up: that it does not go on growing is for the long soak to show.
            assert last <= second * MAX_GROWTH * 1.1, done["resident_thirds"]
            server.stop()
            judge_access_log(log, done)


@pytest.mark.parametrize("flavour", ["weir_asan", "weir_tsan"])
def test_sanitizers_have_nothing_to_say(request, flavour, serve, soaked, tmp_path):
    server = serve(request.getfixturevalue(flavour), soaked, *options(tmp_path / "access.log"), seconds=120)
    results = soak(server, SECONDS / 3, 64, rounds=10_000_000)
    server.stop()
    judge_access_log(tmp_path / "access.log", results)
