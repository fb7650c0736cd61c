"""Releases of the serving chart: how they come, go back and go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from modelyard.errors import ClusterError, ReleaseBusy, ReleaseFailed, ReleaseNotFound
from modelyard.kube.canary import Keeper
from modelyard.kube.charts import Chart
from modelyard.kube.cluster import Cluster, Right
from modelyard.kube.convergence import Convergence, selector_of
from modelyard.kube.helm import VERBS, Helm, Revision
from modelyard.kube.plan import Plan, image_in, target_in

__all__ = ["CANARY", "CHART", "RIGHTS", "Release", "previous"]

CHART: Chart = "modelyard-serving"
# how the description of a revision begins that is a step on the way, and nothing to go back to
CANARY = "canary: "
MADE = (
    ("secrets", ""),
    ("serviceaccounts", ""),
    ("services", ""),
    ("deployments", "apps"),
    ("horizontalpodautoscalers", "autoscaling"),
    ("poddisruptionbudgets", "policy"),
    ("networkpolicies", "networking.k8s.io"),
)
RIGHTS = (
    *(Right(verb, resource, group) for resource, group in MADE for verb in VERBS),
    *(Right(verb, *resource) for resource in (("pods",), ("replicasets", "apps")) for verb in ("list", "watch")),
)


class Release:
    """A release in a cluster, which may not be there yet.

    Args:
        name: Its name.
        cluster: Its namespace.
        helm: The namespace's releases.
        tell: Is told what keeps the release from being ready, whenever that changes.
    """

    def __init__(self, name: str, cluster: Cluster, helm: Helm, tell: Callable[[str], None]) -> None:
        self.name, self._cluster, self._helm, self._tell = name, cluster, helm, tell

    def image(self) -> str | None:
        """Returns what it runs, or was to run.

        Raises:
            ReleaseNotFound: There is no such release.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        return image_in(self._helm.values(self.name))

    def target_rps(self) -> float | None:
        """Returns the load that it is sized for; none: it is not there, or nobody said."""
        try:
            return target_in(self._helm.values(self.name))
        except ReleaseNotFound:
            return None

    def deploy(self, wanted: Plan, values_file: str | None) -> Revision:
        """Installs or upgrades it, and waits until its pods are ready; otherwise it stays what it was.

        Args:
            wanted: What it should be.
            values_file: Values that go before the plan's.

        Returns:
            The new revision.

        Raises:
            ValuesRefused: The chart refuses a value.
            NoRight: The user may not change something that belongs to it.
            ReleaseBusy: Another change is not finished, or a canary runs.
            ImageNotPulled: A node cannot get the image.
            QuotaReached: The namespace has no room for its pods.
            ReleaseFailed: Its pods do not run.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        canary = Keeper(self.name, self._cluster).find()
        if canary is not None:
            raise ReleaseBusy(self.name, canary.told, f"modelyard rollout {self.name} --abort")
        return self._upgrade(wanted.values, wanted.description, values_file)

    def change(self, values: Mapping[str, Any], description: str, beat: Callable[[], None]) -> Revision:
        """Changes some of its values, and waits until its pods are ready; otherwise it stays what it was.

        Args:
            values: That change.
            description: What the history says of it.
            beat: Is called about every second while it waits.

        Returns:
            The new revision.

        Raises:
            ClusterError: As for `deploy`.
        """
        return self._upgrade(values, description, None, reuse=True, beat=beat)

    def _upgrade(
        self,
        values: Mapping[str, Any],
        description: str,
        file: str | None,
        *,
        reuse: bool = False,
        beat: Callable[[], None] = lambda: None,
    ) -> Revision:
        watch = Convergence(self._cluster, self.name, self._tell)

        def look() -> ClusterError | None:
            beat()
            return watch()

        try:
            self._helm.upgrade(self.name, CHART, values, file, description=description, watch=look, reuse=reuse)
        except ReleaseFailed as error:
            raise watch.explained(error) from None
        return self._helm.history(self.name)[-1]

    def rollback(self) -> tuple[Revision, Revision]:
        """Goes back to the last revision that ran before what is there now, and waits until its pods are ready.

        A revision that is itself a rollback counts as the one that it repeats: going back twice goes back further. A
        canary ends with it, whatever step it is at.

        Returns:
            The new revision, and the one that it repeats.

        Raises:
            ReleaseNotFound: There is no such release.
            ReleaseFailed: There is no such revision, or its pods do not run.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        target = previous(self.name, self._helm.history(self.name))
        revision = self.restore(target.number)
        keeper = Keeper(self.name, self._cluster)
        if keeper.find() is not None:
            keeper.clear()
        return revision, target

    def restore(self, number: int, description: str | None = None) -> Revision:
        """Makes it what it was, and waits until its pods are ready.

        Args:
            number: Of the revision that it was.
            description: What the history says of it; none: Helm's own words.

        Returns:
            The new revision.

        Raises:
            ReleaseFailed: Its pods do not run.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        watch = Convergence(self._cluster, self.name, self._tell)
        try:
            self._helm.rollback(self.name, number, watch=watch, description=description)
        except ReleaseFailed as error:
            raise watch.explained(error) from None
        return self._helm.history(self.name)[-1]

    def history(self) -> list[tuple[Revision, str | None]]:
        """Returns its revisions that Helm still knows, the oldest first, each with its image.

        Raises:
            ReleaseNotFound: There is no such release.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        revisions = self._helm.history(self.name)
        return [(each, image_in(self._helm.values(self.name, each.number))) for each in revisions]

    def undeploy(self) -> None:
        """Removes it with everything that belongs to it, and waits until its pods have ended.

        Raises:
            ReleaseNotFound: There is no such release.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        self._helm.history(self.name)
        self._helm.uninstall(self.name)
        self._cluster.wait_gone(selector_of(self.name))


def previous(release: str, revisions: list[Revision]) -> Revision:
    """Returns the last revision that ran before what is there now.

    Raises:
        ReleaseFailed: There is none.
    """
    known = {each.number: each for each in revisions}
    last = revisions[-1]
    # what failed or was cut off is not what runs
    present = _source(last, known) if last.finished else last.number
    older = [each for each in revisions if each.finished and each.number < present and not _passing(each, known)]
    if not older:
        problem = f"has no finished revision before revision {present}"
        raise ReleaseFailed(release, problem, f"deploy another image, or remove it with: modelyard undeploy {release}")
    source = _source(older[-1], known)
    return known.get(source, older[-1])


def _source(revision: Revision, known: Mapping[int, Revision]) -> int:
    """Returns the number of the revision that one repeats in the end."""
    number = revision.number
    while number in known and (source := known[number].source) is not None:
        number = source
    return number


def _passing(revision: Revision, known: Mapping[int, Revision]) -> bool:
    """Whether it was a step of a rollout, or repeats one."""
    return known.get(_source(revision, known), revision).description.startswith(CANARY)
