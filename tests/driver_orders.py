"""What a driver of a cluster is told, for a small search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelyard.config.manager import ConfigManager
from modelyard.config.models import Settings
from modelyard.registry.runs import Run
from modelyard.registry.storage import Storage

__all__ = ["RUN", "order", "run_of"]

RUN = "weekly-1"


def order(folder: Path, data: str = "sklearn://breast_cancer", **tuning: Any) -> list[str]:
    settings = Settings.model_validate(
        {
            "data": {"path": data},
            "ml": {"folds": 3, "repeats": 1},
            "model": {"algorithms": ["linear"]},
            "tuning": {"time_budget_s": None, "trials": 3, **tuning},
        }
    )
    (folder / "config.yaml").write_text(ConfigManager.to_yaml(settings))
    return [
        *("--run", RUN, "--storage", str(folder / "storage"), "--config", str(folder / "config.yaml")),
        *("--slots", "2", "--termination-log", str(folder / "termination-log")),
    ]


def run_of(folder: Path) -> Run:
    return Run(RUN, Storage(folder / "storage" / "runs" / RUN))
