from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelyard.errors import RegistryError
from modelyard.kube.authorization import RegistryAuth
from modelyard.kube.credentials import Credentials
from modelyard.kube.oci import MANIFEST, Manifest, sha256
from modelyard.kube.reference import Reference
from modelyard.kube.repository import Repository
from oci_registry import OciRegistry

BLOB = b"a blob" * 1000
DIGEST = sha256(BLOB)


def log_in(docker_config: Path, host: str, password: str = OciRegistry.password, **more: Any) -> None:
    auth = base64.b64encode(f"{OciRegistry.user}:{password}".encode()).decode()
    docker_config.write_text(json.dumps({"auths": {host: {"auth": auth, **more}}}))


def people(host: str, actions: str = "pull,push", **settings: Any) -> Repository:
    return Repository(Reference(host, "team/people"), actions, insecure=True, **settings)


@pytest.fixture(params=["basic", "token"])
def closed(request: pytest.FixtureRequest) -> Iterator[OciRegistry]:
    """A registry that wants to know who we are."""
    with OciRegistry(request.param) as running:
        yield running


def test_blobs_come_back_as_they_were_sent(host: str) -> None:
    with people(host) as repository:
        assert not repository.has_blob(DIGEST)
        repository.upload(DIGEST, len(BLOB), iter([BLOB[:10], BLOB[10:]]))
        assert repository.has_blob(DIGEST)
        assert repository.read_blob(DIGEST) == BLOB
        with repository.open_blob(DIGEST) as chunks:
            assert b"".join(chunks) == BLOB
        assert repository.manifest("1") is None
        traffic = repository.traffic
    assert (traffic.blobs, traffic.bytes, traffic.present) == (1, len(BLOB), 1)

    with Repository(Reference(host, "other"), "pull,push", sources=["team/people"], insecure=True) as other:
        assert other.mount(DIGEST, "team/people")
        assert not other.mount(sha256(b"unknown"), "team/people")
        assert other.read_blob(DIGEST) == BLOB
        assert (other.traffic.mounted, other.traffic.bytes) == (1, 0)


def test_what_arrives_damaged_is_refused(host: str) -> None:
    with (
        people(host) as repository,
        pytest.raises(RegistryError, match=rf"^{host}: cannot push to team/people: PUT .* 400"),
    ):
        repository.upload(sha256(b"other"), len(BLOB), [BLOB])


def test_an_answer_of_another_digest_is_refused(registry: OciRegistry) -> None:
    registry.blobs[DIGEST] = b"changed"
    registry.stored["team/people"].blobs.add(DIGEST)

    with (
        people(registry.host) as repository,
        pytest.raises(RegistryError, match=f"gives {sha256(b'changed')} for {DIGEST}"),
    ):
        repository.read_blob(DIGEST)


def test_credentials_of_docker_s_file_open_a_registry(closed: OciRegistry, docker_config: Path) -> None:
    log_in(docker_config, closed.host)

    with people(closed.host, sources=["serving"]) as repository:
        repository.upload(DIGEST, len(BLOB), iter([BLOB]))
        assert repository.read_blob(DIGEST) == BLOB
    if closed.auth == "token":  # one token does for everything
        assert closed.scopes == [["repository:team/people:pull,push", "repository:serving:pull"]]


def test_an_identity_token_buys_tokens(docker_config: Path) -> None:
    with OciRegistry("token") as closed:
        log_in(docker_config, closed.host, identitytoken=closed.identity)
        with people(closed.host) as repository:
            repository.upload(DIGEST, len(BLOB), [BLOB])
        assert closed.scopes == [["repository:team/people:pull,push"]]


def test_a_token_that_ended_is_bought_again(docker_config: Path) -> None:
    with OciRegistry("token") as closed:
        log_in(docker_config, closed.host)
        with people(closed.host) as repository:
            assert not repository.has_blob(DIGEST)
            closed.tokens.clear()
            repository.upload(DIGEST, len(BLOB), iter([BLOB]))
        assert len(closed.scopes) == 2


