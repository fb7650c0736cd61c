"""A real Prometheus over two replicas with two workers each: drift is told while it lasts, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from onnx import GraphProto

from modelyard.config.models import Settings
from modelyard.data.bins import shares
from modelyard.data.cells import count_predictions
from modelyard.models.artifact import load_model
from modelyard.models.capacity import Capacity, Load, keep_capacity
from modelyard.monitoring.drift import measure_drift
from modelyard.monitoring.observed import recorded_cells
from modelyard.monitoring.rules import render
from modelyard_bentos.client import Server
from promtool import empty_panels, prometheus, static, watching
from served_model import json_rows, make_table, save_served
from waiting import until

pytestmark = pytest.mark.slow

NAMESPACE, RELEASE = "shop", "people"
CAPACITY = Capacity(
    loads=(Load(connections=8, requests_per_s=9000.0, requests_per_cpu_s=9500.0, p50_ms=0.8, p99_ms=2.1),),
    start_s=1.0,
    worker_mb=118.0,
    memory_mb=150.0,
    workers=2,
    cpu="a processor",
    cores=2,
    packages={},
    measured_at="2026-11-27T00:00:00+00:00",
)
PATIENCE_S = 120.0
ROWS = 60


@contextmanager
def asking(servers: list[Server], rows: Callable[[], list[dict[str, Any]]]) -> Iterator[None]:
    """Clients that ask one replica for predictions and tell the other that they came true, on new connections."""
    stop = threading.Event()

    def ask(server: Server, other: Server) -> None:
        while not stop.wait(0.05):
            answer = httpx.post(f"{server.url}/predict", json={"rows": rows()}, timeout=30).raise_for_status().json()
            told = [{"id": one["id"], "actual": one["label"]} for one in answer["predictions"]]
            httpx.post(f"{other.url}/api/v1/feedback", json={"feedback": told}, timeout=30).raise_for_status()

    threads = [threading.Thread(target=ask, args=pair) for pair in zip(servers, reversed(servers), strict=True)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def without_age(graph: GraphProto) -> None:
    """Takes the age out of what is predicted, so that predictions stay when it moves."""
    weights = next(one for node in graph.node for one in node.attribute if one.name == "coefficients")
    for place in (0, len(weights.floats) // 2):
        weights.floats[place] = 0.0


def served(folder: Path, frame: pd.DataFrame) -> Path:
    """A model whose card knows what it predicts, and what its service can take."""
    model = load_model(save_served(folder / "first", frame, alter=without_age))
    codes = model.codes(model.scorer(model.encode(frame)))
    predicted = shares(count_predictions(model.contract.target, codes))
    figures = {"accuracy": 0.8, "brier": 0.15}
    found = save_served(folder / "model", frame, alter=without_age, predicted=predicted, held_out=figures)
    keep_capacity(found, CAPACITY)
    return found


def test_a_shifted_column_is_told_and_nothing_else_until_it_is_over(tmp_path: Path) -> None:
    prometheus()
    frame = make_table()
    folder = served(tmp_path, frame)
    contract = load_model(folder).contract
    shift = [0]

    def rows() -> list[dict[str, Any]]:
        drawn = frame.sample(ROWS, replace=True)
        return json_rows(pd.DataFrame(drawn.assign(age=drawn["age"] + shift[0])), contract)

    with ExitStack() as stack:
        key = tmp_path / "key"
        key.write_text("0123456789abcdef")
        serving = {"feedback_key_file": str(key), "prediction_log": {"url": str(tmp_path / "log"), "seconds": 1}}
        settings = Settings.model_validate({"api": {"workers": 2}, "serving": serving})
        servers = [stack.enter_context(Server(folder, settings)) for _ in range(2)]
        rules = tmp_path / "rules"
        rules.mkdir()
        values = {"NAMESPACE": NAMESPACE, "RELEASE": RELEASE, "WINDOW": "30s", "HOLD": "0s", "DRIFT_ROWS": "500"}
        for name, text in render(values).items():
            (rules / f"{name}.yaml").write_text(text)
        targets = [server.url.removeprefix("http://") for server in servers]
        whose = {"namespace": NAMESPACE, "release": RELEASE}
        url = stack.enter_context(watching(rules, **static(targets, **whose)))
        stack.enter_context(asking(servers, rows))

        def value(query: str) -> float | None:
            found = httpx.get(f"{url}/api/v1/query", params={"query": query}).json()["data"]["result"]
            return float(found[0]["value"][1]) if found else None

        def alerts() -> list[tuple[str, str]]:
            found = httpx.get(f"{url}/api/v1/alerts").json()["data"]["alerts"]
            return [(one["labels"]["alertname"], one["labels"].get("column", "")) for one in found]

        # the whole window is full of rows like training's
        until(lambda: (value("min(modelyard:drift_rows)") or 0) >= 20 * ROWS, PATIENCE_S)
        until(lambda: (value("max(modelyard:drift_index)") or 1) < 0.1, PATIENCE_S)
        assert alerts() == []
        assert empty_panels(url, "modelyard-serving", column="age", **whose) == []
        assert value('modelyard:live_error{measure="misclassified"}') == 0
        assert value('modelyard:card_error{measure="misclassified"}') == pytest.approx(0.2)
        shift[0] = 60
        until(alerts, PATIENCE_S)
        # it stays the only one while the whole window shifts
        until(lambda: (value('modelyard:drift_index{column="age"}') or 0) > 5, PATIENCE_S)
        assert alerts() == [("ModelyardColumnDrift", "age")]
        first, *others = measure_drift(recorded_cells(url, NAMESPACE, RELEASE, "30s")[contract.digest])
        assert (first.column, first.level) == ("age", "drifted")
        assert {one.level for one in others} == {"stable"}
        shift[0] = 0
        until(lambda: not alerts(), PATIENCE_S)
