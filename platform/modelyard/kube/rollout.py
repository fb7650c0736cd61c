"""A rollout: a canary that gets a growing share of the requests, and takes the stable track's place or goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from modelyard.config.models import RolloutSettings
from modelyard.errors import (
    CanaryTakenBack,
    ClusterError,
    ImageNotPulled,
    ModelyardError,
    QuotaReached,
    ReleaseBusy,
    ReleaseFailed,
    UsageError,
)
from modelyard.kube.alias import Promoted, promote
from modelyard.kube.canary import BEAT_S, Canary, Keeper
from modelyard.kube.cluster import Cluster, Right
from modelyard.kube.convergence import TRACK, selector_of
from modelyard.kube.gate import Observed, Verdict, judge
from modelyard.kube.helm import Helm, Revision
from modelyard.kube.plan import Version
from modelyard.kube.reference import Reference
from modelyard.kube.release import CANARY, RIGHTS, Release
from modelyard.kube.tracks import Observation, Source, canary_pods, deployments
from modelyard.monitoring.readings import Reading

__all__ = ["ROLLOUT_RIGHTS", "Done", "Rollout", "Share", "Step", "check_steps"]

WHOLE = 100
# Helm keeps ten revisions, and the one to go back to must stay: two come at the end, some with a resume
MOST_STEPS = 5
LOOK_S, PATIENCE_S = 5.0, 120.0
ROLLOUT_RIGHTS = (*RIGHTS, Right("get", "pods/portforward"), Right("create", "pods/portforward"))


@dataclass(frozen=True)
class Share:
    """What a step can give the canary.

    Attributes:
        weight: Percent that is asked for.
        stable: Pods of the stable track.
        canary: Pods of the canary.
        share: Of the requests, that it gets.
    """

    weight: int
    stable: int
    canary: int
    share: float


@dataclass(frozen=True)
class Step:
    """A step that is over.

    Attributes:
        weight: Percent that was asked for.
        canary: What it did meanwhile.
        verdict: What was found.
    """

    weight: int
    canary: Observed
    verdict: Verdict


@dataclass(frozen=True)
class Done:
    """A rollout that went through.

    Attributes:
        canary: What it was.
        steps: That it passed, as far as this process saw them.
        promoted: What the champion names now.
    """

    canary: Canary
    steps: tuple[Step, ...]
    promoted: Promoted


def check_steps(text: str) -> tuple[int, ...]:
    """Reads percentages such as ``10,50,100``.

    Raises:
        UsageError: They do not rise to 100, or are too many.
    """
    try:
        steps = tuple(int(part) for part in text.split(","))
    except ValueError:
        steps = ()
    rises = all(0 < lower < higher for lower, higher in pairwise(steps))
    if not 2 <= len(steps) <= MOST_STEPS or not rises or steps[-1] != WHOLE:
        raise UsageError(f"--steps {text} must be two to {MOST_STEPS} percentages that rise to 100, as in 10,50,100")
    return steps


class Rollout:
    """A rollout of one release, by this process.

    Args:
        release: The release.
        cluster: Its namespace.
        helm: The namespace's releases.
        settings: When the canary may go on.
        source: Asks pods for what they counted.
        tell: Is told what goes on.
        insecure: Whether plain HTTP will do where the image's registry does not speak TLS.

    Attributes:
        release: Its name.
    """

    def __init__(
        self,
        release: Release,
        cluster: Cluster,
        helm: Helm,
        settings: RolloutSettings,
        source: Source,
        tell: Callable[[str], None],
        *,
        insecure: bool = False,
    ) -> None:
        self._changes, self._cluster, self._helm = release, cluster, helm
        self._settings, self._source, self._tell = settings, source, tell
        self.release = release.name
        self._keeper = Keeper(release.name, cluster)
        self._insecure = insecure
        self._beaten = 0.0

    def plan(self, steps: Sequence[int]) -> list[Share]:
        """Returns the share that each step can give, with as many pods as there are now.

        Raises:
            ReleaseNotFound: There is no such release.
            ClusterError: The cluster cannot be reached.
        """
        exact = self._helm.values(self.release).get("httpRoute", {}).get("enabled", False)
        stable = deployments(self._cluster, self.release)["stable"].spec.replicas
        shares = []
        for weight in steps[:-1]:
            pods = canary_pods(stable, weight)
            shares.append(Share(weight, stable, pods, weight / WHOLE if exact else pods / (stable + pods)))
        return shares

    def start(self, version: Version, steps: Sequence[int]) -> Done:
        """Begins one, and sees it through.

        Args:
            version: What to roll out.
            steps: Percentages, rising to 100.

        Raises:
            UsageError: The release runs that image already.
            ReleaseNotFound: There is no such release.
            ReleaseBusy: Another change is not finished, or a canary runs.
            CanaryTakenBack: It was worse than what runs, or could not be judged.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        running = [each for each in self._helm.history(self.release) if each.status == "deployed"]
        values = self._helm.values(self.release)
        if not running or values.get("image", {}).get("digest") == version.image.digest:
            raise UsageError(f"release {self.release} runs {version.image} already, or nothing at all; see its history")
        wanted = Canary(image=str(version.image), model=version.model, steps=tuple(steps), base=running[-1].number)

        def begin(there: Canary | None) -> Canary:
            if there is not None or values.get("canary", {}).get("enabled"):
                told = there.told if there else "a canary that no rollout began"
                raise ReleaseBusy(self.release, told, f"modelyard rollout {self.release} --abort")
            return wanted

        return self._see_through(self._keeper.take(begin))

    def resume(self) -> Done:
        """Goes on with one that nobody sees to any more, from the step that it was at.

        Raises:
            ReleaseBusy: Somebody does.
            CanaryTakenBack: It was worse than what runs, or could not be judged.
            ClusterError: There is none, or the cluster cannot be reached, or refuses.
        """

        def go_on(there: Canary | None) -> Canary:
            if there is not None and there.attended:
                status = f"{there.told}, to which {there.person} sees"
                raise ReleaseBusy(self.release, status, f"modelyard rollout {self.release} --abort")
            return self._known(there)

        canary = self._keeper.take(go_on)
        revisions = self._helm.history(self.release)
        if revisions[-1].pending:  # whoever saw to it was cut off in the middle of a step
            self._changes.restore(max(each.number for each in revisions if each.finished))
        return self._see_through(canary)

    def abort(self) -> tuple[Canary, Revision]:
        """Takes the canary back, whoever sees to it.

        Returns:
            What it was, and the new revision.

        Raises:
            ClusterError: There is none, or the cluster cannot be reached, or refuses.
        """
        canary = self._keeper.take(self._known)
        return canary, self._take_back(canary, "aborted")

    def _known(self, there: Canary | None) -> Canary:
        if there is None:
            hint = f"see what runs with: modelyard status {self.release}"
            raise ClusterError(f"release {self.release}", "has no rollout under way", hint)
        return there

    def _see_through(self, canary: Canary) -> Done:
        try:
            steps = tuple(self._climb(canary))
            promoted = promote(Reference.parse(canary.image), insecure=self._insecure)
        except (KeyboardInterrupt, ModelyardError):
            with suppress(ClusterError):
                self._leave()
            raise
        self._keeper.clear()
        return Done(canary, steps, promoted)

    def _leave(self) -> None:
        """Gives it up, where it is still there and this process' own."""
        if self._keeper.leave():
            command = f"modelyard rollout {self.release} --namespace {self._helm.namespace}"
            self._tell(f"the canary stays; go on with `{command} --resume`, or end it with `{command} --abort`")

    def _climb(self, canary: Canary) -> Iterator[Step]:
        """Yields the steps that it passes, until the stable track has taken it."""
        for number in range(canary.step, len(canary.steps)):
            canary = self._keeper.keep({"step": number})
            try:
                if canary.weight == WHOLE:
                    self._finish(canary)
                    return
                self._raise(canary)
            except (ReleaseFailed, ImageNotPulled, QuotaReached) as error:
                self._refuse(canary, str(error))
            seen = self._observe(canary.weight)
            if seen.verdict.outcome != "pass":
                self._refuse(canary, seen.verdict.reason)
            yield seen

    def _raise(self, canary: Canary) -> None:
        """Gives the canary its pods, or more of them."""
        image = Reference.parse(canary.image)
        values = {
            "enabled": True,
            "weight": canary.weight,
            "replicas": 0,
            "image": {"repository": self._repository(image), "digest": image.digest, "tag": ""},
            "predictionBins": self._edges(),
        }
        self._change({"canary": values}, f"{CANARY}model {canary.model or 'unknown'} gets {canary.weight} %")

    def _finish(self, canary: Canary) -> None:
        """Lets the stable track take the image, and then the canary go: at no time does less run than before."""
        tracks = deployments(self._cluster, self.release)
        stable, beside = tracks["stable"], tracks.get("canary")
        scaler = self._cluster.autoscaler(stable.metadata.name)
        if scaler is not None and beside is not None:
            # it followed the load that the canary left it, and is to take all at once
            self._scale(stable, min(scaler.spec.max_replicas, stable.spec.replicas + beside.spec.replicas))
        image, model = Reference.parse(canary.image), canary.model or "unknown"
        repository = self._repository(image)
        taken = {"digest": image.digest, "tag": ""} | ({"repository": repository} if repository else {})
        self._change({"image": taken}, f"{CANARY}the stable track takes model {model}")
        self._change({"canary": {"enabled": False}}, f"model {model}")

    def _change(self, values: dict[str, Any], description: str) -> None:
        self._changes.change(values, description, self._beat)

    def _observe(self, weight: int) -> Step:
        """Looks at both tracks until the step is over, or it is plain that the canary is bad."""
        watch = Observation(self._cluster, self.release, self._source)
        reached = time.monotonic()
        over = reached + self._settings.step_s
        while True:
            verdict = judge(watch.of("stable"), watch.of("canary"), self._settings)
            left = over - time.monotonic()
            if left <= 0 or verdict.outcome == "fail":
                share = "no" if verdict.share is None else f"{verdict.share:.1%} of the"
                self._tell(f"at {weight} %: the canary got {share} requests")
                for finding in verdict.findings:
                    self._tell(f"  {finding.outcome}: {finding.reason}")
                if verdict.outcome == "inconclusive" and watch.problem:
                    self._tell(f"  no figures: {watch.problem}")
                return Step(weight, watch.of("canary"), verdict)
            time.sleep(min(LOOK_S, left))
            try:
                self._attend(weight)
                watch.look()
                reached = time.monotonic()
            except ReleaseBusy:
                raise
            except ClusterError as error:
                if not error.transient or time.monotonic() - reached > PATIENCE_S:
                    raise
                over = max(over, time.monotonic() + LOOK_S)  # pods went on counting, and are to be asked once more

    def _attend(self, weight: int) -> None:
        """Says that somebody is there, and lets the canary follow the stable track's autoscaler."""
        self._keep()
        tracks = deployments(self._cluster, self.release)
        if "canary" in tracks:
            self._scale(tracks["canary"], canary_pods(tracks["stable"].spec.replicas, weight))

    def _beat(self) -> None:
        """Says that somebody is there, while Helm waits."""
        # Helm is not to be disturbed; the next look at the tracks says what is wrong
        with suppress(ClusterError):
            self._keep()

    def _keep(self) -> None:
        if time.monotonic() - self._beaten > BEAT_S:
            self._beaten = time.monotonic()
            self._keeper.keep({})

    def _scale(self, deployment: Any, pods: int) -> None:
        if deployment.spec.replicas != pods:
            self._cluster.patch_deployment(deployment.metadata.name, {"spec": {"replicas": pods}})

    def _repository(self, image: Reference) -> str:
        """Returns what nodes call the image's repository; empty where it is the stable track's."""
        stable = str(self._helm.values(self.release).get("image", {}).get("repository", ""))
        return "" if stable.partition("/")[2] == image.name else f"{image.host}/{image.name}"

    def _edges(self) -> list[float]:
        """Returns the edges of the bins in which the stable track counts predicted values.

        Raises:
            ClusterError: None of its pods can be asked.
        """
        pods = [pod for pod in self._cluster.pods(selector_of(self.release)) if pod.metadata.labels[TRACK] == "stable"]
        answers = self._source(pods).values()
        readings = [answer for answer in answers if isinstance(answer, Reading)]
        if not readings:
            problem = next(map(str, answers), "it has no pods")
            raise ClusterError(f"release {self.release}", f"its figures cannot be read ({problem})")
        return sorted(edge for edge in readings[0].by_edge if edge != float("inf"))

    def _refuse(self, canary: Canary, reason: str) -> None:
        self._keeper.keep({})  # it may be somebody else's by now
        self._take_back(canary, reason)
        raise CanaryTakenBack(self.release, canary.weight, reason)

    def _take_back(self, canary: Canary, reason: str) -> Revision:
        self._tell(f"taking the canary back: {reason}")
        revision = self._changes.restore(canary.base, f"canary taken back: {reason}")
        self._keeper.clear()
        return revision
