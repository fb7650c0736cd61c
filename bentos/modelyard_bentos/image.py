"""The image of the service: what BentoML puts into a bento beside the files of its build context."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from bentoml.images import Image

from modelyard.config.models import Settings
from modelyard_bentos.contents import SOURCE, carry, requirements

__all__ = ["ServiceImage"]


@attrs.define(slots=False)
class ServiceImage(Image):  # type: ignore[misc]  # BentoML brings no types
    """Puts the model, the settings and our packages into every bento that is built of the service.

    `bentoml build` copies files of its build context only, which neither an installed package nor a model in
    the registry is part of; `freeze` is where it hands over the bento's folder.

    Attributes:
        model_folder: The model's folder.
        settings: What the service goes by.
    """

    model_folder: Path = attrs.field(default=Path())
    settings: Settings = attrs.field(factory=Settings)

    def freeze(self, bento_fs: Path, envs: list[Any], platform_: str | None = None) -> Any:
        """Fills the bento's folder."""
        carry(bento_fs / SOURCE, self.model_folder, self.settings)
        self.python_requirements += "\n".join(requirements(self.model_folder, self.settings)) + "\n"
        self.lock_python_packages = False  # they are pinned; locking them again takes most of a build's time
        return Image.freeze(self, bento_fs, envs, platform_)
