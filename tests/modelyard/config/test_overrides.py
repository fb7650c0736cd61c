from __future__ import annotations

import pytest

from modelyard.config import load_config


def value(override: str) -> object:
    group, key = override.partition("=")[0].lstrip("+").split(".")[:2]
    return getattr(getattr(load_config([override]), group), key)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("data.separator=;", ";"),
        ("data.separator=|", "|"),
        ("data.separator=\\t", "\t"),
        ('data.separator=";"', ";"),
        ("data.quote='", "'"),
        ('data.quote="', '"'),
        ("data.path=a b/c=1?.csv", "a b/c=1?.csv"),
        ("data.path=größe.csv", "größe.csv"),
        ("data.path='a b.csv'", "a b.csv"),
        ("data.path=a,b.csv", "a,b.csv"),
        ("data.path=C:\\new\\t.csv", "C:\\new\\t.csv"),
        ("data.path=half ${an interpolation", "half ${an interpolation"),
        ("data.target=1", "1"),
        ("data.target=1e3", "1e3"),
        ("data.target=true", "true"),
        ("data.target=null", None),
        ("data.positive=>50K", ">50K"),
        ("data.positive=1", 1),
        ("data.positive=true", True),
        ("data.positive='1'", "1"),
        ("data.positive=a,b", "a,b"),
        ("data.positive=choice(1,2)", "choice(1,2)"),
    ],
)
def test_a_value_that_the_grammar_refuses_is_a_text(project, override, expected):
    project({})

    assert value(override) == expected
    assert type(value(override)) is type(expected)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("data.columns=[age,education-num,1]", ["age", "education-num", "1"]),
        ("data.columns=[ a b , was? ,größe,x=y,1e3,true,#]", ["a b", "was?", "größe", "x=y", "1e3", "true", "#"]),
        ("data.columns=['a, b',\" c \",it's]", ["a, b", " c ", "it's"]),
        ("data.columns=[]", []),
        ("data.columns=null", None),
        ('data.na_values=["?"]', ["?"]),
        ("data.na_values=[?,null,-1,'']", ["?", "null", "-1", ""]),
        ('data.drop=["a\\"b",\'c\\\\d\']', ['a"b', "c\\d"]),
        (
            "data.kinds={zip: categorical, 1: numeric, a b: boolean}",
            {"zip": "categorical", "1": "numeric", "a b": "boolean"},
        ),
        ('data.kinds={"größe?": "numeric"}', {"größe?": "numeric"}),
        ("data.kinds.zip=categorical", {"zip": "categorical"}),
        ("model.params={max_depth: 3, rate: 1e-3}", {"max_depth": 3, "rate": 1e-3}),
        ("+model.params.n=5", {"n": 5}),
        ("++model.params={a: [1, {b: c}]}", {"a": [1, {"b": "c"}]}),
    ],
)
def test_lists_and_mappings(project, override, expected):
    project({})

    assert value(override) == expected


def test_the_later_override_wins_and_a_tilde_goes_back_to_the_default(project):
    project({"config.yaml": "defaults:\n  - tuning: quick\nml:\n  folds: 3\n"})

    assert load_config(["ml.folds=4", "ml.folds=7"]).ml.folds == 7
    assert load_config(["~ml.folds"]).ml.folds == 5
    assert load_config(["~tuning"]).tuning.time_budget_s == 30
    assert load_config(["tuning={trials: 2, finalists: 1}"]).tuning.trials == 2
    assert load_config(["~ml.seed"]).ml.seed == 0, "a default needs no removing"


def test_one_override_may_stand_alone(project):
    project({})

    assert load_config("tuning=quick").tuning.time_budget_s == 10


def test_overrides_take_part_in_interpolation(project, monkeypatch):
    project({"config.yaml": "model:\n  name: ${data.target}\n"})
    monkeypatch.setenv("TABLE", "from env.csv")
    settings = load_config(["data.target=income", "data.path=${oc.env:TABLE}"])

    assert (settings.model.name, settings.data.path) == ("income", "from env.csv")
