from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

from modelyard.errors import MissingDependency, PluginError, PluginNotFound
from modelyard.plugins import get_plugin, get_trainer, list_plugins, register_plugin
from modelyard.plugins.base import ComponentResult, ComponentStatus, ExecutionContext, ModelTrainer

pytestmark = pytest.mark.usefixtures("own_plugins")

BUILT_IN = ["linear", "random_forest", "extra_trees", "hist_gradient_boosting", "lightgbm", "xgboost"]


def define(name: str = "custom_trainer", dependencies: tuple[str, ...] = ()) -> type[ModelTrainer]:
    @register_plugin(name=name, category="model_training", dependencies=dependencies, version="1.0.0")
    class CustomModelTrainer(ModelTrainer):
        def execute(self, context: ExecutionContext) -> ComponentResult:
            return ComponentResult(ComponentStatus.SUCCESS, self.name, output_data=context.input_data)

    return CustomModelTrainer


def test_custom_trainer_of_the_user_s_description() -> None:
    import time

    model_path = Path("model.bin")

    @register_plugin(
        name="custom_trainer",
        category="model_training",
        description="Custom neural network trainer",
        dependencies=["torch", "sklearn"],
        version="1.0.0",
    )
    class CustomModelTrainer(ModelTrainer):
        def execute(self, context: ExecutionContext) -> ComponentResult:  # noqa: ARG002  as the user wrote it
            start_time = time.time()
            return ComponentResult(
                status=ComponentStatus.SUCCESS,
                component_name=self.name,
                execution_time=time.time() - start_time,
                output_data={"model_path": str(model_path)},
                metrics={"accuracy": 0.95},
            )

    with pytest.raises(MissingDependency, match=r"'custom_trainer' needs torch; install it with: pip install 'torch'"):
        get_plugin("custom_trainer")
    result = CustomModelTrainer().execute(ExecutionContext())
    assert result.component_name == "custom_trainer"
    assert CustomModelTrainer.dependencies == ("torch", "sklearn")


def test_registered_plugin_is_found_and_executed() -> None:
    define(dependencies=("numpy",))
    assert get_plugin("custom_trainer").execute(ExecutionContext(input_data=3)).output_data == 3
    assert get_plugin("custom_trainer") is not get_plugin("custom_trainer")


@pytest.mark.parametrize("config", [{}, {"model_type": "linear"}])
def test_sklearn_trainer_fits_the_named_algorithm(config: dict[str, str]) -> None:
    X, y = load_iris(return_X_y=True)
    result = get_plugin("sklearn_trainer").execute(ExecutionContext(input_data=(X, y), config=config))
    assert result.status is ComponentStatus.SUCCESS
    assert result.component_name == "sklearn_trainer"
    assert result.metrics["train_accuracy"] > 0.9
    assert len(result.output_data["model"].predict(X.astype(np.float32))) == len(y)


def test_executing_a_trainer_says_what_its_codes_stand_for() -> None:
    X = np.linspace(0, 1, 60)[:, None]
    labels = np.where(X[:, 0] > 0.5, "yes", "no")
    output = get_plugin("linear").execute(ExecutionContext(input_data=(X, labels))).output_data
    assert output["classes"] == ["no", "yes"]
    model = output["model"]
    assert model.predict([[0.0], [1.0]]).tolist() == ["no", "yes"]
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.predict_proba([[1.0]])[0, 1] > 0.5


def test_executing_a_trainer_predicts_the_rarer_label_in_the_column_of_its_place() -> None:
    """The contract puts the rarer class last; the columns are in ascending order all the same."""
    X = pd.DataFrame({"a": np.linspace(0, 1, 60)})
    labels = np.where(X["a"] > 0.3, "b", "a")
    model = get_plugin("sklearn_trainer").execute(ExecutionContext(input_data=(X, labels))).output_data["model"]
    assert model.classes_.tolist() == ["a", "b"]
    assert model.predict_proba(X)[[0, -1], [0, 1]].min() > 0.5
    assert np.mean(model.predict(X) == labels) > 0.9


@pytest.mark.parametrize("as_rows", [False, True])
def test_executing_a_trainer_encodes_texts_and_nulls(as_rows: bool) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"size": rng.choice(["s", "m", None], 90), "price": rng.normal(size=90)})
    labels = table["size"] == "s"
    X = table.to_numpy(dtype=object).tolist() if as_rows else table
    result = get_plugin("sklearn_trainer").execute(ExecutionContext(input_data=(X, labels)))
    assert result.status is ComponentStatus.SUCCESS, result.error
    assert np.mean(result.output_data["model"].predict(X) == labels) > 0.95


