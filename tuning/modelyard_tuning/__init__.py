"""The search: Ray Tune runs it, Optuna draws, the ledger remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelyard_tuning.job import tune
    from modelyard_tuning.outcome import Outcome
    from modelyard_tuning.progress import Progress

__all__ = ["Outcome", "Progress", "tune"]

_HOMES = {"Outcome": "outcome", "Progress": "progress", "tune": "job"}


def __getattr__(name: str) -> Any:
    # Ray and scikit-learn take seconds to import, and a command line that only asks for help needs neither
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
