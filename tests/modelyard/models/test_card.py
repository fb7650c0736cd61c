from __future__ import annotations

import pytest

from modelyard.errors import ModelError
from modelyard.models.calibration import Calibration
from modelyard.models.card import Card
from modelyard.models.figures import Figure
from modelyard.models.latency import Latency
from modelyard.models.parity import Parity


def test_json_round_trip_keeps_everything() -> None:
    card = Card(
        model="m",
        task="binary",
        metric="roc_auc",
        held_out={"roc_auc": Figure(0.9, 0.88, 0.92)},
        fold_scores=(0.9, 0.91),
        baselines={"dummy": Figure(0.5)},
        parity=Parity(passed=True, rows=2, held_out=1, failures=0, worst_difference=1e-7, worst_row={"a": None}),
        latency=Latency(20.0, 40.0),
        calibration=Calibration(1.2, (0.0, 0.1)),
        algorithm="linear",
        params={"C": 0.1, "class_weight": None},
        contract="abc",
    )
    assert Card.from_json(card.to_json()) == card


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "card is not valid: model"),
        ("no", "card is not valid: the document"),
        ('{"modle": 1}', "card is not valid"),
    ],
)
def test_what_is_no_card_is_named(text, message) -> None:
    with pytest.raises(ModelError, match=message):
        Card.from_json(text)


def test_a_figure_reads_well() -> None:
    assert str(Figure(0.912345, 0.9, 0.93)) == "0.9123 (0.9 to 0.93)"
    assert str(Figure(0.5)) == "0.5"
