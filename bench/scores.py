"""Held-out scores of a search beside a default HistGradientBoosting on the same splits.

    python bench/scores.py DATA_FOLDER [--budget 60] [--seeds 5] [--tables adult,german] [--output scores.json]

Prints a line for each search to standard error, then a markdown table.

For every table and seed, modelyard searches for the budget on the search rows; its packed model and a default
scikit-learn HistGradientBoosting, given the same search rows as a frame with categories, score the same held-out
rows. The difference has a 95 % interval from a paired bootstrap over the held-out rows of all seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from modelyard.config import load_config
from modelyard.data.encoding import Encoder
from modelyard.data.target import split_target
from modelyard.models.artifact import load_model
from modelyard.models.folds import split_held_out
from modelyard.models.metrics import METRICS, get_metric
from modelyard_tuning.job import tune
from modelyard_tuning.preparation import load_table
from tables import TABLES, settings_of

RESAMPLES = 1000


def peer_scores(train: pd.DataFrame, test: pd.DataFrame, y: np.ndarray, task: str) -> np.ndarray:
    """Fits a default HistGradientBoosting on the frame and returns its scores of the test rows."""
    both = pd.concat([train, test])
    texts = [name for name in both if not pd.api.types.is_numeric_dtype(both[name])]
    both = both.astype(dict.fromkeys(texts, "category"))
    model = (HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier)(random_state=0)
    model.fit(both.iloc[: len(train)], y)
    return (model.predict if task == "regression" else model.predict_proba)(both.iloc[len(train) :])


def one(name: str, seed: int, budget: float, data: Path, work: Path) -> dict[str, Any]:
    """Runs one search and its peer; returns both scores and the bootstrapped differences."""
    settings = load_config(
        overrides={
            "data": settings_of(name, data),
            "ml": {"seed": seed},
            "tuning": {"time_budget_s": budget},
            "storage": {"runs": str(work / "runs"), "models": str(work / "models")},
        }
    )
    outcome = tune(settings)
    whole = load_table(settings)
    target = whole.contract.target
    rows, codes = split_target(whole.frame, whole.contract)
    kept, apart = split_held_out(Encoder(whole.contract).encode(rows), codes, target.task, settings.ml)
    inputs = rows[list(whole.contract.names)]
    train, test, y = inputs.iloc[kept], inputs.iloc[apart], codes[apart]
    metric = get_metric("auto", target.task)
    ours = (model := load_model(outcome.model)).scorer(model.encode(test))
    theirs = peer_scores(train, test, codes[kept], target.task)
    rng = np.random.default_rng(seed)
    differences = []
    for _ in range(RESAMPLES):
        draw = rng.integers(0, len(y), len(y))
        differences.append(metric.utility(metric(y[draw], ours[draw])) - metric.utility(metric(y[draw], theirs[draw])))
    return {
        "table": name,
        "seed": seed,
        "metric": metric.name,
        "ours": metric(y, ours),
        "peer": metric(y, theirs),
        "algorithm": outcome.algorithm,
        "trials": outcome.trials,
        "failed": outcome.failed_trials,
        "seconds": outcome.seconds,
        "differences": differences,
    }


def row(results: list[dict[str, Any]]) -> str:
    """Returns a table's line: means over the seeds, and what the paired bootstrap says of their difference."""
    low, high = np.quantile(np.mean([one["differences"] for one in results], axis=0), [0.025, 0.975])
    verdict = "better" if low > 0 else "worse" if high < 0 else "even"
    ours, peer = (np.array([one[key] for one in results]) for key in ("ours", "peer"))
    gain = (ours - peer).mean() * (1 if METRICS[results[0]["metric"]].greater_is_better else -1)
    cells = (
        *(results[0]["table"], results[0]["metric"], f"{ours.mean():.5g}", f"{peer.mean():.5g}"),
        *(f"{gain:+.3g} [{low:+.3g}, {high:+.3g}]", verdict),
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Runs all tables and prints a table of scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in args.tables.split(",")}
    with tempfile.TemporaryDirectory() as work:
        for name, own in results.items():
            for seed in range(args.seeds):
                own.append(last := one(name, seed, args.budget, args.data, Path(work)))
                print(
                    f"{name:12} seed {seed} {last['metric']} ours {last['ours']:.5f} peer {last['peer']:.5f} "
                    f"({last['algorithm']}, {last['trials']} trials, {last['failed']} failed, {last['seconds']:.0f} s)",
                    file=sys.stderr,
                    flush=True,
                )
                if args.output:
                    args.output.write_text(json.dumps([each for every in results.values() for each in every]))
    print("\n| table | metric | modelyard | peer | gain, 95 % interval | |\n|---|---|---|---|---|---|")
    for own in results.values():
        print(row(own))


if __name__ == "__main__":
    main()
