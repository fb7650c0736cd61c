"""A real Prometheus that watches a search while its driver runs: every panel of the dashboard shows something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from driver_orders import RUN, order, run_of
from free_ports import free_range
from modelyard_tuning.driver import GO
from promtool import empty_panels, prometheus, static, watching
from waiting import until

pytestmark = pytest.mark.slow

PATIENCE_S = 240.0
WHOSE = {"namespace": "training", "release": "weekly"}


def test_every_panel_of_a_search_shows_something_while_it_runs(tmp_path: Path) -> None:
    prometheus()
    (tmp_path / "prometheus").mkdir()
    port = free_range(1)
    ordered = [*order(tmp_path, trials=1000, time_budget_s=900.0), f"--metrics-port={port}"]
    command = [sys.executable, "-m", "modelyard_tuning.driver", *ordered]
    with (
        watching(tmp_path / "prometheus", **static([f"127.0.0.1:{port}"], **WHOSE)) as url,
        subprocess.Popen(command, env=os.environ | {"RAY_ADDRESS": "local"}) as driver,
    ):

        def value(query: str) -> float | None:
            found = httpx.get(f"{url}/api/v1/query", params={"query": query}).json()["data"]["result"]
            return float(found[0]["value"][1]) if found else None

        def complete() -> float:
            return value('modelyard_search_trials{state="complete"}') or 0.0

        try:
            until(lambda: driver.poll() is not None or complete() > 2, PATIENCE_S)
            assert driver.poll() is None
            assert empty_panels(url, "modelyard-training", **WHOSE) == []
            assert value(f'modelyard_search_info{{run="{RUN}", release="weekly"}}') == 1
            assert 0 < (value("modelyard_search_budget_left_seconds") or 0) < 900
            told = complete()
            # written before it is scraped, and the search goes on meanwhile
            assert told <= [it.last.state for it in run_of(tmp_path).ledger.trials()].count("complete")
        finally:
            driver.send_signal(GO)
            driver.wait(PATIENCE_S)
    assert driver.returncode == 143
