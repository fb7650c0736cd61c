"""`modelyard init`: a project of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson
from modelyard.cli.summary import print_next
from modelyard.errors import UsageError
from modelyard.utils.files import write_whole

__all__ = ["EXAMPLE", "init"]

EXAMPLE = "modelyard init churn"

CONFIG = """\
# This project's settings; what is not here has the default of the chosen groups.
# Groups come with modelyard: data (default, breast_cancer), tuning (default, quick, thorough, deterministic),
# model (auto, linear, random_forest, extra_trees, hist_gradient_boosting, lightgbm, xgboost), serving (default),
# cluster (default).
# A file of your own, such as conf/tuning/nightly.yaml, is an option too: tuning=nightly.
defaults:
  - data: default
  - model: auto
  - tuning: default
  - serving: default
  - cluster: default
  - _self_

environment: ${oc.env:ENVIRONMENT,development}

data:
  path: null       # file or URL of the table: CSV, Parquet, JSON lines, Arrow, Excel, or sklearn://NAME
  target: target   # the column to predict
  # na_values: ["?"]
  # drop: [leak]

# tuning:
#   time_budget_s: 60
"""

README = """\
# {name}

Write the table's place and its target into `conf/config.yaml`, then:

    modelyard check     # is the table fit to learn from?
    modelyard run       # search, pack, serve, and ask once
    modelyard serve     # answer predictions until Ctrl-C

Every setting can be given on the command line too: `modelyard run data.path=table.csv tuning=quick`.
"""

GITIGNORE = """\
runs/
models/
"""


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the project; it may exist.")],
    as_json: AsJson = False,
) -> None:
    """Write a project: conf/config.yaml, a README and a .gitignore.

    A README or .gitignore that is there stays as it is.
    """
    conf = folder / "conf"
    if (folder.exists() and not folder.is_dir()) or (conf.exists() and not conf.is_dir()):
        raise UsageError(f"{folder} cannot be a project, since a file stands there; choose another folder")
    if conf.exists() and any(conf.iterdir()):
        raise UsageError(f"{conf} holds a configuration already; edit it, or choose another folder")
    conf.mkdir(parents=True, exist_ok=True)
    files = {
        folder / "README.md": README.format(name=folder.resolve().name),
        folder / ".gitignore": GITIGNORE,
        conf / "config.yaml": CONFIG,
    }
    written = [path for path, text in files.items() if _write_new(path, text)]
    if as_json:
        emit({"project": str(folder), "written": [str(path) for path in written]})
        return
    print_pairs({"project": folder, "written": ", ".join(str(path.relative_to(folder)) for path in written)})
    print_next((f"cd {folder}", "modelyard check data.path=TABLE data.target=COLUMN", "modelyard run"))


def _write_new(path: Path, text: str) -> bool:
    if path.exists():
        return False
    write_whole(path, text)
    return True
