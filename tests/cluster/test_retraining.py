"""A search that a schedule begins, and what it leaves in the registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.place import Namespace
from cluster.searches import Searching, write_table
from helm_charts import CHARTS
from modelyard.registry.runs import open_run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("limits")]

FEW = ("model.model_type=linear", "tuning.trials=4", "tuning.time_budget_s=null")


def test_a_schedules_job_is_a_run_and_ends_with_a_candidate(
    namespace: Namespace, base_image: Callable[[str], str], tmp_path: Path
) -> None:
    registry = namespace.cluster.registry
    searching = Searching.prepare(namespace, base_image("training"), tmp_path)
    repository, serving = f"{registry}/{namespace.name}", f"cluster.serving_base={registry}/{base_image('serving')}"
    table = f"data.path={write_table(tmp_path)}"
    written = searching.modelyard("tune", "--on", "kube", "--cpus", "1", table, *FEW, serving, "--write", "values.yaml")
    assert written.returncode == 0, written.stderr
    namespace.kubectl("create", "secret", "generic", "ray", f"--from-literal=auth_token={'0123456789abcdef' * 3}")
    (tmp_path / "schedule.yaml").write_text(
        json.dumps(
            {
                "token": {"existingSecret": "ray"},
                "retraining": {"schedule": "0 3 * * 1", "repository": repository, "insecure": True},
            }
        )
    )
    files = ("--values", tmp_path / "values.yaml", "--values", tmp_path / "schedule.yaml")
    namespace.helm("install", "weekly", CHARTS / "modelyard-training", *files)

    namespace.kubectl("create", "job", "--from=cronjob/weekly", "weekly-now")
    namespace.wait("condition=Complete", "job/weekly-now", seconds=300)
    run = open_run("weekly-now", f"{searching.storage}/runs")
    assert run.info["state"] == "complete"
    candidate = f"{repository}:candidate"
    annotations = json.loads(namespace.cluster.crane("manifest", candidate))["annotations"]
    assert annotations["io.modelyard.run"] == run.name
    # the version's own tag never moves, so that what is in use is kept when the alias does
    version, *more = {tag for tag in namespace.cluster.crane("ls", repository).split() if tag != "candidate"}
    assert more == []
    assert namespace.cluster.crane("digest", f"{repository}:{version}") == namespace.cluster.crane("digest", candidate)
