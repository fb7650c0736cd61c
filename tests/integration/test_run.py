"""`modelyard run` from the installed wheel, in an empty folder, on a table that has a bit of everything."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

ROWS = 400

COMPARE = """
import json, pickle, sys
from pathlib import Path
import numpy as np
from modelyard.data.contract import Contract
from modelyard.models.model import Model, PipelineScorer
from modelyard_bentos.client import Server

folder, tag, rows = Path(sys.argv[1]), sys.argv[2], json.loads(Path(sys.argv[3]).read_text())
contract = Contract.from_json((folder / "contract.json").read_bytes())
pipeline = pickle.loads((folder / "pipeline.pkl").read_bytes())
model = Model(contract, PipelineScorer(pipeline, len(contract.target.classes)))
with Server(tag) as server:
    answers = server.predict(rows)
expected = model.predict_proba(rows)
served = np.array([[a["probabilities"][str(c)] for c in model.classes_] for a in answers])
print(json.dumps({
    "rows": len(answers),
    "difference": float(np.abs(served - expected).max()),
    "labels": [a["label"] for a in answers] == [str(label) for label in model.predict(rows)],
    "classes": contract.target.classes,
    "kinds": {c.name: c.kind for c in contract.columns},
}))
"""


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    color = rng.choice(["red", "green; dark", None], ROWS, p=[0.5, 0.4, 0.1])
    made = pd.DataFrame(
        {
            "size (cm)": rng.normal(10, 3, ROWS).round(2),
            "count": rng.integers(0, 9, ROWS),
            "color": color,
            "seen": (pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, ROWS), unit="D")).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            ),
            "größe_ok": rng.choice([True, False], ROWS),
        }
    )
    made.loc[::17, "size (cm)"] = None
    good = (made["size (cm)"].fillna(8) + 3 * (color == "red") + rng.normal(0, 1, ROWS)) > 11
    made["label"] = np.where(good, "yes; keep", "no")
    return made


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    sample = frame.drop(columns=["label"]).sample(200, random_state=1)
    rows: list[dict[str, Any]] = json.loads(sample.to_json(orient="records"))
    for row in rows[::10]:
        row["color"] = "a color that training never saw"
    return rows


@pytest.mark.slow
def test_run_serves_what_it_fitted(
    installed_wheel: Path, outside: dict[str, str], tmp_path: Path, frame: pd.DataFrame
) -> None:
    frame.to_csv(tmp_path / "table.csv", sep=";", index=False)
    environment = {**outside, "BENTOML_HOME": str(tmp_path / "bentoml"), "BENTOML_DO_NOT_TRACK": "1"}
    command = [str(installed_wheel), "run", "data.path=table.csv", "data.target=label", "--json"]
    command += ["tuning.trials=6", "tuning.time_budget_s=60"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    named = {"run", "task", "metric", "score", "trials", "failed_trials", "seconds", "bento", "report", "capacity"}
    assert named <= summary.keys()
    assert (summary["task"], summary["metric"], summary["failed_trials"]) == ("binary", "roc_auc", 0)
    assert summary["score"] > 0.8
    assert summary["capacity"]["loads"][1]["requests_per_cpu_s"] > 1000
    assert Path(tmp_path, summary["report"]).stat().st_size > 1_000_000
    (tmp_path / "compare.py").write_text(COMPARE)
    (tmp_path / "rows.json").write_text(json.dumps(_rows(frame)))
    python = str(installed_wheel.with_name("python"))
    compare = [python, "compare.py", str(Path(tmp_path, summary["model"])), summary["bento"], "rows.json"]
    told = subprocess.run(compare, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout.splitlines()[-1])
    assert found["rows"] == 200
    assert found["difference"] < 1e-5
    assert found["labels"]
    assert set(found["classes"]) == {"no", "yes; keep"}
    assert found["kinds"] == {
        "size (cm)": "numeric",
        "count": "numeric",
        "color": "categorical",
        "seen": "datetime",
        "größe_ok": "boolean",
    }
