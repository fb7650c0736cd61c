"""Control groups of both versions, as folders that look like them; needs no cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.bed import cgroups
from cluster.bed.shell import BedError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    return tmp_path


def test_a_machine_without_usable_groups_is_refused_with_a_way_out(root: Path) -> None:
    (root / "unified").mkdir()
    with pytest.raises(BedError, match="--bed=none") as refused:
        cgroups.check()
    assert "\n" not in str(refused.value)


def test_version_1_gives_a_node_a_group_of_every_controller(root: Path) -> None:
    for controller in ("memory", "cpuset"):
        (root / controller).mkdir()
        (root / controller / "cgroup.procs").touch()
    for name in ("cpuset.cpus", "cpuset.mems"):
        (root / "cpuset" / name).write_text("0-1\n")
    cgroups.check()
    cgroups.make_group("n1")
    cgroups.make_group("n1")
    (group,) = (root / "memory").glob("*/")
    assert (root / "cpuset" / group.name / "cpuset.cpus").read_text() == "0-1\n"


def test_version_2_hands_controllers_on_to_a_node(root: Path) -> None:
    (root / "cgroup.controllers").write_text("cpu io memory pids\n")
    cgroups.check()
    assert (root / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_groups_that_may_not_be_divided_are_refused(root: Path) -> None:
    (root / "cgroup.controllers").write_text("cpu memory\n")
    (root / "cgroup.subtree_control").mkdir()  # any write fails, as in a container that has processes at the top
    with pytest.raises(BedError, match=r"version 2.*--bed=none"):
        cgroups.check()
