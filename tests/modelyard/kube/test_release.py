from __future__ import annotations

import dataclasses

import pytest

from modelyard.errors import ReleaseFailed
from modelyard.kube.helm import Revision
from modelyard.kube.release import previous


def revisions(*states: str | tuple[str, int]) -> list[Revision]:
    """Revisions by their status, each with the one that it repeats where it is a rollback."""
    made = []
    for number, state in enumerate(states, start=1):
        status, source = (state, None) if isinstance(state, str) else state
        made.append(Revision(number, "2026-11-25T12:00:00Z", status, "modelyard-serving-0.1.0", "", source))
    return made


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["superseded", "deployed"], 1),
        (["superseded", "superseded", "deployed"], 2),
        # what failed is not what runs, and was put back by Helm already
        (["superseded", "deployed", "failed"], 2),
        (["superseded", "superseded", "failed", ("deployed", 2)], 1),
        # what was cut off
        (["deployed", "pending-upgrade"], 1),
        (["superseded", "deployed", "pending-rollback"], 2),
        # going back twice goes back further
        (["superseded", "superseded", "superseded", ("deployed", 2)], 1),
        (["superseded", "superseded", ("superseded", 1), "deployed"], 1),
        (["failed", "superseded", "failed", "failed", "deployed"], 2),
    ],
)
def test_rollback_goes_to_the_last_revision_that_ran_before(states, expected):
    assert previous("people", revisions(*states)).number == expected


def described(*states: tuple[str, str] | tuple[str, str, int]) -> list[Revision]:
    found = revisions(*[state[0] if len(state) == 2 else (state[0], state[2]) for state in states])
    return [dataclasses.replace(each, description=state[1]) for each, state in zip(found, states, strict=True)]


FIRST = ("superseded", "model 1")
STEP, TAKEN = ("superseded", "canary: model 2 gets 10 %"), ("superseded", "canary: the stable track takes model 2")


@pytest.mark.parametrize(
    "states",
    [
        [FIRST, STEP, TAKEN, ("deployed", "model 2")],
        # under way, and cut off
        [FIRST, STEP],
        [FIRST, STEP, ("pending-upgrade", "canary: model 2 gets 50 %")],
        # a step that Helm itself put back
        [FIRST, STEP, ("failed", TAKEN[1]), ("superseded", "Rollback to 2", 2), TAKEN, ("deployed", "model 2")],
    ],
)
def test_the_steps_of_a_rollout_are_nothing_to_go_back_to(states):
    assert previous("people", described(*states)).number == 1


def test_what_a_canary_was_taken_back_to_counts_as_what_it_repeats():
    states = [FIRST, ("superseded", "model 2"), STEP, ("deployed", "canary taken back: errors", 2)]
    assert previous("people", described(*states)).number == 1


def test_rollback_needs_no_revision_that_helm_has_forgotten():
    kept = [dataclasses.replace(each, number=each.number + 20) for each in revisions("superseded", "deployed")]
    forgotten = dataclasses.replace(kept[0], source=3)
    assert previous("people", [forgotten, kept[1]]) == forgotten


@pytest.mark.parametrize(
    "states", [["deployed"], ["pending-install"], ["failed", "deployed"], ["superseded", ("deployed", 1)]]
)
def test_where_nothing_ran_before_nothing_is_rolled_back(states):
    with pytest.raises(ReleaseFailed, match=r"^release people: has no finished revision before revision \d; deploy"):
        previous("people", revisions(*states))
