"""Frame of the fuzz programs: contracts to fuzz with, corpora, and the bounds that every input must keep.

Each program ends at the first input that fails its check. An input fails where it raises anything but a refusal, takes
more CPU time or memory than `MAX_CPU_S` and `MAX_GROWTH_MB`, or is answered unlike the program's slow reference.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris
import pandas as pd

with atheris.instrument_imports(include=["modelyard"]):
    from modelyard.api import arrow, endpoints, v2  # noqa: F401  # instrumented for the programs, too
    from modelyard.api.predict import Predictor
    from modelyard.api.problems import MOST_ERRORS, to_problem
    from modelyard.data.encoding import Encoder
    from modelyard.data.rows import RowEncoder, TypedEncoder  # noqa: F401
    from modelyard.data.violations import Violations  # noqa: F401

from prometheus_client import CollectorRegistry

from malformed_bodies import GOOD
from modelyard.data.contract import Column, Contract, Target
from modelyard.models.artifact import load_model
from modelyard.monitoring.metrics import PredictionMetrics
from served_model import make_contract, make_table, save_served

__all__ = ["FITTING", "MAX_BYTES", "MAX_ROWS", "TOKENS", "Subject", "check_refusal", "fuzz"]

MAX_ROWS = 8
MAX_BYTES = 2**20
MAX_CPU_S = 2.0  # instrumented code is several times slower
MAX_GROWTH_MB = 64
LONGEST_REFUSAL = 100_000
# numbers, texts and dates at the edges of what a type can hold, as JSON
TOKENS = [
    *("null", "true", "false", "0", "-0", "-0.0", "1", "2", "30", "39", "3.0", "1e0", "1e-400", "1e400", "-1e308"),
    *("3.4028235e38", "3.4028236e38", "9007199254740993", "-9223372036854775808", "18446744073709551616", "2.5"),
    *("NaN", "Infinity", '""', '"1"', '"2.5"', '"true"', '" FALSE "', '"Private"', '"Größe x"', '"?"', '"\\ud83d"'),
    *('"2024-02-01T10:00:00"', '"2024-02-01"', '"20240201T100000,5+0230"', '"2024-W05-4"', '"0001-01-01T00:00+23:59"'),
    *('"9999-12-31T23:59:59.999999-23:59"', '" 1969-12-31T23:59:59.9Z "', "[]", "{}", "1.5", "0.1", "16777217"),
]
# those that a column of a kind takes
FITTING = {
    "numeric": ["0", "1", "30", "39", "-0.0", "2.5", "9007199254740993", "1e300", "null"],
    "categorical": ['""', '"1"', '"2.5"', '"Private"', '"Größe x"', '"?"', "null"],
    "boolean": ["true", "false", "null"],
    "datetime": ['"2024-02-01T10:00:00"', '"2024-02-01"', '"2024-W05-4"', '" 1969-12-31T23:59:59.9Z "', "null"],
}


class Subject:
    """One contract, and what answers requests for it."""

    def __init__(self, contract: Contract, folder: Path) -> None:
        self.contract = contract
        self.metrics = PredictionMetrics(CollectorRegistry())
        self.predictor = Predictor(load_model(folder), MAX_ROWS, self.metrics)
        self.encoder = Encoder(contract)


def tables() -> list[tuple[pd.DataFrame, Contract]]:
    """Tables: mixed, with a contract that refuses all that it can, of odd categories, of odd names, of numbers."""
    frame = make_table()
    refuse = {"on_null": "refuse", "on_unknown": "refuse", "on_range": "refuse"}
    odd = (
        Column(name="number", kind="numeric", integer=True, nullable=True, minimum=-(2.0**60), maximum=2.0**60),
        Column(name="code", kind="categorical", vocabulary=("1", "2.5", "03", "x", "9007199254740993", "")),
        Column(name="strict", kind="categorical", vocabulary=("1", "2.5", "a"), on_unknown="refuse"),
        Column(name="when", kind="datetime", nullable=True),
        Column(name="flag", kind="boolean"),
    )
    rows = pd.DataFrame({"number": [1, 2], "code": "1", "strict": "a", "when": "2024-01-01", "flag": [True, False]})
    values = make_table("regression").rename(columns={"age": 'a"ge', "json": "back\\slash"})
    numbers = make_table("multiclass")[["age", "education-num", "target"]]
    return [
        (frame, make_contract(frame)),
        (frame, make_contract(frame, **dict.fromkeys(GOOD, refuse))),
        (rows, Contract(columns=odd, target=Target(name="y", task="binary", classes=('"a"', "b")))),
        (values, make_contract(values)),
        (numbers, make_contract(numbers)),
    ]


def check_refusal(error: Exception) -> None:
    """Fails unless an error becomes a short answer below 500."""
    details = to_problem(error).details
    if details.status >= 500:
        raise error
    assert details.detail
    assert len(details.errors) <= MOST_ERRORS
    assert len(json.dumps(details.model_dump())) < LONGEST_REFUSAL


def fuzz(prepare: Callable[[list[Subject]], Callable[[bytes], None]], seeds: Callable[[], Iterable[bytes]]) -> None:
    """Fuzzes until libFuzzer or a signal ends it.

    Args:
        prepare: Gives the check of one input for the subjects.
        seeds: First inputs; they are written where the first argument names an empty folder, else to a temporary one.
    """
    with tempfile.TemporaryDirectory() as scratch:
        subjects = [
            Subject(contract, save_served(Path(scratch) / str(number), frame, contract))
            for number, (frame, contract) in enumerate(tables())
        ]
        check = prepare(subjects)
        corpus = next((Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")), None)
        if corpus is None:
            corpus = Path(scratch) / "corpus"
            sys.argv.append(str(corpus))
        if not corpus.is_file():
            _write_seeds(corpus, seeds())
            for seed in corpus.iterdir():
                check(seed.read_bytes())  # what is loaded or cached once is no growth
        atheris.Setup(sys.argv, lambda given: _within_bounds(check, given))
        atheris.Fuzz()


def _write_seeds(corpus: Path, seeds: Iterable[bytes]) -> None:
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        for number, seed in enumerate(seeds):
            (corpus / f"seed-{number}").write_bytes(seed)


def _within_bounds(check: Callable[[bytes], None], given: bytes) -> None:
    peak, began = _peak_mb(), time.process_time()
    check(given)
    seconds, growth = time.process_time() - began, _peak_mb() - peak
    assert seconds < MAX_CPU_S, f"{seconds:.1f} s for {len(given)} bytes"
    assert growth < MAX_GROWTH_MB, f"{growth:.0f} MB for {len(given)} bytes"


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
