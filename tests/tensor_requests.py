"""Requests of the Open Inference Protocol for the table of `served_model`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from malformed_bodies import GOOD

Document = dict[str, Any]

MODEL = "/v2/models/people"
INFER = f"{MODEL}/infer"
DATATYPES = {
    "age": "INT64",
    "education-num": "FP64",
    "model_config": "BYTES",
    "seen at": "BYTES",
    "_copy": "BOOL",
    "json": "BYTES",
}
NUMPY = {"INT64": "<i8", "FP64": "<f8", "FP32": "<f4", "BOOL": "?"}


def document(rows: list[Document] | None = None, **further: Any) -> Document:
    """A request with a tensor for each column."""
    rows = rows or [GOOD, GOOD]
    inputs = []
    for name, datatype in DATATYPES.items():
        values = [row[name] for row in rows]
        if datatype == "BYTES":
            values = [value if value is None else str(value) for value in values]
        inputs.append({"name": name, "datatype": datatype, "shape": [len(rows)], "data": values})
    return {"inputs": inputs, **further}


def packed(request: Document) -> tuple[bytes, dict[str, str]]:
    """The same with the values behind the JSON; null as a client has it."""
    raw = b""
    for tensor in request["inputs"]:
        values = tensor.pop("data")
        if tensor["datatype"] == "BYTES":
            texts = [str(value).encode() for value in values]
            part = b"".join(len(text).to_bytes(4, "little") + text for text in texts)
        else:
            part = np.array(values, dtype=NUMPY[tensor["datatype"]]).tobytes()
        tensor["parameters"] = {"binary_data_size": len(part)}
        raw += part
    body = json.dumps(request).encode()
    return body + raw, {"Inference-Header-Content-Length": str(len(body))}
