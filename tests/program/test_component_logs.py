"""What guests write to their standard streams: kept in files for each component, and shown for those that are followed."""

import os
import re
import resource
import time

import pytest

from harness import Component, in_background, write_application

LONG_LINE = b"x" * 19999 + b"\n"
STDOUT = b"first\nsecond\n"
STDERR = b"weir: error: forged\nbefore\rafter \x1b[31mred\x1b[0m\x07\n" + LONG_LINE + b"unfinished"


@pytest.fixture
def application(guest, tmp_path):
    return write_application(
        tmp_path / "app",
        [
            Component("one", "/one", guest("http_log")),
            Component("two", "/two", guest("http_log")),
            Component("quiet", "/quiet", guest("http_request")),
            Component("cgi", "/cgi/...", guest("wagi_fail"), wagi=True, argv="fail ${ARGS}"),
        ],
    )


def logs_of(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_each_stream_has_its_file_beside_the_manifest_byte_for_byte(weir_checked, serve, application):
    """Spin: crates/trigger/src/cli/stdio.rs and crates/runtime-config/src/lib.rs, log_dir."""
    server = serve(weir_checked, application)
    assert server.get("/one").text == "logged\n"
    assert server.get("/quiet").status == 200
    server.stop()
    directory = application.parent / ".spin" / "logs"
    assert logs_of(directory) == {"one_stdout.txt": STDOUT, "one_stderr.txt": STDERR}
    server = serve(weir_checked, application)
    assert server.get("/one").text == "logged\n"
    server.stop()
    assert logs_of(directory) == {"one_stdout.txt": STDOUT * 2, "one_stderr.txt": STDERR * 2}
    server = serve(weir_checked, application, "--truncate-logs")
    assert server.get("/two").text == "logged\n"
    server.stop()
    assert logs_of(directory) == {
        "one_stdout.txt": b"",
        "one_stderr.txt": b"",
        "two_stdout.txt": STDOUT,
        "two_stderr.txt": STDERR,
    }


@pytest.mark.parametrize(
    "arguments, environment, place",
    [
        (["-L", "{0}/given"], {}, "given"),
        (["--log-dir={0}/given"], {"SPIN_LOG_DIR": "{0}/other"}, "given"),
        ([], {"SPIN_LOG_DIR": "{0}/given/deep"}, "given/deep"),
        (["--state-dir", "{0}/state"], {}, "state/logs"),
        (["--log-dir", ""], {}, None),
        (["--state-dir", ""], {}, None),
        ([], {"SPIN_LOG_DIR": ""}, None),
    ],
)
def test_the_directory_can_be_chosen(weir, serve, application, tmp_path, arguments, environment, place):
    server = serve(
        weir,
        application,
        *[argument.format(tmp_path) for argument in arguments],
        environment={name: value.format(tmp_path) for name, value in environment.items()},
    )
    assert server.get("/one").text == "logged\n"
    server.stop()
    assert not (application.parent / ".spin").exists()
    assert not (tmp_path / "other").exists()
    if place is not None:
        assert logs_of(tmp_path / place)["one_stdout.txt"] == STDOUT


def test_a_wasm_file_alone_has_no_logs_unless_it_is_given_a_place(weir, serve, guest, tmp_path):
    """Spin: src/commands/up/app_source.rs, local_app_dir."""
    copy = tmp_path / "alone.wasm"
    copy.write_bytes(guest("http_log").read_bytes())
    server = serve(weir, copy)
    assert server.get("/").text == "logged\n"
    server.stop()
    assert [path.name for path in tmp_path.iterdir()] == ["alone.wasm"]
    server = serve(weir, copy, "--log-dir", tmp_path / "logs")
    assert server.get("/").text == "logged\n"
    server.stop()
    assert logs_of(tmp_path / "logs")["alone_stdout.txt"] == STDOUT


def test_only_those_who_are_followed_are_shown_and_all_are_kept(weir_checked, serve, application):
    server = serve(weir_checked, application, "--follow", "two")
    assert server.get("/one").text == "logged\n"
    assert server.get("/two").text == "logged\n"
    server.stop()
    assert "[two stdout] first\n" in server.stderr.text
    assert "[one " not in server.stderr.text
    assert logs_of(application.parent / ".spin/logs")["one_stdout.txt"] == STDOUT


def test_quiet_shows_nobody_and_keeps_all(weir_checked, serve, application):
    server = serve(weir_checked, application, "-q")
    assert server.get("/one").text == "logged\n"
    server.stop()
    assert "[one " not in server.stderr.text
    assert logs_of(application.parent / ".spin/logs")["one_stderr.txt"] == STDERR


def test_following_somebody_unknown_is_an_error_that_lists_the_components(weir_checked, application):
    done = weir_checked.run("up", application, "--follow", "one", "--follow", "three")
    assert done.status == 2, done
    assert done.stderr.count("\n") == 1, done
    assert '"three"' in done.stderr and "one, two, quiet, cgi" in done.stderr, done


def test_no_line_on_the_console_can_look_like_another_components(weir_checked, serve, application):
    server = serve(weir_checked, application)
    assert server.get("/one").text == "logged\n"
    server.stderr.wait_for(r"^\[one stderr\] unfinished$")
    server.stop()
    for line in server.stderr.text.splitlines():
        assert line.startswith(("[one stdout] ", "[one stderr] ", "weir: ")), line
        assert "forged" not in line or line.startswith("[one stderr] "), line
        assert not re.search(r"[\x00-\x1f\x7f]", line), line


def test_what_is_written_in_pieces_is_shown_as_the_line_that_it_is(weir_checked, serve, application):
    server = serve(weir_checked, application)
    assert server.get("/one", headers={"x-pieces": "1"}).text == "in pieces\n"
    server.stderr.wait_for(r"^\[one stderr\] and half of one$")
    server.stop()
    told = ["[one stderr] all of this is a line", "[one stderr] and half of one", "weir: stopped"]
    assert server.stderr.text.splitlines() == told
    kept = logs_of(application.parent / ".spin/logs")["one_stderr.txt"]
    assert kept == b"all of this is a line\nand half of one"


def test_a_failure_is_told_with_method_and_path_and_without_the_query(weir_checked, serve, application):
    server = serve(weir_checked, application)
    assert server.request("POST", "/cgi/some%0Apath/" + 300 * "x" + "?exit&secret", body=b"").status == 500
    found = server.stderr.wait_for(r"^weir: error: component cgi: exited: .*$").group(0)
    assert re.search(r" \(POST /cgi/some%0Apath/x{150,200}\.\.\.\)$", found), found
    assert "secret" not in found


def test_a_guest_that_fails_without_end_does_not_fill_the_log(weir_checked, serve, application):
    server = serve(weir_checked, application)
    count = 200
    began = time.monotonic()
    for _ in range(count):
        assert server.get("/cgi?exit").status == 500
    seconds = time.monotonic() - began
    server.stop()
    written = [line for line in server.stderr.text.splitlines() if "component cgi: exited" in line]
    assert 50 <= len(written) <= 52 + seconds
    told = re.findall(r"component cgi: (\d+) more such lines? (?:was|were) left out", server.stderr.text)
    assert len(written) + sum(map(int, told)) == count


def test_what_is_tried_before_serving_leaves_no_trace(weir, serve, application):
    server = serve(weir, application)
    server.stop()
    # The directory is made at the start, as by Spin (crates/trigger/src/cli/stdio.rs); files are not.
    assert list((application.parent / ".spin").rglob("*.txt")) == []
    assert "first" not in server.stderr.text


def test_a_directory_that_is_lost_costs_the_lines_in_files_alone(weir_checked, serve, application, tmp_path):
    server = serve(weir_checked, application, "-L", tmp_path / "logs")
    (tmp_path / "logs").rmdir()
    (tmp_path / "logs").write_text("")
    for _ in range(3):
        assert server.get("/one").text == "logged\n"
    server.stderr.wait_for(r"^\[one stdout\] second$", count=3)
    server.stderr.wait_for(r"^weir: warning: lost \d+ bytes that component one wrote to stdout: .*: Not a directory$")
    server.stderr.wait_for(r"^weir: warning: lost \d+ bytes that component one wrote to stderr: .*: Not a directory$")
    told = server.stderr.text.count("weir: warning: lost ")
    assert told == 2, server.stderr.text
    server.stop()


def test_a_full_disk_costs_the_lines_in_files_alone(weir, serve, application, tmp_path):
    """A limit on the size of files stands for it; it holds for what is there already, too."""
    directory = tmp_path / "logs"
    directory.mkdir()
    server = serve(weir, application, "-L", directory)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (5, resource.RLIM_INFINITY))
    for _ in range(20):
        assert server.get("/one").text == "logged\n"
    server.stderr.wait_for(r"^weir: warning: lost \d+ bytes that component one wrote to stdout: .*: File too large$")
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    server.stop()
    assert (directory / "one_stdout.txt").read_bytes().startswith(b"first")


