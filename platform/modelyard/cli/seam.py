"""The one place where errors become sentences and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import takewhile

import typer

from modelyard.cli.app import app
from modelyard.cli.console import emit, reserved_stdout
from modelyard.errors import MissingDependency, ModelyardError

__all__ = ["run_command"]

DONE, FAILED, INTERRUPTED = 0, 1, 130
EXTRAS = {
    **dict.fromkeys(("lightgbm", "onnx", "onnxruntime", "pandas", "pyarrow", "skl2onnx"), "train"),
    "sklearn": "train",
    **dict.fromkeys(("optuna", "plotly", "ray"), "tuning"),
    **dict.fromkeys(("bentoml", "fastapi", "msgspec", "prometheus_client", "uvicorn"), "serving"),
    "xgboost": "boost",
    **dict.fromkeys(("httpx", "kubernetes"), "kube"),
}


@dataclass(frozen=True)
class Failure:
    """What a person and a machine are told of an error."""

    kind: str
    sentence: str
    code: int


def run_command(arguments: Sequence[str]) -> int:
    """Runs one command.

    Args:
        arguments: As on the command line, without the program's name.

    Returns:
        The exit code: 0 done, 1 the work failed, 2 the call was wrong, 130 interrupted.
    """
    as_json = "--json" in takewhile(lambda argument: argument != "--", arguments)
    debug = "--debug" in takewhile(lambda argument: argument.startswith("-"), arguments)
    with reserved_stdout() if as_json else nullcontext():
        try:
            failure = _attempt(arguments, debug)
            if failure and failure.sentence:
                print(f"error: {failure.sentence}", file=sys.stderr, flush=True)
                if as_json:
                    emit({"error": {"type": failure.kind, "message": failure.sentence, "exit_code": failure.code}})
            sys.stdout.flush()
        except BrokenPipeError:
            # the reader has what it wanted; the interpreter's own flush must find an open descriptor
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return FAILED
    return failure.code if failure else DONE


def _attempt(arguments: Sequence[str], debug: bool) -> Failure | None:
    try:
        code = app(args=list(arguments), prog_name="modelyard", standalone_mode=False)
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        return _explain(error, arguments)
    if code == INTERRUPTED:
        return _explain(KeyboardInterrupt(), arguments)
    return Failure("Exit", "", code) if code else None


def _explain(error: BaseException, arguments: Sequence[str]) -> Failure:
    command = next((f"modelyard {argument}" for argument in arguments if not argument.startswith("-")), "modelyard")
    if isinstance(error, ModuleNotFoundError) and (extra := EXTRAS.get(package := (error.name or "").split(".")[0])):
        error = MissingDependency(f"`{command}`", [package], extra)
    kind = type(error).__name__
    if isinstance(error, ModelyardError):
        return Failure(kind, _one_line(error), error.exit_code)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return Failure("Interrupted", "interrupted; what was finished is kept, see `modelyard runs`", INTERRUPTED)
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        problem = " ".join(error.format_message().split()).rstrip(".")
        see = f"see `{context.command_path if context else command} --help`"
        return Failure(kind, f"{problem} {see}" if problem.endswith("?") else f"{problem}; {see}", error.exit_code)
    if isinstance(error, OSError) and error.strerror:
        where = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
        return Failure(kind, f"{where}{error.strerror[0].lower()}{error.strerror[1:]}", FAILED)
    detail = f"{kind}: {_one_line(error)}" if str(error) else kind
    return Failure(
        kind, f"this is a bug in modelyard ({detail}); `modelyard --debug ...` shows where it happened", FAILED
    )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
