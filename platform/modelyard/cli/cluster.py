"""What the commands about a search in a cluster share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from modelyard.cli.console import emit
from modelyard.cli.progress import SearchProgress
from modelyard.cli.summary import print_next, print_outcome
from modelyard.errors import ModelyardError

if TYPE_CHECKING:
    from modelyard.config import Settings
    from modelyard.kube.search import ClusterSearch
    from modelyard_tuning.outcome import Outcome

__all__ = ["Detached", "find_search", "watch"]


class Detached(ModelyardError):
    """A person who does not want to wait any longer; the cluster goes on."""

    exit_code = 130

    def __init__(self, run: str) -> None:
        super().__init__(
            f"run {run} goes on in the cluster; `modelyard attach {run}` follows it, `modelyard cancel {run}` ends it"
        )


class _Told:
    """Hands what a search in a cluster tells on to the same display as a search here."""

    def __init__(self, shown: SearchProgress) -> None:
        self._shown = shown

    def progress(self, progress: dict[str, Any]) -> None:
        from modelyard_tuning.progress import Progress

        # the image may be of another version
        known = {name: value for name, value in progress.items() if name in Progress.__dataclass_fields__}
        self._shown.follow(Progress(**known))

    def say(self, text: str) -> None:
        self._shown.note(text)

    def line(self, text: str) -> None:
        self._shown.note(f"| {text}")


def find_search(name: str, settings: Settings) -> ClusterSearch:
    """Returns the search of a run in the cluster.

    Raises:
        RunNotFound: The cluster's storage has no such run.
        ClusterError: There is no cluster.
        HelmUnfit: There is no helm.
    """
    from modelyard.kube.cluster import Cluster
    from modelyard.kube.helm import Helm
    from modelyard.kube.search import ClusterSearch
    from modelyard.kube.submission import runs_of
    from modelyard.registry.runs import open_run

    run = open_run(name, runs_of(settings.cluster))
    cluster = Cluster(settings.cluster)
    return ClusterSearch(run, settings.cluster, cluster, Helm(cluster.namespace, cluster.context))


def watch(search: ClusterSearch, settings: Settings, as_json: bool) -> None:
    """Follows a search to its end, fetches its run, clears up, and says what it came to.

    Raises:
        Detached: By Ctrl-C.
        RunError: The run failed.
        ClusterError: Somebody has to mend something first, or the search is gone.
    """
    outcome = _finished(search, settings)
    if as_json:
        emit(outcome.to_dict())
        return
    print_outcome(outcome)
    print_next((f"modelyard show {outcome.run}", f"modelyard pack {outcome.run}", f"modelyard serve {outcome.run}"))


def _finished(search: ClusterSearch, settings: Settings) -> Outcome:
    from modelyard.errors import RunError
    from modelyard.registry.transfer import fetch_run
    from modelyard_tuning.outcome import Outcome

    try:
        with SearchProgress() as shown:
            told = _Told(shown)
            try:
                with search.log(told.line):
                    search.follow(told)
            except RunError:
                search.clear()
                raise
            shown.stage("fetching the run")
            run = fetch_run(search.run, settings.storage.runs)
            search.clear()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        raise Detached(search.run.name) from None
    summary = run.summary
    interval = summary["interval"]
    return Outcome(**{**summary, "interval": interval and tuple(interval), "findings": tuple(summary["findings"])})
