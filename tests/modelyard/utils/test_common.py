from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from modelyard.errors import UsageError
from modelyard.utils.common import get_project_root, setup_logging

logger = logging.getLogger("modelyard.test")


@pytest.fixture(autouse=True)
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_lines_off_a_terminal_are_json(capsys):
    setup_logging()
    logger.info("took %d s", 3, extra={"run": "a", "_of_a_library": 1})
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("no")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())

    assert first.pop("time").endswith("+00:00")
    assert first == {"level": "INFO", "logger": "modelyard.test", "message": "took 3 s", "run": "a"}
    assert second["exception"].endswith("ValueError: broken")


def test_lines_on_a_terminal_are_for_people(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    setup_logging()
    logger.warning("look")

    assert capsys.readouterr().err.endswith(" WARNING modelyard.test: look\n")


def test_calling_it_again_replaces_what_it_did(capsys):
    for level in ("DEBUG", "INFO", "warning"):
        setup_logging(level, json=False)
    logger.info("hidden")
    logger.warning("shown")

    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_unknown_level_is_refused():
    with pytest.raises(UsageError, match=r"no logging level 'warn'; did you mean 'WARNING'\?"):
        setup_logging("warn")


def test_the_projects_root_is_the_nearest_folder_with_a_mark(tmp_path, monkeypatch):
    inner = tmp_path / "project" / "deep" / "deeper"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert get_project_root() == inner, "without a mark the working directory"

    (tmp_path / "project" / "conf").mkdir()
    (tmp_path / "project" / "conf" / "config.yaml").touch()
    assert get_project_root() == tmp_path / "project"

    (inner / "pyproject.toml").touch()
    assert get_project_root() == inner
    assert get_project_root(inner.parent) == tmp_path / "project"
