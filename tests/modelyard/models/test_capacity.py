from __future__ import annotations

import errno
from pathlib import Path

import pytest

from modelyard.models.artifact import read_card, verify
from modelyard.models.capacity import CAPACITY, Capacity, Load, cpu_name, keep_capacity, read_capacity
from modelyard.models.manifest import read_manifest
from served_model import make_table, save_served

MEASURED = Capacity(
    loads=(Load(connections=8, requests_per_s=25_000.0, requests_per_cpu_s=26_900.0, p50_ms=0.26, p99_ms=0.61),),
    start_s=1.9,
    worker_mb=147.0,
    memory_mb=180.5,
    workers=1,
    cpu="a processor",
    cores=2,
    packages={"bentoml": "1.4.39"},
    measured_at="2026-01-02T03:04:05+00:00",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_served(tmp_path_factory.mktemp("model") / "people", make_table(rows=60))


def test_the_card_keeps_a_capacity_and_the_model_stays_what_it_is(folder: Path) -> None:
    before = (read_manifest(folder).version, read_card(folder).to_json())
    assert read_card(folder).capacity is None
    keep_capacity(folder, MEASURED)
    assert read_card(folder).capacity == MEASURED
    assert (read_manifest(folder).version, read_card(folder).to_json()) == before
    assert verify(folder)["ok"]
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    assert (folder / CAPACITY).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("content", ["{", '{"loads": 3}', ""])
def test_a_damaged_capacity_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    (tmp_path / CAPACITY).write_text(content)
    assert read_capacity(tmp_path) is None
    assert f"{tmp_path / CAPACITY} is left out (the capacity is not valid:" in caplog.text


def test_a_folder_that_cannot_be_written_keeps_what_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_capacity(tmp_path, MEASURED)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", fail)
        with pytest.raises(OSError, match="no space"):
            keep_capacity(tmp_path, MEASURED.model_copy(update={"cores": 64}))
    assert read_capacity(tmp_path) == MEASURED
    assert [path.name for path in tmp_path.iterdir()] == [CAPACITY]


def test_the_processor_has_a_name() -> None:
    assert cpu_name()
