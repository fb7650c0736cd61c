"""Keeps other users of this machine away from the process manager of `bentoml serve`.

BentoML opens circus's control socket on a TCP port of 127.0.0.1. Whoever reaches it runs commands as the service, and
circus knows no credentials. Only the service's own user reaches a Unix socket in a folder of mode 0700.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

__all__ = ["use_private_sockets"]


def use_private_sockets() -> None:
    """Makes the arbiter that BentoML starts next listen on Unix sockets, which no setting of BentoML's does."""
    # a worker has no use for circus
    from bentoml._internal.utils import circus

    # BentoML imports the service before it looks these names up and makes its arbiter
    for name in ("Arbiter", "ThreadedArbiter"):
        setattr(circus, name, _with_private_sockets(getattr(circus, name)))


def _with_private_sockets(make: Callable[..., Any]) -> Callable[..., Any]:
    def make_private(*args: Any, **kwargs: Any) -> Any:
        folder = tempfile.mkdtemp(prefix="modelyard-circus-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        sockets = {"endpoint": f"ipc://{folder}/control", "pubsub_endpoint": f"ipc://{folder}/events"}
        return make(*args, **kwargs | sockets)

    return make_private
