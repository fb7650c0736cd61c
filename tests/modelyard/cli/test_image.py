from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from image_bases import push_base
from modelyard.config.models import Settings
from modelyard.kube.reference import Reference
from modelyard_bentos.packaging import Packed, pack
from oci_registry import OciRegistry
from served_model import make_table, save_served


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packed]:
    """A bento of BentoML's own making."""
    home = tmp_path_factory.mktemp("bentoml")
    folder = save_served(tmp_path_factory.mktemp("model") / "people", make_table(rows=60))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(home))
        yield pack(folder, Settings())


@pytest.fixture
def registry(tmp_path, monkeypatch) -> Iterator[OciRegistry]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with OciRegistry() as running:
        yield running


@pytest.fixture
def base(packed, registry) -> Reference:
    pins = (packed.path / "env" / "python" / "requirements.txt").read_text()
    return push_base(Reference(registry.host, "serving", "1"), packages=pins, platforms=["amd64", "arm64"])


def test_from_a_bento_to_the_champion(modelyard, packed, registry, base):
    to = f"{registry.host}/people"
    call = ("image", packed.tag, "--to", to, f"cluster.serving_base={base}", "--insecure")
    first = modelyard(*call, "--json").document
    assert first["bento"] == packed.tag
    assert first["image"].startswith(f"{to}@sha256:")
    assert first["platforms"] == "linux/amd64 linux/arm64"
    assert first["sent"]["bytes"] > 100_000

    again = modelyard("image", "people:latest", "--to", f"{to}:candidate", "--base", str(base), "--insecure", "--json")
    assert (again.document["image"], again.document["sent"]["blobs"]) == (first["image"], 0)
    shown = modelyard(*call)
    assert "sent       0.0 MB: 0 blobs" in shown.out
    assert f"modelyard promote {first['version']} --insecure" in shown.out

    assert modelyard("promote", f"{to}:candidate", "--insecure", "--json").document == {
        "alias": f"{to}:champion",
        "image": first["image"],
        "model": packed.tag.partition(":")[2],
        "replaced": None,
    }
    other = push_base(
        Reference(registry.host, "other", "1"), packages=(packed.path / "env/python/requirements.txt").read_text()
    )
    second = modelyard("image", packed.tag, "--to", to, "--base", str(other), "--insecure", "--json").document
    shown = modelyard("promote", second["version"], "--insecure")
    assert (shown.code, shown.err) == (0, "")
    assert f"replaced  {first['image']} (model {packed.tag.partition(':')[2]})" in shown.out


def test_what_cannot_be_done_is_one_sentence(modelyard, packed, registry, base, tmp_path):
    to = ("--to", f"{registry.host}/people", "--insecure")
    assert "did you mean" in modelyard("image", f"{packed.tag[:-1]}", *to).sentence
    done = modelyard("image", packed.tag, *to)
    assert (done.code, done.sentence.partition(";")[0]) == (
        2,
        f"cluster.serving_base: there is no base image for {packed.tag} yet",
    )
    bare = push_base(Reference(registry.host, "bare", "1"), packages="numpy==2.4.6")
    done = modelyard("image", packed.tag, *to, "--base", str(bare))
    assert (done.code, done.sentence.startswith(f"{bare}: lacks what {packed.tag} needs: ")) == (1, True)
    assert modelyard("image", packed.tag, "--to", "people", "--base", str(base)).code == 2
    assert "without TLS it needs --insecure" in modelyard("promote", str(base)).sentence

    registry.auth = "basic"
    auths = {registry.host: {"auth": base64.b64encode(b"anna:wrong").decode()}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    done = modelyard("promote", str(base), "--insecure", "--json")
    assert (done.code, done.document["error"]["type"]) == (1, "RegistryError")


@pytest.mark.parametrize("name", ["people", "people:nothing", ":", "people:../people", "../people:latest"])
def test_a_bento_that_is_not_there_is_not_found(modelyard, packed, name):
    done = modelyard("image", name, "--to", "localhost/people")

    assert (done.code, f"there is no model {name!r}" in done.sentence) == (1, True)
    assert packed.tag in done.sentence


def test_a_damaged_bento_is_refused(modelyard, packed):
    graph = packed.path / "src" / "model" / "model.onnx"
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-1])
    try:
        done = modelyard("image", packed.tag, "--to", "localhost/people")
    finally:
        graph.write_bytes(whole)

    assert (done.code, "model.onnx differs from the manifest" in done.sentence) == (1, True)
