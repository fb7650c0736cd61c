from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from fake_helm import FakeHelm, revision
from kube_api import KubeApi
from kube_objects import IMAGE, autoscaler, deployment, listed, pod, pods_path
from modelyard.config.models import ClusterSettings, RolloutSettings
from modelyard.errors import CanaryTakenBack, ClusterError, ClusterUnreachable, ReleaseBusy, UsageError
from modelyard.kube import rollout as module
from modelyard.kube.alias import Promoted
from modelyard.kube.alias import Version as Named
from modelyard.kube.canary import ANNOTATION
from modelyard.kube.cluster import Cluster
from modelyard.kube.helm import Helm
from modelyard.kube.plan import Version
from modelyard.kube.reference import Reference
from modelyard.kube.release import Release
from modelyard.kube.rollout import Rollout, check_steps
from modelyard.monitoring.readings import Reading

NEW = Reference.parse(IMAGE.replace("ab", "cd"))
VERSION = Version(NEW, "7e1b", None)
DEPLOYMENTS = "/apis/apps/v1/namespaces/scoring/deployments"
SCALER = "/apis/autoscaling/v2/namespaces/scoring/horizontalpodautoscalers/people"
LIMITS = RolloutSettings(step_s=0.15, min_requests=20)


@dataclass
class World:
    """Pods that answer a bit more each time, and what happens to them.

    Attributes:
        api: The cluster.
        helm: Helm.
        told: What the rollout said.
        failing: Share of the canary's requests that fail.
        happens: Is called at each look, with its number.
    """

    api: KubeApi
    helm: FakeHelm
    told: list[str] = field(default_factory=list)
    failing: float = 0.0
    rate: int = 100
    looks: int = 0
    happens: Callable[[int], None] = lambda _: None

    def __call__(self, pods: Sequence[Any]) -> dict[str, Reading | ClusterError]:
        self.looks += 1
        self.happens(self.looks)
        return {each.metadata.name: self._of(each.metadata.labels["modelyard.io/track"]) for each in pods}

    def _of(self, track: str) -> Reading:
        count = self.looks * self.rate
        failed = int(count * self.failing) if track == "canary" else 0
        fast = Counter({0.001: count, float("inf"): count})
        edges = Counter({1.5: count, 2.5: count, float("inf"): count})
        return Reading(Counter({"200": count - failed, "500": failed}), fast, Counter(), edges)

    def rollout(self, limits: RolloutSettings = LIMITS) -> Rollout:
        cluster = Cluster(ClusterSettings())
        helm = Helm(cluster.namespace)
        release = Release("people", cluster, helm, self.told.append)
        return Rollout(release, cluster, helm, limits, self, self.told.append)

    @property
    def tracks(self) -> list[dict[str, Any]]:
        return list(self.api.objects[DEPLOYMENTS]["items"])

    @property
    def state(self) -> dict[str, Any] | None:
        text = self.tracks[0]["metadata"]["annotations"].get(ANNOTATION)
        return text and json.loads(text)

    @property
    def changes(self) -> list[str]:
        return [call.split()[0] for call in self.helm.calls if call.startswith(("upgrade", "rollback"))]


@pytest.fixture
def world(tmp_path, monkeypatch) -> Iterator[World]:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    promoted = Promoted(NEW.tagged("champion"), NEW, Named(str(NEW.digest), "7e1b"), None)
    monkeypatch.setattr(module, "promote", lambda *_, **__: promoted)
    helm = FakeHelm(tmp_path)
    helm.answers("history", [revision(3, "superseded"), revision(4)])
    helm.answers("get values", {"image": {"repository": "mirror/people", "digest": "sha256:1"}})
    with KubeApi() as running:
        running.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        running.objects[DEPLOYMENTS] = listed(deployment(), deployment("people-canary", 1, track="canary"))
        running.objects[pods_path()] = listed(pod("a"), pod("b"), pod("c", track="canary"))
        yield World(running, helm)


