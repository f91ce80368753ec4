"""Key-value stores as guests have them: each function of each contract, what hostile guests send, several processes, and
what is there after a kill."""

import os
import random
import sqlite3
import threading

import pytest

from harness import Component, all_in_background, write_application

MIB = 1 << 20


def pack(*texts):
    texts = [text if isinstance(text, bytes) else str(text).encode() for text in texts]
    return b"".join(b"%d:%s" % (len(text), text) for text in texts)


def unpack(body):
    texts = []
    while body:
        size, _, rest = body.partition(b":")
        texts.append(rest[: int(size)])
        body = rest[int(size) :]
    return texts


class Stores:
    """The test programs' functions: what they answer is a list of texts."""

    def __init__(self, server):
        self.server = server

    def raw(self, path, function, *texts):
        response = self.server.request("POST", f"/{path}?{function}", body=pack(*texts))
        return response.status, response.body

    def call(self, path, function, *texts):
        status, body = self.raw(path, function, *texts)
        assert status == 200
        return [text.decode(errors="replace") for text in unpack(body)]

    def spin(self, function, *texts):
        return self.call("sync", f"spin-{function}", "default", *texts)

    def streams(self, function, *texts):
        return self.call("async", function, "default", *texts)

    def wasi(self, function, *texts):
        return self.call("sync", function, "default", *texts)


def write(directory, guest, labels='["default"]'):
    components = [
        Component("sync", "/sync", guest("key_value_sync"), wagi=True),
        Component("async", "/async", guest("key_value_async")),
    ]
    path = write_application(directory, components)
    text = path.read_text()
    for component in ("sync", "async"):
        text = text.replace(f"[component.{component}]\n", f"[component.{component}]\nkey_value_stores = {labels}\n")
    path.write_text(text)
    return path


@pytest.fixture
def application(tmp_path, guest):
    return write(tmp_path / "application", guest)


@pytest.fixture
def stores(weir_checked, serve, application):
    return Stores(serve(weir_checked, application))


@pytest.mark.parametrize("contract", ["spin", "streams", "wasi"])
def test_each_contract_gets_what_was_set(stores, contract):
    call = getattr(stores, contract)
    assert call("get", "a") == ["none"]
    assert call("exists", "a") == ["false"]
    assert call("set", "a", "one") == ["ok"]
    assert call("set", "b", "") == ["ok"]
    assert call("get", "a") == ["ok", "one"]
    assert call("get", "b") == ["ok", ""]
    assert call("exists", "b") == ["true"]
    assert call("set", "a", "two") == ["ok"]
    assert call("get", "a") == ["ok", "two"]
    assert call("delete", "a") == ["ok"]
    assert call("delete", "a") == ["ok"]
    assert call("get", "a") == ["none"]


def test_all_contracts_see_the_same_keys(stores):
    assert stores.spin("set", "from spin", "1") == ["ok"]
    assert stores.streams("set", "from spin 3", "2") == ["ok"]
    assert stores.wasi("set", "from wasi", "3") == ["ok"]
    keys = ["from spin", "from spin 3", "from wasi"]
    assert stores.spin("get-keys") == ["ok", *keys]
    assert stores.streams("get-keys") == [*keys, "ok"]
    assert stores.wasi("list-keys") == ["ok", "", *keys]


def test_many_keys_come_in_pages_and_in_a_stream(stores):
    keys = [f"{i:04}" for i in range(1500)]
    pairs = [text for key in keys for text in (key, "value " + key)]
    assert stores.wasi("set-many", *pairs) == ["ok"]
    ok, cursor, *first = stores.wasi("list-keys")
    assert (ok, cursor, first) == ("ok", keys[999], keys[:1000])
    assert stores.wasi("list-keys", cursor) == ["ok", "", *keys[1000:]]
    assert stores.streams("get-keys") == [*keys, "ok"]
    assert stores.wasi("get-many", "0003", "none such", "0001") == [
        *("0003", "ok", "value 0003"),
        *("none such", "none"),
        *("0001", "ok", "value 0001"),
    ]
    assert stores.wasi("delete-many", *keys[:1499], "none such") == ["ok"]
    assert stores.spin("get-keys") == ["ok", "1499"]


