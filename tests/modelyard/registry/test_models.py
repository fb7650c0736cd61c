from __future__ import annotations

import hashlib
import json
import os
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


def rename(folder: Path, name: str) -> None:
    """Forges the name on a model's card, and the card's digest in its manifest."""
    card, manifest = folder / "card.json", folder / "manifest.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"model": name}))
    document = json.loads(manifest.read_text())
    document["files"]["card.json"] = hashlib.sha256(card.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(document))


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "a/b", "..", ""])
def test_a_name_cannot_lead_out_of_the_registry(tmp_path: Path, name: str) -> None:
    source = make(tmp_path / "one")
    rename(source, name)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ModelError, match="the card is not valid: model"):
        promote(source, tmp_path / "a" / "models")
    assert sorted(tmp_path.rglob("*")) == before


def test_only_what_the_manifest_lists_is_registered(tmp_path: Path) -> None:
    source = make(tmp_path / "one")
    (source / "secrets.env").write_text("of another")
    (source / "link").symlink_to("/etc/passwd")
    found = register_model(source, tmp_path / "models")
    listed = {"card.json", "contract.json", "manifest.json", "pipeline.pkl", "reference.npy"}
    assert {path.name for path in found.path.iterdir()} == listed
    assert [path.name for path in found.path.parent.iterdir()] == [found.version], "nothing half-made is left"


def test_a_symbolic_link_and_a_fifo_are_not_registered(tmp_path: Path) -> None:
    source = make(tmp_path / "one")
    (source / "pipeline.pkl").rename(tmp_path / "elsewhere.pkl")
    (source / "pipeline.pkl").symlink_to(tmp_path / "elsewhere.pkl")
    with pytest.raises(ArtifactDamaged, match=r"pipeline\.pkl cannot be read: is a symbolic link"):
        promote(source, tmp_path / "models")
    (source / "pipeline.pkl").unlink()
    os.mkfifo(source / "pipeline.pkl")
    with pytest.raises(ArtifactDamaged, match=r"pipeline\.pkl cannot be read: is not a regular file"):
        promote(source, tmp_path / "models")
    assert list_models(tmp_path / "models") == []


FORGED = [
    '{"name": "../../x", "version": "1"}',
    '{"name": "adult", "version": ".."}',
    '{"name": "/", "version": "etc"}',
    '{"name": {}, "version": 1}',
    "[" * 100_000,
]


@pytest.mark.parametrize("content", ["", "[]", '{"name": "adult"}', *FORGED])
def test_a_damaged_record_of_the_champion_is_said_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "champion.json").write_text(content)
    with pytest.raises(ModelError, match=r"champion\.json does not say which model"):
        champion(tmp_path)
