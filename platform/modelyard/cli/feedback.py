"""`modelyard feedback`: tells a service what became of its predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings
from modelyard.errors import ServiceError, UsageError, nearest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EXAMPLE", "feedback"]

EXAMPLE = "modelyard feedback outcomes.csv --url http://127.0.0.1:3000"
# what a service takes unless its serving.max_rows says otherwise
BATCH = 1000
TIMEOUT_S = 60.0
MOST_SHOWN = 5


def feedback(
    table: Annotated[
        str, typer.Argument(metavar="FILE", help="Table with an id and an outcome a row.", show_default=False)
    ],
    overrides: Overrides = None,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="The service.")] = "http://127.0.0.1:3000",
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", envvar="MODELYARD_KEY", help="Where the service needs one.")
    ] = None,
    identity: Annotated[
        str, typer.Option("--id", metavar="COLUMN", help="Column of the ids that predictions had.")
    ] = "id",
    actual: Annotated[
        str, typer.Option("--actual", metavar="COLUMN", help="Column of the true labels or values.")
    ] = "actual",
    batch: Annotated[int, typer.Option("--batch", min=1, help="Rows of a request; serving.max_rows at most.")] = BATCH,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Tell a service the outcomes of its predictions, which it counts by version.

    Rows that the service refuses, since an id is forged or too old, are named, and the others counted.
    """
    settings = load_settings(overrides, config_dir)
    from modelyard.data.loading import load_data

    frame = load_data(table, settings.data)
    for name in (identity, actual):
        if name not in frame.columns:
            raise UsageError(f"{table} has no column {name!r}; {nearest(name, frame.columns)}")
    known = frame[frame[actual].notna()]
    counted, repeated, refused = _post(_Service(url, key), known, identity, actual, batch)
    if refused:
        shown = "; ".join(f"row {row + 1}: {reason}" for row, reason in list(refused.items())[:MOST_SHOWN])
        raise ServiceError(f"{url} counted {counted} outcomes and refused {len(refused)}: {shown}")
    document = {"counted": counted, "repeated": repeated, "without_outcome": len(frame) - len(known)}
    if as_json:
        emit(document)
    else:
        print_pairs(document)


class _Service:
    """Where outcomes go."""

    def __init__(self, url: str, key: str | None) -> None:
        self._url = url.rstrip("/") + "/api/v1/feedback"
        self._headers = {"X-API-Key": key} if key else {}

    def tell(self, outcomes: list[dict[str, Any]]) -> tuple[int, dict[int, str]]:
        """Tells outcomes.

        Returns:
            How many were repeated, and the reason by place of those that are wrong: then none was counted.
        """
        import httpx

        try:
            answer = httpx.post(self._url, json={"feedback": outcomes}, headers=self._headers, timeout=TIMEOUT_S)
            document = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ServiceError(f"{self._url} gives no answer ({error}); is the service there?") from None
        if answer.status_code == 200:
            return document.get("repeated", 0), {}  # 0.1 counted every one
        errors = document.get("errors", [])
        if answer.status_code != 422 or not errors:
            hint = "; it takes outcomes where serving.feedback_key_file is set" if answer.status_code == 404 else ""
            detail = document.get("detail", answer.status_code)
            raise ServiceError(f"{self._url} takes no outcomes: {detail}{hint}")
        return 0, {int(one["path"].split("/")[2]): one["detail"].partition(" ")[2] for one in errors}


def _post(
    service: _Service, frame: pd.DataFrame, identity: str, actual: str, batch: int
) -> tuple[int, int, dict[int, str]]:
    """Returns how many were counted, how many were repeated, and the reason by row of those that were refused."""
    ids = frame[identity].astype(object).fillna("").astype(str).tolist()
    outcomes = frame[actual].astype(object).tolist()
    rows = frame.index.tolist()
    refused: dict[int, str] = {}
    counted = repeated = 0
    for start in range(0, len(rows), batch):
        left = [*range(start, min(start + batch, len(rows)))]
        while left:
            known, wrong = service.tell([{"id": ids[each], "actual": _plain(outcomes[each])} for each in left])
            refused |= {rows[left[place]]: reason for place, reason in wrong.items()}
            if not wrong:
                counted, repeated = counted + len(left) - known, repeated + known
                break
            left = [each for place, each in enumerate(left) if place not in wrong]
    return counted, repeated, refused


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
