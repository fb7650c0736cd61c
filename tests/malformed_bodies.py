"""Bodies that no service may answer with anything but the right refusal, for the table of `served_model`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

GOOD: dict[str, Any] = {
    "age": 39,
    "education-num": 13.0,
    "model_config": "Private",
    "seen at": "2024-02-01T10:00:00",
    "_copy": True,
    "json": 2,
}


@dataclass(frozen=True)
class Malformed:
    """One bad body, the status that it gets, and the paths of its wrong fields."""

    name: str
    body: bytes
    status: int
    paths: tuple[str, ...] = ()


def _row(**changes: Any) -> bytes:
    return json.dumps({"rows": [{**GOOD, **changes}]}).encode()


def _document(**document: Any) -> bytes:
    return json.dumps(document).encode()


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def _text(name: str, value: str) -> bytes:
    return _row(**{name: "@"}).replace(b'"@"', value.encode())


VALUES = list(GOOD.values())
BY_NAME = tuple(f"/rows/0/{name}" for name in GOOD)
BY_PLACE = tuple(f"/rows/0/{place}" for place in range(len(GOOD)))

MALFORMED = (
    Malformed("empty", b"", 400),
    Malformed("blank", b"   ", 400),
    Malformed("no JSON", b"rows=1", 400),
    Malformed("cut off", _row()[:-3], 400),
    Malformed("trailing", _row() + b"}", 400),
    Malformed("byte order mark", b"\xef\xbb\xbf" + _row(), 400),
    Malformed("latin-1", '{"rows": ["ü"]}'.encode("latin-1"), 400),
    Malformed("null byte", b'{"rows": \x00}', 400),
    Malformed("deep", b'{"rows": ' + b"[" * 300 + b"]" * 300 + b"}", 400),
    Malformed("deeper than rows can be many", b'{"rows": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", 413),
    Malformed("endless digits", _text("age", "1" * 10_000), 400),
    Malformed("lone surrogate", b'{"rows": [{"model_config": "\\ud800"}]}', 400),
    Malformed("a number", b"7", 422, ("",)),
    Malformed("null", b"null", 422, ("",)),
    Malformed("a list", b"[]", 422, ("",)),
    Malformed("nothing in it", b"{}", 422, ("/rows",)),
    Malformed("rows null", _document(rows=None), 422, ("/rows",)),
    Malformed("rows text", _document(rows="abc"), 422, ("/rows",)),
    Malformed("one row bare", _document(rows=GOOD), 422, ("/rows",)),
    Malformed("no row", _document(rows=[]), 422, ("/rows",)),
    Malformed("too many rows", _document(rows=[VALUES] * 300), 413),
    Malformed(
        "an empty row", _document(rows=[{}]), 422, ("/rows/0/age", "/rows/0/seen at", "/rows/0/_copy", "/rows/0/json")
    ),
    Malformed("an empty list", _document(rows=[[]]), 422, ("/rows/0",)),
    Malformed("a row null", _document(rows=[None]), 422, ("/rows/0",)),
    Malformed("a row text", _document(rows=["row"]), 422, ("/rows/0",)),
    Malformed("values short", _document(rows=[VALUES[:-1]]), 422, ("/rows/0",)),
    Malformed("values long", _document(rows=[[*VALUES, 1]]), 422, ("/rows/0",)),
    Malformed("values nested", _document(rows=[[[value] for value in VALUES]]), 422, BY_PLACE),
    Malformed("key unknown", _document(row=[GOOD], rows=[GOOD]), 422, ("/row",)),
    Malformed("column unknown", _row(agee=1), 422, ("/rows/0/agee",)),
    Malformed("column missing", _document(rows=[_without("age")]), 422, ("/rows/0/age",)),
    Malformed("column of the field's name", _row(column_0=1), 422, ("/rows/0/column_0",)),
    Malformed("pointer escaped", _row(**{"a/b~c": 1}), 422, ("/rows/0/a~1b~0c",)),
    Malformed("second row wrong", _document(rows=[GOOD, {**GOOD, "age": "x"}]), 422, ("/rows/1/age",)),
    Malformed("every field wrong", _document(rows=[{name: [] for name in GOOD}]), 422, BY_NAME),
    Malformed("NaN", _text("education-num", "NaN"), 422, ("/rows/0/education-num",)),
    Malformed("Infinity", _text("education-num", "-Infinity"), 422, ("/rows/0/education-num",)),
    Malformed("huge exponent", _text("education-num", "1e999"), 422, ("/rows/0/education-num",)),
    Malformed("huge integer", _text("age", "1" * 400), 422, ("/rows/0/age",)),
    Malformed("NaN as a category", _text("json", "NaN"), 422, ("/rows/0/json",)),
    Malformed("number as text", _row(age="39"), 422, ("/rows/0/age",)),
    Malformed("number as boolean", _row(age=True), 422, ("/rows/0/age",)),
    Malformed("fraction", _row(age=39.5), 422, ("/rows/0/age",)),
    Malformed("category as number", _row(model_config=3), 422, ("/rows/0/model_config",)),
    Malformed("category as object", _row(model_config={"a": 1}), 422, ("/rows/0/model_config",)),
    Malformed("boolean as word", _row(_copy="yes"), 422, ("/rows/0/_copy",)),
    Malformed("boolean as number", _row(_copy=2), 422, ("/rows/0/_copy",)),
    Malformed("date in words", _row(**{"seen at": "yesterday"}), 422, ("/rows/0/seen at",)),
    Malformed("date as number", _row(**{"seen at": 1706781600}), 422, ("/rows/0/seen at",)),
    Malformed("no such day", _row(**{"seen at": "2024-02-30"}), 422, ("/rows/0/seen at",)),
    Malformed("columns text", _document(rows=[VALUES], columns="age"), 422, ("/columns",)),
    Malformed("columns unknown", _document(rows=[VALUES], columns=[*list(GOOD)[:-1], "jsn"]), 422, ("/columns/5",)),
    Malformed("columns twice", _document(rows=[VALUES], columns=["age", *list(GOOD)[:-1]]), 422, ("/columns/1",)),
    Malformed("columns of numbers", _document(rows=[VALUES], columns=[1, *list(GOOD)[1:]]), 422, ("/columns/0",)),
    Malformed("timing as number", _document(rows=[GOOD], timing=1), 422, ("/timing",)),
    Malformed("columns missing one", _document(rows=[VALUES[1:]], columns=list(GOOD)[1:]), 422, ("/rows/0/age",)),
)
