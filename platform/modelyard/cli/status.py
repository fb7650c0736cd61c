"""`modelyard status`: how a release is."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from modelyard.cli.console import emit, moment, print_pairs, print_table
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings, split_target
from modelyard.cli.releases import Namespace, ReleaseName, cluster_settings, connect, find_release

if TYPE_CHECKING:
    from modelyard.kube.canary import Canary
    from modelyard.kube.status import PodStatus, Status, TrackStatus

__all__ = ["EXAMPLE", "status"]

EXAMPLE = "modelyard status people --namespace scoring"
TRACKS = ("track", "image", "ready", "share", "requests/s", "errors", "refused", "p99 ms")
PODS = ("pod", "node", "track", "state", "restarts", "requests/s")
DIGEST = 19  # sha256: and twelve digits


def status(
    name: ReleaseName = None,
    overrides: Overrides = None,
    namespace: Namespace = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Show a release's pods and, by version, their share of traffic, rate, errors and p99.

    Each pod is asked for its figures twice, five seconds apart.
    """
    target, rest = split_target(name, overrides)
    cluster, helm = connect(cluster_settings(load_settings(rest, config_dir), namespace))
    release = find_release(target, helm, cluster)
    from modelyard.kube.status import status_of

    seen = status_of(release.name, cluster, helm)
    if as_json:
        emit(_document(seen))
    else:
        _print(seen)


def _document(seen: Status) -> dict[str, Any]:
    pods = [{**asdict(pod), "reading": None, "requests": pod.reading and pod.reading.requests} for pod in seen.pods]
    canary = seen.canary and seen.canary.model_dump(mode="json") | {
        "weight": seen.canary.weight,
        "attended": seen.canary.attended,
    }
    return asdict(seen) | {
        "canary": canary,
        "pods": [{name: pod[name] for name in pod if name != "reading"} for pod in pods],
    }


def _print(seen: Status) -> None:
    revision = seen.revision
    pairs: dict[str, Any] = {
        "release": f"{seen.release}, namespace {seen.namespace}",
        "revision": f"{revision.number}, {revision.status} since {moment(revision.updated)} ({revision.description})",
        "pods": ", ".join(f"{deployment} wants {count}" for deployment, count in seen.wanted.items()) or "none",
    }
    if (scaler := seen.autoscaler) is not None:
        cpu = "not measured" if scaler["cpu_percent"] is None else f"{scaler['cpu_percent']} %"
        pairs["autoscaler"] = (
            f"{scaler['wanted']} pods between {scaler['least']} and {scaler['most']}, "
            f"CPU {cpu} of a target of {scaler['target_percent']} %"
        )
    if (canary := seen.canary) is not None:
        pairs["canary"] = f"{canary.told}, {_attendance(canary)}"
        if not canary.attended:
            pairs["go on"] = f"modelyard rollout {seen.release} --namespace {seen.namespace} --resume, or --abort"
    print_pairs(pairs)
    print_table(f"requests of {seen.seconds:.0f} s", TRACKS, [_track_row(track) for track in seen.tracks])
    print_table("pods", PODS, [_pod_row(pod, seen.seconds) for pod in seen.pods])
    for problem in dict.fromkeys(pod.problem for pod in seen.pods if pod.problem):
        print_pairs({"no figures": problem})


def _attendance(canary: Canary) -> str:
    if canary.attended:
        return f"to which {canary.person} sees"
    last = f"; {canary.person} last did at {moment(canary.seen.isoformat())} UTC" if canary.seen else ""
    return f"to which nobody sees{last}"


def _track_row(track: TrackStatus) -> list[Any]:
    return [
        track.track,
        _short(track.image),
        f"{track.ready} of {track.pods}",
        _percent(track.share),
        track.rate,
        _percent(track.errors),
        _percent(track.refused),
        track.p99_ms,
    ]


def _pod_row(pod: PodStatus, seconds: float) -> list[Any]:
    return [
        pod.name,
        pod.node,
        pod.track,
        pod.state,
        pod.restarts,
        pod.reading and pod.reading.requests / seconds,
    ]


def _short(image: str) -> str:
    repository, at, digest = image.partition("@")
    return f"{repository}{at}{digest[:DIGEST]}"


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.3g} %"
