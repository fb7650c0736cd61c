"""The tables that the benchmarks run on, and what the settings must say to read each as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["FILES", "TABLES", "overrides", "settings_of"]

ADULT = [
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
]
TABLES: dict[str, dict[str, Any]] = {
    "adult": {"path": "adult-train.csv", "columns": ADULT, "na_values": ["?"], "target": "income"},
    "german": {"path": "german.csv", "columns": [f"a{i}" for i in range(1, 21)] + ["credit"], "target": "credit"},
    "mammography": {
        "path": "mammography.csv",
        "columns": [f"x{i}" for i in range(1, 7)] + ["class"],
        "quote": "'",
        "target": "class",
    },
    "titanic": {"path": "titanic.csv", "target": "survived", "drop": ["alive"]},
    "diamonds": {"path": "diamonds.csv", "target": "price"},
}
FILES: dict[str, dict[str, Any]] = {
    **TABLES,
    "adult-test": {**TABLES["adult"], "path": "adult-test.csv"},
    "adult, held-out file": {**TABLES["adult"], "test_path": "adult-test.csv"},
}


def settings_of(name: str, folder: Path) -> dict[str, Any]:
    """Returns the settings of a table, for `load_config(overrides={"data": ...})`.

    Args:
        name: One of `FILES`.
        folder: Where the files are.
    """
    table = FILES[name]
    return {key: str(folder / value) if key.endswith("path") else value for key, value in table.items()}


def overrides(name: str, folder: Path) -> list[str]:
    """Returns them as arguments of the command line."""
    return [
        f"data.{key}={json.dumps(value) if isinstance(value, list) else value}"
        for key, value in settings_of(name, folder).items()
    ]
