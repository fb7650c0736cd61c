"""Fixtures of the tests that need a cluster: by default the bed, started for the session and ended after it.

The tests run inside the network of the bed's control plane, from where pods, Services and node ports are reached
directly. With `--bed=none` nothing is started, and KUBECONFIG and the variables of tests/README.md say where all is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from cluster.bed.access import environment
from cluster.bed.layout import ADMIN, kubeconfig
from cluster.bed.lock import together
from cluster.bed.shell import run
from cluster.custom_types import installed
from cluster.place import BED, Cluster, Namespace, entered
from cluster.releases import Deployer
from modelyard.config.models import Settings
from modelyard_bentos.capacity import measure_bento
from modelyard_bentos.packaging import pack
from served_model import json_rows, make_contract, make_table, save_served

FAILED = pytest.StashKey[bool]()
NEEDED = ("KUBECONFIG", "CLUSTER_REGISTRY", "AWS_ENDPOINT_URL", "CLUSTER_BUCKET")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--bed",
        choices=("own", "none"),
        default="own",
        help="start a cluster (own), or use the one of KUBECONFIG (none)",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """The cluster that the tests run on."""
    with ExitStack() as stack:
        if pytestconfig.getoption("bed", default="own") == "own":
            _start_bed(stack)
        absent = [name for name in NEEDED if name not in os.environ]
        if absent:
            pytest.fail(f"with --bed=none {', '.join(absent)} must be set: see tests/README.md", pytrace=False)
        registry = os.environ["CLUSTER_REGISTRY"]
        yield Cluster(
            bed=os.environ["KUBECONFIG"] == str(kubeconfig(ADMIN)),
            registry=registry,
            images=os.environ.get("CLUSTER_IMAGES", registry),
            bucket=os.environ["CLUSTER_BUCKET"],
        )


def _start_bed(stack: ExitStack) -> None:
    """Starts the bed and moves into its network until the stack is left."""
    stack.callback(_bed, "down")
    _bed("up")
    stack.callback(os.close, together())
    variables = stack.enter_context(pytest.MonkeyPatch.context())
    for name in set(os.environ) - set(environment()):
        variables.delenv(name)
    for name, value in environment().items():
        variables.setenv(name, value)
    stack.enter_context(entered())


def _bed(command: str) -> None:
    done = subprocess.run([sys.executable, BED / "cluster", command], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stderr.strip(), pytrace=False)


@pytest.fixture(scope="session")
def base_image(cluster: Cluster) -> Callable[[str], str]:
    """Pushes a stage of the Dockerfile on first use, and returns its name below the registry."""

    @cache
    def push(stage: str) -> str:
        name = f"modelyard-{stage}:test"
        if cluster.bed:  # elsewhere it was pushed before: tests/README.md
            with cluster.outside():
                archive = run(sys.executable, BED / "images", "build", stage).strip()
            cluster.crane("push", archive, f"{cluster.registry}/{name}")
        return name

    return push


@pytest.fixture(scope="module")
def types(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The types of objects of Gateway API, KubeRay and the Prometheus operator."""
    if not cluster.bed:
        pytest.skip("types of objects are there for a whole cluster, and this one is not ours")
    with installed(cluster, tmp_path_factory.mktemp("modules")):
        yield


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A fresh namespace; where the test fails, what was in it is printed."""
    with cluster.new_namespace() as made:
        yield made
        if request.node.stash.get(FAILED, False):
            print(made.describe())


@pytest.fixture
def limits(namespace: Namespace) -> None:
    """What an administrator puts on a namespace: pods without requests and limits are refused by such a quota."""
    hard = {"requests.cpu": "6", "requests.memory": "12Gi", "limits.memory": "16Gi", "pods": "20"}
    ranges = [{"type": "Container", "max": {"memory": "6Gi"}, "defaultRequest": {"cpu": "100m", "memory": "64Mi"}}]
    namespace.apply(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "all"}, "spec": {"hard": hard}},
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "each"}, "spec": {"limits": ranges}},
    )


@pytest.fixture(scope="session")
def bentos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Two versions of a model, whose capacity was measured."""
    work = tmp_path_factory.mktemp("bentos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(work / "bentoml"))
        tags = []
        for rows in (200, 300):
            packed = pack(save_served(work / f"model-{rows}" / "people", make_table(rows=rows)), Settings())
            measure_bento(packed.path)
            tags.append(packed.tag)
        yield tags[0], tags[1]


@pytest.fixture(scope="session")
def body() -> bytes:
    frame = make_table()
    return json.dumps({"rows": json_rows(frame.head(1), make_contract(frame))}).encode()


@pytest.fixture
def deployer(cluster: Cluster, base_image: Callable[[str], str], namespace: Namespace, tmp_path: Path) -> Deployer:
    return Deployer(namespace, f"{cluster.registry}/{base_image('serving')}", tmp_path)
