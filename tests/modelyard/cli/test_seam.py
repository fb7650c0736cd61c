from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from modelyard.cli import seam
from modelyard.errors import DataError

MISTAKES = [
    (["tuning.trails=3"], "tuning.trails: is no setting (in override); did you mean 'trials'?"),
    (["model=xgbost"], "model: has no option 'xgbost' (in override); did you mean 'xgboost'?"),
    (["people.csv"], "'people.csv': is no override; write KEY=VALUE, such as tuning.trials=20"),
    (["ml.folds=many"], "ml.folds: should be a valid integer"),
    (["ml.test_size=1.5"], "ml.test_size: should be less than 1, not 1.5 (in override)"),
    (["data.columns=[a,,b]"], "data.columns: has an empty item"),
    (["data.path=${oc.env:NO_SUCH}"], "data.path: cannot be filled in"),
    (["tuning.deterministic=true"], "tuning: a deterministic search needs tuning.trials"),
    (["--config-dir", "nowhere"], "--config-dir nowhere: is no folder"),
    (["--config-dir", "conf"], "conf/config.yaml: is not YAML: line 1: "),
    (["--confg-dir", "conf"], "No such option: --confg-dir"),
    (["--config-dir"], "Option '--config-dir' requires an argument; see `modelyard check --help`"),
    (["data.path="], "data.path: there is no table yet"),
    ([], "data.path: there is no table yet; give data.path=FILE, or data=breast_cancer"),
]


@pytest.mark.parametrize(("arguments", "sentence"), MISTAKES, ids=str)
def test_a_wrong_call_is_one_sentence_and_code_2(modelyard, tmp_path, arguments, sentence):
    if "conf" in arguments:
        (tmp_path / "conf").mkdir()
        (tmp_path / "conf" / "config.yaml").write_text("data: [")
    before = sorted(tmp_path.rglob("*"))
    done = modelyard("check", *arguments)

    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert done.sentence.startswith(sentence)
    assert sorted(tmp_path.rglob("*")) == before, "nothing is written"


def test_with_json_the_error_is_an_object_too(modelyard):
    done = modelyard("check", "ml.folds=1", "--json")

    assert done.code == 2
    assert done.document == {"error": {"type": "ConfigError", "message": done.sentence, "exit_code": 2}}
    assert modelyard("chek", "--json").document["error"]["exit_code"] == 2


def test_a_wrong_command_names_the_nearest(modelyard):
    assert modelyard("chek").sentence == "No such command 'chek'. Did you mean 'check'? see `modelyard --help`"


def test_a_process_ends_with_the_code(modelyard_process):
    done = modelyard_process("check", "ml.folds=1")

    assert (done.code, done.out) == (2, "")
    assert done.sentence.startswith("ml.folds: should be")


def test_debug_shows_the_traceback(modelyard):
    done = modelyard("--debug", "check", "ml.folds=1")

    assert done.code == 2
    assert "Traceback (most recent call last):" in done.err
    assert done.err.splitlines()[-1].startswith("error: ml.folds: should be")


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (DataError("two\nlines"), 1, "two lines"),
        (ValueError("no\nway"), 1, "this is a bug in modelyard (ValueError: no way); `modelyard --debug ...` shows"),
        (AssertionError(), 1, "this is a bug in modelyard (AssertionError); "),
        (KeyboardInterrupt(), 130, "interrupted; what was finished is kept, see `modelyard runs`"),
        (
            ModuleNotFoundError("x", name="ray.tune"),
            1,
            "`modelyard runs` needs ray; install it with: pip install 'model",
        ),
        (ModuleNotFoundError("No module named 'x'", name="x"), 1, "this is a bug in modelyard (ModuleNotFoundError: "),
        (OSError(errno.ENOSPC, "No space left on device", "runs/a"), 1, "runs/a: no space left on device"),
        (OSError(errno.EMFILE, "Too many open files"), 1, "too many open files"),
    ],
)
def test_errors_become_sentences(monkeypatch, capsys, error, code, sentence):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("modelyard.cli.runs.load_settings", fail)

    assert seam.run_command(["runs"]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {sentence}")


def test_a_reader_that_went_away_is_no_error(tmp_path):
    read, write = os.pipe()
    os.close(read)
    for arguments in (["--help"], ["runs"], ["runs", "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "modelyard", *arguments], cwd=tmp_path, stdout=write, stderr=subprocess.PIPE
        )
        assert (done.returncode, done.stderr) == (1, b"")
    os.close(write)


def test_with_json_nothing_else_reaches_standard_output(tmp_path):
    code = (
        "import os, subprocess, sys\n"
        "from modelyard.cli.console import emit, reserved_stdout\n"
        "with reserved_stdout():\n"
        "    print('from python'); os.write(1, b'from native code\\n'); subprocess.run(['echo', 'from a child'])\n"
        "    emit({'score': float('nan'), 'interval': (1, 2)})\n"
        "print('after')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout == '{"score": null, "interval": [1, 2]}\nafter\n'
    assert sorted(done.stderr.splitlines()) == ["from a child", "from native code", "from python"]
