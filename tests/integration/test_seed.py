"""Every runnable example of the user's own description, with `src` read as `modelyard`."""

from __future__ import annotations

import asyncio
import pickle
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from fastapi import APIRouter, Depends, FastAPI
from sklearn.linear_model import LogisticRegression

from modelyard.api.models import PredictionRequest, PredictionResponse
from modelyard.api.service import ModelService, get_model_service


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120), "c": rng.choice(["u", "v"], 120)})
    frame["target"] = (frame.a + (frame.c == "u") + rng.normal(size=120) * 0.1 > 0.5).astype(int)
    path = tmp_path / "dataset.csv"
    frame.to_csv(path, index=False)
    return path


def test_standard_import_patterns() -> None:
    from modelyard.api.models import PredictionRequest, PredictionResponse
    from modelyard.api.service import ModelService
    from modelyard.config import ConfigManager, load_config
    from modelyard.data.loading import load_data, save_data
    from modelyard.data.processing import engineer_features, scale_features
    from modelyard.data.validation import validate_data_quality
    from modelyard.models.evaluation import evaluate_classification_model
    from modelyard.models.inference import batch_predict
    from modelyard.models.training import hyperparameter_tuning, train_model
    from modelyard.utils.common import get_project_root, setup_logging

    named = (PredictionRequest, PredictionResponse, ModelService, ConfigManager, load_config, load_data, save_data)
    named += (engineer_features, scale_features, validate_data_quality, evaluate_classification_model, batch_predict)
    assert all(callable(thing) for thing in (*named, train_model, hyperparameter_tuning, setup_logging))
    assert get_project_root().is_dir()


def test_data_processing_pipeline(table: Path) -> None:
    from modelyard.data.loading import load_data
    from modelyard.data.processing import engineer_features
    from modelyard.data.validation import validate_data_quality

    df = load_data(str(table))
    validation_report = validate_data_quality(df)
    features_df = engineer_features(
        df, config={"target_column": "target", "categorical_encoding": "one_hot", "scaling_method": "standard"}
    )
    assert validation_report.ok
    assert features_df["target"].tolist() == df["target"].tolist()
    assert abs(features_df["a"].mean()) < 1e-6


def test_model_training_and_evaluation(table: Path) -> None:
    from modelyard.data.loading import load_data
    from modelyard.models.evaluation import evaluate_classification_model
    from modelyard.models.training import hyperparameter_tuning

    frame = load_data(str(table))
    X, y = frame.drop(columns=["target"]), frame["target"]
    X_train, X_test, y_train, y_test = X[:90], X[90:], y[:90], y[90:]
    model, tuning_results = hyperparameter_tuning(
        X_train, y_train, model_type="random_forest", param_grid={"n_estimators": [10, 20], "max_depth": [3, 5]}
    )
    metrics = evaluate_classification_model(
        y_true=y_test, y_pred=model.predict(X_test), y_proba=model.predict_proba(X_test)
    )
    assert len(tuning_results.trials) == 4
    assert metrics["accuracy"] > 0.8


@pytest.mark.usefixtures("own_plugins")
def test_custom_trainer_plugin(tmp_path: Path) -> None:
    from modelyard.plugins import get_plugin, register_plugin
    from modelyard.plugins.base import ComponentResult, ComponentStatus, ExecutionContext, ModelTrainer

    @register_plugin(
        name="custom_trainer",
        category="model_training",
        description="Custom neural network trainer",
        dependencies=["sklearn"],
        version="1.0.0",
    )
    class CustomModelTrainer(ModelTrainer):
        def _train_custom_model(self, data: Any) -> LogisticRegression:
            return LogisticRegression().fit(*data)

        def execute(self, context: ExecutionContext) -> ComponentResult:
            start_time = time.time()
            model = self._train_custom_model(context.input_data)
            model_path = tmp_path / "model.pkl"
            model_path.write_bytes(pickle.dumps(model))
            return ComponentResult(
                status=ComponentStatus.SUCCESS,
                component_name=self.name,
                execution_time=time.time() - start_time,
                output_data={"model_path": str(model_path)},
                metrics={"accuracy": 0.95},
            )

    context = ExecutionContext(input_data=(np.arange(20.0).reshape(-1, 1), np.arange(20) > 9))
    result = get_plugin("custom_trainer").execute(context)
    assert result.status is ComponentStatus.SUCCESS
    assert result.component_name == "custom_trainer"


