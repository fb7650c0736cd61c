"""Predicts the contract's example row through Services, each an argument, as their clients would.

MODELYARD_KEY is a key to present. MODELYARD_KEYS says that one is needed: without one at hand, all that can be shown is
that the service asks for it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

KEY = os.environ.get("MODELYARD_KEY", "")
KEYS = bool(os.environ.get("MODELYARD_KEYS"))
UNAUTHORIZED = 401


def ask(url: str, document: Any = None) -> Any:
    """Returns the JSON that a service answers; a document is posted to it."""
    headers = {"content-type": "application/json"} | ({"x-api-key": KEY} if KEY else {})
    body = None if document is None else json.dumps(document).encode()
    with urlopen(Request(url, body, headers), timeout=20) as answer:
        return json.load(answer)


def predict(service: str) -> str:
    """Returns what the service says of the example row."""
    example = ask(f"{service}/api/v1/contract")["example"]
    answer = ask(f"{service}/api/v1/predict", {"rows": [example]})
    (prediction,) = answer["predictions"]
    return f"{json.dumps(prediction)} by {answer['model']['name']} {answer['model']['version']}"


def refusal(service: str) -> str:
    """Returns what there is to say of a service that asks for a key when there is none at hand."""
    try:
        predict(service)
    except HTTPError as error:
        if error.code == UNAUTHORIZED:
            return "asks for a key, so nothing was predicted; name a Secret with one in apiKeys.clientSecret"
        raise
    sys.exit(f"{service} predicts without a key, though apiKeys.existingSecret is set")


for address in sys.argv[1:]:
    try:
        print(f"{address}: {refusal(address) if KEYS and not KEY else predict(address)}")
    except HTTPError as error:
        sys.exit(f"{error.url} answers {error.code}: {error.read().decode(errors='replace')}")
    except OSError as error:
        sys.exit(f"{address} cannot be reached: {error}")
