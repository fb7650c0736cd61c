"""The values of the training chart: each described and typed, and wrong ones refused in a sentence."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from chart_values import comments, descriptions, keys, merged, objects
from helm_charts import CHARTS, RELEASE, render, run_helm, variants

CHART = CHARTS / "modelyard-training"
VALUES = (CHART / "values.yaml").read_text()
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
MINIMAL = variants("modelyard-training")["minimal"]
WEEKLY = {"run": "", "retraining": {"schedule": "0 3 * * 1"}}

REFUSED = [
    ({"workerss": 2}, "workerss"),
    ({"run": ""}, "run and retraining.schedule are both empty"),
    ({"run": "Adult 1"}, "/run"),
    ({"config": ""}, "config is empty"),
    ({"config": "config.yaml"}, "/config"),
    ({"wheels": ["plugin.tar.gz"]}, "/wheels/0"),
    ({"storage": {"url": ""}}, "storage.url is empty"),
    ({"storage": {"url": "s3://data/modelyard/"}}, "/storage/url"),
    ({"storage": {"url": "/data"}}, "storage.url is /data, which only its own pod"),
    ({"storage": {"claim": "shared"}}, "storage.claim is mounted at /storage"),
    ({"storage": {"existingSecret": "S3_keys"}}, "/storage/existingSecret"),
    ({"storage": {"s3": {"endpoint": "s3.storage.svc:9000"}}}, "/storage/s3/endpoint"),
    ({"storage": {"s3": {"bucket": "data"}}}, "bucket"),
    ({"storage": {"group": 0}}, "/storage/group"),
    ({"image": {"repository": ""}}, "image.repository is empty"),
    ({"image": {"digest": ""}}, "image.digest and image.tag are empty"),
    ({"image": {"digest": "1234"}}, "/image/digest"),
    ({"image": {"repository": "registry.local/training:1"}}, "/image/repository"),
    ({"imagePullSecrets": ["registry"]}, "/imagePullSecrets/0"),
    ({"token": {"existingSecret": ""}}, "token.existingSecret is empty"),
    ({"token": {"value": "1234"}}, "value"),
    ({"engine": "ray"}, "/engine"),
    ({"engine": "kuberay", "token": {"key": "token"}}, "token.key is token"),
    (WEEKLY | {"engine": "kuberay"}, "engine is kuberay"),
    ({"workers": -1}, "/workers"),
    ({"workers": 1.5}, "/workers"),
    ({"cpus": 0}, "/cpus"),
    ({"memory": {"baseMiB": "1Gi"}}, "/memory/baseMiB"),
    ({"memory": {"objectStoreMiB": 64}}, "/memory/objectStoreMiB"),
    ({"job": {"retries": -1}}, "/job/retries"),
    ({"job": {"backoffLimit": 3}}, "backoffLimit"),
    ({"kuberay": {"submissionMode": "SidecarMode"}}, "/kuberay/submissionMode"),
    ({"retraining": {"schedule": "0 3 * * 1"}}, "run and retraining.schedule are both set"),
    (WEEKLY | {"retraining": {"schedule": "weekly"}}, "/retraining/schedule"),
    ({"retraining": {"repository": "registry.local/adult"}}, "retraining.schedule is empty"),
    (WEEKLY | {"retraining": {"schedule": "@daily", "repository": "registry.local/adult:1"}}, "/retraining/repository"),
    (WEEKLY | {"retraining": {"schedule": "@daily", "registrySecret": "keys"}}, "retraining.repository is empty"),
    ({"metrics": {"port": 70000}}, "/metrics/port"),
    ({"metrics": {"port": 6389}}, "metrics.port is 6389"),
    ({"engine": "kuberay", "metrics": {"port": 8080}}, "metrics.port is 8080"),
    ({"metrics": {"port": 0, "podMonitor": {"enabled": True}}}, "metrics.podMonitor.enabled is true"),
    ({"metrics": {"podMonitor": {"interval": "often"}}}, "/metrics/podMonitor/interval"),
    ({"networkPolicy": {"egress": {}}}, "/networkPolicy/egress"),
    ({"lostNodeSeconds": "15s"}, "/lostNodeSeconds"),
    ({"podLabels": {"app.kubernetes.io/instance": "other"}}, "podLabels sets app.kubernetes.io/instance"),
    ({"podAnnotations": {"a": True}}, "/podAnnotations/a"),
    ({"extraEnv": [{"name": "RAY_AUTH_MODE", "value": "disabled"}]}, "extraEnv sets RAY_AUTH_MODE"),
    ({"tmpSize": "4GB"}, "/tmpSize"),
    ({"graceSeconds": 10}, "/graceSeconds"),
    ({"terminationLog": "termination-log"}, "/terminationLog"),
    ({"fullnameOverride": "Adult"}, "/fullnameOverride"),
]


@pytest.mark.parametrize(("values", "named"), REFUSED, ids=[named for _, named in REFUSED])
def test_a_wrong_value_is_refused_by_its_name(values: dict[str, Any], named: str) -> None:
    code, printed = run_helm("template", RELEASE, CHART, values=merged(MINIMAL, values))
    assert code != 0
    assert named in printed
    assert "nil pointer" not in printed
    assert len(printed) < 700


def test_there_are_wrong_values_enough() -> None:
    assert len(REFUSED) >= 30


@pytest.mark.parametrize("release", ["1st", "a.b", "a" * 48])
def test_a_release_whose_name_no_object_can_have_is_refused(release: str) -> None:
    code, printed = run_helm("template", release, CHART, values=MINIMAL)
    assert code != 0
    assert f"The name {release} cannot be" in printed
    assert run_helm("template", release, CHART, values=MINIMAL | {"fullnameOverride": "adult"})[0] == 0


def test_a_chart_that_this_one_is_a_part_of_may_have_global_values() -> None:
    assert render("modelyard-training", MINIMAL | {"global": {"region": "north"}}) == render(
        "modelyard-training", MINIMAL
    )


def test_every_value_has_a_sentence_in_values_yaml_and_the_same_in_the_schema() -> None:
    written, told = comments(VALUES), descriptions(SCHEMA)
    paths = list(keys(yaml.safe_load(VALUES), SCHEMA))
    assert len(paths) > 60
    assert {path: written.get(path) for path in paths} == {path: told[path] for path in paths}


def test_the_schema_describes_all_that_it_takes_in_sentences() -> None:
    assert [path for path, text in descriptions(SCHEMA).items() if not re.fullmatch(r"[A-Z/].{8,150}\.", text)] == []


def test_the_schema_takes_no_unknown_name() -> None:
    assert [path for path, schema in objects(SCHEMA) if schema.get("additionalProperties") is not False] == []


def test_no_default_can_be_taken_away() -> None:
    defaults = yaml.safe_load(VALUES)
    for path, schema in objects(SCHEMA):
        if "[]" in path:
            continue
        values = defaults
        for name in path.split(".") if path else []:
            values = values[name]
        assert set(schema["required"]) == set(values), path
