"""Spans of a served process, as a collector gets them."""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from ended_span import ended_span
from malformed_bodies import GOOD
from modelyard.monitoring.spans import _Console, _turns
from otlp_collector import Collector
from served_model import make_table, save_served
from served_process import Process, served
from waiting import until

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
BODY = {"rows": [GOOD]}
MARKER = "Zanzibar7731"
ROUTER = """
import logging
from fastapi import APIRouter
from opentelemetry import trace
from opentelemetry.propagate import inject

router = APIRouter()

@router.get("/mine/{name}")
async def answer(name: str) -> dict[str, str]:
    carrier: dict[str, str] = {}
    with trace.get_tracer("mine").start_as_current_span("own"):
        inject(carrier)
    logging.getLogger("mine").warning("asked")
    return carrier
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_served(tmp_path_factory.mktemp("model") / "people", make_table())


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as found:
        yield found


@pytest.fixture(scope="module")
def process(model: Path, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("traced")
    (folder / "mine.py").write_text(ROUTER)
    environment = {**collector.environment, "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test"}
    environment["PYTHONPATH"] = str(folder)
    with served(model, folder, environment, "api.routers=[mine]", "serving.access_log=all") as found:
        yield found


def trace_of(answer: httpx.Response) -> tuple[str, str]:
    version, trace, span, _ = answer.headers["traceresponse"].split("-")
    assert version == "00"
    return trace, span


def test_a_request_goes_on_from_its_callers_span(process: Process, collector: Collector) -> None:
    headers = {"traceparent": SAMPLED, "tracestate": "vendor=1"}
    answer = process.client.post("/api/v1/predict", json=BODY, headers=headers)
    assert answer.status_code == 200
    trace, span = trace_of(answer)
    assert trace == TRACE

    until(lambda: len(collector.of(TRACE)) == 4)
    spans = collector.of(TRACE)
    root = spans.pop("POST /api/v1/predict")
    assert (root.id, root.parent, root.kind) == (span, PARENT, 2)
    assert (
        root.attributes.items()
        >= {
            "http.request.method": "POST",
            "http.route": "/api/v1/predict",
            "http.response.status_code": 200,
            "url.path": "/api/v1/predict",
            "url.scheme": "http",
            "modelyard.rows": 1,
        }.items()
    )
    described = {"service.name": "people", "modelyard.model.name": "people", "deployment.environment.name": "test"}
    assert root.resource.items() >= described.items()
    assert {step.parent for step in spans.values()} == {root.id}
    order = [spans[name] for name in ("decode", "model", "encode")]
    times = [root.began, *(time for step in order for time in (step.began, step.ended)), root.ended]
    assert times == sorted(times)
    assert order[0].ended == order[1].began
    assert process.line_of(answer).items() >= {"trace_id": TRACE, "span_id": span, "rows": 1}.items()


@pytest.mark.parametrize(
    ("path", "body", "status", "steps"),
    [
        ("/api/v1/predict", {"rows": [GOOD] * 40}, 200, {"decode", "model", "encode"}),
        ("/api/v1/predict", {"rows": [{**GOOD, "age": MARKER}]}, 422, {"decode"}),
        ("/api/v1/predict", {"rows": [{**GOOD, "seen at": MARKER}]}, 422, {"decode"}),
        ("/v2/models/people/infer", {"inputs": [{"name": MARKER}]}, 400, {"decode"}),
    ],
)
def test_every_way_has_its_steps_and_no_value(
    process: Process, collector: Collector, path: str, body: object, status: int, steps: set[str]
) -> None:
    answer = process.client.post(path, json=body)
    assert answer.status_code == status
    trace, _ = trace_of(answer)
    until(lambda: len(collector.of(trace)) == len(steps) + 1)
    assert collector.of(trace).keys() > steps
    assert MARKER not in str(collector.spans)


def test_a_callers_decision_against_it_holds(process: Process, collector: Collector) -> None:
    other = UNSAMPLED.replace(TRACE, TRACE[::-1])
    answer = process.client.post("/api/v1/predict", json=BODY, headers={"traceparent": other})
    assert answer.status_code == 200
    assert "traceresponse" not in answer.headers
    later, _ = trace_of(process.client.post("/api/v1/predict", json=BODY))
    until(lambda: collector.of(later))
    assert collector.of(TRACE[::-1]) == {}


def test_a_damaged_context_begins_a_trace_of_its_own(process: Process) -> None:
    answer = process.client.post("/api/v1/predict", json=BODY, headers={"traceparent": f"00-{TRACE}-x-01"})
    assert trace_of(answer)[0] != TRACE


def test_probes_and_figures_have_no_spans(process: Process) -> None:
    for path in ("/livez", "/metrics", "/v2"):
        assert "traceresponse" not in process.client.get(path).headers


def test_routers_of_ones_own_go_on_from_it(process: Process, collector: Collector) -> None:
    answer = process.client.get("/mine/somebody", headers={"traceparent": SAMPLED.replace(TRACE, "a" * 32)})
    trace, span = trace_of(answer)
    assert trace == "a" * 32
    until(lambda: len(collector.of(trace)) == 2)
    spans = collector.of(trace)
    assert spans["GET /mine/{name}"].id == span
    assert spans["own"].parent == span
    # what it calls would hear of its own span
    assert answer.json()["traceparent"].split("-")[1:3] == [trace, spans["own"].id]
    said = next(line for line in process.lines() if line["logger"] == "mine")
    assert said.items() >= {"trace_id": trace, "request_id": answer.headers["x-request-id"]}.items()
    assert process.line_of(answer)["route"] == "/mine/{name}"


def test_a_ratio_of_nothing_samples_nothing_but_what_callers_do(
    model: Path, collector: Collector, tmp_path: Path
) -> None:
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    sampler["OTEL_BSP_SCHEDULE_DELAY"] = "60000"
    with served(model, tmp_path, {**collector.environment, **sampler}) as process:
        before = len(collector.spans)
        for _ in range(20):
            assert "traceresponse" not in process.client.post("/predict", json=BODY).headers
        headers = {"traceparent": SAMPLED.replace(TRACE, "b" * 32)}
        assert trace_of(process.client.post("/predict", json=BODY, headers=headers))[0] == "b" * 32
        process.end()
    # what was not sent yet is sent at the end
    assert len(collector.spans) - before == 4


def test_the_sampler_and_the_span_agree_on_the_trace(model: Path, collector: Collector, tmp_path: Path) -> None:
    sampler = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}
    with served(model, tmp_path, {**collector.environment, **sampler}) as process:
        answers = [process.client.post("/predict", json=BODY) for _ in range(200)]
    traces = [trace_of(answer)[0] for answer in answers if "traceresponse" in answer.headers]
    # a thousandth of all runs would be outside
    assert 76 <= len(traces) <= 124
    assert all(int(trace[16:], 16) < 2**63 for trace in traces)


def test_a_collector_that_is_not_there_disturbs_nothing(model: Path, tmp_path: Path) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "20"}
    with served(model, tmp_path, environment) as process:
        began = time.perf_counter()
        for _ in range(50):
            assert process.client.post("/predict", json=BODY).status_code == 200
        until(lambda: any("opentelemetry" in line["logger"] for line in process.lines()))
        assert time.perf_counter() - began < 20
        asked = time.perf_counter()
        process.end()
        assert time.perf_counter() - asked < 15
    assert not any("Traceback" in line.get("exception", "") for line in process.lines())


def test_off_there_is_no_header_and_no_import(model: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from modelyard.api.app import create_app; create_app(); "
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    with served(model, tmp_path) as process:
        answer = process.client.post("/predict", json=BODY, headers={"traceparent": SAMPLED})
        assert "traceresponse" not in answer.headers
        environment = {"MODELYARD_MODEL": str(model), "PATH": ""}
        done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True)
    assert json.loads(done.stdout) == [], done.stderr


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.3, 1.0])
def test_turns_are_as_frequent_as_the_ratio_and_come_by_chance(rate: float) -> None:
    count = 200_000
    turns = np.fromiter(itertools.islice(_turns(rate), count), dtype=bool, count=count)
    # five standard deviations
    assert abs(turns.sum() - rate * count) <= 5 * (rate * (1 - rate) * count) ** 0.5
    after_one = turns[1:][turns[:-1]]
    assert abs(after_one.sum() - rate * len(after_one)) <= 5 * (rate * (1 - rate) * len(after_one)) ** 0.5


def test_the_console_shows_each_step() -> None:
    shown = io.StringIO()
    span = ended_span(1)
    _Console(out=shown, formatter=lambda one: json.dumps([one.name, f"{one.context.span_id:x}"]) + "\n").export([span])
    names, ids = zip(*map(json.loads, shown.getvalue().splitlines()), strict=True)
    assert names == ("POST /predict", "decode", "model", "encode")
    assert ids[0] == span.ids["span_id"].lstrip("0")
    assert len(set(ids)) == 4
