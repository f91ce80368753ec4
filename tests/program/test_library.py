# ctest: timeout=900
"""libweir as its users get it: installed, found, compiled against, linked and run, in other places than where it was
built. The example is the program that people are told to write."""

import os
import re
import shutil
import signal
import subprocess
import textwrap
from pathlib import Path

import pytest

from conftest import TESTS, path_from_environment

GIB = 1 << 30
GREETING = "Hello from an instance!"
SUMMARY = re.compile(r"^allocator: (standard pool|compact pool|on demand), ")
# It reserves terabytes.
WHOLE_POOL = "standard pool, 1000 slots of 4 GiB"


def run(*command, environment=None, directory=None, status=0, seconds=240):
    """Run to the end; the exit status must be `status` (None: any)."""
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **(environment or {})},
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert status is None or done.returncode == status, (
        f"{' '.join(done.args)}\nexit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    )
    return done


def need(*names):
    for name in names:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")


class Installation:
    """What cmake --install laid out below a prefix."""

    def __init__(self, prefix):
        self.prefix = prefix

    def only(self, pattern):
        found = sorted(path for path in self.prefix.rglob(pattern) if path.parent.name != "component")
        assert len(found) == 1, f"{pattern}: {found}"
        return found[0]

    @property
    def libraries(self):
        return self.only("libweir.a").parent

    @property
    def headers(self):
        return self.prefix / "include"

    @property
    def wasmtime_headers(self):
        return self.only("wasmtime.h").parent

    def pkg_config(self, *arguments):
        need("pkg-config")
        # PKG_CONFIG_LIBDIR: this installation alone, whatever the machine has.
        environment = {"PKG_CONFIG_LIBDIR": str(self.only("weir.pc").parent), "PKG_CONFIG_PATH": ""}
        return run("pkg-config", *arguments, environment=environment).stdout.split()

    def flags(self, kind):
        """What a compiler is told for the shared library, the static one, or a program that is static as a whole."""
        if kind == "whole":
            return ["-static", *self.pkg_config("--static", "--cflags", "--libs", "weir")]
        return self.pkg_config("--cflags", "--libs", {"shared": "weir", "static": "weir-static"}[kind])

    def compile(self, compiler, sources, program, kind="shared", options=()):
        need(compiler)
        run(compiler, *options, *sources, "-o", program, *self.flags(kind))
        return program

    def run(self, *command, **options):
        return run(*command, environment={"LD_LIBRARY_PATH": str(self.libraries)}, **options)


@pytest.fixture(scope="module", autouse=True)
def cache_of_its_own(tmp_path_factory):
    """What programs here remember of this machine is no business of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def build_directory():
    directory = path_from_environment("WEIR").parent
    if not (directory / "cmake_install.cmake").exists():
        pytest.skip(f"{directory} is not a build directory: nothing can be installed from it")
    return directory


@pytest.fixture(scope="session")
def install(build_directory):
    def into(prefix, *options):
        run("cmake", "--install", build_directory, "--prefix", prefix, *options)
        return Installation(prefix)

    return into


@pytest.fixture(scope="session")
def installed(install, tmp_path_factory):
    return install(tmp_path_factory.mktemp("installed") / "prefix")


@pytest.fixture(scope="session")
def moved(install, tmp_path_factory):
    """An installation that lies elsewhere than it was put; the first place is gone."""
    directory = tmp_path_factory.mktemp("moved")
    install(directory / "first place")
    (directory / "first place").rename(directory / "second place")
    return Installation(directory / "second place")


@pytest.fixture(scope="session")
def embed(examples):
    return examples / "embed.c"


def assert_greets(done):
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and SUMMARY.match(lines[0]) and lines[1] == GREETING, f"{done.stdout}\n{done.stderr}"
    return lines[0]


# ---- a program that embeds Wasmtime ----------------------------------------------------------------------------------


@pytest.fixture(
    scope="module",
    params=[(compiler, kind) for compiler in ("gcc", "clang") for kind in ("shared", "static", "whole")],
    ids="-".join,
)
def example(request, installed, embed, tmp_path_factory):
    """The example as each compiler makes it from each form of the library. No warning is left."""
    compiler, kind = request.param
    options = ["-std=c17", "-Wall", "-Wextra", "-Werror", "-O1"]
    return installed.compile(compiler, [embed], tmp_path_factory.mktemp("example") / "embed", kind, options)


def test_the_example_runs_here(installed, example):
    done = installed.run(example)
    assert_greets(done)
    assert done.stderr == ""


@pytest.mark.parametrize("mebibytes", [8192, 1024, 400])
def test_the_example_runs_in_little_address_space(installed, example, mebibytes):
    size = mebibytes << 20
    done = installed.run("prlimit", f"--as={size}:{size}", "--", example)
    assert WHOLE_POOL not in assert_greets(done)
    assert done.stderr == ""


def test_the_example_runs_under_qemu(installed, example, qemu_user):
    assert_greets(installed.run(qemu_user, example))


def test_the_example_needs_the_shared_library_only_where_it_was_asked_for(installed, embed, tmp_path):
    need("readelf")
    for kind in ("shared", "static", "whole"):
        program = installed.compile("gcc", [embed], tmp_path / kind, kind)
        dynamic = run("readelf", "--dynamic", program).stdout
        assert ("libweir.so" in dynamic) == (kind == "shared")
        assert ("NEEDED" in dynamic) == (kind != "whole")


@pytest.fixture(scope="module")
def plain_pool(installed, tmp_path_factory):
    return installed.compile(
        "gcc", [TESTS / "helpers" / "plain_pool.c"], tmp_path_factory.mktemp("plain") / "plain_pool", "shared"
    )


@pytest.mark.parametrize("mebibytes", [8192, 1024, 400])
def test_without_the_library_a_refused_pool_ends_the_process(installed, plain_pool, mebibytes):
    size = mebibytes << 20
    done = installed.run("prlimit", f"--as={size}:{size}", "--core=0", "--", plain_pool, status=None)
    assert done.returncode == -signal.SIGABRT, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("mebibytes", [8192, 1024, 400])
def test_the_constructor_returns_a_refusal(installed, plain_pool, mebibytes):
    size = mebibytes << 20
    done = installed.run("prlimit", f"--as={size}:{size}", "--", plain_pool, "checked", status=2)
    assert re.match(r"refused: errno 12, engine untouched: \S", done.stdout), done.stdout


def test_the_library_keeps_to_its_own_wasmtime(installed, embed, tmp_path):
    """Another Wasmtime in the process, here in the program itself, must not get calls that libweir makes of its own."""
    source = tmp_path / "other.c"
    source.write_text(
        textwrap.dedent(
            """
            #include <stdio.h>
            #include <stdlib.h>
            #include <weir/allocator.h>
            int main(void)
            {
                weir_choice_t *choice = NULL;
                weir_status_t status = weir_allocator_choose(NULL, &choice);
                puts(status == WEIR_OK ? weir_choice_summary(choice) : "no choice");
                weir_choice_free(choice);
                return status == WEIR_OK ? 0 : 1;
            }
            """
        )
    )
    other = tmp_path / "interposed.c"
    names = [
        "wasm_config_new",
        "wasm_engine_delete",
        "wasmtime_module_new",
        "wasmtime_pooling_allocation_config_new",
        "wasmtime_store_new",
        "weir_engine_new",
    ]
    other.write_text(
        "#include <stdio.h>\n#include <stdlib.h>\n"
        + "".join(f'void {name}(void) {{ fputs("the other {name}\\n", stderr); abort(); }}\n' for name in names)
    )
    program = installed.compile("gcc", [source, other], tmp_path / "other", "shared", ["-rdynamic"])
    exported = run("nm", "-D", "--defined-only", program).stdout
    assert all(f" T {name}\n" in exported for name in names), exported
    assert SUMMARY.match(installed.run(program).stdout)


# ---- CMake -----------------------------------------------------------------------------------------------------------


def configure(directory, installation, text, status=0):
    (directory / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.16)\n" + textwrap.dedent(text))
    return run("cmake", "-S", directory, "-B", directory / "build", f"-DCMAKE_PREFIX_PATH={installation.prefix}",
        status=status)  # fmt: skip


def cmake_consumer(directory, installation, embed, find):
    shutil.copy(embed, directory)
    configure(
        directory,
        installation,
        f"""
        project(consumer LANGUAGES C)
        {find}
        add_executable(embed embed.c)
        target_link_libraries(embed PRIVATE weir::allocator)
        target_compile_options(embed PRIVATE -Wall -Wextra -pedantic -Werror)
        """,
    )
    run("cmake", "--build", directory / "build")
    return directory / "build" / "embed"


@pytest.mark.parametrize("components", ["", "COMPONENTS shared", "COMPONENTS static"])
def test_a_cmake_project_finds_the_library(installed, embed, tmp_path, components):
    program = cmake_consumer(tmp_path, installed, embed, f"find_package(weir 0.1 REQUIRED CONFIG {components})")
    if "static" in components:
        everything = installed.compile("gcc", [embed], tmp_path / "everything", "static").stat().st_size
        assert program.stat().st_size < everything * 0.6
    # Its own run path leads to the library.
    assert_greets(run(program))
    assert ("libweir.so" in run("readelf", "--dynamic", program).stdout) == ("static" not in components)


def test_a_cmake_project_of_cxx_alone_can_use_both_forms(installed, tmp_path):
    need("c++")
    (tmp_path / "main.cc").write_text(CXX_PROGRAM)
    configure(
        tmp_path,
        installed,
        """
        project(consumer LANGUAGES CXX)
        find_package(weir REQUIRED)
        find_package(weir REQUIRED)  # again, as a dependency of a dependency would
        foreach(kind shared static)
            add_executable(${kind} main.cc)
            target_link_libraries(${kind} PRIVATE weir::allocator_${kind})
        endforeach()
        """,
    )
    run("cmake", "--build", tmp_path / "build")
    for kind in ("shared", "static"):
        assert_greets(run(tmp_path / "build" / kind))


@pytest.mark.parametrize(
    "find, message",
    [
        ("find_package(weir 99 REQUIRED)", "99"),
        ("find_package(weir 0.0.1 REQUIRED)", "0.0.1"),
        ("find_package(weir REQUIRED COMPONENTS nonsense)", "nonsense"),
    ],
)
def test_cmake_refuses_what_is_not_there(installed, tmp_path, find, message):
    done = configure(tmp_path, installed, f"project(consumer LANGUAGES C)\n{find}\n", status=1)
    assert "weir" in done.stderr and message in done.stderr, done.stderr


@pytest.mark.parametrize("absent, left", [("libweir.so*", "static"), ("libweir_bridge.a", "shared")])
def test_cmake_finds_the_form_that_a_distribution_installs(install, embed, tmp_path, absent, left):
    some = install(tmp_path / "prefix")
    for path in list(some.prefix.rglob(absent)):
        path.unlink()
    (tmp_path / "consumer").mkdir()
    program = cmake_consumer(tmp_path / "consumer", some, embed, "find_package(weir REQUIRED)")
    assert_greets(run(program))
    other = {"static": "shared", "shared": "static"}[left]
    (tmp_path / "refused").mkdir()
    find = f"find_package(weir REQUIRED COMPONENTS {other})"
    done = configure(tmp_path / "refused", some, f"project(consumer LANGUAGES C)\n{find}\n", status=1)
    assert other in done.stderr


# ---- moved elsewhere -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--define-prefix"]], ids=["plain", "define-prefix"])
@pytest.mark.parametrize("package", ["weir", "weir-static"])
def test_pkg_config_follows_a_moved_prefix(moved, options, package):
    environment = {"PKG_CONFIG_LIBDIR": str(moved.only("weir.pc").parent), "PKG_CONFIG_PATH": ""}
    need("pkg-config")
    for variable, expected in [
        ("includedir", moved.headers),
        ("wasmtimedir", moved.wasmtime_headers),
        ("libdir", moved.libraries),
    ]:
        said = run("pkg-config", *options, f"--variable={variable}", package, environment=environment).stdout.strip()
        # A blank in a path is written with a backslash before it.
        assert Path(said.replace("\\ ", " ")).resolve() == expected


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_a_program_is_built_with_a_moved_prefix(install, embed, tmp_path, kind):
    install(tmp_path / "first")
    (tmp_path / "first").rename(tmp_path / "second")
    second = Installation(tmp_path / "second")
    assert_greets(second.run(second.compile("gcc", [embed], tmp_path / "embed", kind)))


def test_cmake_follows_a_moved_prefix(moved, embed, tmp_path):
    assert_greets(run(cmake_consumer(tmp_path, moved, embed, "find_package(weir REQUIRED)")))


def test_nothing_that_is_installed_names_where_it_was_built(install, build_directory, tmp_path):
    some = install(tmp_path / "prefix")
    bridge = re.search(r'set\(WEIR_BRIDGE "(.*)"\)', (build_directory.parent / "dependencies.cmake").read_text())
    for path in some.prefix.rglob("*"):
        if path.is_file() and path.suffix != ".a":
            content = path.read_bytes()
            for place in (some.prefix, build_directory, bridge[1]):
                assert str(place).encode() not in content, f"{path} names {place}"


# ---- headers ---------------------------------------------------------------------------------------------------------

HEADERS = ["allocator.h", "engine.h"]

CXX_PROGRAM = """
#include <weir/allocator.h>
#include <weir/engine.h>
#include <cstdio>

int main()
{
    weir_choose_options_t options;
    weir_choose_options_init(&options);
    weir_choice_t *choice = nullptr;
    if (weir_allocator_choose(&options, &choice) != WEIR_OK)
        return 1;
    wasm_config_t *config = wasm_config_new();
    wasm_engine_t *engine = nullptr;
    if (weir_choice_configure(choice, config) != WEIR_OK || weir_engine_new(config, &engine, nullptr) != nullptr)
        return 1;
    std::printf("%s\\nHello from an instance!\\n", weir_choice_summary(choice));
    wasm_engine_delete(engine);
    weir_choice_free(choice);
}
"""


def test_every_public_header_is_installed_and_no_other(installed):
    assert sorted(path.name for path in (installed.headers / "weir").iterdir()) == sorted([*HEADERS, "wasmtime"])
    assert [path.name for path in installed.headers.iterdir()] == ["weir"]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("standard", ["c11", "c17"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_header_compiles_by_itself(installed, tmp_path, compiler, standard, header):
    source = tmp_path / "one.c"
    source.write_text(f"#include <weir/{header}>\n#include <weir/{header}>\n")
    warnings = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
    flags = installed.pkg_config("--cflags", "weir")
    need(compiler)
    run(compiler, f"-std={standard}", *warnings, "-fsyntax-only", source, *flags)


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_a_header_compiles_as_cxx(installed, tmp_path, compiler, header):
    source = tmp_path / "one.cc"
    source.write_text(f"#include <weir/{header}>\n")
    need(compiler)
    # Wasmtime's own headers have anonymous structures, which ISO C++ has not.
    flags = ["-isystem", installed.wasmtime_headers, "-I", installed.headers]
    run(compiler, "-std=c++17", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", source, *flags)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("kind", ["shared", "static"])
def test_a_cxx_program_links_and_runs(installed, tmp_path, compiler, kind):
    source = tmp_path / "main.cc"
    source.write_text(CXX_PROGRAM)
    program = installed.compile(compiler, [source], tmp_path / "main", kind, ["-std=c++17", "-Wall", "-Wextra"])
    assert_greets(installed.run(program))


def test_the_headers_of_another_wasmtime_are_refused(installed, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(installed.wasmtime_headers, other)
    text = (other / "wasmtime.h").read_text()
    major = re.search(r"#define WASMTIME_VERSION_MAJOR (\d+)", text)
    (other / "wasmtime.h").write_text(text.replace(major[0], f"#define WASMTIME_VERSION_MAJOR {int(major[1]) + 1}"))
    source = tmp_path / "one.c"
    source.write_text("#include <weir/engine.h>\n")
    done = run("gcc", "-fsyntax-only", f"-I{other}", source, *installed.pkg_config("--cflags", "weir"), status=1)
    assert "pkg-config --cflags weir" in done.stderr


def test_an_installed_wasmtime_of_another_version_is_not_taken(installed, tmp_path):
    """The flags put libweir's own headers before those that lie beside them in the same prefix."""
    (tmp_path / "prefix").mkdir()
    shutil.copytree(installed.prefix, tmp_path / "prefix", dirs_exist_ok=True, symlinks=True)
    beside = Installation(tmp_path / "prefix")
    flags = beside.pkg_config("--cflags", "weir")
    for name in ("wasm.h", "wasmtime.h", "wasi.h"):
        (beside.headers / name).write_text("#error another Wasmtime\n")
    source = tmp_path / "one.c"
    source.write_text("#include <weir/allocator.h>\n#include <weir/engine.h>\n#include <wasi.h>\n")
    run("gcc", "-fsyntax-only", source, *flags)


# ---- symbols ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def declared(installed, tmp_path_factory):
    """Every function that the headers declare and do not define."""
    directory = tmp_path_factory.mktemp("declared")
    source = directory / "all.c"
    source.write_text("#include <wasi.h>\n" + "".join(f"#include <weir/{header}>\n" for header in HEADERS))
    prototypes = directory / "prototypes"
    run("gcc", "-std=c17", "-fsyntax-only", "-aux-info", prototypes, source, *installed.pkg_config("--cflags", "weir"))
    names = set()
    for line in prototypes.read_text().splitlines():
        found = re.match(r"/\* \S*?(/weir/\S*):\d+:\S+ \*/ extern .*?\b((?:wasm|wasmtime|wasi|weir)_\w+) \(", line)
        if found:
            names.add(found[2])
    assert len(names) > 500 and "weir_allocator_choose" in names and "wasmtime_module_new" in names
    return names


def test_the_shared_library_offers_what_the_headers_declare(installed, declared):
    need("nm")
    lines = run("nm", "-D", "--defined-only", installed.only("libweir.so")).stdout.splitlines()
    offered = {line.split()[-1].split("@")[0] for line in lines}
    assert declared - offered == set()
    # Some linkers list the version as a symbol; Wasmtime has a few functions that its headers leave out.
    extra = {name for name in offered - declared if not re.fullmatch(r"WEIR_[\d.]+", name)}
    assert {name for name in extra if not name.startswith(("wasm_", "wasmtime_", "wasi_"))} == set()


def test_every_symbol_of_the_shared_library_has_its_version(installed):
    need("nm", "readelf")
    library = installed.only("libweir.so")
    soname = re.search(r"SONAME.*\[libweir\.so\.(.*)\]", run("readelf", "--dynamic", library).stdout)[1]
    for line in run("nm", "-D", "--defined-only", library).stdout.splitlines():
        symbol = line.split()[-1]
        assert symbol.endswith(f"@@WEIR_{soname}") or symbol == f"WEIR_{soname}", symbol


def test_the_shared_library_can_be_loaded_at_any_time(installed):
    """No static thread-local storage, no text relocations, no executable stack, nothing undefined."""
    need("readelf")
    library = installed.only("libweir.so")
    dynamic = run("readelf", "--dynamic", library).stdout
    assert "STATIC_TLS" not in dynamic and "TEXTREL" not in dynamic
    stack = re.search(r"GNU_STACK.*\n?.*?\b(RW|RWE)\b", run("readelf", "--segments", "--wide", library).stdout)
    assert stack[1] == "RW"
    needed = re.findall(r"NEEDED.*\[(.*?)\.so", dynamic)
    assert set(needed) <= {"libc", "libm", "libdl", "libpthread", "libgcc_s", "ld-linux-x86-64", "ld-linux-aarch64"}


# ---- the rest of what is installed -----------------------------------------------------------------------------------


def test_the_installed_program_runs(installed):
    program = installed.prefix / "bin" / "weir"
    assert run(program, "--version").stdout.startswith("weir ")
    assert "allocator" in run(program, "doctor").stdout


def test_versions_agree(installed):
    said = run(installed.prefix / "bin" / "weir", "--version").stdout.split()[1]
    assert installed.pkg_config("--modversion", "weir", "weir-static") == [said, said]
    assert (installed.libraries / f"libweir.so.{said}").exists()


def test_components_can_be_installed_by_themselves(install, tmp_path):
    def names(component):
        some = install(tmp_path / component, "--component", component)
        return {path.name for path in some.prefix.rglob("*") if not path.is_dir() and "templates" not in path.parts}

    program, library, development = names("program"), names("library"), names("development")
    documents = {path.name for path in (TESTS.parent / "docs").iterdir() if path.suffix in (".md", ".json")} - {"dependencies.md"}
    documents |= {path.name for part in ("docs/images", "deploy") for path in (TESTS.parent / part).iterdir()}
    assert {"weir", "weir.1", "LICENSE", *documents} == program
    assert all(name.startswith("libweir.so.") for name in library - {"LICENSE"}) and len(library) == 3
    assert {"libweir.so", "libweir.a", "libweir_bridge.a", "allocator.h", "weir.pc", "libweir.3"} <= development
    assert development & (program | library) == {"LICENSE", "facts.md"}


@pytest.mark.parametrize("page", ["man1/weir.1", "man3/libweir.3"])
def test_the_documents_that_a_manual_page_names_are_installed(installed, page):
    text = (installed.prefix / "share" / "man" / page).read_text().replace("\\-", "-")
    documents = installed.prefix / "share" / "doc" / "weir"
    named = set(re.findall(r"[\w./-]+\.(?:md|schema\.json)\b", text))
    assert named or page != "man1/weir.1"
    for name in named:
        assert (documents / name).is_file(), name
    for document in documents.glob("*.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
            assert (documents / target).is_file(), f"{document.name} refers to {target}"


PAGES = ["man1/weir.1", "man3/libweir.3"]


@pytest.mark.parametrize("page", PAGES)
def test_a_manual_page_has_no_fault(installed, page):
    need("man")
    environment = {"LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"}
    path = installed.prefix / "share" / "man" / page
    done = run("man", "--warnings=w", "-E", "UTF-8", "-l", "-Tutf8", path, environment=environment)
    if not done.stdout:
        pytest.skip("man prints nothing here: this system has left out what formats manual pages")
    assert done.stderr == ""


@pytest.mark.parametrize("page", PAGES)
def test_mandoc_finds_no_fault(installed, page):
    need("mandoc")
    run("mandoc", "-Tlint", installed.prefix / "share" / "man" / page)


def test_the_manual_page_names_every_function(installed, declared):
    text = (installed.prefix / "share" / "man" / "man3" / "libweir.3").read_text()
    synopsis, rest = text.split(".SH DESCRIPTION")
    functions = {name for name in declared if name.startswith("weir_")}
    assert {name for name in functions if f"{name}(" not in synopsis} == set()
    assert {name for name in functions if not re.search(rf"\b{name}\b", rest)} == set()


def test_every_function_has_a_manual_page(installed, declared):
    pages = installed.prefix / "share" / "man" / "man3"
    functions = {name for name in declared if name.startswith("weir_")}
    assert {path.stem for path in pages.iterdir()} == functions | {"libweir"}
    for name in functions:
        target = re.fullmatch(r"\.so (\S+)\n", (pages / f"{name}.3").read_text())[1]
        assert (pages.parent / target).exists()