def test_a_file_that_is_removed_is_made_anew(weir, serve, application):
    server = serve(weir, application)
    path = application.parent / ".spin/logs/one_stdout.txt"
    assert server.get("/one").text == "logged\n"
    server.stop()
    assert path.read_bytes() == STDOUT
    server = serve(weir, application)
    path.unlink()
    assert server.get("/one").text == "logged\n"
    server.stop()
    assert path.read_bytes() == STDOUT


def test_requests_do_not_wait_for_a_file_that_takes_nothing(weir, serve, application, tmp_path):
    """A named pipe that nobody reads would hold up whoever opens it."""
    directory = tmp_path / "logs"
    directory.mkdir()
    os.mkfifo(directory / "one_stdout.txt")
    server = serve(weir, application, "-L", directory)
    with in_background(lambda: server.get("/one").text) as result:
        assert result() == "logged\n"
    server.stderr.wait_for(r"^weir: warning: lost \d+ bytes that component one wrote to stdout: ")
    server.stop()


@pytest.mark.parametrize("options", [["--log-dir", "{0}/file/logs"], ["--state-dir", "{0}/file"]])
def test_a_place_for_logs_that_was_asked_for_and_cannot_be_had_is_an_error(weir_checked, guest, tmp_path, options):
    (tmp_path / "file").write_text("")
    done = weir_checked.run("up", guest("http_respond"), *(option.format(tmp_path) for option in options))
    assert done.status == 2, done
    assert re.search(r'^weir: error: logs cannot be kept in ".*/file/logs": Not a directory; --log-dir', done.stderr, re.M)
