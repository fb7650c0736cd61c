"""Requests without a pause while something happens to the service that answers them."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, urlsplit

__all__ = ["Counted", "Failure", "Traffic"]

TIMEOUT_S = 20.0
# sixteen clients are some 200 requests a second, which leaves pods that start their share of a small machine
PAUSE_S = 0.08


@dataclass(frozen=True)
class Failure:
    """A request that got no prediction.

    Attributes:
        at: When it began, in seconds of the monotonic clock.
        reason: What it got instead in the end.
        port: Which the last try was from, where ports were given.
    """

    at: float
    reason: str
    port: int | None


@dataclass
class Counted:
    """What clients saw: how many predictions, and everything else."""

    answered: int = 0
    failures: list[Failure] = field(default_factory=list)


class Traffic:
    """Clients that predict, half of them over a connection that they keep, the others over a new one each time.

    Unless they are told to, no client tries again: what a server or a proxy drops is a failure.

    Args:
        urls: The service's, or those of its pods: then each client takes one after the other, also to try again.
        body: What they post to /api/v1/predict.
        clients: How many.
        timeout_s: What they wait for a connection, and for an answer.
        tries: How often they try a request.
        ports: Where connections are from, in turn; none: the system chooses.

    Attributes:
        pause_s: What each of them waits after an answer; may be changed meanwhile.
        kept: What those with a kept connection saw, after the block.
        new: What the others saw, after the block.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        body: bytes,
        clients: int = 16,
        *,
        timeout_s: float = TIMEOUT_S,
        tries: int = 1,
        ports: Sequence[int] = (),
    ) -> None:
        self._places = [urlsplit(url) for url in ([urls] if isinstance(urls, str) else urls)]
        self._body, self._timeout_s, self._tries = body, timeout_s, tries
        self._ports = cycle(ports)
        self.pause_s = PAUSE_S
        self._over = threading.Event()
        self._seen = [Counted() for _ in range(clients)]
        self._threads = [
            threading.Thread(target=self._ask, args=(number, seen), name=f"client {number}")
            for number, seen in enumerate(self._seen)
        ]
        self.kept = self.new = Counted()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self.kept, self.new = _sum(self._seen[::2]), _sum(self._seen[1::2])

    @property
    def sent(self) -> int:
        """How many requests there were so far."""
        return sum(seen.answered + len(seen.failures) for seen in self._seen)

    @property
    def failures(self) -> list[Failure]:
        """Everything that was not a prediction, so far."""
        return _sum(self._seen).failures

    @property
    def failed(self) -> Counter[str]:
        """How often which reason was given, so far."""
        return Counter(failure.reason for failure in self.failures)

    def _ask(self, number: int, seen: Counted) -> None:
        keep = number % 2 == 0
        first = number // 2 % len(self._places)
        places = cycle((*self._places[first:], *self._places[:first]))
        connection, port = self._connect(next(places))
        headers = {"Content-Type": "application/json"} | ({} if keep else {"Connection": "close"})
        while not self._over.is_set():
            at = time.monotonic()
            for _ in range(self._tries):
                asked_from, reason = port, self._try(connection, headers)
                if reason or not keep:
                    connection.close()
                    connection, port = self._connect(next(places))
                if reason is None:
                    seen.answered += 1
                    break
            else:
                seen.failures.append(Failure(at, str(reason), asked_from))
            self._over.wait(self.pause_s)
        connection.close()

    def _connect(self, place: SplitResult) -> tuple[http.client.HTTPConnection, int | None]:
        port = next(self._ports, None)
        source = None if port is None else ("", port)
        return http.client.HTTPConnection(str(place.hostname), place.port, self._timeout_s, source), port

    def _try(self, connection: http.client.HTTPConnection, headers: dict[str, str]) -> str | None:
        """Returns why there was no prediction."""
        try:
            connection.request("POST", "/api/v1/predict", self._body, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        return None if answer.status == 200 else f"status {answer.status}"


def _sum(seen: list[Counted]) -> Counted:
    return Counted(
        sum(each.answered for each in seen),
        sorted((failure for each in seen for failure in each.failures), key=lambda failure: failure.at),
    )
