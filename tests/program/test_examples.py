"""Every example, built from source and served as it is in the repository, answers as its first lines say."""

# ctest: timeout=1500

import hashlib
import json
import tomllib

import pytest

from conftest import make_program
from harness import Server

# A large component compiles for a long time where two processors are shared by many.
START_SECONDS = 400

# Those that ./dev builds with compilers from package registries
FROM_REGISTRIES = ("go", "javascript", "python")


def built(examples, name):
    """The directory of an example; skips, with the reason, where it could not be built."""
    directory = examples / name
    manifest = tomllib.loads((directory / "spin.toml").read_text())
    missing = [
        component["source"]
        for component in manifest["component"].values()
        if not (directory / component["source"]).exists()
    ]
    if missing and name in FROM_REGISTRIES:
        reason = examples.parent / "build" / "examples" / f"{name}.reason"
        pytest.skip(reason.read_text().strip() if reason.exists() else f"not built: ./dev examples {name}")
    assert not missing, f"examples/{name}: {missing} was not built"
    return directory


@pytest.fixture(scope="module")
def serve_example(examples, tmp_path_factory):
    """Serves each example once for all tests of this module."""
    servers = {}

    def serve(name):
        if name not in servers:
            directory = built(examples, name)
            program = make_program("release", tmp_path_factory.mktemp(name))
            servers[name] = Server(program, directory, "--request-timeout", "60s")
            servers[name].wait_until_serving(START_SECONDS)
        return servers[name]

    try:
        yield serve
        for server in servers.values():
            server.stop()
    finally:
        for server in servers.values():
            server.kill()


def form(server, body, method="POST"):
    return server.request(method, "/form", body=body, headers={"Content-Type": "application/x-www-form-urlencoded"})


# ---- C, WAGI ---------------------------------------------------------------------------------------------------------


def test_c_wagi_shows_its_form_and_greets_who_sends_it(serve_example):
    server = serve_example("wagi-c")
    page = server.get("/form")
    assert (page.status, page.get("content-type")) == (200, "text/html; charset=utf-8")
    assert '<form method="post">' in page.text
    assert "<p>Hello, Ada &lt;Lovelace&gt; &amp; Grüße!" in form(server, "name=Ada+%3CLovelace%3E+%26+Gr%C3%BC%C3%9Fe").text


def test_c_wagi_redirects_refuses_and_bounds(serve_example):
    server = serve_example("wagi-c")
    empty = form(server, "name=")
    assert (empty.status, empty.get("location")) == (302, "/form")
    refused = form(server, "", "DELETE")
    assert (refused.status, refused.get("allow")) == (405, "GET, HEAD, POST")
    assert form(server, "name=" + "x" * 65536).status == 413


# ---- Go, WAGI --------------------------------------------------------------------------------------------------------


def test_go_answers_through_net_http(serve_example):
    server = serve_example("go")
    assert server.get("/go/hello/Ada%20L").text == "Hello, Ada L!\n"
    assert server.get("/go/hello/").text == "Hello, world!\n"
    body = bytes(range(256)) * 1000
    assert server.request("POST", "/go/sha256", body=body).text == f"{hashlib.sha256(body).hexdigest()}  -\n"
    assert server.get("/go/other").status == 404
    wrong = server.request("DELETE", "/go/sha256")
    assert (wrong.status, wrong.get("allow")) == (405, "POST")


# ---- JavaScript, wasi:http -------------------------------------------------------------------------------------------


def test_javascript_answers_the_fetch_event(serve_example):
    server = serve_example("javascript")
    hello = server.get("/javascript/hello/Gr%C3%BC%C3%9Fe")
    assert (hello.status, hello.get("content-type")) == (200, "application/json")
    assert json.loads(hello.body) == {"greeting": "Hello, Grüße!"}
    numbers = list(range(10000))
    total = server.request("POST", "/javascript/sum", body=json.dumps(numbers))
    assert json.loads(total.body) == {"count": 10000, "sum": sum(numbers)}
    assert server.request("POST", "/javascript/sum", body="[1,").status == 400
    assert server.get("/javascript/other").status == 404


# ---- Python, wasi:http -----------------------------------------------------------------------------------------------


def test_python_answers_wasi_http(serve_example):
    server = serve_example("python")
    hello = server.get("/python?name=Gr%C3%BC%C3%9Fe")
    assert (hello.status, hello.get("content-type")) == (200, "application/json")
    assert json.loads(hello.body) == {"greeting": "Hello, Grüße!"}
    words = server.request("POST", "/python/x", body="to be or not to be " * 5000)
    assert json.loads(words.body) == {"words": {"to": 10000, "be": 10000, "or": 5000, "not": 5000}}
    assert server.request("DELETE", "/python").status == 405


# ---- four components that chain --------------------------------------------------------------------------------------

# What examples/chain/*.c say of prices, discounts and stocks, reckoned here by hand
QUOTES = [
    ("item=cup", 200, "1 x cup: 12.00\n"),
    ("item=tea&count=9", 200, "9 x tea: 40.50\n"),
    ("item=tea&count=12", 200, "12 x tea: 48.60\n"),
    ("count=10&item=coffee", 200, "10 x coffee: 49.00\n"),
    ("item=milk", 404, "there is no milk here\n"),
    ("item=tea&count=0", 400, "ask for an item and a count from 1 to 1000: /quote?item=tea&count=12\n"),
]


@pytest.mark.parametrize(("query", "status", "text"), QUOTES)
def test_four_components_answer_one_request_together(serve_example, query, status, text):
    response = serve_example("chain").get(f"/quote?{query}")
    assert (response.status, response.text) == (status, text)


@pytest.mark.parametrize("target", ["/total?item=tea&count=1", "/percent", "/pieces?item=tea", "/", "/price"])
def test_what_is_private_in_the_chain_is_reached_by_nobody_outside(serve_example, target):
    server = serve_example("chain")
    assert server.get(target).status == 404
    spoofed = server.get(target, headers={"Host": "price.spin.internal"})
    assert spoofed.status != 200, spoofed


# ---- all -------------------------------------------------------------------------------------------------------------


def test_every_example_is_in_the_table_of_the_readme_and_tested_here(examples):
    names = {path.parent.name for path in examples.glob("*/spin.toml")}
    readme = (examples.parent / "README.md").read_text()
    source = open(__file__, encoding="utf-8").read()
    for name in names:
        assert f"| [`{name}`](examples/{name})" in readme, f"README.md: no row for examples/{name}"
        assert name == "hello" or f'serve_example("{name}")' in source, f"examples/{name} has no test here"
