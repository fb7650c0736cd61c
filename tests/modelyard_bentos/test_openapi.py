"""The OpenAPI document against the server that serves it: what it answers is what the document says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from modelyard_bentos.client import Server

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
PHASES = "examples,coverage,fuzzing"


@pytest.mark.slow
def test_answers_are_as_the_document_says(server: Server, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", "--no-color"]
    options = ["--checks", CHECKS, "--phases", PHASES, "--max-examples", "300"]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout
    assert "No issues found" in done.stdout


@pytest.mark.slow
def test_rows_that_the_document_describes_are_predicted(server: Server) -> None:
    document = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    cases = document["/api/v1/predict"]["POST"].as_strategy()

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def ask(case: schemathesis.Case) -> None:
        for row in case.body["rows"]:
            if isinstance(row, list):
                # what it must hold depends on `columns`, which no schema says
                return
            # nor does one say which texts are dates
            row["seen at"] = "2024-02-29T10:00:00Z"
        case.call_and_validate(checks=[positive_data_acceptance])

    ask()
