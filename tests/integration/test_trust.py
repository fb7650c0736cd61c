"""docs/trust.md names every place that unpickles; a new one needs a gate and a line there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNPICKLERS = {"pickle", "cloudpickle", "joblib", "dill", "shelve", "marshal", "torch"}
# each is named in docs/trust.md with its gate
GATED = {
    "platform/modelyard/models/artifact.py",
    "platform/modelyard/api/service.py",
    "platform/modelyard/plugins/testing.py",
}


def unpickles(path: Path) -> bool:
    """Whether a module calls load or loads of a library that runs what it reads, or allows pickles in arrays."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        if re.fullmatch(rf"({'|'.join(UNPICKLERS)})\.(load|loads|Unpickler|open)", name) or name.endswith(
            "read_pickle"
        ):
            return True
        if name in ("np.load", "numpy.load") and "allow_pickle=False" not in ast.unparse(node):
            return True
    return False


def test_nothing_unpickles_but_what_the_page_names() -> None:
    modules = [path for root in ("platform", "tuning", "bentos") for path in (ROOT / root).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in modules if unpickles(path)}
    assert found == GATED
