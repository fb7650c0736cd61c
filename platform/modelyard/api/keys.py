"""Keys that a client must present, kept as digests in a file that may change while the service runs.

A line of the file is what ``printf %s "$KEY" | sha256sum`` prints: the SHA-256 of a key in hexadecimal, and after a
blank whatever tells people whose it is. Empty lines and lines that begin with # are left out.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from hmac import compare_digest
from pathlib import Path

from modelyard.api.problems import RequestProblem
from modelyard.errors import ConfigError

__all__ = ["Keys", "no_key"]

logger = logging.getLogger(__name__)

DIGEST = re.compile(r"[0-9a-f]{64}")
BEARER = b"bearer "
LOOK_EVERY_S = 1.0


class Keys:
    """Checks the keys of requests.

    Args:
        path: The file.

    Raises:
        ConfigError: The file cannot be read, a line is no digest, or there is none.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._digests = self._read()
        self._content = self._state()
        self._look_at = 0.0
        # what was admitted last: clients come again, and to compare costs a tenth of what hashing does
        self._last_key = self._last_authorization = b""

    def admits(self, headers: Mapping[bytes, bytes], now: float) -> bool:
        """Whether a request may pass.

        Args:
            headers: With the key in ``X-API-Key``, or where there is none in ``Authorization`` as ``Bearer KEY``.
            now: When it came, on `time.perf_counter`.
        """
        if now > self._look_at:
            self._look(now)
        key = headers.get(b"x-api-key")
        if key is not None:
            if self._last_key and compare_digest(key, self._last_key):
                return True
            if admitted := self._knows(key):
                self._last_key = key
            return admitted
        given = headers.get(b"authorization", b"")
        if self._last_authorization and compare_digest(given, self._last_authorization):
            return True
        if admitted := given[:7].lower() == BEARER and self._knows(given[7:].strip()):
            self._last_authorization = given
        return admitted

    def _knows(self, key: bytes) -> bool:
        given = hashlib.sha256(key).digest()
        admitted = False
        # all of them, always: neither which key it is nor how much of it is right may show in the time
        for digest in self._digests:
            admitted |= compare_digest(given, digest)
        return admitted

    def _look(self, now: float) -> None:
        """Reads the file again where it has changed; what cannot be used leaves the keys as they are."""
        self._look_at = now + LOOK_EVERY_S
        state = self._state()
        if state == self._content:
            return
        try:
            self._digests, self._last_key, self._last_authorization = self._read(), b"", b""
        except ConfigError as error:
            logger.error("the keys stay as they were: %s", error)
        else:
            logger.info("%d keys read from %s", len(self._digests), self._path)
        self._content = state

    def _state(self) -> tuple[int, int, int] | None:
        # a mounted Secret is a symbolic link that is turned to another folder
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> tuple[bytes, ...]:
        try:
            lines = self._path.read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("serving.keys_file", f"{self._path} cannot be read: {error}") from None
        digests = []
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            digest = line.split()[0].lower()
            if not DIGEST.fullmatch(digest):
                raise ConfigError(
                    "serving.keys_file",
                    f"line {number} of {self._path} is no SHA-256 in hexadecimal",
                    hint='make one with: printf %s "$KEY" | sha256sum',
                )
            digests.append(bytes.fromhex(digest))
        if not digests:
            raise ConfigError(
                "serving.keys_file", f"{self._path} has no key", hint='add one: printf %s "$KEY" | sha256sum'
            )
        return tuple(digests)


def no_key() -> RequestProblem:
    """The refusal of a request without a key that is known."""
    detail = "a key is needed; send it as Authorization: Bearer KEY or as X-API-Key: KEY"
    return RequestProblem(401, detail, headers={"WWW-Authenticate": "Bearer"})
