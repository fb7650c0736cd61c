"""A search in a cluster, from a machine that may come and go: follow it, end it, clear up after it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from modelyard.config.models import ClusterSettings
from modelyard.errors import ClusterError, RunError, RunLocked, UsageError
from modelyard.kube.cluster import Cluster
from modelyard.kube.helm import Helm
from modelyard.kube.log import DriverLog
from modelyard.kube.pods import ending, trouble, waiting
from modelyard.kube.submission import release_name, token_secret
from modelyard.registry.lease import Lease
from modelyard.registry.runs import Run
from modelyard.utils.sentences import first_line

__all__ = ["ClusterSearch", "Witness"]

POLL_S = 2.0
# an image may be on its way into the registry, a quota may be free in a moment
PATIENCE_S = 30.0
# containers whose log is the driver's
RAY, SUBMITTER = "ray", "ray-job-submitter"


class Witness(Protocol):
    """Is told how a search goes."""

    def progress(self, progress: dict[str, Any]) -> None:
        """Is told where the search stands: the fields of `modelyard_tuning.progress.Progress`."""

    def say(self, text: str) -> None:
        """Is told what a person should know."""


class ClusterSearch:
    """A run that a cluster searches.

    Args:
        run: The run.
        settings: Of the cluster.
        cluster: Its namespace.
        helm: Its releases.
    """

    def __init__(self, run: Run, settings: ClusterSettings, cluster: Cluster, helm: Helm) -> None:
        self.run, self._cluster, self._helm = run, cluster, helm
        self._release, self._engine = release_name(run.name), settings.engine
        self._troubled_since: float | None = None
        self._complete_since: float | None = None
        self._said = ""

    def log(self, line: Callable[[str], None]) -> DriverLog:
        """Returns what passes on the lines of the driver's log while it is open."""
        if self._engine == "kuberay":  # the pod that submits repeats what the driver prints
            return DriverLog(self._cluster, f"{self._selector},batch.kubernetes.io/job-name", SUBMITTER, line)
        return DriverLog(self._cluster, f"{self._selector},batch.kubernetes.io/job-completion-index=0", RAY, line)

    @property
    def _selector(self) -> str:
        return f"app.kubernetes.io/instance={self._release},app.kubernetes.io/component=search"

    def follow(self, witness: Witness) -> None:
        """Returns when the run is complete.

        A cluster or a storage that does not answer is asked again, however long it takes.

        Raises:
            RunError: The run failed.
            ClusterError: Somebody has to mend something first, or the search is gone.
        """
        while True:
            try:
                if self._look(witness):
                    return
            except (OSError, ClusterError) as error:  # of the storage or the cluster
                if isinstance(error, ClusterError) and not error.transient:
                    raise
                self._tell(witness, f"no answer, trying again: {first_line(error)}")
            time.sleep(POLL_S)

    def is_active(self) -> bool:
        """Returns whether pods work on it, or will."""
        return self._verdict() == ("", "")

    def clear(self) -> None:
        """Removes everything from the cluster and waits until its pods have ended; the run stays in the storage."""
        self._helm.uninstall(self._release)
        self._cluster.wait_gone(self._selector)
        self._cluster.remove_secret(token_secret(self._release))

    def cancel(self) -> None:
        """Ends it; the run can go on later.

        Raises:
            UsageError: It is over.
        """
        active = self.is_active()
        self.clear()
        state = self.run.info["state"]
        if state == "complete" or (state == "failed" and not active):
            raise UsageError(f"run {self.run.name} is {state} already; nothing was left to cancel")
        if state != "interrupted":
            try:
                with Lease(self.run.storage, self.run.name):
                    self.run.update(state="interrupted")
            except RunLocked:  # its driver was killed before it could say so, and its lease has to expire
                pass

    def _look(self, witness: Witness) -> bool:
        info = self.run.info
        if "progress" in info and info["state"] in ("running", "complete"):
            witness.progress(info["progress"])
        if info["state"] == "failed" and info.get("permanent"):
            raise RunError(f"run {self.run.name} failed: {info['error']}")
        outcome, message = self._verdict()
        if info["state"] == "complete":  # its driver is on its way out, and the Job will hear of that
            self._complete_since = self._complete_since or time.monotonic()
            return outcome != "" or time.monotonic() - self._complete_since > PATIENCE_S
        if outcome == "gone":
            raise _final(f"run {self.run.name} is no longer in the cluster", _again(self.run))
        pods = self._cluster.pods(self._selector)
        if outcome == "failed":
            if self.run.info["state"] == "complete":
                return True
            reason = self.run.info.get("error") or ending(pods) or message
            raise RunError(f"run {self.run.name} failed: {reason}; {_again(self.run)}")
        self._check(pods, witness)
        return False

    def _check(self, pods: list[Any], witness: Witness) -> None:
        problem = trouble(pods)
        if not pods:
            problem = next(reversed(self._cluster.warnings(self._release)), "")
        elif not problem and (reason := waiting(pods)):
            self._tell(witness, reason)
        if not problem:
            self._troubled_since = None
            return
        self._troubled_since = self._troubled_since or time.monotonic()
        if time.monotonic() - self._troubled_since > PATIENCE_S:
            name = self.run.name
            raise _final(problem, f"mend that and `modelyard attach {name}`, or `modelyard cancel {name}`")
        self._tell(witness, problem)

    def _verdict(self) -> tuple[str, str]:
        """What the Job or RayJob came to: nothing yet, ``complete``, ``failed`` or ``gone``, and its message."""
        if self._engine == "kuberay":
            found = self._cluster.rayjob(self._release)
            status = (found or {}).get("status", {})
            outcome = {"Complete": "complete", "Failed": "failed"}.get(status.get("jobDeploymentStatus", ""), "")
            if outcome == "complete" and status.get("jobStatus") == "FAILED":
                outcome = "failed"
            return ("gone", "") if found is None else (outcome, status.get("message", ""))
        job = self._cluster.job(self._release)
        if job is None:
            return "gone", ""
        held = {condition.type: condition for condition in job.status.conditions or () if condition.status == "True"}
        for kind in ("SuccessCriteriaMet", "Complete"):
            if kind in held:
                return "complete", ""
        for kind in ("FailureTarget", "Failed"):
            if kind in held:
                return "failed", held[kind].message or ""
        return "", ""

    def _tell(self, witness: Witness, text: str) -> None:
        """Says the same thing once."""
        if text != self._said:
            self._said = text
            witness.say(text)


def _again(run: Run) -> str:
    return f"go on with: modelyard tune --on kube --resume {run.name}"


def _final(problem: str, hint: str) -> ClusterError:
    error = ClusterError(problem, hint)
    error.transient = False
    return error
