"""The options of weir up, as their users see them: what is served, where, and what is said of it."""

import json
import re
import socket

import pytest

from conftest import TESTS
from harness import Component, write_application


@pytest.fixture
def pair(guest, tmp_path):
    """Two components that tell their environment, at routes of their own."""
    return write_application(
        tmp_path / "pair",
        [
            Component("one", "/one", guest("http_request"), environment={"KEPT": "1", "SET": "manifest"}),
            Component("two", "/two/...", guest("http_request"), description='Tells\n"all"'),
        ],
    )


def refused(program, *arguments, words, environment=None):
    done = program.run("up", *arguments, environment=environment)
    assert done.status == 2, done
    assert done.stdout == "", done
    assert done.stderr.startswith("weir: error: ") and done.stderr.count("\n") == 1, done
    for word in words:
        assert word in done.stderr, done


# ---- which components, with which environment ------------------------------------------------------------------------


def test_a_subset_of_components_is_served_alone(weir_checked, serve, pair):
    server = serve(weir_checked, pair, "-c", "two")
    assert server.get("/two").status == 200
    assert server.get("/one").status == 404
    assert "one:" not in server.stdout.text


def test_a_component_that_is_not_there_is_named_with_those_that_are(weir_checked, pair):
    refused(weir_checked, pair, "--component-id", "three", words=['"three"', "one, two"])


def test_the_environment_of_the_command_line_is_every_components_and_wins(weir_checked, serve, pair):
    """Spin: src/commands/up.rs, update_locked_app."""
    server = serve(weir_checked, pair, "-e", "SET=line=1", "--env", "NEW=")
    for path, kept in (("/one", True), ("/two", False)):
        text = server.get(path).text
        assert "SET=line=1" in text and "SET=manifest" not in text, text
        assert re.search(r"\bNEW=$", text, re.M), text
        assert ("KEPT=1" in text) is kept, text


@pytest.mark.parametrize("name", ["ghcr.io/user/app:v1", "localhost:5000/app"])
def test_what_is_in_a_registry_is_refused_by_name(weir_checked, name):
    refused(weir_checked, "-f", name, words=[name, "weir reads no registry", "spin.toml"])


# ---- where it listens ------------------------------------------------------------------------------------------------


def test_a_free_port_is_found_above_one_in_use(weir_checked, serve, pair):
    """Spin: crates/trigger-http/src/server.rs, search_for_free_port."""
    with socket.socket() as used:
        for base in range(21000, 60000, 20):
            try:
                used.bind(("127.0.0.1", base))
                break
            except OSError:
                continue
        used.listen()
        base = used.getsockname()[1]
        refused(weir_checked, pair, "--listen", f"127.0.0.1:{base}", words=["in use", "--find-free-port"])
        server = serve(weir_checked, pair, "--find-free-port", listen=f"127.0.0.1:{base}")
        assert base < server.port < base + 10
        assert server.get("/one").status == 200


def test_localhost_is_ipv4(weir, serve, pair):
    """Spin: crates/trigger-http/src/lib.rs, parse_listen_addr."""
    assert serve(weir, pair, listen="localhost:0").host == "127.0.0.1"


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """Files that look like a certificate and its key, and one that is neither."""
    directory = tmp_path_factory.mktemp("pem")
    for name, label in (("cert", "CERTIFICATE"), ("key", "PRIVATE KEY"), ("locked", "ENCRYPTED PRIVATE KEY")):
        (directory / name).write_text(f"-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n")
    (directory / "text").write_text("words\n")
    (directory / "large").write_bytes((directory / "key").read_bytes() + b"#" * (1 << 20))
    return directory