def test_a_good_canary_climbs_and_takes_over(world):
    done = world.rollout().start(VERSION, (10, 50, 100))
    image = {"repository": "", "digest": NEW.digest, "tag": ""}
    first, second, taken, off = world.helm.given
    assert first == {
        "canary": {"enabled": True, "weight": 10, "replicas": 0, "image": image, "predictionBins": [1.5, 2.5]}
    }
    assert second["canary"]["weight"] == 50
    assert taken == {"image": {"digest": NEW.digest, "tag": ""}}
    assert off == {"canary": {"enabled": False}}
    upgrades = [call for call in world.helm.calls if call.startswith("upgrade")]
    assert all("--reset-then-reuse-values" in call for call in upgrades)
    assert [call.partition("--description ")[2].partition(" --")[0] for call in upgrades] == [
        "canary: model 7e1b gets 10 %",
        "canary: model 7e1b gets 50 %",
        "canary: the stable track takes model 7e1b",
        "model 7e1b",
    ]
    assert [(step.weight, step.verdict.share) for step in done.steps] == [
        (10, pytest.approx(1 / 3)),
        (50, pytest.approx(1 / 3)),
    ]
    assert (done.promoted.version.model, world.state) == ("7e1b", None)
    assert "at 10 %: the canary got 33.3% of the requests" in world.told


def test_a_bad_one_is_taken_back_at_once(world):
    world.failing = 0.2
    with pytest.raises(CanaryTakenBack, match=r"taken back at 10 %; errors: 0.2 of its \d+ requests"):
        world.rollout(RolloutSettings(step_s=600)).start(VERSION, (10, 100))
    assert world.changes == ["upgrade", "rollback"]
    (back,) = [call for call in world.helm.calls if call.startswith("rollback")]
    assert back.startswith("rollback people 4 --wait")
    assert "--description canary taken back: errors: 0.2 of" in back
    assert world.state is None


def test_without_the_gate_it_goes_through(world):
    world.failing = 0.2
    limits = LIMITS.model_copy(update={"max_errors": None})
    assert world.rollout(limits).start(VERSION, (10, 100)).promoted


def test_too_few_requests_take_it_back_and_the_reason_is_told(world):
    world.rate = 0
    with pytest.raises(CanaryTakenBack, match="too few requests to judge it: 0 of its own and 0 of the stable track"):
        world.rollout().start(VERSION, (10, 100))
    assert world.changes == ["upgrade", "rollback"]


def test_pods_that_do_not_get_ready_take_it_back(world):
    world.helm.fails("upgrade", "Error: UPGRADE FAILED: context deadline exceeded\n")
    with pytest.raises(CanaryTakenBack, match=r"at 10 %; release people: context deadline exceeded"):
        world.rollout().start(VERSION, (10, 100))
    assert (world.changes, world.state) == (["upgrade", "rollback"], None)


def test_the_canary_follows_the_stable_track(world):
    def grow(look: int) -> None:
        if look == 2:
            world.tracks[0]["spec"]["replicas"] = 8

    world.happens = grow
    world.rollout().start(VERSION, (20, 100))
    assert world.tracks[1]["spec"]["replicas"] == 2


def test_the_stable_track_gets_the_canarys_pods_before_it_goes(world):
    world.api.objects[SCALER] = autoscaler(60)
    world.rollout().start(VERSION, (50, 100))
    assert [each["spec"]["replicas"] for each in world.tracks] == [4, 2]


def test_another_repository_is_named(world):
    elsewhere = Version(Reference(NEW.host, "other", digest=NEW.digest), None, None)
    world.rollout().start(elsewhere, (50, 100))
    assert world.helm.given[0]["canary"]["image"]["repository"] == f"{NEW.host}/other"
    assert world.helm.given[1]["image"]["repository"] == f"{NEW.host}/other"


def test_what_was_interrupted_stays_and_is_resumed_where_it_was(world):
    def stop(look: int) -> None:
        if look > 2:
            raise KeyboardInterrupt

    world.happens = stop
    with pytest.raises(KeyboardInterrupt):
        world.rollout().start(VERSION, (10, 50, 100))
    assert (world.state["step"], world.state["base"], world.state["seen"]) == (0, 4, None)
    assert world.told[-1].startswith("the canary stays; go on with `modelyard rollout people --namespace scoring --res")

    world.happens = lambda _: None
    # it was cut off in the middle of an upgrade
    world.helm.answers("history", [revision(4, "superseded"), revision(5), revision(6, "pending-upgrade")])
    done = world.rollout().resume()
    assert [step.weight for step in done.steps] == [10, 50]
    assert world.changes == ["upgrade", "rollback", *["upgrade"] * 4]
    assert next(call for call in world.helm.calls if call.startswith("rollback")).startswith("rollback people 5 ")
    assert world.state is None


