"""What guests are given from the manifest and the command line: their variables and their files."""

import pytest

from harness import Component, write_application


@pytest.fixture
def application(guest, tmp_path):
    """A guest that reads its variables, and one that looks at its files."""
    path = write_application(
        tmp_path / "app",
        [
            Component("contracts", "/variables", guest("contracts"), wagi=True, argv="guest ${ARGS}"),
            Component("files", "/files", guest("wagi_files"), wagi=True, argv="guest ${ARGS}"),
        ],
    )
    text = path.read_text().replace(
        "[component.contracts]\n", '[component.contracts]\nvariables = { greeting = "{{ word }}, {{ name }}" }\n'
    )
    path.write_text(
        text
        + 'files = [{ source = "static", destination = "/static" }]\n'
        + '[variables]\nword = { default = "hello" }\nname = { required = true, secret = true }\n'
    )
    (path.parent / "static").mkdir()
    (path.parent / "static" / "page").write_text("a page")
    (tmp_path / "outside").write_text("precious")
    return path


def test_variables_are_expanded_from_every_source(weir_checked, serve, application):
    server = serve(weir_checked, application, "--variable", "name=Ada")
    assert server.get("/variables?variables&greeting").text == "ok hello, Ada\n"
    server.stop()
    assert "Ada" not in server.stderr.text and "Ada" not in server.stdout.text
    server = serve(weir_checked, application, environment={"SPIN_VARIABLE_NAME": "Bea", "SPIN_VARIABLE_WORD": "bye"})
    assert server.get("/variables?variables&greeting").text == "ok bye, Bea\n"


def test_a_misspelt_variable_is_warned_of_once_and_serves(weir_checked, serve, application):
    given = {"SPIN_VARIABLE_NAME": "Bea", "SPIN_VARIABLE_WROD": "s3cret"}
    server = serve(weir_checked, application, "--variable", "wrod=s3cret", environment=given)
    assert server.get("/variables?variables&greeting").text == "ok hello, Bea\n"
    server.stop()
    assert server.stderr.text.count('--variable gives "wrod" a value') == 1
    assert server.stderr.text.count("SPIN_VARIABLE_WROD in the environment") == 1
    assert 'did you mean "word"?' in server.stderr.text and "did you mean SPIN_VARIABLE_WORD?" in server.stderr.text
    assert "s3cret" not in server.stderr.text


def test_what_is_warned_of_at_the_start_is_in_the_readers_language(weir_checked, serve, application):
    text = application.read_text()
    text = text.replace("[component.contracts]\n", '[component.contracts]\nsqlite_databases = ["default"]\n')
    trigger = '[[trigger.http]]\nroute = "/variables"\ncomponent = "contracts"\nexecutor = { type = "wagi" }\n'
    application.write_text(text + trigger)
    given = {"SPIN_VARIABLE_NAME": "Bea", "SPIN_VARIABLE_WROD": "s3cret", "LANG": "zh_CN.UTF-8"}
    server = serve(weir_checked, application, "--variable", "wrod=s3cret", environment=given)
    server.stop()
    for words in (
        '--variable 给 "wrod" 赋了值，而应用没有这个变量；您是否想写 "word"？',
        "环境中的 SPIN_VARIABLE_WROD 不对应应用的任何变量；您是否想写 SPIN_VARIABLE_WORD？",
        '组件 "contracts" 的路由 "/variables" 永远不会被访问：组件 "contracts" 的 "/variables"（第',
        "行） 与之相同，以最后一个为准",
        '[component.contracts] 中的 "sqlite_databases"：尚不提供 SQLite 数据库',
        "组件 contracts 导入 fermyon:spin/mqtt@2.0.0，而 weir 不提供它",
    ):
        assert words in server.stderr.text, server.stderr.text


def test_variables_are_read_through_an_async_function(weir_checked, serve, guest, tmp_path):
    """spin:variables@3.0.0, beside a component that has nothing async; the second start finds its code in the cache."""
    components = [
        Component("asks", "/async/...", guest("variables_async")),
        Component("blocks", "/sync/...", guest("variables_sync")),
        Component("contracts", "/plain", guest("contracts"), wagi=True, argv="guest ${ARGS}"),
    ]
    path = write_application(tmp_path / "app", components)
    text = path.read_text()
    for component in components:
        text = text.replace(
            f"[component.{component.id}]\n",
            f'[component.{component.id}]\nvariables = {{ greeting = "{{{{ word }}}}, {{{{ name }}}}" }}\n',
        )
    path.write_text(text + '[variables]\nword = { default = "hello" }\nname = { required = true, secret = true }\n')
    for _ in range(2):
        server = serve(weir_checked, path, "--variable", "name=Ada")
        assert server.get("/async/greeting").text == "ok hello, Ada\n"
        assert server.get("/async/name").text.startswith("undefined ")
        assert server.get("/async/Greeting").text.startswith("invalid-name ")
        assert server.get("/plain?variables&greeting").text == "ok hello, Ada\n"
        # A sync function, as wasi:http's of version 0.2, may not block (the component model's canon_lower).
        assert server.get("/sync/greeting").status == 500
        server.stderr.wait_for("component blocks: trapped: .*cannot block a synchronous task")
        server.stop()
        assert "Ada" not in server.stderr.text and "Ada" not in server.stdout.text


