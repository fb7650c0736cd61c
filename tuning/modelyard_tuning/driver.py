"""A search that a cluster runs, by the name of its run: begins it or goes on with it, and says how it ended.

    python -m modelyard_tuning.driver --storage s3://bucket/modelyard --run NAME --config URL --slots 8

Exit codes: 0 the run is complete, 1 it failed and may be tried again, 2 it failed for good, 143 it was interrupted.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from modelyard.config.manager import ConfigManager
from modelyard.config.models import Settings
from modelyard.data.sources import read_bytes
from modelyard.errors import ModelyardError, RunLocked
from modelyard.registry.lease import DURATION_S
from modelyard.registry.runs import Run, create_run
from modelyard.registry.storage import Storage
from modelyard_tuning.progress import Progress

__all__ = ["COMPLETE", "GO", "INTERRUPTED", "Order", "drive", "is_over", "main"]

COMPLETE, AGAIN, FOR_GOOD, INTERRUPTED = 0, 1, 2, 128 + signal.SIGTERM
# asks a driver to go: SIGINT ends a search with its best trial, SIGTERM and SIGUSR1 belong to Ray
GO = signal.SIGUSR2
LINE_INTERVAL_S = 10.0


@dataclass(frozen=True)
class Order:
    """What a driver is told.

    Attributes:
        run: The run's name.
        storage: Address that every node reaches; the runs are in its folder ``runs``.
        config: Address of the settings.
        slots: Trials at the same time, on all nodes together.
        publish: Repository in a registry to push the packed winner to; empty: none.
        insecure: Whether that registry speaks plain HTTP.
        metrics_port: Where to answer /metrics; none: nowhere.
        termination_log: File for the sentence of a failure, which Kubernetes shows.
    """

    run: str
    storage: str
    config: str
    slots: int
    publish: str
    insecure: bool
    metrics_port: int | None
    termination_log: Path

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Order:
        """Reads the command line."""
        parser = argparse.ArgumentParser(prog="python -m modelyard_tuning.driver", allow_abbrev=False)
        for name in ("run", "storage", "config"):
            parser.add_argument(f"--{name}", required=True)
        parser.add_argument("--slots", type=int, required=True)
        parser.add_argument("--publish", default="")
        parser.add_argument("--insecure", action="store_true")
        parser.add_argument("--metrics-port", type=int)
        parser.add_argument("--termination-log", type=Path, default=Path(os.devnull))
        return cls(**vars(parser.parse_args(arguments)))

    @property
    def folder(self) -> Storage:
        """The run's folder."""
        return Storage(f"{self.storage}/runs/{self.run}")

    def opened(self) -> Run | None:
        """Returns the run, if somebody began it."""
        folder = self.folder
        return Run(self.run, folder) if folder.exists("run.json") else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the command line says, and returns the exit code."""
    order = Order.parse(sys.argv[1:] if arguments is None else arguments)
    for number in (signal.SIGINT, signal.SIGTERM, GO):
        signal.signal(number, _interrupt)
    try:
        code = _ending(order)
        if code is None:
            drive(order)
            code = COMPLETE
        if code == COMPLETE and order.publish:
            _publish(order)
    except (KeyboardInterrupt, SystemExit):  # Ray's own handler raises the latter
        print("interrupted; the run goes on where it was when it is started again", flush=True)
        return INTERRUPTED
    except ModelyardError as error:
        _say(order, str(error))
        return AGAIN if error.transient else FOR_GOOD
    except Exception as error:
        traceback.print_exc()
        _say(order, f"{type(error).__name__}: {error}")
        return AGAIN
    return code


def is_over(order: Order) -> bool:
    """Returns whether there is nothing to search, or no way to know; `main` then says so and needs no Ray.

    A Job tries a pod that failed again, and cannot be told that this is of no use; so the next pod ends at once
    with the sentence that the first one left in the run's folder.
    """
    try:
        run = order.opened()
        return run is not None and _code(run) is not None
    except Exception:  # whatever a storage raises
        return True


def _code(run: Run) -> int | None:
    info = run.info
    if info["state"] == "complete":
        return COMPLETE
    return FOR_GOOD if info["state"] == "failed" and info.get("permanent") else None


def _ending(order: Order) -> int | None:
    """Returns the exit code of a run that is over, and says so."""
    run = order.opened()
    code = _code(run) if run else None
    if run and code == COMPLETE:
        print(f"run {order.run} is complete", flush=True)
    elif run and code == FOR_GOOD:
        _say(order, run.info["error"])
    return code


def drive(order: Order) -> None:
    """Searches, on the Ray that ``RAY_ADDRESS`` names.

    Raises:
        ModelyardError: The run failed; its folder says so too.
    """
    from modelyard_tuning.job import tune  # imports Ray, which a run that is over does not need

    settings = _settings(order)
    run = order.opened() or create_run(settings, name=order.run)
    patience = time.monotonic() + 2 * DURATION_S
    while True:
        try:
            outcome = tune(settings, _Lines(), run)
            break
        except RunLocked as error:  # by a driver that was killed, as like as not, whose lease has to expire
            if time.monotonic() > patience:
                raise
            print(f"waiting: {error}", flush=True)
            time.sleep(DURATION_S / 10)
    print(f"run {run.name} is complete: {outcome.algorithm}, {outcome.metric} {outcome.score}", flush=True)


def _settings(order: Order) -> Settings:
    settings = ConfigManager.from_yaml(read_bytes(order.config).decode(), order.config)
    address = os.environ.get("RAY_ADDRESS", "auto")
    given = {"address": address, "slots": order.slots, "metrics_port": order.metrics_port}
    tuning = settings.tuning.model_copy(update=given)
    storage = settings.storage.model_copy(update={"runs": f"{order.storage}/runs"})
    return settings.model_copy(update={"tuning": tuning, "storage": storage})


def _publish(order: Order) -> None:
    from modelyard_tuning.publication import publish

    run = order.opened()
    assert run is not None
    publish(run, order.publish, order.insecure)


def _say(order: Order, sentence: str) -> None:
    """Leaves a failure's sentence where a person looks for it."""
    text = " ".join(sentence.split())
    print(f"error: {text}", file=sys.stderr, flush=True)
    order.termination_log.write_text(text[:4000], encoding="utf-8")


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # a signal's handler
    """A pod that has to go writes its state and lets its lease go, and does not conclude the search."""
    raise KeyboardInterrupt


class _Lines:
    """Tells a log where the search stands."""

    def __init__(self) -> None:
        self._stage = self._said = ""
        self._told = float("-inf")

    def __call__(self, progress: Progress) -> None:
        """Is told by the search."""
        news = progress.stage != self._stage
        if not news and time.monotonic() - self._told < LINE_INTERVAL_S:
            return
        self._stage, self._told = progress.stage, time.monotonic()
        parts = [f"{progress.trials} trials" if progress.trials else ""]
        parts += [f"best {progress.metric} {progress.best:.4g}" if progress.best is not None else ""]
        parts += [f"{max(progress.left, 0):.0f} s left" if progress.left is not None else ""]
        text = ", ".join(part for part in (progress.stage, *parts) if part)
        if text != self._said:
            print(text, flush=True)
        self._said = text


if __name__ == "__main__":
    sys.exit(main())
