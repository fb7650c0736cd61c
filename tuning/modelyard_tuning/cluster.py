"""Ray for the time of a search: one on this machine that leaves nothing behind, or one that is there."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ray

from modelyard_tuning import guardian

__all__ = ["ray_cluster"]

PREFIX = "modelyard-ray-"
OBJECT_STORE_BYTES = 200 * 2**20
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # the old output can be silent
    "RAY_AIR_NEW_OUTPUT": "0",
    # its loggers cost as much as a small trial, and the ledger says the same
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Ctrl-C is the job's
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # Ray's own state is never restored
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    # longer than any socket's name below may be
    "TUNE_MAX_LEN_IDENTIFIER": "32",
}
# the longest path of a Unix socket is 107 bytes; Ray adds about 60 to its folder
LONGEST_FOLDER = 40


@contextlib.contextmanager
def ray_cluster(address: str, slots: int) -> Iterator[Path]:
    """Connects to Ray, starting one for ``local``, and yields a scratch folder that is removed at the end.

    A Ray that this process is connected to already is used and left as it is. Call it from a thread that
    lives as long as Ray shall: Ray's processes end with the thread that started them.

    Args:
        address: ``local``, or the address of a cluster.
        slots: CPUs of a local Ray.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    if address == "local" and not ray.is_initialized():
        with _guarded_folder() as scratch:
            ray.init(
                address="local",
                num_cpus=slots,
                object_store_memory=OBJECT_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                _temp_dir=str(scratch),
            )
            try:
                yield scratch
            finally:
                ray.shutdown()
        return
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        if ray.is_initialized():
            yield Path(folder)
            return
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
        try:
            yield Path(folder)
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _guarded_folder() -> Iterator[Path]:
    """A folder that is removed at the end, with the processes that use it, even where this process is killed."""
    folder = tempfile.gettempdir()
    parent = folder if len(folder) <= LONGEST_FOLDER else "/tmp"
    scratch = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent)
    command = [sys.executable, "-I", "-S", guardian.__file__, scratch, str(os.getpid())]
    # a session of its own: Ctrl-C and a kill of the process group are not meant for it
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):
        yield Path(scratch)
