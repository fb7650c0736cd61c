"""API keys of a release rotate without a restart."""

from __future__ import annotations

import hashlib
import secrets
import time
from contextlib import ExitStack
from urllib.error import HTTPError

import pytest

from cluster.releases import SMALL, Deployer, predict
from waiting import until

pytestmark = pytest.mark.cluster

# the kubelet looks at a Secret again within a minute or so
ROTATED_S = 150


def secret_of(key: str) -> dict[str, object]:
    digest = hashlib.sha256(key.encode()).hexdigest()
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "people-keys"}, "stringData": {"keys": digest}}


def test_a_changed_secret_is_the_new_key_while_pods_stay(
    deployer: Deployer, bentos: tuple[str, str], body: bytes
) -> None:
    old, new = secrets.token_hex(16), secrets.token_hex(16)
    deployer.namespace.apply(secret_of(old))
    deployer.having({"apiKeys": {"existingSecret": "people-keys"}}).deploy(bentos[0], *SMALL)
    before = instances(deployer)
    with ExitStack() as stack:
        pods = [f"pod/{name}" for name in deployer.ready()]
        urls = [stack.enter_context(deployer.namespace.address(pod, 3000)) for pod in pods]

        def answers(key: str | None) -> set[int]:
            return {status(url, body, key) for url in urls}

        assert answers(old) == {200}
        assert answers(new) == answers(None) == {401}
        deployer.namespace.apply(secret_of(new))
        changed = time.monotonic()
        until(lambda: answers(new) == {200}, ROTATED_S)
        print(f"all pods took the new key within {time.monotonic() - changed:.0f} s")
        assert answers(old) == {401}
    assert before <= instances(deployer)  # the autoscaler may have added some


def instances(deployer: Deployer) -> set[tuple[str, int]]:
    """The pods, and how often each was started again."""
    return {
        (pod["metadata"]["uid"], sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ())))
        for pod in deployer.pods()
    }


def status(url: str, body: bytes, key: str | None) -> int:
    try:
        predict(url, body, {"X-API-Key": key} if key else {})
    except HTTPError as error:
        return error.code
    return 200
