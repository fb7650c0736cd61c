"""Runs a benchmark and writes what it prints into its section of docs/benchmarks.md.

    python bench/record.py NAME [ARGUMENTS]

The section is what stands between `<!-- NAME -->` and `<!-- end of NAME -->`. A benchmark that fails leaves it as it
is.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parent
DOCUMENT = BENCH.parent / "docs" / "benchmarks.md"


def main() -> None:
    """Prints the benchmark's output as it comes, and keeps it."""
    name, *arguments = sys.argv[1:]
    lines = []
    with subprocess.Popen([sys.executable, BENCH / f"{name}.py", *arguments], stdout=subprocess.PIPE, text=True) as ran:
        assert ran.stdout is not None
        for line in ran.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if ran.returncode:
        sys.exit(ran.returncode)
    section = re.compile(rf"(<!-- {name} -->\n).*(<!-- end of {name} -->\n)", re.DOTALL)
    text, found = section.subn(
        lambda marks: f"{marks[1]}\n{''.join(lines).strip()}\n\n{marks[2]}", DOCUMENT.read_text()
    )
    if not found:
        sys.exit(f"{DOCUMENT} has no section {name}: put <!-- {name} --> and <!-- end of {name} --> where it belongs")
    written = DOCUMENT.with_suffix(".new")
    written.write_text(text)
    written.replace(DOCUMENT)


if __name__ == "__main__":
    main()
