"""Bodies that are cheap to send and were, or might be, dear to read: by name, made of the contract when needed.

Most are about `SIZE` bytes long, which is the longest body that a service takes by default.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from modelyard.data.contract import Contract

__all__ = ["BINARY", "BOMBS", "FEEDBACK", "JSON", "MAX_ROWS", "SIZE", "V2"]

Shape = Callable[[Contract], bytes]

SIZE = 4 * 2**20
MAX_ROWS = 1000
# columns of the served table
TEXT, NUMBER = "model_config", "age"


def filled(before: str, item: str, after: str, separator: str = ",") -> bytes:
    """Repeats an item as often as the size allows."""
    count = (SIZE - len(before) - len(after)) // len((item + separator).encode())
    return (before + separator.join([item] * count) + after).encode()


def numbered(before: str, item: str, after: str) -> bytes:
    """Repeats an item with a number in place of each @ as often as the size allows."""
    count = (SIZE - len(before) - len(after)) // (len(item) + 8)
    return (before + ",".join(item.replace("@", str(number)) for number in range(count)) + after).encode()


def deep(depth: int) -> str:
    """Returns lists in lists."""
    return "[" * depth + "]" * depth


def rows_of(row: Any) -> bytes:
    """Returns the most rows of one kind that are legal and fit."""
    text = json.dumps(row)
    return f'{{"rows":[{",".join([text] * min(MAX_ROWS, SIZE // (len(text) + 1)))}]}}'.encode()


def row_with(contract: Contract, name: str, token: str) -> bytes:
    """Returns a legal row but for one value, which is given as JSON."""
    cells = {key: json.dumps(value) for key, value in contract.example.items()} | {name: token}
    return ('{"rows":[{' + ",".join(f"{json.dumps(key)}:{value}" for key, value in cells.items()) + "}]}").encode()


def misspelt(names: Iterable[str]) -> list[str]:
    """Returns names that are near to each of these."""
    return [f"{name[:150]}x" for name in names]


def tensor(data: str = "[0]", shape: str = "[1]", datatype: str = "FP64", name: str = NUMBER) -> str:
    """Returns an input of the Open Inference Protocol."""
    return f'{{"name":"{name}","datatype":"{datatype}","shape":{shape},"data":{data}}}'


def inputs(tensors: str, further: str = "") -> bytes:
    """Returns a request of the Open Inference Protocol."""
    return f'{{"inputs":[{tensors}]{further}}}'.encode()


def data_of(item: str, shape: str = "[1]", datatype: str = "FP64") -> bytes:
    """Returns a request with one tensor that is filled with an item."""
    before, after = inputs(tensor("@", shape, datatype)).decode().split("@")
    return filled(before + "[", item, "]" + after)


def binary(
    raw: bytes, size: Any = None, shape: Iterable[int] = (1,), datatype: str = "FP64", **said: Any
) -> tuple[bytes, str]:
    """Returns a request with a tensor behind its JSON, and the length of the JSON."""
    parameters = {"binary_data_size": len(raw) if size is None else size}
    name = TEXT if datatype == "BYTES" else NUMBER
    described = {"name": name, "datatype": datatype, "shape": list(shape), "parameters": parameters}
    document = json.dumps({"inputs": [described], **said}).encode()
    return document + raw, str(len(document))


def outcomes(outcome: Mapping[str, str], count: int = 1) -> bytes:
    """Returns the same outcome several times."""
    return json.dumps({"feedback": [outcome] * count}).encode()


JSON: Mapping[str, Shape] = {
    "a long row": lambda _: filled('{"rows":[[', "0", "]]}"),
    "empty rows": lambda _: filled('{"rows":[', "[]", "]}"),
    "rows without columns": lambda _: filled('{"rows":[', "{}", "]}"),
    "rows null": lambda _: filled('{"rows":[', "null", "]}"),
    "rows of one value": lambda _: filled('{"rows":[', "[0]", "]}"),
    "rows of an unknown column": lambda _: filled('{"rows":[', '{"a":0}', "]}"),
    "deep lists": lambda _: b"[" * SIZE,
    "deep lists, closed": lambda _: f'{{"rows":{deep(SIZE // 2 - 8)}}}'.encode(),
    "deep objects": lambda _: filled("", '{"a":', "", separator=""),
    "deep rows": lambda _: filled('{"rows":[', deep(100), "]}"),
    "many columns": lambda _: numbered('{"rows":[{', '"k@":0', "}]}"),
    "many keys": lambda _: numbered("{", '"k@":0', "}"),
    "one column again and again": lambda _: filled('{"rows":[{', f'"{NUMBER}":0', "}]}"),
    "rows again and again": lambda _: filled("{", '"rows":[]', "}"),
    "a long integer": lambda contract: row_with(contract, NUMBER, "9" * (SIZE - 100_000)),
    "a long fraction": lambda contract: row_with(contract, NUMBER, "0." + "1" * (SIZE - 100_000)),
    "a long exponent": lambda contract: row_with(contract, NUMBER, "1e" + "9" * (SIZE - 100_000)),
    "integers of 4,000 digits": lambda _: filled('{"rows":[[', "9" * 4000, "]]}"),
    "a long text": lambda contract: row_with(contract, TEXT, f'"{"x" * (SIZE - 100_000)}"'),
    "a long text of escapes": lambda contract: row_with(contract, TEXT, '"' + "\\u00e9" * (SIZE // 6 - 20_000) + '"'),
    "a long text for a number": lambda contract: row_with(contract, NUMBER, f'"{"1" * (SIZE - 100_000)}"'),
    "a long column": lambda _: f'{{"rows":[{{"{"k" * (SIZE - 100)}":0}}]}}'.encode(),
    "a long key": lambda _: f'{{"{"k" * (SIZE - 100)}":0}}'.encode(),
    "blanks": lambda _: b'{"rows":' + b" " * (SIZE - 20) + b"[]}",
    "no JSON": lambda _: b"\xff" * SIZE,
    "many errors": lambda contract: rows_of({name: [] for name in contract.names}),
    "many errors in lists": lambda contract: rows_of([[] for _ in contract.names]),
    "columns left out": lambda _: rows_of({}),
    "misspelt columns": lambda contract: rows_of(dict.fromkeys(misspelt(contract.names), 0)),
    "long misspelt columns": lambda _: rows_of({f"{'reading_' * 24}{number}": 0 for number in range(100)}),
    "many columns in an order": lambda _: numbered('{"rows":[[]],"columns":[', '"column @"', "]}"),
    "misspelt columns in an order": lambda contract: json.dumps(
        {"rows": [[]], "columns": misspelt(contract.names) * 20}
    ).encode(),
    "one column in an order": lambda _: filled('{"rows":[[]],"columns":[', f'"{NUMBER}"', "]}"),
    "the most legal rows": lambda contract: rows_of(contract.example),
    "the most legal rows in lists": lambda contract: rows_of(list(contract.example.values())),
}

# sent as gzip, for any path
BOMBS: Mapping[str, Shape] = {
    "zeros": lambda _: gzip.compress(bytes(16 * SIZE)),
    "lists": lambda _: gzip.compress(b"[" * (16 * SIZE)),
    "gzip of gzip": lambda _: gzip.compress(gzip.compress(bytes(16 * SIZE))),
    "many members": lambda _: gzip.compress(b"") * (SIZE // 20 - 1),
    "a long name in the head": lambda _: b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * (SIZE - 100),
}

V2: Mapping[str, Shape] = {
    "empty inputs": lambda _: filled('{"inputs":[', "{}", "]}"),
    "inputs null": lambda _: filled('{"inputs":[', "null", "]}"),
    "inputs of one name": lambda _: filled('{"inputs":[', tensor(), "]}"),
    "many inputs": lambda _: numbered('{"inputs":[', tensor(name="c@"), "]}"),
    "misspelt inputs": lambda contract: inputs(",".join(tensor(name=name) for name in misspelt(contract.names) * 20)),
    "long data": lambda _: data_of("0"),
    "long data of the said shape": lambda _: data_of("0", shape=f"[{SIZE // 2 - 100}]"),
    "data of empty lists": lambda _: data_of("[]"),
    "data of empty objects": lambda _: data_of("{}"),
    "data of null": lambda _: data_of("null", datatype="BYTES"),
    "data of empty texts": lambda _: data_of('""', datatype="BYTES"),
    "a long text": lambda _: inputs(tensor(f'["{"x" * (SIZE - 200)}"]', datatype="BYTES", name=TEXT)),
    "deep data": lambda _: inputs(tensor(deep(100_000))),
    "data of deep lists": lambda _: data_of(deep(60)),
    "a long shape": lambda _: inputs(tensor(shape="[" + ",".join(["1"] * (SIZE // 2 - 100)) + "]")),
    "a huge shape": lambda _: inputs(tensor(shape="[9223372036854775807,9223372036854775807]")),
    "a huge number of rows": lambda _: inputs(tensor(shape="[1000000000]")),
    "a long number in a shape": lambda _: inputs(tensor(shape=f"[{'9' * (SIZE - 200)}]")),
    "many parameters": lambda _: numbered('{"inputs":[],"parameters":{', '"p@":0', "}}"),
    "many parameters of an input": lambda _: numbered('{"inputs":[{"parameters":{', '"p@":0', "}}]}"),
    "deep parameters": lambda _: f'{{"inputs":[],"parameters":{{"a":{deep(100_000)}}}}}'.encode(),
    "empty outputs": lambda _: filled('{"inputs":[],"outputs":[', "{}", "]}"),
    "outputs of one name": lambda _: filled(f'{{"inputs":[{tensor()}],"outputs":[', '{"name":"label"}', "]}"),
    "many outputs": lambda _: numbered('{"inputs":[],"outputs":[', '{"name":"o@"}', "]}"),
    "a long id": lambda _: inputs(tensor(), f',"id":"{"i" * (SIZE - 200)}"'),
    "a long datatype": lambda _: inputs(tensor(datatype="F" * (SIZE - 200))),
    "a long name": lambda _: inputs(tensor(name="n" * (SIZE - 200))),
}

# each with the length of its JSON, as the header has it
BINARY: Mapping[str, Callable[[], tuple[bytes, str]]] = {
    "long values": lambda: binary(bytes(SIZE - 800), shape=[SIZE // 8 - 100]),
    "long values of a short shape": lambda: binary(bytes(SIZE - 800)),
    "short values of a huge shape": lambda: binary(bytes(8), shape=[2**62, 2**62]),
    "empty texts": lambda: binary(bytes(SIZE - 400), shape=[SIZE // 4 - 100], datatype="BYTES"),
    "empty texts of a short shape": lambda: binary(bytes(SIZE - 400), datatype="BYTES"),
    "a text past the end": lambda: binary(b"\xff\xff\xff\xff" + bytes(100), datatype="BYTES"),
    "a text of a negative length": lambda: binary(b"\x00\x00\x00\x80" + bytes(100), datatype="BYTES"),
    "a size past the end": lambda: binary(bytes(8), size=2**62),
    "a negative size": lambda: binary(bytes(8), size=-1),
    "a size of many digits": lambda: binary(bytes(8), size="9" * 1000),
    "many outputs": lambda: binary(bytes(8), outputs=[{"name": f"t{number}"} for number in range(50_000)]),
    "JSON past the end": lambda: (binary(bytes(8))[0], "1000"),
    "JSON of a length of many digits": lambda: (binary(bytes(8))[0], "9" * 4000),
    "JSON of a negative length": lambda: (binary(bytes(8))[0], "-1"),
    "JSON of no length": lambda: (binary(bytes(8))[0], "0"),
    "JSON cut off": lambda: (binary(bytes(8))[0], "20"),
}

FEEDBACK: Mapping[str, Shape] = {
    "empty outcomes": lambda _: filled('{"feedback":[', "{}", "]}"),
    "outcomes without an id": lambda _: filled('{"feedback":[', '{"id":"","actual":0}', "]}"),
    "the most outcomes of long ids": lambda _: outcomes({"id": "A" * 4000, "actual": "x"}, MAX_ROWS),
    "the most outcomes of foreign ids": lambda _: outcomes({"id": "A" * 40, "actual": "x"}, MAX_ROWS),
    "a long id": lambda _: outcomes({"id": "A" * (SIZE - 100), "actual": "x"}),
    "a long outcome": lambda _: outcomes({"id": "A", "actual": "x" * (SIZE - 100)}),
    "a long number": lambda _: b'{"feedback":[{"id":"A","actual":' + b"9" * (SIZE - 100) + b"}]}",
    "deep lists": lambda _: b'{"feedback":' + b"[" * (SIZE - 100),
}
