"""After a scheduled search: the winner is packed and pushed as the candidate, by the same commands as a person's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from modelyard.errors import RunError
from modelyard.registry.runs import Run
from modelyard.registry.transfer import fetch_run

__all__ = ["ALIAS", "publish"]

ALIAS = "candidate"


def publish(run: Run, repository: str, insecure: bool = False) -> str:
    """Packs the model of a run and pushes it under the alias ``candidate``.

    Args:
        run: A complete run.
        repository: Registry and name, without a tag.
        insecure: Whether the registry speaks plain HTTP.

    Returns:
        The image's name.

    Raises:
        RunError: It could not be packed or pushed.
    """
    bases = {name: base for name, base in run.settings.cluster.model_dump().items() if name.endswith("_base") and base}
    with tempfile.TemporaryDirectory() as scratch:
        copy = fetch_run(run, f"{scratch}/runs")
        environment = {"BENTOML_HOME": f"{scratch}/bentoml"}
        storage = (f"storage.runs={scratch}/runs", f"storage.models={scratch}/models")
        bento = _modelyard(run, environment, "pack", copy.name, *storage)["bento"]
        plain = ("--insecure",) if insecure else ()
        settings = [f"cluster.{name}={base}" for name, base in bases.items()]
        pushed = _modelyard(run, environment, "image", bento, "--to", f"{repository}:{ALIAS}", *plain, *settings)
    print(f"pushed {pushed['image']} as {repository}:{ALIAS}", flush=True)
    return str(pushed["image"])


def _modelyard(run: Run, environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "modelyard", *arguments, "--json"]
    done = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=False)
    document: dict[str, Any] = json.loads(done.stdout or "{}")
    if done.returncode:
        reason = document.get("error", {}).get("message", f"exit code {done.returncode}")
        error = RunError(f"run {run.name} is complete, but `modelyard {arguments[0]}` failed: {reason}")
        error.transient = True  # the registry may be back when this is tried again
        raise error
    return document
