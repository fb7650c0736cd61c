"""Runs: a folder for each search, with its settings, contract, ledger, figures and lineage."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePosixPath
from typing import Any, Literal

from modelyard.config.manager import ConfigManager
from modelyard.config.models import Settings
from modelyard.data.contract import Contract
from modelyard.errors import RunError, RunNotFound
from modelyard.registry.ledger import Ledger, Trial
from modelyard.registry.storage import Storage
from modelyard.utils.documents import parse_json
from modelyard.utils.names import is_plain_name

__all__ = ["LATEST", "Run", "RunState", "create_run", "installed_versions", "list_runs", "open_run", "run_label"]

LATEST = "latest"
# of a file that is read whole; the longest one is a contract with the vocabularies of its columns
MAX_BYTES = 64 * 2**20
# submitted: to a cluster, where its driver has not begun yet
RunState = Literal["submitted", "running", "complete", "interrupted", "failed"]
# what a model's figures may depend on
PACKAGES = (
    "modelyard",
    "numpy",
    "pandas",
    "scikit-learn",
    "lightgbm",
    "xgboost-cpu",
    "skl2onnx",
    "onnxruntime",
    "optuna",
    "ray",
)


@dataclass(frozen=True)
class Run:
    """One search.

    Attributes:
        name: Its name, unique in its storage; sorts by time.
        storage: Its folder.
    """

    name: str
    storage: Storage

    @property
    def folder(self) -> str:
        """The run's folder: a path or URL."""
        return self.storage.url

    @property
    def ledger(self) -> Ledger:
        """The records of its trials."""
        return Ledger(self.storage)

    @property
    def settings(self) -> Settings:
        """The settings it was made with.

        Raises:
            ConfigError: Its ``config.yaml`` is damaged, or of another version.
        """
        return ConfigManager.from_yaml(self._read("config.yaml").decode(), f"{self.folder}/config.yaml")

    @property
    def settings_digest(self) -> str:
        """SHA-256 (hex) of the settings it was made with, as they stand in its folder."""
        return hashlib.sha256(self._read("config.yaml")).hexdigest()

    @property
    def contract(self) -> Contract:
        """The contract of its search rows."""
        return Contract.from_json(self._read("contract.json"))

    @property
    def quality(self) -> dict[str, Any]:
        """The report on the quality of its table."""
        return self._json("quality.json")

    @property
    def info(self) -> dict[str, Any]:
        """State, creation, versions, seed, revision, data and the seconds it has spent."""
        return self._json("run.json")

    @property
    def summary(self) -> dict[str, Any]:
        """What it came to, with the places of its folder, model and report.

        The file names these relative to the run's folder, so that a run can be moved. Version 0.1 wrote absolute
        paths: what counts is their last part, so that a summary cannot point outside of its run.
        """
        summary = self._json("summary.json")
        for key in ("model", "report"):
            if summary.get(key):
                summary[key] = f"{self.folder}/{self._own_name(key, summary[key])}"
        return {**summary, "folder": self.folder}

    def update(self, **fields: Any) -> None:
        """Changes fields of ``run.json``; only the holder of the run's lease may."""
        self.storage.write("run.json", _text({**self.info, **fields}))

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        """Writes a mapping as a JSON file of the run."""
        self.storage.write(name, _text(document))

    def trials(self) -> list[dict[str, Any]]:
        """Returns what became of each trial, by number in ascending order.

        Each has ``id, state, score, seconds, started_at, algorithm, params, rung, error``. A trial that goes
        on while its run does not was ``interrupted``.
        """
        over = self.info["state"] != "running"
        return [_trial(trial, over) for trial in self.ledger.trials()]

    def _own_name(self, key: str, path: Any) -> str:
        name = PurePosixPath(str(path)).name
        if not is_plain_name(name):
            raise RunError(f"{self.folder}/summary.json: {key} names nothing in the run's folder; restore it")
        return name

    def _json(self, name: str) -> dict[str, Any]:
        try:
            document = parse_json(self._read(name))
        except ValueError as error:
            raise RunError(f"{self.folder}/{name} is not JSON: {error}; restore it, or remove the run") from None
        if not isinstance(document, dict):
            raise RunError(f"{self.folder}/{name} holds no JSON object; restore it, or remove the run")
        return document

    def _read(self, name: str) -> bytes:
        try:
            content = self.storage.read(name, MAX_BYTES + 1)
        except FileNotFoundError:
            raise RunError(f"run {self.name} has no {name} yet in {self.folder}") from None
        if len(content) > MAX_BYTES:
            raise RunError(f"{self.folder}/{name} is longer than {MAX_BYTES} bytes; restore it, or remove the run")
        return content


def run_label(settings: Settings) -> str:
    """Returns what a person tells runs apart by: the model's or the table's name."""
    return settings.model.name or PurePosixPath(str(settings.data.path)).stem


def create_run(settings: Settings, label: str = "", name: str = "", state: RunState = "running") -> Run:
    """Makes a new run in ``storage.runs``.

    Args:
        settings: What the run is made with.
        label: Ends its name, after the time.
        name: Its name, in place of one made of time and label.
        state: What it begins with.
    """
    root = Storage(settings.storage.runs)
    created = dt.datetime.now(dt.UTC)
    stamp = f"{created:%Y%m%d-%H%M%S}-{created.microsecond // 1000:03d}"
    stem = name or "-".join(part for part in (stamp, _slug(label)) if part)
    info = {
        "format": 1,
        "state": state,
        "created": created.isoformat(timespec="milliseconds"),
        "seed": settings.ml.seed,
        "versions": installed_versions(),
        "revision": _revision(),
        "data": {"source": settings.data.path},
        "spent_s": 0.0,
    }
    name, again = stem, 1
    while not (root / name).create("run.json", _text({"name": name, **info})):
        again += 1
        name = f"{stem}-{again}"
    run = Run(name, root / name)
    run.storage.write("config.yaml", ConfigManager.to_yaml(settings))
    return run


def open_run(name: str, storage: str) -> Run:
    """Returns a run by its name; ``latest`` is the newest.

    Raises:
        RunNotFound: No such run; names the nearest.
    """
    names = list_runs(storage)
    if name == LATEST and names:
        name = names[-1]
    if name not in names:
        raise RunNotFound(name, storage, names)
    return Run(name, Storage(storage) / name)


def list_runs(storage: str) -> list[str]:
    """Returns the names of all runs, the oldest first."""
    root = Storage(storage)
    return [name for name in root.list() if (root / name).exists("run.json")]


def _trial(trial: Trial, over: bool) -> dict[str, Any]:
    last = trial.last
    return {
        "id": trial.number,
        "state": "interrupted" if over and last.state == "running" else last.state,
        "score": last.score,
        "seconds": round(trial.seconds, 3),
        "started_at": trial.records[0].started_at,
        "algorithm": last.algorithm,
        "params": last.params,
        "rung": last.rung,
        "error": last.error,
    }


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40]


def installed_versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that a model's figures may depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _revision() -> str | None:
    """The project's commit, where it is kept by git."""
    git = shutil.which("git")
    if git is None:
        return None
    answer = subprocess.run([git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None
