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
    ├── RegistryError                 a container registry that cannot be reached, or refuses
    └── ClusterError                  a cluster that cannot be used, or does not do what it was asked for
        ├── ClusterUnreachable        it does not answer
        ├── NoRight                   with the verb and the resource
        ├── NamespaceNotFound
        ├── QuotaReached              with what a namespace's quota says
        ├── ImageNotPulled            with the node and the digest
        ├── ReleaseNotFound           with the releases that are there
        ├── ReleaseBusy               somebody changes it, or was cut off while doing so
        ├── ReleaseFailed             what was deployed does not run
        ├── CanaryTakenBack           a canary that was worse than what runs, or could not be judged
        ├── ValuesRefused             exit code 2: the chart does not take a value
        └── HelmUnfit                 exit code 2: there is no Helm, or an old one

Each class takes what it is about as arguments and composes its own message.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Self

__all__ = [
    "ArtifactDamaged",
    "CanaryTakenBack",
    "ClusterError",
    "ClusterUnreachable",
    "ColumnNotFound",
    "ConfigError",
    "ContractViolation",
    "ConversionFailed",
    "DataError",
    "HelmUnfit",
    "ImageError",
    "ImageNotPulled",
    "MalformedRow",
    "MissingDependency",
    "ModelError",
    "ModelNotFound",
    "ModelyardError",
    "NamespaceNotFound",
    "NoRight",
    "PluginError",
    "PluginNotFound",
    "QuotaReached",
    "RegistryError",
    "ReleaseBusy",
    "ReleaseFailed",
    "ReleaseNotFound",
    "RunError",
    "RunLocked",
    "RunNotFound",
    "ServiceError",
    "TableUnreadable",
    "TrainingError",
    "UsageError",
    "ValuesRefused",
    "nearest",
]


# comparing two texts takes time by the product of their lengths
LONGEST_COMPARED = 200


def nearest(name: str, candidates: Iterable[str]) -> str:
    """Returns a hint that names the closest candidates, or the first few where none is close."""
    names = sorted({str(candidate) for candidate in candidates})
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6) if len(name) <= LONGEST_COMPARED else []
    if close:
        return "did you mean " + " or ".join(repr(match) for match in close) + "?"
    if not names:
        return "there is none"
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return "there is " + ", ".join(repr(candidate) for candidate in names[:8]) + more


class ModelyardError(Exception):
    """Anything that modelyard refuses or cannot do; its text is fit for a person.

    Attributes:
        exit_code: Of a command that it ends.
        transient: Whether the very same may succeed when it is tried again.
    """

    exit_code = 1
    transient = False


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
        super().__init__(f"there is no model {name[:LONGEST_COMPARED]!r}; {hint or nearest(name, available)}")


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

    transient = True

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


class ClusterError(ModelyardError):
    """A cluster that cannot be used, or does not do what it was asked for.

    Args:
        where: The cluster, or the thing in it.
        problem: What is wrong with it, without a full stop.
        hint: What to do.
    """

    transient = True

    def __init__(self, where: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{where}: {problem}" + (f"; {hint}" if hint else ""))

    def ending(self, outcome: str) -> Self:
        """Says what became of the thing after all."""
        if outcome:
            self.args = (f"{self}; {outcome}",)
        return self


class NoRight(ClusterError):
    """The cluster does not let this user do something."""

    transient = False

    def __init__(self, verb: str, resource: str, namespace: str) -> None:
        self.verb, self.resource = verb, resource
        super().__init__(
            f"namespace {namespace}",
            f"you have no right to {verb} {resource} there",
            "ask for it, or set cluster.namespace to one that is yours",
        )


class ClusterUnreachable(ClusterError):
    """The cluster does not answer."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, "cannot be reached", f"check the network and KUBECONFIG ({reason})")


class NamespaceNotFound(ClusterError):
    """The cluster has no such namespace."""

    transient = False

    def __init__(self, name: str) -> None:
        super().__init__(
            f"namespace {name}",
            "is not there",
            f"name another one (cluster.namespace), or make it with: kubectl create namespace {name}",
        )


class QuotaReached(ClusterError):
    """A namespace's quota leaves no room."""

    def __init__(self, namespace: str, said: str) -> None:
        super().__init__(f"namespace {namespace}", said, "take less, or have the quota raised")


class ImageNotPulled(ClusterError):
    """A node cannot get an image."""

    transient = False

    def __init__(self, image: str, pod: str, node: str, said: str) -> None:
        super().__init__(
            f"pod {pod} on node {node}",
            f"cannot pull {image} ({said})",
            "push it to where the node looks, or name a pull secret in the chart's imagePullSecrets",
        )


class ReleaseNotFound(ClusterError):
    """A namespace has no such release."""

    transient = False

    def __init__(self, name: str, namespace: str, available: Iterable[str]) -> None:
        super().__init__(f"namespace {namespace}", f"has no release {name!r}", nearest(name, available))


class ReleaseBusy(ClusterError):
    """A release is in the middle of a change."""

    def __init__(self, release: str, status: str, way_out: str) -> None:
        super().__init__(
            f"release {release}",
            f"is in the middle of a change ({status})",
            f"wait for whoever makes it or, if it was cut off, get out with: {way_out}",
        )


class ReleaseFailed(ClusterError):
    """What was deployed does not run."""

    transient = False

    def __init__(self, release: str, problem: str, outcome: str = "") -> None:
        self.outcome = outcome
        super().__init__(f"release {release}", problem, outcome)


class CanaryTakenBack(ClusterError):
    """A canary that was worse than what runs, or could not be judged."""

    transient = False

    def __init__(self, release: str, weight: int, reason: str) -> None:
        super().__init__(f"release {release}", f"the canary was taken back at {weight} %", reason)


class ValuesRefused(ClusterError):
    """A chart does not take a value."""

    exit_code = 2
    transient = False

    def __init__(self, chart: str, problem: str) -> None:
        super().__init__(f"the chart {chart} refuses its values", problem)


class HelmUnfit(ClusterError):
    """There is no Helm, or an old one."""

    exit_code = 2
    transient = False

    def __init__(self, problem: str) -> None:
        super().__init__("helm", problem, "install Helm 4 (one binary, from its project's releases) and put it on PATH")
