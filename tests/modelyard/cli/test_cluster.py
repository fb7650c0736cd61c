"""The commands about searches in a cluster, against an API server and a Helm in their place."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fake_helm import FakeHelm
from kube_api import KubeApi
from modelyard.kube import search as search_module
from modelyard.registry.runs import Run, list_runs, open_run
from waiting import until

JOBS = "/apis/batch/v1/namespaces/scoring/jobs"
SUMMARY = {
    "task": "binary",
    "metric": "roc_auc",
    "score": 0.9,
    "interval": [0.8, 0.95],
    "baselines": {"dummy": 0.5},
    "algorithm": "linear",
    "params": {},
    "cross_validation": 0.91,
    "trials": 3,
    "failed_trials": 0,
    "failures": {},
    "seconds": 12.0,
    "interrupted": False,
    "model_name": "people",
    "version": "1",
    "served": "compiled",
    "latency_us": 20.0,
    "findings": [],
}


@pytest.fixture
def runs() -> str:
    return f"memory://{uuid.uuid4().hex}/modelyard"


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubeApi]:
    with KubeApi() as running:
        running.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        monkeypatch.setattr(search_module, "POLL_S", 0.01)
        yield running


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHelm:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program = FakeHelm(tmp_path)
    program.prints("install", "")
    program.prints("uninstall", "")
    return program


@pytest.fixture
def settings(runs: str) -> list[str]:
    return [f"cluster.storage={runs}", "cluster.training_image=registry.local/training:1", "data.target=bought"]


@pytest.fixture
def driver(runs: str, api: KubeApi) -> Iterator[Callable[[Callable[[Run], None]], None]]:
    """Lets something be done to the run that a command begins, as a driver in a pod would."""
    threads: list[threading.Thread] = []

    def start(work: Callable[[Run], None]) -> None:
        def wait() -> None:
            until(lambda: list_runs(f"{runs}/runs"))
            run = open_run("latest", f"{runs}/runs")
            api.objects[f"{JOBS}/run-{run.name}"] = {"status": {}}
            work(run)
            if run.info["state"] == "complete":
                succeeded = {"type": "SuccessCriteriaMet", "status": "True"}
                api.objects[f"{JOBS}/run-{run.name}"] = {"status": {"conditions": [succeeded]}}

        threads.append(threading.Thread(target=wait))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()


def complete(run: Run) -> None:
    places = {"run": run.name, "folder": run.folder, "model": f"{run.folder}/model", "report": f"{run.folder}/report"}
    run.write("summary.json", {**SUMMARY, **places})
    run.storage.write("model/manifest.json", "{}")
    progress = {"stage": "search", "trials": 3, "metric": "roc_auc", "best": 0.9, "of_a_later_version": True}
    run.update(state="complete", progress=progress)


def test_a_search_is_submitted_followed_and_fetched(modelyard, table, settings, api, helm, driver, tmp_path) -> None:
    driver(complete)
    command = ("tune", "--on", "kube", "--workers", "3", "--cpus", "1", f"data.path={table}", *settings)
    done = modelyard(*command, "data.separator=,", 'data.na_values=["?"]', 'data.quote="\'"', "--json")
    assert done.code == 0, done.err
    document = done.document
    home = tmp_path / "runs" / document["run"]
    assert document["model"] == str(home / "model")
    assert (home / "model" / "manifest.json").is_file()
    assert document["interval"] == [0.8, 0.95]
    assert helm.values["workers"] == 3
    assert helm.values["run"] == document["run"]
    assert "best roc_auc 0.9" in done.err
    # nothing is left, the token neither
    assert helm.calls[-1].startswith(f"uninstall run-{document['run']} ")
    assert not [path for path in api.objects if "/secrets/" in path]


def test_a_failure_for_good_is_told_and_cleared(modelyard, settings, helm, driver) -> None:
    driver(lambda run: run.update(state="failed", error="no plugin is called 'x'", permanent=True))
    done = modelyard("tune", "--on", "kube", "data=breast_cancer", *settings, "data.target=target")
    assert done.code == 1
    assert done.err.splitlines()[-1].endswith("failed: no plugin is called 'x'")
    assert helm.calls[-1].startswith("uninstall ")


def test_a_bad_table_is_refused_before_anything_is_sent(modelyard, settings, api, helm, tmp_path) -> None:  # noqa: ARG001
    (tmp_path / "table.csv").write_text("a,b\n1,2\n3,4\n")
    done = modelyard("tune", "--on", "kube", "data.path=table.csv", *settings)
    assert done.code == 1
    assert "has no column 'bought'" in done.err
    assert api.asked == []


def test_a_run_is_attached_to_and_cancelled(modelyard, runs, settings, api, helm, driver) -> None:  # noqa: ARG001
    driver(lambda run: run.update(state="failed", error="no such column", permanent=True))
    modelyard("tune", "--on", "kube", "data=breast_cancer", *settings, "data.target=target")
    run = open_run("latest", f"{runs}/runs")
    run.update(state="running", permanent=False)
    cancelled = modelyard("cancel", run.name, *settings, "--json")
    assert cancelled.document["state"] == "interrupted"
    complete(run)
    del api.objects[f"{JOBS}/run-{run.name}"]  # as cancelling does
    attached = modelyard("attach", "latest", *settings)
    assert attached.code == 0, attached.err
    assert "0.9 on held-out rows (95 % interval 0.8 to 0.95)" in attached.out


def test_a_run_that_is_searched_cannot_be_resumed(modelyard, runs, settings, api, helm, driver) -> None:  # noqa: ARG001
    driver(lambda run: run.update(state="failed", error="x", permanent=True))
    modelyard("tune", "--on", "kube", "data=breast_cancer", *settings, "data.target=target")
    done = modelyard("tune", "--on", "kube", *settings, "--resume", "latest")
    assert done.code == 2
    assert "is being searched; follow it with: modelyard attach" in done.sentence


def test_a_run_goes_on_with_the_plugins_that_it_began_with(
    modelyard, runs, settings, api, helm, driver, tmp_path
) -> None:
    wheel = tmp_path / "mine-1.0-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    driver(lambda run: run.update(state="failed", error="x", permanent=True))
    own = ("data.target=target", f"cluster.wheels=[{wheel.name}]")
    done = modelyard("tune", "--on", "kube", "data=breast_cancer", *settings, *own)
    assert "failed: x" in done.err
    sent = helm.values["wheels"]
    assert len(sent) == 1
    wheel.unlink()
    run = open_run("latest", f"{runs}/runs")
    del api.objects[f"{JOBS}/run-{run.name}"]
    (tmp_path / "values").unlink()
    done = modelyard("tune", "--on", "kube", *settings, "--resume", run.name)
    assert "is no longer in the cluster" in done.err  # nobody there makes a Job of the values
    assert (helm.values["run"], helm.values["wheels"]) == (run.name, sent)


def test_values_for_a_schedule_are_written(modelyard, settings, tmp_path) -> None:
    done = modelyard("tune", "--on", "kube", "data=breast_cancer", *settings, "data.target=target", "--write", "v.yaml")
    assert done.code == 0, done.err
    values: dict[str, Any] = yaml.safe_load((tmp_path / "v.yaml").read_text())
    assert values["config"].endswith("/config.yaml")
    assert {"run", "token"} & set(values) == set()
    assert "retraining.schedule" in done.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("tune", "--workers", "2"), "--workers, --cpus and --write are about a cluster; add --on kube"),
        (("tune", "--on", "kube", "data=breast_cancer"), "cluster.storage: is not set"),
        (("attach",), "cluster.storage: is not set"),
        (("cancel", "latest"), "cluster.storage: is not set"),
    ],
)
def test_a_call_that_lacks_something_says_what(modelyard, words, sentence) -> None:
    done = modelyard(*words)
    assert done.code == 2
    assert done.sentence.startswith(sentence)


def test_without_a_cluster_or_helm_it_says_so(modelyard, settings, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    done = modelyard("tune", "--on", "kube", "data=breast_cancer", *settings, "data.target=target")
    assert done.code == 1
    assert "there is no cluster" in done.err
    with KubeApi() as running:
        running.write_kubeconfig(tmp_path / "none")
        monkeypatch.setenv("PATH", str(tmp_path))
        done = modelyard("tune", "--on", "kube", "data=breast_cancer", *settings, "data.target=target")
    assert done.code == 2
    assert "helm: is not on PATH" in done.err


def test_a_run_that_nobody_knows_is_said(modelyard, settings) -> None:
    done = modelyard("attach", "mine", *settings)
    assert done.code == 1
    assert "has no run 'mine'" in done.sentence
