"""weir new and weir build: from nothing to an application that is served, with clang and wasi-libc alone."""

import re
import shutil
import subprocess

import pytest

from harness import SERVING

MANIFEST = """\
spin_manifest_version = 2

[application]
name = "app"

[[trigger.http]]
route = "/one"
component = "one"

[[trigger.http]]
route = "/two"
component = "two"

[[trigger.http]]
route = "/three"
component = "three"

[component.one]
source = "one.wasm"
build = {one}

[component.two]
source = "two.wasm"
build = {two}

[component.three]
source = "three.wasm"
"""


def files_of(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def application(tmp_path):
    """An application whose build commands are given."""

    def write(one='{ command = "echo 1 >> order" }', two='{ command = "echo 2 >> order" }'):
        directory = tmp_path / "app"
        directory.mkdir(exist_ok=True)
        (directory / "spin.toml").write_text(MANIFEST.format(one=one, two=two))
        return directory

    return write


# ---- weir new --------------------------------------------------------------------------------------------------------


def test_templates_are_listed_with_what_they_are(weir):
    done = weir.run("new", "--list")
    assert done.status == 0 and done.stderr == "", done
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == ["c-http", "c-wagi"]
    assert "wasi:http" in lines[0][1] and "WAGI" in lines[1][1]


def test_the_default_is_a_component_and_brings_its_bindings(weir, tmp_path):
    done = weir.run("new", "my-app", directory=tmp_path)
    assert done.status == 0 and done.stderr == "", done
    assert "cd my-app" in done.stdout
    files = files_of(tmp_path / "my-app")
    assert set(files) == {
        ".gitignore",
        "spin.toml",
        "handler.c",
        "bindings.c",
        "bindings.h",
        "bindings_component_type.o",
    }
    assert b'name = "my-app"' in files["spin.toml"] and b"[component.my-app]" in files["spin.toml"]
    assert all(b"@NAME@" not in content for content in files.values())


def test_what_is_there_is_not_written_over(weir, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "spin.toml").write_text("precious")
    (tmp_path / "file").write_text("precious")
    (tmp_path / "empty").mkdir()
    for name in ("full", "file"):
        done = weir.run("new", name, directory=tmp_path)
        assert done.status == 1 and done.stdout == "", done
        assert "is there already" in done.stderr and "--output" in done.stderr, done
    assert files_of(tmp_path / "full") == {"spin.toml": b"precious"}
    assert (tmp_path / "file").read_text() == "precious"
    done = weir.run("new", "other", "-t", "c-wagi", "-o", "empty", directory=tmp_path)
    assert done.status == 0, done
    assert set(files_of(tmp_path / "empty")) == {".gitignore", "spin.toml", "handler.c"}


@pytest.mark.parametrize("output", ["sub/dir/x", "there/x/", "./a//b", "{}/far/x"])
def test_the_directories_above_are_made(weir, tmp_path, output):
    (tmp_path / "there").mkdir()
    output = output.format(tmp_path)
    done = weir.run("new", "one", "-t", "c-wagi", "-o", output, directory=tmp_path)
    assert done.status == 0 and f"one is in {output}; go on with:\n  cd {output}\n" in done.stdout, done
    assert set(files_of(tmp_path / output)) == {".gitignore", "spin.toml", "handler.c"}


def test_directories_that_cannot_be_made_are_named(weir, tmp_path):
    (tmp_path / "file").write_text("precious")
    done = weir.run("new", "one", "-o", "file/dir/x", directory=tmp_path)
    assert done.status == 1 and done.stderr.count("\n") == 1, done
    assert 'cannot make the directory "file/dir/x": Not a directory' in done.stderr, done


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], ["no name was given", "weir new greeter"]),
        (["Upper"], ["'Upper'", "lower-case"]),
        (["a_b"], ["'a_b'"]),
        (["../up"], ["'../up'"]),
        (["a--b"], ["'a--b'"]),
        (["1a"], ["'1a'"]),
        (["a-"], ["'a-'"]),
        (["a-1"], ["'a-1'"]),
        ([""], ["''"]),
        (["a" * 65], ["a" * 65]),
        (["one", "two"], ["'one'", "'two'"]),
        (["one", "--template", "c-htp"], ['"c-htp"', "c-http, c-wagi", "did you mean c-http?"]),
        (["one", "--template", "../.."], ["there is no template"]),
        (["one", "--template", ""], ["there is no template"]),
        (["one", "--temlate", "c-http"], ["did you mean --template?"]),
    ],
)
def test_what_cannot_be_made_is_named_and_nothing_is_left(weir, tmp_path, arguments, words):
    done = weir.run("new", *arguments, directory=tmp_path)
    assert done.status == 2 and done.stdout == "", done
    assert done.stderr.count("\n") == 1, done
    for word in words:
        assert word in done.stderr, done
    assert not any(tmp_path.iterdir())


