"""The S3 server of the cluster's tests, on this machine alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from free_ports import free_range
from waiting import until

__all__ = ["BUCKET", "s3_server"]

BUCKET = "runs"
PROGRAM = Path(os.environ.get("CLUSTER_CACHE", Path.home() / ".cache" / "cluster")) / "bin" / "versitygw"


@contextmanager
def s3_server(folder: Path) -> Iterator[dict[str, str]]:
    """Runs the server; gives the environment that its clients need. Skips the test where it is not built."""
    if not PROGRAM.is_file():
        pytest.skip(f"{PROGRAM} is not built")
    objects, metadata = folder / "objects", folder / "metadata"
    (objects / BUCKET).mkdir(parents=True)
    metadata.mkdir()
    address = f"127.0.0.1:{free_range(1)}"
    keys = ["--access", "key", "--secret", "secret", "--region", "us-east-1"]
    command = [str(PROGRAM), "--port", address, *keys, "posix", "--sidecar", str(metadata), str(objects)]
    log = folder / "s3.log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            until(lambda: process.poll() is not None or address in log.read_text())
            assert process.poll() is None, log.read_text()
            yield {
                "AWS_ENDPOINT_URL": f"http://{address}",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_DEFAULT_REGION": "us-east-1",
            }
        finally:
            process.terminate()