@pytest.mark.parametrize(("count", "config"), [(500, {}), (8, {"task": "regression"})])
def test_executing_a_trainer_on_whole_numbers_is_a_regression(count: int, config: dict[str, str]) -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, count, (600, 1))
    result = get_plugin("sklearn_trainer").execute(ExecutionContext(input_data=(X, X[:, 0] * 3), config=config))
    assert result.output_data["classes"] == []
    assert result.metrics["train_r2"] > 0.9


@pytest.mark.parametrize(
    ("data", "config", "error"),
    [
        (None, {}, "TypeError: "),
        ((np.eye(9), [0, 1]), {}, "X has 9 rows and y 2"),
        ((np.eye(9), [1] * 9), {}, "the target 'target' has the one value 1"),
        ((np.eye(9), [0, 1] * 4 + [0]), {"task": "ranking"}, "task='ranking' is unknown; pass one of binary"),
        ((np.eye(9), [0, 1] * 4 + [0]), {"params": {"C": -1.0}}, "InvalidParameterError: The 'C' parameter"),
    ],
)
def test_what_cannot_be_fitted_is_a_failed_result(data: object, config: dict[str, object], error: str) -> None:
    result = get_plugin("linear").execute(ExecutionContext(input_data=data, config=config))
    assert (result.status, result.component_name, result.output_data) == (ComponentStatus.FAILED, "linear", None)
    assert str(result.error).startswith(error)


def test_unknown_name_names_the_nearest() -> None:
    with pytest.raises(PluginNotFound, match="did you mean 'lightgbm'"):
        get_plugin("lightgmb")


def test_execute_only_plugin_is_no_trainer() -> None:
    define()
    with pytest.raises(PluginError, match="TabularTrainer"):
        get_trainer("custom_trainer")


def test_a_name_belongs_to_one_class() -> None:
    define()
    second = define()  # the same code once more, as when a module is imported again
    assert type(get_plugin("custom_trainer")) is second
    with pytest.raises(PluginError, match=r"'custom_trainer' belongs to .*CustomModelTrainer"):
        register_plugin(name="custom_trainer", category="x")(type("Other", (ModelTrainer,), {}))
    with pytest.raises(PluginError, match="'linear' belongs to"):
        define("linear")


def test_only_components_are_plugins() -> None:
    with pytest.raises(PluginError, match="derive it"):
        register_plugin(name="strange", category="x")(dict)  # type: ignore[type-var]  # what is tested


def test_missing_library_of_a_built_in_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(MissingDependency, match=r"modelyard\[boost\]"):
        get_trainer("xgboost")


def test_list_has_all_built_in_trainers_by_category() -> None:
    define("other_kind")
    names = [cls.name for cls in list_plugins("model_training")]
    assert set(BUILT_IN) <= set(names)
    assert names == sorted(names)
    assert list_plugins("no such category") == ()


def make_distribution(folder: Path, name: str, code: str) -> None:
    (folder / f"{name}_module.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[modelyard.plugins]\n{name} = {name}_module\n")


def test_entry_points_of_other_distributions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_distribution(
        tmp_path,
        "foreign",
        "from modelyard.plugins import register_plugin\n"
        "from modelyard.plugins.base import ComponentResult, ComponentStatus, ModelTrainer\n"
        "@register_plugin(name='foreign', category='model_training')\n"
        "class Foreign(ModelTrainer):\n"
        "    def execute(self, context): return ComponentResult(ComponentStatus.SUCCESS, self.name)\n",
    )
    make_distribution(tmp_path, "broken", "1 / 0\n")
    make_distribution(tmp_path, "silent", "")
    monkeypatch.syspath_prepend(tmp_path)
    assert get_plugin("foreign").execute(ExecutionContext()).component_name == "foreign"
    with pytest.raises(PluginError, match="'broken' of broken_module cannot be imported: ZeroDivisionError"):
        get_plugin("broken")
    with pytest.raises(PluginError, match="does not register itself"):
        get_plugin("silent")
    names = {cls.name for cls in list_plugins()}
    assert "foreign" in names
    assert "broken" not in names
    assert "broken_module" in caplog.text


def test_only_the_asked_for_library_is_imported() -> None:
    code = (
        "import sys, modelyard.plugins; assert 'numpy' not in sys.modules\n"
        "modelyard.plugins.get_trainer('linear')\n"
        "assert not {'lightgbm', 'xgboost'} & set(sys.modules)\n"
        "modelyard.plugins.list_plugins()\n"
        "assert 'xgboost' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
