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
