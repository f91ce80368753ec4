"""Programs that are components are served through WAGI just as modules are, byte for byte; modules for the executor
"http" are made components; and what cannot be served is refused by name.

What is expected is Spin's: crates/trigger-http/src/wagi.rs and crates/http/src/wagi/mod.rs, crates/http/src/trigger.rs,
crates/componentize/src/lib.rs. (Checklist, sections 5 and 6.)
"""

import re

import pytest

from conftest import make_program
from harness import Component, Server, all_in_background, in_background, write_application
from test_wagi_output import DOCUMENTS, INSUFFICIENT

MIB = 1 << 20
KINDS = ("module", "program")


def components_of(guest):
    """Each guest as a module, below /module, and as a component, below /program."""
    for kind, prefix in zip(KINDS, ("wagi", "program")):

        def component(name, route, source, argv=None, kind=kind, prefix=prefix, **options):
            return Component(f"{name}-{kind}", f"/{kind}{route}", guest(f"{prefix}_{source}"), True, argv, **options)

        yield component("cat", "/cat", "cat", "cat ${ARGS}")
        yield component("environment", "/environment/...", "environment", environment={"PLAIN": "value", "EMPTY": ""})
        yield component("arguments", "/arguments/...", "environment", "fixed ${SCRIPT_NAME}  ${ARGS} end")
        yield component("fail", "/fail", "fail", "fail ${ARGS}")
        yield component("wait", "/wait", "wait", "wait ${ARGS}")
        yield component("spin", "/spin", "spin")
    yield Component("unsuccessful", "/unsuccessful", guest("run_unsuccessful"), wagi=True)
    yield Component("contracts", "/contracts", guest("contracts"), wagi=True)
    yield Component("echo", "/echo/...", guest("module_echo"))


@pytest.fixture(scope="module", params=["release", "asan"])
def programs(request, guest, tmp_path_factory):
    directory = tmp_path_factory.mktemp(f"programs-{request.param}")
    application = write_application(directory, list(components_of(guest)))
    server = Server(make_program(request.param, directory), application, "--request-timeout", "3s")
    try:
        server.wait_until_serving()
        yield server
        server.stop()
    finally:
        server.kill()


# ---- programs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_components_output_becomes_the_response(programs, case):
    document, status, headers, body = DOCUMENTS[case]
    response = programs.request("POST", "/program/cat", body=document)
    assert response.status == status, response
    for name, value in headers.items():
        assert response.all(name) == ([] if value is None else [value]), response
    if body is not None:
        assert response.body == body


