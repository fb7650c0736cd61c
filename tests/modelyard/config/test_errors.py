"""Every mistake is one sentence that names the key, the place and what to do."""

from __future__ import annotations

import pytest

from modelyard.config import load_config
from modelyard.errors import ConfigError

OVERRIDES = [
    (["tuning.trails=3"], "tuning.trails: is no setting (in override); did you mean 'trials'?"),
    (["time_budget=3"], "time_budget: is no setting (in override); did you mean 'tuning.time_budget_s'?"),
    (["modle=xgboost"], "modle: is no setting (in override); did you mean 'model'?"),
    (["model=xgbost"], "model: has no option 'xgbost' (in override); did you mean 'xgboost'?"),
    (["adult.csv"], "'adult.csv': is no override; write KEY=VALUE, such as tuning.trials=20"),
    (["=3"], "'=3': is no override; write KEY=VALUE, such as tuning.trials=20"),
    (["~data.pth"], "~data.pth: is no setting (in override); did you mean 'path'?"),
    (["data.columns=a"], "data.columns: should be a valid list, not 'a' (in override)"),
    (["data.columns=[a,,b]"], 'data.columns: has an empty item (in override); write "" for an empty text'),
    (["ml.folds=1"], "ml.folds: should be greater than or equal to 2, not 1 (in override)"),
    (["data.task=x"], "data.task: should be 'binary', 'multiclass' or 'regression' or should be 'auto', not 'x'"),
    (["data.kinds={a: number}"], "data.kinds.a: should be 'numeric', 'categorical', 'boolean' or 'datetime', not"),
    (["data.path=${oc.env:NO_SUCH}"], "data.path: cannot be filled in: KeyError raised while resolving"),
    (["data.path=${no.such}"], "data.path: cannot be filled in: Interpolation key 'no.such' not found"),
    (["ml.seed=???"], "ml.seed: has no value yet (in override)"),
    (["tuning.deterministic=true"], "tuning: a deterministic search needs tuning.trials"),
    (["tuning=deterministic", "tuning.time_budget_s=3"], "tuning: a deterministic search takes no"),
    (["tuning.time_budget_s=null"], "tuning: the search would never end"),
    ({"model": "xgboost"}, "model: is a group of settings, not 'xgboost' (in override); write model.name=..."),
    ({"model": {"modeltype": 1}}, "model.modeltype: is no setting (in override); did you mean 'model_type'?"),
    ({"ml": {"folds": object}}, "ml.folds: Value 'object' is not a supported primitive type"),
]


@pytest.mark.parametrize(("overrides", "sentence"), OVERRIDES, ids=str)
def test_overrides(project, overrides, sentence):
    project({})
    with pytest.raises(ConfigError) as caught:
        load_config(overrides)

    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


FILES = [
    ({"config.yaml": "data:\n  pth: x\n"}, "data.pth: is no setting (in conf/config.yaml, line 2); did you mean"),
    ({"config.yaml": "data: [1\n"}, "conf/config.yaml: is not YAML: line 2: "),
    ({"config.yaml": "data: x\ndata: y\n"}, "conf/config.yaml: is not YAML: line 2: 'data' is there twice"),
    ({"config.yaml": "- data\n"}, "conf/config.yaml: holds no settings; write KEY: VALUE lines"),
    ({"config.yaml": "a: \0"}, "conf/config.yaml: is not YAML"),
    ({"config.yaml": "a: &x [*x]"}, "conf/config.yaml: is "),
    ({"config.yaml": "data: !!python/name:os.system x\n"}, "conf/config.yaml: is not YAML: line 1: could not"),
    (
        {"config.yaml": "defaults:\n  - model: forest\n"},
        "defaults: no file is called model/forest.yaml (in conf/config",
    ),
    ({"config.yaml": "defaults: model\n"}, "defaults: Invalid defaults list"),
    ({"config.yaml": "defaults:\n  - model: 3\n"}, "defaults: Unsupported item value"),
    ({"config.yaml": "defaults:\n  - config\n"}, "defaults: a file names itself (in conf/config.yaml)"),
    (
        {"config.yaml": "defaults:\n  - data: a\n", "data/a.yaml": "defaults:\n  - b\n"},
        "defaults: no file is called data/b.yaml (in conf/data/a.yaml)",
    ),
    (
        {"config.yaml": "defaults:\n  - tuning: slow\n", "tuning/slow.yaml": "\ntrials: many\n"},
        "tuning.trials: should be a valid integer, unable to parse string as an integer, not 'many' "
        "(in conf/tuning/slow.yaml, line 2)",
    ),
    ({"config.yaml": "api:\n  port: ${oc.env:NO_SUCH}\n"}, "api.port: cannot be filled in: KeyError"),
    ({"config.yaml": "api:\n  port: ${oc.env\n"}, "api.port: "),
]


@pytest.mark.parametrize(("files", "sentence"), FILES, ids=str)
def test_files(project, files, sentence):
    project(files)
    with pytest.raises(ConfigError) as caught:
        load_config()

    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_utf8_is_named(project):
    (project({"config.yaml": ""}) / "config.yaml").write_bytes(b"data:\n  target: \xfc\n")

    with pytest.raises(ConfigError, match=r"^conf/config\.yaml: is not UTF-8 \(byte 16\); save it as UTF-8$"):
        load_config()


def test_a_folder_that_is_none_or_holds_none_is_named(project):
    conf = project({"data/mine.yaml": ""})

    with pytest.raises(ConfigError, match=r"nowhere: is no folder; `modelyard init DIR`"):
        load_config(config_dir=conf / "nowhere")
    with pytest.raises(ConfigError, match=r"conf: has no config\.yaml"):
        load_config(config_dir=conf)
