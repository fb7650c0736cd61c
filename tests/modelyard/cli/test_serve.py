"""`modelyard serve` where it cannot serve; `tests/modelyard_bentos/test_client.py` has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.api.server import listen


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one bento, of which nothing is read before its server runs."""
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    (tmp_path / "bentoml" / "bentos" / "people" / "1" / "src" / "model").mkdir(parents=True)
    return tmp_path / "bentoml"


@pytest.mark.usefixtures("store")
def test_a_taken_port_is_one_sentence(modelyard):
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        refused = modelyard("serve", "people:1", f"api.port={port}")
    sentence = f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another port or host"
    assert (refused.code, refused.sentence) == (1, sentence)


@pytest.mark.usefixtures("store")
def test_a_bento_that_is_not_there_is_one_sentence(modelyard):
    refused = modelyard("serve", "people:2")
    assert refused.code == 1
    assert "did you mean 'people:1'" in refused.sentence
