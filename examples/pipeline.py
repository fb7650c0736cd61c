"""A whole job as a script: table, contract, quality, search, model, batch predictions.

    python examples/pipeline.py [TABLE TARGET] [--budget SECONDS]

Without arguments it takes scikit-learn's bundled breast cancer table.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from modelyard.config import load_config
from modelyard.data import infer_contract, load_data, validate_data_quality
from modelyard.models.artifact import load_model
from modelyard.models.inference import batch_predict
from modelyard_tuning.job import tune


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", default="sklearn://breast_cancer")
    parser.add_argument("target", nargs="?", default="target")
    parser.add_argument("--budget", type=float, default=20.0)
    args = parser.parse_args()

    frame = load_data(args.table)
    with tempfile.TemporaryDirectory() as folder:
        settings = load_config(
            overrides={
                "data": {"path": args.table, "target": args.target},
                "tuning": {"time_budget_s": args.budget},
                "storage": {"runs": f"{folder}/runs", "models": f"{folder}/models"},
            }
        )
        contract = infer_contract(frame, settings.data)
        quality = validate_data_quality(frame, contract, settings.data)
        print(f"{len(frame)} rows, {len(contract.columns)} inputs, task {contract.target.task}, ok: {quality.ok}")

        outcome = tune(settings)
        print(f"{outcome.metric} {outcome.score:.4f} after {outcome.trials} trials in {outcome.seconds:.0f} s")

        model = load_model(outcome.model)
        scored = batch_predict(model, frame.head(5), output=Path(folder) / "scored.csv")
        print(scored.iloc[:, -3:].to_string())


if __name__ == "__main__":
    main()
