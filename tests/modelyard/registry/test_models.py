from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.dummy import DummyClassifier

from modelyard.config.models import Settings
from modelyard.data.contract import Column, Contract, Target
from modelyard.errors import ArtifactDamaged, ModelError, ModelNotFound
from modelyard.models.artifact import save_model
from modelyard.models.card import Card
from modelyard.registry.models import champion, find_model, list_models, promote, register_model


def make(folder: Path, name: str = "adult", seed: int = 0) -> Path:
    contract = Contract(
        columns=(Column(name="x", kind="numeric"),), target=Target(name="y", task="binary", classes=("no", "yes"))
    )
    card = Card(model=name, task="binary", metric="roc_auc", algorithm="linear", contract=contract.digest, seed=seed)
    return save_model(folder, contract=contract, card=card, pipeline=DummyClassifier().fit([[0.0], [1.0]], [0, 1]))


def test_the_champion_is_what_was_promoted_last(tmp_path: Path) -> None:
    settings = Settings.model_validate({"storage": {"models": str(tmp_path / "models")}})
    with pytest.raises(ModelNotFound, match="no model 'champion'; make one with: modelyard pack RUN"):
        champion(settings)
    assert promote(make(tmp_path / "one", seed=1), settings) is None
    first = champion(settings)
    replaced = promote(make(tmp_path / "two", seed=2), settings)
    assert replaced is not None
    assert replaced.path == first
    assert champion(settings) == champion(tmp_path / "models") != first
    assert (champion(settings) / "card.json").read_bytes() == (tmp_path / "two" / "card.json").read_bytes()
    assert first.is_dir()


def test_the_same_model_is_kept_once(tmp_path: Path) -> None:
    source = make(tmp_path / "one")
    first, second = register_model(source, tmp_path / "models"), register_model(source, tmp_path / "models")
    assert first == second
    assert list_models(tmp_path / "models") == [first]
    assert promote(source, tmp_path / "models") is None
    assert promote(source, tmp_path / "models") is None, "it replaces no other"


def test_models_are_found_by_name_and_version(tmp_path: Path) -> None:
    root = tmp_path / "models"
    old, new = (register_model(make(tmp_path / str(seed), seed=seed), root) for seed in (1, 2))
    assert find_model(root, "adult") == new
    assert find_model(root, "adult", old.version) == old
    with pytest.raises(ModelNotFound, match="did you mean 'adult'"):
        find_model(root, "adlt")
    with pytest.raises(ModelNotFound, match=old.version):
        find_model(root, "adult", old.version[:-1])


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        promote(tmp_path / "nothing", tmp_path / "models")
    source = make(tmp_path / "one")
    (source / "card.json").write_text("{}")
    with pytest.raises(ArtifactDamaged):
        promote(source, tmp_path / "models")
    source = make(tmp_path / "two")
    (source / "pipeline.pkl").write_bytes(b"cut")
    with pytest.raises(ArtifactDamaged, match=r"pipeline\.pkl differs"):
        promote(source, tmp_path / "models")
    assert list_models(tmp_path / "models") == []


@pytest.mark.parametrize("content", ["", "[]", '{"name": "adult"}'])
def test_a_damaged_record_of_the_champion_is_said_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "champion.json").write_text(content)
    with pytest.raises(ModelError, match=r"champion\.json does not say which model"):
        champion(tmp_path)