REQUESTS = {
    "plain": ("GET", "environment/", None, {}),
    "a path and a query": ("GET", "environment/a%20b/c?x=1&y=%26&&z", None, {}),
    "arguments": ("GET", "arguments/A/b/c?one=1&two=2&&three", None, {}),
    "a body": ("POST", "environment/x", b"0123456789", {"Content-Type": "text/x; charset=y"}),
    "headers": ("PUT", "environment/x", b"", {"X-One": "a: b", "Authorization": "hidden", "x-two-three": "gr\xfcn"}),
    "a query alone": ("DELETE", "environment?", None, {}),
    "spin's own headers": ("GET", "environment/x", None, {"spin-path-info": "/forged"}),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_a_component_is_told_the_same_of_a_request_as_a_module(programs, case):
    method, target, body, headers = REQUESTS[case]
    answers = []
    for kind in KINDS:
        response = programs.request(method, f"/{kind}/{target}", body=body, headers=headers)
        assert response.status == 200, response
        text = re.sub(r"(X_CLIENT_ADDR=[0-9.]+:)\d+", r"\1PORT", response.text)
        answers.append(text.replace(f"/{kind}/", "/KIND/"))
    assert answers[0] == answers[1]
    assert "environment GATEWAY_INTERFACE=CGI/1.1" in answers[1]


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, MIB, 16 * MIB])
@pytest.mark.parametrize("kind", KINDS)
def test_bodies_of_any_size_go_through_a_program_unchanged(programs, kind, size):
    body = (bytes(range(251)) * (size // 251 + 1))[:size]
    document = b"content-type: a/b\n\n" + body
    head = b"POST /%s/cat HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (kind.encode(), len(document))
    # The guest writes while it reads: so does the client.
    with programs.wire() as wire, in_background(lambda: wire.send(head + document)) as sent:
        response = wire.response()
        sent()
    assert (response.status, len(response.body)) == (200, size)
    assert response.body == body


@pytest.mark.parametrize("way", ["trap", "abort", "exit", "nothing"])
def test_a_component_that_fails_is_500_with_an_empty_body_and_a_log_line(programs, way):
    known = len(programs.stderr.lines)
    for _ in range(2):
        response = programs.get(f"/program/fail?{way}")
        assert (response.status, response.body) == (500, b"")
    programs.stderr.wait_for(r"^weir: error: .*\bfail-program\b", count=2, after=known)
    assert programs.request("POST", "/program/cat", body=b"status: 200\n\nx").body == b"x"


def test_a_component_that_exits_with_0_has_succeeded(programs):
    response = programs.get("/program/fail?exit-0")
    assert (response.status, response.text) == (200, "nobody must see this\n")


def test_an_error_that_run_returns_is_logged_and_the_output_is_still_the_response(programs):
    known = len(programs.stderr.lines)
    response = programs.get("/unsuccessful")
    assert (response.status, response.get("content-type"), response.text) == (200, "text/plain", "still the answer\n")
    programs.stderr.wait_for(r"^weir: error: component unsuccessful: .*returned an error", after=known)
    programs.stderr.wait_for(r"^\[unsuccessful stderr\] about to return an error", after=known)


def test_components_that_wait_hold_up_nobody(programs):
    known = len([line for line in programs.stderr.lines if "waiting" in line])
    with all_in_background(programs.get, ["/program/wait?1000"] * 8) as answers:
        programs.stderr.wait_for("waiting", count=known + 8)
        for _ in range(10):
            assert programs.get("/module/environment/").status == 200
        for answer in answers:
            response = answer()
            assert (response.status, response.text) == (200, "waited\n")


def test_a_component_that_computes_for_ever_ends_with_504(programs):
    assert programs.get("/program/spin").status == 504
    assert programs.get("/program/environment/").status == 200


def test_what_is_missing_of_spins_platform_is_a_warning_at_the_start_and_a_trap_when_called(programs):
    warnings = [line for line in programs.stderr.lines if "mqtt" in line and "warning" in line]
    assert len(warnings) == 1, warnings
    assert "component contracts imports fermyon:spin/mqtt@2.0.0" in warnings[0]
    assert programs.get("/contracts?nothing").text == "nothing called\n"
    known = len(programs.stderr.lines)
    response = programs.get("/contracts?mqtt")
    assert (response.status, response.body) == (500, b"")
    programs.stderr.wait_for(r"component contracts: trapped: .*fermyon:spin/mqtt@2\.0\.0#", after=known)


# ---- modules for the executor "http" ---------------------------------------------------------------------------------


def test_a_module_that_wit_bindgen_made_is_made_a_component(programs):
    for body in (b"", b"hello", bytes(range(256)) * 1000):
        response = programs.request("POST", "/echo/x", body=body)
        assert (response.status, response.body) == (200, body)


# ---- files alone -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["program_environment", "module_echo"])
def test_a_file_alone_is_served_as_what_it_exports(weir, serve, guest, name):
    for _ in range(2):  # from the file, and from what is kept of it
        server = serve(weir, guest(name))
        response = server.request("POST", "/a/b", body=b"hello")
        assert response.status == 200, server.log
        assert "environment PATH_INFO=/a/b" in response.text if "environment" in name else response.body == b"hello"
        server.stop()


# ---- what is refused -------------------------------------------------------------------------------------------------


def refused(program, directory, *components):
    done = program.run("up", write_application(directory, components))
    assert done.status in (1, 2), done
    assert done.stderr.startswith("weir: error: ") and done.stderr.count("\n") == 1, done
    return done.stderr


def test_the_executor_must_suit_what_the_file_is(weir, guest, tmp_path):
    message = refused(weir, tmp_path / "a", Component("a", "/a", guest("http_echo"), wagi=True))
    assert "spin.toml:" in message and "handles HTTP itself" in message
    assert 'leave out executor = { type = "wagi" } in its [[trigger.http]]' in message
    message = refused(weir, tmp_path / "b", Component("a", "/a", guest("program_cat")))
    assert "is a program (it exports wasi:cli/run)" in message and 'executor = { type = "wagi" }' in message
    message = refused(weir, tmp_path / "c", Component("a", "/a", guest("wagi_cat")))
    assert "is a core module" in message and 'executor = { type = "wagi" }' in message


def test_an_import_that_is_nobodys_is_an_error_that_names_it(weir, guest, tmp_path):
    message = refused(weir, tmp_path, Component("a", "/a", guest("elsewhere"), wagi=True))
    assert "elsewhere:things/thing@1.0.0" in message and 'component "a"' in message


def test_insufficient_output_of_a_component_has_spins_text(programs):
    response = programs.request("POST", "/program/cat", body=b"x-one: 1\n\nbody")
    assert (response.status, response.body) == (500, INSUFFICIENT)
