from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from image_bases import push_base
from modelyard.errors import ImageError, RegistryError, UsageError
from modelyard.kube.bento import Bento, read_bento
from modelyard.kube.image import Pushed, push_image
from modelyard.kube.oci import INDEX, LAYER, MANIFEST, Manifest
from modelyard.kube.reference import Reference
from modelyard.kube.repository import Repository, Traffic
from oci_registry import OciRegistry

MakeBase = Callable[..., Reference]
NEEDS = "numpy==2.4.6\nonnxruntime==1.32.0\nbentoml==1.4.39\n"


def push(bento: Bento, base: Reference, host: str, name: str = "people", **settings: Any) -> Pushed:
    return push_image(bento, Reference(host, name, **settings), base, insecure=True)


def read(image: Reference) -> Manifest:
    with Repository(image, insecure=True) as repository:
        manifest = repository.manifest(image.version)
    assert manifest is not None
    return manifest


def test_a_bento_becomes_one_layer_on_its_base(bento: Bento, host: str, make_base: MakeBase) -> None:
    base = make_base()
    pushed = push(bento, base, host)

    below, manifest = read(base), read(pushed.image)
    assert (manifest.media_type, pushed.base) == (MANIFEST, base.at(below.digest))
    assert read(pushed.version).digest == manifest.digest
    assert pushed.version.tag == f"{bento.manifest.version}-{manifest.digest[7:19]}"
    *kept, added = manifest.document["layers"]
    assert kept == below.document["layers"]
    assert added["mediaType"] == LAYER
    with Repository(pushed.image, insecure=True) as repository:
        config = json.loads(repository.read_blob(manifest.document["config"]["digest"]))
        assert repository.has_blob(added["digest"])
    assert config["config"]["Cmd"] == ["serve"]
    assert len(config["rootfs"]["diff_ids"]) == len(config["history"]) == 2
    assert pushed.platforms == ("linux/amd64",)
    assert (pushed.traffic.blobs, pushed.traffic.mounted) == (2, 1)


def test_annotations_say_what_it_was_made_from(folder: Path, bento: Bento, host: str, make_base: MakeBase) -> None:
    known = {
        "created_at": "2026-11-25T15:47:01+00:00",
        "git_revision": "59543ab",
        "source_digest": "da",
        "config_digest": "cf",
        "run": "20261125-people",
    }
    traced = Bento(folder, bento.tag, bento.card.model_copy(update=known), bento.manifest, bento.requirements)
    base = make_base()
    annotations = read(push(traced, base, host).image).annotations

    assert annotations == {
        "org.opencontainers.image.title": "people",
        "org.opencontainers.image.version": bento.manifest.version,
        "org.opencontainers.image.created": "2026-11-25T15:47:01+00:00",
        "org.opencontainers.image.revision": "59543ab",
        "org.opencontainers.image.base.digest": read(base).digest,
        "io.modelyard.model.digest": f"sha256:{bento.manifest.digest}",
        "io.modelyard.contract.digest": f"sha256:{bento.card.contract}",
        "io.modelyard.data.digest": "sha256:da",
        "io.modelyard.config.digest": "sha256:cf",
        "io.modelyard.run": "20261125-people",
        "io.modelyard.bento": "people:abc",
    }
    # what is not known is not claimed
    assert "io.modelyard.run" not in read(push(bento, base, host).image).annotations


def test_the_second_push_sends_nothing(
    bento: Bento, folder: Path, host: str, make_base: MakeBase, tmp_path: Path
) -> None:
    base = make_base(platforms=["amd64", "arm64"])
    first = push(bento, base, host)
    again = push(bento, base, host)
    elsewhere = push(read_bento(shutil.copytree(folder, tmp_path / "elsewhere")), base, host)

    assert first.image == again.image == elsewhere.image
    assert first.traffic.bytes > 0
    assert again.traffic == elsewhere.traffic == Traffic()
    # in another repository everything but the manifests is there
    other = push(bento, base, host, "other")
    assert other.image.digest == first.image.digest


def test_what_the_registry_counts_is_what_is_reported(bento: Bento, registry: OciRegistry) -> None:
    base = push_base(Reference(registry.host, "serving", "1"), packages=NEEDS)
    registry.forget()
    first = push(bento, base, registry.host)
    assert registry.received == first.traffic.bytes

    registry.forget()
    push(bento, base, registry.host)
    assert (registry.received, registry.written) == (0, [])


def test_an_index_keeps_every_platform(bento: Bento, host: str, make_base: MakeBase) -> None:
    base = make_base(platforms=["amd64", "arm64"])
    pushed = push(bento, base, host)

    index, below = read(pushed.image), read(base)
    assert index.media_type == INDEX
    assert pushed.platforms == ("linux/amd64", "linux/arm64")
    assert [entry["platform"]["architecture"] for entry in index.document["manifests"]] == ["amd64", "arm64"]
    manifests = [read(pushed.image.at(entry["digest"])) for entry in index.document["manifests"]]
    assert len({manifest.document["layers"][-1]["digest"] for manifest in manifests}) == 1
    assert len({manifest.document["layers"][0]["digest"] for manifest in manifests}) == 2
    bases = [entry["digest"] for entry in below.document["manifests"][:2]]
    assert [manifest.annotations["org.opencontainers.image.base.digest"] for manifest in manifests] == bases
    assert index.annotations["io.modelyard.bento"] == "people:abc"


