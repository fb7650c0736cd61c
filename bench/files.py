"""`modelyard run` on every file of the benchmarks as it is, by settings alone.

    python bench/files.py DATA_FOLDER [--budget 20]

Prints a markdown table of the summaries. Ends with 1 if a run fails or its served answer is none.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tables import FILES, overrides


def run(name: str, data: Path, budget: float) -> dict[str, Any]:
    """Returns the summary of a run and the number of its input columns, or its error."""
    with tempfile.TemporaryDirectory() as work:
        command = [
            *(str(Path(sys.executable).with_name("modelyard")), "run", "--json", *overrides(name, data.absolute())),
            *(f"tuning.time_budget_s={budget}", f"storage.runs={work}/runs", f"storage.models={work}/models"),
        ]
        environment = {**os.environ, "BENTOML_HOME": f"{work}/bentoml"}
        done = subprocess.run(command, cwd=work, env=environment, stdout=subprocess.PIPE, check=False)
        summary: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"error": {"message": "no summary"}}
        if "error" not in summary:
            contract = json.loads(Path(summary["model"], "contract.json").read_text())
            summary["columns"] = len(contract["columns"])
    return summary


def row(name: str, summary: dict[str, Any]) -> str:
    """Returns a line of the markdown table."""
    low, high = summary["interval"]
    answer = summary["prediction"]
    said = f"{answer['value']:,.0f}" if "value" in answer else str(answer["label"])
    baselines = ", ".join(f"{each} {score:.4g}" for each, score in summary["baselines"].items())
    cells = (
        name,
        f"{summary['task']}, {summary['columns']} columns",
        f"{summary['metric']} {summary['score']:.4g} [{low:.4g}, {high:.4g}]",
        baselines,
        summary["algorithm"],
        f"{summary['trials']}, {summary['failed_trials']}",
        f"{summary['seconds']:.0f}",
        f"{said} in {summary['latency_ms']:.1f} ms, {summary['served']}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Prints the table as it is made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--budget", type=float, default=20.0)
    args = parser.parse_args()
    failed: list[str] = []
    print("| file | task | held-out score | baselines | winner | trials, failed | s | served answer |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in FILES:
        summary = run(name, args.data, args.budget)
        if "error" in summary:
            failed.append(f"{name}: {summary['error']['message']}")
        else:
            print(row(name, summary), flush=True)
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
