from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelyard.plugins import registry


@pytest.fixture
def own_plugins() -> Iterator[None]:
    """What a test registers is forgotten after it; built-in plugins, imported only once, stay."""
    before = set(registry._registered)
    yield
    for name in set(registry._registered) - before - set(registry.BUILT_IN):
        del registry._registered[name]
