from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from helm_charts import render
from modelyard.config.manager import ConfigManager
from modelyard.config.models import ClusterSettings, Settings
from modelyard.data.sources import read_bytes
from modelyard.errors import ConfigError, TableUnreadable
from modelyard.kube.submission import Order, Size, cluster_storage, release_name, upload, values_for
from modelyard.registry.storage import Storage

DIGEST = "sha256:" + "1" * 64
IMAGE = f"registry.local:5000/modelyard-training@{DIGEST}"


@pytest.fixture
def storage() -> str:
    return f"memory://{uuid.uuid4().hex}/modelyard"


def settings(storage: str | None, data: dict[str, Any] | None = None, **cluster: Any) -> Settings:
    given = {"storage": storage, "training_image": IMAGE, **cluster}
    return Settings.model_validate({"data": data or {"path": "sklearn://breast_cancer"}, "cluster": given})


@pytest.mark.parametrize(
    "run", ["adult", "20261125-155600-123-adult", "20261125-155600-123-a-table-with-a-long-name-2", "Weekly_1.x", "-a-"]
)
def test_a_release_has_a_name_that_every_object_can_have(run: str) -> None:
    name = release_name(run)
    assert name.startswith("run-")
    assert len(name) <= 47
    assert name.replace("-", "").isalnum()
    assert not name.endswith("-") or run.endswith("-")


def test_two_long_names_of_runs_are_two_releases() -> None:
    first, second = (f"20261125-155600-123-a-table-with-a-long-name{end}" for end in ("", "-2"))
    assert release_name(first) != release_name(second)


def test_what_is_only_here_is_uploaded_once(storage: str, tmp_path: Path) -> None:
    table, wheel = tmp_path / "people.csv", tmp_path / "mine-1.0-py3-none-any.whl"
    table.write_text("a,target\n1,2\n")
    wheel.write_bytes(b"wheel")
    chosen = settings(storage, {"path": str(table), "storage_options": {"auto_mkdir": True}}, wheels=[str(wheel)])
    order = upload(chosen)
    assert upload(chosen) == order
    path = str(order.settings.data.path)
    assert path.startswith(f"{Storage(storage).url}/tables/")
    assert path.endswith("/people.csv")
    assert read_bytes(path) == b"a,target\n1,2\n"
    assert order.settings.data.storage_options == {}
    (sent,) = order.settings.cluster.wheels
    assert read_bytes(sent) == b"wheel"
    assert [len(Storage(storage).list(name)) for name in ("tables", "wheels", "configs")] == [1, 1, 1]
    told = ConfigManager.from_yaml(read_bytes(order.config).decode())
    assert told == order.settings
    assert told.storage.runs == f"{Storage(storage).url}/runs"

    # a run that goes on takes what was sent for it before, from whatever machine
    assert upload(order.settings) == order
    table.write_text("a,target\n3,4\n")
    assert upload(chosen).settings.data.path != path
    assert len(Storage(storage).list("tables")) == 2


@pytest.mark.parametrize("path", ["s3://bucket/people.csv", "sklearn://breast_cancer"])
def test_what_every_pod_reaches_stays_where_it_is(storage: str, path: str) -> None:
    order = upload(settings(storage, {"path": path, "storage_options": {"anon": True}}))
    assert order.settings.data.path == path
    assert order.settings.data.storage_options == {"anon": True}
    assert Storage(storage).list() == ["configs"]


@pytest.mark.parametrize(("workers", "cpus"), [(0, 1), (3, 4)])
@pytest.mark.parametrize("engine", ["job", "kuberay"])
def test_the_chart_takes_the_values(storage: str, engine: str, workers: int, cpus: int) -> None:
    chosen = settings(storage, engine=engine, storage_secret="keys", s3_endpoint="http://s3:9000")
    values = values_for(upload(chosen), "weekly-1", Size(workers, cpus, 2**30))
    assert values["token"] == {"existingSecret": "run-weekly-1-ray"}
    assert values["image"] == {"repository": "registry.local:5000/modelyard-training", "digest": DIGEST, "tag": ""}
    kinds = {manifest["kind"] for manifest in render("modelyard-training", values)}
    assert {"job": "Job", "kuberay": "RayJob"}[engine] in kinds


def test_a_port_for_metrics_is_the_drivers(storage: str) -> None:
    chosen = settings(storage)
    assert "metrics" not in values_for(upload(chosen), "weekly-1", Size(1, 2))
    chosen.tuning.metrics_port = 9100
    assert values_for(upload(chosen), "weekly-1", Size(1, 2))["metrics"] == {"port": 9100}


def test_a_large_table_gets_more_memory(storage: str) -> None:
    order = upload(settings(storage))
    assert "memory" not in values_for(order, "a", Size(1, 2))
    small, large = (values_for(order, "a", Size(1, 2, size))["memory"] for size in (2**20, 2**30))
    assert small["objectStoreMiB"] == 200
    assert large["objectStoreMiB"] > 2 * 1024
    assert all(large[name] > small[name] for name in large)


@pytest.mark.parametrize(
    ("image", "problem"), [(None, "is not set"), ("registry.local/training", "needs a tag or a digest")]
)
def test_an_image_that_is_missing_or_moves_is_refused(storage: str, image: str | None, problem: str) -> None:
    order = Order(settings(storage, training_image=image), "memory://config.yaml")
    with pytest.raises(ConfigError, match=f"cluster.training_image: {problem}"):
        values_for(order, "a", Size(1, 2))


def test_a_storage_that_pods_do_not_reach_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cluster\.storage: is not set"):
        cluster_storage(ClusterSettings())
    with pytest.raises(ConfigError, match=r"cluster\.storage: is .*, a folder of this machine"):
        cluster_storage(ClusterSettings(storage=str(tmp_path)))


def test_a_wheel_that_is_not_there_is_said(storage: str) -> None:
    with pytest.raises(TableUnreadable, match=r"mine\.whl: cannot be read: No such file"):
        upload(settings(storage, wheels=["mine.whl"]))
