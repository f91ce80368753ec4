"""Which requests reach whom: parameters, precedence, private routes, static responses, and the endpoints that the host
keeps for itself."""

import contextlib
import os
import pty
import re

import pytest

from test_request import environment_of, headers_of, lines_of

HEAD = """\
spin_manifest_version = 2

[application]
name = "routing"
version = "1"
"""


@pytest.fixture
def make_application(guest, tmp_path):
    """A spin.toml of triggers, and of the components that they may name."""

    def make(triggers):
        path = tmp_path / "spin.toml"
        path.write_text(
            f"{HEAD}{triggers}\n"
            f'[component.request]\nsource = "{guest("http_request")}"\n'
            f'[component.other]\nsource = "{guest("http_request")}"\nenvironment = {{ NAME = "other" }}\n'
            f'[component.environment]\nsource = "{guest("wagi_environment")}"\n'
        )
        return path

    return make


def trigger(route, component="request", more=""):
    return f'[[trigger.http]]\nroute = "{route}"\ncomponent = "{component}"\n{more}'


def static(route, response):
    return f'[[trigger.http]]\nroute = "{route}"\nstatic_response = {{ {response} }}\n'


WAGI = 'executor = { type = "wagi" }\n'


# ---- parameters and precedence ---------------------------------------------------------------------------------------


def test_a_guest_is_told_what_the_parameters_of_its_route_stand_for(weir_checked, make_application, serve):
    """Spin's crates/trigger-http/src/headers.rs: compute_default_headers, prepare_header_key."""
    server = serve(
        weir_checked,
        make_application(
            trigger("/user/:user_id/files/:name.json")
            + trigger("/user/:user_id/...")
            + trigger("/wagi/:User-id/...", "environment", WAGI)
        ),
    )
    headers = headers_of(server.get("/user/4%2F2/files/a.json?x=y", {"spin-path-match-user-id": "forged"}))
    assert headers["spin-path-match-user-id"] == ["4%2F2"]
    assert headers["spin-path-match-name"] == ["a"]
    assert headers["spin-matched-route"] == ["/user/:user_id/files/:name.json"]
    assert headers["spin-component-route"] == ["/user/:user_id/files/:name.json"]
    assert headers["spin-path-info"] == [""]
    headers = headers_of(server.get("/user/42/files/a.txt"))
    assert headers["spin-path-match-user-id"] == ["42"]
    assert "spin-path-match-name" not in headers
    assert headers["spin-path-info"] == ["/files/a.txt"]
    assert headers["spin-component-route"] == ["/user/:user_id"]
    environment = environment_of(server.get("/wagi/42/b"))
    assert environment["X_PATH_MATCH_USER-ID"] == "42"
    assert environment["PATH_INFO"] == "/b"
    assert environment["SCRIPT_NAME"] == "/wagi/:User-id"
    assert server.get("/user//files/a.json").status == 404
    assert server.get("/user/").status == 404


def matched(server, path):
    response = server.get(path)
    if response.status == 404:
        assert response.body == b""
        return None
    return headers_of(response)["spin-matched-route"][0]


def test_the_most_special_route_answers(weir, make_application, serve):
    """Spin's crates/routes/src/lib.rs on routefinder 0.5.4; the order of the listing is the one of precedence."""
    routes = ["/a/...", "/a/:x", "/a/b/...", "/a/:x/c", "/a/b", "/", "/z"]
    server = serve(weir, make_application("".join(map(trigger, routes))))
    for path, route in [
        ("/", ""),
        ("/a", "/a/..."),
        ("/a/", "/a/..."),
        ("/a/b", "/a/b"),
        ("//a/b//", "/a/b"),
        ("/a/b/c", "/a/b/..."),
        ("/a/d", "/a/:x"),
        ("/a/d/c", "/a/:x/c"),
        ("/a/d/e", "/a/..."),
        ("/A/b", None),
        ("/%61/b", None),
        ("/z?a", "/z"),
        ("/zz", None),
    ]:
        assert matched(server, path) == route, path
    listed = re.findall(rf"(?m)^  request: {re.escape(server.url)}(\S*(?: \(wildcard\))?)$", server.stdout.text)
    assert listed == ["/", "/z", "/a/b", "/a/b (wildcard)", "/a/:x", "/a/:x/c", "/a (wildcard)"]