def test_wrong_credentials_are_one_sentence(closed: OciRegistry, docker_config: Path) -> None:
    log_in(docker_config, closed.host, "hunter2")

    with people(closed.host) as repository, pytest.raises(RegistryError) as refused:
        repository.manifest("1")
    assert str(refused.value).startswith(f"{closed.host}: may not ")
    assert f"with the credentials of {docker_config} (those of 'anna'); check them" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_guest_is_told_to_log_in(closed: OciRegistry) -> None:
    with (
        people(closed.host) as repository,
        pytest.raises(RegistryError, match=f"as a guest, .*docker login {closed.host}$"),
    ):
        repository.upload(DIGEST, len(BLOB), [BLOB])


def test_who_may_only_read_is_told_so(docker_config: Path) -> None:
    with OciRegistry("token") as closed:
        log_in(docker_config, closed.host)
        with (
            people(closed.host, "pull") as repository,
            pytest.raises(RegistryError, match="may not push to team/people"),
        ):
            repository.upload(DIGEST, len(BLOB), [BLOB])


def test_a_registry_that_is_not_there_is_one_sentence() -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        problem = rf"^{host}: it cannot be reached \(.*refused\); check its name and the network"
        with people(host) as repository, pytest.raises(RegistryError, match=f"{problem}$"):
            repository.manifest("1")
        image = Reference(host, "team/people")
        with Repository(image) as repository, pytest.raises(RegistryError, match=f"{problem}; without TLS"):
            repository.has_blob(DIGEST)


def test_plain_http_is_spoken_only_where_it_is_asked_for(registry: OciRegistry) -> None:
    with Repository(Reference(registry.host, "people")) as repository:
        with pytest.raises(RegistryError, match=r"it cannot be reached .* without TLS it needs --insecure"):
            repository.manifest("1")
        with pytest.raises(RegistryError, match="it cannot be reached"), repository.open_blob(DIGEST):
            pass
    assert registry.calls == []


def test_a_registry_that_breaks_says_how(registry: OciRegistry) -> None:
    # a manifest of blobs that are not there
    with (
        people(registry.host) as repository,
        pytest.raises(RegistryError, match=r"400 .*MANIFEST_BLOB_UNKNOWN: manifest blob"),
    ):
        repository.put_manifest(Manifest.make(MANIFEST, {}, config={"digest": DIGEST}, layers=[]), "1")
    with (
        people(registry.host) as repository,
        pytest.raises(RegistryError, match=r"cannot pull from team/people: GET .* 404"),
    ):
        repository.read_blob(DIGEST)
    with people(registry.host) as repository, pytest.raises(RegistryError, match="404"), repository.open_blob(DIGEST):
        pass


def flow(challenge: str, base: str = "https://registry.local") -> tuple[Iterator[httpx.Request], httpx.Response]:
    auth = RegistryAuth(httpx.URL(base), Credentials("anna", "secret"), ["repository:people:pull"])
    request = httpx.Request("GET", f"{base}/v2/people/manifests/1")
    steps = auth.sync_auth_flow(request)
    assert "Authorization" not in next(steps).headers
    return steps, httpx.Response(401, headers={"WWW-Authenticate": challenge}, request=request)


def test_no_password_goes_to_a_token_server_without_tls() -> None:
    steps, refusal = flow('Bearer realm="http://tokens.local/token"')

    with pytest.raises(RegistryError, match=r"sends its users to tokens.local by plain HTTP"):
        steps.send(refusal)


def test_a_token_server_that_breaks_is_named() -> None:
    steps, refusal = flow('Bearer realm="https://tokens.local/token"')
    asked = steps.send(refusal)

    assert asked.url.params.get_list("scope") == ["repository:people:pull"]
    with pytest.raises(RegistryError, match=r"tokens.local gives no token \(status 500\)"):
        steps.send(httpx.Response(500, request=asked))


def test_another_server_is_shown_nothing() -> None:
    auth = RegistryAuth(httpx.URL("https://registry.local"), Credentials("anna", "secret"), [])
    auth._header = "Bearer token"
    (request,) = auth.sync_auth_flow(httpx.Request("PUT", "https://storage.local/upload"))

    assert "Authorization" not in request.headers
