from __future__ import annotations

import threading
import uuid
from pathlib import Path

import pytest

from modelyard.errors import UsageError
from modelyard.registry.storage import Storage


@pytest.fixture(params=["local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Storage(tmp_path / "folder" if request.param == "local" else f"memory://{uuid.uuid4().hex}/folder")


def test_what_is_written_can_be_read_and_listed(storage: Storage) -> None:
    assert storage.list() == []
    assert not storage.exists("a/b.txt")
    storage.write("a/b.txt", "first")
    storage.write("a/b.txt", b"second")
    storage.write("a/a.txt", "third")
    assert storage.read("a/b.txt") == b"second"
    assert storage.list("a") == ["a.txt", "b.txt"]
    assert storage.list() == ["a"]
    assert storage.read_all("a") == {"a.txt": b"third", "b.txt": b"second"}
    assert (storage / "a").read("a.txt") == b"third"
    assert (storage / "a").url == storage.url + "/a"


def test_no_character_of_a_path_is_a_pattern(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "runs [old]*")
    storage.write("a/[1]?.txt", "first")
    assert storage.read_all("a") == {"[1]?.txt": b"first"}
    assert storage.read_all("nothing") == {}


def test_an_address_that_nothing_can_open_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^nope://runs cannot be opened: Protocol not known: nope; check"):
        Storage("nope://runs")


def test_a_missing_file_is_said_so(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError):
        storage.read("nothing")


def test_create_leaves_what_is_there(storage: Storage) -> None:
    assert storage.create("x", "first")
    assert not storage.create("x", "second")
    assert storage.read("x") == b"first"


def test_of_many_creators_one_succeeds(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    made: list[int] = []
    barrier = threading.Barrier(8)

    def create(number: int) -> None:
        barrier.wait()
        if storage.create("one", str(number)):
            made.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert storage.read("one") == str(made[0]).encode()
    assert list(tmp_path.iterdir()) == [tmp_path / "one"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(tmp_path)
    storage.write("file", "old")

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space"):
        storage.write("file", "new")
    assert storage.read("file") == b"old"
    assert storage.list() == ["file"]


def test_upload_copies_a_folder(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "one").write_text("1")
    storage.upload(source, "model")
    assert storage.read("model/one") == b"1"