def test_of_equal_routes_the_last_one_is_served_and_the_others_are_named(weir, make_application, serve):
    server = serve(
        weir,
        make_application(trigger("/same") + trigger("/u/:a") + trigger("/same", "other") + trigger("/u/:b", "other")),
    )
    assert "environment NAME=other" in lines_of(server.get("/same"))
    assert "environment NAME=other" not in lines_of(server.get("/u/1"))
    server.stderr.wait_for(r'spin\.toml:7:9: route "/same" of component "request" is never reached: .*line 13.*last one')
    server.stderr.wait_for(r'spin\.toml:16:9: route "/u/:b" of component "other" is never reached: .*line 10.*first one')


def test_the_hosts_own_endpoints_come_before_any_route(weir_checked, make_application, serve):
    """Spin's crates/trigger-http/src/server.rs: by the raw path, for any method."""
    server = serve(
        weir_checked,
        make_application(
            trigger("/...") + trigger("/.well-known/spin/health", "other") + static("/.well-known/spin/x", "body = 'x'")
        ),
    )
    for method in ("GET", "POST", "DELETE"):
        response = server.request(method, "/.well-known/spin/health?x")
        assert (response.status, response.body, response.get("content-type")) == (200, b"OK", None)
    for target in ("/.well-known/spin/health/", "/.well-known/spin/x", "/.well-known/spin/"):
        response = server.get(target)
        assert (response.status, response.body) == (404, b""), target
    for target in ("/.well-known/spin", "/.well-known/spindle/x", "/.well-known//spin/health"):
        assert matched(server, target) == "/...", target
    assert "/.well-known/spin/ are answered by weir itself" in server.stderr.text


def test_a_catch_all_is_hinted_at_once_and_on_a_terminal_alone(weir, make_application, serve):
    """Spin's crates/trigger-http/src/server.rs, not_found."""
    path = make_application(trigger("/a"))
    ours, its = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        on_terminal = weir.wrapped("sh", "-c", 'terminal=$0; exec "$@" 2>"$terminal"', os.ttyname(its))
        server = serve(on_terminal, path)
        for target in ("/a", "/.well-known/spin/x", "/b/" + "c" * 200, "/d"):
            server.get(target)
        server.stop()
        os.close(its)
        said = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while more := terminal.read(65536):
                said += more
    assert len(re.findall(rb"no route matches", said)) == 1, said
    assert re.search(rb"no route matches /b/c{117}\.\.\., which .* add a route \"/\.\.\.\"", said), said
    server = serve(weir, path)
    assert server.get("/b").status == 404
    server.stop()
    assert "no route matches" not in server.stderr.text


# ---- private routes --------------------------------------------------------------------------------------------------

PRIVATE = '[[trigger.http]]\nroute = { private = true }\ncomponent = "other"\n'


def test_a_private_component_has_no_route(weir_checked, make_application, serve):
    server = serve(weir_checked, make_application(trigger("/public") + PRIVATE))
    assert matched(server, "/public") == "/public"
    for path in ("/", "/other", "/private"):
        assert matched(server, path) is None
    assert "other" not in server.stdout.text


def test_a_private_component_is_loaded_all_the_same(weir_checked, make_application, tmp_path):
    path = make_application(trigger("/public") + PRIVATE)
    path.write_text(re.sub(r'(?<=\[component\.other\]\n)source = .*', 'source = "missing.wasm"', path.read_text()))
    done = weir_checked.run("up", path)
    assert done.status == 2, done
    assert re.search(r'spin\.toml:\d+:10: component "other": .*missing\.wasm', done.stderr), done


def test_an_application_of_private_components_alone_answers_nothing(weir_checked, make_application, serve):
    server = serve(weir_checked, make_application(PRIVATE))
    assert matched(server, "/") is None
    assert server.get("/.well-known/spin/health").status == 200


# ---- static responses ------------------------------------------------------------------------------------------------


def fields(response):
    return [(name, value) for name, value in response.headers if name != "date"]


