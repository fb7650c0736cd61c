"""A pod's port, through the API server, as `kubectl port-forward` reaches it."""

from __future__ import annotations

import threading
from http.client import HTTPConnection, HTTPException
from typing import Any

from kubernetes import client
from kubernetes.stream import portforward

from modelyard.errors import ClusterError
from modelyard.utils.sentences import first_line

__all__ = ["fetch"]

TIMEOUT_S = 10.0
THREAD = "Kubernetes port forward proxy"

_tell_of = threading.excepthook


def _tell_of_others(ended: threading.ExceptHookArgs) -> None:
    """Leaves out the client's threads, which end with a traceback where a pod goes: who reads the port is told."""
    if ended.thread is None or not ended.thread.name.startswith(THREAD):
        _tell_of(ended)


threading.excepthook = _tell_of_others


class _Forwarded(HTTPConnection):
    """Speaks HTTP over a socket that is there already."""

    def __init__(self, socket: Any) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._forwarded = socket

    def connect(self) -> None:
        """Takes the socket."""
        self.sock = self._forwarded


def fetch(configuration: Any, namespace: str, pod: str, port: int, path: str) -> str:
    """Returns what a pod answers to a GET.

    Args:
        configuration: Of the official client.
        namespace: The pod's.
        pod: Its name.
        port: Which of its ports; need not be one that it declares.
        path: What to ask for.

    Raises:
        kubernetes.client.ApiException: The API server refuses.
        ClusterError: The pod does not answer, or not with status 200.
    """
    # forwarding changes the client that it goes through, which others may use meanwhile
    with client.ApiClient(configuration) as own:
        method = client.CoreV1Api(own).connect_get_namespaced_pod_portforward
        try:
            forward = portforward(method, pod, namespace, ports=str(port))
        except client.ApiException as error:
            # of an answer that is no handshake, the body stands behind everything else
            error.body = str(error.reason).rpartition(" -+-+- ")[2]
            raise
        try:
            socket = forward.socket(port)
            socket.settimeout(TIMEOUT_S)
            connection = _Forwarded(socket)
            connection.request("GET", path, headers={"Connection": "close"})
            answer = connection.getresponse()
            body = answer.read().decode()
        except (HTTPException, OSError) as error:
            reason = (forward.error(port) or first_line(error)).strip()
            raise ClusterError(f"port {port} of pod {pod}", f"gives no answer ({reason})") from None
        finally:
            forward.close()
    if answer.status != 200:
        raise ClusterError(f"port {port} of pod {pod}", f"answers {path} with {answer.status} ({answer.reason})")
    return body