def test_docker_s_own_types_become_oci_s(bento: Bento, host: str, make_base: MakeBase) -> None:
    manifest = read(push(bento, make_base(docker=True), host).image)

    types = {manifest.media_type, manifest.document["config"]["mediaType"]}
    types |= {layer["mediaType"] for layer in manifest.document["layers"]}
    assert not [each for each in types if "docker" in each]


def test_a_base_of_another_registry_is_copied(
    bento: Bento, host: str, make_base: MakeBase, registry: OciRegistry
) -> None:
    far = make_base()
    pushed = push(bento, far, registry.host)

    assert (pushed.traffic.blobs, pushed.traffic.mounted) == (3, 0)
    assert push(bento, far, host).image.digest == pushed.image.digest


def test_a_registry_that_does_not_mount_is_sent_everything(bento: Bento) -> None:
    with OciRegistry(mounts=False) as registry:
        base = push_base(Reference(registry.host, "serving", "1"), packages=NEEDS)
        traffic = push(bento, base, registry.host).traffic
        assert (traffic.blobs, traffic.mounted) == (3, 0)


@pytest.mark.parametrize(
    ("packages", "problem"),
    [
        (NEEDS.replace("onnxruntime==1.32.0\n", ""), r"onnxruntime==1.32.0 \(not there\)"),
        (NEEDS.replace("2.4.6", "2.4.5"), r"numpy==2.4.6 \(it has 2.4.5\)"),
        (None, "does not say what is installed"),
    ],
)
def test_a_base_that_lacks_a_package_is_refused(
    packages: str | None, problem: str, bento: Bento, registry: OciRegistry
) -> None:
    base = push_base(Reference(registry.host, "serving", "1"), packages=packages, platforms=["amd64", "arm64"])
    registry.forget()

    with pytest.raises(ImageError, match=rf"^{base}: .*{problem}"):
        push(bento, base, registry.host)
    assert registry.written == []


def test_a_version_never_moves(bento: Bento, host: str, make_base: MakeBase) -> None:
    base = make_base()
    pushed = push(bento, base, host)
    with Repository(pushed.version, "pull,push", insecure=True) as repository:
        other = Manifest.make(
            MANIFEST, {"other": "image"}, **{part: read(pushed.image).document[part] for part in ("config", "layers")}
        )
        repository.put_manifest(other, pushed.version.version)

    with pytest.raises(
        ImageError, match=rf"^{pushed.version}: names {other.digest} and not {pushed.image.digest}; a version"
    ):
        push(bento, base, host)
    assert read(pushed.version).digest == other.digest


def test_the_same_model_on_a_new_base_is_a_new_version(bento: Bento, host: str, make_base: MakeBase) -> None:
    first, second = push(bento, make_base(), host), push(bento, make_base("patched", index=True), host)

    assert first.version != second.version
    assert str(first.version.tag).partition("-")[0] == str(second.version.tag).partition("-")[0]
    assert read(first.version).digest == first.image.digest
    key = "io.modelyard.model.digest"
    assert read(first.image).annotations[key] == read(second.image).annotations[key]


def test_a_tag_in_the_destination_is_an_alias(folder: Path, host: str, make_base: MakeBase) -> None:
    base = make_base()
    first = push(read_bento(folder), base, host, tag="candidate")
    (folder / "src" / "modelyard.json").write_text("{ }\n")
    second = push(read_bento(folder), base, host, tag="candidate")

    assert first.replaced is None
    assert second.replaced is not None
    assert second.replaced.digest == first.image.digest
    assert read(Reference(host, "people", "candidate")).digest == second.image.digest
    assert read(first.version).digest == first.image.digest
    assert push(read_bento(folder), base, host, tag="candidate").replaced is None


def test_a_version_is_no_destination(bento: Bento) -> None:
    base = Reference("registry.local", "serving", "1")
    for wrong in ({"tag": "0123456789ab-0123456789ab"}, {"digest": "sha256:" + "0" * 64}):
        with pytest.raises(UsageError, match=r"write .*registry\.local/people"):
            push(bento, base, "registry.local", **wrong)


def test_a_base_that_is_none_is_named(bento: Bento, registry: OciRegistry) -> None:
    base = Reference(registry.host, "serving", "1")
    with pytest.raises(ImageError, match=f"^{base}: is not in its registry; name another with --base"):
        push(bento, base, registry.host)
    with pytest.raises(UsageError, match=r"write .*/serving:TAG"):
        push(bento, Reference(registry.host, "serving"), registry.host)
    with Repository(base, "pull,push", insecure=True) as repository:
        repository.put_manifest(Manifest.make(INDEX, {}, manifests=[]), "1")
    with pytest.raises(ImageError, match=rf"^{base}: is no container image"):
        push(bento, base, registry.host)


def test_a_push_that_was_cut_goes_on(bento: Bento, registry: OciRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    base = push_base(Reference(registry.host, "serving", "1"), packages=NEEDS)

    def broken(*_: object) -> None:
        raise RegistryError(registry.host, "broke", "try again")

    with monkeypatch.context() as patch:
        patch.setattr(Repository, "put_manifest", broken)
        with pytest.raises(RegistryError):
            push(bento, base, registry.host)
    assert registry.stored["people"].tags == {}
    pushed = push(bento, base, registry.host)
    assert (pushed.traffic.blobs, pushed.traffic.present) == (0, 3)
