from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from modelyard.utils.files import open_regular, write_whole


def test_a_file_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("before")
    write_whole(file, "größer\n")
    assert file.read_text(encoding="utf-8") == "größer\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [file]


def test_an_interrupted_write_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "values.yaml"
    file.write_text("before")
    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(file, "after")
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("place", ["missing/values.yaml", "folder"])
def test_what_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"values\.yaml|folder") as refused:
        write_whole(tmp_path / place, "text")
    assert refused.value.filename == str(tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_only_a_regular_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"content"
    for name, problem in (("fifo", "is not a regular file"), (".", "is not a regular file")):
        with pytest.raises(OSError, match=problem):
            open_regular(tmp_path / name)
    with pytest.raises(OSError, match="is a symbolic link"):
        open_regular(tmp_path / "link", follow_symlinks=False)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "nothing")
