from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.data.contract import Contract
from modelyard.errors import ArtifactDamaged, ModelError, ModelNotFound, UsageError
from modelyard.models.artifact import load_model, read_card, save_model, verify
from modelyard.models.calibration import Calibration
from modelyard.models.manifest import read_manifest


def npy(array: np.ndarray, **options: bool) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


FILES = ("model.onnx", "pipeline.pkl", "reference.npy", "contract.json", "card.json", "manifest.json")


def test_a_loaded_model_answers_as_the_one_that_was_saved(parts, tmp_path) -> None:
    model = load_model(parts.save(tmp_path / "m"))
    np.testing.assert_allclose(model.predict_proba(parts.frame), parts.model.predict_proba(parts.frame), atol=1e-5)
    assert model.compiled
    assert (model.name, model.threshold, model.fitted) == ("orders", 0.4, None)
    assert model.version == read_manifest(tmp_path / "m").digest[:12]
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == sorted(FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["m"], "nothing half-written is left"


def test_loading_a_compiled_model_needs_neither_scikit_learn_nor_pandas(parts, tmp_path) -> None:
    folder = parts.save(tmp_path / "m")
    code = f"""
import sys
from modelyard.models.artifact import load_model, read_card
model = load_model({str(folder)!r})
print(model.predict([model.contract.example]).tolist())
read_card({str(folder)!r})
heavy = {{"sklearn", "pandas", "scipy", "onnx", "skl2onnx", "lightgbm"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("['yes']", "['no']")


def test_the_same_parts_give_the_same_version(parts, tmp_path) -> None:
    first, second = (read_manifest(parts.save(tmp_path / name)) for name in ("a", "b"))
    assert first.digest == second.digest
    other = parts.save(tmp_path / "c", card=parts.card.model_copy(update={"threshold": 0.5}))
    assert read_manifest(other).version != first.version


@pytest.mark.parametrize("name", FILES[:-1])
def test_a_changed_file_is_named(parts, tmp_path, name) -> None:
    folder = parts.save(tmp_path / "m")
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    for call in (load_model, verify):
        with pytest.raises(ArtifactDamaged, match=f"{name} differs from the manifest; restore the folder"):
            call(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(parts, tmp_path, name) -> None:
    folder = parts.save(tmp_path / "m")
    (folder / name).unlink()
    with pytest.raises(ArtifactDamaged, match=f"{name} is missing"):
        load_model(folder)


@pytest.mark.parametrize(
    "manifest",
    ["{", "[]", '{"format": 2, "files": {}}', '{"files": {"card.json": "00"}}', '{"files": {"../key": "00"}}'],
)
def test_a_strange_manifest_is_damage(parts, tmp_path, manifest) -> None:
    folder = parts.save(tmp_path / "m")
    (folder / "manifest.json").write_text(manifest)
    with pytest.raises(ArtifactDamaged, match=r"manifest\.json"):
        load_model(folder)


def test_a_manifest_cannot_point_outside(parts, tmp_path) -> None:
    folder = parts.save(tmp_path / "m")
    document = json.loads((folder / "manifest.json").read_text())
    document["files"]["../../etc/passwd"] = "00"
    (folder / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(ArtifactDamaged, match="belongs to no model"):
        load_model(folder)


def test_a_missing_folder_names_its_neighbours(parts, tmp_path) -> None:
    parts.save(tmp_path / "orders")
    with pytest.raises(ModelNotFound, match="orders"):
        load_model(tmp_path / "order")


def test_a_pickle_needs_permission_and_is_said_loudly(parts, tmp_path, caplog) -> None:
    folder = parts.save(tmp_path / "m", onnx=None)
    with pytest.raises(ModelError, match=r"only a pickle, which can run any code.*allow_pickle=True"):
        load_model(folder)
    assert not caplog.records
    model = load_model(folder, allow_pickle=True)
    assert "loading a pickle" in caplog.text
    assert not model.compiled
    np.testing.assert_array_equal(model.predict_proba(parts.frame), parts.model.predict_proba(parts.frame))


def test_a_changed_pickle_is_never_loaded(parts, tmp_path, caplog) -> None:
    folder = parts.save(tmp_path / "m", onnx=None)
    (folder / "pipeline.pkl").write_bytes(b"cos\nsystem\n(S'exit 3'\ntR.")
    with pytest.raises(ArtifactDamaged, match=r"pipeline\.pkl differs"):
        load_model(folder, allow_pickle=True)
    assert not caplog.records


def test_the_original_is_calibrated_as_the_card_says(parts, tmp_path) -> None:
    calibration = Calibration(1.7, (0.0, -0.4))
    card = parts.card.model_copy(update={"calibration": calibration})
    model = load_model(parts.save(tmp_path / "m", onnx=None, card=card), allow_pickle=True)
    expected = calibration.apply(parts.model.scorer(parts.model.encode(parts.frame)))
    np.testing.assert_allclose(model.scorer(model.encode(parts.frame)), expected)


def test_saving_again_replaces_the_folder(parts, tmp_path) -> None:
    parts.save(tmp_path / "m")
    parts.save(tmp_path / "m", onnx=None)
    assert not (tmp_path / "m" / "model.onnx").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_failing_save_leaves_the_old_folder(parts, tmp_path) -> None:
    folder = parts.save(tmp_path / "m")
    version = read_manifest(folder).version
    with pytest.raises(AttributeError):
        parts.save(folder, pipeline=lambda: None)
    assert read_manifest(folder).version == version
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_parts_that_do_not_belong_together_are_refused(parts, tmp_path) -> None:
    with pytest.raises(UsageError, match="needs a compiled graph or a fitted pipeline"):
        save_model(tmp_path / "m", contract=parts.contract, card=parts.card)
    with pytest.raises(UsageError, match="card is of another contract"):
        parts.save(tmp_path / "m", card=parts.card.model_copy(update={"contract": "00"}))
    assert not list(tmp_path.iterdir())


def test_verify_compares_the_graph_with_its_reference_rows(parts, tmp_path) -> None:
    found = verify(parts.save(tmp_path / "m"))
    assert (found["ok"], found["files"], found["served"]) == (True, 5, "compiled")
    assert (found["reference"]["rows"], found["reference"]["failures"]) == (200, 0)
    assert not {"parity", "note"} & set(found)
    json.dumps(found)
    assert not {"reference", "note"} & set(verify(tmp_path / "m", deep=False))


def test_verify_compares_graph_and_pickle_on_fresh_rows_where_it_is_trusted(parts, tmp_path, caplog) -> None:
    found = verify(parts.save(tmp_path / "m"), trust_pickle=True)
    assert found["ok"]
    assert found["parity"]["rows"] == 10_000
    assert found["reference"]["rows"] == 200
    assert "loading a pickle" in caplog.text


def test_verify_catches_a_graph_of_another_model(parts, tmp_path) -> None:
    folder = parts.save(tmp_path / "m", pipeline=Turned(parts.model.fitted.pipeline))
    found = verify(folder)
    assert not found["ok"]
    assert found["reference"]["failures"] > 100
    assert verify(folder, trust_pickle=True)["parity"]["failures"] > 5000


def test_verify_unpickles_nothing_on_its_own(parts, tmp_path, caplog) -> None:
    folder = parts.save(tmp_path / "m")
    forge(folder, "pipeline.pkl", pickle.dumps(Command(f"touch {tmp_path / 'ran'}")))
    assert verify(folder)["ok"]
    assert not (tmp_path / "ran").exists()
    assert not caplog.records
    with pytest.raises(ModelError):
        verify(folder, trust_pickle=True)
    assert (tmp_path / "ran").exists(), "the forged pickle would run"


def test_verify_of_an_original_needs_trust(parts, tmp_path) -> None:
    folder = parts.save(tmp_path / "m", onnx=None)
    found = verify(folder)
    assert found["ok"]
    assert "no compiled graph; if you trust its maker, allow its pickle" in found["note"]
    trusted = verify(folder, trust_pickle=True)
    assert (trusted["ok"], trusted["reference"]["worst_difference"]) == (True, 0.0)


def test_verify_says_where_there_are_no_reference_rows(parts, tmp_path) -> None:
    found = verify(parts.save(tmp_path / "m", pipeline=None))
    assert found["ok"]
    assert "no reference rows" in found["note"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "cannot be read"),
        (npy(np.zeros((200, 3))), "has 200 rows of 3 values"),
        (npy(np.zeros((0, 12))), "has 0 rows"),
        (npy(np.zeros(7)), "not one table of float64"),
        (npy(np.zeros((2, 7), dtype=np.float32)), "not one table of float64"),
        (npy(np.array([{"a": 1}], dtype=object), allow_pickle=True), "cannot be read"),
        (npy(np.zeros((1, 1))).replace(b"(1, 1)", b"(2**50, 1)"), "cannot be read"),
    ],
)
def test_strange_reference_rows_are_one_sentence(parts, tmp_path, content, problem) -> None:
    folder = parts.save(tmp_path / "m")
    forge(folder, "reference.npy", content)
    with pytest.raises(ModelError, match=rf"reference.*{problem}"):
        verify(folder)
    load_model(folder)


def other_contract(contract: Contract, **target: Any) -> bytes:
    return contract.model_copy(update={"target": contract.target.model_copy(update=target)}).to_json().encode()


def test_a_contract_of_another_model_is_found_when_it_is_loaded(parts, tmp_path) -> None:
    contract = parts.contract
    cases = {
        "the contract has 8 features, the compiled model takes 9": contract.model_copy(
            update={"columns": contract.columns[1:]}
        )
        .to_json()
        .encode(),
        "with the shape (2, 2), not (2, 3)": other_contract(contract, task="multiclass", classes=("a", "b", "c")),
        "with the shape (2, 2), not (2,)": other_contract(contract, task="regression", classes=()),
        "2 classes, which is no regression": other_contract(contract, task="regression"),
        "3 classes, which is no binary": other_contract(contract, classes=("a", "b", "c")),
        "nested too deeply": b'{"columns":' + b"[" * 100_000,
    }
    for problem, content in cases.items():
        folder = parts.save(tmp_path / "m")
        forge(folder, "contract.json", content)
        for call in (load_model, verify):
            with pytest.raises(ModelError, match=re.escape(problem)):
                call(folder)


def test_a_document_that_is_too_long_is_not_read(parts, tmp_path) -> None:
    folder = parts.save(tmp_path / "m")
    with (folder / "manifest.json").open("ab") as file:
        file.truncate(2**33)
    with pytest.raises(ArtifactDamaged, match=r"manifest\.json is longer than 4194304 bytes"):
        load_model(folder)


def test_a_fifo_does_not_hold_up_a_load(parts, tmp_path) -> None:
    folder = parts.save(tmp_path / "m")
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")
    with pytest.raises(ArtifactDamaged, match=r"model\.onnx cannot be read: is not a regular file"):
        load_model(folder)


def forge(folder: Path, name: str, content: bytes) -> None:
    """Replaces a file, and its digest in the manifest."""
    (folder / name).write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


class Turned:
    """A pipeline with its probabilities swapped."""

    def __init__(self, pipeline) -> None:
        self.pipeline, self.classes_ = pipeline, pipeline.classes_

    def predict_proba(self, matrix):
        return self.pipeline.predict_proba(matrix)[:, ::-1]


def test_the_card_is_read_alone(parts, tmp_path) -> None:
    assert read_card(parts.save(tmp_path / "m")) == parts.card
