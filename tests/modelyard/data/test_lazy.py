from __future__ import annotations

import subprocess
import sys

import pytest

import modelyard.data


def test_package_and_encoding_load_no_pandas():
    code = (
        "import sys, modelyard.data; from modelyard.data import Contract, Encoder;"
        "print([name for name in ('pandas', 'sklearn', 'pyarrow', 'scipy') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_name_is_there():
    for name in modelyard.data.__all__:
        assert getattr(modelyard.data, name).__name__ == name
    assert set(modelyard.data.__all__) <= set(dir(modelyard.data))
    with pytest.raises(AttributeError, match="nothing"):
        modelyard.data.nothing  # noqa: B018  # the look-up is the test
