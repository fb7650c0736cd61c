from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from modelyard.errors import ImageError
from modelyard.kube.layer import make_layer


def test_a_layer_lays_the_bento_where_the_service_looks_for_it(folder: Path, tmp_path: Path) -> None:
    layer = make_layer(folder, tmp_path / "layer")

    packed = layer.path.read_bytes()
    assert (layer.digest, layer.size) == (f"sha256:{hashlib.sha256(packed).hexdigest()}", len(packed))
    assert layer.diff_id == f"sha256:{hashlib.sha256(gzip.decompress(packed)).hexdigest()}"
    with tarfile.open(layer.path) as tar:
        entries = {entry.name: entry for entry in tar}
        model = tar.extractfile("opt/modelyard/bento/src/model/model.onnx")
        assert model is not None
        assert model.read() == (folder / "src" / "model" / "model.onnx").read_bytes()
    assert list(entries)[:3] == ["opt/modelyard", "opt/modelyard/bento", "opt/modelyard/bento/bento.yaml"]
    assert {(entry.uid, entry.gid, entry.mtime, entry.uname) for entry in entries.values()} == {(0, 0, 0, "")}
    assert {entry.mode for entry in entries.values() if entry.isdir()} == {0o755}
    assert {entry.mode for entry in entries.values() if not entry.isdir()} == {0o644}


def test_the_same_bento_is_the_same_layer(folder: Path, tmp_path: Path) -> None:
    first = make_layer(folder, tmp_path / "first")
    other = shutil.copytree(folder, tmp_path / "elsewhere" / "other")
    os.utime(other / "bento.yaml", (1, 1))
    (other / "bento.yaml").chmod(0o600)
    # another build of the same model, that was served and measured since
    text = (other / "bento.yaml").read_text()
    (other / "bento.yaml").write_text(text.replace("2026-11-25T15:47", "2026-12-24T18:00"))
    (other / "src" / "modelyard_bentos" / "__pycache__").mkdir()
    (other / "src" / "modelyard_bentos" / "__pycache__" / "service.pyc").write_bytes(b"x")
    (other / "src" / "model" / "capacity.json").write_text("{}")

    second = make_layer(other, tmp_path / "second")

    assert (second.digest, second.size, second.diff_id) == (first.digest, first.size, first.diff_id)
    (other / "src" / "modelyard.json").write_text("{ }\n")
    assert make_layer(other, tmp_path / "third").digest != first.digest


def test_a_link_out_of_the_bento_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "src" / "passwords").symlink_to("/etc/passwd")

    with pytest.raises(ImageError, match="passwords: is neither a file nor a folder"):
        make_layer(folder, tmp_path / "layer")
