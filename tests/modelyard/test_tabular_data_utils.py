from __future__ import annotations

import pandas as pd

from modelyard.tabular_data_utils import summarize_table


def test_summary():
    frame = pd.DataFrame({"n": [1, 2, None, 4], "c": ["a", "a", "b", None], "k": 1, "nested": [[1], [2], [3], None]})
    summary = summarize_table(frame)
    assert summary["kind"].tolist()[:2] == ["numeric", "categorical"]
    assert summary.loc["n", ["nulls", "distinct", "minimum", "maximum"]].tolist() == [0.25, 3, 1, 4]
    assert summary.loc["c", "most_frequent"] == "a"
    assert summary.loc["k", "set_aside"] == "constant: always 1"
    assert summary.loc["nested", "distinct"] == 3
