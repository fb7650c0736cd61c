from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from modelyard.data.decoding import decode
from modelyard.data.encoding import Encoder
from served_model import LABELS, make_contract, make_table


@pytest.mark.parametrize("task", LABELS)
def test_decoded_rows_are_encoded_as_they_were(task: str) -> None:
    frame = make_table(task)
    encoder = Encoder(make_contract(frame))
    frame.loc[5, "model_config"] = "never seen"
    frame.loc[6, "seen at"] = None
    matrix = encoder.encode(frame)
    table = pa.table(decode(encoder.contract, matrix)).to_pandas()
    assert np.array_equal(encoder.encode(table), matrix, equal_nan=True)
    assert table.loc[5, "model_config"] == "(unknown)"
    assert table["age"].tolist() == frame["age"].tolist()
    assert table["seen at"].dropna().tolist() == frame["seen at"].dropna().tolist()
