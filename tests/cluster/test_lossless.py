"""Nothing is lost while a release changes, and what is lost when the mechanism that keeps it is off."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from cluster.place import Cluster
from cluster.releases import Deployer, modelyard
from cluster.traffic import PAUSE_S, Traffic
from waiting import until

pytestmark = pytest.mark.cluster

REQUESTS, FEW = 20_000, 5_000
DRAIN = {"serving": {"drain_seconds": 5}}
NO_DRAIN = {"serving": {"drain_seconds": 0}}
SLEEP_ALONE = NO_DRAIN | {"termination": {"preStopSleepSeconds": 5}}
NO_BUDGET = {"podDisruptionBudget": {"enabled": False}}
# as soon as the load is gone, where the chart waits for five minutes
AT_ONCE = {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": 4, "periodSeconds": 5}]}
DOWN_AT_ONCE = {"autoscaling": {"behavior": {"scaleDown": AT_ONCE}}}
# sizes that the autoscaler leaves alone under the usual load, and that it does not
STEADY, MOVING = 400, 150
NEVER_ENOUGH = ("rollout.step_s=15", "rollout.min_requests=1000000")
LOUD_S, QUIET_S, LONG_S = 0.01, 0.4, 180.0


@dataclass(frozen=True)
class Scene:
    """A release under load.

    Attributes:
        release: Deploys it.
        bentos: What it may run; it begins with the first.
        traffic: The load.
    """

    release: Deployer
    bentos: tuple[str, str]
    traffic: Traffic

    def tell(self, step: str) -> None:
        """Prints what was lost until the end of a step."""
        print(f"{step}: {self.traffic.sent} requests, {len(self.traffic.failures)} failed so far")


Event = Callable[[Scene], object]


class Seen(Protocol):
    """Returns what clients saw while something happened, and until there were so many requests."""

    def __call__(self, event: Callable[[Scene], object], values: Mapping[str, Any], requests: int = 0) -> Traffic: ...


@pytest.fixture
def seen(deployer: Deployer, bentos: tuple[str, str], body: bytes) -> Seen:
    """Deploys two pods or more for it."""
    if not deployer.cluster.bed:
        pytest.skip("requests would go through a forwarded port, which ends with its pod")

    def look(event: Event, values: Mapping[str, Any], requests: int = 0, target_rps: int = STEADY) -> Traffic:
        release = deployer.having(values)
        release.deploy(bentos[0], "--target-rps", target_rps)
        with release.namespace.address("service/people", 80) as url, Traffic(url, body) as traffic:
            until(lambda: traffic.sent > 100)
            event(Scene(release, bentos, traffic))
            until(lambda: traffic.sent >= requests, LONG_S)
        print(f"{event.__name__}, {values}: {traffic.sent} requests, failed: {dict(traffic.failed)}")
        return traffic

    return look


def check_lossless(traffic: Traffic) -> None:
    assert traffic.failed == {}
    assert min(traffic.kept.answered, traffic.new.answered) > REQUESTS / 4


def an_update(scene: Scene) -> None:
    scene.release.deploy(scene.bentos[1])


def an_update_and_a_rollback(scene: Scene) -> None:
    scene.release.deploy(scene.bentos[1])
    scene.tell("update")
    scene.release.run("rollback", "people")


def five_updates_and_a_rollback(scene: Scene) -> None:
    for update in range(5):
        scene.release.deploy(scene.bentos[(update + 1) % 2])
        scene.tell(f"update {update + 1}")
    assert scene.release.run("rollback", "people")["as_revision"] == 5


def up_and_down(scene: Scene) -> None:
    """The autoscaler adds all that it may, and takes them away when the load has gone."""
    scene.traffic.pause_s = LOUD_S
    until(lambda: len(scene.release.ready()) == 4, LONG_S)
    scene.tell("up")
    scene.traffic.pause_s = QUIET_S
    until(lambda: len(scene.release.ready()) == len(scene.release.pods()) == 2, LONG_S)
    scene.tell("down")
    scene.traffic.pause_s = PAUSE_S


def a_canary_raised_and_taken_back(scene: Scene) -> None:
    """Three times: it gets half of the requests, too few for the gate, and goes again."""
    registry = f"{scene.release.cluster.registry}/people"
    to = ("--to", registry, "--base", scene.release.base, "--insecure")
    image = modelyard("image", scene.bentos[1], *to)["image"]
    for _ in range(3):
        said = scene.release.run("rollout", image, "--steps", "50,100", "--insecure", *NEVER_ENOUGH, code=1)["error"]
        assert "too few requests to judge it" in said["message"], said
        scene.tell("canary")


def a_drained_node(scene: Scene) -> None:
    """All pods are on the node that is drained."""
    drained, other = "n2", "n1"
    assert scene.release.ready(other) == []
    scene.release.cluster.kubectl("uncordon", other)
    with cordoned(scene.release.cluster, drained):
        scene.release.cluster.kubectl("drain", drained, "--delete-emptydir-data", "--timeout=170s")
        until(lambda: len(scene.release.ready(other)) >= 2, LONG_S)


@contextmanager
def cordoned(cluster: Cluster, node: str) -> Iterator[None]:
    """Lets no new pod onto a node."""
    cluster.kubectl("cordon", node)
    try:
        yield
    finally:
        cluster.kubectl("uncordon", node)


@pytest.fixture
def one_node(cluster: Cluster) -> Iterator[None]:
    """Keeps pods off one of two nodes."""
    if not cluster.bed:
        pytest.skip("this cluster's nodes are not ours to drain")
    with cordoned(cluster, "n1"):
        yield


@pytest.mark.smoke
def test_an_update_under_load_loses_nothing(seen: Seen) -> None:
    traffic = seen(an_update, DRAIN, FEW)
    assert traffic.failed == {}
    assert min(traffic.kept.answered, traffic.new.answered) > FEW / 4


def test_five_updates_and_a_rollback_lose_nothing(seen: Seen) -> None:
    check_lossless(seen(five_updates_and_a_rollback, DRAIN, REQUESTS))


@pytest.mark.parametrize("values", [NO_DRAIN, SLEEP_ALONE], ids=["no drain", "a sleep before the signal alone"])
def test_without_the_drain_updates_lose_requests(seen: Seen, values: Mapping[str, Any]) -> None:
    assert seen(an_update_and_a_rollback, values).failed


def test_scaling_up_and_down_loses_nothing(seen: Seen) -> None:
    check_lossless(seen(up_and_down, DRAIN | DOWN_AT_ONCE, REQUESTS, MOVING))


def test_without_the_drain_scaling_down_loses_requests(seen: Seen) -> None:
    assert seen(up_and_down, NO_DRAIN | DOWN_AT_ONCE, target_rps=MOVING).failed


def test_a_canary_raised_and_taken_back_loses_nothing(seen: Seen) -> None:
    check_lossless(seen(a_canary_raised_and_taken_back, DRAIN, REQUESTS))


def test_without_the_drain_a_canary_that_goes_loses_requests(seen: Seen) -> None:
    assert seen(a_canary_raised_and_taken_back, NO_DRAIN).failed


@pytest.mark.usefixtures("one_node")
def test_a_drained_node_loses_nothing(seen: Seen) -> None:
    check_lossless(seen(a_drained_node, DRAIN, REQUESTS))


@pytest.mark.usefixtures("one_node")
@pytest.mark.parametrize("values", [DRAIN | NO_BUDGET, NO_DRAIN], ids=["no budget", "no drain"])
def test_a_drained_node_needs_the_budget_and_the_drain(seen: Seen, values: Mapping[str, Any]) -> None:
    assert seen(a_drained_node, values).failed
