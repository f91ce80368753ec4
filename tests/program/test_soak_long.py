# ctest: timeout=2700 serial label=long
"""Half an hour of everything at once: test_soak.py's guests and clients, and a million requests. WEIR_SOAK_SECONDS sets
another time, with as many requests in proportion."""

import os
import time

from harness import all_in_background
from soak import MAX_GROWTH, judge_access_log, options, rounds_of_100_ms, soak, write_soak_application

SECONDS = float(os.environ.get("WEIR_SOAK_SECONDS", "1800"))
REQUESTS = 1_000_000 * SECONDS / 1800


def test_a_million_requests_in_half_an_hour(weir, guest, hello, serve, certificates, tmp_path):
    application = write_soak_application(tmp_path / "application", guest, hello)
    logs = [tmp_path / "plain.log", tmp_path / "secure.log"]
    tls = ["--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key"]
    plain = serve(weir, application, *options(logs[0]))
    secure = serve(weir, application, *options(logs[1], *tls))
    rounds = rounds_of_100_ms(plain)
    runs = [(plain, 224, 2, None), (secure, 32, 1, str(certificates / "ca.pem"))]
    began = time.monotonic()
    with all_in_background(lambda run: soak(run[0], SECONDS, run[1], run[2], run[3], rounds), runs) as results:
        done = [result(SECONDS + 300) for result in results]
    print(f"after {time.monotonic() - began:.0f} s:")
    for (server, *_), log, result in zip(runs, logs, done):
        server.stop()
        judge_access_log(log, result)
        _, second, last = result["resident_thirds"]
        assert last <= second * MAX_GROWTH, result["resident_thirds"]
    assert sum(result["requests"] for result in done) >= REQUESTS