def test_numbers_are_incremented(stores):
    assert stores.wasi("increment", "n", 5) == ["5"]
    assert stores.wasi("increment", "n", -7) == ["-2"]
    assert stores.wasi("increment", "n", (1 << 63) - 1) == [str((1 << 63) - 3)]
    assert stores.wasi("increment", "n", 3)[0] == "other"
    assert stores.wasi("set", "text", "five") == ["ok"]
    case, words = stores.wasi("increment", "text", 1)
    assert case == "other" and "it has 4 bytes, and a number has 8" in words


def test_a_swap_is_refused_where_the_value_has_changed_and_succeeds_with_what_comes_back(stores):
    assert stores.wasi("swap", "a", "first", "second") == ["none", "swapped", "ok", "first", "swapped"]
    assert stores.wasi("swap", "a", "third", "fourth") == ["ok", "second", "swapped", "ok", "third", "swapped"]
    assert stores.spin("get", "a") == ["ok", "fourth"]


def test_a_label_that_is_not_granted_is_denied(stores):
    assert stores.call("sync", "spin-get", "another", "a") == ["access-denied"]
    assert stores.call("async", "get", "another", "a") == ["access-denied"]
    assert stores.call("sync", "get", "another", "a") == ["access-denied"]


def test_256_stores_may_be_open_at_once(stores):
    assert stores.call("sync", "spin-open-many", "default") == ["256", "store-table-full"]


def test_what_hostile_guests_send_is_refused_in_the_contracts_words(stores):
    for contract in (stores.spin, stores.streams, stores.wasi):
        assert contract("set", b"a\0b", b"\0\xff") == ["ok"]
        assert contract("exists", b"a\0b") == ["true"]
        assert contract("exists", "a") == ["false"]
        for function in ("get", "set", "delete", "exists"):
            case, words = contract(function, "k" * MIB, "v")
            assert case == "other" and "larger than the 64 KiB" in words
        assert contract("set", "'; DROP TABLE spin_key_value; --", "x") == ["ok"]
        assert contract("get", "'; DROP TABLE spin_key_value; --") == ["ok", "x"]


@pytest.mark.parametrize("path, prefix", [("sync", "spin-"), ("sync", ""), ("async", "")])
def test_a_value_of_eight_mebibytes_comes_back(stores, path, prefix):
    value = random.Random(1).randbytes(8 * MIB)
    assert stores.call(path, prefix + "set", "default", "large", value) == ["ok"]
    status, body = stores.raw(path, prefix + "get", "default", "large")
    assert status == 200 and unpack(body) == [b"ok", value]


def test_what_was_set_is_there_after_a_restart(weir_checked, serve, application):
    server = serve(weir_checked, application, "--key-value", "greeting=hello=you", "--key-value", "empty=")
    assert Stores(server).spin("get", "greeting") == ["ok", "hello=you"]
    assert Stores(server).spin("get", "empty") == ["ok", ""]
    assert Stores(server).spin("set", "a", "one") == ["ok"]
    server.stop()
    server = serve(weir_checked, application)
    assert Stores(server).spin("get-keys") == ["ok", "a", "empty", "greeting"]
    server.stop()
    with sqlite3.connect(application.parent / ".spin" / "sqlite_key_value.db") as file:
        rows = file.execute("SELECT store, key, value FROM spin_key_value ORDER BY key").fetchall()
    assert rows == [("default", "a", b"one"), ("default", "empty", b""), ("default", "greeting", b"hello=you")]


def test_without_a_state_directory_it_is_kept_in_memory(weir_checked, serve, application):
    server = serve(weir_checked, application, "--state-dir", "")
    assert Stores(server).spin("set", "a", "one") == ["ok"]
    server.stop()
    server = serve(weir_checked, application, "--state-dir", "")
    assert Stores(server).spin("get-keys") == ["ok"]
    assert not (application.parent / ".spin" / "sqlite_key_value.db").exists()