@pytest.mark.parametrize(
    "cert, key, words",
    [
        ("cert", "key", ["--tls-key", "/key: the key cannot be used"]),
        ("cert", "large", ["--tls-key", "/large is larger than 1 MiB"]),
        ("/dev/zero", "key", ["--tls-cert", "/dev/zero is larger than 1 MiB"]),
        ("text", "key", ["--tls-cert", "no certificate in PEM", "text"]),
        ("key", "cert", ["--tls-cert", "no certificate in PEM"]),
        ("cert", "cert", ["--tls-key", "no private key in PEM"]),
        ("cert", "locked", ["--tls-key", "encrypted", "openssl"]),
        ("nothing", "key", ["--tls-cert", "nothing", "No such file"]),
        ("cert", ".", ["--tls-key", "Is a directory"]),
    ],
)
def test_tls_is_checked_and_refused_in_words(weir_checked, pair, pem, cert, key, words):
    refused(weir_checked, pair, "--tls-cert", pem / cert, "--tls-key", pem / key, words=words)
    refused(
        weir_checked, pair, words=words, environment={"SPIN_TLS_CERT": str(pem / cert), "SPIN_TLS_KEY": str(pem / key)}
    )


# ---- what is said ----------------------------------------------------------------------------------------------------


def test_the_routes_as_json_are_spins_document_and_nothing_else(weir_checked, serve, pair):
    """Spin: crates/trigger-http/src/server.rs, print_startup_msgs: its keys and their order, indented by two."""
    server = serve(weir_checked, pair, "--format", "json", serving=False)
    server.stdout.wait_for(r"^}$")
    document = json.loads(server.stdout.text)
    url = document["base_url"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    assert document == {
        "base_url": url,
        "routes": [
            {"id": "one", "route": "/one", "wildcard": False},
            {"id": "two", "route": "/two", "wildcard": True, "description": 'Tells\n"all"'},
        ],
    }
    assert server.stdout.text == json.dumps(document, indent=2)
    server.stderr.wait_for(r"^weir: allocator: ")


def test_routes_as_json_that_cannot_be_written_end_it(weir_checked, pair):
    """Who asked for them waits for them, and not for a server that they know nothing of."""
    full = weir_checked.wrapped("sh", "-c", 'exec "$0" "$@" > /dev/full')
    done = full.run("up", pair, "--format", "json", "--listen", "127.0.0.1:0")
    assert done.status == 1, done
    told = "weir: error: the routes as JSON cannot be written to standard output: No space left on device\n"
    assert done.stderr.endswith(told), done


def test_routes_that_cannot_be_written_are_a_warning(weir_checked, pair, serve):
    full = weir_checked.wrapped("sh", "-c", 'exec "$0" "$@" > /dev/full')
    server = serve(full, pair, serving=False)
    server.stderr.wait_for(
        "^weir: warning: what is served cannot be written to standard output: No space left on device; serving all the "
        "same$"
    )
    server.stop()  # until then it is there


def test_a_catch_all_is_a_slash_in_json(weir, serve, guest):
    server = serve(weir, guest("http_request"), "--format=json", serving=False)
    server.stdout.wait_for(r"^}$")
    routes = json.loads(server.stdout.text)["routes"]
    assert [(route["route"], route["wildcard"]) for route in routes] == [("/", True)]


@pytest.mark.parametrize("command", ["up", "new", "build", "doctor", "bench"])
def test_help_for_a_command_is_the_same_in_both_ways(weir_checked, command):
    by_option = weir_checked.run(command, "--help")
    by_word = weir_checked.run("help", command)
    assert by_option.status == by_word.status == 0
    assert by_option.stdout == by_word.stdout != ""
    assert f"weir {command}" in by_option.stdout and "Exit status" in by_option.stdout
    assert by_option.stderr == by_word.stderr == ""


@pytest.mark.parametrize("command", ["up", "new", "build", "doctor", "bench"])
def test_every_option_and_variable_is_in_the_manual(weir, command):
    text = weir.run(command, "--help").stdout
    listed = re.findall(r"^  (?:-\w, |    )(--[a-z-].*)", text, re.M)
    options = {word for line in listed for word in re.findall(r"(?<![\w'-])--[a-z-]+", line.split("  ")[0])} - {"--help"}
    variables = set(re.findall(r"\[([A-Z_]+)\]", text))
    assert options and (variables or command != "up")
    sources = TESTS.parent
    manual = (sources / "docs/man/weir.1").read_text().replace("\\-", "-")
    missing = {word for word in options | variables if not re.search(rf"{word}(?![\w-])", manual)}
    assert not missing, f"not in docs/man/weir.1: {sorted(missing)}"
    if command == "up":
        for name in ("README.md", "README.zh-CN.md"):
            readme = (sources / name).read_text()
            missing = {word for word in options | variables if f"`{word}" not in readme}
            assert not missing, f"not in {name}: {sorted(missing)}"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["bild"], ["'bild'", "did you mean 'weir build'?"]),
        (["help", "upp"], ["did you mean 'weir up'?"]),
        (["frobnicate"], ["'frobnicate'", "up, new, build, doctor, bench"]),
        (["up", "--lisen", "x"], ["did you mean --listen?"]),
        (["up", "--sqlite", "x"], ["is an option of Spin", "SQLite"]),
        (["build", "--profile", "x"], ["is an option of Spin", "profiles"]),
        (["new", "--init"], ["is an option of Spin", "--output"]),
    ],
)
def test_what_is_misspelt_or_lacking_is_named(weir_checked, arguments, words):
    done = weir_checked.run(*arguments)
    assert done.status == 2, done
    assert done.stderr.count("\n") == 1, done
    for word in words:
        assert word in done.stderr, done


