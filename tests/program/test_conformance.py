"""What Spin's own tests and sources say of routes, reserved paths and requests, asked of the program from outside. The
sections are those of docs/spin-compatibility.md.

Spin's sources: spinframework/spin at 94a8fc8a; its router is routefinder 0.5.4.
"""

import json

import pytest

from conftest import make_program
from harness import Component, Server, load, write_application

# Declared in this order, each as a component of its own, which is told its number.
ROUTES = [
    "/",
    "/foo/...",
    "/foo",
    "/foo/bar",
    "one/...",
    "/one/two/...",
    "/one/two/three/...",
    "/u/:id",
    "/u/me",
    "/u/:id/posts",
    "/1/:two/3",
    "/w/:two/...",
    "/f/:name.json",
    "/trail/",
    "/dup",
    "/star/*",
    "/dup",
    "/.well-known/spin/never",
    "/.well-known/spindle/...",
]


@pytest.fixture(scope="module", params=["release", "asan"])
def routed(request, guest, tmp_path_factory):
    directory = tmp_path_factory.mktemp(f"routed-{request.param}")
    components = [
        Component(f"c{number}", route, guest("http_request"), environment={"NUMBER": str(number)})
        for number, route in enumerate(ROUTES)
    ]
    server = Server(make_program(request.param, directory), write_application(directory, components, version=None))
    try:
        server.wait_until_serving()
        yield server
        server.stop()
    finally:
        server.kill()


def ask(server, method, target, host="a"):
    with server.wire() as wire:
        wire.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return wire.response(method)


def report_of(response):
    """The guest's lines: headers by name, and the number of the component."""
    assert response.status == 200, response
    lines = response.text.splitlines()
    headers = dict(line.removeprefix("header ").split(": ", 1) for line in lines if line.startswith("header "))
    number = next(line.rpartition("=")[2] for line in lines if line.startswith("environment NUMBER="))
    return headers, int(number)


# ---- section 2: routes -----------------------------------------------------------------------------------------------

# The path; the route that answers it, what the wildcard took, and the parameters. Without a comment: crates/routes/src/
# lib.rs, the tests test_router_exact, test_router_respects_longest_match, test_router_exact_beats_wildcard,
# trailing_wildcard_is_captured, trailing_wildcard_respects_trailing_slash, named_wildcard_is_captured.
ANSWERED = [
    ("/foo", "/foo", "", {}),
    ("/foo/bar", "/foo/bar", "", {}),
    ("/foo/hello", "/foo/...", "/hello", {}),
    ("/foo/hello/", "/foo/...", "/hello/", {}),
    ("/one", "one/...", "", {}),
    ("/one/", "one/...", "/", {}),
    ("/one/2/3", "one/...", "/2/3", {}),
    ("/one/two/three/four", "/one/two/three/...", "/four", {}),
    ("/one/two/three", "/one/two/three/...", "", {}),
    ("/one/two/four", "/one/two/...", "/four", {}),
    ("/1/2/3", "/1/:two/3", "", {"two": "2"}),
    ("/w/2/3", "/w/:two/...", "/3", {"two": "2"}),
    # The same, for the path's end
    ("/w/2", "/w/:two/...", "", {"two": "2"}),
    ("/w/2/", "/w/:two/...", "/", {"two": "2"}),
    # routefinder's Router::best_match trims the slashes at both ends
    ("/", "/", "", {}),
    ("//", "/", "", {}),
    ("/foo/", "/foo", "", {}),
    ("//foo//", "/foo", "", {}),
    ("/trail", "/trail/", "", {}),
    ("/trail/", "/trail/", "", {}),
    # routefinder's Segment: text before parameters, parameters before wildcards
    ("/u/me", "/u/me", "", {}),
    ("/u/you", "/u/:id", "", {"id": "you"}),
    ("/u/me/posts", "/u/:id/posts", "", {"id": "me"}),
    # nothing decodes a path
    ("/u/%6de", "/u/:id", "", {"id": "%6de"}),
    # routefinder's Segment::Dot
    ("/f/a.json", "/f/:name.json", "", {"name": "a"}),
    # crates/routes/src/lib.rs, parse_route: an asterisk at the end is the dots
    ("/star/x", "/star/*", "/x", {}),
    # crates/routes/src/lib.rs, unreserved_routes_are_unreserved
    ("/.well-known/spindle/x", "/.well-known/spindle/...", "/x", {}),
]


