"""Who we are to a registry, from Docker's config file and the programs that keep its secrets."""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelyard.errors import RegistryError

__all__ = ["Credentials", "config_file", "credentials_for"]

# a helper gives this for a user where the secret is an identity token
TOKEN_USER = "<token>"
NOT_FOUND = "credentials not found"
HELPER_DEADLINE_S = 60


@dataclass(frozen=True)
class Credentials:
    """A user of a registry.

    Attributes:
        user: Name of the user; empty with an identity token.
        secret: The password or the identity token.
        identity: Whether the secret is an identity token, which only buys other tokens.
    """

    user: str
    secret: str = field(repr=False)
    identity: bool = False

    @property
    def basic(self) -> str:
        """The value of a basic Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


def config_file() -> Path:
    """Returns where Docker keeps its settings: in DOCKER_CONFIG, or in ~/.docker."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def credentials_for(host: str) -> Credentials | None:
    """Returns what Docker would show to a registry: of its helper, of the common store, or of the file itself.

    Raises:
        RegistryError: The file is damaged, or a program that it names is not there or fails.
    """
    path = config_file()
    try:
        config = json.loads(path.read_bytes())
        helper = config.get("credHelpers", {}).get(host) or config.get("credsStore")
        written = config.get("auths", {})
        kept = {_host(key): entry for key, entry in written.items()}
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError) as error:
        raise RegistryError(str(path), f"is no configuration of Docker ({error})", "mend it, or move it away") from None
    return (_ask(helper, host, path) if helper else None) or _inline(kept.get(host), host, path)


def _host(key: str) -> str:
    """The registry of a key, which some programs write as the address of its API."""
    return key.partition("://")[2].partition("/")[0] if "://" in key else key.partition("/")[0]


def _inline(entry: Any, host: str, path: Path) -> Credentials | None:
    if not entry:
        return None
    try:
        decoded = base64.b64decode(entry.get("auth") or "", validate=True).decode()
        user, _, secret = decoded.partition(":")
        user, secret = user or entry.get("username", ""), secret or entry.get("password", "")
        if entry.get("identitytoken"):
            return Credentials("", entry["identitytoken"], identity=True)
    except (AttributeError, TypeError, UnicodeDecodeError, binascii.Error):
        problem = f"its entry for {host} cannot be read"
        raise RegistryError(str(path), problem, f"write it anew: docker login {host}") from None
    return Credentials(user, secret) if user else None


def _ask(helper: str, host: str, path: Path) -> Credentials | None:
    program = f"docker-credential-{helper}"
    hint = f"see to it, or take it out of {path} and call: docker login {host}"
    try:
        done = subprocess.run(
            [program, "get"], input=host, capture_output=True, text=True, timeout=HELPER_DEADLINE_S, check=False
        )
    except FileNotFoundError:
        raise RegistryError(host, f"its credentials are kept by {program}, which is not installed", hint) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RegistryError(host, f"its credentials are kept by {program}, which fails ({error})", hint) from None
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())
        if NOT_FOUND in said.lower():
            return None
        raise RegistryError(host, f"its credentials are kept by {program}, which fails ({said})", hint)
    try:
        answer = json.loads(done.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        raise RegistryError(host, f"{program} gives no user and secret", hint) from None
    return Credentials("", secret, identity=True) if user == TOKEN_USER else Credentials(user, secret)
