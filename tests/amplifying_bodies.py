"""Bodies of a megabyte that would take gigabytes or minutes if they were read without limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["AMPLIFYING", "LARGEST", "AmplifyingBody"]

LARGEST = 2**20
TENSOR = b'{"name":"age","datatype":"FP64","shape":[1],"data":'


@dataclass(frozen=True)
class AmplifyingBody:
    """One body.

    Attributes:
        name: Its name.
        endpoint: ``json``, ``v2`` or ``feedback``.
        make: Makes the body.
        headers: Further headers of the request.
    """

    name: str
    endpoint: str
    make: Callable[[], bytes]
    headers: dict[bytes, bytes] = field(default_factory=dict)


def repeated(head: bytes, item: bytes, tail: bytes) -> Callable[[], bytes]:
    """Makes a body with as many equal items as fit in."""
    count = (LARGEST - len(head) - len(tail)) // (len(item) + 1)
    return lambda: head + b",".join([item] * count) + tail


def numbered(head: bytes, item: bytes, tail: bytes) -> Callable[[], bytes]:
    """Makes a body with as many different items as fit in; each has its number in the place of ``%x``."""
    count = (LARGEST - len(head) - len(tail)) // (len(item) + 4)
    return lambda: head + b",".join(item % number for number in range(count)) + tail


def texts(head: bytes, tail: bytes, text: bytes = b"x") -> Callable[[], bytes]:
    """Makes a body with one long text."""
    return lambda: head + text * ((LARGEST - len(head) - len(tail)) // len(text)) + tail


def _binary(count: int) -> AmplifyingBody:
    head = b'{"inputs":[{"name":"json","datatype":"BYTES","shape":[%d],"parameters":{"binary_data_size":%d}}]}'
    head %= count, 4 * count
    headers = {b"inference-header-content-length": b"%d" % len(head)}
    return AmplifyingBody("empty binary texts", "v2", lambda: head + bytes(4 * count), headers)


AMPLIFYING = (
    *(
        AmplifyingBody(f"rows {item.decode()}", "json", repeated(b'{"rows":[', item, b"]}"))
        for item in (b"{}", b"[]", b"[1]", b"null", b"1e1", b'{"a":1}', b"[" * 150 + b"]" * 150)
    ),
    *(
        AmplifyingBody(f"values {item.decode()}", "json", repeated(b'{"rows":[[', item, b"]]}"))
        for item in (b"1", b"257", b"{}", b"[]")
    ),
    AmplifyingBody("a column many times", "json", repeated(b'{"rows":[{', b'"age":1', b"}]}")),
    AmplifyingBody("many columns", "json", numbered(b'{"rows":[{', b'"a%x":1', b"}]}")),
    AmplifyingBody("many keys", "json", numbered(b"{", b'"a%x":1', b"}")),
    AmplifyingBody("many names", "json", numbered(b'{"rows":[[1]],"columns":[', b'"%x"', b"]}")),
    AmplifyingBody("names are lists", "json", repeated(b'{"rows":[[1]],"columns":[', b"[]", b"]}")),
    AmplifyingBody("lists in a value", "json", repeated(b'{"rows":[{"age":[', b"[]", b"]}]}")),
    AmplifyingBody("a list", "json", repeated(b"[", b"[]", b"]")),
    AmplifyingBody("deep", "json", lambda: b"[" * LARGEST),
    AmplifyingBody("a whole number", "json", texts(b'{"rows":[{"age":', b"}]}", b"1")),
    AmplifyingBody("a fraction", "json", texts(b'{"rows":[{"education-num":0.', b"}]}", b"1")),
    AmplifyingBody("an exponent", "json", texts(b'{"rows":[{"education-num":1e', b"}]}", b"1")),
    AmplifyingBody("a text", "json", texts(b'{"rows":[{"age":"', b'"}]}')),
    AmplifyingBody("a text with an emoji", "json", texts(b'{"rows":[{"age":"\xf0\x9f\x98\x80', b'"}]}')),
    AmplifyingBody("a date", "json", texts(b'{"rows":[{"seen at":"', b'"}]}', b"2")),
    AmplifyingBody("a truth value", "json", texts(b'{"rows":[{"_copy":"', b'"}]}')),
    AmplifyingBody("a name", "json", texts(b'{"rows":[{"', b'":1}]}', b"/")),
    *(
        AmplifyingBody(f"inputs {item.decode()}", "v2", repeated(b'{"inputs":[', item, b"]}"))
        for item in (b"{}", b"[]", b"1", b'{"name":"a","datatype":"FP64","shape":[]}')
    ),
    *(
        AmplifyingBody(f"outputs {item.decode()}", "v2", repeated(b'{"inputs":[],"outputs":[', item, b"]}"))
        for item in (b"{}", b'{"name":"ab"}')
    ),
    *(
        AmplifyingBody(f"data {item.decode()}", "v2", repeated(b'{"inputs":[' + TENSOR + b"[", item, b"]}]}"))
        for item in (b"1", b"1.5", b"[]", b"[1]", b"{}", b'"a"')
    ),
    AmplifyingBody("shape", "v2", repeated(b'{"inputs":[{"name":"a","datatype":"FP64","shape":[', b"{}", b"]}]}")),
    AmplifyingBody("parameters", "v2", numbered(b'{"inputs":[],"parameters":{', b'"a%x":1', b"}}")),
    AmplifyingBody("a list in parameters", "v2", repeated(b'{"inputs":[],"parameters":{"a":[', b"[]", b"]}}")),
    AmplifyingBody("data of objects", "v2", numbered(b'{"inputs":[' + TENSOR + b"{", b'"a%x":1', b"}}]}")),
    AmplifyingBody("a text as data", "v2", texts(b'{"inputs":[' + TENSOR + b'["', b'"]}]}')),
    AmplifyingBody(
        "a tensor's name", "v2", texts(b'{"inputs":[{"datatype":"FP64","shape":[1],"name":"', b'"}]}', b"~")
    ),
    AmplifyingBody("a number as data", "v2", texts(b'{"inputs":[' + TENSOR + b"[", b"]}]}", b"7")),
    _binary(2**18 - 64),
    *(
        AmplifyingBody(f"feedback {item.decode()}", "feedback", repeated(b'{"feedback":[', item, b"]}"))
        for item in (b"{}", b"[]", b'{"id":"ab","actual":1}')
    ),
    AmplifyingBody("an unknown key", "feedback", texts(b'{"feedback":[],"', b'":1}')),
    AmplifyingBody("an id", "feedback", texts(b'{"feedback":[{"id":"', b'","actual":1}]}')),
    AmplifyingBody("an outcome", "feedback", texts(b'{"feedback":[{"id":"a","actual":"', b'"}]}')),
)
