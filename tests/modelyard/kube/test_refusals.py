"""What Helm 4.3 and Kubernetes 1.37 said, word by word, when they were asked for it."""

from __future__ import annotations

import pytest

from modelyard.errors import (
    ClusterError,
    ClusterUnreachable,
    NamespaceNotFound,
    NoRight,
    QuotaReached,
    ReleaseFailed,
    ReleaseNotFound,
    ValuesRefused,
)
from modelyard.kube.refusals import helm_refusal, refusal

FORBIDDEN = (
    'query: failed to query with labels: secrets is forbidden: User "anna" cannot list resource "secrets" '
    'in API group "" in the namespace "scoring"'
)
FORBIDDEN_LATER = (
    "an error occurred while uninstalling the release. original install error: failed to list "
    'networking.k8s.io/v1, Kind=NetworkPolicy: networkpolicies.networking.k8s.io is forbidden: User "anna" cannot '
    'list resource "networkpolicies" in API group "networking.k8s.io" in the namespace "scoring": failed to delete '
    "release: people"
)
UNREACHABLE = (
    'kubernetes cluster unreachable: Get "https://127.0.0.1:1/version": dial tcp 127.0.0.1:1: connect: '
    "connection refused"
)
QUOTA = (
    'release people failed, and has been uninstalled due to rollback-on-failure being set: secrets "people" is '
    "forbidden: exceeded quota: small, requested: secrets=1, used: secrets=5, limited: secrets=5"
)
SCHEMA = (
    "values don't meet the specifications of the schema(s) in the following chart(s):\nmodelyard-serving:\n"
    "- at '/autoscaling/minReplicas': minimum: got -1, want 1\n- at '': additional properties 'replica' not "
    "allowed\n- at '/serving': additional properties 'drain' not allowed\n\n"
)
CHECK = (
    "execution error at (modelyard-serving/templates/deployment.yaml:1:4): image.repository is empty: name the image, "
    "as in --set image.repository=REGISTRY/NAME\n\nUse --debug flag to render out invalid YAML\n"
)
TIMED_OUT = (
    "UPGRADE FAILED: release people failed, and has been rolled back due to rollback-on-failure being set: "
    "resource Deployment/scoring/people not ready. status: InProgress, message: Replicas: 0/2\n"
    "context deadline exceeded\n"
)
FOREIGN = (
    'unable to continue with install: Service "people" in namespace "scoring" exists and cannot be imported into the '
    'current release: invalid ownership metadata; label validation error: missing key "app.kubernetes.io/managed-by"'
)


@pytest.mark.parametrize(
    ("said", "error", "sentence"),
    [
        (FORBIDDEN, NoRight, "namespace scoring: you have no right to list secrets there; ask for it"),
        (FORBIDDEN_LATER, NoRight, "namespace scoring: you have no right to list networkpolicies there; ask for it"),
        (
            'create: failed to create: namespaces "scoring" not found',
            NamespaceNotFound,
            "namespace scoring: is not there; name another one (cluster.namespace), or make it with: "
            "kubectl create namespace scoring",
        ),
        (
            UNREACHABLE,
            ClusterUnreachable,
            "the cluster: cannot be reached; check the network and KUBECONFIG (Get "
            '"https://127.0.0.1:1/version": dial tcp 127.0.0.1:1: connect: connection refused)',
        ),
        (
            "kubernetes cluster unreachable",
            ClusterUnreachable,
            "the cluster: cannot be reached; check the network and KUBECONFIG (there is no kubeconfig)",
        ),
        (
            "kubernetes cluster unreachable: the server has asked for the client to provide credentials",
            ClusterError,
            "the cluster: does not know you; log in again, or mend the user of the kubeconfig's context",
        ),
        (
            QUOTA,
            QuotaReached,
            "namespace scoring: exceeded quota: small, requested: secrets=1, used: secrets=5, limited: secrets=5; "
            "take less, or have the quota raised; it was removed again",
        ),
        (
            SCHEMA,
            ValuesRefused,
            "the chart modelyard-serving refuses its values: autoscaling.minReplicas: minimum: got -1, want 1; "
            "the chart has no value 'replica'; serving has no value 'drain'",
        ),
        (
            CHECK,
            ValuesRefused,
            "the chart modelyard-serving refuses its values: image.repository is empty: name the image, as in "
            "--set image.repository=REGISTRY/NAME",
        ),
        ("release: not found", ReleaseNotFound, "namespace scoring: has no release 'people'; there is none"),
        (
            TIMED_OUT,
            ReleaseFailed,
            "release people: resource Deployment/scoring/people not ready. status: InProgress, message: Replicas: 0/2 "
            "context deadline exceeded; it was rolled back to what ran before",
        ),
        (FOREIGN, ReleaseFailed, 'release people: unable to continue with install: Service "people" in namespace'),
        ("", ReleaseFailed, "release people: failed without a word"),
    ],
)
def test_helm_is_explained(said, error, sentence):
    found = helm_refusal(said, "people", "scoring")
    assert type(found) is error
    assert str(found).startswith(sentence)
    assert "\n" not in str(found)


def test_what_nobody_knows_is_left_to_the_caller():
    assert refusal("etcdserver: request timed out", "scoring") is None
