from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from fake_helm import FakeHelm, revision
from kube_api import KubeApi
from kube_objects import IMAGE, deployment, listed, pod, pods_path
from modelyard.kube import plan, rollout, status
from modelyard.kube.alias import Promoted
from modelyard.kube.alias import Version as Named
from modelyard.kube.canary import ANNOTATION, Canary
from modelyard.kube.plan import Version
from modelyard.kube.reference import Reference
from modelyard.monitoring.readings import Reading

NEW = Reference.parse(IMAGE.replace("ab", "cd"))
DEPLOYMENTS = "/apis/apps/v1/namespaces/scoring/deployments"
QUICK = ("rollout.step_s=0.1", "rollout.min_requests=20")


@pytest.fixture(autouse=True)
def helm(tmp_path, monkeypatch) -> FakeHelm:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    made = FakeHelm(folder)
    made.answers("get values", {"image": {"repository": "mirror/people", "digest": "sha256:1"}})
    return made


@pytest.fixture(autouse=True)
def api(tmp_path, monkeypatch) -> Iterator[KubeApi]:
    monkeypatch.setattr(rollout, "LOOK_S", 0.02)
    monkeypatch.setattr(plan, "find_version", lambda image, **_: Version(image.at(str(NEW.digest)), "7e1b", None))
    replaced = Named("sha256:1", "3f2a")
    promoted = Promoted(NEW.tagged("champion"), NEW, Named(str(NEW.digest), "7e1b"), replaced)
    monkeypatch.setattr(rollout, "promote", lambda *_, **__: promoted)
    with KubeApi() as running:
        running.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        running.objects[DEPLOYMENTS] = listed(deployment(), deployment("people-canary", 1, track="canary"))
        running.objects[pods_path()] = listed(pod("a"), pod("b"), pod("c", track="canary"))
        yield running


@pytest.fixture(autouse=True)
def counts(monkeypatch) -> dict[str, int]:
    """Requests that the canary answers between two looks, and how many of them fail."""
    made = {"requests": 100, "failed": 0}
    seen: Counter[str] = Counter()

    def read(_: Any, pods: Any) -> Mapping[str, Reading]:
        seen.update({"200": made["requests"] - made["failed"], "500": made["failed"]})
        times = Counter({0.001: seen.total(), float("inf"): seen.total()})
        healthy = Reading(Counter({"200": seen.total()}), times, Counter({"yes": seen.total()}))
        canary = Reading(seen.copy(), times, Counter({"yes": seen.total()}))
        tracks = {each.metadata.name: each.metadata.labels["modelyard.io/track"] for each in pods}
        return {name: canary if track == "canary" else healthy for name, track in tracks.items()}

    monkeypatch.setattr(status, "read_pods", read)
    return made


def keep(api: KubeApi, **changes: Any) -> None:
    """Lets a rollout be under way."""
    canary = Canary(image=str(NEW), model="7e1b", steps=(10, 100), base=1, by="anna@laptop 1-ab")
    text = canary.model_copy(update=changes).model_dump_json()
    api.objects[DEPLOYMENTS]["items"][0]["metadata"]["annotations"][ANNOTATION] = text


def test_a_canary_goes_through_and_the_champion_moves(modelyard, helm):
    helm.answers("history", [revision(1, "superseded"), revision(5)])
    done = modelyard("rollout", "localhost:5000/people:candidate", *QUICK, "--json")
    assert done.code == 0, done.err
    document = done.document
    steps = document.pop("steps")
    assert document == {
        "release": "people",
        "namespace": "scoring",
        "revision": 5,
        "image": str(NEW),
        "model": "7e1b",
        "alias": "localhost:5000/people:champion",
        "replaced": "3f2a",
    }
    assert [(step["percent"], step["errors"], step["share"]) for step in steps] == [
        (10, 0, pytest.approx(1 / 3)),
        (50, 0, pytest.approx(1 / 3)),
    ]
    assert steps[0]["findings"][0].startswith("errors: 0 of its ")
    assert done.err.splitlines()[0] == "10 %: 33.3% of the requests can be reached, by 1 of 3 pods"
    shown = modelyard("rollout", "localhost:5000/people:candidate", "--steps", "40,100", *QUICK)
    assert (shown.code, "alias      localhost:5000/people:champion" in shown.out) == (0, True)
    assert "33.3%" in shown.out


