"""A thousand reloads under load: no failed request, and no growth."""
# ctest: timeout=5400 serial label=long

from reloads import Versions
from test_reload import reload_under_load, wait_until_resident_is


def test_a_thousand_reloads_fail_no_request_and_nothing_grows(weir, serve, guest, tmp_path):
    versions = Versions(tmp_path / "app", guest)
    server, before, after, load = reload_under_load(weir, serve, versions, tmp_path / "temp", 1000, warm=100)
    print(f"before: {before}; after: {after}; answers: {load.counts}")
    wait_until_resident_is(before.resident * 1.05 + (2 << 20), server)
    print(f"in the end {server.resident_bytes() / (1 << 20):.1f} MiB are resident")
    server.stop()
