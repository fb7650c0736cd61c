"""The rules of the house that no linter knows."""

from __future__ import annotations

import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements" / "lock.txt").read_text()

HEAVY = {"bentoml", "hydra", "lightgbm", "numpy", "onnxruntime", "optuna", "pandas", "ray", "scipy", "sklearn"}

LIST_MODULES = """
import json, sys
sys.argv = {argv!r}
try:
    {code}
except SystemExit as end:
    assert not end.code, end.code
print("\\n" + json.dumps(sorted(sys.modules)))
"""


def project_files(*patterns: str) -> list[Path]:
    """Files that are, or would be, part of a commit."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_a_file_has_one_subject() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in project_files("*.py")}
    assert {str(path): count for path, count in lines.items() if count >= 400} == {}
    assert statistics.median(lines.values()) < 120


def test_nothing_shadows_the_platform_module_and_no_test_folder_is_a_package() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert not (ROOT / "tests" / "platform").exists()
    assert [path for path in project_files("tests/*") if path.name == "__init__.py"] == []


def test_every_part_of_the_library_stands_in_a_layer() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layered = set(re.findall(r"modelyard\.(\w+)", " ".join(contracts[0]["layers"])))
    parts = {path.relative_to(ROOT / "platform" / "modelyard").parts[0] for path in project_files("platform/*.py")}
    assert {part.removesuffix(".py") for part in parts} - {"__init__", "__main__"} <= layered


def test_nothing_names_a_machine_or_a_registry() -> None:
    named = re.compile(
        r"(?<![\w.])/(?:root|work|Users)/\w"
        r"|pypi[.]org|pythonhosted[.]org|npmjs[.]org|anaconda[.]org|deb[.]debian[.]org"
        rf"|{re.escape(str(ROOT))}/"
    )
    found = []
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in named.finditer(text)]
    assert found == []


def test_the_lock_names_hashes_and_no_index() -> None:
    assert "://" not in LOCK
    assert not re.findall(r"^\s*-", re.sub(r"^    --hash=sha256:[0-9a-f]{64}.*$", "", LOCK, flags=re.M), flags=re.M)
    pins = re.findall(r"^[a-z0-9][^\n]*\\\n +(--hash=)?", LOCK, flags=re.M)
    assert pins == ["--hash="] * len(re.findall(r"^[a-z0-9]", LOCK, flags=re.M))


def test_the_lock_meets_every_requirement_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [*project["project"]["optional-dependencies"].values(), project["dependency-groups"]["dev"]]
    wanted = project["project"]["dependencies"] + [text for group in groups for text in group]
    locked = dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", LOCK, flags=re.M))
    requirements = [wish for text in wanted if (wish := Requirement(text)).name != "modelyard"]
    assert [str(wish) for wish in requirements if not wish.specifier.contains(locked.get(wish.name, "0"))] == []


def test_documents_name_only_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    for path in project_files("*.md"):
        named = set(re.findall(r"(?:`|^|    )make ([a-z][a-z-]+)", path.read_text(), flags=re.M))
        assert named <= targets, path


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["modelyard"], "import modelyard"),
        (["modelyard", "--help"], "from modelyard.cli import main; main()"),
        (["modelyard", "run", "--help"], "from modelyard.cli import main; main()"),
    ],
    ids=["import", "help", "run-help"],
)
def test_a_start_loads_nothing_heavy_and_takes_half_a_second(argv: list[str], code: str, tmp_path: Path) -> None:
    unwanted = ("COVERAGE_", "COV_", "PYTHONDONTWRITEBYTECODE")
    quiet = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    # the first start compiles, as an installation does
    quiet["PYTHONPYCACHEPREFIX"] = str(tmp_path / "bytecode")
    script = LIST_MODULES.format(argv=argv, code=code)
    seconds, bare = [], []
    for _ in range(3):
        bare.append(_processor_seconds("pass", quiet, tmp_path)[0])
        taken, shown = _processor_seconds(script, quiet, tmp_path)
        seconds.append(taken)
    loaded = {name.partition(".")[0] for name in json.loads(shown.splitlines()[-1])}
    assert loaded & HEAVY == set()
    # half a second where the interpreter alone takes a fiftieth; a machine that others use is slower at both
    assert min(seconds) < max(0.5, 25 * min(bare))


def _processor_seconds(code: str, environment: dict[str, str], folder: Path) -> tuple[float, str]:
    """Returns what a program took, which other tests on the same cores do not change much, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout
