"""HTTP clients of other languages with their default settings; each asks a thousand times over kept connections."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelyard.models.artifact import load_model
from modelyard_bentos.client import Server
from served_model import make_table, save_served

HERE = Path(__file__).parent
COUNT = 1000
DEADLINE_S = 300
LONG_ROWS = 700


@dataclass(frozen=True)
class Asked:
    """What a client is given.

    Attributes:
        url: Of the service.
        row: A file with a body of one row.
        long: A file with a body of about 100 kB.
    """

    url: str
    row: Path
    long: Path

    @property
    def arguments(self) -> list[str]:
        """For a client's command line."""
        return [self.url, str(COUNT), str(self.row), str(self.long)]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("clients")
    model = save_served(folder / "people", make_table())
    example = load_model(model).contract.example
    row, long = folder / "row.json", folder / "long.json"
    row.write_text(json.dumps({"rows": [example]}))
    long.write_text(json.dumps({"rows": [example] * LONG_ROWS}))
    assert 80_000 < long.stat().st_size < 120_000, long.stat().st_size
    with Server(model) as server:
        yield Asked(server.url, row, long)


def program(name: str) -> str:
    """Returns a program's path; without it the test is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S, cwd=HERE)


@pytest.mark.parametrize("command", [("java", "Ask.java"), ("go", "run", "ask.go"), ("node", "ask.mjs")], ids="/".join)
def test_a_client_of_another_language_gets_an_answer_to_each_request(asked: Asked, command: tuple[str, ...]) -> None:
    ran = run([program(command[0]), *command[1:], *asked.arguments])
    assert ran.stdout == f"{COUNT} requests, 0 errors\n", ran.stderr[-2000:]


def test_curl_that_offers_http_2_gets_an_answer_to_each_request(asked: Asked, tmp_path: Path) -> None:
    curl = program("curl")
    if "HTTP2" not in run([curl, "--version"]).stdout:
        pytest.skip("curl cannot speak HTTP/2")
    requests = []
    for number in range(COUNT):
        lines = ["http2", "silent", "show-error", "output = /dev/null", r'write-out = "%{http_code} %{num_connects}\n"']
        if number % 10 < 4:
            lines.append(f"url = {asked.url}/api/v1/contract")
        else:
            body = asked.row if number % 10 < 9 else asked.long
            lines += [f"url = {asked.url}/api/v1/predict", f"data-binary = @{body}"]
            lines.append('header = "Content-Type: application/json"')
        requests.append("\n".join(lines))
    config = tmp_path / "config"
    config.write_text("\nnext\n".join(requests))
    ran = run([curl, "--disable", "--config", str(config)])
    codes = re.findall(r"^(\d+) \d+$", ran.stdout, re.MULTILINE)
    wrong = [code for code in codes if code != "200"]
    assert (len(codes), len(wrong)) == (COUNT, 0), (wrong[:3], ran.stderr[-2000:])
    # or it kept none of its connections
    assert sum(int(line.split()[1]) for line in ran.stdout.splitlines()) < COUNT / 10
