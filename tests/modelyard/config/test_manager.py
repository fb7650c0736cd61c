from __future__ import annotations

import concurrent.futures
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from modelyard.config import ConfigManager, Settings, load_config
from modelyard.errors import ConfigError

SEED = """\
defaults:
  - model: random_forest
  - data: default
  - _self_

environment: ${oc.env:ENVIRONMENT,development}

api:
  host: ${oc.env:API_HOST,0.0.0.0}
  port: ${oc.env:API_PORT,8000}
  workers: ${oc.env:API_WORKERS,4}
"""


def test_the_defaults_are_those_of_the_classes(project):
    project({})

    assert load_config() == Settings()
    assert ConfigManager().settings == Settings()


def test_overrides_of_a_program_are_merged(project):
    project({})
    config = load_config(overrides={"model": {"model_type": "xgboost"}, "ml": {"test_size": 0.3}})

    assert config.model.model_type == "xgboost"
    assert config.ml.test_size == 0.3
    assert config.ml.folds == 5


def test_keys_of_a_program_s_overrides_may_be_dotted(project):
    project({})
    config = load_config({"tuning.time_budget_s": 5, "tuning": {"trials": 3}, "data.kinds": {"a.b": "categorical"}})

    assert (config.tuning.time_budget_s, config.tuning.trials) == (5, 3)
    assert config.data.kinds == {"a.b": "categorical"}
    with pytest.raises(ConfigError, match=r"^tuning\.time_budget: is no setting \(in override\); did you mean"):
        load_config({"tuning.time_budget": 5})


def test_overrides_of_a_program_never_meet_a_grammar(project):
    project({})
    strange = ["${", "${data.path}", "a=b;?", " ü ", "[", "null", "???", "'"]
    config = load_config(overrides={"data": {"columns": strange, "path": Path("a b") / "t.csv", "target": 7}})

    assert config.data.columns == strange
    assert config.data.path == os.path.join("a b", "t.csv")
    assert config.data.target == "7"


def test_a_projects_file_chooses_packaged_groups_and_reads_the_environment(project, monkeypatch):
    project({"config.yaml": SEED})
    monkeypatch.setenv("API_PORT", "9000")
    config = load_config()

    assert config.model.model_type == "random_forest"
    assert (config.environment, config.api.host, config.api.port, config.api.workers) == (
        "development",
        "0.0.0.0",
        9000,
        4,
    )
    assert load_config(["model=linear"]).model.model_type == "linear"


def test_a_projects_own_options_stand_before_the_packaged_ones(project):
    conf = project(
        {
            "config.yaml": "defaults:\n  - tuning: quick\n  - data: mine\ntuning:\n  trials: 3\n",
            "tuning/quick.yaml": "time_budget_s: 1\n",
            "data/mine.yaml": "defaults:\n  - base\npath: mine.csv\n",
            "data/base.yaml": "target: label\npath: base.csv\n",
            "preset/small.yaml": "# @package _global_\nml:\n  seed: 5\n",
        }
    )
    config = load_config(config_dir=conf)

    assert (config.tuning.time_budget_s, config.tuning.trials) == (1, 3)
    assert (config.data.path, config.data.target) == ("mine.csv", "label")
    assert load_config(["tuning=thorough"]).tuning.time_budget_s == 1800
    assert load_config(["preset=small"]).ml.seed == 5, "a group of its own"
    assert load_config(["serving=default"]).serving.max_rows == 1000, "a group that the defaults list leaves out"


def test_a_group_whose_lines_are_commented_out_changes_nothing(project):
    project({"config.yaml": "data:\n  # path: t.csv\ntuning:\n"})

    assert load_config() == Settings()


def test_names_of_columns_keep_what_was_written(project):
    project({"config.yaml": "data:\n  columns: [1, 1e3, true, no, 2024-01-01, null, 0x1F, 'a, b']\n  target: 007\n"})
    config = load_config()

    assert config.data.columns == ["1", "1e3", "true", "no", "2024-01-01", "null", "0x1F", "a, b"]
    assert config.data.target == "007"


def test_yaml_reads_back_exactly(project):
    project({})
    settings = load_config(
        {
            "data": {"columns": ["1", "no", "1e3", "ü", "${x}", "2024-01-01"], "positive": "1e3", "quote": "'"},
            "model": {"params": {"a": 1e-7, "b": "1e-7", "c": None, "d": [True, "true"], "e": float("inf")}},
            "tuning": {"deterministic": True, "trials": 3},
        }
    )

    assert ConfigManager.from_yaml(ConfigManager.to_yaml(settings)) == settings
    assert settings.tuning.time_budget_s is None


def test_yaml_of_a_run_is_refused_with_its_name():
    with pytest.raises(ConfigError, match=r"^tuning\.trails: is no setting \(in runs/a/config\.yaml, line 2\); did"):
        ConfigManager.from_yaml("tuning:\n  trails: 3\n", "runs/a/config.yaml")


def test_threads_may_compose_at_once_and_no_state_is_left(project):
    project({"config.yaml": SEED})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        seeds = list(pool.map(lambda seed: load_config([f"ml.seed={seed}", "tuning=quick"]).ml.seed, range(24)))

    assert seeds == list(range(24))
    assert not GlobalHydra.instance().is_initialized()
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["conf"]


def test_importing_the_package_loads_no_hydra():
    code = "import sys, modelyard.config; print(sorted({'hydra', 'omegaconf', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    import modelyard.config

    with pytest.raises(AttributeError, match="nothing"):
        modelyard.config.nothing  # noqa: B018  # the access is the test
