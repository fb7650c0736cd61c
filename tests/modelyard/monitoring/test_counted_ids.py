from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from modelyard.monitoring.counted_ids import BYTES, CountedIds

COUNT = """
import sys
from pathlib import Path
from modelyard.monitoring.counted_ids import CountedIds
counted = CountedIds(Path(sys.argv[1]))
print(sum(sum(counted.add(range(start, start + 100))) for start in range(0, 5000, 100)))
"""


@pytest.fixture(params=["own", "shared"])
def counted(request: pytest.FixtureRequest, tmp_path: Path) -> CountedIds:
    return CountedIds(None if request.param == "own" else tmp_path / "ids")


def test_a_number_is_new_once(counted: CountedIds) -> None:
    numbers = [0, 1, 2**63 + 5, 2**64 - 2]
    assert counted.add([*numbers, *numbers]) == [True] * 4 + [False] * 4
    assert counted.add(number + 1 for number in numbers[:2]) == [False, True]


def test_the_last_million_of_consecutive_numbers_are_remembered(counted: CountedIds) -> None:
    first, capacity = 2**40, 2**20
    assert all(counted.add(range(first, first + capacity)))
    assert not any(counted.add(range(first, first + 1000)))
    assert all(counted.add(range(first + capacity, first + capacity + 1000)))
    assert all(counted.add(range(first, first + 1000))), "the oldest were dropped"


def test_workers_share_what_they_counted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", COUNT, str(tmp_path / "ids")]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(worker.communicate(timeout=60)[0]) for worker in workers) == 5000
    assert (tmp_path / "ids").stat().st_size == BYTES == 8 * 2**20


def test_threads_count_each_number_once(counted: CountedIds) -> None:
    new: list[int] = []
    threads = [
        threading.Thread(target=lambda: new.extend(sum(counted.add([number])) for number in range(2000)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(new) == 2000
