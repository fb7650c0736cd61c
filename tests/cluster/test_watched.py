"""A release with all that watches it: a Prometheus finds its pods, and an outcome told to one of them is its score."""

from __future__ import annotations

import json
import os
import secrets
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from cluster.place import Cluster, Namespace
from cluster.releases import SMALL, Deployer, predict
from modelyard.config.models import Settings
from modelyard.data.loading import load_data
from modelyard.errors import TableUnreadable
from modelyard_bentos.capacity import measure_bento
from modelyard_bentos.packaging import pack
from promtool import prometheus, watching
from served_model import json_rows, make_contract, make_table, save_served
from waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("types")]

FRAME = make_table()
ROWS, REQUESTS = 20, 30
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
LABELS = {"release": "prometheus"}


def values(namespace: Namespace, log: str) -> dict[str, Any]:
    """Everything on, with windows that take minutes."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "people-feedback"}}
    namespace.apply(secret | {"stringData": {"key": secrets.token_hex(32)}})
    return {
        "feedback": {"existingSecret": "people-feedback"},
        "serving": {"drain_seconds": 5, "prediction_log": {"url": log, "seconds": 1}},
        "extraEnv": [{"name": name, "value": os.environ[name]} for name in KEYS],
        "networkPolicy": {"egress": [{}]},
        "metrics": {
            "scrapeAnnotations": True,
            "serviceMonitor": {"enabled": True, "labels": LABELS},
            "rules": {
                "enabled": True,
                "labels": LABELS,
                "drift": {"window": "1m", "hold": "0s", "leastRows": 100},
                "feedback": {"window": "1m", "leastRows": 100},
            },
            "dashboards": {"enabled": True},
        },
    }


def copied(namespace: Namespace, folder: Path) -> dict[str, Any]:
    """Copies the release's rules into a folder, and returns what its ServiceMonitor asks to be scraped."""
    folder.mkdir()
    for rules in namespace.get("prometheusrules", f"--selector=release={LABELS['release']}")["items"]:
        (folder / f"{rules['metadata']['name']}.yaml").write_text(yaml.safe_dump(rules["spec"]))
    (monitor,) = namespace.get("servicemonitors", f"--selector=release={LABELS['release']}")["items"]
    return job(namespace, monitor["spec"])


def job(namespace: Namespace, monitor: dict[str, Any]) -> dict[str, Any]:
    """What Prometheus' operator makes of a ServiceMonitor."""
    (endpoint,) = monitor["endpoints"]
    source = {
        "role": "endpoints",
        "kubeconfig_file": os.environ["KUBECONFIG"],
        "namespaces": {"names": [namespace.name]},
    }
    kept = {f"service_label_{_word(name)}": value for name, value in monitor["selector"]["matchLabels"].items()}
    kept["pod_container_port_name"] = endpoint["targetPort"]
    rules = [
        {"action": "keep", "source_labels": [f"__meta_kubernetes_{name}"], "regex": value}
        for name, value in kept.items()
    ]
    rules.append({"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"})
    rules += [{_snake(key): value for key, value in rule.items()} for rule in endpoint["relabelings"]]
    return {
        "metrics_path": endpoint["path"],
        "kubernetes_sd_configs": [source],
        "relabel_configs": rules,
    }


def _word(label: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in label)


def _snake(key: str) -> str:
    return {"targetLabel": "target_label", "sourceLabels": "source_labels"}.get(key, key)


def ask(url: str, query: str) -> list[dict[str, Any]]:
    """Returns the series of a query; none while Prometheus does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}") as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    except OSError:
        return []
    return found


def tell(url: str, outcomes: list[dict[str, str]]) -> int:
    """Tells outcomes, and returns how many were counted."""
    body, kind = json.dumps({"feedback": outcomes}).encode(), {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/api/v1/feedback", body, kind)) as answer:
        counted: int = json.load(answer)["counted"]
    return counted


@pytest.fixture
def bento(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model whose card says that a fifth is misclassified."""
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    packed = pack(save_served(tmp_path / "people", FRAME, held_out={"accuracy": 0.8}), Settings())
    measure_bento(packed.path)
    return packed.tag


def test_outcomes_told_through_the_service_are_the_live_score(
    cluster: Cluster, namespace: Namespace, base_image: Callable[[str], str], bento: str, tmp_path: Path
) -> None:
    prometheus()
    log = f"s3://{cluster.bucket}/{secrets.token_hex(4)}"
    # the base with pyarrow, which the log needs
    deployer = Deployer(namespace, f"{cluster.registry}/{base_image('serving-sklearn')}", tmp_path)
    deployer.having(values(namespace, log)).deploy(bento, *SMALL)
    dashboards = namespace.get("configmaps", "--selector=grafana_dashboard=1")["items"]
    titles = {json.loads(text)["title"] for each in dashboards for text in each["data"].values()}
    assert {"modelyard: Service", "modelyard: Drift", "modelyard: Capacity"} <= titles
    rows = json_rows(FRAME, make_contract(FRAME))[:ROWS]
    body = json.dumps({"rows": rows}).encode()
    others = {"<=50K": ">50K", ">50K": "<=50K"}
    rules = tmp_path / "prometheus"
    with (
        watching(rules, **copied(namespace, rules)) as url,
        namespace.address("service/people", 80) as service,
    ):
        until(lambda: len(ask(url, "up == 1")) == len(deployer.ready()) >= 2)

        def value(query: str) -> float | None:
            found = ask(url, query)
            return float(found[0]["value"][1]) if found else None

        ids = set()
        for _ in range(REQUESTS):
            predictions = predict(service, body)["predictions"]
            # one in four came out otherwise; another pod takes it as well
            told = [
                {"id": one["id"], "actual": others[one["label"]] if place % 4 == 0 else one["label"]}
                for place, one in enumerate(predictions)
            ]
            assert tell(service, told) == ROWS
            ids |= {one["id"] for one in predictions}
        until(lambda: value("sum(modelyard_feedback_rows_total)") == REQUESTS * ROWS)
        # every pod took some, though no pod knows what another one answered
        assert len([each for each in ask(url, "modelyard_feedback_rows_total") if float(each["value"][1])]) >= 2
        error = 'modelyard:live_error{measure="misclassified"}'
        until(lambda: value(error) == pytest.approx(0.25, abs=0.01))
        assert value('modelyard:card_error{measure="misclassified"}') == pytest.approx(0.2)
        until(lambda: (value("min(modelyard:drift_rows)") or 0) > 0)
        assert ask(url, 'ALERTS{alertname="ModelyardScoreDrop"}') == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_REGION", "us-east-1")
        until(lambda: len(logged(log)) == REQUESTS * ROWS)
        assert set(logged(log)["(id)"]) == ids


def logged(log: str) -> pd.DataFrame:
    """What is in the prediction log so far."""
    try:
        return load_data(log)
    except TableUnreadable:
        return pd.DataFrame({"(id)": []})
