from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from fake_helm import FakeHelm, revision
from modelyard.errors import (
    ClusterError,
    HelmUnfit,
    ReleaseBusy,
    ReleaseNotFound,
    ValuesRefused,
)
from modelyard.kube.helm import Helm
from waiting import until

TIMED_OUT = (
    "Error: UPGRADE FAILED: release people failed, and has been rolled back due to rollback-on-failure being set: "
    "resource Deployment/scoring/people not ready\ncontext deadline exceeded\n"
)


@pytest.fixture
def program(tmp_path, monkeypatch) -> FakeHelm:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return FakeHelm(tmp_path)


@pytest.fixture
def helm(program) -> Helm:
    assert program
    return Helm("scoring", "bed")


def upgrade(helm: Helm, watch=lambda: None) -> None:
    helm.upgrade("people", "modelyard-serving", {"replicas": 3}, "mine.yaml", description="model 1", watch=watch)


def test_an_upgrade_waits_and_puts_back_what_ran(helm, program):
    upgrade(helm)
    command = program.calls[-1]
    assert command.startswith("upgrade people /")
    assert "/charts/modelyard-serving --install " in command
    assert "--wait --rollback-on-failure --force-conflicts --timeout 15m " in command
    assert "--values - --values mine.yaml " in command
    assert command.endswith("--description model 1 --namespace scoring --kube-context bed")
    assert program.values == {"replicas": 3}


def test_history_is_typed(helm, program):
    program.answers("history", [revision(1, "superseded"), revision(2, "failed"), revision(3, rollback_revision=1)])
    found = helm.history("people")
    assert [(each.number, each.finished, each.pending, each.source) for each in found] == [
        (1, True, False, None),
        (2, False, False, None),
        (3, True, False, 1),
    ]
    assert program.calls[-1] == "history people --output json --namespace scoring --kube-context bed"


def test_releases_are_those_of_a_chart(helm, program):
    listed = [
        {"name": "people", "chart": "modelyard-serving-0.1.0"},
        {"name": "run-1", "chart": "modelyard-training-0.1.0"},
    ]
    program.answers("list", listed)
    assert helm.releases() == ["people", "run-1"]
    assert helm.releases("modelyard-serving") == ["people"]


def test_values_of_a_revision(helm, program):
    program.prints("get values", "null")
    assert helm.values("people", 3) == {}
    assert program.calls[-1].startswith("get values people --output json --revision 3 ")


@pytest.mark.parametrize("version", ["v3.19.2", "", "Client: &version"])
def test_an_old_helm_is_refused(program, version):
    program.prints("version", version)
    with pytest.raises(HelmUnfit, match=r"^helm: /.*/helm is .*, but the charts need Helm 4; install Helm 4"):
        Helm("scoring")


def test_no_helm_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(HelmUnfit, match=r"^helm: is not on PATH; install Helm 4") as refused:
        Helm("scoring")
    assert refused.value.exit_code == 2


def test_a_refusal_is_a_sentence(helm, program):
    program.fails("upgrade", "level=WARN msg=...\nError: execution error at (modelyard-serving/a.yaml:1:4): no image\n")
    with pytest.raises(ValuesRefused, match=r"^the chart modelyard-serving refuses its values: no image$"):
        upgrade(helm)


@pytest.mark.parametrize(
    ("revisions", "way_out"),
    [
        ([revision(1), revision(2, "pending-upgrade")], "modelyard rollback people"),
        ([revision(2, "pending-install")], "modelyard undeploy people"),
    ],
)
def test_a_pending_release_names_the_way_out(helm, program, revisions, way_out):
    program.answers("history", revisions)
    program.fails("upgrade", "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress\n")
    with pytest.raises(ReleaseBusy) as refused:
        upgrade(helm)
    status = revisions[-1]["status"]
    assert str(refused.value) == (
        f"release people: is in the middle of a change ({status}, revision 2, since 2026-11-25 12:00); "
        f"wait for whoever makes it or, if it was cut off, get out with: {way_out}"
    )


def test_a_release_that_never_finished_names_the_way_out(helm, program):
    program.fails("upgrade", 'Error: UPGRADE FAILED: "people" has no deployed releases\n')
    with pytest.raises(ReleaseBusy, match=r"no revision ever finished.*get out with: modelyard undeploy people$"):
        upgrade(helm)


def test_a_name_in_use_names_the_way_out(helm, program):
    program.fails("install", "Error: cannot reuse a name that is still in use\n")
    with pytest.raises(ReleaseBusy, match=r"get out with: helm uninstall people --namespace scoring$"):
        helm.install("people", "modelyard-serving", {})


def test_a_missing_release_names_those_that_are_there(helm, program):
    program.fails("history", "Error: release: not found\n")
    program.answers("list", [{"name": "people", "chart": "modelyard-serving-0.1.0"}])
    with pytest.raises(ReleaseNotFound, match=r"^namespace scoring: has no release 'peple'; did you mean 'people'\?$"):
        helm.history("peple")


def test_what_is_hopeless_ends_helm_which_puts_all_back(helm, program):
    program.waits("upgrade")
    program.fails("upgrade", TIMED_OUT)
    start = time.monotonic()
    with pytest.raises(ClusterError) as refused:
        upgrade(helm, watch=lambda: ClusterError("pod p", "cannot run"))
    assert str(refused.value) == "pod p: cannot run; it was rolled back to what ran before"
    assert time.monotonic() - start < 10


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What a shell starts in the background ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_waits_until_helm_has_put_all_back(helm, program):
    program.waits("upgrade")
    program.fails("upgrade", "Error: context canceled\n")

    def interrupt() -> None:
        until(lambda: program.waiting)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        upgrade(helm)
    assert program.cancelled


def test_ctrl_c_while_pods_are_looked_at_waits_as_well(helm, program):
    def interrupted() -> None:
        raise KeyboardInterrupt

    program.waits("upgrade")
    program.fails("upgrade", "Error: context canceled\n")
    with pytest.raises(KeyboardInterrupt):
        upgrade(helm, watch=interrupted)
    assert program.cancelled


def test_values_reach_helm_whole(helm, program):
    values = {"extraEnv": [{"name": "NAME", "value": "Köln " * 50_000}]}
    helm.install("people", "modelyard-serving", values)
    assert program.values == json.loads(json.dumps(values))
