from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from modelyard.errors import RegistryError
from modelyard.kube.credentials import Credentials, config_file, credentials_for

HOST = "registry.local:5000"
AUTH = base64.b64encode(b"anna:s3cret:colon").decode()


def helper(folder: Path, name: str, script: str) -> None:
    """Installs a program that keeps credentials."""
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\nread host\n{script}\n")
    program.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_without_a_file_we_are_guests(monkeypatch: pytest.MonkeyPatch) -> None:
    assert credentials_for(HOST) is None
    monkeypatch.delenv("DOCKER_CONFIG")
    monkeypatch.setenv("HOME", "/home/anna")
    assert config_file() == Path("/home/anna/.docker/config.json")


@pytest.mark.parametrize("key", [HOST, f"https://{HOST}", f"https://{HOST}/v2/", f"{HOST}/v1/"])
def test_the_file_s_own_entry(key: str, docker_config: Path) -> None:
    docker_config.write_text(json.dumps({"auths": {"other.local": {"auth": "eA=="}, key: {"auth": AUTH}}}))

    found = credentials_for(HOST)

    assert found == Credentials("anna", "s3cret:colon")
    assert found.basic == f"Basic {AUTH}"
    assert "s3cret" not in repr(found)
    assert credentials_for("third.local") is None


def test_an_identity_token_goes_before_the_password(docker_config: Path) -> None:
    docker_config.write_text(json.dumps({"auths": {HOST: {"auth": AUTH, "identitytoken": "t"}}}))

    assert credentials_for(HOST) == Credentials("", "t", identity=True)


def test_a_registry_s_own_helper_goes_before_the_store_and_the_file(docker_config: Path, programs: Path) -> None:
    helper(programs, "own", """echo "{\\"Username\\": \\"$host\\", \\"Secret\\": \\"own\\"}" """)
    helper(programs, "common", """echo '{"Username": "<token>", "Secret": "common"}' """)
    config = {"auths": {HOST: {"auth": AUTH}}, "credsStore": "common", "credHelpers": {HOST: "own"}}
    docker_config.write_text(json.dumps(config))

    assert credentials_for(HOST) == Credentials(HOST, "own")
    assert credentials_for("other.local") == Credentials("", "common", identity=True)


def test_a_store_that_does_not_know_the_registry_leaves_it_to_the_file(docker_config: Path, programs: Path) -> None:
    helper(programs, "empty", "echo 'credentials not found in native keychain'; exit 1")
    docker_config.write_text(json.dumps({"auths": {HOST: {"auth": AUTH}, "new.local": {}}, "credsStore": "empty"}))

    assert credentials_for(HOST) == Credentials("anna", "s3cret:colon")
    assert credentials_for("new.local") is None


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo locked >&2; exit 1", r"docker-credential-bad, which fails \(locked\)"),
        ("echo nothing", "docker-credential-bad gives no user and secret"),
        (None, "docker-credential-bad, which is not installed"),
    ],
)
def test_a_helper_that_does_not_work_is_named(
    script: str | None, problem: str, docker_config: Path, programs: Path
) -> None:
    if script is not None:
        helper(programs, "bad", script)
    docker_config.write_text(json.dumps({"credHelpers": {HOST: "bad"}}))

    with pytest.raises(RegistryError, match=rf"^{HOST}: .*{problem}.*; .*docker login {HOST}$"):
        credentials_for(HOST)


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": 1}', json.dumps({"auths": {HOST: {"auth": "%"}}})])
def test_a_damaged_file_is_named(text: str, docker_config: Path) -> None:
    docker_config.write_text(text)

    with pytest.raises(RegistryError, match=f"^{docker_config}: "):
        credentials_for(HOST)
