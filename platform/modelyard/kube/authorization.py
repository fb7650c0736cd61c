"""Answers a registry's challenges: with a user and password, or with a token from the server that it names."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence

import httpx

from modelyard.errors import RegistryError
from modelyard.kube.credentials import Credentials, config_file

__all__ = ["RegistryAuth"]

REJECTED = (400, 401, 403)


class RegistryAuth(httpx.Auth):
    """Shows a registry, and nobody else, who we are.

    Args:
        base: The registry's address; nothing is shown to another one that it sends us to.
        credentials: Who we are; none: a guest.
        scopes: What tokens are asked for, such as ``repository:people:pull``.
    """

    def __init__(self, base: httpx.URL, credentials: Credentials | None, scopes: Sequence[str]) -> None:
        self._base, self._credentials, self._scopes = base, credentials, tuple(scopes)
        self._header: str | None = None

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Tries with what was granted before, and once more with what the challenge asks for."""
        if (request.url.scheme, request.url.netloc) != (self._base.scheme, self._base.netloc):
            yield request  # an upload to another server is permitted by its address
            return
        if self._header:
            request.headers["Authorization"] = self._header
        response = yield request
        challenge = response.headers.get("WWW-Authenticate", "")
        if response.status_code != 401 or not challenge:
            return
        response.read()
        kind, _, rest = challenge.partition(" ")
        fields = {name.lower(): value for name, value in re.findall(r'(\w+)="([^"]*)"', rest)}
        if kind.lower() == "bearer" and "realm" in fields:
            answer = yield self._ask(fields)
            answer.read()
            self._header = f"Bearer {self._token(answer)}"
        elif self._credentials is not None:
            self._header = self._credentials.basic
        else:
            return
        request.headers["Authorization"] = self._header
        yield request

    def denied(self, action: str) -> RegistryError:
        """Returns what a person is told where the registry wants somebody else."""
        host = self._base.netloc.decode()
        if self._credentials is None:
            problem = f"may not {action} as a guest, and {config_file()} has no credentials for it"
            return RegistryError(host, problem, f"call: docker login {host}")
        user = f"those of {self._credentials.user!r}" if self._credentials.user else "an identity token"
        problem = f"may not {action} with the credentials of {config_file()} ({user})"
        return RegistryError(host, problem, f"check them, or get others: docker login {host}")

    def _ask(self, challenge: dict[str, str]) -> httpx.Request:
        realm = self._base.join(challenge["realm"])
        if realm.scheme != "https" and self._base.scheme == "https":
            problem = f"sends its users to {realm.host} by plain HTTP"
            raise RegistryError(self._base.netloc.decode(), problem, "no password is sent there; tell its owner")
        service = {"service": challenge["service"]} if "service" in challenge else {}
        if self._credentials is not None and self._credentials.identity:
            form = {"grant_type": "refresh_token", "client_id": "modelyard", "refresh_token": self._credentials.secret}
            return httpx.Request("POST", realm, data={**form, **service, "scope": " ".join(self._scopes)})
        headers = {"Authorization": self._credentials.basic} if self._credentials else {}
        url = realm.copy_merge_params({**service, "scope": list(self._scopes)})
        return httpx.Request("GET", url, headers=headers)

    def _token(self, answer: httpx.Response) -> str:
        if answer.status_code in REJECTED:
            raise self.denied("get a token")
        try:
            document = answer.raise_for_status().json()
            token: str = document.get("token") or document["access_token"]
        except (httpx.HTTPStatusError, ValueError, KeyError, AttributeError):
            problem = f"{answer.url.host} gives no token (status {answer.status_code})"
            raise RegistryError(self._base.netloc.decode(), problem, "try again later") from None
        return token
