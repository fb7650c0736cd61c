"""Request bodies to columns of checked values; every wrong field is reported, not only the first."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from modelyard.api.fields import column_field
from modelyard.api.json_size import JsonLimits
from modelyard.api.models import row_model
from modelyard.api.problems import MOST_ERRORS, FieldProblem, Hints, RequestProblem, describe, pointer, shorten
from modelyard.data.contract import Contract
from modelyard.data.row_checks import surplus_hint

__all__ = ["Decoder", "Table"]

Table = dict[str, list[Any]]
KEYS = ("rows", "columns", "timing")
NOTHING = object()
# what a body may have beyond its rows: keys may be there twice, and a few wrong values are named one by one
SPARE_CONTAINERS = 1500
SPARE_VALUES = 100_000


class _Problems:
    """Collects wrong fields, and gives up at the most that are reported: a body can have any number of them."""

    def __init__(self) -> None:
        self.found: list[FieldProblem] = []
        self._hints = Hints()

    def add_unknown(self, path: tuple[str | int, ...], name: str, candidates: Collection[str], expected: str) -> None:
        """Adds a name that is none of the candidates."""
        self.add(path, expected, name, self._hints.suggest(name, candidates))

    def add(
        self, path: tuple[str | int, ...], expected: str, received: Any, hint: str = "", column: str | None = None
    ) -> None:
        """Notes one; `column` is named where the path does not, in a list of values."""
        where = pointer(*path)
        shown = "nothing" if received is NOTHING else describe(received)
        about = f" (column {column!r})" if column is not None and path[-1] != column else ""
        what = f"{expected} is missing" if received is NOTHING else f"expected {expected}, not {shown}"
        detail = f"{where or 'the body'}{about}: {what}" + (f"; {hint}" if hint else "")
        self.found.append(FieldProblem(path=where, expected=expected, received=shown, detail=detail))
        if len(self.found) == MOST_ERRORS:
            self.raise_any()

    def raise_any(self) -> None:
        """Raises what was found, if anything."""
        if self.found:
            others = f" (and {len(self.found) - 1} more)" if len(self.found) > 1 else ""
            raise RequestProblem(422, self.found[0].detail + others, self.found)


class Decoder:
    """Checks requests against one contract.

    Args:
        contract: What the rows are.
        max_rows: Most rows in one request.

    Attributes:
        contract: The contract.
        max_rows: Most rows in one request.
        unchecked_bytes: Size up to which a body cannot have too many rows, so that `check_size` is not needed.
    """

    def __init__(self, contract: Contract, max_rows: int) -> None:
        self.contract = contract
        self.max_rows = max_rows
        self._row = row_model(contract)
        self._fields = tuple(self._row.model_fields)
        self._expected = {column.name: column_field(column).expected for column in contract.columns}
        self._limits = JsonLimits(
            containers=max_rows + SPARE_CONTAINERS,
            values=max_rows * len(contract.columns) + SPARE_VALUES,
            remedy=f"send at most {max_rows} rows in one request, each a value for each column",
        )
        # an empty row and its comma take three bytes
        self.unchecked_bytes = max(3 * max_rows, 1024)

    def check_size(self, body: bytes) -> None:
        """Refuses a body with more rows or values than a request may have, before anything is built from it.

        Raises:
            RequestProblem: It has too many (413).
        """
        self._limits.check(body)

    def decode(self, body: bytes) -> tuple[Table, bool]:
        """Reads a JSON body; where a key is there twice, the last one counts.

        Returns:
            Values by column, in the contract's order, and whether the answer shall say how long it took.

        Raises:
            RequestProblem: The body is not JSON (400), has too many rows (413), or wrong fields (422).
        """
        if body.startswith(BOM_UTF8):
            raise RequestProblem(400, "the body begins with a byte order mark (BOM); send UTF-8 without one")
        try:
            document = from_json(body)
        except ValueError as error:
            raise RequestProblem(400, f"the body is not JSON: {error}") from None
        problems = _Problems()
        rows, columns = self._envelope(document, problems)
        checked = []
        for number, row in enumerate(rows):
            checked.append(self._check_row(row, columns, ("rows", number), problems))
        problems.raise_any()
        table = {
            name: [row[place] for row in checked if row is not None] for place, name in enumerate(self.contract.names)
        }
        return table, document.get("timing", False)

    def _envelope(self, document: Any, problems: _Problems) -> tuple[Sequence[Any], list[str] | None]:
        if not isinstance(document, Mapping):
            problems.add((), 'an object with "rows"', document)
            return (), None
        for key in document:
            if key not in KEYS:
                problems.add_unknown((shorten(key),), key, KEYS, '"rows", "columns" or "timing"')
        if not isinstance(document.get("timing", False), bool):
            problems.add(("timing",), "true or false", document["timing"])
        if "rows" not in document:
            problems.add(("rows",), "a list of rows", NOTHING)
            return (), None
        rows = document["rows"]
        if not isinstance(rows, Sequence) or isinstance(rows, str):
            problems.add(("rows",), "a list of rows", rows, "put a single row into a list too")
            return (), None
        if len(rows) > self.max_rows:
            raise RequestProblem(413, f"{len(rows)} rows are too many for one request; send at most {self.max_rows}")
        if not rows:
            problems.add(("rows",), "at least one row", rows)
        return rows, self._columns(document.get("columns"), problems)

    def _columns(self, columns: Any, problems: _Problems) -> list[str] | None:
        """The order of value lists where the request gives one; none where it is the contract's or unusable."""
        if columns is None:
            return None
        if not isinstance(columns, Sequence) or isinstance(columns, str):
            problems.add(("columns",), "a list of column names", columns)
            return None
        if len(columns) > len(self._expected) + MOST_ERRORS:
            problems.add(("columns",), f"at most {len(self._expected)} column names", columns, f"it has {len(columns)}")
            return None
        before, seen = len(problems.found), set[str]()
        for place, name in enumerate(columns):
            if not isinstance(name, str):
                problems.add(("columns", place), "a column name", name)
            elif name not in self._expected:
                problems.add_unknown(("columns", place), name, self._expected, "a column of the contract")
            elif name in seen:
                problems.add(("columns", place), "each column once", name)
            else:
                seen.add(name)
        return list(columns) if len(problems.found) == before else None

    def _check_row(
        self, row: Any, columns: list[str] | None, path: tuple[str | int, ...], problems: _Problems
    ) -> tuple[Any, ...] | None:
        if isinstance(row, Mapping):
            return self._validate(row, {}, path, problems)
        names = list(self.contract.names) if columns is None else columns
        if not isinstance(row, Sequence) or isinstance(row, str):
            problems.add(path, f"an object by column, or a list of {len(names)} values", row)
            return None
        if len(row) != len(names):
            surplus = "" if columns else surplus_hint(self.contract, len(row))
            problems.add(path, f"{len(names)} values", row, f"it has {len(row)}" + (f"; {surplus}" if surplus else ""))
            return None
        places = {name: place for place, name in enumerate(names)}
        return self._validate(dict(zip(names, row, strict=True)), places, path, problems)

    def _validate(
        self, row: Mapping[str, Any], places: Mapping[str, int], path: tuple[str | int, ...], problems: _Problems
    ) -> tuple[Any, ...] | None:
        unknown = [name for name in row if name not in self._expected]
        for name in unknown:
            problems.add_unknown((*path, shorten(name)), name, self._expected, "a column of the contract")
        known = {name: value for name, value in row.items() if name in self._expected} if unknown else row
        try:
            checked = self._row.model_validate(known).__dict__
        except ValidationError as error:
            for name in dict.fromkeys(str(detail["loc"][0]) for detail in _errors(error)):
                where = (*path, places.get(name, name))
                problems.add(where, self._expected[name], row.get(name, NOTHING), column=name)
            return None
        return tuple(checked[name] for name in self._fields)


def _errors(error: ValidationError) -> Sequence[Any]:
    return error.errors(include_url=False, include_context=False, include_input=False)
