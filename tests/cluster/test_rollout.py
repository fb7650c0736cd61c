"""Rollouts on a real cluster: good and bad canaries under load, and rollouts whose command was lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cluster import builds
from cluster.place import Cluster, Namespace
from cluster.releases import Deployer, modelyard, predict
from cluster.traffic import Traffic
from cluster.users import documented_role, user_config
from measured import capacity_of
from modelyard.config.models import Settings
from modelyard.models.capacity import keep_capacity
from modelyard_bentos.packaging import pack
from served_model import json_rows, make_contract, make_table, save_served
from waiting import until

pytestmark = pytest.mark.cluster

# p99 is noisy where clients, control plane and pods share two processors
QUICK = ("rollout.step_s=20", "rollout.min_requests=60", "rollout.max_slowdown=5")
OPEN = ("rollout.max_errors=null", "rollout.max_slowdown=null", "rollout.max_shift=null")


@pytest.fixture(scope="module")
def bentos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What runs, and what comes after it, by what it is like."""
    work, tags = tmp_path_factory.mktemp("bentos"), {}
    alike = {each.__name__: each for each in (builds.as_good, builds.broken, builds.slow, builds.shifted)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(work / "bentoml"))
        for name, alter in {"first": lambda _: None, **alike}.items():
            packed = pack(save_served(work / name / "people", make_table(rows=200), alter=alter), Settings())
            if name == "first":  # the others are not sized: without an autoscaler, tests are quicker
                keep_capacity(packed.model, capacity_of())
            tags[name] = packed.tag
        yield tags


@pytest.fixture(scope="module")
def images(cluster: Cluster, base_image: Callable[[str], str], bentos: dict[str, str]) -> dict[str, str]:
    """Their images in the registry."""
    base = f"{cluster.registry}/{base_image('serving')}"
    to = ("--to", f"{cluster.registry}/people", "--base", base, "--insecure")
    return {name: modelyard("image", tag, *to)["image"] for name, tag in bentos.items()}


@pytest.fixture(scope="module")
def bodies() -> list[bytes]:
    """A request about somebody old, and others about some who are not and are of both classes."""
    frame = make_table()
    rows = json_rows(frame, make_contract(frame))
    old, young = ([row for row in rows if (row["age"] > builds.OLD) is is_old] for is_old in (True, False))
    return [json.dumps({"rows": some}).encode() for some in (old[:1], young[:10], young[10:20])]


