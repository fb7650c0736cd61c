from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import httpx
import pytest
import yaml

from malformed_bodies import GOOD
from modelyard.config.models import Settings
from modelyard.errors import ArtifactDamaged, ModelNotFound, ServiceError
from modelyard.registry.models import promote
from modelyard_bentos.client import Server
from modelyard_bentos.contents import carry
from modelyard_bentos.packaging import Packed, find_bento, pack
from served_model import make_table, save_served

ROOT = Path(__file__).parents[2]

ROUTER = """
from typing import Annotated
from fastapi import APIRouter, Depends
from modelyard.api.service import ModelService, get_model_service

router = APIRouter()

@router.get("/api/v1/names")
async def names(service: Annotated[ModelService, Depends(get_model_service)]) -> list[str]:
    return list(service.models)
"""


def test_a_bento_carries_everything(packed: Packed, store: Path) -> None:
    assert packed.path == store / "bentos" / "people" / packed.tag.partition(":")[2]
    document = yaml.safe_load((packed.path / "bento.yaml").read_text())
    assert f"{document['name']}:{document['version']}" == packed.tag
    assert document["labels"]["team"] == "a"
    source = packed.path / "src"
    assert {"modelyard", "modelyard_bentos", "model", "modelyard.json"} <= {path.name for path in source.iterdir()}
    assert not list(source.rglob("__pycache__"))
    assert "secret" not in (source / "modelyard.json").read_text()
    assert not (source / "modelyard" / "charts").exists()
    pins = (packed.path / "env" / "python" / "requirements.txt").read_text().split()
    names = {pin.partition("==")[0] for pin in pins}
    assert {"bentoml", "fastapi", "onnxruntime", "numpy", "pydantic", "starlette"} <= names
    assert not {"modelyard", "scikit-learn", "pandas", "ray"} & names
    assert all("==" in pin for pin in pins)
    assert (packed.path.parent / "latest").read_text() == document["version"]


@pytest.mark.parametrize("tag", ["people:..", "../bentos/people:latest", "people:/etc", "..:.."])
def test_a_tag_cannot_lead_out_of_the_store(packed: Packed, tag: str) -> None:  # noqa: ARG001  a store with a bento
    with pytest.raises(ModelNotFound, match="there is no model"):
        find_bento(tag)


def test_a_forged_alias_cannot_lead_out_of_the_store(packed: Packed, store: Path) -> None:
    name = store / "bentos" / "forged"
    name.mkdir()
    (name / "latest").write_text(f"../people/{packed.path.name}")
    with pytest.raises(ModelNotFound, match="there is no model 'forged:latest'"):
        find_bento("forged:latest")


def test_a_bento_carries_only_what_the_manifest_lists(tmp_path: Path, settings: Settings) -> None:
    folder = save_served(tmp_path / "model", make_table(rows=60))
    (folder / "secrets.env").write_text("of another")
    (tmp_path / "src").mkdir()
    carry(tmp_path / "src", folder, settings)
    assert not (tmp_path / "src" / "model" / "secrets.env").exists()
    (folder / "contract.json").rename(tmp_path / "contract.json")
    (folder / "contract.json").symlink_to(tmp_path / "contract.json")
    (tmp_path / "again").mkdir()
    with pytest.raises(ArtifactDamaged, match=r"contract\.json cannot be read: is a symbolic link"):
        carry(tmp_path / "again", folder, settings)


def test_the_same_model_is_packed_once(packed: Packed, folder: Path, settings: Settings) -> None:
    built = (packed.path / "bento.yaml").stat().st_mtime_ns
    again = pack(folder, settings)
    assert (again.tag, again.path) == (packed.tag, packed.path)
    assert (packed.path / "bento.yaml").stat().st_mtime_ns == built


def test_other_settings_replace_the_bento_and_several_may_pack_at_once(tmp_path: Path, store: Path) -> None:
    folder = save_served(tmp_path / "model", make_table(rows=60), name="crowd")
    first = pack(folder, Settings())
    changed = Settings.model_validate({"serving": {"max_rows": 7}})
    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        crowd = list(pool.map(pack, [folder] * 3, [changed] * 3))
    assert {each.tag for each in crowd} == {first.tag}
    assert '"max_rows": 7' in (first.path / "src" / "modelyard.json").read_text()
    assert {path.name for path in first.path.parent.iterdir()} == {first.path.name, "latest"}
    assert not list((store / "tmp").iterdir())


def test_a_bento_needs_nothing_of_ours_around_it(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    Path("extra_routes.py").write_text(ROUTER)
    packed = pack(folder, Settings.model_validate({"api": {"routers": ["extra_routes:router"]}}))
    venv.create(tmp_path / "other", with_pip=False, symlinks=True)
    paths = {"base": str(tmp_path / "other"), "platbase": str(tmp_path / "other")}
    # the path alone: the .pth files in that folder are not read, so our editable install stays unseen
    packages = Path(sysconfig.get_path("purelib", vars=paths))
    (packages / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = str(tmp_path / "other" / "bin" / "python")
    hidden = subprocess.run([python, "-c", "import modelyard"], cwd=tmp_path, capture_output=True, check=False)
    assert hidden.returncode == 1
    bento = shutil.copytree(packed.path, tmp_path / "bento")
    monkeypatch.setattr(sys, "executable", python)
    monkeypatch.setenv("PYTHONPATH", "")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with Server(bento) as server:
        assert server.predict([GOOD])[0]["label"] in {"<=50K", ">50K"}
        assert httpx.get(server.url + "/api/v1/names").json() == ["people"]
    assert not list((tmp_path / "empty").iterdir())


def test_a_project_s_folder_is_served_and_built_by_bentoml_alone(folder: Path, tmp_path: Path, store: Path) -> None:
    shutil.copy(ROOT / "bentofile.yaml", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    promote(folder, tmp_path / "models")
    with Server(tmp_path) as server:
        assert server.health()["model"]["name"] == "people"
    build = [sys.executable, "-m", "bentoml", "build", "--version", "plain", "-o", "tag"]
    environment = os.environ | {"BENTOML_DO_NOT_TRACK": "True"}
    built = subprocess.run(build, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "people:plain" in built.stdout
    source = store / "bentos" / "people" / "plain" / "src"
    assert (source / "model" / "model.onnx").is_file()
    assert not (source / "models").exists()


@pytest.mark.parametrize("problem", ["nowhere", "changed", "no graph"])
def test_what_is_no_good_model_is_not_packed(problem: str, folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    if problem == "nowhere":
        with pytest.raises(ModelNotFound):
            pack(bad, Settings())
        return
    shutil.copytree(folder, bad)
    if problem == "changed":
        (bad / "card.json").write_text((bad / "card.json").read_text() + " ")
        with pytest.raises(ArtifactDamaged, match=r"card\.json differs"):
            pack(bad, Settings())
        return
    (bad / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ServiceError, match=r"no bento could be built of .*: .*model\.onnx differs from the manifest"):
        pack(bad, Settings())
