"""The programs of a cluster, built from Go modules into the cache folder, once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from cluster.bed.layout import BIN
from cluster.bed.shell import BedError, answers, run

__all__ = ["build", "build_prometheus"]

# which version of each is there
BUILT = BIN / "versions"
TOOLS = Path(__file__).parent / "tools"
KUBERNETES = "1.37.2"
# A module that replaces others cannot be installed by its version, so these have a go.mod of their own in tools/.
MODULES = {
    "etcd": ["etcd"],
    "kubernetes": [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
        "kubectl",
        "kubelet",
    ],
}
RELEASES = {
    "github.com/coredns/coredns": "v1.15.0",
    "sigs.k8s.io/metrics-server/cmd/metrics-server": "v0.9.0",
    "helm.sh/helm/v4/cmd/helm": "v4.3.1",
    "github.com/distribution/distribution/v3/cmd/registry": "v3.1.2",
    "github.com/google/go-containerregistry/cmd/crane": "v0.22.1",
    "github.com/versity/versitygw/cmd/versitygw": "v1.8.0",
    "github.com/containerd/containerd/v2/cmd/containerd": "v2.4.2",
    "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2": "v2.4.2",
    "github.com/containerd/containerd/v2/cmd/ctr": "v2.4.2",
    "github.com/containernetworking/plugins/plugins/main/bridge": "v1.9.1",
    "github.com/containernetworking/plugins/plugins/main/loopback": "v1.9.1",
    "github.com/containernetworking/plugins/plugins/ipam/host-local": "v1.9.1",
}
PROMETHEUS = {
    "github.com/prometheus/prometheus/cmd/promtool": "v0.316.0",
    "github.com/prometheus/prometheus/cmd/prometheus": "v0.316.0",
}
DEBIAN_PACKAGES = ["runc", "iptables", "conntrack", "iproute2", "openssl", "gcc", "libc6-dev"]


def build() -> None:
    """Installs the Debian packages and builds the programs that are not there yet; about 15 minutes on two cores.

    Raises:
        BedError: A package or a module could not be installed or built.
    """
    _install_packages()
    _build_releases(RELEASES)
    for name, programs in MODULES.items():
        module = TOOLS / name
        pinned = hashlib.sha256((module / "go.sum").read_bytes()).hexdigest()
        if not _is_built(name, programs, pinned):
            _go_install(name, "tool", module, flags=_stamp() if name == "kubernetes" else "")
            if (BIN / "server").exists():  # what etcd's module calls it
                (BIN / "server").replace(BIN / "etcd")
            (BUILT / name).write_text(pinned)


def build_prometheus() -> None:
    """Builds Prometheus and promtool, which test the rules; no cluster needs them. About five minutes on two cores.

    Raises:
        BedError: A module could not be installed or built.
    """
    _build_releases(PROMETHEUS)


def _build_releases(releases: Mapping[str, str]) -> None:
    BUILT.mkdir(parents=True, exist_ok=True)
    for package, version in releases.items():
        name = package.rpartition("/")[2]
        if not _is_built(name, [name], version):
            _go_install(name, f"{package}@{version}", TOOLS)
            (BUILT / name).write_text(version)


def _is_built(name: str, programs: list[str], version: str) -> bool:
    """Returns whether programs are there, in the version that is asked for now."""
    stamp = BUILT / name
    return stamp.exists() and stamp.read_text() == version and all((BIN / program).exists() for program in programs)


def _install_packages() -> None:
    missing = [package for package in DEBIAN_PACKAGES if not answers("dpkg", "-s", package)]
    if missing:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, environment=environment)


def _stamp() -> str:
    """Linker flags that say the version, which a build from a module does not know by itself."""
    package = "k8s.io/component-base/version"
    major, minor, _ = KUBERNETES.split(".")
    values = {"gitVersion": f"v{KUBERNETES}", "gitMajor": major, "gitMinor": minor}
    return "".join(f" -X {package}.{name}={value}" for name, value in values.items())


def _go_install(name: str, what: str, folder: Path, flags: str = "") -> None:
    print(f"cluster: building {name}", flush=True)
    environment = os.environ | {"CGO_ENABLED": "0", "GOBIN": str(BIN), "GOFLAGS": "-trimpath -buildvcs=false"}
    try:
        run("go", "install", "-ldflags", "-s -w" + flags, what, cwd=folder, environment=environment)
    except BedError as error:
        raise BedError(f"{error}; Go 1.26 and its module proxy are needed to build a cluster") from None
