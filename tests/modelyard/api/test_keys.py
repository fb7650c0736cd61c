"""The file of keys: what it may hold, how it is read, and what a wrong key costs."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard.api.keys import LOOK_EVERY_S, Keys
from modelyard.api.prediction_ids import PredictionIds
from modelyard.data.contract import Contract
from modelyard.errors import ConfigError
from served_model import make_contract, make_table
from waiting import until


def digest(key: bytes | str) -> str:
    return hashlib.sha256(key if isinstance(key, bytes) else key.encode()).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def clock() -> Iterator[int]:
    return iter(range(1, 10**6, int(2 * LOOK_EVERY_S)))


def admits(keys: Keys, key: str, now: float = 0.0) -> bool:
    by_header, by_bearer = {b"x-api-key": key.encode()}, {b"authorization": b"Bearer " + key.encode()}
    admitted = keys.admits(by_header, now)
    assert keys.admits(by_bearer, now) == admitted
    return admitted


@pytest.mark.parametrize("blank", [b"", b"\n", b" ", b"\r\n"], ids=repr)
def test_a_key_of_nothing_is_refused_with_its_line(blank: bytes, file: Path) -> None:
    file.write_text(f"# keys\n\n{digest('right')}  me\n{digest(blank).upper()}  $KEY was not set\n")
    with pytest.raises(
        ConfigError, match=rf"^serving\.keys_file: line 4 of {file} is the SHA-256 of an empty key; set"
    ):
        Keys(str(file))


def test_no_request_passes_without_a_key(file: Path) -> None:
    file.write_text(digest("right"))
    keys = Keys(str(file))
    for headers in (
        {},
        {b"x-api-key": b""},
        {b"x-api-key": b" "},
        {b"authorization": b""},
        {b"authorization": b"Bearer"},
        {b"authorization": b"Bearer  "},
        {b"authorization": b"Basic right"},
        {b"x-api-key": b"", b"authorization": b"Bearer right"},
    ):
        assert not keys.admits(headers, 0.0), headers
    assert admits(keys, "right")


def test_every_key_of_the_file_is_admitted_and_no_other(file: Path) -> None:
    known = [f"key-{number}" for number in range(50)]
    file.write_text("".join(f"{digest(key)}  owner\n" for key in known))
    keys = Keys(str(file))
    assert all(admits(keys, key) for key in (*known, *reversed(known)))
    # the digest of this one begins with the same byte as that of a known one
    first = {bytes.fromhex(digest(key))[0] for key in known}
    close = next(key for number in range(10**6) if bytes.fromhex(digest(key := f"other-{number}"))[0] in first)
    assert not admits(keys, close)
    assert not admits(keys, digest(known[0]))


@pytest.mark.parametrize("equal", [1, 4, 8, 16, 31])
@pytest.mark.parametrize("end", ["leading", "trailing"])
def test_a_digest_that_is_equal_in_part_admits_nobody(file: Path, equal: int, end: str) -> None:
    given = digest("key")
    other = "".join(f"{15 - int(digit, 16):x}" for digit in given)
    length = 2 * equal
    alike = given[:length] + other[length:] if end == "leading" else other[:-length] + given[-length:]
    file.write_text(f"{alike}\n{digest('another')}\n")
    assert not admits(Keys(str(file)), "key")
    file.write_text(f"{alike}\n{given}\n")
    assert admits(Keys(str(file)), "key")


def test_what_is_not_a_regular_file_is_refused_and_not_waited_for(file: Path, tmp_path: Path) -> None:
    os.mkfifo(file)
    link = tmp_path / "link"
    link.symlink_to(file)
    for path in (file, link, Path("/dev/null")):
        with pytest.raises(ConfigError, match=r"^serving\.keys_file: .* is not a regular file"):
            Keys(str(path))
        with pytest.raises(ConfigError, match=r"^serving\.feedback_key_file: .* is not a regular file"):
            PredictionIds(str(path), "1", contract().target, 30.0)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        Keys(str(tmp_path))


def contract() -> Contract:
    return make_contract(make_table(rows=40))


def test_a_file_that_becomes_a_fifo_leaves_the_keys_as_they_are(
    file: Path, tmp_path: Path, clock: Iterator[int], caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text(digest("right"))
    keys = Keys(str(file))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    pipe.replace(file)
    until(lambda: admits(keys, "right", next(clock)) and "the keys stay as they were" in caplog.text)
    assert "is not a regular file" in caplog.text
    assert admits(keys, "right", next(clock))


def test_a_read_that_hangs_holds_nobody(file: Path, clock: Iterator[int], monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(digest("first"))
    keys = Keys(str(file))
    pipe_out, pipe_in = os.pipe()
    monkeypatch.setattr(Keys, "_state", lambda _: (len(os.read(pipe_out, 1)), 0, 0))
    try:
        file.write_text(digest("second"))
        for _ in range(100):
            assert admits(keys, "first", next(clock))
    finally:
        os.write(pipe_in, b"x")
    # it goes on once it is read, by one thread
    until(lambda: keys.admits({b"x-api-key": b"second"}, 0.0))
    assert not admits(keys, "first")
    os.write(pipe_in, b"x" * 1000)


def test_a_key_that_was_withdrawn_is_not_remembered(file: Path, clock: Iterator[int]) -> None:
    file.write_text(digest("first"))
    keys = Keys(str(file))
    before = keys._accepted
    assert admits(keys, "first")
    file.write_text(f"{digest('second')}  a longer file\n")
    until(lambda: admits(keys, "second", next(clock)))
    # a request that was being checked meanwhile remembers its key where nobody looks any more
    assert before.has_key(b"first")
    assert not admits(keys, "first")


def test_a_wrong_key_costs_the_same_for_any_number_of_keys(tmp_path: Path) -> None:
    def cost(count: int) -> float:
        file = tmp_path / str(count)
        file.write_text("".join(f"{digest(str(number))}\n" for number in range(count)))
        keys = Keys(str(file))
        best = float("inf")
        for _ in range(20):
            began = time.perf_counter()
            for _ in range(200):
                assert not keys.admits({b"x-api-key": b"wrong"}, 0.0)
            best = min(best, time.perf_counter() - began)
        return best

    assert cost(20_000) < 5 * cost(1)
