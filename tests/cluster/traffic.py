"""Requests without a pause while something happens to the service that answers them."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

__all__ = ["Traffic"]

TIMEOUT_S = 20.0
PAUSE_S = 0.004


@dataclass
class Counted:
    """What a client saw: answers by status, and failures by their reason."""

    answers: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)


class Traffic:
    """Clients that predict, half of them over a connection that they keep, the others over a new one each time.

    No client tries again: what a server or a proxy drops is a failure.

    Args:
        url: The service's.
        body: What they post to /api/v1/predict.
        clients: How many.

    Attributes:
        kept: What those with a kept connection saw, after the block.
        new: What the others saw, after the block.
    """

    def __init__(self, url: str, body: bytes, clients: int = 16) -> None:
        parts = urlsplit(url)
        self._address = (str(parts.hostname), parts.port)
        self._body = body
        self._over = threading.Event()
        self._seen = [Counted() for _ in range(clients)]
        self._threads = [
            threading.Thread(target=self._ask, args=(seen, number % 2 == 0), name=f"client {number}")
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
        return sum(seen.answers.total() + seen.failures.total() for seen in self._seen)

    @property
    def failed(self) -> Counter[str]:
        """Reasons of everything that was not a prediction."""
        wrong = Counter({f"status {code}": count for code, count in self._codes().items() if code != 200})
        return wrong + self.kept.failures + self.new.failures

    def _codes(self) -> Counter[int]:
        return self.kept.answers + self.new.answers

    def _ask(self, seen: Counted, keep: bool) -> None:
        connection = self._connect()
        headers = {"Content-Type": "application/json"} | ({} if keep else {"Connection": "close"})
        while not self._over.is_set():
            try:
                connection.request("POST", "/api/v1/predict", self._body, headers)
                answer = connection.getresponse()
                answer.read()
                seen.answers[answer.status] += 1
            except (OSError, http.client.HTTPException) as error:
                seen.failures[f"{type(error).__name__}: {error}"] += 1
                connection.close()
            if not keep:
                connection.close()
            time.sleep(PAUSE_S)
        connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self._address, timeout=TIMEOUT_S)


def _sum(seen: list[Counted]) -> Counted:
    total = Counted()
    for each in seen:
        total.answers.update(each.answers)
        total.failures.update(each.failures)
    return total
