from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modelyard.errors import ModelError
from modelyard.models.artifact import load_model
from modelyard.models.scorer import OnnxScorer, RowScorer
from served_model import make_table, save_served


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression", "instant"])
def test_one_row_at_a_time_is_scored_as_many_are(task: str, tmp_path: Path) -> None:
    frame = make_table(task)
    model = load_model(save_served(tmp_path / "model", frame))
    assert isinstance(model.scorer, OnnxScorer)
    row = RowScorer(model.scorer, len(model.contract.target.classes) or 1)
    matrix = model.encode(frame[:20])
    found, records, alone = [], bytearray(), bytearray()
    for one in matrix:
        row.matrix[0] = one
        found.append(row())
        records += row.record
        alone += row.scores
    together = model.scorer(matrix)
    assert together.dtype == model.dtype == (np.float64 if task == "instant" else np.float32)
    np.testing.assert_array_equal(np.array(found, dtype=model.dtype).reshape(together.shape), together)
    np.testing.assert_array_equal(np.concatenate([model.scorer(one[np.newaxis]) for one in matrix]), together)
    for kept, rows in ((records, matrix), (alone, matrix[:, :0])):
        features, scores = row.split(kept, len(matrix))
        np.testing.assert_array_equal(features, rows)
        np.testing.assert_array_equal(scores.reshape(together.shape), together)


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(ModelError, match=r"^the compiled model cannot be loaded: .*; pack the run again$"):
        OnnxScorer(b"no model")


def test_the_runtime_reports_nothing_to_its_maker(tmp_path: Path) -> None:
    folder = save_served(tmp_path / "model", make_table())
    code = "import sys; from modelyard.models.artifact import load_model; load_model(sys.argv[1])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run([sys.executable, "-c", code, folder], env=environment | {"HOME": str(home)}, check=True)
    assert list(home.rglob("*")) == []
