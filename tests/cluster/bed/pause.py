"""The image that keeps a pod's network open: one static program that waits."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

from cluster.bed.layout import CACHE
from cluster.bed.shell import run

__all__ = ["pause_archive"]

PROGRAM = """
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int signal) { (void)signal; _exit(0); }
static void reap(int signal) { (void)signal; while (waitpid(-1, 0, WNOHANG) > 0); }
int main(void) { signal(SIGINT, end); signal(SIGTERM, end); signal(SIGCHLD, reap); for (;;) pause(); }
"""


def pause_archive(name: str) -> Path:
    """Returns an archive with the image, as `docker save` writes it; made once.

    Args:
        name: What the image is called.
    """
    archive = CACHE / "pause.tar"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        program = CACHE / "pause"
        run("gcc", "-x", "c", "-static", "-Os", "-s", "-o", program, "-", text=PROGRAM)
        written = archive.with_suffix(".new")
        _write_archive(written, name, program)
        written.replace(archive)
    return archive


def _write_archive(path: Path, name: str, program: Path) -> None:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as files:
        _add(files, program.name, program.read_bytes(), 0o755)
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [f"/{program.name}"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    written = json.dumps(config).encode()
    config_name = hashlib.sha256(written).hexdigest() + ".json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        _add(archive, f"{digest}/layer.tar", layer.getvalue())
        _add(archive, config_name, written)
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    archive.addfile(entry, io.BytesIO(data))
