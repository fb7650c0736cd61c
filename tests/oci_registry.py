"""A container registry inside the tests' process, as small as OCI's distribution specification allows."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlencode, urlsplit

__all__ = ["OciRegistry"]

ROUTE = re.compile(r"/v2/(?P<name>[a-z0-9/._-]+)/(?P<kind>manifests|blobs)/(?P<rest>.+)")
TLS_HANDSHAKE = b"\x16"


@dataclass
class Stored:
    """What one repository has."""

    blobs: set[str] = field(default_factory=set)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class OciRegistry:
    """Keeps blobs, manifests and tags, and counts what it is sent.

    Args:
        auth: How its users prove who they are; none: everybody may do everything.
        mounts: Whether it takes blobs from one repository to another.

    Attributes:
        host: Where it listens.
        calls: Method and path of every request that was let in.
        received: Bytes of blobs and manifests.
        scopes: What tokens were asked for.
    """

    user, password, identity = "anna", "s3cret:colon", "identity-token"

    def __init__(self, auth: Literal["basic", "token"] | None = None, *, mounts: bool = True) -> None:
        self.auth, self.mounts = auth, mounts
        self.blobs: dict[str, bytes] = {}
        self.stored: dict[str, Stored] = defaultdict(Stored)
        self.calls: list[tuple[str, str]] = []
        self.scopes: list[list[str]] = []
        self.received = 0
        self.tokens: dict[str, list[str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.registry = self
        self.host = f"127.0.0.1:{self._server.server_port}"

    @property
    def written(self) -> list[str]:
        """The paths of all requests that wrote something."""
        return [path for method, path in self.calls if method in ("POST", "PUT", "PATCH")]

    def forget(self) -> None:
        """Sets the counters back."""
        self.calls.clear()
        self.received = 0

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_: Any) -> None:
        pass

    def handle_one_request(self) -> None:
        if self.rfile.peek(1)[:1] == TLS_HANDSHAKE:
            self.close_connection = True
        else:
            super().handle_one_request()

    def do_GET(self) -> None:
        self._answer_request()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def _answer_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        registry, url = self.server.registry, urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if url.path == "/token":
            return self._grant(registry, parse_qs(url.query) | parse_qs(body.decode()))
        found = ROUTE.fullmatch(url.path)
        if found is None:
            return self._answer(200 if url.path == "/v2/" else 404)
        name, kind, rest = found.groups()
        if not self._allowed(registry, name):
            realm = {
                "basic": 'Basic realm="test"',
                "token": f'Bearer realm="http://{registry.host}/token",service="test",scope="repository:{name}:pull"',
            }
            return self._problem(401, "UNAUTHORIZED", **{"WWW-Authenticate": realm[registry.auth]})
        registry.calls.append((self.command, url.path))
        if self.command in ("POST", "PUT"):
            registry.received += len(body)
        if kind == "manifests":
            return self._manifests(registry.stored[name], rest, body)
        if self.command in ("POST", "PUT"):
            return self._uploads(registry, name, query, body)
        if rest not in registry.stored[name].blobs:
            return self._problem(404, "BLOB_UNKNOWN")
        return self._answer(200, registry.blobs[rest])

    def _uploads(self, registry: OciRegistry, name: str, query: dict[str, str], body: bytes) -> None:
        stored = registry.stored[name]
        if self.command == "POST":
            source = query.get("from", "")
            if registry.mounts and query.get("mount") in registry.stored[source].blobs:
                stored.blobs.add(query["mount"])
                return self._answer(201)
            # with a parameter of its own, as the real one has
            state = urlencode({"_state": f"{uuid.uuid4().hex}=="})
            return self._answer(202, Location=f"/v2/{name}/blobs/uploads/{uuid.uuid4()}?{state}")
        if not query.get("_state", "").endswith("=="):
            return self._problem(400, "BLOB_UPLOAD_INVALID")
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if digest != query.get("digest"):
            return self._problem(400, "DIGEST_INVALID")
        registry.blobs[digest] = body
        stored.blobs.add(digest)
        return self._answer(201)

    def _manifests(self, stored: Stored, version: str, body: bytes) -> None:
        if self.command != "PUT":
            digest = version if version.startswith("sha256:") else stored.tags.get(version, "")
            if digest not in stored.manifests:
                return self._problem(404, "MANIFEST_UNKNOWN")
            media_type, content = stored.manifests[digest]
            return self._answer(200, content, **{"Content-Type": media_type})
        document = json.loads(body)
        parts = [*document.get("layers", ()), *([document["config"]] if "config" in document else [])]
        whole = {part["digest"] for part in parts} <= stored.blobs
        if not whole or not {part["digest"] for part in document.get("manifests", ())} <= set(stored.manifests):
            return self._problem(400, "MANIFEST_BLOB_UNKNOWN")
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        stored.manifests[digest] = (self.headers["Content-Type"], body)
        if not version.startswith("sha256:"):
            stored.tags[version] = digest
        return self._answer(201)

    def _allowed(self, registry: OciRegistry, name: str) -> bool:
        kind, _, shown = self.headers.get("Authorization", "").partition(" ")
        if registry.auth == "token":
            action = "pull" if self.command in ("GET", "HEAD") else "push"
            granted = dict(scope.split(":")[1:] for scope in registry.tokens.get(shown, []))
            return kind == "Bearer" and action in granted.get(name, "").split(",")
        return registry.auth is None or self._known(registry)

    def _known(self, registry: OciRegistry) -> bool:
        kind, _, shown = self.headers.get("Authorization", "").partition(" ")
        return kind == "Basic" and base64.b64decode(shown).decode() == f"{registry.user}:{registry.password}"

    def _grant(self, registry: OciRegistry, asked: dict[str, list[str]]) -> None:
        if not self._known(registry) and asked.get("refresh_token") != [registry.identity]:
            return self._problem(401, "UNAUTHORIZED")
        scopes = " ".join(asked["scope"]).split()
        registry.scopes.append(scopes)
        token = uuid.uuid4().hex
        registry.tokens[token] = scopes
        return self._answer(200, json.dumps({"access_token": token}).encode())

    def _problem(self, status: int, code: str, **headers: str) -> None:
        content = json.dumps({"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}).encode()
        self._answer(status, content, **headers)

    def _answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
