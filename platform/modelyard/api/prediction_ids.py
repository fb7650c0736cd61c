"""Prediction ids: short signed texts that carry what was predicted, so that any replica can take the outcome.

No replica keeps what it answered. An id says which version predicted what and when, and its signature says that this
service did: 28 bytes, the version, and a MAC of 8 bytes (SipHash-2-4, which is made for short messages: Aumasson and
Bernstein, 2012). The JSON encoder writes base64.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import itertools
import secrets
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from time import time

from siphashc import siphash

from modelyard.api.keys import read_key_file
from modelyard.data.contract import Target
from modelyard.errors import ConfigError

__all__ = ["ForeignId", "Issued", "PredictionIds"]

# in the order of bytes that processors have: `struct` takes twice the time for the other.
# number, when in seconds, the class's probability or the value
PREDICTED = struct.Struct("<Qdd")
# code of the class, what the classes are
CLASS = struct.Struct("<HH")
BODY = struct.Struct(f"{PREDICTED.format}{CLASS.format[1:]}")
PURPOSE = b"prediction"
MAC_BYTES, KEY_BYTES = 8, 16
LEAST_KEY, LONGEST_KEY = 16, 64
LONGEST_ID = 256
SECONDS_A_DAY = 86_400


class ForeignId(ValueError):
    """An id that this service does not take, with the reason as its text."""


@dataclass(frozen=True)
class Issued:
    """What an id says.

    Attributes:
        number: Of the prediction; no other of the service has it.
        version: Of the model that predicted.
        code: Of the predicted class; 0 where values are predicted.
        score: The positive class's probability, of more than two classes the predicted one's; or the value.
    """

    number: int
    version: str
    code: int
    score: float


class PredictionIds:
    """Makes and reads the ids of one model's predictions.

    Args:
        path: File with a key a line. The first signs; the others are taken too, so that a key can be replaced.
        version: Of the model.
        target: What it predicts.
        days: How long an id is taken.

    Raises:
        ConfigError: The file cannot be read, or a key is too short or too long.
    """

    def __init__(self, path: str, version: str, target: Target, days: float) -> None:
        self._keys = [hashlib.blake2b(key, digest_size=KEY_BYTES, person=PURPOSE).digest() for key in _read_keys(path)]
        self._key = self._keys[0]
        self._classes = zlib.crc32(repr(target.classes).encode()) & 0xFFFF
        # base64 without padding: the ids of a log are encoded in one piece
        padded = version.encode() + b"\0" * (-(BODY.size + len(version.encode()) + MAC_BYTES) % 3)
        self._by_class = [CLASS.pack(code, self._classes) + padded for code in range(len(target.classes) or 1)]
        self._pack = struct.Struct(f"{PREDICTED.format}{len(self._by_class[0])}s").pack
        self._seconds = days * SECONDS_A_DAY
        # replicas that start at once have numbers of their own
        self._numbers = itertools.count(secrets.randbits(63))

    def issue(self, code: int, score: float) -> bytes:
        """Returns the id of a new prediction, given as `Issued` has it; all of them are equally long."""
        body = self._pack(next(self._numbers), time(), score, self._by_class[code])
        return body + siphash(self._key, body).to_bytes(MAC_BYTES)

    def read(self, text: str) -> Issued:
        """Returns what an id says, which is given in base64.

        Raises:
            ForeignId: It is none, another service's, too old, or of a model with other classes.
        """
        body = self._verified(text)
        number, when, score, code, classes = BODY.unpack_from(body)
        if time() - when > self._seconds:
            raise ForeignId(f"is older than {self._seconds / SECONDS_A_DAY:g} days")
        if classes != self._classes:
            raise ForeignId("is of a model that predicts other classes")
        return Issued(number, body[BODY.size :].rstrip(b"\0").decode(), code, score)

    def _verified(self, text: str) -> bytes:
        try:
            whole = binascii.a2b_base64(text[:LONGEST_ID], strict_mode=True)
        except ValueError:
            whole = b""
        if len(whole) < BODY.size + MAC_BYTES:
            raise ForeignId("is no id of a prediction")
        body, given = whole[:-MAC_BYTES], whole[-MAC_BYTES:]
        for key in self._keys:
            if hmac.compare_digest(siphash(key, body).to_bytes(MAC_BYTES), given):
                return body
        raise ForeignId("is not signed by this service")


def _read_keys(path: str) -> list[bytes]:
    lines = read_key_file(Path(path).absolute(), "serving.feedback_key_file").splitlines()
    keys = [line.strip() for line in lines if line.strip()]
    if not keys or not all(LEAST_KEY <= len(key) <= LONGEST_KEY for key in keys):
        raise ConfigError(
            "serving.feedback_key_file",
            f"{path} needs a key of {LEAST_KEY} to {LONGEST_KEY} characters on each line",
            hint="make one with: openssl rand -hex 32",
        )
    return keys
