from __future__ import annotations

import pytest

from measured import capacity_of
from modelyard.config.models import ClusterSettings
from modelyard.errors import ConfigError, ImageError, UsageError
from modelyard.kube.bento import read_bento
from modelyard.kube.composition import CAPACITY_ANNOTATION
from modelyard.kube.image import push_image
from modelyard.kube.oci import Manifest
from modelyard.kube.plan import Version, find_version, image_in, name_of, plan, target_in
from modelyard.kube.reference import Reference
from modelyard.kube.repository import Repository
from modelyard.models.capacity import keep_capacity

IMAGE = Reference("localhost:5000", "team/people", digest="sha256:" + "0" * 64)


def test_a_plan_goes_by_digest_and_capacity():
    version = Version(IMAGE, "3f2a91b04c77", capacity_of())
    wanted = plan(version, ClusterSettings(), 1000)
    assert wanted.release == "people"
    assert wanted.values["image"] == {"repository": "localhost:5000/team/people", "digest": IMAGE.digest}
    assert wanted.values["autoscaling"]["minReplicas"] == wanted.size.replicas == 2
    assert wanted.description == "model 3f2a91b04c77 for 1000 requests/s"
    assert target_in(wanted.values) == 1000
    assert image_in(wanted.values) == str(IMAGE)


def test_without_a_capacity_the_chart_decides_but_no_load_is_promised():
    version = Version(IMAGE, None, None)
    wanted = plan(version, ClusterSettings(), None)
    assert list(wanted.values) == ["image"]
    assert (wanted.size, wanted.description, target_in(wanted.values)) == (None, "model unknown", None)
    with pytest.raises(
        UsageError, match=r"^how many pods take 20 requests/s is not known, because localhost:5000/team"
    ):
        plan(version, ClusterSettings(), 20)


def test_the_objective_is_a_setting():
    version = Version(IMAGE, None, capacity_of(work_ms=2.0, alone_ms=3.0))
    tight, loose = (plan(version, ClusterSettings(p99_ms=p99_ms), 700).size for p99_ms in (20, 100))
    assert tight.utilization < loose.utilization


@pytest.mark.parametrize(
    ("image", "given", "expected"),
    [("team/people", None, "people"), ("my.people__2", None, "my-people-2"), ("people", "blue", "blue")],
)
def test_a_release_is_called_as_its_image_or_as_it_is_told(image, given, expected):
    assert name_of(Reference("localhost:5000", image), ClusterSettings(release=given)) == expected


@pytest.mark.parametrize("name", ["9lives", "x" * 54])
def test_a_name_that_no_service_can_have_is_refused(name):
    with pytest.raises(ConfigError, match=rf"^cluster.release: '{name}' can be no Service's name"):
        name_of(Reference("localhost:5000", name), ClusterSettings())


def test_an_image_brings_its_capacity(folder, make_base):
    capacity = capacity_of()
    keep_capacity(folder / "src" / "model", capacity)
    base = make_base()
    bento = read_bento(folder)
    pushed = push_image(bento, Reference(base.host, "people", tag="champion"), base, insecure=True)

    version = find_version(Reference(base.host, "people", tag="champion"), insecure=True)
    assert version == Version(pushed.image, bento.manifest.version, capacity)
    assert find_version(version.image, insecure=True) == version


def test_an_image_without_a_capacity_can_be_deployed_too(make_base):
    base = make_base()
    version = find_version(base, insecure=True)
    assert (version.model, version.capacity) == (None, None)
    assert version.image.digest


def test_an_image_that_is_not_there_is_named(registry):
    with pytest.raises(ImageError, match=r"people:champion: is not there; push it first: modelyard image"):
        find_version(Reference(registry.host, "people", tag="champion"), insecure=True)
    with pytest.raises(UsageError, match="may be any of its versions"):
        find_version(Reference(registry.host, "people"), insecure=True)


def test_a_capacity_that_cannot_be_read_is_named(make_base):
    base = make_base()
    with Repository(base, "pull,push", insecure=True) as repository:
        manifest = repository.manifest("1")
        more = {**manifest.document, "annotations": {CAPACITY_ANNOTATION: '{"format": 2}'}}
        repository.put_manifest(Manifest.make(manifest.media_type, more.pop("annotations"), **more), "2")
    with pytest.raises(
        ImageError, match=r"io.modelyard.capacity: the capacity is not valid: format: .*; push it again"
    ):
        find_version(base.tagged("2"), insecure=True)
