"""Tables: loading, the contract, the encoding, quality, features."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelyard.data.contract import Column, Contract, Target
    from modelyard.data.encoding import Encoder, Feature, features_of
    from modelyard.data.inference import infer_contract
    from modelyard.data.loading import load_data, save_data
    from modelyard.data.processing import FeatureEngineer, engineer_features, scale_features
    from modelyard.data.quality import Finding, QualityReport
    from modelyard.data.target import encode_target, split_target
    from modelyard.data.validation import validate_data_quality

__all__ = [
    "Column",
    "Contract",
    "Encoder",
    "Feature",
    "FeatureEngineer",
    "Finding",
    "QualityReport",
    "Target",
    "encode_target",
    "engineer_features",
    "features_of",
    "infer_contract",
    "load_data",
    "save_data",
    "scale_features",
    "split_target",
    "validate_data_quality",
]

_HOMES = {
    "contract": ("Column", "Contract", "Target"),
    "encoding": ("Encoder", "Feature", "features_of"),
    "inference": ("infer_contract",),
    "loading": ("load_data", "save_data"),
    "processing": ("FeatureEngineer", "engineer_features", "scale_features"),
    "quality": ("Finding", "QualityReport"),
    "target": ("encode_target", "split_target"),
    "validation": ("validate_data_quality",),
}
_HOME_BY_NAME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    # pandas and scikit-learn take a second to import, which a service never needs
    if name not in _HOME_BY_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_BY_NAME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
