from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.config import load_config
from modelyard.config.composition import DEFAULTS
from modelyard.config.reference import document
from modelyard.config.schema import dotted, fields

CONF = Path(__file__).parents[3] / "conf"


def test_the_readme_lists_the_settings_of_the_code():
    text = (CONF / "README.md").read_text(encoding="utf-8")

    assert document(text) == text, "run: python -m modelyard.config.reference conf/README.md"
    assert all(f"`{dotted(key)}`" in text and field.description for key, field in fields())


def test_the_readme_lists_the_packaged_options():
    text = (CONF / "README.md").read_text(encoding="utf-8")

    assert all(f"`{path.stem}`" in text for path in DEFAULTS.glob("*/*.yaml"))


@pytest.mark.parametrize(
    "option", sorted(DEFAULTS.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_every_packaged_option_can_be_chosen(tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    settings = load_config([f"{option.parent.name}={option.stem}"])

    assert option.parent.name != "model" or settings.model.model_type == option.stem


def test_the_repositorys_own_configuration_is_sound(monkeypatch):
    for name in ("ENVIRONMENT", "API_HOST", "API_PORT", "API_WORKERS"):
        monkeypatch.delenv(name, raising=False)

    assert load_config(config_dir=CONF).data.path == "sklearn://breast_cancer"
    adult = load_config(["data=adult"], config_dir=CONF).data
    assert (len(adult.columns or ()), adult.na_values, adult.positive) == (15, ["?"], ">50K")