def test_a_bad_canary_is_an_error_with_its_reason(modelyard, counts):
    counts["failed"] = 30
    done = modelyard("rollout", "localhost:5000/people:candidate", *QUICK, "--json")
    assert done.code == 1
    error = done.document["error"]
    assert error["type"] == "CanaryTakenBack"
    assert error["message"].startswith("release people: the canary was taken back at 10 %; errors: 0.3 of its")


def test_a_lost_rollout_is_shown_and_ended(modelyard, api, helm, monkeypatch):
    monkeypatch.setattr(status, "SECONDS", 0.01)
    keep(api, seen=datetime(2026, 11, 25, 12, 0, tzinfo=UTC))
    seen = modelyard("status", "people", "--json").document["canary"]
    assert (seen["weight"], seen["attended"], seen["model"]) == (10, False, "7e1b")
    shown = modelyard("status", "people").out
    said = "the canary of model 7e1b at 10 %, to which nobody sees; anna@laptop last did at 2026-11-25 12:00 UTC"
    assert said in shown
    assert "modelyard rollout people --namespace scoring --resume, or --abort" in shown
    helm.answers("history", [revision(1, "superseded"), revision(3, rollback_revision=1)])
    assert modelyard("rollout", "--abort", "--json").code == 2  # there is no release to be found
    assert modelyard("rollout", "people", "--abort", "--json").document == {
        "namespace": "scoring",
        "revision": 3,
        "taken_back": str(NEW),
        "model": "7e1b",
        "percent": 10,
    }
    assert "canary" not in modelyard("status", "people").out.replace("people-canary", "").partition("requests of")[0]


def test_one_that_somebody_sees_to_is_shown_and_not_resumed(modelyard, api, monkeypatch):
    monkeypatch.setattr(status, "SECONDS", 0.01)
    keep(api, seen=datetime.now(UTC))
    assert "at 10 %, to which anna@laptop sees" in modelyard("status", "people").out
    refused = modelyard("rollout", "people", "--resume", *QUICK)
    assert (refused.code, "to which anna@laptop sees" in refused.sentence) == (1, True)


def test_a_lost_rollout_is_resumed(modelyard, api):
    keep(api)
    done = modelyard("rollout", "people", "--resume", *QUICK, "--json")
    assert [step["percent"] for step in done.document["steps"]] == [10]
    assert ANNOTATION not in json.dumps(api.objects[DEPLOYMENTS])


def test_a_deploy_is_refused_meanwhile(modelyard, api):
    keep(api)
    done = modelyard("deploy", "localhost:5000/people:candidate")
    assert done.code == 1
    assert "the canary of model 7e1b at 10 %" in done.sentence
    assert done.sentence.endswith("modelyard rollout people --abort")


@pytest.mark.parametrize(
    "arguments",
    [(), ("people",), ("people", "--resume", "--abort"), ("localhost:5000/people:1", "--steps", "10,20")],
)
def test_a_call_that_means_nothing_is_refused(modelyard, arguments):
    assert modelyard("rollout", *arguments).code == 2


def test_a_right_that_is_missing_is_named_before_anything_is_done(modelyard, api, helm):
    api.denied.add(("create", "pods"))
    done = modelyard("rollout", "localhost:5000/people:candidate")
    assert (done.code, "no right to create pods/portforward there" in done.sentence) == (1, True)
    assert not any(call.startswith("upgrade") for call in helm.calls)
