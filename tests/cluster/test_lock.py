"""Who may start and end the bed; needs no cluster."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster.bed import lock
from cluster.bed.shell import BedError


@pytest.fixture(autouse=True)
def lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LOCK", tmp_path / "lock")


def test_many_use_the_bed_and_nobody_ends_it_meanwhile() -> None:
    users = [lock.together(), lock.together()]
    for user in users:
        with pytest.raises(BedError, match="in use"), lock.alone():
            pass
        os.close(user)
    with lock.alone():
        pass


def test_nobody_uses_a_bed_that_is_being_started() -> None:
    with lock.alone(), pytest.raises(BedError, match="in use"):
        lock.together()
    os.close(lock.together())
