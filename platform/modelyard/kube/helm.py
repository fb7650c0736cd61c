"""Helm, by its binary: it keeps what belongs to a release, and every person who knows Kubernetes knows it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.errors import ClusterError, HelmUnfit, ReleaseBusy, ReleaseNotFound
from modelyard.kube.charts import Chart, chart_folder
from modelyard.kube.refusals import helm_refusal, outcome_of

__all__ = ["VERBS", "Helm", "Revision", "Watch", "upgrade_command"]

OLDEST = 4
# what it does to all that belongs to a release; where one is missing in the middle, it cannot take back what it made
VERBS = ("get", "list", "watch", "create", "patch", "delete")
LOOK_S = 1.0
LONGEST = 256
# what is hopeless is ended by who watches; the rest may take as long as many pods need one after the other
TIMEOUT = "15m"
PENDING = "another operation (install/upgrade/rollback) is in progress"
IN_USE = ("cannot reuse a name that is still in use", "release: already exists")
NEVER_FINISHED = "has no deployed releases"

# is called about every second while Helm waits, and returns why there is no use in waiting any longer
Watch = Callable[[], ClusterError | None]


@dataclass(frozen=True)
class Revision:
    """A state of a release.

    Attributes:
        number: Counts from 1.
        updated: ISO 8601.
        status: Helm's word: ``deployed``, ``superseded``, ``failed``, ``pending-upgrade`` and so on.
        chart: Name and version.
        description: What Helm says of it.
        source: The revision that it repeats, where it is a rollback.
    """

    number: int
    updated: str
    status: str
    chart: str
    description: str
    source: int | None

    @property
    def finished(self) -> bool:
        """Whether it ran, now or before."""
        return self.status in ("deployed", "superseded")

    @property
    def pending(self) -> bool:
        """Whether Helm is at work on it, or was cut off."""
        return self.status.startswith("pending") or self.status == "uninstalling"


def upgrade_command(release: str, chart: Chart) -> list[str]:
    """Returns the arguments with which Helm installs or upgrades a release; values and namespace come after them."""
    # the autoscaler owns a field that a release without it has to take back
    safely = ["--wait", "--rollback-on-failure", "--force-conflicts", "--timeout", TIMEOUT]
    return ["upgrade", release, str(chart_folder(chart)), "--install", *safely]


class Helm:
    """Releases of one namespace.

    Args:
        namespace: The namespace.
        context: Of the kubeconfig; none: its current one.

    Raises:
        HelmUnfit: There is no helm on PATH, or an old one.
    """

    def __init__(self, namespace: str, context: str | None = None) -> None:
        self.namespace = namespace
        self._where = ["--namespace", namespace, *(["--kube-context", context] if context else [])]
        found = shutil.which("helm")
        if found is None:
            raise HelmUnfit("is not on PATH")
        self._binary = found
        version = self._run("version", "--short").strip()
        if not (number := re.match(r"v?(\d+)\.", version)) or int(number[1]) < OLDEST:
            raise HelmUnfit(f"{found} is {version or 'of no version'}, but the charts need Helm {OLDEST}")

    def install(self, release: str, chart: Chart, values: Mapping[str, Any], file: str | Path | None = None) -> None:
        """Installs a new release.

        Args:
            release: Its name.
            chart: Which chart.
            values: Of the chart.
            file: A file of values that go before these.

        Raises:
            ValuesRefused: The chart refuses a value.
            NoRight: The user may not make something that belongs to it.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        command = ["install", release, str(chart_folder(chart)), *_values(file)]
        self._run(*command, *self._where, text=json.dumps(values))

    def upgrade(
        self,
        release: str,
        chart: Chart,
        values: Mapping[str, Any],
        file: str | Path | None = None,
        *,
        description: str,
        watch: Watch,
        reuse: bool = False,
    ) -> None:
        """Installs or upgrades a release and waits until its pods are ready; otherwise it stays what it was.

        Args:
            release: Its name.
            chart: Which chart.
            values: Of the chart.
            file: A file of values that go before these.
            description: What the history says of it.
            watch: Says when there is no use in waiting any longer.
            reuse: Whether values that are not given stay what they are; else they are the chart's.

        Raises:
            ValuesRefused: The chart refuses a value.
            NoRight: The user may not change something that belongs to it.
            ReleaseBusy: Another change is not finished.
            ReleaseFailed: The pods did not get ready in time.
            ClusterError: What `watch` returned, or the cluster cannot be reached, or refuses.
        """
        command = [*upgrade_command(release, chart), *_values(file), "--hide-notes", "--description", description]
        if reuse:
            command.append("--reset-then-reuse-values")
        self._run(*command, *self._where, text=json.dumps(values), watch=watch)

    def rollback(self, release: str, revision: int, *, watch: Watch, description: str | None = None) -> None:
        """Makes a release what it was, and waits until its pods are ready.

        Args:
            release: Its name.
            revision: Which state.
            watch: Says when there is no use in waiting any longer.
            description: What the history says of it, up to 256 characters; none: Helm's own words.

        Raises:
            ReleaseFailed: The pods did not get ready in time.
            ClusterError: What `watch` returned, or the cluster cannot be reached, or refuses.
        """
        command = ["rollback", release, str(revision), "--wait", "--force-conflicts", "--timeout", TIMEOUT]
        said = ["--description", description[:LONGEST]] if description else []
        self._run(*command, *said, *self._where, watch=watch)

    def history(self, release: str) -> list[Revision]:
        """Returns the revisions of a release that Helm still knows, the oldest first.

        Raises:
            ReleaseNotFound: There is no such release.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        try:
            listed = json.loads(self._run("history", release, "--output", "json", *self._where))
        except ReleaseNotFound:
            raise ReleaseNotFound(release, self.namespace, self.releases()) from None
        return [
            Revision(
                number=int(each["revision"]),
                updated=str(each["updated"]),
                status=each["status"],
                chart=each["chart"],
                description=each["description"],
                source=each.get("rollback_revision"),
            )
            for each in listed
        ]

    def values(self, release: str, revision: int | None = None) -> dict[str, Any]:
        """Returns the values that a release was given, the chart's own defaults left out.

        Args:
            release: Its name.
            revision: Which state; none: the last.

        Raises:
            ReleaseNotFound: There is no such release.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        which = [] if revision is None else ["--revision", str(revision)]
        values: dict[str, Any] | None = json.loads(
            self._run("get", "values", release, "--output", "json", *which, *self._where)
        )
        return values or {}

    def releases(self, chart: Chart | None = None) -> list[str]:
        """Returns the names of the namespace's releases, or of those of one chart."""
        listed = json.loads(self._run("list", "--output", "json", *self._where))
        return [each["name"] for each in listed if chart is None or each["chart"].startswith(f"{chart}-")]

    def uninstall(self, release: str) -> None:
        """Removes a release and what belongs to it, its pods last and unwaited for; none is fine.

        Helm could wait for them too, but those on a node that is lost never go, and the release would stay with them.
        """
        gone = ["--ignore-not-found", "--cascade", "background", "--wait", "--timeout", "2m"]
        self._run("uninstall", release, *gone, *self._where)

    def _run(self, *arguments: str, text: str | None = None, watch: Watch | None = None) -> str:
        pipe = subprocess.PIPE
        command = [self._binary, *arguments]
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8") as process:
            printed, said, cause = _finish(process, text, watch)
        if cause is not None:
            raise cause.ending(outcome_of(said))
        if process.returncode:
            raise self._explained(said, arguments[1])
        return printed

    def _explained(self, printed: str, release: str) -> ClusterError:
        lines = [line for line in printed.splitlines() if not line.startswith(("level=", "time=", "WARNING"))]
        said = "\n".join(lines).removeprefix("Error: ").strip()
        if PENDING in said:
            return self._busy(release)
        if any(words in said for words in IN_USE):
            return ReleaseBusy(release, "its name is in use", f"helm uninstall {release} --namespace {self.namespace}")
        if NEVER_FINISHED in said:
            return ReleaseBusy(release, "no revision ever finished", f"modelyard undeploy {release}")
        return helm_refusal(said, release, self.namespace)

    def _busy(self, release: str) -> ReleaseBusy:
        revisions = self.history(release)
        last = revisions[-1]
        command = "rollback" if any(each.finished for each in revisions) else "undeploy"
        status = f"{last.status}, revision {last.number}, since {last.updated[:16].replace('T', ' ')}"
        return ReleaseBusy(release, status, f"modelyard {command} {release}")


def _values(file: str | Path | None) -> list[str]:
    return ["--values", "-", *(["--values", str(file)] if file else [])]


def _finish(
    process: subprocess.Popen[str], text: str | None, watch: Watch | None
) -> tuple[str, str, ClusterError | None]:
    """Waits for Helm; where there is no use in waiting, or the user has enough, it is asked to put all back first."""
    cause = None
    while True:
        try:
            try:
                return *process.communicate(text, timeout=LOOK_S if watch else None), cause
            except subprocess.TimeoutExpired:
                text = None  # it is on its way
                if watch and cause is None and (cause := watch()) is not None:
                    process.terminate()
        except KeyboardInterrupt:
            process.terminate()
            process.communicate()
            raise
