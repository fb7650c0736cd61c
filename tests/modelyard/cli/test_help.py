from __future__ import annotations

import json
import resource
import subprocess
import sys

COMMANDS = (
    "init",
    "run",
    "check",
    "tune",
    "attach",
    "cancel",
    "pack",
    "serve",
    "image",
    "promote",
    "deploy",
    "status",
    "rollback",
    "history",
    "undeploy",
    "verify",
    "score",
    "report",
    "runs",
    "show",
)
UNSET = ("init", "promote")  # they go by no setting
HEAVY = {
    "pandas",
    "numpy",
    "sklearn",
    "hydra",
    "omegaconf",
    "ray",
    "bentoml",
    "fastapi",
    "onnxruntime",
    "optuna",
    "rich",
    "httpx",
    "kubernetes",
    "fsspec",
}
# runs each call that standard input has a line for, then prints the modules that all of them loaded
PROBE = """
import sys
from modelyard.cli.seam import run_command
for line in sys.stdin:
    run_command(line.split())
print(sorted({name.split(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def probe(*calls: str) -> tuple[str, set[str], float]:
    """Returns what the calls printed, the modules they loaded, and the seconds of processor time they took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(
        [sys.executable, "-c", PROBE], input="\n".join(calls), capture_output=True, encoding="utf-8", check=True
    )
    seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    print(f"{seconds:.2f} s")
    return done.stdout, set(json.loads(done.stderr.strip().replace("'", '"'))), seconds


def test_the_help_lists_every_command():
    text, modules, seconds = probe("--help")

    assert not modules & HEAVY
    assert all(f"\n  {command} " in text for command in COMMANDS)
    assert "--debug" in text
    assert "--install-completion" in text
    assert seconds < 2


def test_the_help_of_every_command_has_an_example_and_loads_little():
    _, _, alone = probe("--help")
    text, modules, seconds = probe(*(f"{command} --help" for command in COMMANDS))
    pages = dict(zip(COMMANDS, text.split("Usage: ")[1:], strict=True))

    assert not modules & HEAVY
    # five to six times, on a machine as busy for both
    assert seconds < 10 * alone
    for command, page in pages.items():
        assert f"\n  Example:\n    modelyard {command}" in page
        assert (" --json " in page) == (command != "serve"), command
        assert (" --config-dir DIR" in page) == (command not in UNSET), command
        assert ("[KEY=VALUE]..." in page) == (command not in UNSET), command


def test_importing_modelyard_loads_nothing_heavy():
    code = "import sys, modelyard; print(sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not set(json.loads(done.stdout.replace("'", '"'))) & (HEAVY | {"pydantic", "typer"})


def test_without_a_command_the_help_is_shown(modelyard):
    done = modelyard()

    assert done.code == 0
    assert done.out.startswith("Usage: modelyard")


def test_version(modelyard):
    done = modelyard("--version")

    assert (done.code, done.out, done.err) == (0, "modelyard 0.1.0\n", "")


def test_overrides_are_completed(modelyard_process):
    words = {"_MODELYARD_COMPLETE": "complete_bash", "COMP_WORDS": "modelyard run tuning.t", "COMP_CWORD": "2"}
    done = modelyard_process(env=words)

    assert done.out.split() == ["tuning.time_budget_s=", "tuning.trials="]