def test_a_static_response_is_served_without_a_guest(weir_checked, make_application, serve):
    """Spin's crates/http/src/config.rs, StaticResponse; crates/trigger-http/src/server.rs, respond_static_response."""
    server = serve(
        weir_checked,
        make_application(
            static("/", 'body = "héllo\\n", headers = { content-type = "text/plain", Set-Cookie = "a=b", x = "" }')
            + static("/gone/...", "status_code = 410")
            + static("/moved", 'status_code = 302, headers = { location = "/", date = "yesterday" }')
            + static("/nothing", 'status_code = 204, body = "x"')
            + static("/same", 'status_code = 304, body = "x", headers = { etag = "1" }')
            + static("/later", 'status_code = 503, body = "x"')
            + static("/odd", 'status_code = 999, body = "x"')
        ),
    )
    body = "héllo\n".encode()
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"):
        response = server.request(method, "/?a=b")
        assert (response.status, response.body) == (200, body)
        assert fields(response) == [
            ("content-type", "text/plain"),
            ("set-cookie", "a=b"),
            ("x", ""),
            ("content-length", "7"),
        ]
        assert len(response.all("date")) == 1
    head = server.request("HEAD", "/")
    assert (head.status, head.body) == (200, b"") and fields(head) == fields(response)
    gone = server.get("/gone/for/good")
    assert (gone.status, gone.body, fields(gone)) == (410, b"", [("content-length", "0")])
    moved = server.get("/moved")
    assert (moved.status, moved.get("location"), moved.all("date")) == (302, "/", ["yesterday"])
    for target, status in (("/nothing", 204), ("/same", 304)):
        response = server.get(target)
        assert (response.status, response.body, response.all("content-length")) == (status, b"", [])
    assert server.get("/same").get("etag") == "1"
    later = server.get("/later")
    assert (later.status, fields(later)) == (503, [("content-length", "1")])
    assert (server.get("/odd").status, server.get("/odd").body) == (999, b"x")
    assert "http-trigger1: " in server.stdout.text


def test_a_static_response_leaves_the_connection_usable(weir_checked, make_application, serve):
    server = serve(weir_checked, make_application(static("/", 'body = "static"') + trigger("/guest")))
    with server.wire() as wire:
        for _ in range(3):
            wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
            assert wire.response().body == b"static"
            wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")
            assert wire.response().body == b"static"
            wire.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /guest HTTP/1.1\r\nHost: a\r\n\r\n")
            assert wire.response("HEAD").get("content-length") == "6"
            assert "spin-matched-route: /guest" in wire.response().text


def test_a_static_response_does_not_wait_for_the_body_that_nobody_reads(weir_checked, make_application, serve):
    server = serve(weir_checked, make_application(static("/", 'body = "static", headers = { x-a = "1" }')))
    for head, method, body in (
        ("POST / HTTP/1.1\r\nContent-Length: 10", "POST", b"static"),
        ("POST / HTTP/1.1\r\nContent-Length: 10\r\nExpect: 100-continue", "POST", b"static"),
        ("HEAD / HTTP/1.1\r\nContent-Length: 10", "HEAD", b""),
    ):
        with server.wire() as wire:
            wire.send(f"{head}\r\nHost: a\r\n\r\n".encode())
            response = wire.response(method)
            assert (response.status, response.body, response.get("x-a")) == (200, body, "1"), head
            assert response.get("content-length") == "6"


@pytest.mark.parametrize("status", [200, 204])
def test_the_largest_static_response_is_served_whole(weir_checked, make_application, serve, status):
    """Its head does not fit beside that of a request with large headers."""
    values = ["v" * 1000 + str(number) for number in range(8)]
    headers = ", ".join(f'x-{number} = "{value}"' for number, value in enumerate(values))
    body = "0123456789" * 90_000
    server = serve(
        weir_checked,
        make_application(static("/", f'status_code = {status}, body = "{body}", headers = {{ {headers} }}')),
    )
    expected = body.encode() if status == 200 else b""
    for request_headers in ({}, {f"y-{number}": "w" * 1200 for number in range(8)}):
        response = server.get("/", request_headers)
        assert response.status == status and response.body == expected
        assert [response.get(f"x-{number}") for number in range(8)] == values
        assert server.request("HEAD", "/", headers=request_headers).get("x-7") == values[7]


