"""The values of the serving chart: each described and typed, and wrong ones refused in a sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from helm_charts import CHARTS, RELEASE, render, run_helm
from modelyard.config.models import PredictionLogSettings, ServingSettings

CHART = CHARTS / "modelyard-serving"
VALUES = (CHART / "values.yaml").read_text()
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
IMAGE = {"image": {"repository": "registry.local/adult", "digest": f"sha256:{'1' * 64}"}}
CANARY = {"enabled": True, "image": {"tag": "new"}}
KEYED = {"apiKeys": {"existingSecret": "adult-keys"}}
# set from values of other groups, or of the bento and not of the deployment
NOT_SERVING = {"feedback_key_file", "keys_file", "metrics_port", "labels", "prediction_bins"}

REFUSED = [
    ({"imagee": {}}, "imagee"),
    ({"image": {"repository": ""}}, "image.repository is empty"),
    ({"image": {"digest": ""}}, "image.digest and image.tag are empty"),
    ({"image": {"digest": "sha256:1234"}}, "/image/digest"),
    ({"image": {"repository": "https://registry.local/adult"}}, "/image/repository"),
    ({"image": {"repository": "registry.local/adult:latest"}}, "/image/repository"),
    ({"image": {"tag": 1}}, "/image/tag"),
    ({"image": {"pullPolicy": "always"}}, "/image/pullPolicy"),
    ({"imagePullSecrets": ["registry"]}, "/imagePullSecrets/0"),
    ({"replicas": -1}, "/replicas"),
    ({"replicas": "2"}, "/replicas"),
    ({"serving": {"max_row": 5}}, "max_row"),
    ({"serving": {"max_rows": 0}}, "/serving/max_rows"),
    ({"serving": {"keys_file": "/keys"}}, "keys_file"),
    ({"serving": {"drain_seconds": None}}, "drain_seconds"),
    ({"serving": None}, "serving"),
    ({"serving": {"client_timeout_s": 60}}, "termination.requestSeconds is 20"),
    ({"termination": {"requestSeconds": 0}}, "/termination/requestSeconds"),
    ({"resources": {"requests": {"cpu": "half"}}}, "/resources/requests/cpu"),
    ({"resources": {"requests": {"memory": "512MB"}}}, "/resources/requests/memory"),
    ({"resources": {"limits": {"gpu": 1}}}, "gpu"),
    ({"autoscaling": {"enabled": "yes"}}, "/autoscaling/enabled"),
    ({"autoscaling": {"enabled": True, "minReplicas": 11}}, "autoscaling.minReplicas is 11"),
    ({"autoscaling": {"targetCPUUtilizationPercentage": 0.6}}, "targetCPUUtilizationPercentage"),
    ({"autoscaling": {"behavior": {"scaleUp": {"policies": []}}}}, "/autoscaling/behavior/scaleUp/policies"),
    ({"canary": {"enabled": True}}, "canary.enabled is true"),
    ({"canary": CANARY | {"weight": 100}}, "/canary/weight"),
    ({"metrics": {"port": 3000}}, "metrics.port is 3000"),
    ({"metrics": {"port": 70000}}, "/metrics/port"),
    (KEYED | {"metrics": {"port": 0, "scrapeAnnotations": True}}, "metrics.scrapeAnnotations"),
    (KEYED | {"metrics": {"port": 0, "serviceMonitor": {"enabled": True}}}, "apiKeys.clientSecret"),
    ({"service": {"type": "ExternalName"}}, "/service/type"),
    ({"ingress": {"enabled": True}}, "ingress.hosts is empty"),
    ({"ingress": {"hosts": ["https://a.org"]}}, "/ingress/hosts/0"),
    ({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs is empty"),
    ({"paths": {"extra": [{"path": "/metrics", "type": "Exact"}]}}, "/metrics through"),
    ({"paths": {"extra": [{"path": "/", "type": "Prefix"}]}}, "paths.extra lets / through"),
    ({"paths": {"extra": ["/mine"]}}, "/paths/extra/0"),
    ({"networkPolicy": {"egress": {}}}, "/networkPolicy/egress"),
    ({"podDisruptionBudget": {"maxUnavailable": 0}}, "/podDisruptionBudget/maxUnavailable"),
    ({"updateStrategy": {"maxSurge": 0, "maxUnavailable": "0%"}}, "updateStrategy.maxSurge and maxUnavailable"),
    ({"probes": {"liveness": {"path": "/"}}}, "path"),
    ({"lostNodeSeconds": "30s"}, "/lostNodeSeconds"),
    ({"podLabels": {"modelyard.io/track": "canary"}}, "podLabels sets modelyard.io/track"),
    ({"podAnnotations": {"a": True}}, "/podAnnotations/a"),
    ({"extraEnv": [{"name": "MODELYARD_SERVING", "value": "{}"}]}, "extraEnv sets MODELYARD_SERVING"),
    ({"extraEnv": {"LOG_LEVEL": "debug"}}, "/extraEnv"),
    ({"fullnameOverride": "Adult"}, "/fullnameOverride"),
]


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    inner = {key: merged(base[key], value) for key, value in over.items() if isinstance(base.get(key), dict) and value}
    return {**base, **over, **inner}


@pytest.mark.parametrize(("values", "named"), REFUSED, ids=[named for _, named in REFUSED])
def test_a_wrong_value_is_refused_by_its_name(values: dict[str, Any], named: str) -> None:
    code, printed = run_helm("template", RELEASE, CHART, values=merged(IMAGE, values))
    assert code != 0
    assert named in printed
    assert "nil pointer" not in printed
    assert len(printed) < 700


def test_there_are_wrong_values_enough() -> None:
    assert len(REFUSED) >= 30


@pytest.mark.parametrize("release", ["1st", "a.b"])
def test_a_release_whose_name_no_service_can_have_is_refused(release: str) -> None:
    code, printed = run_helm("template", release, CHART, values=IMAGE)
    assert code != 0
    assert f"The name {release} cannot be a Service's" in printed
    assert run_helm("template", release, CHART, values=IMAGE | {"fullnameOverride": "adult"})[0] == 0


def test_a_chart_that_this_one_is_a_part_of_may_have_global_values() -> None:
    assert render("modelyard-serving", IMAGE | {"global": {"region": "north"}}) == render("modelyard-serving", IMAGE)


def objects(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a schema that is no mapping of free names, with its path."""
    if "properties" in schema:
        yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from objects(inner, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from objects(schema["items"], f"{path}[]")


def descriptions(schema: dict[str, Any]) -> dict[str, str]:
    """What a schema says of each value, by its path."""
    found = objects(schema)
    return {
        f"{path}.{name}".lstrip("."): it["description"] for path, at in found for name, it in at["properties"].items()
    }


def comments(text: str) -> dict[str, str]:
    """The first paragraph of the comment above each key of values.yaml, by its path."""
    found, path, paragraphs = {}, [], [""]
    for line in text.splitlines():
        if comment := re.fullmatch(r" *# ?(.*)", line):
            paragraphs = [*paragraphs, ""] if not comment[1] else [*paragraphs[:-1], f"{paragraphs[-1]} {comment[1]}"]
            continue
        if key := re.match(r"( *)(\w+):", line):
            path = [*path[: len(key[1]) // 2], key[2]]
            found[".".join(path)] = paragraphs[0].strip()
        paragraphs = [""]
    return found


def keys(values: dict[str, Any], schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """The paths of all values, down to where names are free."""
    for name, value in values.items():
        inner = schema["properties"][name]
        yield f"{path}{name}"
        if isinstance(value, dict) and "properties" in inner:
            yield from keys(value, inner, f"{path}{name}.")


def test_every_value_has_a_sentence_in_values_yaml_and_the_same_in_the_schema() -> None:
    written, told = comments(VALUES), descriptions(SCHEMA)
    paths = list(keys(yaml.safe_load(VALUES), SCHEMA))
    assert len(paths) > 100
    assert {path: written.get(path) for path in paths} == {path: told[path] for path in paths}


def test_the_schema_describes_all_that_it_takes_in_sentences() -> None:
    assert [path for path, text in descriptions(SCHEMA).items() if not re.fullmatch(r"[A-Z/].{5,150}\.", text)] == []


def test_the_schema_takes_no_unknown_name() -> None:
    assert [path for path, schema in objects(SCHEMA) if schema.get("additionalProperties") is not False] == []


def test_no_default_can_be_taken_away() -> None:
    defaults = yaml.safe_load(VALUES)
    for path, schema in objects(SCHEMA):
        # what only a release sets has no default
        if "[]" in path or path == "serving.prediction_log":
            continue
        values = defaults
        for name in path.split(".") if path else []:
            values = values[name]
        assert set(schema["required"]) == set(values), path


def test_the_settings_of_the_service_are_those_that_it_has() -> None:
    serving = SCHEMA["properties"]["serving"]["properties"]
    assert set(serving) == set(ServingSettings.model_fields) - NOT_SERVING
    assert set(serving["prediction_log"]["properties"]) == set(PredictionLogSettings.model_fields)
