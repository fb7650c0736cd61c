"""An API server inside the tests' process: it answers with what it was given, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

__all__ = ["KubeApi", "write_kubeconfig"]


# are empty where nothing was put into them
COLLECTIONS = ("pods", "deployments", "events")


class KubeApi:
    """Answers GET with the object or list of that path, every question for a right, and keeps what it is given.

    Attributes:
        objects: By path, such as ``/api/v1/namespaces/scoring/pods``; a text is answered as it is.
        denied: What the user has no right to, as verb and resource.
        asked: Paths of all requests.
        later: What comes to a path, and after how many requests for it.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.denied: set[tuple[str, str]] = set()
        self.asked: list[str] = []
        self.later: dict[str, tuple[int, Any]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.api = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def comes(self, path: str, content: Any, after: int) -> None:
        """Lets an object or list come when its path was asked for so many times."""
        self.later[path] = (after, content)

    def write_kubeconfig(self, file: Path, namespace: str = "scoring") -> None:
        """Writes how to reach it."""
        write_kubeconfig(file, self.url, namespace)

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


def write_kubeconfig(file: Path, server: str, namespace: str) -> None:
    """Writes a kubeconfig with one context."""
    named = {"cluster": "bed", "user": "anna", "namespace": namespace}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bed", "cluster": {"server": server}}],
        "users": [{"name": "anna", "user": {"token": "anna"}}],
        "contexts": [{"name": "bed", "context": named}],
        "current-context": "bed",
    }
    file.write_text(yaml.safe_dump(document))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.server.api.asked.append(self.path)
        after, content = self.server.api.later.get(path, (0, None))
        if content is not None and sum(urlsplit(each).path == path for each in self.server.api.asked) > after:
            self.server.api.objects[path] = content
        found = self.server.api.objects.get(path)
        if found is None and path.rpartition("/")[2] in COLLECTIONS:
            found = {"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []}
        if found is None:
            self._answer(404, _status(404, f'"{path}" not found'))
        else:
            self._answer(found.get("code", 200) if isinstance(found, dict) else 200, found)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.api.asked.append(self.path)
        if "metadata" in asked and "name" in asked["metadata"]:
            path = f"{urlsplit(self.path).path}/{asked['metadata']['name']}"
            known = path in self.server.api.objects
            self._answer(409 if known else 201, _status(409, "already exists") if known else asked)
            self.server.api.objects.setdefault(path, asked)
            return
        wanted = asked["spec"]["resourceAttributes"]
        allowed = (wanted["verb"], wanted["resource"]) not in self.server.api.denied
        self._answer(201, {**asked, "status": {"allowed": allowed}})

    def do_PUT(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.api.objects[urlsplit(self.path).path] = asked
        self._answer(200, asked)

    def do_PATCH(self) -> None:
        change = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        folder, _, name = urlsplit(self.path).path.rpartition("/")
        self.server.api.asked.append(self.path)
        items = self.server.api.objects.get(folder, {}).get("items", [])
        found = next((each for each in items if each["metadata"]["name"] == name), None)
        if found is None:
            self._answer(404, _status(404, f'"{name}" not found'))
            return
        version = change["metadata"].pop("resourceVersion", None) if "metadata" in change else None
        if version not in (None, found["metadata"]["resourceVersion"]):
            self._answer(409, _status(409, "the object has been modified"))
            return
        _merge(found, change)
        found["metadata"]["resourceVersion"] += "1"
        self._answer(200, found)

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = self.server.api.objects.pop(urlsplit(self.path).path, None)
        self._answer(200 if found else 404, _status(200 if found else 404, "deleted" if found else "not found"))

    def _answer(self, code: int, content: Any) -> None:
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _merge(into: dict[str, Any], change: dict[str, Any]) -> None:
    """Changes a document as a merge patch does."""
    for name, value in change.items():
        if isinstance(value, dict):
            _merge(into.setdefault(name, {}), value)
        elif value is None:
            into.pop(name, None)
        else:
            into[name] = value


def _status(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}