@pytest.fixture
def deployer(
    namespace: Namespace, base_image: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Deployer:
    """A user who has the documented Role and nothing else."""
    config = user_config(namespace, tmp_path, documented_role("deploy.md"))
    monkeypatch.setenv("KUBECONFIG", str(config))
    return Deployer(namespace, f"{namespace.cluster.registry}/{base_image('serving')}", tmp_path)


class Crowd:
    """Clients of which each asks about one person."""

    def __init__(self, clients: Sequence[Traffic]) -> None:
        self._clients = clients

    @property
    def failed(self) -> Counter[str]:
        """Reasons of everything that was not a prediction, after the block."""
        return sum((each.failed for each in self._clients), Counter[str]())

    @property
    def sent(self) -> int:
        """How many requests there were so far."""
        return sum(each.sent for each in self._clients)


@contextmanager
def crowd(url: str, bodies: Sequence[bytes]) -> Iterator[Crowd]:
    """Lets clients ask all the while, over kept connections and over new ones."""
    with ExitStack() as stack:
        yield Crowd([stack.enter_context(Traffic(url, body, clients=2)) for body in bodies])


def version(url: str, body: bytes) -> str:
    """Returns which model answers."""
    return str(predict(url, body)["model"]["version"])


def tags_of(bentos: dict[str, str]) -> dict[str, str]:
    return {name: tag.partition(":")[2] for name, tag in bentos.items()}


def deployment_names(namespace: Namespace) -> set[str]:
    return {each["metadata"]["name"] for each in namespace.get("deployments")["items"]}


def test_a_good_canary_goes_through(
    deployer: Deployer, namespace: Namespace, images: dict[str, str], bentos: dict[str, str], bodies: list[bytes]
) -> None:
    tags = tags_of(bentos)
    deployer.deploy(bentos["first"], "--target-rps", 200)
    with namespace.address("service/people", 80) as url:
        with crowd(url, bodies) as clients:
            done = deployer.run("rollout", images["as_good"], "--steps", "10,50,100", "--insecure", *QUICK)
        print(f"good: {clients.sent} requests, failed {dict(clients.failed)}; {json.dumps(done)}")
        assert clients.failed == {}
        assert [step["percent"] for step in done["steps"]] == [10, 50]
        assert all(step["share"] > 0.05 for step in done["steps"])
        assert {version(url, body) for body in bodies * 4} == {tags["as_good"]}
        assert deployment_names(namespace) == {"people"}
        assert deployer.run("status", "people")["canary"] is None
        champion = namespace.cluster.crane("digest", f"{namespace.cluster.registry}/people:champion").strip()
        assert images["as_good"].endswith(champion)
        back = deployer.run("rollback", "people")
        assert (back["as_revision"], version(url, bodies[0])) == (1, tags["first"])


def test_a_bad_canary_is_taken_back_and_the_reason_is_said(
    deployer: Deployer, namespace: Namespace, images: dict[str, str], bentos: dict[str, str], bodies: list[bytes]
) -> None:
    said = {}
    deployer.deploy(bentos["as_good"])
    with namespace.address("service/people", 80) as url, crowd(url, bodies):
        for name in ("broken", "slow", "shifted"):
            began = time.monotonic()
            error = deployer.run("rollout", images[name], "--steps", "30,100", "--insecure", *QUICK, code=1)["error"]
            said[name] = error["message"]
            print(f"{name}: {time.monotonic() - began:.0f} s, {error['message']}")
            assert error["type"] == "CanaryTakenBack"
            assert deployment_names(namespace) == {"people"}
    assert "; errors: " in said["broken"]
    assert "; p99: " in said["slow"]
    assert "; predictions: population stability index " in said["shifted"]
    with namespace.address("service/people", 80) as url:
        # the last canary goes on answering for a moment while it drains
        until(lambda: {version(url, body) for body in bodies * 4} == {tags_of(bentos)["as_good"]})
    revisions = deployer.run("history", "people")["revisions"]
    assert revisions[-1]["description"].startswith("canary taken back: predictions: ")
    assert revisions[-1]["source"] == revisions[-3]["number"]


def test_without_requests_nothing_is_decided_and_the_canary_goes(
    deployer: Deployer, namespace: Namespace, images: dict[str, str], bentos: dict[str, str]
) -> None:
    deployer.deploy(bentos["as_good"])
    error = deployer.run("rollout", images["first"], "--insecure", "rollout.step_s=5", code=1)["error"]
    assert "the canary was taken back at 10 %; too few requests to judge it: 0 of its own" in error["message"]
    assert deployment_names(namespace) == {"people"}


def test_with_the_gate_off_a_bad_canary_goes_through(
    deployer: Deployer, namespace: Namespace, images: dict[str, str], bentos: dict[str, str], bodies: list[bytes]
) -> None:
    deployer.deploy(bentos["as_good"])
    with namespace.address("service/people", 80) as url:
        with crowd(url, bodies):
            deployer.run("rollout", images["broken"], "--steps", "30,100", "--insecure", *QUICK, *OPEN)
        assert version(url, bodies[1]) == tags_of(bentos)["broken"]


@contextmanager
def lost(deployer: Deployer, image: str) -> Iterator[None]:
    """Begins a rollout, and kills its command once the canary gets its share."""
    command = [sys.executable, "-m", "modelyard", "rollout", image, "--steps", "40,100", "--insecure"]
    where = ["--namespace", deployer.namespace.name, *OPEN, "rollout.step_s=600"]
    with subprocess.Popen([*command, *where], stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: deployment_names(deployer.namespace) == {"people", "people-canary"}, 120)
            deployer.namespace.wait("condition=Available", "deployment/people-canary", 90)
            # Helm has finished, and the gate looks
            until(lambda: deployer.run("history", "people")["revisions"][-1]["status"] == "deployed")
            yield
        finally:
            process.kill()


def test_a_rollout_whose_command_was_lost_is_ended_or_resumed_from_elsewhere(
    deployer: Deployer,
    namespace: Namespace,
    images: dict[str, str],
    bentos: dict[str, str],
    bodies: list[bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployer.deploy(bentos["as_good"])
    with namespace.address("service/people", 80) as url, crowd(url, bodies) as clients:
        with lost(deployer, images["first"]):
            seen = deployer.run("status", "people")
            assert (seen["canary"]["weight"], seen["canary"]["attended"]) == (40, True)
            assert deployer.run("rollout", "people", "--resume", code=1)["error"]["type"] == "ReleaseBusy"
            assert deployer.deploy(bentos["as_good"], code=1)["error"]["type"] == "ReleaseBusy"
        elsewhere(tmp_path, monkeypatch)
        aborted = deployer.run("rollout", "people", "--abort")
        assert aborted["taken_back"] == images["first"]
        assert deployment_names(namespace) == {"people"}

        with lost(deployer, images["first"]):
            pass
        until(lambda: not deployer.run("status", "people")["canary"]["attended"])
        done = deployer.run("rollout", "people", "--resume", "--insecure", *QUICK)
        assert [step["percent"] for step in done["steps"]] == [40]
        assert version(url, bodies[0]) == tags_of(bentos)["first"]
        assert deployer.run("status", "people")["canary"] is None
    print(f"lost: {clients.sent} requests, failed {dict(clients.failed)}")
    assert clients.failed == {}


def elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Goes to another folder and another home, where only the kubeconfig is the same."""
    home = folder / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    for variable in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(home))
    assert "KUBECONFIG" in os.environ
