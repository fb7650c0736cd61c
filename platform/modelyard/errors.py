"""The errors of modelyard: one sentence each, saying what is wrong, where, and what to do.

    ModelyardError                    exit code 1: the work failed
    ├── ConfigError                   exit code 2: a key, a value or an override of the configuration
    ├── UsageError                    exit code 2: the call itself
    ├── DataError                     a table that cannot be used
    │   ├── TableUnreadable           missing, empty, wrong encoding, wrong format
    │   ├── MalformedRow              a ragged row, with its line
    │   └── ColumnNotFound            with the nearest names
    ├── ContractViolation             rows that do not fit the contract
    ├── PluginError
    │   ├── PluginNotFound            with the registered names
    │   └── MissingDependency         with what to install
    ├── TrainingError                 a configuration that could not be fitted, a search without a winner
    ├── ModelError
    │   ├── ModelNotFound
    │   ├── ArtifactDamaged           a digest that does not match, a file that is not there
    │   └── ConversionFailed          a pipeline that ONNX cannot express, or expresses wrongly
    ├── RunError
    │   ├── RunNotFound
    │   └── RunLocked                 another process writes this run
    ├── ServiceError                  a service that does not start or does not answer
    ├── ImageError                    an image that cannot be made, or is not what it must be
    └── RegistryError                 a container registry that cannot be reached, or refuses

Each class takes what it is about as arguments and composes its own message.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = [
    "ArtifactDamaged",
    "ColumnNotFound",
    "ConfigError",
    "ContractViolation",
    "ConversionFailed",
    "DataError",
    "ImageError",
    "MalformedRow",
    "MissingDependency",
    "ModelError",
    "ModelNotFound",
    "ModelyardError",
    "PluginError",
    "PluginNotFound",
    "RegistryError",
    "RunError",
    "RunLocked",
    "RunNotFound",
    "ServiceError",
    "TableUnreadable",
    "TrainingError",
    "UsageError",
    "nearest",
]


def nearest(name: str, candidates: Iterable[str]) -> str:
    """Returns a hint that names the closest candidates, or the first few where none is close."""
    names = sorted({str(candidate) for candidate in candidates})
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(repr(match) for match in close) + "?"
    if not names:
        return "there is none"
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return "there is " + ", ".join(repr(candidate) for candidate in names[:8]) + more


class ModelyardError(Exception):
    """Anything that modelyard refuses or cannot do; its text is fit for a person."""

    exit_code = 1


class UsageError(ModelyardError):
    """A call that cannot mean anything."""

    exit_code = 2


class ConfigError(ModelyardError):
    """A wrong key, value or override, with the file it stands in.

    Args:
        key: The dotted key, such as ``tuning.time_budget_s``.
        problem: What is wrong with it, without a full stop.
        source: The file or ``"override"`` that the value comes from.
        hint: What to do.
    """

    exit_code = 2

    def __init__(self, key: str, problem: str, source: str = "", hint: str = "") -> None:
        self.key, self.problem, self.source, self.hint = key, problem, source, hint
        where = f" (in {source})" if source else ""
        super().__init__(f"{key}: {problem}{where}" + (f"; {hint}" if hint else ""))


class DataError(ModelyardError):
    """A table that cannot be used as it is."""


class TableUnreadable(DataError):
    """A table that cannot be read at all."""

    def __init__(self, path: str, problem: str, hint: str = "") -> None:
        self.path = path
        super().__init__(f"{path}: {problem}" + (f"; {hint}" if hint else ""))


class MalformedRow(DataError):
    """A row with more or fewer fields than the table has columns."""

    def __init__(self, path: str, line: int, expected: int, found: int) -> None:
        self.path, self.line = path, line
        super().__init__(
            f"{path}: line {line} has {found} fields where {expected} are expected; "
            "mend the line, or set data.separator and data.quote to what the file uses"
        )


class ColumnNotFound(DataError):
    """A column that the table does not have."""

    def __init__(self, column: str, available: Iterable[str], where: str = "the table") -> None:
        self.column = column
        super().__init__(f"{where} has no column {column!r}; {nearest(column, available)}")


class ContractViolation(ModelyardError):
    """Rows that do not fit the contract."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        super().__init__("the rows do not fit the contract: " + "; ".join(problems[:3]) + more)


class PluginError(ModelyardError):
    """A plugin that cannot be registered or used."""


class PluginNotFound(PluginError):
    """No plugin has this name."""

    def __init__(self, name: str, available: Iterable[str]) -> None:
        super().__init__(f"no plugin is called {name!r}; {nearest(name, available)}")


class MissingDependency(PluginError):
    """A plugin or command needs a package that is not installed."""

    def __init__(self, what: str, packages: Sequence[str], extra: str = "") -> None:
        self.packages = tuple(packages)
        install = f"modelyard[{extra}]" if extra else "' '".join(packages)
        super().__init__(f"{what} needs {', '.join(packages)}; install it with: pip install '{install}'")


class TrainingError(ModelyardError):
    """A configuration that cannot be fitted, or a search that found nothing."""


class ModelError(ModelyardError):
    """A model that cannot be loaded, converted or used."""


class ModelNotFound(ModelError):
    """No model has this name."""

    def __init__(self, name: str, available: Iterable[str] = (), hint: str = "") -> None:
        super().__init__(f"there is no model {name!r}; {hint or nearest(name, available)}")


class ArtifactDamaged(ModelError):
    """A model folder that does not hold what its manifest says."""

    def __init__(self, folder: str, file: str, problem: str) -> None:
        super().__init__(f"{folder}: {file} {problem}; restore the folder or pack the run again")


class ConversionFailed(ModelError):
    """A fitted pipeline without a correct ONNX twin."""

    def __init__(self, trainer: str, problem: str) -> None:
        super().__init__(f"the model of {trainer!r} has no correct ONNX form: {problem}")


class RunError(ModelyardError):
    """A run that cannot be opened, continued or packed."""


class RunNotFound(RunError):
    """No run has this name."""

    def __init__(self, name: str, storage: str, available: Iterable[str]) -> None:
        super().__init__(f"{storage} has no run {name!r}; {nearest(name, available)}")


class RunLocked(RunError):
    """Another process writes this run."""

    def __init__(self, run: str, holder: str, seconds: float) -> None:
        super().__init__(
            f"run {run} is being written by {holder}; wait for it, or {seconds:.0f} s after it died, and try again"
        )


class ServiceError(ModelyardError):
    """A service that does not start or does not answer."""


class ImageError(ModelyardError):
    """A container image that cannot be made, or is not what it must be."""

    def __init__(self, image: str, problem: str, hint: str) -> None:
        super().__init__(f"{image}: {problem}; {hint}")


class RegistryError(ModelyardError):
    """A container registry that cannot be reached, or refuses."""

    def __init__(self, registry: str, problem: str, hint: str) -> None:
        super().__init__(f"{registry}: {problem}; {hint}")
