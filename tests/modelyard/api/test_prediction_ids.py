from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path

import pytest

from modelyard.api import prediction_ids
from modelyard.api.prediction_ids import ForeignId, Issued, PredictionIds
from modelyard.data.contract import Target
from modelyard.errors import ConfigError

KEY, OTHER = "0123456789abcdef0123456789abcdef", "f" * 32
ANSWER = Target(name="y", task="binary", classes=("no", "yes"))


def issuer(folder: Path, *keys: str, version: str = "3f2a91b04c77", target: Target = ANSWER) -> PredictionIds:
    path = folder / "keys"
    path.write_text("\n".join(keys or (KEY,)) + "\n")
    return PredictionIds(str(path), version, target, 30)


def issued(ids: PredictionIds) -> str:
    return b64encode(ids.issue(1, 0.75)).decode()


def test_an_id_says_what_was_predicted_to_every_replica(tmp_path: Path) -> None:
    ids = issuer(tmp_path)
    text = issued(ids)
    found = issuer(tmp_path, version="another").read(text)
    assert found == Issued(found.number, "3f2a91b04c77", 1, 0.75)
    assert ids.read(issued(ids)).number == found.number + 1
    assert re.fullmatch("[A-Za-z0-9+/]{64}", text)


def test_no_two_ids_are_equal(tmp_path: Path) -> None:
    replicas = [issuer(tmp_path) for _ in range(3)]
    ids = [each.issue(1, 0.75) for each in replicas for _ in range(100)]
    assert len(set(ids)) == 300


def test_every_character_of_an_id_counts(tmp_path: Path) -> None:
    ids = issuer(tmp_path)
    text = issued(ids)
    for place in range(len(text)):
        for wrong in {"A", "B", "/", "-"} - {text[place]}:
            with pytest.raises(ForeignId):
                ids.read(text[:place] + wrong + text[place + 1 :])


@pytest.mark.parametrize("text", ["", "x", "ü", "A" * 40, "A" * 10_000, "=" * 8, "a b", "\x00" * 60])
def test_what_is_no_id_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ForeignId):
        issuer(tmp_path).read(text)


def test_ids_of_another_key_are_refused_until_it_is_added(tmp_path: Path) -> None:
    text = issued(issuer(tmp_path, OTHER))
    with pytest.raises(ForeignId, match="is not signed by this service"):
        issuer(tmp_path, KEY).read(text)
    assert issuer(tmp_path, KEY, OTHER).read(text).code == 1
    with pytest.raises(ForeignId):
        issuer(tmp_path, OTHER).read(issued(issuer(tmp_path, KEY, OTHER)))


def test_old_ids_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = issuer(tmp_path)
    now = 1_800_000_000.0
    monkeypatch.setattr(prediction_ids, "time", lambda: now)
    text = issued(ids)
    now += 30 * 86_400
    assert ids.read(text).code == 1
    now += 1
    with pytest.raises(ForeignId, match="is older than 30 days"):
        ids.read(text)


def test_a_version_with_other_classes_is_told_apart(tmp_path: Path) -> None:
    text = issued(issuer(tmp_path))
    other = Target(name="y", task="binary", classes=("yes", "no"))
    with pytest.raises(ForeignId, match="is of a model that predicts other classes"):
        issuer(tmp_path, target=other).read(text)


@pytest.mark.parametrize("content", ["", "\n\n", "short\n", KEY + "\nshort\n", "x" * 65])
def test_a_file_without_good_keys_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys"
    path.write_text(content)
    with pytest.raises(ConfigError, match="needs a key of 16 to 64 characters on each line"):
        PredictionIds(str(path), "v", ANSWER, 30)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        PredictionIds(str(tmp_path / "none"), "v", ANSWER, 30)
