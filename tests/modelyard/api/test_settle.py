from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, re
import numpy, onnxruntime
from modelyard.api.settle import settle

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024

before = resident()
settle()
after = resident()
# what was given back is there when it is needed
numpy.linalg.inv(numpy.eye(50) * 2)
print(json.dumps([before, after, len(onnxruntime.get_available_providers())]))
"""

LARGE = """
import re
from modelyard.api.settle import settle

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024

settle()
first = b"x" * 2**24
del first
before = resident()
second = b"x" * 2**23
above = [b"y" * 2**16 for _ in range(50)]
del second
print(resident() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/smaps").is_file(), reason="only Linux says what is resident")
def test_what_only_the_start_needed_is_given_back() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    before, after, providers = json.loads(ran.stdout)
    assert before - after > 15, "MB"
    assert providers


@pytest.mark.skipif(not Path("/proc/self/smaps").is_file(), reason="only Linux says what is resident")
def test_large_blocks_are_given_back_whatever_lies_above_them() -> None:
    ran = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, check=True)
    assert float(ran.stdout) < 6, "MiB"
