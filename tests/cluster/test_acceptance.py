"""The whole way of a user: from the built wheel, in an empty folder, with two Roles in one namespace."""

from __future__ import annotations

import json
import subprocess
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cluster.place import Namespace
from cluster.releases import predict
from cluster.searches import Searching, write_table
from cluster.traffic import Traffic
from cluster.users import documented_role, user_config

pytestmark = pytest.mark.cluster

LIMIT_S = 300
# a few clients for a few seconds: less than the gate asks for by itself
QUICK = ("rollout.step_s=20", "rollout.min_requests=60")
PLUGIN = """
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from modelyard.plugins import register_plugin
from modelyard.plugins.base import Fitted, TabularTrainer
from modelyard.plugins.conversion import convert_sklearn
from modelyard.plugins.space import Int


@register_plugin(
    name="mine", category="model_training", description="One tree", dependencies=["sklearn", "skl2onnx"], version="1"
)
class Mine(TabularTrainer):
    def space(self, shape):
        return {"max_depth": Int(2, 8)}

    def defaults(self, shape):
        return {"max_depth": 4}

    def fit(self, params, X, y, *, shape, seed=0, threads=1, validation=None, rounds=None):
        tree = DecisionTreeClassifier(random_state=seed, min_samples_leaf=20, **params)
        return Fitted(make_pipeline(SimpleImputer(keep_empty_features=True), tree).fit(X, y))

    def convert(self, fitted, shape):
        return convert_sklearn(self.name, fitted.pipeline, shape)

    def cost(self, fitted, shape):
        return float(fitted.pipeline[-1].get_depth() + 1)
"""


@dataclass
class Person:
    """Somebody at a terminal.

    Attributes:
        command: The installed `modelyard`.
        folder: Where they work.
        environment: Variables of their shell.
        transcript: What they typed, and how long each took.
    """

    command: Path
    folder: Path
    environment: Mapping[str, str]
    transcript: list[str] = field(default_factory=list)

    def modelyard(self, *words: str) -> dict[str, Any]:
        """Runs a command and returns what it printed for machines."""
        return dict(json.loads(self.run(str(self.command), *words, "--json")))

    def run(self, *command: str) -> str:
        """Runs a command in the folder and returns what it printed."""
        began = time.monotonic()
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=600
        )
        self.transcript.append(f"{time.monotonic() - began:6.1f} s  {Path(command[0]).name} {' '.join(command[1:])}")
        assert done.returncode == 0, "\n".join([*self.transcript, done.stdout, done.stderr])
        return done.stdout


@pytest.fixture
def person(namespace: Namespace, installed_wheel: Path, outside: dict[str, str], tmp_path: Path) -> Person:
    folder = tmp_path / "empty"
    folder.mkdir()
    roles = (documented_role("searching.md"), documented_role("deploy.md"))
    config = user_config(namespace, tmp_path, *roles)
    own = {"KUBECONFIG": str(config), "BENTOML_HOME": str(tmp_path / "bentoml")}
    return Person(installed_wheel, folder, outside | own)


def write_plugin(folder: Path) -> str:
    """Writes the wheel of a trainer of the user's own, and returns its file's name."""
    name, info = "mine-1.0-py3-none-any.whl", "mine-1.0.dist-info"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        wheel.writestr("mine.py", PLUGIN)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/entry_points.txt", "[modelyard.plugins]\nmine = mine\n")
        wheel.writestr(f"{info}/RECORD", f"mine.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return name


@pytest.mark.usefixtures("limits")
def test_from_a_table_to_a_canary_and_back(
    namespace: Namespace, person: Person, base_image: Callable[[str], str], tmp_path: Path
) -> None:
    cluster = namespace.cluster
    training, serving = base_image("training"), f"{cluster.registry}/{base_image('serving')}"
    searching = Searching.prepare(namespace, training, person.folder)
    (tmp_path / "values.yaml").write_text(json.dumps({"image": {"repository": f"{cluster.images}/people"}}))
    table, wheel = write_table(person.folder), write_plugin(person.folder)
    person.run(str(person.command.with_name("python")), "-m", "uv", "pip", "install", "--offline", "--no-deps", wheel)
    data = (f"data.path={table}", "data.target=target", "tuning.trials=4", "tuning.time_budget_s=null")
    there = [*searching.settings, f"cluster.serving_base={serving}", f"cluster.serving_values={tmp_path}/values.yaml"]
    repository = f"{cluster.registry}/people"

    began = time.monotonic()
    first = person.modelyard("run", *data, "model.model_type=linear")
    size = ("--workers", "1", "--cpus", "1")
    search = person.modelyard(
        "tune", "--on", "kube", *size, *data, "model.model_type=mine", f"cluster.wheels=[{wheel}]", *there
    )
    assert search["algorithm"] == "mine"
    second = person.modelyard("pack", search["run"])
    pushed = person.modelyard("image", second["bento"], "--to", repository, "--insecure", *there)
    deployed = person.modelyard(
        "deploy", first["bento"], "--to", repository, "--target-rps", "50", "--insecure", *there
    )
    release = deployed["release"]
    # of both classes, so that two models predict alike where they are alike
    rows = np.random.default_rng(1).normal(size=(20, 8)).tolist()
    body = json.dumps({"rows": rows}).encode()
    with namespace.address(f"service/{release}", 80) as url:
        assert predict(url, body)["model"]["version"] == first["bento"].partition(":")[2]
        person.run("helm", "test", release, "--namespace", namespace.name)
        with Traffic(url, body, clients=4) as traffic:
            person.modelyard("rollout", pushed["image"], "--steps", "50,100", "--insecure", *QUICK, *there)
        assert predict(url, body)["model"]["version"] == second["bento"].partition(":")[2]
        person.modelyard("rollback", release, "--namespace", namespace.name)
        assert predict(url, body)["model"]["version"] == first["bento"].partition(":")[2]
    took = time.monotonic() - began
    print("\n".join([*person.transcript, f"{took:6.1f} s  in all, {traffic.sent} requests meanwhile"]))
    assert traffic.failed == {}
    assert took < LIMIT_S