@pytest.mark.parametrize(("path", "route", "path_info", "parameters"), ANSWERED, ids=lambda value: str(value))
def test_routes_answer_what_spins_router_gives_them(routed, path, route, path_info, parameters):
    headers, number = report_of(ask(routed, "GET", path))
    assert ROUTES[number] == route
    assert headers["spin-raw-component-route"] == route
    # Spin leaves an asterisk there, but not dots; weir treats both alike (routes/asterisk in the table).
    assert headers["spin-component-route"] == route.removesuffix("/...").removesuffix("/*")
    assert headers["spin-path-info"] == path_info
    prefix = "spin-path-match-"
    matches = {name.removeprefix(prefix): value for name, value in headers.items() if name.startswith(prefix)}
    assert matches == parameters


UNANSWERED = ["/foobar", "/Foo", "/fo", "/oneself", "/u", "/u/", "/u/a/b", "/u//posts", "/1/2", "/1/2/4", "/1//3", "/f/a"]
UNANSWERED += ["/f/a.jso", "/f/.json", "/trail/x", "/dupe", "/.well-known/spindl"]


@pytest.mark.parametrize("path", UNANSWERED)
def test_routes_leave_what_spins_router_does_not_match_as_404(routed, path):
    response = ask(routed, "GET", path)
    assert (response.status, response.body) == (404, b"")


def test_of_two_routes_with_the_same_text_the_last_one_answers_and_the_other_is_named(routed):
    """crates/routes/src/lib.rs, duplicate_routes_last_one_wins"""
    _, number = report_of(ask(routed, "GET", "/dup"))
    assert number == len(ROUTES) - 1 - ROUTES[::-1].index("/dup")
    routed.stderr.wait_for(rf"/dup.*\bc{ROUTES.index('/dup')}\b")


def test_a_reserved_route_is_named_and_never_reached(routed):
    """crates/routes/src/lib.rs, reserved_routes_are_reserved; crates/trigger-http/src/server.rs, handle"""
    assert ask(routed, "GET", "/.well-known/spin/never").status == 404
    routed.stderr.wait_for(r"/\.well-known/spin/never")


def test_every_route_is_listed_but_the_one_that_lost(routed):
    listed = [line for line in routed.stdout.lines if line.startswith("  c")]
    names = sorted(line.split(":")[0].strip() for line in listed)
    lost = ROUTES.index("/dup")
    assert names == sorted(f"c{number}" for number in range(len(ROUTES)) if number != lost)
    assert any(line.endswith("/foo (wildcard)") for line in listed)


# ---- section 3: reserved paths (crates/trigger-http/src/server.rs, handle and app_info) -----------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_reserved_paths_are_answered_whatever_the_method(routed, method):
    health = ask(routed, method, "/.well-known/spin/health")
    assert (health.status, health.body, health.all("content-type")) == (200, b"OK", [])
    assert ask(routed, method, "/.well-known/spin/nothing").status == 404


def test_info_leaves_out_what_the_manifest_does_not_say(routed):
    """crates/http/src/app_info.rs: keys without a value are not there"""
    assert json.loads(ask(routed, "GET", "/.well-known/spin/info").body) == {"name": "application under test"}


@pytest.mark.parametrize("path", ["//.well-known/spin/health", "/.well-known//spin/health", "/.WELL-KNOWN/spin/health"])
def test_only_the_exact_prefix_is_reserved(routed, path):
    assert ask(routed, "GET", path).status == 404


# ---- section 4: requests (crates/trigger-http/src/server.rs, set_req_uri) ----------------------------------------------


def test_an_absolute_target_that_agrees_with_the_host_is_served(routed):
    headers, _ = report_of(ask(routed, "GET", "http://example.test:81/foo/x?y", host="example.test:81"))
    assert headers["spin-full-url"] == "http://example.test:81/foo/x?y"
    assert headers["spin-path-info"] == "/x"


@pytest.mark.parametrize("host", ["other.test", "example.test:82", "example.test"])
def test_an_absolute_target_that_contradicts_the_host_reaches_no_guest(routed, host):
    response = ask(routed, "GET", "http://example.test:81/foo/x", host=host)
    assert response.status == 400, response


# ---- section 5: executors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["pooling", "compact", "ondemand"])
def test_no_request_sees_the_memory_of_another(weir, guest, tmp_path, serve, strategy):
    """crates/trigger-http/src/{wasi,wagi}.rs: an instance for each request. The guests fill their memory and look for what
    others left there; few slots serve many requests, so that each is used again and again, after traps as well."""
    path = write_application(
        tmp_path / "application",
        [
            Component("component", "/component/...", guest("http_stale")),
            Component("module", "/module", guest("wagi_stale"), wagi=True),
        ],
    )
    server = serve(weir, path, "--max-concurrency", "4", environment={"SPIN_ALLOCATOR": strategy})

    def target(number):
        if number % 10 == 3:
            assert server.get("/component/trap").status == 500
        return ("/component" if number % 2 else "/module"), b"clean\n"

    assert load(server, 300, 8, target) == []
