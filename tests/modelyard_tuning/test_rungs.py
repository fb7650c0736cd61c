from __future__ import annotations

from modelyard_tuning.rungs import BATCH, ETA, Rungs


def test_nobody_is_stopped_by_too_few() -> None:
    rungs = Rungs()
    assert all(rungs.decide(trial, 0, -float(trial)) for trial in range(ETA - 1))
    assert not rungs.decide(ETA, 0, -100.0)


def test_the_best_third_goes_on() -> None:
    rungs = Rungs()
    for trial in range(29):
        rungs.record(trial, 1, float(trial))
    assert not rungs.decide(100, 1, 19.5 - ETA)
    assert rungs.decide(101, 1, 25.0)


def test_rungs_are_not_mixed() -> None:
    rungs = Rungs()
    for trial in range(20):
        rungs.record(trial, 1, 1.0)
    assert rungs.decide(50, 0, 0.0)
    assert not rungs.decide(50, 1, 0.0)


def test_equals_go_on() -> None:
    rungs = Rungs()
    assert all(rungs.decide(trial, 0, 1.0) for trial in range(20))


def test_a_repeated_rung_gets_the_same_answer() -> None:
    rungs = Rungs()
    assert rungs.decide(0, 0, 0.0)
    for trial in range(1, 20):
        rungs.record(trial, 0, 1.0)
    assert rungs.decide(0, 0, 0.0)


def test_a_repeatable_search_compares_with_finished_batches_alone() -> None:
    def decisions(order: list[int]) -> dict[int, bool]:
        rungs = Rungs(deterministic=True)
        first = [rungs.decide(trial, 0, float(trial)) for trial in range(BATCH)]
        assert all(first)
        return {trial: rungs.decide(trial, 0, float((trial * 5) % 11)) for trial in order}

    ascending = list(range(BATCH, 2 * BATCH))
    expected = decisions(ascending)
    assert decisions(ascending[::-1]) == expected
    assert set(expected.values()) == {True, False}
