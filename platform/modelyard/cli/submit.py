"""`modelyard tune --on kube`: hand a search to a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.cli.cluster import find_search
from modelyard.cli.options import table_path
from modelyard.cli.progress import SearchProgress
from modelyard.cli.summary import print_next
from modelyard.errors import UsageError
from modelyard.utils.files import write_whole

if TYPE_CHECKING:
    from modelyard.config import Settings
    from modelyard.kube.search import ClusterSearch
    from modelyard.kube.submission import Size

__all__ = ["submit", "write_values"]


def submit(settings: Settings, resume: str | None, workers: int, cpus: int) -> ClusterSearch:
    """Uploads what a search needs and installs it.

    Raises:
        ConfigError: A setting is missing or wrong.
        DataError: The table cannot be used.
        NoRight: The user may not do something that is needed.
        ClusterError: The cluster cannot be used.
        UsageError: The run is being searched.
    """
    from modelyard.kube.cluster import Cluster
    from modelyard.kube.helm import Helm
    from modelyard.kube.search import ClusterSearch
    from modelyard.kube.submission import install, require_rights, require_settings, upload, values_for
    from modelyard.registry.runs import create_run, run_label

    require_settings(settings.cluster)
    with SearchProgress() as shown:
        if resume:
            search = _stopped(resume, settings)
            settings = _continued(search.run.settings, settings)
            size = _size(search.run.info["data"], workers, cpus)
        else:
            shown.stage("checking the table")
            size = _checked(settings, workers, cpus)
        cluster = Cluster(settings.cluster)
        helm = Helm(cluster.namespace, cluster.context)
        require_rights(settings.cluster, cluster)
        shown.stage(f"uploading to {settings.cluster.storage}")
        order = upload(settings)
        if resume:
            run = search.run
            search.clear()
            run.update(state="submitted", error=None, permanent=False)
        else:
            run = create_run(order.settings, run_label(order.settings), state="submitted")
        shown.stage(f"installing run {run.name} into namespace {cluster.namespace}")
        install(run, values_for(order, run.name, size), settings.cluster, cluster, helm)
    return ClusterSearch(run, settings.cluster, cluster, helm)


def write_values(settings: Settings, file: Path, workers: int, cpus: int) -> None:
    """Uploads what a search needs, and writes the chart's values for a schedule or another way to install.

    Raises:
        ConfigError: A setting is missing or wrong.
        DataError: The table cannot be used.
    """
    from modelyard.config.files import write_yaml
    from modelyard.kube.submission import require_settings, upload, values_for

    require_settings(settings.cluster)
    with SearchProgress() as shown:
        shown.stage("checking the table")
        size = _checked(settings, workers, cpus)
        shown.stage(f"uploading to {settings.cluster.storage}")
        values = values_for(upload(settings), "", size)
    text = write_yaml({name: value for name, value in values.items() if name not in ("run", "token")})
    write_whole(file, f"# For the chart modelyard-training; add run or retraining.schedule, and token.\n{text}")
    print_next(
        (
            "kubectl create secret generic retraining-ray --from-literal=auth_token=$(openssl rand -hex 24)",
            f"helm install retraining CHART --values {file} --set token.existingSecret=retraining-ray "
            "--set retraining.schedule='0 3 * * 1'",
        )
    )


def _checked(settings: Settings, workers: int, cpus: int) -> Size:
    """Looks at a table that is here as closely as the driver will."""
    path = table_path(settings)
    if "://" in path and not path.startswith("sklearn://"):
        return _size({}, workers, cpus)
    from modelyard_tuning.preparation import load_table

    rows, columns = load_table(settings).frame.shape
    return _size({"rows": rows, "columns": columns}, workers, cpus)


def _size(data: dict[str, int], workers: int, cpus: int) -> Size:
    from modelyard.kube.submission import Size

    return Size(workers, cpus, 4 * data.get("rows", 0) * data.get("columns", 0))


def _continued(before: Settings, now: Settings) -> Settings:
    """Of what is said now, the budget and the cluster count; wheels are the run's own where none are given."""
    wheels = now.cluster.wheels or before.cluster.wheels
    cluster = now.cluster.model_copy(update={"wheels": wheels})
    return before.model_copy(update={"tuning": now.tuning, "cluster": cluster})


def _stopped(name: str, settings: Settings) -> ClusterSearch:
    search = find_search(name, settings)
    if search.is_active():
        raise UsageError(f"run {search.run.name} is being searched; follow it with: modelyard attach {search.run.name}")
    return search
