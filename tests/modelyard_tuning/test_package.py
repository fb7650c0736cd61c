from __future__ import annotations

import os
import subprocess
import sys


def test_threads_of_a_fit_do_not_spin_while_they_wait() -> None:
    code = "import modelyard_tuning, sklearn.ensemble"
    outside = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env={**outside, "OMP_DISPLAY_ENV": "TRUE"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in shown.stderr
