from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from modelyard.data.encoding import Encoder
from modelyard.data.target import encode_target
from modelyard.models.model import PipelineScorer
from modelyard.models.reference import REFERENCE_ROWS, Reference


def test_the_same_model_has_the_same_reference_to_the_byte(parts) -> None:
    X = np.nan_to_num(Encoder(parts.contract).encode(parts.frame))
    forest = RandomForestClassifier(100, n_jobs=4, random_state=0).fit(X, encode_target(parts.frame, parts.contract))
    made = {Reference.draw(PipelineScorer(forest, 2), parts.contract).to_bytes() for _ in range(5)}
    assert len(made) == 1


def test_a_reference_is_read_back(parts) -> None:
    made = Reference.draw(parts.model.scorer, parts.contract)
    read = Reference.from_bytes(made.to_bytes(), parts.contract)
    np.testing.assert_array_equal(read.rows, made.rows)
    np.testing.assert_array_equal(read.answers, made.answers)
    assert (len(read.rows), read.rows.dtype, read.answers.shape) == (REFERENCE_ROWS, np.float32, (REFERENCE_ROWS, 2))
    assert np.isnan(read.rows).any(), "nulls are among them"
    assert read.compare(parts.model.scorer, parts.contract).passed


def test_values_are_compared_too(make_model) -> None:
    model, _ = make_model("regression")
    reference = Reference.draw(model.scorer, model.contract)
    assert reference.answers.shape == (REFERENCE_ROWS, 1)
    assert reference.compare(model.scorer, model.contract).passed
    assert not reference.compare(lambda rows: model.scorer(rows) + 1.0, model.contract).passed
