"""200 generated requests through each executor: the guest sees what Spin would tell it, byte for byte, and the body comes
back as it was sent. `generated.py` has the requests and what Spin's sources say of them."""

# ctest: timeout=600

from dataclasses import dataclass

import pytest

from conftest import make_program
from generated import COUNT, LARGEST_BODY, generate, seen_by_component, seen_by_wagi
from harness import Component, Server, in_background, write_application
from mirror import read_report, report_of_component, report_of_wagi


@dataclass
class Executor:
    guest: str
    wagi: bool


EXECUTORS = {
    "http": Executor("http_mirror", False),
    "wagi": Executor("wagi_mirror", True),
    "wagi-component": Executor("program_mirror", True),
}


@pytest.fixture(scope="module", params=["release", "asan"])
def mirrors(request, guest, tmp_path_factory):
    directory = tmp_path_factory.mktemp(f"mirrors-{request.param}")
    components = [
        Component(name, f"/mirror/{name}/...", guest(executor.guest), wagi=executor.wagi)
        for name, executor in EXECUTORS.items()
    ]
    server = Server(make_program(request.param, directory), write_application(directory, components))
    server.flavour = request.param
    try:
        server.wait_until_serving()
        yield server
        server.stop()
    finally:
        server.kill()


def send(wire, generated):
    wire.send(generated.head())
    for piece in generated.pieces():
        wire.send(piece)


@pytest.mark.parametrize("number", range(COUNT))
@pytest.mark.parametrize("name", EXECUTORS)
def test_a_guest_sees_what_spin_tells_it_and_the_body_comes_back(mirrors, name, number):
    executor = EXECUTORS[name]
    generated = generate(number, f"/mirror/{name}")
    with mirrors.wire() as wire:
        ip, port = wire.socket.getsockname()
        expected = (seen_by_wagi if executor.wagi else seen_by_component)(generated, f"{ip}:{port}")
        # Both directions at once: what comes back does not fit a socket's buffer.
        with in_background(lambda: send(wire, generated)) as sent:
            response = wire.response(generated.method)
            sent()
        if expected is None:
            assert (response.status, response.body) == (500, b""), generated
            return
        assert response.status == 200, generated
        assert response.get("content-type") == "application/x-mirror"
        assert response.get("mirror-method") == generated.method
        if generated.method == "HEAD":
            assert response.body == b""
        else:
            items, body = read_report(response.body)
            assert (report_of_wagi if executor.wagi else report_of_component)(items) == expected, generated
            assert len(body) == len(generated.body), generated
            assert body == generated.body, generated
        # The connection is in step: what follows is a response of its own.
        if response.get("connection", "").lower() != "close":
            wire.send(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
            assert wire.response().status == 404, generated


def test_the_generated_requests_have_everything_that_they_are_for():
    """So that a change to the generator cannot quietly take something out."""
    all_of_them = [generate(number, "/x") for number in range(COUNT)]
    assert str(all_of_them[17]) == str(generate(17, "/x"))
    assert {0, 1, LARGEST_BODY} <= {len(request.body) for request in all_of_them}
    assert {True, False} == {request.chunks is None for request in all_of_them if len(request.body) == LARGEST_BODY}
    assert len({request.method for request in all_of_them}) == 10
    paths = [request.path for request in all_of_them]
    for wanted in ("//x", "/..", "/./", "%2f", "%ff", "%zz", "é", "//", "/x/"):
        assert any(wanted in path for path in paths), wanted
    assert any(path.endswith("/") for path in paths)
    assert {None, ""} <= {request.query for request in all_of_them}
    repeated = [len(request.received) - len({name for name, _ in request.received}) for request in all_of_them]
    assert sum(count > 0 for count in repeated) > 20
    assert sum(seen_by_component(request, "1.2.3.4:5") is None for request in all_of_them) >= 5
    assert max(len(request.head()) for request in all_of_them) > 6000