def test_somebody_else_sees_to_it(world):
    def look_from_elsewhere(look: int) -> None:
        if look == 2:
            with pytest.raises(ReleaseBusy, match=r"the canary of model 7e1b at 10 %, to which .*@.* sees"):
                world.rollout().resume()
            with pytest.raises(ReleaseBusy, match=r"modelyard rollout people --abort$"):
                world.rollout().start(VERSION, (10, 100))
            canary, _ = world.rollout().abort()
            assert canary.image == str(NEW)

    world.happens = look_from_elsewhere
    with pytest.raises(ReleaseBusy, match="somebody took the rollout over"):
        world.rollout().start(VERSION, (10, 50, 100))
    assert world.changes == ["upgrade", "rollback"]


def test_a_cluster_that_is_away_for_a_while_is_waited_for(world, monkeypatch):
    def away(look: int) -> None:
        if 2 < look < 5:
            raise ClusterUnreachable("the cluster", "timed out")

    world.happens = away
    assert world.rollout().start(VERSION, (50, 100)).steps
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)
    world.looks = 0
    with pytest.raises(ClusterUnreachable):
        world.rollout().start(VERSION, (50, 100))
    assert world.state["step"] == 0


def test_there_must_be_something_to_resume_or_abort(world):
    for go in (world.rollout().resume, world.rollout().abort):
        with pytest.raises(
            ClusterError, match=r"has no rollout under way; see what runs with: modelyard status people$"
        ):
            go()


def test_what_runs_already_is_not_rolled_out(world):
    world.helm.answers("get values", {"image": {"repository": "mirror/people", "digest": NEW.digest}})
    with pytest.raises(UsageError, match=r"runs .* already"):
        world.rollout().start(VERSION, (10, 100))


def test_a_canary_of_somebodys_own_is_not_touched(world):
    world.helm.answers("get values", {"image": {"repository": "mirror/people"}, "canary": {"enabled": True}})
    with pytest.raises(ReleaseBusy, match="a canary that no rollout began"):
        world.rollout().start(VERSION, (10, 100))
    assert (world.changes, world.state) == ([], None)


def test_figures_that_cannot_be_read_stop_it_before_anything_changes(world):
    world._of = lambda _: ClusterError("port 9090 of pod a", "gives no answer")  # type: ignore[method-assign]
    with pytest.raises(ClusterError, match=r"its figures cannot be read \(port 9090 of pod a: gives no answer\)"):
        world.rollout().start(VERSION, (10, 100))
    assert world.changes == []


def test_a_deploy_meanwhile_is_refused(world):
    def deploy(look: int) -> None:
        if look == 2:
            with pytest.raises(ReleaseBusy, match=r"the canary of model 7e1b at 50 %"):
                world.rollout()._changes.deploy(None, None)  # type: ignore[arg-type]

    world.happens = deploy
    world.rollout().start(VERSION, (50, 100))


def test_the_plan_says_which_share_can_be_reached(world):
    assert [(share.canary, share.share) for share in world.rollout().plan((10, 50, 100))] == [
        (1, pytest.approx(1 / 3)),
        (2, 0.5),
    ]
    world.helm.answers("get values", {"httpRoute": {"enabled": True}})
    assert [share.share for share in world.rollout().plan((10, 50, 100))] == [0.1, 0.5]


@pytest.mark.parametrize(
    "text", ["10", "100", "50,10,100", "10,10,100", "0,100", "10,50", "a,100", "1,2,3,4,5,100", ""]
)
def test_steps_rise_to_100(text):
    with pytest.raises(UsageError, match="percentages that rise to 100"):
        check_steps(text)
    assert check_steps("5,25,100") == (5, 25, 100)