def test_stores_of_the_runtime_configuration_are_kept_where_it_says(weir_checked, serve, tmp_path, guest):
    application = write(tmp_path / "application", guest, '["default", "other"]')
    config = tmp_path / "config" / "runtime.toml"
    config.parent.mkdir()
    config.write_text('[key_value_store.other]\ntype = "spin"\npath = "kept/other.db"\n')
    stores = Stores(serve(weir_checked, application, "--runtime-config-file", config))
    assert stores.spin("set", "a", "one") == ["ok"]
    assert stores.call("sync", "spin-set", "other", "a", "two") == ["ok"]
    assert stores.spin("get", "a") == ["ok", "one"]
    assert stores.call("sync", "spin-get", "other", "a") == ["ok", "two"]
    assert (config.parent / "kept" / "other.db").exists()


@pytest.mark.parametrize(
    "labels, config, words",
    [
        ('["other"]', None, ['spin.toml:17:21: no key-value store "other" is defined', "[key_value_store.other]"]),
        ('["default"]', "[key_value_store.default]\n", ["runtime.toml:1:18", "has no type"]),
        ('["default"]', '[key_value_store.a]\ntype = "azure_cosmos"\n', ["runtime.toml:2:8", '"azure_cosmos"']),
        ('["default"]', '[key_value_store.a]\ntype = "spin"\nurl = "x"\n', ["runtime.toml:3:1", '"url"']),
        ('["default"]', "key_value_store = 5\n", ["runtime.toml:1:19", "must be a table"]),
    ],
)
def test_a_store_that_is_defined_nowhere_or_wrongly_is_refused(weir, tmp_path, guest, labels, config, words):
    application = write(tmp_path / "application", guest, labels)
    options = []
    if config is not None:
        (tmp_path / "runtime.toml").write_text(config)
        options = ["--runtime-config-file", tmp_path / "runtime.toml"]
    result = weir.run("up", "-f", application, *options)
    assert result.status != 0
    assert all(word in result.stderr for word in words), result.stderr


def test_a_file_that_is_no_store_is_named_and_hurts_no_other_request(weir_checked, serve, application):
    file = application.parent / ".spin" / "sqlite_key_value.db"
    file.parent.mkdir()
    file.write_text("no database " * 100)
    stores = Stores(serve(weir_checked, application))
    case, words = stores.spin("get", "a")
    assert case == "other" and str(file) in words and "move the file away" in words
    file.unlink()
    assert stores.spin("set", "a", "one") == ["ok"]


def count(server, name, times):
    for _ in range(times):
        status, _ = Stores(server).raw("sync", "increment", "default", name, 1)
        assert status == 200


def test_two_processes_count_together_and_lose_nothing(weir, serve, application):
    servers = [serve(weir, application) for _ in range(2)]
    with all_in_background(lambda i: count(servers[i % 2], "n", 125), range(8)) as counted:
        for wait in counted:
            wait()
    assert Stores(servers[0]).wasi("increment", "n", 0) == ["1000"]


def test_what_was_acknowledged_is_there_after_a_kill(weir, serve, application):
    chance = random.Random(7)
    acknowledged = 0
    for _ in range(5):
        server = serve(weir, application)
        stores = Stores(server)
        assert int(stores.wasi("increment", "n", 0)[0]) >= acknowledged

        def go_on():
            nonlocal acknowledged
            try:
                while True:
                    acknowledged = max(acknowledged, int(stores.wasi("increment", "n", 1)[0]))
            except (OSError, EOFError, AssertionError):
                pass

        thread = threading.Thread(target=go_on)
        thread.start()
        thread.join(chance.uniform(0.05, 0.3))
        server.kill()
        server.stopped = True
        thread.join()
    server = serve(weir, application)
    assert acknowledged > 0
    assert int(Stores(server).wasi("increment", "n", 0)[0]) >= acknowledged


def test_a_sandboxed_server_can_write_its_store(weir, serve, application):
    """Where the file is, as a user who is not root, with the sandbox on."""
    server = serve(weir, application, "--state-dir", application.parent / "state")
    assert Stores(server).spin("set", "a", "one") == ["ok"]
    assert (application.parent / "state" / "sqlite_key_value.db").exists()
    assert os.access(application.parent / "state", os.W_OK)
