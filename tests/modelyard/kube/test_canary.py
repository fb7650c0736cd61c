from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from kube_api import KubeApi
from kube_objects import IMAGE, deployment, listed
from modelyard.config.models import ClusterSettings
from modelyard.errors import ClusterError, ReleaseBusy
from modelyard.kube.canary import ANNOTATION, Canary, Keeper, canary_of
from modelyard.kube.cluster import Cluster

DEPLOYMENTS = "/apis/apps/v1/namespaces/scoring/deployments"
WANTED = Canary(image=IMAGE, model="3f2a", steps=(10, 50, 100), base=4)


@pytest.fixture
def api(tmp_path, monkeypatch) -> Iterator[KubeApi]:
    with KubeApi() as running:
        running.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        running.objects[DEPLOYMENTS] = listed(deployment("people-canary", 1, track="canary"), deployment())
        yield running


@pytest.fixture
def keeper(api) -> Keeper:
    assert api
    return Keeper("people", Cluster(ClusterSettings()))


def written(api: KubeApi) -> dict[str, Any] | None:
    (text,) = [each["metadata"]["annotations"].get(ANNOTATION) for each in api.objects[DEPLOYMENTS]["items"][1:]]
    return text and json.loads(text)


def test_it_stands_at_the_stable_track_with_who_sees_to_it(api, keeper):
    taken = keeper.take(lambda there: WANTED if there is None else there)
    assert written(api)["image"] == IMAGE
    assert (taken.weight, taken.attended, taken.told) == (10, True, "the canary of model 3f2a at 10 %")
    assert "@" in taken.person
    keeper.keep({"step": 1})
    assert (keeper.find().weight, keeper.find().base) == (50, 4)
    keeper.leave()
    assert (keeper.find().attended, keeper.find().person) == (False, taken.person)
    keeper.clear()
    assert (written(api), keeper.find()) == (None, None)


def test_who_is_not_heard_of_for_a_while_does_not_see_to_it():
    now = datetime.now(UTC)
    assert WANTED.model_copy(update={"seen": now - timedelta(seconds=20)}).attended
    assert not WANTED.model_copy(update={"seen": now - timedelta(seconds=40)}).attended


def test_another_process_takes_it_over_and_the_first_hears_of_it(keeper):
    keeper.take(lambda _: WANTED)
    other = Keeper("people", Cluster(ClusterSettings()))
    other.take(lambda there: there)
    with pytest.raises(ReleaseBusy, match=r"took the rollout over.*modelyard status people$"):
        keeper.keep({})
    keeper.leave()
    assert other.find().attended
    other.clear()
    with pytest.raises(ReleaseBusy, match="somebody took the rollout over"):
        keeper.keep({})


def test_of_two_at_once_one_writes(keeper):
    def slowly(_: Canary | None) -> Canary:
        Keeper("people", Cluster(ClusterSettings())).take(lambda there: there or WANTED)
        return WANTED

    with pytest.raises(ClusterError, match="the object has been modified"):
        keeper.take(slowly)


def test_without_a_deployment_there_is_nothing_to_keep(api, keeper):
    api.objects[DEPLOYMENTS] = listed()
    with pytest.raises(ClusterError, match="has no Deployment of the stable track"):
        keeper.take(lambda _: WANTED)


def test_what_cannot_be_read_is_said_with_the_way_out():
    metadata = SimpleNamespace(name="people", annotations={ANNOTATION: "{}"})
    with pytest.raises(ClusterError, match=rf"kubectl annotate deployment people {ANNOTATION}-$"):
        canary_of("people", SimpleNamespace(metadata=metadata))