# ---- Spin's configuration of the runtime -----------------------------------------------------------------------------


def test_the_runtime_configuration_bounds_memory_and_moves_logs(weir_checked, serve, guest, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text(
        f'log_dir = "{tmp_path}/from-config"\nmax_instance_memory = 4194304\n[sqlite_database.default]\ntype = "spin"\n'
    )
    application = write_application(tmp_path / "app", [Component("log", "/...", guest("http_log"))])
    server = serve(weir_checked, application, environment={"RUNTIME_CONFIG_FILE": config})
    assert server.get("/").status == 200
    server.stderr.wait_for(rf"^weir: warning: {re.escape(str(config))}:3:\d+: \"sqlite_database\" is not served")
    server.stop()
    assert (tmp_path / "from-config" / "log_stdout.txt").read_bytes() == b"first\nsecond\n"
    config.write_text("max_instance_memory = 65536\n")
    refused(weir_checked, application, "--runtime-config-file", config, words=["component log begins with"])
    config.write_text('logdir = "x"\n')
    refused(
        weir_checked, application, "--runtime-config-file", config, words=[f"{config}:1:1: ", 'did you mean "log_dir"?']
    )


@pytest.mark.parametrize("allocator", ["pooling", "compact", "ondemand"])
def test_a_memory_grows_as_far_as_allowed_and_no_farther(weir, serve, guest, tmp_path, allocator):
    """Spin: crates/core/src/limits.rs: growing beyond max_instance_memory bytes fails in the guest, which goes on"""
    names = {"module": guest("wagi_grow"), "program": guest("program_grow")}
    components = [Component(name, f"/{name}", wasm, wagi=True, argv="guest ${ARGS}") for name, wasm in names.items()]
    application = write_application(tmp_path / "app", components)
    environment = {"SPIN_ALLOCATOR": allocator}
    server = serve(weir, application, "--max-instance-memory", "1MiB", environment=environment)
    for name in names:
        assert re.fullmatch(r"\d+ of 16 pages\n", server.get(f"/{name}?100").text)
    server = serve(weir, application, environment=environment)
    for name in names:
        assert server.get(f"/{name}?100").text.startswith("100 of ")


# ---- Spin's variables for its allocator ------------------------------------------------------------------------------


def test_the_number_of_instances_is_followed_and_the_rest_is_named(weir, serve, pair):
    """Spin: crates/core/src/lib.rs."""
    server = serve(
        weir,
        pair,
        environment={"SPIN_MAX_INSTANCE_COUNT": "3", "SPIN_WASMTIME_TOTAL_MEMORIES": "9", "SPIN_ALLOCATOR": "pooling"},
    )
    assert re.search(r"^allocator: .*\b3 slots\b", server.stdout.text, re.M), server.stdout.text
    server.stderr.wait_for(r"^weir: warning: SPIN_WASMTIME_TOTAL_MEMORIES: without effect here")
    done = weir.run("doctor", "--json", pair, environment={"SPIN_MAX_INSTANCE_COUNT": "3"})
    assert json.loads(done.stdout)["choice"]["slots"] == 3, done
    refused(weir, pair, environment={"SPIN_MAX_INSTANCE_COUNT": "many"}, words=["SPIN_MAX_INSTANCE_COUNT is 'many'"])


# ---- compiled code ---------------------------------------------------------------------------------------------------


def test_compiled_code_is_kept_where_the_file_of_the_cache_says(weir, serve, pair, tmp_path):
    """Wasmtime: crates/cache/src/config.rs, by Spin's --cache and WASMTIME_CACHE_FILE."""
    config = tmp_path / "cache.toml"
    config.write_text(f'[cache]\ndirectory = "{tmp_path}/compiled"\n')
    (tmp_path / "compiled").mkdir(mode=0o700)
    serve(weir, pair, "--cache", config).stop()
    assert any((tmp_path / "compiled").iterdir())
    config.write_text('[cache]\ndirectory = "compiled"\n')
    refused(weir, pair, words=[f"{config}:2:13:", "absolute path"], environment={"WASMTIME_CACHE_FILE": config})
    serve(weir, pair, "--disable-cache", environment={"XDG_CACHE_HOME": tmp_path / "users"}).stop()
    assert not (tmp_path / "users" / "weir" / "code").exists()


# ---- variables and hosts, before anything is served ------------------------------------------------------------------


@pytest.fixture
def needy(guest, tmp_path):
    """An application with a variable that is required, and a host that is named by it."""
    path = write_application(tmp_path / "needy", [Component("one", "/one", guest("http_request"))])
    path.write_text(
        path.read_text()
        + 'variables = { greeting = "{{ word }}" }\nallowed_outbound_hosts = ["https://{{ word }}.example"]\n'
        + "[variables]\nword = { required = true, secret = true }\n"
    )
    return path


@pytest.mark.parametrize("way", ["--variable", "SPIN_VARIABLE_WORD", ".env", "@file", "@json"])
def test_a_required_variable_can_be_given_in_every_way(weir_checked, serve, needy, tmp_path, way):
    (tmp_path / "word").write_text("hello")
    (tmp_path / "words.json").write_text('{"word": "hello"}')
    arguments = {
        "--variable": ["--variable", "word=hello"],
        "@file": ["--variable", f"word=@{tmp_path}/word"],
        "@json": [f"--variable=@{tmp_path}/words.json"],
    }
    environment = {"SPIN_VARIABLE_WORD": "hello"} if way == "SPIN_VARIABLE_WORD" else {}
    if way == ".env":
        (needy.parent / ".env").write_text("SPIN_VARIABLE_WORD=hello\n")
    server = serve(weir_checked, needy, *arguments.get(way, []), environment=environment)
    assert server.get("/one").status == 200


def test_a_required_variable_that_nobody_gives_is_named(weir_checked, needy):
    refused(weir_checked, needy, words=['"word"', f"{needy}:"])


def test_a_secret_is_in_no_message(weir_checked, needy):
    done = weir_checked.run("up", needy, "--variable", "word=hush hush/value")
    assert done.status == 2, done
    assert "hush" not in done.stderr and f"{needy}:" in done.stderr, done


def test_a_network_that_is_none_is_named_with_its_place(weir_checked, pair, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text('[outbound_networking]\nblock_networks = ["private", "10.0.0.0/33"]\n')
    refused(weir_checked, pair, "--runtime-config-file", config, words=[f"{config}:2:30:", "10.0.0.0/33"])