def test_files_are_copies_that_can_only_be_read(weir_checked, serve, application, tmp_path):
    copies = tmp_path / "copies"
    copies.mkdir()
    server = serve(weir_checked, application, "--variable", "name=x", "--temp", copies)
    assert server.get("/files?read&/static/page").text == "read a page\n"
    assert server.get("/files?write&/static/page").text.startswith("error ")
    assert server.get("/files?write&/static/new").text.startswith("error ")
    assert server.get("/files?read&/static/../../outside").text.startswith("error ")
    assert server.get(f"/files?read&{tmp_path}/outside").text.startswith("error ")
    (application.parent / "static" / "page").write_text("changed")
    assert server.get("/files?read&/static/page").text == "read a page\n"
    assert any(copies.iterdir())
    server.stop()
    assert not any(copies.iterdir())


def test_copies_can_be_written_to_and_originals_stay(weir_checked, serve, application):
    server = serve(weir_checked, application, "--variable", "name=x", "--allow-transient-write")
    assert server.get("/files?write&/static/page").text == "written\n"
    assert server.get("/files?read&/static/page").text.startswith("read a pageby a guest")
    server.stop()
    assert (application.parent / "static" / "page").read_text() == "a page"


def test_directories_in_place_show_what_changes_and_cannot_be_written_to(weir_checked, serve, application):
    server = serve(weir_checked, application, "--variable", "name=x", "--direct-mounts")
    (application.parent / "static" / "page").write_text("changed")
    assert server.get("/files?read&/static/page").text == "read changed\n"
    assert server.get("/files?write&/static/page").text.startswith("error ")
    server.stop()
    assert (application.parent / "static" / "page").read_text() == "changed"


IN_PLACE = ("--direct-mounts", "--allow-transient-write", "--variable", "name=x")


def mount(application, *mounts):
    """Mount these sources in place of the one that is there; the line of the manifest that says so."""
    line = "files = [" + ", ".join(f'{{ source = "{source}", destination = "{to}" }}' for source, to in mounts) + "]"
    lines = [line if old.startswith("files = ") else old for old in application.read_text().splitlines()]
    application.write_text("\n".join(lines) + "\n")
    return lines.index(line) + 1


def test_directories_in_place_can_be_written_to_when_asked(weir_checked, serve, application):
    """Also one that is mounted twice: a guest that is in a directory cannot replace it."""
    mount(application, ("static", "/static"), ("static/../static", "/again"))
    server = serve(weir_checked, application, *IN_PLACE)
    assert server.get("/files?write&/static/page").text == "written\n"
    assert server.get("/files?read&/again/page").text.startswith("read a pageby a guest")
    assert server.get("/files?replace&/again/page&../../outside").text == "replaced\n"
    assert server.get("/files?read&/static/page").text.startswith("error ")
    server.stop()
    assert (application.parent / "static" / "page.old").read_text() == "a pageby a guest\n"


def test_a_guest_that_may_write_cannot_put_a_link_in_the_place_of_another_mount(
    weir_checked, serve, application, tmp_path
):
    inner = application.parent / "static" / "sub"
    inner.mkdir()
    (inner / "outside").write_text("within")

    def leave(*mounts):
        """Whether a guest can read what is outside, in this start or the next, or why weir does not start."""
        line = mount(application, *mounts)
        found = []
        for _ in range(2):
            done = weir_checked.run("up", application, "--listen", "127.0.0.1:99999", *IN_PLACE)
            if "99999" not in done.stderr:
                assert done.status != 0
                return line, done.stderr
            server = serve(weir_checked, application, *IN_PLACE)
            server.get("/files?replace&/static/sub&../..")
            found.append(server.get("/files?read&/sub/outside").text)
            server.stop()
        return line, found

    line, said = leave(("static", "/static"), ("static/sub", "/sub"))
    assert "precious" not in str(said)
    assert f'spin.toml:{line}:10: "static" in "files" contains the way to "static/sub"' in said
    assert "leave out --allow-transient-write" in said
    # The same by a way that only a link leads through.
    (application.parent / "real").mkdir()
    (application.parent / "real" / "outside").write_text("within")
    (application.parent / "static" / "link").symlink_to("../real")
    line, said = leave(("static/link", "/sub"), ("static", "/static"))
    assert f'"static" in "files" contains the way to "static/link"' in said and f"spin.toml:{line}:" in said
    # Beside one another there is nothing to be replaced.
    _, found = leave(("static", "/static"), ("real", "/sub"))
    assert found == ["read within\n"] * 2
    assert (tmp_path / "outside").read_text() == "precious"


def test_a_guest_that_may_write_cannot_put_a_link_in_the_place_of_the_logs(weir_checked, serve, application, tmp_path):
    line = mount(application, (".", "/app"))
    logs = tmp_path / "logs"
    for arguments, what in (
        ((), f"{application.parent}/.spin/logs"),
        (("--state-dir", application.parent / "state"), f"{application.parent}/state/logs"),
        (("--log-dir", application.parent), f"{application.parent}"),
    ):
        done = weir_checked.run("up", application, "--listen", "127.0.0.1:99999", *IN_PLACE, *arguments)
        assert done.status != 0
        assert f'spin.toml:{line}:10: "." in "files" contains the way to "{what}", where weir keeps logs' in done.stderr
        assert "--log-dir" in done.stderr
    cache = {"XDG_CACHE_HOME": str(application.parent / "cache")}
    done = weir_checked.run("up", application, *IN_PLACE, "--log-dir", "", environment=cache)
    assert done.status != 0 and "XDG_CACHE_HOME" in done.stderr
    for arguments in (("--log-dir", ""), ("--log-dir", logs)):
        server = serve(weir_checked, application, *IN_PLACE, *arguments)
        assert server.get("/files?write&/app/static/page").text == "written\n"
        server.stop()
