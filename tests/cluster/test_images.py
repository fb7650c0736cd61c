"""The images: what they say of themselves, and that they run where nothing may be written and nobody is root."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.place import Cluster, Namespace
from cluster.pods import pod
from modelyard.config.models import Settings
from modelyard_bentos.packaging import pack
from served_model import json_rows, make_contract, make_table, save_served

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
MB = 10**6
LIMITS = {"serving": 350, "serving-sklearn": 900, "training": 1100}
# what is in an image beside its lock
OWN = {"training": ["modelyard==0.1.0"]}
LOOK = """
import json, os, re
from importlib.metadata import distributions
packages = sorted(f"{re.sub('[-_.]+', '-', found.name).lower()}=={found.version}" for found in distributions())
print(json.dumps({"packages": packages, "user": os.getuid(), "home": os.path.expanduser("~")}))
"""


@pytest.fixture(scope="module")
def people(cluster: Cluster, base_image: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with a bento as one layer on the serving base, as a pod names it."""
    work = tmp_path_factory.mktemp("people")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(work / "bentoml"))
        packed = pack(save_served(work / "model", make_table()), Settings())
    layer = work / "layer.tar"
    with tarfile.open(layer, "w") as files:
        files.add(packed.path, "opt/modelyard/bento", filter=_readable)
    base = f"{cluster.registry}/{base_image('serving')}"
    cluster.crane("append", "--base", base, "--new_layer", layer, "--new_tag", f"{cluster.registry}/people:1")
    return f"{cluster.images}/people:1"


def _readable(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry


def test_a_pod_with_the_serving_image_answers(namespace: Namespace, people: str) -> None:
    ready = {"httpGet": {"path": "/readyz", "port": 3000}, "periodSeconds": 1}
    namespace.apply(pod("people", people, readinessProbe=ready))
    namespace.wait("condition=Ready", "pod/people", seconds=120)
    frame = make_table()
    body = json.dumps({"rows": json_rows(frame.head(3), make_contract(frame))}).encode()
    with namespace.address("pod/people", 3000) as url:
        request = urllib.request.Request(f"{url}/api/v1/predict", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            predictions = json.load(answer)["predictions"]
    assert [prediction["label"] in ("<=50K", ">50K") for prediction in predictions] == [True] * 3


@pytest.mark.parametrize(("stage", "limit"), LIMITS.items())
def test_a_base_is_small_and_says_what_is_in_it(
    cluster: Cluster, base_image: Callable[[str], str], namespace: Namespace, stage: str, limit: int
) -> None:
    image = base_image(stage)
    labels = json.loads(cluster.crane("config", f"{cluster.registry}/{image}"))["config"]["Labels"]
    lock = (ROOT / "requirements" / f"{stage}.txt").read_bytes()
    assert labels["io.modelyard.lock"] == f"sha256:{hashlib.sha256(lock).hexdigest()}"
    exported = exported_bytes(f"{cluster.registry}/{image}")
    layers = json.loads(cluster.crane("manifest", f"{cluster.registry}/{image}"))["layers"]
    compressed = sum(layer["size"] for layer in layers)
    print(f"{stage}: {exported / MB:.0f} MB, of them compressed {compressed / MB:.0f} MB")
    assert exported < limit * MB

    look = pod("look", f"{cluster.images}/{image}", command=["python", "-c", LOOK])
    look["spec"]["restartPolicy"] = "Never"
    namespace.apply(look)
    namespace.wait("jsonpath={.status.phase}=Succeeded", "pod/look", seconds=120)
    seen = json.loads(namespace.kubectl("logs", "pod/look"))
    assert seen["packages"] == sorted([*labels["io.modelyard.packages"].split(","), *OWN.get(stage, [])])
    assert seen["user"] == 1000
    assert seen["home"] == "/tmp"


def exported_bytes(image: str) -> int:
    """Returns what all files of an image take."""
    with subprocess.Popen(["crane", "export", "--insecure", image, "-"], stdout=subprocess.PIPE) as export:
        files = export.stdout
        assert files is not None
        return sum(len(block) for block in iter(lambda: files.read(MB), b""))
