"""The types of objects that the charts may make and that come with something else, out of its Go module."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from cluster.bed.shell import answers, run, wait
from cluster.place import Cluster

__all__ = ["installed"]

# each module in the newest version that the module proxy gave out
TYPES = {
    "github.com/ray-project/kuberay/ray-operator@v1.6.2": {"config/crd/bases": ["ray.io_rayjobs"]},
    "sigs.k8s.io/gateway-api@v1.4.0": {"config/crd/standard": ["gateway.networking.k8s.io_httproutes"]},
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": {
        "example/prometheus-operator-crd": [
            "monitoring.coreos.com_podmonitors",
            "monitoring.coreos.com_servicemonitors",
            "monitoring.coreos.com_prometheusrules",
        ]
    },
}


def files(folder: Path) -> list[Path]:
    """Returns the files with these types, out of the modules."""
    found = []
    for module, places in TYPES.items():
        downloaded = json.loads(run("go", "mod", "download", "-json", module, cwd=folder))["Dir"]
        found += [Path(downloaded, place, f"{name}.yaml") for place, names in places.items() for name in names]
    return found


@contextmanager
def installed(cluster: Cluster, folder: Path) -> Iterator[None]:
    """Installs the types, without the programs that do something about them.

    Args:
        cluster: Where.
        folder: An empty one.
    """
    with cluster.outside():
        found = files(folder)
    names = [f"crd/{yaml.safe_load(file.read_text())['metadata']['name']}" for file in found]
    try:
        for file in found:  # too long for what `apply` remembers of it
            cluster.kubectl("create", "--filename", file)
        # `kubectl wait` takes no type that has no status yet
        wait("a type", lambda: answers("kubectl", "wait", "--for=condition=Established", *names, "--timeout=30s"))
        yield
    finally:
        cluster.kubectl("delete", "--ignore-not-found", *names)
