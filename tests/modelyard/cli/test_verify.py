from __future__ import annotations

import shutil
from pathlib import Path

import pytest

STORED = Path(__file__).parents[2] / "stored" / "0.1" / "models"


@pytest.fixture
def folder(tmp_path):
    """A model of 0.1, whose graph and pickle are intact and which has no reference rows."""
    return shutil.copytree(STORED / "binary", tmp_path / "binary")


def test_a_model_of_an_earlier_version_is_compared_with_its_pickle_only_on_demand(modelyard, folder, caplog):
    plain = modelyard("verify", str(folder), "--json").document
    assert plain["ok"]
    assert "no reference rows" in plain["note"]
    assert not caplog.records

    trusted = modelyard("verify", str(folder), "--trust-pickle", "--json").document
    assert (trusted["ok"], trusted["parity"]["rows"]) == (True, 10_000)
    assert "fresh rows" in modelyard("verify", str(folder), "--trust-pickle").out

    digests = modelyard("verify", str(folder), "--digests-only", "--json").document
    assert set(digests) == {"model", "ok", "version", "digest", "files", "served"}


def test_a_changed_file_ends_with_1(modelyard, folder):
    (folder / "model.onnx").write_bytes(b"other")
    done = modelyard("verify", str(folder), "--digests-only")
    assert (done.code, "model.onnx differs from the manifest" in done.sentence) == (1, True)


@pytest.mark.parametrize("flag", ["--trust-pickle", "--measure"])
def test_digests_only_runs_nothing(modelyard, folder, flag):
    done = modelyard("verify", str(folder), "--digests-only", flag)
    assert (done.code, "--digests-only runs nothing" in done.sentence) == (2, True)


def test_only_a_bento_is_measured(modelyard, folder):
    done = modelyard("verify", str(folder), "--measure")
    assert (done.code, "--measure needs a bento's tag" in done.sentence) == (2, True)
