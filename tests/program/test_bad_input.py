"""Bad input: exit status 2 and one clear line on standard error that names file and place; nothing else, no crash."""

import re
import shutil
import socket

import pytest

from harness import Component, write_application

GOOD = """\
spin_manifest_version = 2

[application]
name = "bad input"

[[trigger.http]]
route = "/a"
component = "a"

[component.a]
source = "a.wasm"
"""


def refused(program, *arguments, words=(), seconds=15, **options):
    done = program.run("up", *arguments, seconds=seconds, **options)
    assert done.status == 2, done
    assert done.stderr.endswith("\n") and done.stderr.count("\n") == 1, done
    assert done.stdout == "", done
    for word in words:
        assert re.search(word, done.stderr), f"{word!r} is not in the message\n{done}"
    return done.stderr


def manifest(directory, text):
    directory.mkdir(exist_ok=True)
    path = directory / "spin.toml"
    path.write_text(text)
    return path


def changed(old, new):
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


# Each: the manifest, where the message has to point (line, and column where it matters), what it has to name.
MANIFESTS = {
    "an unclosed string": (changed('name = "bad input"', 'name = "bad input'), r"4:\d+", []),
    "no value": (changed('route = "/a"', "route ="), r"7:\d+", []),
    "no table's end": (changed("[component.a]", "[component.a"), r"10:\d+", []),
    "a key twice": (changed('route = "/a"', 'route = "/a"\nroute = "/b"'), r"8:1", ["duplicate"]),
    "not UTF-8": (b'spin_manifest_version = 2\n[application]\nname = "\xff"\n', None, ["UTF-8|utf-8"]),
    "an unknown key at the top": ("surprise = 1\n" + GOOD, "1:1", ["surprise"]),
    "an unknown key of the application": (changed("[[trigger", 'colour = "red"\n\n[[trigger'), "6:1", ["colour"]),
    "an unknown key of a component": (GOOD + "sauce = 1\n", "12:1", ["sauce"]),
    "an unknown key of a trigger": (changed('component = "a"', 'component = "a"\nroot = "/"'), "9:1", ["root"]),
    "an unknown executor": (
        changed('component = "a"', 'component = "a"\nexecutor = { type = "fastcgi" }'),
        r"9:\d+",
        ["fastcgi"],
    ),
    "an unknown key of an executor": (
        changed('component = "a"', 'component = "a"\nexecutor = { type = "wagi", arguments = "" }'),
        r"9:\d+",
        ["arguments"],
    ),
    "a missing component": (changed('component = "a"', 'component = "b"'), r"8:\d+", ["\\bb\\b"]),
    "a version 1": (changed("version = 2", 'version = "1"'), r"1:\d+", ["2"]),
    "a version 3": (changed("version = 2", "version = 3"), r"1:\d+", ["3"]),
    "no version": (changed("spin_manifest_version = 2\n", ""), None, ["spin_manifest_version"]),
    "no name": (changed('name = "bad input"\n', ""), None, ["name"]),
    "a name that is a number": (changed('"bad input"', "7"), r"4:\d+", ["name"]),
    "no source": (changed('source = "a.wasm"', ""), None, ["source"]),
    "a route that is a number": (changed('"/a"', "7"), r"7:\d+", ["route"]),
    "a base": (
        changed("[[trigger", '[application.trigger.http]\nbase = "/base"\n\n[[trigger'),
        r"7:\d+",
        ["base"],
    ),
    "an id that is not kebab-case": (
        GOOD.replace('component = "a"', 'component = "A_b"').replace("component.a", "component.A_b"),
        None,
        ["A_b"],
    ),
    "nothing at all": ("", None, ["spin_manifest_version"]),
    "nesting without an end": ("a = " + "[" * 100_000, r"1:\d+", []),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_bad_manifest_is_refused_at_its_place(weir_checked, guest, tmp_path, case):
    text, place, words = MANIFESTS[case]
    (tmp_path / "a.wasm").write_bytes(guest("http_request").read_bytes())
    path = tmp_path / "spin.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    where = re.escape(str(path)) + (f":{place}(?!\\d)" if place else "")
    refused(weir_checked, path, words=[where, *words])


def test_the_manifest_of_this_table_is_good_without_its_changes(weir, guest, tmp_path, serve):
    path = manifest(tmp_path, GOOD)
    (tmp_path / "a.wasm").write_bytes(guest("http_request").read_bytes())
    assert serve(weir, path).get("/a").status == 200


def test_a_file_that_is_not_there_is_refused(weir_checked, tmp_path):
    for path in (tmp_path / "spin.toml", tmp_path / "nothing.wasm", tmp_path / "directory"):
        refused(weir_checked, path, words=[re.escape(str(path)), "[Nn]o such file|does not exist|not found"])
        refused(weir_checked, "-f", path, words=[re.escape(str(path))])


def test_a_directory_without_a_manifest_is_refused(weir_checked, tmp_path):
    refused(weir_checked, tmp_path, words=[re.escape(str(tmp_path)), r"spin\.toml"])
    refused(weir_checked, directory=tmp_path, words=[r"spin\.toml"])


def test_a_manifest_that_cannot_be_read_is_refused(weir_checked, tmp_path):
    (tmp_path / "spin.toml").mkdir()
    refused(weir_checked, tmp_path / "spin.toml" / "spin.toml", words=[r"spin\.toml"])
    refused(weir_checked, "/dev/null/spin.toml", words=["/dev/null/spin.toml", "[Nn]ot a directory"])


def test_a_manifest_without_an_end_is_refused(weir_checked, tmp_path):
    path = tmp_path / "spin.toml"
    with path.open("wb") as file:
        file.truncate(1 << 32)
    refused(weir_checked, path, words=[re.escape(str(path)), "1 MiB|large|big|bytes"])


# ---- wasm files ------------------------------------------------------------------------------------------------------

CORE_MODULE = b"\0asm\1\0\0\0"
EMPTY_COMPONENT = b"\0asm\x0d\0\1\0"


def section(number, content):
    assert len(content) < 128
    return bytes([number, len(content)]) + content


# A module that exports nothing but a memory.
NO_START = CORE_MODULE + section(5, b"\1\0\1") + section(7, b"\1\6memory\2\0")


def truncated(wasm):
    return wasm[: len(wasm) * 2 // 3]


def wasm_cases(guest):
    component = guest("http_request").read_bytes()
    module = guest("wagi_cat").read_bytes()
    return {
        "an empty file": (b"", False, []),
        "a text": (b"#!/bin/sh\nexit 0\n", False, []),
        "an ELF file": (b"\x7fELF" + bytes(200), False, []),
        "a truncated component": (truncated(component), False, []),
        "a truncated module": (truncated(module), True, []),
        "a component's first eight bytes": (component[:8], False, []),
        "a component with a byte changed": (
            component[:3000] + bytes([component[3000] ^ 0xFF] * 8) + component[3008:],
            False,
            [],
        ),
        "a component that exports no handler": (EMPTY_COMPONENT, False, ["wasi:http/incoming-handler"]),
        "a module that exports no _start": (NO_START, True, ["_start"]),
        "a module without wagi": (module, False, ["wagi|component"]),
        "a component with wagi": (component, True, ["wagi|module"]),
    }


WASM_CASES = [
    "an empty file",
    "a text",
    "an ELF file",
    "a truncated component",
    "a truncated module",
    "a component's first eight bytes",
    "a component with a byte changed",
    "a component that exports no handler",
    "a module that exports no _start",
    "a module without wagi",
    "a component with wagi",
]


@pytest.mark.parametrize("case", WASM_CASES)
def test_a_bad_wasm_file_is_refused_with_manifest_place_and_file(weir_checked, guest, tmp_path, case):
    wasm, wagi, words = wasm_cases(guest)[case]
    (tmp_path / "bad.wasm").write_bytes(wasm)
    path = write_application(tmp_path, [Component("bad", "/bad", "bad.wasm", wagi=wagi)])
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if text.startswith("source"))
    refused(weir_checked, path, words=[re.escape(f"{path}:{line}:") + r"\d+", r"bad\.wasm", *words])


def test_a_wasm_file_that_is_not_there_is_refused(weir_checked, tmp_path):
    path = write_application(tmp_path, [Component("bad", "/bad", "missing.wasm")])
    refused(
        weir_checked,
        path,
        words=[re.escape(str(path)) + r":\d+:\d+", r"missing\.wasm", "[Nn]o such file|does not exist|not found"],
    )


def test_a_wasm_file_of_another_name_is_told_apart_from_a_manifest(weir_checked, guest, tmp_path):
    shutil.copy(guest("http_echo"), tmp_path / "echo.component")
    done = weir_checked.run("up", "echo.component", directory=tmp_path)
    assert done.status == 2, done
    assert done.stderr == (
        "weir: error: echo.component: is a WebAssembly file whose name does not end in .wasm; rename it, or write a "
        "spin.toml with it as source\n"
    )


@pytest.mark.parametrize(
    "wasm", [b"", b"nonsense", NO_START, EMPTY_COMPONENT], ids=["empty", "text", "module", "component"]
)
def test_a_bad_wasm_file_as_the_application_is_refused(weir_checked, tmp_path, wasm):
    path = tmp_path / "alone.wasm"
    path.write_bytes(wasm)
    refused(weir_checked, path, words=[re.escape(str(path))])


def test_a_component_that_imports_what_nobody_provides_is_refused(weir_checked, tmp_path):
    """A component with one import that no host has: it must be said at start-up, not at the first request."""
    name = b"nobody:provides/this@1.0.0"
    # type section: an instance type without exports; import section: that instance.
    wasm = EMPTY_COMPONENT + section(7, b"\1\x42\0") + section(10, b"\1\0" + bytes([len(name)]) + name + b"\5\0")
    (tmp_path / "bad.wasm").write_bytes(wasm)
    path = write_application(tmp_path, [Component("bad", "/bad", "bad.wasm")])
    refused(weir_checked, path, words=[r"bad\.wasm"])


# ---- addresses and options -------------------------------------------------------------------------------------------


def test_a_port_in_use_is_refused(weir_checked, hello):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused(weir_checked, hello, "--listen", address, words=[re.escape(address), "in use"])


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nonsense",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:http",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "300.0.0.1:3000",
        "::1:3000",
        "[::1",
        "[::1]3000",
        "127.0.0.1:3000:1",
        "127.0.0.1:3000 ",
    ],
)
def test_an_address_that_is_none_is_refused(weir_checked, hello, address):
    words = [re.escape(address.strip())]
    refused(weir_checked, hello, "--listen", address, words=words)
    if address:
        refused(weir_checked, hello, environment={"SPIN_HTTP_LISTEN_ADDR": address}, words=words)


