"""What a guest is told of a request: Spin's headers, CGI's variables, and nothing that a client can forge."""

import json
import re

import pytest

from harness import Component, write_application


def lines_of(response):
    assert response.status == 200, response
    return response.text.splitlines()


def headers_of(response):
    found = {}
    for line in lines_of(response):
        if line.startswith("header "):
            name, value = line.removeprefix("header ").split(": ", 1)
            found.setdefault(name, []).append(value)
    return found


def environment_of(response):
    pairs = [
        line.removeprefix("environment ").split("=", 1)
        for line in lines_of(response)
        if line.startswith("environment ")
    ]
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), f"a variable is there twice: {sorted(names)}"
    return dict(pairs)


def arguments_of(response):
    return [line.removeprefix("argument ") for line in lines_of(response) if line.startswith("argument")]


# ---- components ------------------------------------------------------------------------------------------------------

# target, spin-path-info, route as written, route without its wildcard
ROUTES = [
    ("/request/a/b", "/a/b", "/request/...", "/request"),
    ("/request/a/b?c=d", "/a/b", "/request/...", "/request"),
    ("/request/a%2fb%20c", "/a%2fb%20c", "/request/...", "/request"),
    ("/request/", "/", "/request/...", "/request"),
    ("/request/h/", "/h/", "/request/...", "/request"),
    ("/request", "", "/request/...", "/request"),
    ("/request?q", "", "/request/...", "/request"),
    ("/request/exact", "", "/request/exact", "/request/exact"),
]


@pytest.mark.parametrize(("target", "path_info", "raw", "route"), ROUTES)
def test_the_spin_headers_describe_the_request(served, target, path_info, raw, route):
    with served.wire() as wire:
        wire.send(f"GET {target} HTTP/1.1\r\nHost: example.test:81\r\n\r\n".encode())
        response = wire.response()
        ip, port = wire.socket.getsockname()[:2]
    headers = headers_of(response)
    assert {name: values for name, values in headers.items() if name.startswith("spin-")} == {
        "spin-path-info": [path_info],
        "spin-full-url": [f"http://example.test:81{target}"],
        "spin-matched-route": [raw],
        "spin-base-path": ["/"],
        "spin-raw-component-route": [raw],
        "spin-component-route": [route],
        "spin-client-addr": [f"{ip}:{port}"],
    }
    lines = lines_of(response)
    assert "method GET" in lines
    assert "scheme http" in lines
    assert "authority example.test:81" in lines
    assert f"target {target}" in lines


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"])
def test_every_method_reaches_the_guest(served, method):
    assert f"method {method}" in lines_of(served.request(method, "/request/x"))
    assert environment_of(served.request(method, "/wagi/environment"))["REQUEST_METHOD"] == method


def test_headers_reach_a_component_as_they_were_sent(served):
    with served.wire() as wire:
        wire.send(
            b"GET /request/x HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-two:  padded \t\r\nX-One: 2\r\nX-Empty:\r\n"
            b"Cookie: a=b; c=d\r\nX-Utf8: gr\xc3\xbcn\r\n\r\n"
        )
        headers = headers_of(wire.response())
    assert headers["x-one"] == ["1", "2"]
    assert headers["x-two"] == ["padded"]
    assert headers["x-empty"] == [""]
    assert headers["cookie"] == ["a=b; c=d"]
    assert headers["x-utf8"] == ["grün"]


def test_a_component_does_not_see_the_connections_headers(served):
    """crates/trigger-http/src/headers.rs, strip_forbidden_headers: Connection; and DEFAULT_FORBIDDEN_HEADERS of
    wasmtime-wasi-http, which Spin keeps: Keep-Alive and others"""
    headers = headers_of(
        served.get("/request/x", headers={"Connection": "keep-alive, X-Kept", "Keep-Alive": "timeout=5", "X-Kept": "1"})
    )
    assert "connection" not in headers and "keep-alive" not in headers
    assert headers["x-kept"] == ["1"]


FORGED = [
    "Spin-Path-Info",
    "spin-full-url",
    "SPIN-CLIENT-ADDR",
    "spin-matched-route",
    "spin-base-path",
    "spin-component-route",
    "spin-raw-component-route",
    "spin-path-match-id",
    "spin-anything",
]


@pytest.mark.parametrize("name", FORGED)
def test_a_clients_spin_headers_are_dropped(served, name):
    headers = headers_of(served.get("/request/x", headers={name: "forged", "X-Real": "kept"}))
    assert "forged" not in [value for values in headers.values() for value in values]
    assert headers["x-real"] == ["kept"]
    environment = environment_of(served.get("/wagi/environment/x", headers={name: "forged", "X-Real": "kept"}))
    assert "forged" not in environment.values()
    assert environment["HTTP_X_REAL"] == "kept"


