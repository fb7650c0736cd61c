"""What is known of a rollout while it goes on: an annotation of the stable track's Deployment.

That object is there as long as the release and through every revision of it, while the canary's comes and goes; Helm
leaves annotations alone that it did not make; and who may deploy may write it. It is written before anything is done,
so that whoever comes later, from wherever, knows what was meant.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from modelyard.errors import ClusterError, ReleaseBusy
from modelyard.kube.cluster import Cluster
from modelyard.kube.tracks import deployments

__all__ = ["ANNOTATION", "Canary", "Keeper", "canary_of"]

ANNOTATION = "modelyard.io/rollout"
# between two beats Helm may be busy, and the API server slow
BEAT_S, ATTENDED_S = 10.0, 30.0
TRIES, MODIFIED = 5, "object has been modified"


class Canary(BaseModel):
    """A rollout under way.

    Attributes:
        image: What is rolled out, by its digest, as the person who began it calls it.
        model: The model's version; none where the image does not say.
        steps: Percent of the requests that it gets, one after the other; 100 is the stable track's taking it.
        step: Which of them it is at.
        base: The revision before, which an abort goes back to.
        by: Who sees to it: user, machine and a token of the process.
        seen: When they last did; none: they gave it up.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    image: str
    model: str | None
    steps: tuple[int, ...]
    step: int = 0
    base: int
    by: str = ""
    seen: datetime | None = None

    @property
    def weight(self) -> int:
        """Percent that the step is to give."""
        return self.steps[self.step]

    @property
    def attended(self) -> bool:
        """Whether a command sees to it."""
        return self.seen is not None and datetime.now(UTC) - self.seen < timedelta(seconds=ATTENDED_S)

    @property
    def person(self) -> str:
        """Who saw to it last."""
        return self.by.partition(" ")[0]

    @property
    def told(self) -> str:
        """What it is, in a few words."""
        return f"the canary of model {self.model or 'unknown'} at {self.weight} %"


def canary_of(release: str, deployment: Any | None) -> Canary | None:
    """Returns the rollout that the stable track's Deployment tells of.

    Raises:
        ClusterError: It cannot be read.
    """
    if deployment is None or ANNOTATION not in (deployment.metadata.annotations or {}):
        return None
    try:
        return Canary.model_validate_json(deployment.metadata.annotations[ANNOTATION])
    except ValidationError:
        hint = f"remove it: kubectl annotate deployment {deployment.metadata.name} {ANNOTATION}-"
        raise ClusterError(f"release {release}", f"its annotation {ANNOTATION} cannot be read", hint) from None


class Keeper:
    """Keeps the annotation of one release, for this process.

    Args:
        release: The release.
        cluster: Its namespace.

    Raises:
        ClusterError: By all methods, where the cluster cannot be reached, or refuses.
    """

    def __init__(self, release: str, cluster: Cluster) -> None:
        self.release, self._cluster = release, cluster
        self._me = f"{getpass.getuser()}@{socket.gethostname()} {os.getpid()}-{secrets.token_hex(4)}"
        self._name = ""

    def find(self) -> Canary | None:
        """Returns what the release tells."""
        return canary_of(self.release, deployments(self._cluster, self.release).get("stable"))

    def take(self, change: Callable[[Canary | None], Canary]) -> Canary:
        """Writes the rollout as this process' own, unless somebody else writes at the same time.

        Args:
            change: From what is there to what shall be.

        Raises:
            ClusterError: What `change` raises, or somebody else was faster.
        """
        left = TRIES
        while True:
            stable = deployments(self._cluster, self.release).get("stable")
            canary = change(canary_of(self.release, stable))
            if stable is None:
                raise ClusterError(f"release {self.release}", "has no Deployment of the stable track")
            self._name, left = stable.metadata.name, left - 1
            try:
                return self._write(canary, stable.metadata.resource_version)
            except ClusterError as error:
                # its controller writes to it as well, whenever a pod comes or goes
                if not left or MODIFIED not in str(error):
                    raise

    def keep(self, change: dict[str, Any]) -> Canary:
        """Changes it, and says that this process still sees to it.

        Raises:
            ReleaseBusy: Somebody else has taken it.
        """
        there = self.find()
        if there is None or there.by != self._me:
            who = there.person if there is not None else "somebody"
            raise ReleaseBusy(self.release, f"{who} took the rollout over", f"modelyard status {self.release}")
        return self._write(there.model_copy(update=change))

    def leave(self) -> bool:
        """Says that nobody sees to it any more, unless somebody else does; returns whether that was to be said."""
        there = self.find()
        if there is None or there.by != self._me:
            return False
        self._patch(there.model_copy(update={"seen": None}).model_dump_json())
        return True

    def clear(self) -> None:
        """Removes it."""
        self._patch(None)

    def _write(self, canary: Canary, version: str | None = None) -> Canary:
        mine = canary.model_copy(update={"by": self._me, "seen": datetime.now(UTC)})
        self._patch(mine.model_dump_json(), version)
        return mine

    def _patch(self, text: str | None, version: str | None = None) -> None:
        if not self._name:
            self._name = deployments(self._cluster, self.release)["stable"].metadata.name
        metadata = {"annotations": {ANNOTATION: text}} | ({"resourceVersion": version} if version else {})
        self._cluster.patch_deployment(self._name, {"metadata": metadata})
