from __future__ import annotations

import logging
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from modelyard.api import __main__ as command
from modelyard.api.source import MODEL_VARIABLE


@pytest.mark.parametrize(
    ("arguments", "address"),
    [
        ([], ("127.0.0.1", 8000)),
        (["api.port=3456", "api.host=127.0.0.2"], ("127.0.0.2", 3456)),
        (["--port", "0", "--host", "127.0.0.3", "api.port=3456"], ("127.0.0.3", 0)),
    ],
)
def test_it_listens_where_the_settings_say_unless_a_flag_does(
    arguments: list[str], address: tuple[str, int], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listened: list[Any] = []
    served: list[Any] = []
    listener = Mock(**{"getsockname.return_value": address})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logging.root, "level", logging.root.level)  # the command sets it for its process
    monkeypatch.setenv(MODEL_VARIABLE, str(folder))
    monkeypatch.setattr(sys, "argv", ["modelyard.api", *arguments])
    monkeypatch.setattr(command, "set_up_logs", lambda _: None)
    monkeypatch.setattr(command, "exit_on_signals", lambda: None)
    monkeypatch.setattr(command, "listen", lambda *address: listened.append(address) or nullcontext(listener))
    monkeypatch.setattr(command, "run", lambda _, socket, __: served.append(socket))
    assert command.main() == 0
    assert listened == [address]
    assert served == [listener]