def test_an_address_of_another_machine_is_refused(weir_checked, hello):
    refused(
        weir_checked,
        hello,
        "--listen",
        "192.0.2.1:3000",
        words=[r"192\.0\.2\.1:3000", "interface|assign"],
    )


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--surprise"], "--surprise"),
        (["--listen"], "--listen"),
        (["one", "two"], "two"),
        (["-f"], "-f"),
        (["--request-timeout", "soon"], "soon"),
        (["--request-timeout", "-1s"], "-1s"),
        (["--request-timeout", "99999999999999999999s"], "99999999999999999999s"),
        (["--request-timeout", ""], "--request-timeout"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_option_is_refused_by_name(weir_checked, arguments, word):
    refused(weir_checked, *arguments, words=[re.escape(word)])


def test_an_unknown_command_is_refused_by_name(weir_checked):
    done = weir_checked.run("serve-all", seconds=15)
    assert done.status == 2, done
    assert "serve-all" in done.stderr and done.stdout == "", done
    done = weir_checked.run("doctor", "--surprise", seconds=15)
    assert done.status == 2, done
    assert "--surprise" in done.stderr and done.stdout == "", done


# Spin: src/lib.rs, SpinApp, and its plug-ins.
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--verison"], ["'--verison'", "did you mean 'weir --version'"]),
        (["-version"], ["'-version'", "did you mean 'weir --version'"]),
        (["-v"], ["'-v'", "did you mean 'weir --version'"]),
        (["--hepl"], ["did you mean 'weir --help'"]),
        (["--surprise=s3cret"], ["unknown option '--surprise'", "--help and --version"]),
        (["--listen", "127.0.0.1:0"], ["--listen is an option of a command", "'weir up --listen'"]),
        (["-f", "app"], ["-f is an option of a command", "'weir up -f'"]),
        (["bulid"], ["'bulid'", "did you mean 'weir build'"]),
        (["doctro"], ["did you mean 'weir doctor'"]),
        (["hlep"], ["did you mean 'weir help'"]),
        (["help", "bulid"], ["did you mean 'weir build'"]),
        (["watch"], ["'watch' is a command of Spin", "weir build --up"]),
        (["wacth"], ["'wacth'", "'watch'", "a command of Spin", "weir build --up"]),
        (["add", "http-c"], ["'add' is a command of Spin", "spin.toml"]),
        (["deploy"], ["'deploy' is a command of Spin", "weir up"]),
        (["cloud", "login"], ["'cloud' is a command of Spin", "weir up"]),
        (["login"], ["'login' is a command of Spin", "weir up"]),
        (["registry", "push", "x"], ["'registry' is a command of Spin", "reads no registry"]),
        (["oci"], ["'oci' is a command of Spin", "reads no registry"]),
        (["plugins", "update"], ["'plugins' is a command of Spin", "no plug-ins"]),
        (["templates", "install"], ["'templates' is a command of Spin", "weir new --list"]),
        (["test"], ["'test' is a command of Spin", "weir up"]),
        (["targets"], ["'targets' is a command of Spin", "deployment targets"]),
        (["u"], ["'u' is a command of Spin", "'weir up'"]),
        (["help", "watch"], ["'watch' is a command of Spin"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_misspelt_command_and_one_of_spins_are_told_apart(weir_checked, arguments, words):
    done = weir_checked.run(*arguments, seconds=15)
    assert done.status == 2 and done.stdout == "", done
    assert done.stderr.startswith("weir: error: ") and done.stderr.count("\n") == 1, done
    for word in words:
        assert word in done.stderr, done
    assert "s3cret" not in done.stderr, done


def test_a_file_in_place_of_a_command_is_told_how_it_is_served(weir_checked, tmp_path):
    path = tmp_path / "spin.toml"
    path.write_text("")
    done = weir_checked.run(path, seconds=15)
    assert done.status == 2 and done.stdout == "", done
    assert f"'weir up {path}'" in done.stderr, done


def test_control_characters_in_what_was_given_do_not_reach_the_terminal(weir_checked, tmp_path):
    path = tmp_path / "bell\x07\x1b[31m\n.toml"
    message = refused(weir_checked, path)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", message.rstrip("\n")), repr(message)


@pytest.mark.parametrize("option", ["-e", "--env", "--variable"])
@pytest.mark.parametrize("text", ["HUNTER2", "=HUNTER2"])
def test_what_may_be_a_secret_is_not_shown_where_its_name_is_missing(weir, hello, option, text):
    assert "HUNTER2" not in refused(weir, hello, option, text, words=[option])
