"""Keys that a client must present, kept as digests in a file that may change while the service runs.

A line of the file is what ``printf %s "$KEY" | sha256sum`` prints: the SHA-256 of a key in hexadecimal, and after a
blank whatever tells people whose it is. Empty lines and lines that begin with # are left out.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
import threading
from collections.abc import Mapping
from hmac import compare_digest
from pathlib import Path

from modelyard.api.problems import RequestProblem
from modelyard.errors import ConfigError

__all__ = ["Keys", "no_key", "read_key_file"]

logger = logging.getLogger(__name__)

SETTING = "serving.keys_file"
DIGEST = re.compile(r"[0-9a-f]{64}")
# what the documented command prints where its variable is not set, and what it prints with `echo` or a blank line
BLANK = frozenset(hashlib.sha256(blank).digest() for blank in (b"", b" ", b"\n", b"\r\n"))
BEARER = b"bearer "
LOOK_EVERY_S = 1.0
MAKE_ONE = 'make one with: printf %s "$KEY" | sha256sum'


class Keys:
    """Checks the keys of requests.

    Args:
        path: The file.

    Raises:
        ConfigError: The file cannot be read or is not a regular file, a line is no digest or the digest of a blank key,
            or there is none.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._content = self._state()
        self._accepted = _Accepted(_read(self._path))
        self._look_at = 0.0
        self._looking = threading.Lock()

    def admits(self, headers: Mapping[bytes, bytes], now: float) -> bool:
        """Whether a request may pass.

        Args:
            headers: With the key in ``X-API-Key``, or where there is none in ``Authorization`` as ``Bearer KEY``.
            now: When it came, on `time.perf_counter`.
        """
        if now > self._look_at:
            self._look_at = now + LOOK_EVERY_S
            # a mount that hangs must neither stop the event loop nor keep the process from ending
            threading.Thread(target=self._look, name="modelyard-keys", daemon=True).start()
        accepted = self._accepted
        key = headers.get(b"x-api-key")
        if key is not None:
            return accepted.has_key(key)
        return accepted.has_authorization(headers.get(b"authorization", b""))

    def _look(self) -> None:
        """Reads the file again where it has changed; one that cannot be used leaves the keys as they are."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            state = self._state()
            if state == self._content:
                return
            self._content = state
            digests = _read(self._path)
            self._accepted = _Accepted(digests)
            logger.info("%d keys read from %s", len(digests), self._path)
        except ConfigError as error:
            logger.error("the keys stay as they were: %s", error)
        finally:
            self._looking.release()

    def _state(self) -> tuple[int, int, int] | None:
        # a mounted Secret is a symbolic link that is turned to another folder
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


class _Accepted:
    """The keys of one reading of the file. Once it is replaced, the key that was accepted last is forgotten too.

    Args:
        digests: SHA-256 of each key.
    """

    def __init__(self, digests: frozenset[bytes]) -> None:
        self._digests = digests
        # clients come again, and to compare costs a tenth of what hashing does
        self._last_key = self._last_authorization = b""

    def has_key(self, key: bytes) -> bool:
        if self._last_key and compare_digest(key, self._last_key):
            return True
        if known := self._knows(key):
            self._last_key = key
        return known

    def has_authorization(self, value: bytes) -> bool:
        if self._last_authorization and compare_digest(value, self._last_authorization):
            return True
        if known := value[:7].lower() == BEARER and self._knows(value[7:].strip()):
            self._last_authorization = value
        return known

    def _knows(self, key: bytes) -> bool:
        # The time of this look-up depends on the digest of the guess and on those of the keys. It does not help to
        # guess a key: nobody can steer the SHA-256 of a guess towards a digest but by trying, and a digest, even a
        # complete one, does not lead back to its key.
        return hashlib.sha256(key).digest() in self._digests


def _read(path: Path) -> frozenset[bytes]:
    """Returns the digests of a file.

    Raises:
        ConfigError: See `Keys`.
    """
    digests = set()
    for number, line in enumerate(read_key_file(path, SETTING).decode(errors="replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        digest = line.split()[0].lower()
        if not DIGEST.fullmatch(digest):
            raise _unusable(f"line {number} of {path} is no SHA-256 in hexadecimal", MAKE_ONE)
        if bytes.fromhex(digest) in BLANK:
            raise _unusable(f"line {number} of {path} is the SHA-256 of an empty key", f"set KEY first; {MAKE_ONE}")
        digests.add(bytes.fromhex(digest))
    if not digests:
        raise _unusable(f"{path} has no key", 'add one: printf %s "$KEY" | sha256sum')
    return frozenset(digests)


def read_key_file(path: Path, setting: str) -> bytes:
    """Returns the content of a file with keys.

    Args:
        path: The file.
        setting: The setting that names it.

    Raises:
        ConfigError: It cannot be read, or is not a regular file: reading a FIFO would wait for its writer.
    """
    try:
        # without O_NONBLOCK, opening a FIFO waits too
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(setting, f"{path} is not a regular file")
            return file.read()
    except OSError as error:
        raise ConfigError(setting, f"{path} cannot be read: {error.strerror}") from None


def _unusable(detail: str, hint: str) -> ConfigError:
    return ConfigError(SETTING, detail, hint=hint)


def no_key() -> RequestProblem:
    """The refusal of a request without a key that is known."""
    detail = "a key is needed; send it as Authorization: Bearer KEY or as X-API-Key: KEY"
    return RequestProblem(401, detail, headers={"WWW-Authenticate": "Bearer"})
