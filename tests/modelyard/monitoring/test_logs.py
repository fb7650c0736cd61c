from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = """
import logging, sys, time
from modelyard.config.models import ServingSettings
from modelyard.monitoring.logs import REQUEST, find_log, set_up_logs

logging.getLogger("uvicorn.error").addHandler(logging.StreamHandler(sys.stdout))
set_up_logs(ServingSettings(logs={form!r}, log_features={features}))
log = logging.getLogger("mine")
{body}
"""

FAILS = """
def fail(value):
    try:
        raise KeyError(value)
    except KeyError as error:
        raise ValueError(f"could not convert {value}") from error

REQUEST.set({"request_id": "r-1"})
try:
    fail("Zanzibar7731")
except ValueError:
    log.exception("a request failed")
logging.getLogger("uvicorn.error").warning("look")
"""

# more than a pipe holds, and more lines than are kept
FLOODS = """
began = time.perf_counter()
for number in range(30_000):
    log.warning("%s %d", "x" * 100, number)
print(time.perf_counter() - began, flush=True)
sys.stdin.readline()
time.sleep(0.5)
log.warning("the last")
"""


def run(body: str, form: str = "json", features: bool = False) -> list[str]:
    code = PROGRAM.format(form=form, features=features, body=body)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_an_error_says_where_it_came_from_and_quotes_nothing() -> None:
    first, second = map(json.loads, run(FAILS))
    assert first.items() >= {"level": "ERROR", "message": "a request failed", "request_id": "r-1"}.items()
    assert "in fail" in first["exception"]
    assert first["exception"].endswith("builtins.KeyError")
    assert "builtins.ValueError" in first["exception"]
    assert "Zanzibar7731" not in str(first)
    assert (second["logger"], second["message"]) == ("uvicorn.error", "look")


def test_an_error_quotes_where_that_was_asked_for() -> None:
    assert "could not convert Zanzibar7731" in json.loads(run(FAILS, features=True)[0])["exception"]


def test_lines_for_people_quote_no_more() -> None:
    lines = run(FAILS, form="text")
    assert lines[0].endswith(" ERROR   mine: a request failed")
    assert lines[-1].endswith(" WARNING uvicorn.error: look")
    assert "Zanzibar7731" not in "".join(lines)


def test_a_reader_that_is_slow_holds_nothing_up_and_hears_of_what_it_missed() -> None:
    code = PROGRAM.format(form="json", features=False, body=FLOODS)
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as child:
        assert child.stdout is not None
        # nobody has read a line of its standard error
        assert float(child.stdout.readline()) < 30
        lines = [json.loads(line) for line in child.communicate("\n")[1].splitlines()]
    missed = [line["message"] for line in lines if "were left out" in line["message"]]
    assert missed
    assert sum(int(said.split()[0]) for said in missed) + len(lines) - len(missed) == 30_001
    assert lines[-1]["message"] == "the last"


def test_a_reader_that_never_reads_does_not_keep_the_process() -> None:
    code = PROGRAM.format(form="json", features=False, body=FLOODS.replace("sys.stdin.readline()", ""))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=Path.cwd()
    ) as child:
        began = time.monotonic()
        assert child.wait(60) == 0
        assert time.monotonic() - began < 60