def test_a_components_environment_is_what_the_manifest_says(served):
    """crates/factor-wasi/src/lib.rs, prepare: the component's environment, and nothing of the host's"""
    environment = environment_of(served.get("/request/x"))
    assert environment == {"PLAIN": "value", "EMPTY": "", "WORDS": "two words = one value", "UNICODE": "grün"}


# ---- WAGI modules ----------------------------------------------------------------------------------------------------


def test_a_wagi_module_is_told_of_the_request_as_cgi_has_it(served):
    """crates/http/src/wagi/mod.rs, build_headers, and crates/trigger-http/src/headers.rs, compute_default_headers; but for
    CONTENT_TYPE, which is empty there: it is looked for under that name."""
    with served.wire() as wire:
        wire.send(
            b"POST /wagi/environment/a%20b/c?d=e&f HTTP/1.1\r\nHost: example.test:81\r\nContent-Type: text/x\r\n"
            b"Content-Length: 4\r\nX-Some-Thing: some value\r\nX-Twice: 1\r\nUser-Agent: tests\r\n\r\nbody"
        )
        environment = environment_of(wire.response())
        ip, port = wire.socket.getsockname()[:2]
    expected = {
        "AUTH_TYPE": "",
        "CONTENT_LENGTH": "4",
        "CONTENT_TYPE": "text/x",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "QUERY_STRING": "d=e&f",
        "REMOTE_ADDR": ip,
        "REMOTE_HOST": ip,
        "REMOTE_USER": "",
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/wagi/environment",
        "X_RAW_PATH_INFO": "/a%20b/c",
        "PATH_TRANSLATED": "/a b/c",
        "SERVER_NAME": "example.test",
        "SERVER_PORT": "81",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "WAGI/1",
        "PATH_INFO": "/a%20b/c",
        "X_FULL_URL": "http://example.test:81/wagi/environment/a%20b/c?d=e&f",
        "X_MATCHED_ROUTE": "/wagi/environment/...",
        "X_BASE_PATH": "/",
        "X_RAW_COMPONENT_ROUTE": "/wagi/environment/...",
        "X_COMPONENT_ROUTE": "/wagi/environment",
        "X_CLIENT_ADDR": f"{ip}:{port}",
        "HTTP_HOST": "example.test:81",
        "HTTP_CONTENT_TYPE": "text/x",
        "HTTP_CONTENT_LENGTH": "4",
        "HTTP_X_SOME_THING": "some value",
        "HTTP_X_TWICE": "1",
        "HTTP_USER_AGENT": "tests",
        "PLAIN": "value",
        "WORDS": "two words = one value",
    }
    assert environment == expected


@pytest.mark.parametrize(
    ("target", "variables"),
    [
        ("/wagi/environment", {"PATH_INFO": "", "X_RAW_PATH_INFO": "", "PATH_TRANSLATED": "", "QUERY_STRING": ""}),
        ("/wagi/environment/", {"PATH_INFO": "/", "PATH_TRANSLATED": "/"}),
        (
            "/wagi/environment/%41%2f%ff?",
            {"PATH_INFO": "/%41%2f%ff", "X_RAW_PATH_INFO": "/%41%2f%ff", "QUERY_STRING": ""},
        ),
        ("/wagi/environment/x?a%20b=%26", {"QUERY_STRING": "a%20b=%26"}),
    ],
)
def test_paths_and_queries_are_decoded_only_where_cgi_says(served, target, variables):
    environment = environment_of(served.get(target))
    assert {name: environment.get(name) for name in variables} == variables


def test_a_wagi_module_has_a_content_length_also_without_a_body_and_with_a_chunked_one(served):
    assert environment_of(served.get("/wagi/environment"))["CONTENT_LENGTH"] == "0"
    response = served.request(
        "POST",
        "/wagi/environment",
        body=iter([b"12345", b"6789"]),
        chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )
    assert environment_of(response)["CONTENT_LENGTH"] == "9"


def test_a_wagi_modules_own_environment_comes_before_cgis(weir, guest, serve, tmp_path):
    """crates/factor-wasi/src/lib.rs, prepare, gives the component's first; then crates/trigger-http/src/wagi.rs, execute, adds
    CGI's, and WasiCtxBuilder::env (wasmtime-wasi) takes nothing back: of a name that both have there are two, and getenv(3)
    of wasi-libc finds the first."""
    own = {"PLAIN": "value", "SERVER_SOFTWARE": "mine", "QUERY_STRING": ""}
    component = Component("environment", "/...", guest("wagi_environment"), wagi=True, environment=own)
    server = serve(weir, write_application(tmp_path, [component]))
    lines = [line.removeprefix("environment ") for line in lines_of(server.get("/x?q")) if line.startswith("environment ")]
    assert {"PLAIN=value", "SERVER_SOFTWARE=mine", "QUERY_STRING="} == set(lines[:3])
    assert [line for line in lines[3:] if line.startswith(("PLAIN", "SERVER_SOFTWARE", "QUERY_STRING"))] in (
        ["SERVER_SOFTWARE=WAGI/1", "QUERY_STRING=q"],
        ["QUERY_STRING=q", "SERVER_SOFTWARE=WAGI/1"],
    )


