"""A search as one Indexed Job over two nodes, and what is left of it when pods and nodes are lost."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.place import Cluster, Namespace
from cluster.searches import Searching, outcome, write_table
from modelyard.kube.submission import release_name
from modelyard.registry.ledger import Record
from modelyard.registry.runs import Run

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("limits")]

TRIALS = 12
# both pods have room on the node that is left, even where nodes have no more than two cores
SIZE = ("--workers", "1", "--cpus", "1")
# a trial at a time for the head, too, which keeps one core for the driver
LARGE = ("--workers", "1", "--cpus", "2")
# each trial takes about a second, so that there is time to break something
SLOW = ("model.model_type=extra_trees", "ml.repeats=3", "tuning.time_budget_s=null", f"tuning.trials={TRIALS}")


@pytest.fixture
def searching(namespace: Namespace, base_image: Callable[[str], str], tmp_path: Path) -> Searching:
    return Searching.prepare(namespace, base_image("training"), tmp_path)


@pytest.fixture
def whole(cluster: Cluster) -> Iterator[list[str]]:
    """Nodes that a test cuts off; they come back afterwards."""
    if not cluster.bed:
        pytest.skip("this cluster's nodes are not ours to cut off")
    cut: list[str] = []
    yield cut
    for node in cut:
        cluster.start_node(node)
        cluster.kubectl("wait", "--for=condition=Ready", f"node/{node}", "--timeout=120s")


def begin(searching: Searching, *more: str, size: tuple[str, ...] = SIZE) -> tuple[str, ...]:
    return ("tune", "--on", "kube", *size, f"data.path={write_table(searching.folder)}", *SLOW, *more, "--json")


def check_ledger(run: Run, before: Sequence[Record] = ()) -> None:
    """All trials have ended, and no record that was there before was written again."""
    found = run.ledger.trials()
    assert [trial.number for trial in found] == list(range(TRIALS))
    assert {trial.last.state for trial in found} <= {"complete", "stopped"}
    assert [record for record in run.ledger.records() if record in before] == list(before)


@pytest.mark.smoke
def test_a_search_runs_on_both_nodes_and_its_run_comes_home(searching: Searching) -> None:
    # long enough that the worker has joined before the head has done it all alone
    done = outcome(searching.modelyard(*begin(searching, "ml.repeats=12", size=LARGE)))
    run = searching.run()
    check_ledger(run)
    # pods of one index have the same name as their host, and the Job spreads its two indexes over the nodes
    assert len({record.host for record in run.ledger.records()}) == 2
    assert done["trials"] == TRIALS
    home = searching.folder / "runs" / run.name
    assert done["model"] == str(home / "model")
    assert (home / "report.html").is_file()
    assert json.loads((home / "summary.json").read_text())["model"] == "model"
    left = searching.namespace.get("pods,jobs,services,secrets,networkpolicies")["items"]
    assert [it["metadata"]["name"] for it in left] == ["storage-keys"]


def test_a_lost_laptop_costs_nothing(searching: Searching) -> None:
    with searching.started(*begin(searching)) as process:
        run = searching.run(process)
        before = searching.records(run, 2)
        process.send_signal(signal.SIGKILL)
    done = outcome(searching.modelyard("attach", "latest", "--json"))
    assert done["run"] == run.name
    check_ledger(run, before)


def test_what_is_cancelled_goes_on_in_a_new_job(searching: Searching) -> None:
    with searching.started(*begin(searching)) as process:
        run = searching.run(process)
        before = searching.records(run, 4)
        cancelled = outcome(searching.modelyard("cancel", run.name, "--json"))
        assert cancelled["state"] == "interrupted"
        assert searching.pods(run) == {}
        process.wait(60)
        assert "is no longer in the cluster" in process.communicate()[1]
    done = outcome(searching.modelyard("tune", "--on", "kube", *SIZE, *SLOW, "--resume", run.name, "--json"))
    assert done["run"] == run.name
    check_ledger(run, before)


@pytest.mark.parametrize("lost", ["head's pod", "worker's node", "head's node"])
def test_a_search_survives(searching: Searching, cluster: Cluster, whole: list[str], lost: str) -> None:
    with ExitStack() as stack:
        process = stack.enter_context(searching.started(*begin(searching)))
        run = searching.run(process)
        before = searching.records(run, 4)
        seen = stack.enter_context(searching.watched(run))
        pods = searching.pods(run).values()
        # the namespace's LimitRange had nothing to add
        assert [each["metadata"]["annotations"].get("kubernetes.io/limit-ranger") for each in pods] == [None] * 2
        index = 1 if lost == "worker's node" else 0
        name, node = searching.node_of(run, index)
        began = time.monotonic()
        if lost == "head's pod":
            searching.namespace.kubectl("delete", "pod", name, "--wait=false")
        else:
            cluster.kill_node(node)
            whole.append(node)
        replaced = searching.until(lambda: searching.pods_at(run, index).keys() - {name})
        searching.until(lambda: len(run.ledger.records()) > len(before) + 2)
        again = time.monotonic() - began
        searching.until(lambda: seen() & {"SuccessCriteriaMet", "Failed"})
        took = time.monotonic() - began
        assert "SuccessCriteriaMet" in seen()
        output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    print(f"{lost} lost: replaced {replaced:.0f} s later, trials again {again:.0f} s, the Job succeeded {took:.0f} s")
    check_ledger(run, before)
    assert json.loads(output)["trials"] == TRIALS


def test_a_lost_heads_node_without_the_replacement_policy_ends_the_search(
    searching: Searching, cluster: Cluster, whole: list[str]
) -> None:
    """The control: a pod on a dead node is for ever terminating, and `Failed` waits for it."""
    values = searching.folder / "values.yaml"
    assert searching.modelyard("tune", *begin(searching)[1:-1], "--write", str(values)).returncode == 0
    run = searching.namespace
    chart = Path(__file__).parents[2] / "charts" / "modelyard-training"
    run.kubectl("create", "secret", "generic", "ray", f"--from-literal=auth_token={'0123456789abcdef' * 3}")
    rendered = run.helm(
        *("template", release_name("control"), chart, "--values", values, "--set", "run=control"),
        *("--set", "token.existingSecret=ray"),
    )
    run.kubectl("apply", "-f", "-", text=rendered.replace("TerminatingOrFailed", "Failed"))
    begun = searching.run()
    searching.records(begun, 4)
    _, node = searching.node_of(begun, 0)
    cluster.kill_node(node)
    whole.append(node)
    time.sleep(100)  # four times what the replacement takes otherwise
    (pod,) = searching.pods_at(begun, 0).values()
    assert "deletionTimestamp" in pod["metadata"]
    # a namespace that goes deletes pods first, and these wait for their Job, which waits for them
    run.kubectl("delete", "job", "--all", "--wait=false")


def test_a_driver_that_always_fails_is_over_within_three_minutes(searching: Searching) -> None:
    began = time.monotonic()
    with searching.started(*begin(searching, "model.model_type=no_such_trainer")) as process:
        run = searching.run(process)
        searching.until(lambda: run.info["state"] == "failed")
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "no plugin is called 'no_such_trainer'" in errors.splitlines()[-1]
    assert time.monotonic() - began < 180
    assert searching.pods(run) == {}


def test_a_driver_that_nobody_follows_ends_as_failed_with_its_sentence(searching: Searching) -> None:
    with searching.started(*begin(searching, "model.model_type=no_such_trainer")) as process:
        run = searching.run(process)
        searching.until(lambda: searching.pods(run))
        process.send_signal(signal.SIGKILL)
    began = time.monotonic()
    searching.until(lambda: "Failed" in searching.conditions(run))
    print(f"failed for good: the Job was Failed {time.monotonic() - began:.0f} s later")
    assert time.monotonic() - began < 180
    assert {pod["status"]["phase"] for pod in searching.pods(run).values()} <= {"Failed", "Succeeded"}
    said = {
        status["state"]["terminated"].get("message", "")
        for pod in searching.pods_at(run, 0).values()
        for status in pod["status"]["containerStatuses"]
    }
    assert len(said) == 1
    assert said.pop().startswith("no plugin is called 'no_such_trainer'")
