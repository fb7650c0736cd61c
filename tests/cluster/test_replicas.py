"""Whose the number of pods is: turning the autoscaler on in an upgrade must not take pods away.

No pod has to run for it, so they are pause containers that never get ready; and without CPU figures the autoscaler only
keeps to its bounds.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.place import Namespace
from modelyard.kube.charts import chart_folder
from waiting import until

pytestmark = pytest.mark.cluster

RUNNING, FEWEST = 5, 2
IMAGE = ("--set", "image.repository=registry.local/pause", "--set-string", "image.tag=1")
SCALED = ("--set", "autoscaling.enabled=true", "--set", f"autoscaling.minReplicas={FEWEST}")
WORDS = '{{- define "modelyard-serving.replicas" -}}'


@pytest.fixture
def chart(tmp_path: Path) -> Callable[[str | None], Path]:
    """Returns the chart, or one that says something else of `replicas`."""

    def having(replicas: str | None) -> Path:
        if replicas is None:
            return chart_folder("modelyard-serving")
        folder = shutil.copytree(chart_folder("modelyard-serving"), tmp_path / "chart")
        template = folder / "templates" / "_replicas.tpl"
        before, found, _ = template.read_text().partition(WORDS)
        _, _, others = template.read_text().partition("{{/* How many stable pods")
        assert found
        assert others
        template.write_text(f"{before}{WORDS}{replicas}{{{{- end -}}}}\n{{{{/* How many stable pods{others}")
        return folder

    return having


@contextmanager
def replicas_wanted(namespace: Namespace) -> Iterator[list[int]]:
    """Notes each number of pods that the Deployment is told to have."""
    command = ["kubectl", "--namespace", namespace.name, "get", "deployment/people", "--watch"]
    seen: list[int] = []
    with subprocess.Popen(
        [*command, "--output=jsonpath={.spec.replicas}{'\\n'}"], stdout=subprocess.PIPE, text=True
    ) as watch:
        assert watch.stdout is not None
        seen.append(int(watch.stdout.readline()))
        try:
            yield seen
        finally:
            namespace.kubectl("annotate", "deployment/people", "over=yes")
            watch.terminate()
            seen.extend(int(line) for line in watch.stdout)


@pytest.mark.parametrize(
    ("replicas", "fewest"),
    [
        (None, RUNNING),
        ("{{ if not .Values.autoscaling.enabled }}{{ .Values.replicas }}{{ end }}", 1),
        ("{{ .Values.replicas }}", FEWEST),
    ],
    ids=["our chart", "the field left out", "the field always there"],
)
def test_turning_the_autoscaler_on_takes_no_pods_away(
    namespace: Namespace, chart: Callable[[str | None], Path], replicas: str | None, fewest: int
) -> None:
    folder = chart(replicas)
    namespace.helm("install", "people", folder, *IMAGE, "--set", f"replicas={RUNNING}")
    with replicas_wanted(namespace) as wanted:
        # the number that was installed is forgotten by who turns the autoscaler on
        namespace.helm("upgrade", "people", folder, "--force-conflicts", *IMAGE, *SCALED)
        until(lambda: "people" in namespace.kubectl("get", "hpa", "--output=name"))
        namespace.wait("jsonpath={.status.conditions[0].type}=AbleToScale", "hpa/people")
        # again, when the autoscaler is there
        namespace.helm("upgrade", "people", folder, "--force-conflicts", *IMAGE, *SCALED, "--set", "podLabels.a=b")
    print(f"replicas wanted: {wanted}")
    assert wanted[0] == RUNNING
    assert min(wanted) == fewest


@dataclass(frozen=True)
class Applier:
    """How a person, or Argo CD with skipTests and ServerSideApply=true, applies what Helm renders."""

    leave_out: str
    apply: tuple[str, ...]


BY_HAND = Applier("--no-hooks", ())
ARGO = Applier("--skip-tests", ("--field-manager=argocd-controller", "--force-conflicts"))


@pytest.mark.parametrize(
    ("applier", "handed_over", "fewest"),
    [(BY_HAND, True, RUNNING), (ARGO, True, RUNNING), (ARGO, False, 1)],
    ids=["by hand", "by Argo CD", "not handed over"],
)
def test_without_helms_client_the_field_is_handed_over_first(
    namespace: Namespace, applier: Applier, handed_over: bool, fewest: int
) -> None:
    def apply(*values: str) -> None:
        chart = chart_folder("modelyard-serving")
        rendered = namespace.helm("template", "people", chart, applier.leave_out, *IMAGE, *values)
        namespace.kubectl("apply", "--server-side", *applier.apply, "--filename=-", text=rendered)

    apply("--set", f"replicas={RUNNING}")
    with replicas_wanted(namespace) as wanted:
        if handed_over:
            namespace.kubectl("scale", "deployment/people", f"--replicas={RUNNING + 1}")
        apply(*SCALED)
        apply(*SCALED, "--set", "podLabels.a=b")
    print(f"replicas wanted: {wanted}")
    assert min(wanted) == fewest