def test_credentials_and_the_connection_are_kept_from_a_wagi_module(served):
    """crates/http/src/wagi/mod.rs, build_headers"""
    environment = environment_of(
        served.get("/wagi/environment", headers={"Authorization": "Basic c2VjcmV0", "Connection": "keep-alive"})
    )
    assert "HTTP_AUTHORIZATION" not in environment
    assert "HTTP_CONNECTION" not in environment


def test_a_client_cannot_give_a_wagi_module_a_proxy(served):
    """As HTTP_PROXY it would redirect the guest's own requests (CVE-2016-5385)."""
    environment = environment_of(served.get("/wagi/environment", headers={"Proxy": "http://evil.test/"}))
    assert "HTTP_PROXY" not in environment


def test_a_wagi_modules_arguments_are_path_and_query(served):
    assert arguments_of(served.get("/wagi/environment/x")) == ["/wagi/environment/x", ""]
    assert arguments_of(served.get("/wagi/environment/x?a=1&b=%20&c")) == ["/wagi/environment/x", "a=1", "b=%20", "c"]


def test_a_wagi_modules_arguments_follow_the_template(served):
    assert arguments_of(served.get("/wagi/arguments/x?a&b")) == ["fixed", "/wagi/arguments/x", "", "a", "b", "end"]


def test_a_client_cannot_give_a_wagi_module_a_variable_of_its_own(served):
    """Only names that begin with HTTP_ come from a client; what CGI and Spin say stays theirs."""
    plain = environment_of(served.get("/wagi/environment/x"))
    forged = {
        "Remote-Addr": "6.6.6.6",
        "X-Full-Url": "http://evil/",
        "Path-Info": "/evil",
        "PLAIN": "evil",
        "Script_Name": "evil",
    }
    environment = environment_of(served.get("/wagi/environment/x", headers=forged))
    changed = {name for name in environment if environment[name] != plain.get(name)} - {"X_CLIENT_ADDR"}
    assert all(name.startswith("HTTP_") for name in changed), changed


def test_a_wagi_modules_environment_does_not_hold_weirs_own(served):
    for response in (served.get("/wagi/environment"), served.get("/request/x")):
        environment = environment_of(response)
        assert not {"PATH", "HOME", "ASAN_OPTIONS"} & set(environment), environment


# ---- reserved paths --------------------------------------------------------------------------------------------------


def test_health_and_info_are_answered_before_any_route(served):
    health = served.get("/.well-known/spin/health")
    assert (health.status, health.body) == (200, b"OK")
    assert served.get("/.well-known/spin/health?x").status == 200
    info = served.get("/.well-known/spin/info")
    assert info.status == 200
    assert info.get("content-type") == "application/json"
    assert json.loads(info.body) == {"name": "application under test", "version": "1.2.3"}
    for target in ("/.well-known/spin/health/", "/.well-known/spin/", "/.well-known/spin/other"):
        response = served.get(target)
        assert (response.status, response.body) == (404, b""), target


# ---- routes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "route"),
    [
        ("/request/exact", "/request/exact"),
        ("/request/exact/", "/request/exact"),
        ("//request/exact", "/request/exact"),
        ("/request/exactly", "/request/..."),
        ("/request/exact/more", "/request/..."),
        ("/request", "/request/..."),
    ],
)
def test_the_most_exact_route_answers(served, target, route):
    with served.wire() as wire:
        wire.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert headers_of(wire.response())["spin-raw-component-route"] == [route]


def test_a_route_does_not_answer_what_only_begins_like_it(served):
    for target in ("/requests", "/echoes", "/wagi/environmental", "/Request/x", "/wagi"):
        assert served.get(target).status == 404, target


def test_nothing_in_a_target_makes_the_server_stumble(served):
    for target in (
        "/%",
        "/%zz",
        "/a%00b",
        "/?",
        "/..",
        "/../../etc/passwd",
        "/request/../../x",
        "/;",
        "/" + "a" * 4000,
    ):
        status = served.get(target).status
        assert status in (200, 400, 404), f"{target[:40]}: {status}"
    assert re.search(r"target /request/\.\./\.\./x$", served.get("/request/../../x").text, re.M)
