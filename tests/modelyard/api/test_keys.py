from __future__ import annotations

import hashlib
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from modelyard.api.keys import Keys

KEYS = [f"key-{number}" for number in range(5)]
# too early for another look at the file
NOW = 0.0


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def keys_of(folder: Path, *digests: bytes) -> Keys:
    file = folder / "keys"
    file.write_text("".join(f"{each.hex()} client\n" for each in digests))
    return Keys(str(file))


def admits(keys: Keys, key: str) -> bool:
    """Presents a key in both headers, each of which must give the same answer."""
    by_header, bearer = {b"x-api-key": key.encode()}, {b"authorization": b"Bearer " + key.encode()}
    admitted = keys.admits(by_header, NOW)
    assert keys.admits(bearer, NOW) is admitted
    return admitted


def test_each_of_several_keys_is_admitted_in_any_order_and_no_other(tmp_path: Path) -> None:
    for order in (KEYS, KEYS[::-1]):
        keys = keys_of(tmp_path, *map(digest, KEYS))
        for key in order:
            assert admits(keys, key)
            assert not admits(keys, f"not {key}")
            assert not admits(keys, "")
        assert all(admits(keys, key) for key in order)


@pytest.mark.parametrize("equal", [1, 4, 8, 16, 31])
@pytest.mark.parametrize("end", ["leading", "trailing"])
def test_a_digest_that_is_equal_in_part_admits_nobody(tmp_path: Path, equal: int, end: str) -> None:
    given = digest("key")
    other = bytes(byte ^ 255 for byte in given)
    alike = given[:equal] + other[equal:] if end == "leading" else other[:-equal] + given[-equal:]
    assert not admits(keys_of(tmp_path, alike), "key")
    assert not admits(keys_of(tmp_path, alike, digest("another"), alike), "key")
    assert admits(keys_of(tmp_path, alike, given), "key")


def test_the_work_does_not_tell_which_key_was_presented(tmp_path: Path) -> None:
    def calls(key: str) -> Counter[str]:
        """Counts the calls that checking a key takes, in Python and in C."""
        keys, counted = keys_of(tmp_path, *map(digest, KEYS)), Counter[str]()
        keys.admits({}, NOW)

        def count(_: FrameType, event: str, called: Any) -> None:
            if event in ("call", "c_call"):
                counted[getattr(called, "__name__", event)] += 1

        sys.setprofile(count)
        try:
            keys.admits({b"x-api-key": key.encode()}, NOW)
        finally:
            sys.setprofile(None)
        return counted

    first, *others = (calls(key) for key in KEYS)
    assert first.total() > 1
    assert all(other == first for other in others)
