from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.config.models import Settings
from modelyard.errors import ModelNotFound, ServiceError
from modelyard.models.artifact import read_card, verify
from modelyard_bentos import capacity
from modelyard_bentos.packaging import Packed, find_bento, pack
from served_model import make_table, save_served


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """A bento that asks for keys and takes few requests at a time: both are for strangers."""
    folder = save_served(tmp_path_factory.mktemp("model") / "guarded", make_table(rows=60), name="guarded")
    return pack(folder, guarded_settings())


def guarded_settings() -> Settings:
    serving = {"keys_file": "/nowhere/keys", "max_concurrency": 2, "metrics_port": 9090}
    return Settings.model_validate({"serving": serving})


def test_a_bento_is_measured_and_its_card_keeps_it(guarded: Packed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "SECONDS", 0.2)
    measured = capacity.measure_bento(guarded.path)
    assert [load.connections for load in measured.loads] == [1, 8, 32]
    for load in measured.loads:
        assert load.requests_per_s > 0
        # no machine gives more CPU than its cores; a clock tick is a twentieth of what was measured
        assert load.requests_per_cpu_s * measured.cores > 0.9 * load.requests_per_s
        assert 0 < load.p50_ms <= load.p99_ms
    assert 0.2 < measured.start_s < 120
    assert 50 < measured.worker_mb < 1000
    assert 50 < measured.memory_mb < 2000
    assert (measured.workers, bool(measured.cpu), measured.cores > 0) == (1, True, True)
    assert measured.packages["bentoml"]
    assert read_card(guarded.model).capacity == measured
    assert verify(guarded.model)["version"] == guarded.path.name
    again = pack(guarded.model, guarded_settings())
    assert (again.path, read_card(again.model).capacity) == (guarded.path, measured)


def test_a_bento_is_found_by_its_tag(guarded: Packed) -> None:
    assert find_bento(guarded.tag) == find_bento("guarded:latest") == guarded.path
    with pytest.raises(ModelNotFound, match="did you mean"):
        find_bento(guarded.tag[:-1])


def test_a_bento_that_does_not_start_says_why(tmp_path: Path, guarded: Packed) -> None:
    (guarded.model / "model.onnx").rename(tmp_path / "kept")
    try:
        with pytest.raises(ServiceError, match=r"model\.onnx is missing"):
            capacity.measure_bento(guarded.path)
    finally:
        (tmp_path / "kept").rename(guarded.model / "model.onnx")