def test_an_application_needs_no_component(weir_checked, tmp_path, serve):
    path = tmp_path / "spin.toml"
    path.write_text(HEAD + static("/...", 'body = "all of it"'))
    server = serve(weir_checked, path)
    assert server.get("/anything").body == b"all of it"


# ---- what is wrong, as its author sees it ----------------------------------------------------------------------------

WRONG = {
    "a route that is not private": (
        '[[trigger.http]]\nroute = { private = false }\ncomponent = "request"\n',
        r'7:9: "route" in \[\[trigger\.http\]\] of component "request" must be a path or \{ private = true \}',
    ),
    "both a component and a static response": (
        '[[trigger.http]]\nroute = "/"\ncomponent = "request"\nstatic_response = {}\n',
        "9:1: a trigger has a component or a static_response",
    ),
    "neither": ('[[trigger.http]]\nroute = "/"\n', '6:1: "component" is missing'),
    "a status that is none": (static("/", "status_code = 99"), "8:35: .* is 99; a response has one from 200 to 999"),
    "a header that breaks the line": (
        static("/", 'headers = { x = "a\\r\\nb: c" }'),
        r'8:37: the value "a\\r\\nb: c" of header "x" .* has a control character',
    ),
    "a parameter without a name": (trigger("/a/:"), '7:9: route "/a/:" of component "request" is not served: .*name is'),
    "a wildcard with a name": (trigger("/*rest"), r'7:9: route "/\*rest" of component "request" is not served: '),
    "a wildcard within": (trigger("/a/*/b"), r'7:9: route "/a/\*/b" of component "request" is not served: '),
    "a misspelt key": (trigger("/", more="executer = {}\n"), '9:1: unknown key "executer" .*did you mean "executor"'),
    "a misspelt component": (trigger("/", "requset"), '8:13: there is no component "requset"; did you mean "request"'),
    "a key twice": (trigger("/", more='route = "/"\n'), "9:1: cannot be read as TOML: duplicate key: route; remove one"),
    "a variable without a value": ("[variables]\nv = {}\n" + trigger("/"), '7:1: variable "v" has no value'),
    "a source in a registry": (
        '[[trigger.http]]\nroute = "/"\ncomponent = { source = { package = "a:b", version = "1.0" } }\n',
        '8:24: .* is the package "a:b" of a registry, and weir reads none',
    ),
    "a digest that is none": (
        '[[trigger.http]]\nroute = "/"\ncomponent = { source = { url = "https://a/", digest = "md5:0" } }\n',
        '8:55: digest "md5:0" .* is not "sha256:" and 64 hexadecimal digits',
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_shown_with_its_place(weir_checked, make_application, case):
    triggers, words = WRONG[case]
    done = weir_checked.run("up", make_application(triggers))
    assert done.status == 2 and done.stdout == "", done
    assert done.stderr.count("\n") == 1 and re.search(rf"spin\.toml:{words}", done.stderr), done


def test_a_manifest_of_version_one_is_told_line_by_line_what_to_change(weir_checked, tmp_path):
    path = tmp_path / "spin.toml"
    path.write_text(
        'spin_manifest_version = "1"\nname = "old"\nversion = "1.0.0"\ntrigger = { type = "http", base = "/" }\n\n'
        '[[component]]\nid = "hello"\nsource = "hello.wasm"\n[component.trigger]\nroute = "/hello"\n'
    )
    done = weir_checked.run("up", path)
    assert done.status == 2 and done.stderr.count("\n") == 1, done
    for words in (
        "spin.toml:1:1: this is a manifest of version 1",
        "line 1: write spin_manifest_version = 2",
        "line 2: name goes into [application]",
        "line 3: version goes into [application]",
        "line 4: remove [trigger]",
        "line 6: [[component]] becomes [component.hello]",
        'line 9: its trigger becomes [[trigger.http]] with component = "hello"',
    ):
        assert words in done.stderr, done
