"""`modelyard rollout`: a canary that takes over, or goes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.console import emit, print_pairs, print_table
from modelyard.cli.options import AsJson, ConfigDir, Insecure, Overrides, load_settings, split_target
from modelyard.cli.releases import Namespace, cluster_settings, connect, find_release, tell
from modelyard.errors import UsageError

if TYPE_CHECKING:
    from modelyard.kube.canary import Canary
    from modelyard.kube.helm import Helm, Revision
    from modelyard.kube.rollout import Done, Rollout, Step

__all__ = ["EXAMPLE", "rollout"]

EXAMPLE = "modelyard rollout localhost:5000/people:candidate --steps 10,50,100 --namespace scoring --insecure"
STEPS = ("percent", "share", "requests", "errors", "p99_ms")


def rollout(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="IMAGE|RELEASE",
            help="REGISTRY/NAME:TAG or @DIGEST; with --resume or --abort a release.",
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = None,
    steps: Annotated[
        str, typer.Option("--steps", metavar="PERCENTAGES", help="Shares of the requests, rising to 100.")
    ] = "10,50,100",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a rollout that nobody sees to.")] = False,
    abort: Annotated[bool, typer.Option("--abort", help="Take the canary back, whoever sees to it.")] = False,
    prometheus: Annotated[
        str | None,
        typer.Option("--prometheus", metavar="URL", help="Ask a Prometheus for the figures.  [default: the pods]"),
    ] = None,
    namespace: Namespace = None,
    insecure: Insecure = False,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Give an image a growing share of a release's requests, and let it take over if it is as good as what runs.

    Compares errors, p99 and the spread of predictions; a canary that is worse, or gets too few requests, is taken back.
    """
    target, rest = split_target(target, overrides)
    settings = load_settings(rest, config_dir)
    if (resume and abort) or (not (resume or abort) and (target is None or "/" not in target)):
        raise UsageError("name an image in a registry, or a release with either --resume or --abort")
    cluster, helm = connect(cluster_settings(settings, namespace))
    from modelyard.kube.plan import find_version, name_of
    from modelyard.kube.prometheus import Prometheus
    from modelyard.kube.reference import Reference
    from modelyard.kube.rollout import ROLLOUT_RIGHTS, Rollout, check_steps
    from modelyard.kube.status import read_pods

    cluster.require(ROLLOUT_RIGHTS)
    source = Prometheus(prometheus, cluster.namespace).read if prometheus else partial(read_pods, cluster)

    def of(name: str | None) -> Rollout:
        release = find_release(name, helm, cluster)
        return Rollout(release, cluster, helm, settings.rollout, source, tell, insecure=insecure)

    if abort:
        _tell_abort(*of(target).abort(), helm.namespace, as_json)
        return
    if resume:
        under_way = of(target)
        done = under_way.resume()
    else:
        percentages = check_steps(steps)
        version = find_version(Reference.parse(str(target)), insecure=insecure)
        under_way = of(name_of(version.image, settings.cluster))
        for share in under_way.plan(percentages):
            tell(
                f"{share.weight} %: {share.share:.1%} of the requests can be reached, "
                f"by {share.canary} of {share.canary + share.stable} pods"
            )
        done = under_way.start(version, percentages)
    _tell_done(under_way.release, helm, done, as_json)


def _tell_done(release: str, helm: Helm, done: Done, as_json: bool) -> None:
    replaced = done.promoted.replaced
    document: dict[str, Any] = {
        "release": release,
        "namespace": helm.namespace,
        "revision": helm.history(release)[-1].number,
        "image": done.canary.image,
        "model": done.canary.model,
        "alias": str(done.promoted.alias),
        "replaced": replaced and replaced.model,
        "steps": [_step(each) for each in done.steps],
    }
    if as_json:
        emit(document)
        return
    print_pairs(document)
    shown = [step | {"share": f"{step['share']:.1%}"} for step in document["steps"]]
    rows = [[step[name] for name in STEPS] for step in shown]
    print_table("steps", [name.replace("_", " ") for name in STEPS], rows)


def _step(step: Step) -> dict[str, Any]:
    reading = step.canary.reading
    p99 = reading.quantile(0.99)
    return {
        "percent": step.weight,
        "share": step.verdict.share,
        "requests": reading.requests,
        "errors": reading.errors,
        "p99_ms": None if p99 is None else 1000 * p99,
        "findings": [finding.reason for finding in step.verdict.findings],
    }


def _tell_abort(canary: Canary, revision: Revision, namespace: str, as_json: bool) -> None:
    document = {
        "namespace": namespace,
        "revision": revision.number,
        "taken back": canary.image,
        "model": canary.model,
        "percent": canary.weight,
    }
    if as_json:
        emit({name.replace(" ", "_"): value for name, value in document.items()})
    else:
        print_pairs(document)
