from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3fs import S3FileSystem

from modelyard.errors import UsageError
from modelyard.registry.storage import Storage
from s3_server import BUCKET, s3_server


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a bucket on a server of our own."""
    with s3_server(tmp_path_factory.mktemp("s3")) as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield f"s3://{BUCKET}"
        S3FileSystem.clear_instance_cache()


@pytest.fixture(params=["local", "memory", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return Storage(tmp_path / "folder")
    root = request.getfixturevalue("s3") if request.param == "s3" else "memory:/"
    return Storage(f"{root}/{uuid.uuid4().hex}/folder")


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


def test_of_many_creators_one_succeeds(storage: Storage) -> None:
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
    assert storage.list() == ["one"]


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


def test_what_another_process_wrote_is_seen(storage: Storage) -> None:
    other = Storage(storage.url)
    assert not storage.exists("a/b")
    assert storage.list("a") == []
    other.write("a/b", "1")
    assert storage.exists("a/b")
    assert storage.list("a") == ["b"]
    other.write("a/c", "2")
    assert storage.exists("a/c")


def test_download_copies_everything_but_what_is_hidden(storage: Storage, tmp_path: Path) -> None:
    for name in ("a", "b/c", "b/d[1]", ".hidden", "b/.hidden"):
        storage.write(name, name)
    storage.download(tmp_path / "copy")
    found = {
        path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("*") if path.is_file()
    }
    assert found == {"a", "b/c", "b/d[1]"}
    assert (tmp_path / "copy" / "b" / "d[1]").read_text() == "b/d[1]"


def test_a_storage_that_does_not_answer_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    for name, value in {**variables, "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)
    storage = Storage("s3://elsewhere/folder", {"skip_instance_cache": True})
    with pytest.raises(OSError, match=r"s3://elsewhere/folder cannot be reached: Could not connect"):
        storage.read("a")


def test_upload_copies_a_folder(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "one").write_text("1")
    storage.upload(source, "model")
    assert storage.read("model/one") == b"1"


def test_a_key_cannot_lead_out_of_the_folder_that_it_is_copied_to(tmp_path: Path) -> None:
    storage = Storage(f"memory://{uuid.uuid4().hex}/run")
    storage.write("a", "1")
    root = storage._root
    outside = tmp_path / "outside"
    for key in (f"/{outside}", f"/../{outside.name}", "/b//c"):
        storage._fs.store[f"{root}{key}"] = storage._fs.store[f"{root}/a"]
    storage.download(tmp_path / "copy")
    assert {path.name for path in (tmp_path / "copy").rglob("*")} == {"a"}
    assert not outside.exists()
