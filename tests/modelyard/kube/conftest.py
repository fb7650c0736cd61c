from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from image_bases import push_base
from modelyard.kube.bento import Bento, read_bento
from modelyard.kube.reference import Reference
from oci_registry import OciRegistry
from served_model import make_table, save_served
from waiting import until

# built by the tests of the cluster; the in-process registry stands in for it where it is not there
DISTRIBUTION = Path.home() / ".cache" / "cluster" / "bin" / "registry"
LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")
NEEDS = "numpy==2.4.6\nonnxruntime==1.32.0\nbentoml==1.4.39\n"

MakeBase = Callable[..., Reference]


@contextmanager
def distribution(folder: Path) -> Iterator[str]:
    """Runs the registry that most of the world runs; gives its host."""
    settings = folder / "registry.yaml"
    settings.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/storage}}}}\n"
        "http: {addr: '127.0.0.1:0'}\nlog: {level: info, accesslog: {disabled: true}}\n"
    )
    environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    command = [str(DISTRIBUTION), "serve", str(settings)]
    log = folder / "registry.log"
    with log.open("wb") as output, subprocess.Popen(command, env=environment, stderr=output) as process:
        try:
            until(lambda: process.poll() is not None or LISTENING.search(log.read_text()) is not None)
            found = LISTENING.search(log.read_text())
            assert found, log.read_text()
            yield found.group(1)
        finally:
            process.terminate()


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where these tests keep Docker's config file; there is none yet."""
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder / "config.json"


@pytest.fixture
def registry() -> Iterator[OciRegistry]:
    with OciRegistry() as running:
        yield running


@pytest.fixture(params=["in-process", "distribution"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The host of a registry: ours, and the real one where it is there."""
    if request.param == "in-process":
        with OciRegistry() as running:
            yield running.host
        return
    if not DISTRIBUTION.is_file():
        pytest.skip(f"{DISTRIBUTION} is not built")
    with distribution(tmp_path) as found:
        yield found


@pytest.fixture
def folder(bento_folder: Path, tmp_path: Path) -> Path:
    """The folder of a bento that a test may change."""
    return shutil.copytree(bento_folder, tmp_path / "bento")


@pytest.fixture
def bento(folder: Path) -> Bento:
    return read_bento(folder)


@pytest.fixture(scope="module")
def bento_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as BentoML makes it, with a real model in it."""
    folder = tmp_path_factory.mktemp("bento")
    (folder / "bento.yaml").write_text(
        "service: modelyard_bentos.service:service\nname: people\nversion: abc\n"
        "creation_time: '2026-11-25T15:47:01.000001+00:00'\nlabels: {}\n"
    )
    requirements = folder / "env" / "python" / "requirements.txt"
    requirements.parent.mkdir(parents=True)
    requirements.write_text(NEEDS)
    code = folder / "src" / "modelyard_bentos"
    code.mkdir(parents=True)
    (code / "service.py").write_text("service = None\n")
    (folder / "src" / "modelyard.json").write_text("{}\n")
    save_served(folder / "src" / "model", make_table(rows=60))
    return folder


@pytest.fixture
def make_base(host: str) -> MakeBase:
    """Pushes a base image to the registry."""

    def make(name: str = "serving", **settings: object) -> Reference:
        return push_base(Reference(host, name, tag="1"), packages=NEEDS, **settings)

    return make
