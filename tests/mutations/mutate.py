"""Mutation testing: a seeded sample of small faults in the code, each of which a unit test must notice.

    make test-mutations                        # 300 mutants, seed 0
    make test-mutations ARGS="--only api.keys --count 50 --seed 1"

The mutants are cosmic-ray's; neither it nor mutmut draws a sample, and both start an interpreter for each mutant, which
takes longer here than the tests. This driver draws places in the code, one mutant for each, and runs the tests of its
module in a fork that has the third-party packages loaded and gets the mutant as the source of the module.

Prints the mutants that no test noticed and the share that was killed; ends with 1 where it is below 85 %.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import parso
import pytest
from cosmic_ray.operators.provider import OperatorProvider
from parso.tree import NodeOrLeaf

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "platform"
REQUIRED = 0.85
# beyond this the fault keeps a test waiting, which a suite with a time limit notices
SLOWER, GRACE_S = 5.0, 20.0

# the tests of each module, those that most likely notice a fault first
API, MODELS = "tests/modelyard/api", "tests/modelyard/models"
V2_TESTS = (f"{API}/test_tensors.py", f"{API}/test_v2_messages.py", f"{API}/test_v2.py", f"{API}/test_v2_refusals.py")
REPORT_TESTS = (f"{MODELS}/test_curves.py", f"{MODELS}/test_report_curves.py", f"{MODELS}/test_evaluation.py")
TESTS = {
    "modelyard.api.keys": (f"{API}/test_keys.py", f"{API}/test_lane.py"),
    "modelyard.api.decoding": (f"{API}/test_decoding.py", f"{API}/test_malformed.py", f"{API}/test_predict.py"),
    "modelyard.api.typed": (f"{API}/test_typed.py", f"{API}/test_malformed.py", f"{API}/test_predict.py"),
    "modelyard.api.tensors": V2_TESTS,
    "modelyard.api.v2_messages": V2_TESTS,
    "modelyard.api.json_size": (f"{API}/test_json_size.py", f"{API}/test_amplification.py"),
    "modelyard.api.arrow_size": (f"{API}/test_arrow_size.py", f"{API}/test_arrow.py"),
    "modelyard.api.arrow_stream": (f"{API}/test_arrow.py",),
    "modelyard.api.intake": (f"{API}/test_limits.py", f"{API}/test_lane.py", f"{API}/test_malformed.py"),
    "modelyard.api.one_write": (f"{API}/test_one_write.py",),
    "modelyard.models.evaluation": REPORT_TESTS,
    "modelyard.models.classification": REPORT_TESTS,
    "modelyard.models.regression": REPORT_TESTS,
    "modelyard.models.curves": REPORT_TESTS,
    "modelyard.models.metrics": (f"{MODELS}/test_metrics.py", *REPORT_TESTS),
    "modelyard.models.decisions": (f"{MODELS}/test_metrics.py", *REPORT_TESTS),
    "modelyard.models.ranking": (f"{MODELS}/test_metrics.py", *REPORT_TESTS),
    "modelyard.models.intervals": (f"{MODELS}/test_metrics.py", *REPORT_TESTS),
}
# loaded once, before the forks
LOADED = [
    "fastapi",
    "fastapi_offline",
    "httpx",
    "hydra",
    "hypothesis",
    "msgspec",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "prometheus_client",
    "pyarrow.parquet",
    "pydantic",
    "sklearn.metrics",
    "sklearn.linear_model",
    "uvicorn",
    "uvloop",
]
OPERATORS = OperatorProvider()
# they need arguments, fail on dotted names, or make what nobody would write
LEFT_OUT = (
    "Variable",
    "ExceptionReplacer",
    "NoOp",
    "RemoveDecorator",
    "ReplaceComparisonOperator_Eq_Is",
    "ReplaceComparisonOperator_NotEq_Is",
)


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        module: Where it is.
        line: The same, in the source.
        code: The module's source with it.
    """

    module: str
    line: int
    code: str

    def __str__(self) -> str:
        original = path_of(self.module).read_text().splitlines()
        changed = difflib.unified_diff(original, self.code.splitlines(), lineterm="", n=0)
        lines = [line for line in changed if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        return "\n".join([f"{self.module}:{self.line}", *lines])


class Replaced(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Loads one module from a mutant's source.

    Args:
        mutant: The mutant.
    """

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._mutant.module:
            return None
        return importlib.util.spec_from_file_location(fullname, path_of(fullname), loader=self)

    def get_filename(self, fullname: str) -> str:
        return str(path_of(fullname))

    def get_data(self, path: str) -> bytes:  # noqa: ARG002  # there is one
        return self._mutant.code.encode()


def path_of(module: str) -> Path:
    """Returns the file of a module."""
    return SOURCE.joinpath(*module.split(".")).with_suffix(".py")


@dataclass(frozen=True)
class Place:
    """A place in the code where there are mutants.

    Attributes:
        module: Where it is.
        line: The same, in the source.
        mutants: Operators, each with the number of the place among those where it can be used.
    """

    module: str
    line: int
    mutants: tuple[tuple[str, int], ...]

    def draw(self, draw: random.Random) -> Mutant | None:
        """Returns one of its mutants; None where no operator makes code that compiles."""
        for name, number in draw.sample(self.mutants, len(self.mutants)):
            # some operators take ** before an argument for a power
            if _compiles(code := mutate(path_of(self.module).read_text(), name, number)):
                return Mutant(self.module, self.line, code)
        return None


def places_of(module: str) -> list[Place]:
    """Returns the places of a module."""
    source = path_of(module).read_text()
    unused, tree = annotations(source), [*nodes(parso.parse(source))]
    found: dict[tuple[int, ...], list[tuple[str, int]]] = {}
    for name in OPERATORS:
        if not name.startswith(LEFT_OUT):
            operator = OPERATORS[name]()
            positions = (position for node in tree for position in operator.mutation_positions(node))
            for number, (begin, end) in enumerate(positions):
                if begin[0] not in unused:
                    found.setdefault((*begin, *end), []).append((name, number))
    return [Place(module, place[0], tuple(found[place])) for place in sorted(found)]


def _compiles(code: str) -> bool:
    with warnings.catch_warnings(action="ignore"), contextlib.suppress(SyntaxError):
        return bool(compile(code, "mutant", "exec"))
    return False


def annotations(source: str) -> set[int]:
    """Returns the lines of types and of what is not run: a fault in them changes nothing."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        parts: list[ast.expr | None] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            parts = [node.returns, *(each.annotation for each in (*arguments.args, *arguments.kwonlyargs))]
        elif isinstance(node, ast.AnnAssign) and node.value is None:
            parts = [node.annotation]
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            parts = [node.test]
        for part in parts:
            if part is not None:
                lines.update(range(part.lineno, (part.end_lineno or part.lineno) + 1))
    return lines


def nodes(node: NodeOrLeaf) -> Iterator[NodeOrLeaf]:
    """Yields a node and all below it."""
    yield node
    for child in getattr(node, "children", ()):
        yield from nodes(child)


def mutate(source: str, name: str, number: int) -> str:
    """Returns the source after an operator was used at its place of that number."""
    operator, tree = OPERATORS[name](), parso.parse(source)
    for node in nodes(tree):
        for index, _ in enumerate(operator.mutation_positions(node)):
            if number == 0:
                changed = operator.mutate(node, index)
                if changed is not node:
                    siblings = node.parent.children
                    siblings[siblings.index(node)] = changed
                return str(tree.get_code())
            number -= 1
    raise AssertionError(f"{name} has no such place")


class Run:
    """The tests of one mutant, in a process group of their own.

    Args:
        mutant: The mutant, or a module's own source.
        limit_s: When it counts as killed.
    """

    def __init__(self, mutant: Mutant, limit_s: float) -> None:
        self.mutant = mutant
        self._began, self._limit_s = time.monotonic(), limit_s
        self._pid = os.fork()
        if not self._pid:
            os._exit(_test(mutant))

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self._began

    def killed(self) -> bool | None:
        """Returns whether a test failed; None while they run."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if not pid and self.seconds < self._limit_s:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        if not pid:
            os.waitpid(self._pid, 0)
            return True
        return status != 0


def _test(mutant: Mutant) -> int:
    """Runs the tests of a mutant in this process, and returns their exit code."""
    os.setsid()
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(quiet, descriptor)
    sys.meta_path.insert(0, Replaced(mutant))
    # plugins of pytest that were loaded before it
    options = ("-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
    with contextlib.suppress(BaseException):
        return int(pytest.main([*options, *TESTS[mutant.module]]))
    return 1


def unchanged_seconds(modules: Sequence[str]) -> dict[str, float]:
    """Runs the tests of unchanged modules; returns how long each took."""
    seconds = {}
    for module in modules:
        run = Run(Mutant(module, 0, path_of(module).read_text()), 600.0)
        while (failed := run.killed()) is None:
            time.sleep(0.02)
        if failed:
            sys.exit(f"the tests of {module} fail without a mutant: {' '.join(TESTS[module])}")
        seconds[module] = run.seconds
    return seconds


def main() -> None:
    """Draws mutants, runs their tests, and prints what was not noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--minutes", type=float, default=30.0, help="when to stop, whatever is left")
    parser.add_argument("--only", default="", help="modules with this in their name")
    arguments = parser.parse_args()
    deadline = time.monotonic() + 60 * arguments.minutes
    draw = random.Random(arguments.seed)
    modules = [module for module in TESTS if arguments.only in module]
    places = [place for module in modules for place in places_of(module)]
    draw.shuffle(places)
    drawn = (mutant for place in places if (mutant := place.draw(draw)) is not None)
    sample = [*islice(drawn, arguments.count)]
    os.chdir(ROOT)
    for name in LOADED:
        importlib.import_module(name)
    seconds = unchanged_seconds(sorted({mutant.module for mutant in sample}))
    waiting, running = sample[::-1], list[Run]()
    killed, survived = 0, list[Mutant]()
    while (waiting or running) and time.monotonic() < deadline:
        while waiting and len(running) < arguments.processes:
            mutant = waiting.pop()
            running.append(Run(mutant, SLOWER * seconds[mutant.module] + GRACE_S))
        for run in running[:]:
            if (failed := run.killed()) is None:
                continue
            running.remove(run)
            killed += failed
            if not failed:
                survived.append(run.mutant)
                print(f"{run.mutant}\n", flush=True)
        time.sleep(0.02)
    tested = killed + len(survived)
    share = killed / tested if tested else 0.0
    print(f"{killed} of {tested} mutants killed ({share:.1%}), {len(sample) - tested} not run; seed {arguments.seed}")
    sys.exit(share < REQUIRED or tested < len(sample))


if __name__ == "__main__":
    main()
