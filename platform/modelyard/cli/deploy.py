"""`modelyard deploy`: a bento or an image to a running release."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.console import emit, print_pairs
from modelyard.cli.image import Base, push_bento
from modelyard.cli.options import AsJson, ConfigDir, Insecure, Overrides, load_settings
from modelyard.cli.releases import Namespace, cluster_settings, connect, tell
from modelyard.cli.summary import print_next
from modelyard.errors import UsageError
from modelyard.utils.files import write_whole

if TYPE_CHECKING:
    from modelyard.config import Settings
    from modelyard.kube.helm import Helm
    from modelyard.kube.plan import Plan, Version

__all__ = ["EXAMPLE", "deploy"]

EXAMPLE = "modelyard deploy localhost:5000/people:champion --target-rps 500 --namespace scoring --insecure"


def deploy(
    target: Annotated[
        str,
        typer.Argument(
            metavar="BENTO|IMAGE", help="A bento's tag, or REGISTRY/NAME:TAG or @DIGEST.", show_default=False
        ),
    ],
    overrides: Overrides = None,
    target_rps: Annotated[
        float | None,
        typer.Option(
            "--target-rps",
            metavar="N",
            min=1,
            help="Requests of one row a second that it must take.  [default: as the release was sized before]",
        ),
    ] = None,
    namespace: Namespace = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="REGISTRY/NAME", help="Where to push a bento first.")
    ] = None,
    base: Base = None,
    write: Annotated[
        Path | None,
        typer.Option("--write", metavar="FILE", help="Write the chart's values, and print how to install it instead."),
    ] = None,
    insecure: Insecure = False,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Install or upgrade a release by its image's digest, with sizes from the measured capacity.

    Waits until its pods are ready; where they do not get ready, what ran before runs on.
    """
    settings = load_settings(overrides, config_dir)
    if ("/" in target) == bool(to):
        problem = "is an image already; leave --to out" if to else "has to be pushed first; give --to REGISTRY/NAME"
        raise UsageError(f"{target} {problem}")
    from modelyard.kube.plan import name_of, plan
    from modelyard.kube.release import RIGHTS, Release

    cluster_of = cluster_settings(settings, namespace)
    if write is not None:
        version = _version(target, to, base, settings, insecure=insecure)
        _write(plan(version, cluster_of, target_rps), write, cluster_of.namespace, cluster_of.serving_values, as_json)
        return
    cluster, helm = connect(cluster_of)
    cluster.require(RIGHTS)
    version = _version(target, to, base, settings, insecure=insecure)
    release = Release(name_of(version.image, cluster_of), cluster, helm, tell)
    wanted = plan(version, cluster_of, target_rps if target_rps is not None else release.target_rps())
    revision = release.deploy(wanted, cluster_of.serving_values)
    document = _document(wanted, helm.namespace) | {"revision": revision.number}
    if as_json:
        emit(document)
        return
    _print(document)
    _print_next(release.name, helm)


def _version(target: str, to: str | None, base: str | None, settings: Settings, *, insecure: bool) -> Version:
    from modelyard.kube.plan import Version, find_version
    from modelyard.kube.reference import Reference

    if to is None:
        return find_version(Reference.parse(target), insecure=insecure)
    packed, pushed = push_bento(target, to, settings, base, insecure=insecure)
    return Version(pushed.image, packed.manifest.version, packed.card.capacity)


def _document(wanted: Plan, namespace: str | None) -> dict[str, Any]:
    size = wanted.size
    return {
        "release": wanted.release,
        "namespace": namespace,
        "image": str(wanted.version.image),
        "model": wanted.version.model,
        "target_rps": size and size.target_rps,
        "replicas": size and size.replicas,
        "most_replicas": size and size.most,
        "cpu": size and size.cores,
        "memory_mi": size and size.memory_mi,
        "cpu_target_percent": size and size.utilization,
    }


def _print(document: dict[str, Any]) -> None:
    print_pairs({name.replace("_", " "): value for name, value in document.items()})


def _print_next(release: str, helm: Helm) -> None:
    where = f"--namespace {helm.namespace}"
    print_next(
        (
            f"modelyard status {release} {where}",
            f"helm test {release} {where} --logs",
            f"modelyard rollback {release} {where}",
        )
    )


def _write(wanted: Plan, file: Path, namespace: str | None, more: str | None, as_json: bool) -> None:
    from modelyard.config.files import write_yaml
    from modelyard.kube.charts import chart_folder
    from modelyard.kube.helm import upgrade_command
    from modelyard.kube.release import CHART

    write_whole(file, f"# For the chart {CHART}: {wanted.description}\n{write_yaml(wanted.values)}")
    given = ["--values", str(file), *(["--values", more] if more else [])]
    where = ["--namespace", namespace] if namespace else []
    helm = shlex.join(["helm", *upgrade_command(wanted.release, CHART), *given, *where])
    template = shlex.join(["helm", "template", wanted.release, str(chart_folder(CHART)), *given, *where, "--no-hooks"])
    kubectl = f"{template} | kubectl apply --server-side --filename -"
    document = _document(wanted, namespace) | {"values": str(file), "command": helm, "without_helm": kubectl}
    if as_json:
        emit(document)
        return
    _print({name: value for name, value in document.items() if name not in ("command", "without_helm")})
    print_next((helm, f"or {kubectl}"))
