"""Logs and traces of a bento's workers, and of the process above them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx
import pytest

from malformed_bodies import GOOD
from modelyard.config.models import Settings
from modelyard_bentos.client import Server
from modelyard_bentos.packaging import pack
from otlp_collector import Collector
from served_model import make_table, save_served
from served_process import json_lines
from waiting import DEADLINE_S, until

ROUTER = """
from fastapi import APIRouter
from opentelemetry.propagate import inject

router = APIRouter()

@router.get("/mine/{value}")
async def answer(value: str) -> dict[str, str]:
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier
"""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as found:
        yield found


@pytest.fixture(scope="module", params=["own", "bentoml"])
def traced(
    collector: Collector, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("routers")
    folder = save_served(place / "traced", make_table(), name="traced")
    (place / "mine_traced.py").write_text(ROUTER)
    settings = Settings.model_validate({"api": {"workers": 2, "routers": ["mine_traced"]}, "serving": {"logs": "json"}})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.syspath_prepend(str(place))
        packed = pack(folder, settings)
    bentoml = request.param == "bentoml"
    with Server(packed.path, bentoml=bentoml, environment=collector.environment, log=place / "log") as running:
        yield running


def sampled() -> tuple[str, dict[str, str]]:
    """A trace's id and the header of a request that belongs to it."""
    trace = secrets.token_hex(16)
    return trace, {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}


def test_a_prediction_is_traced_and_every_line_is_json(traced: Server, collector: Collector) -> None:
    trace, headers = sampled()
    answer = httpx.post(f"{traced.url}/predict", json={"rows": [{**GOOD, "age": "old"}]}, headers=headers)
    assert answer.status_code == 422
    assert answer.headers["traceresponse"].split("-")[1] == trace
    until(lambda: len(collector.of(trace)) == 2)
    asked = answer.headers["x-request-id"]
    until(lambda: any(line.get("request_id") == asked for line in json_lines(traced.log)))
    lines = json_lines(traced.log)
    refused = next(line for line in lines if line.get("request_id") == asked)
    assert (refused["status"], refused["trace_id"]) == (422, trace)
    # the parent's too
    assert any(line["logger"].startswith(("bentoml", "modelyard_bentos")) for line in lines)


def test_a_router_of_ones_own_goes_on_from_our_span_and_not_from_bentomls(traced: Server, collector: Collector) -> None:
    trace, headers = sampled()
    answer = httpx.get(f"{traced.url}/mine/a", headers=headers, timeout=DEADLINE_S)
    until(lambda: collector.of(trace))
    (span,) = collector.of(trace).values()
    assert span.name == "GET /mine/{value}"
    assert answer.json()["traceparent"].split("-")[1:3] == [trace, span.id]