def test_plugin_usage() -> None:
    from modelyard.plugins import get_plugin
    from modelyard.plugins.base import ComponentStatus, ExecutionContext

    context = ExecutionContext(input_data=(np.arange(40.0).reshape(-1, 1), (np.arange(40) > 19).astype(int)))
    trainer = get_plugin("sklearn_trainer")
    result = trainer.execute(context)
    assert result.status is ComponentStatus.SUCCESS


def test_using_configurations() -> None:
    from modelyard.config import load_config

    config = load_config()
    assert config.model.model_type == "auto"
    assert config.api.port
    config = load_config(overrides={"model": {"model_type": "xgboost"}, "ml": {"test_size": 0.3}})
    assert (config.model.model_type, config.ml.test_size) == ("xgboost", 0.3)


def test_environment_specific_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelyard.config import load_config

    (tmp_path / "config.yaml").write_text(
        "defaults:\n  - model: random_forest\n  - data: default\n  - _self_\n\n"
        "environment: ${oc.env:ENVIRONMENT,development}\n\n"
        "api:\n  host: ${oc.env:API_HOST,0.0.0.0}\n  port: ${oc.env:API_PORT,8000}\n"
        "  workers: ${oc.env:API_WORKERS,4}\n"
    )
    monkeypatch.setenv("API_PORT", "8123")
    config = load_config(config_dir=tmp_path)
    assert (config.environment, config.api.host, config.api.port, config.api.workers) == (
        "development",
        "0.0.0.0",
        8123,
        4,
    )
    assert config.model.model_type == "random_forest"


def test_notebook_integration(table: Path) -> None:
    from modelyard.config import load_config
    from modelyard.data.loading import load_data
    from modelyard.models.training import train_model

    config = load_config()
    data = load_data(str(table))
    model = train_model(data, config)
    assert set(model.predict(data)) <= {0, 1}


def test_workflow_integration(table: Path) -> None:
    from modelyard.api.service import ModelService
    from modelyard.config import ConfigManager
    from modelyard.data.processing import engineer_features
    from modelyard.models.training import train_model

    config_manager = ConfigManager()

    def run_pipeline(data_path: str, config: dict[str, Any]) -> ModelService:
        features = engineer_features(data_path, config)
        model = train_model(features, config)
        service = ModelService(config_manager)
        assert service.load_model("custom_model", model)
        return service

    service = run_pipeline(str(table), {"target_column": "target", "categorical_encoding": "one_hot"})
    row = [0.5] * len(service.models["custom_model"].contract.names)
    predictions, probabilities, timing = service.predict(
        features=row, model_name="custom_model", return_probabilities=True
    )
    assert len(predictions) == 1
    assert probabilities is not None
    assert timing


def test_model_service_loads_a_pickle_only_when_allowed(tmp_path: Path) -> None:
    from modelyard.api.service import ModelService
    from modelyard.config import ConfigManager

    path = tmp_path / "my_model.pkl"
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    path.write_bytes(pickle.dumps(LogisticRegression().fit(X, X[:, 0] > 0)))
    assert not ModelService(ConfigManager()).load_model("my_model", str(path))
    service = ModelService(ConfigManager(), allow_pickle=True)
    assert service.load_model("my_model", str(path))
    predictions, probabilities, timing = service.predict(
        features=[1.0, 2.0, 3.0], model_name="my_model", return_probabilities=True
    )
    assert len(predictions) == len(probabilities) == 1
    assert timing


def test_custom_endpoint(table: Path) -> None:
    from modelyard.config import ConfigManager
    from modelyard.data.loading import load_data
    from modelyard.models.training import train_model

    router = APIRouter()

    @router.post("/api/v1/custom-predict")
    async def custom_predict(
        request: PredictionRequest, service: ModelService = Depends(get_model_service)
    ) -> PredictionResponse:
        result = service.predict(request.features, request.model_name)
        return PredictionResponse(prediction=result)

    service = ModelService(ConfigManager())
    service.load_model("m", train_model(load_data(str(table))))
    app = FastAPI()
    app.include_router(router)
    app.dependency_overrides[get_model_service] = lambda: service

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            body = {"features": [0.1, 0.2, "u"], "model_name": "m"}
            return await client.post("/api/v1/custom-predict", json=body)

    answer = asyncio.run(ask())
    assert answer.status_code == 200, answer.text
    assert answer.json()["prediction"]
