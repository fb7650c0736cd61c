from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs" / "plugins.md"


@pytest.mark.usefixtures("own_plugins")
def test_the_code_of_the_plugin_guide_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, object] = {"__name__": "guide"}
    for block in blocks:
        exec(compile(block, str(DOCS), "exec"), names)