def test_a_disk_that_is_full_leaves_nothing_behind(weir, tmp_path):
    program = weir.wrapped("prlimit", "--fsize=1000:1000", "--")
    done = program.run("new", "greeter", directory=tmp_path)
    assert done.status == 1 and "File too large" in done.stderr, done
    assert not any(tmp_path.iterdir())


def test_templates_are_found_where_they_are_installed_and_missed_elsewhere(weir, tmp_path):
    cmake = shutil.which("cmake")
    assert cmake, "cmake is needed"
    subprocess.run(
        [cmake, "--install", weir.path.parent, "--component", "program", "--prefix", tmp_path / "prefix"],
        check=True,
        capture_output=True,
    )
    installed = tmp_path / "prefix" / "bin" / "weir"
    (tmp_path / "alone").mkdir()
    done = subprocess.run([installed, "new", "greeter"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    assert (tmp_path / "greeter" / "bindings.h").exists()
    shutil.copy2(installed, tmp_path / "alone" / "weir")
    done = subprocess.run(
        [tmp_path / "alone" / "weir", "new", "other"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "share/weir/templates" in done.stderr, done
    assert not (tmp_path / "other").exists()


# ---- weir build ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template, answer", [("c-wagi", "GET /some/path\n"), ("c-http", "/some/path\n")])
def test_a_new_application_is_built_and_served(weir, serve, tmp_path, template, answer):
    assert weir.run("new", "greeter", "--template", template, directory=tmp_path).status == 0
    done = weir.run("build", directory=tmp_path / "greeter")
    assert done.status == 0 and done.stderr == "", done
    assert done.stdout.startswith("Building component greeter")
    assert done.stdout.endswith("`\nAll components are built\n")
    server = serve(weir, directory=tmp_path / "greeter")
    assert server.get("/some/path").text == "Hello from greeter!\n" + answer


def test_what_the_template_says_of_variables_works_when_it_is_no_comment(weir, serve, tmp_path):
    assert weir.run("new", "greeter", directory=tmp_path).status == 0
    directory = tmp_path / "greeter"
    manifest, handler = directory / "spin.toml", directory / "handler.c"
    lines = manifest.read_text().splitlines()
    first = lines.index("# [variables]")
    lines[first : first + 4] = [line.removeprefix("# ") for line in lines[first : first + 4]]
    manifest.write_text("\n".join(lines) + "\n")
    lines = handler.read_text().splitlines()
    code = [line.removeprefix(" * ") for line in lines if line.startswith(" *     ")]
    start = lines.index("    char *text = NULL;")
    handler.write_text("\n".join(lines[:start] + code + lines[start:]) + "\n")
    done = weir.run("build", directory=directory)
    assert done.status == 0 and done.stderr == "", done
    server = serve(weir, "--variable", "greeting=Good day", directory=directory)
    assert server.get("/").text == "Hello from greeter!\n/\n"
    server.stop()
    assert "Good day" in (directory / ".spin" / "logs" / "greeter_stdout.txt").read_text()


def test_commands_run_in_the_manifests_order_and_directory_with_their_output_shown(weir_checked, application, tmp_path):
    """Spin: crates/build/src/lib.rs."""
    directory = application(
        one='{ command = ["pwd; echo 1 >> order", "echo to stderr >&2; echo 1b >> order"] }',
        two='{ command = "pwd; echo 2 >> ../order", workdir = "sub" }',
    )
    (directory / "sub").mkdir()
    for arguments, where in (([directory], tmp_path), (["-f", directory / "spin.toml"], tmp_path), ([], directory)):
        done = weir_checked.run("build", *arguments, directory=where)
        assert done.status == 0, done
        lines = done.stdout.splitlines()
        assert lines[0] == "Building component one, step 1 of 2, with `pwd; echo 1 >> order`"
        assert lines[1] == str(directory)
        assert lines[2].startswith("Building component one, step 2 of 2, with `echo to stderr")
        assert lines[3] == "Building component two with `pwd; echo 2 >> ../order`"
        assert lines[4].startswith("Working directory: ") and lines[4].endswith("sub")
        assert lines[5:] == [str(directory / "sub"), "All components are built"]
        assert done.stderr == "to stderr\n"
    assert (directory / "order").read_text() == "1\n1b\n2\n" * 3


def test_components_can_be_chosen_and_unknown_ones_are_named(weir_checked, application):
    directory = application()
    done = weir_checked.run("build", "-c", "two", directory=directory)
    assert done.status == 0 and (directory / "order").read_text() == "2\n", done
    done = weir_checked.run("build", "-c", "three", directory=directory)
    assert done.status == 0 and "Nothing to build" in done.stdout, done
    done = weir_checked.run("build", "--component-id", "four", directory=directory)
    assert done.status == 2 and '"four"' in done.stderr and "one, two, three" in done.stderr, done
    assert (directory / "order").read_text() == "2\n"


@pytest.mark.parametrize(
    "command, words",
    [
        ("exit 3", ["component one", "exit status 3", "exit 3"]),
        ("kill -9 $$", ["component one", "signal 9"]),
        ("no-such-command-here", ["component one", "exit status 127"]),
    ],
)
def test_a_command_that_fails_is_named_and_ends_the_build(weir_checked, application, command, words):
    directory = application(one=f'{{ command = "{command}" }}')
    done = weir_checked.run("build", directory=directory)
    assert done.status == 1, done
    error = done.stderr.splitlines()[-1]
    for word in words:
        assert word in error, done
    assert not (directory / "order").exists()
    assert "All components" not in done.stdout


def test_a_workdir_must_be_there_and_relative(weir_checked, application):
    for workdir, words in (
        ("nowhere", r'"nowhere", and "\./nowhere" is no directory that can be used; make it, or write another'),
        ("spin.toml", r'"spin\.toml", and "\./spin\.toml" is no directory that can be used; make it, or write another'),
        ("/tmp", r'"/tmp"; it must be relative, and is below the manifest\'s directory'),
    ):
        directory = application(one=f'{{ command = "true", workdir = "{workdir}" }}')
        done = weir_checked.run("build", directory=directory)
        found = re.search(rf"^weir: error: spin\.toml:(\d+):(\d+): the workdir of component one is {words}$", done.stderr)
        assert done.status == 1 and found, done
        line = (directory / "spin.toml").read_text().splitlines()[int(found[1]) - 1]
        assert line[int(found[2]) - 1 :].startswith(f'"{workdir}"'), done


@pytest.mark.parametrize("command", ['""', '" \\n"', '["true", ""]'])
def test_an_empty_build_command_is_refused_before_anything_is_built(weir_checked, application, command):
    """Spin lets the shell run it, which does nothing (crates/build/src/lib.rs)."""
    directory = application(two=f"{{ command = {command} }}")
    done = weir_checked.run("build", directory=directory)
    assert done.status == 1 and done.stderr.count("\n") == 1, done
    assert re.search(r"spin\.toml:\d+:\d+: the build command of component two is \"", done.stderr), done
    assert not (directory / "order").exists()
    done = weir_checked.run("build", "-c", "one", directory=directory)
    assert done.status == 0, done


def test_a_wasm_file_is_built_already(weir, guest):
    done = weir.run("build", guest("http_echo"))
    assert done.status == 2 and "is built already" in done.stderr, done


# Spin takes options of `spin up` before and behind --up, and what stands after -- (src/commands/build.rs, up_args).
BUILD_AND_UP = {
    "build --up -- --listen": ["--up", "APP", "--", "--listen", "127.0.0.1:0"],
    "build --up --listen": ["--up", "APP", "--listen", "127.0.0.1:0", "-e=A=B", "-q"],
    "build --listen= --up": ["--listen=127.0.0.1:0", "-qe", "A=B", "--up", "--disable-cache", "-f", "APP"],
}


@pytest.mark.parametrize("way", [*BUILD_AND_UP, "up --build", "SPIN_ALWAYS_BUILD"])
def test_an_application_is_built_and_then_served(weir, serve, guest, tmp_path, way):
    directory = tmp_path / "app"
    directory.mkdir()
    (directory / "spin.toml").write_text(
        'spin_manifest_version = 2\n[application]\nname = "app"\n[[trigger.http]]\nroute = "/..."\ncomponent = "one"\n'
        f'[component.one]\nsource = "one.wasm"\nbuild.command = "cp {guest("http_echo")} one.wasm"\n'
    )
    if way in BUILD_AND_UP:
        words = [directory if word == "APP" else word for word in BUILD_AND_UP[way]]
        command = weir.command("build", *words)
        process = subprocess.Popen(
            command, env=weir.full_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            lines = []
            while not lines or not SERVING.match(lines[-1].rstrip("\n")):
                lines.append(process.stdout.readline())
                assert lines[-1], "".join(lines)
        finally:
            process.terminate()
            process.communicate(timeout=30)
        assert process.returncode == 0
        assert lines[0].startswith("Building component one with `cp "), lines
        return
    if way == "up --build":
        server = serve(weir, directory, "--build")
    else:
        server = serve(weir, directory, environment={"SPIN_ALWAYS_BUILD": "true"})
    assert server.stdout.text.startswith("Building component one with `cp ")
    assert server.request("POST", "/", body=b"x").status == 200


def test_a_build_that_fails_is_not_served(weir_checked, application):
    done = weir_checked.run("up", "--build", application(one='{ command = "exit 7" }'))
    assert done.status == 1 and "exit status 7" in done.stderr, done
    assert "Serving" not in done.stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--", "--listen", "x"], "what stands after -- is for 'weir up'; add --up"),
        (["--listen", "x"], "--listen is for 'weir up'; add --up"),
        (["-q"], "-q is for 'weir up'; add --up"),
        (["-uq"], "-q is an option of 'weir up'; give it apart"),
        (["--up", "--lisen", "x"], "'--lisen'; did you mean --listen?"),
        (["--up", "--sqlite", "x"], "--sqlite is an option of Spin that weir does not have"),
    ],
)
def test_options_for_up_need_up_and_are_known(weir, words, complaint):
    done = weir.run("build", *words)
    assert done.status == 2 and complaint in done.stderr, done


@pytest.mark.parametrize("words", [["--listen"], ["--request-timeout", "soon"], ["--", "--tls-key", "x"]])
def test_options_for_up_are_checked_before_anything_is_built(weir_checked, application, words):
    directory = application()
    done = weir_checked.run("build", "--up", directory, *words)
    assert done.status == 2 and any(word in done.stderr for word in words[-2:]), done
    assert "Building" not in done.stdout and not (directory / "order").exists()
