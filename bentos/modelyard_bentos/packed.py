"""The settings and the model that a process of the service works with.

The model is the folder in MODELYARD_MODEL, else the one in the bento that holds this file, else the champion of the
project in the working directory. The settings are those in MODELYARD_SETTINGS, else the bento's, else the project's.
MODELYARD_SERVING, a JSON object of `serving` settings, overrides them: where the keys are and how long a drain takes is
known where a service is deployed.
"""

from __future__ import annotations

import os
from pathlib import Path

from modelyard import config
from modelyard.api.source import MODEL_VARIABLE, find_folder
from modelyard.config.models import Settings
from modelyard_bentos.contents import MODEL, SERVING_VARIABLE, SETTINGS, SETTINGS_VARIABLE, with_serving

__all__ = ["find_model", "read_settings"]

HOME = Path(__file__).resolve().parents[1]


def read_settings() -> Settings:
    """Returns the settings of the service.

    Raises:
        ConfigError: MODELYARD_SERVING or the project's configuration is invalid.
    """
    given = os.environ.get(SETTINGS_VARIABLE)
    if given is None and (HOME / SETTINGS).is_file():
        given = (HOME / SETTINGS).read_text()
    settings = config.load_config() if given is None else Settings.model_validate_json(given)
    return with_serving(settings, os.environ.get(SERVING_VARIABLE))


def find_model(settings: Settings) -> Path:
    """Returns the folder of the model to serve.

    Raises:
        ModelError: There is none.
    """
    if not os.environ.get(MODEL_VARIABLE) and (HOME / SETTINGS).is_file():
        return HOME / MODEL
    return find_folder(settings).absolute()
