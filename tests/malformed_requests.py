"""Requests that are wrong outside of their bodies, and the status that each gets; for the table of `served_model`."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from malformed_bodies import GOOD

BODY = json.dumps({"rows": [GOOD]}).encode()
JSON = {"Content-Type": "application/json"}
PACKED = {**JSON, "Content-Encoding": "gzip"}
MEBIBYTE = 2**20


@dataclass(frozen=True)
class MalformedRequest:
    """One bad request, the status that it gets, a word of what it says, the wrong fields, and the right method."""

    name: str
    status: int
    says: str
    method: str = "POST"
    path: str = "/predict"
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = BODY
    paths: tuple[str, ...] = ()
    allow: str | None = None


@dataclass(frozen=True)
class RawRequest:
    """Bytes that no HTTP client would send, and the status that they get."""

    name: str
    sent: bytes
    status: int


def _of_type(
    media_type: str, content: bytes = BODY, status: int = 415, says: str = "application/json"
) -> MalformedRequest:
    return MalformedRequest(f"type {media_type}", status, says, headers={"Content-Type": media_type}, content=content)


def _of_encoding(encoding: str) -> MalformedRequest:
    return MalformedRequest(f"encoding {encoding}", 415, "use gzip", headers={**JSON, "Content-Encoding": encoding})


def _packed(name: str, content: bytes, status: int, says: str, *paths: str) -> MalformedRequest:
    return MalformedRequest(f"gzip, {name}", status, says, headers=PACKED, content=content, paths=paths)


def _of_method(method: str, path: str, allowed: str) -> MalformedRequest:
    says = "" if method == "HEAD" else f"does not answer {method}"
    return MalformedRequest(f"{method} {path}", 405, says, method, path, content=b"", allow=allowed)


def _at(path: str) -> MalformedRequest:
    return MalformedRequest(f"path {path}", 404, "there is nothing at", path=path, headers=JSON)


REQUESTS = (
    *(
        _of_type(media_type)
        for media_type in (
            *("text/plain", "text/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"),
            *("application/jsonx", "application/problem+json", "application/msgpack", "application/octet-stream"),
            *("json", ";", "*/*", "text/json; charset=utf-8"),
        )
    ),
    _of_type("application/json; charset=utf-16", BODY.decode().encode("utf-16"), 400, "not JSON"),
    _of_type("application/json; charset=utf-32", BODY.decode().encode("utf-32-le"), 400, "not JSON"),
    _of_type("application/json; charset=latin-1", '{"rows": ["ü"]}'.encode("latin-1"), 400, "not JSON"),
    _of_type("application/json; charset=utf-8", b"\xef\xbb\xbf" + BODY, 400, "byte order mark"),
    *(_of_encoding(encoding) for encoding in ("br", "deflate", "zstd", "gzip, gzip", "compress", "*")),
    _packed("none", BODY, 400, "not gzip"),
    _packed("zlib", zlib.compress(BODY), 400, "not gzip"),
    _packed("empty", b"", 400, "cut off"),
    _packed("cut off", gzip.compress(BODY)[:-4], 400, "cut off"),
    _packed("head only", gzip.compress(BODY)[:10], 400, "cut off"),
    _packed("wrong checksum", gzip.compress(BODY)[:-8] + bytes(8), 400, "not gzip"),
    _packed("more after it", gzip.compress(BODY) + b"x", 400, "more follows"),
    _packed("two members", gzip.compress(BODY) * 2, 400, "more follows"),
    _packed("of nothing", gzip.compress(b""), 400, "not JSON"),
    _packed("of gzip", gzip.compress(gzip.compress(BODY)), 400, "not JSON"),
    _packed("bomb", gzip.compress(bytes(64 * MEBIBYTE)), 413, "the body is longer than"),
    _packed("bomb of rows", gzip.compress(b'{"rows": [' + b"1," * 4 * MEBIBYTE), 413, "the body is longer than"),
    _packed("of a wrong field", gzip.compress(BODY.replace(b"39", b'"x"')), 422, "/rows/0/age", "/rows/0/age"),
    MalformedRequest("too long", 413, "the body is longer than", headers=JSON, content=b" " * (5 * MEBIBYTE)),
    *(
        _of_method(method, "/predict", "POST")
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
    ),
    *(
        _of_method("POST", path, "GET")
        for path in ("/livez", "/readyz", "/metrics", "/api/v1/health", "/api/v1/contract")
    ),
    *(_at(path) for path in ("/api/v1/predict/", "/api/v1/Predict", "/api/v2/predict", "/api/v1", "/predict/x")),
)


def _raw(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _post(*lines: str, length: str | None = str(len(BODY)), body: bytes = BODY) -> bytes:
    given = [] if length is None else [f"Content-Length: {length}"]
    return _raw("POST /predict HTTP/1.1", "Host: a", "Content-Type: application/json", *given, *lines, body=body)


RAW = (
    RawRequest("no HTTP", b"hello\r\n\r\n", 400),
    RawRequest("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50), 400),
    RawRequest("no such version", _raw("GET /livez HTTP/9.9", "Host: a"), 400),
    RawRequest("method in lower case", _raw("get /livez HTTP/1.1", "Host: a"), 400),
    RawRequest("no such method", _raw("BREW /predict HTTP/1.1", "Host: a"), 400),
    RawRequest("blank in a header's name", _raw("GET /livez HTTP/1.1", "Host : a"), 400),
    RawRequest("null in a header", _raw("GET /livez HTTP/1.1", "Host: a", "X: \x00"), 400),
    RawRequest("length that is no number", _post(length="abc"), 400),
    RawRequest("length below zero", _post(length="-1"), 400),
    RawRequest("length past all numbers", _post(length="9" * 40), 400),
    RawRequest("two lengths", _post("Content-Length: 3"), 400),
    RawRequest("length and chunks", _post("Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    RawRequest("chunk of no size", _post("Transfer-Encoding: chunked", length=None, body=b"zz\r\n"), 400),
    RawRequest("chunk past all sizes", _post("Transfer-Encoding: chunked", length=None, body=b"f" * 40 + b"\r\n"), 400),
    RawRequest("length too short", _post(length=str(len(BODY) - 3)), 400),
    RawRequest("no body", _post(length="0", body=b""), 400),
    RawRequest("neither length nor body", _post(length=None, body=b""), 400),
    RawRequest("asks first, too long", _post("Expect: 100-continue", length="99999999999", body=b""), 413),
    RawRequest("byte order mark", _post(length=str(len(BODY) + 3), body=b"\xef\xbb\xbf" + BODY), 400),
)
