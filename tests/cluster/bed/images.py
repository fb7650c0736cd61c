"""The project's images, built by a Docker daemon that runs only meanwhile, on a machine that reaches package indexes.

  images base          make the base image: Debian 12 with its Python 3.11, as registry.local/python:3.11
  images build STAGE   build a stage of the project's Dockerfile on it and print the archive's path
  images run CMD...    run a command with DOCKER_HOST set to that daemon

The daemon keeps what it built in the cache folder: ~/.cache/cluster, or CLUSTER_CACHE. It needs root.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.bed.layout import CACHE, POD_IMAGES
from cluster.bed.shell import BedError, answers, run, wait

__all__ = ["BASE", "build_stage", "main"]

PROJECT = Path(__file__).resolve().parents[3]
BASE = f"{POD_IMAGES}/python:3.11"
RELEASE = "bookworm"
INSIDE_BASE = ["python3", "python3-venv", "python3-pip", "ca-certificates"]
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
RECIPE = ("Dockerfile", "Makefile", "requirements")
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "platform", "tuning", "bentos")
DATA, ARCHIVES = CACHE / "docker", CACHE / "images"
HOST = f"unix://{DATA}/docker.sock"


def build_stage(stage: str) -> Path:
    """Builds a stage of the Dockerfile.

    Returns:
        An archive with the image (`docker save`); its name changes with what goes in, and it is not made again.

    Raises:
        BedError: There is no such stage, or it could not be built.
    """
    archive = ARCHIVES / f"{stage}-{_ingredients(stage)}.tar"
    if archive.exists():
        return archive
    name = f"{POD_IMAGES}/modelyard-{stage}"
    with _daemon():
        _make_base()
        # the daemon has no network of its own: the machine's is the way to the package index
        given = [f"STAGE={stage}", f"BASE={BASE}", f"IMAGE={name}", "ARGS=--network host"]
        run("make", "--directory", PROJECT, "image", *given, environment=_environment())
        ARCHIVES.mkdir(parents=True, exist_ok=True)
        for older in ARCHIVES.glob(f"{stage}-{'?' * 16}.tar"):
            older.unlink()
        written = archive.with_suffix(".new")
        run("docker", "save", "--output", written, name, environment=_environment())
        written.replace(archive)
    return archive


def _ingredients(stage: str) -> str:
    """Returns a digest of all that the Dockerfile takes for a stage; that of the base image goes with its name."""
    copied = [PROJECT / name for name in (*RECIPE, *(SOURCES if stage == "training" else ()))]
    files = [path for top in copied for path in ([top] if top.is_file() else sorted(top.rglob("*")))]
    content = hashlib.sha256(stage.encode())
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path):
            content.update(f"{path.relative_to(PROJECT)}\0".encode())
            content.update(hashlib.sha256(path.read_bytes()).digest())
    return content.hexdigest()[:16]


def _environment() -> dict[str, str]:
    return os.environ | {"DOCKER_HOST": HOST, "DOCKER_BUILDKIT": "0"}


@contextmanager
def _daemon() -> Iterator[None]:
    """Runs a Docker daemon of our own, which makes no network, until we are done or dead; one at a time."""
    _install("dockerd", "docker.io")
    DATA.mkdir(parents=True, exist_ok=True)
    places = ["--data-root", DATA / "data", "--exec-root", DATA / "exec", "--pidfile", DATA / "pid", "--host", HOST]
    options = ["--storage-driver", "overlay2", "--bridge=none", "--iptables=false"]
    command = ["setpriv", "--pdeathsig", "TERM", "dockerd", *map(str, places), *options]
    with (DATA / "lock").open("w") as lock, (DATA / "log").open("ab") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            wait("the Docker daemon", lambda: answers("docker", "--host", HOST, "info"), seconds=60, see=DATA / "log")
            yield
        finally:
            daemon.terminate()
            daemon.wait()


def _install(program: str, package: str) -> None:
    if shutil.which(program) is None:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", package, environment=environment)


def _make_base() -> None:
    if answers("docker", "--host", HOST, "image", "inspect", BASE):
        return
    _install("debootstrap", "debootstrap")
    with tempfile.TemporaryDirectory(prefix="base-", dir=CACHE) as folder:
        root = Path(folder)
        root.chmod(0o755)
        packages = f"--include={','.join(INSIDE_BASE)}"
        run("debootstrap", "--variant=minbase", packages, RELEASE, root, _mirror())
        # what this machine trusts, so that pip gets through where the index is behind a proxy
        shutil.copyfile("/" / CERTIFICATES, root / CERTIFICATES)
        (root / "usr/bin/python").symlink_to("python3")
        for litter in (*root.glob("var/cache/apt/*"), *root.glob("var/lib/apt/lists/*")):
            shutil.rmtree(litter) if litter.is_dir() else litter.unlink()
        archive = root.with_suffix(".tar")
        try:
            run("tar", "--directory", root, "--create", "--file", archive, ".")
            run("docker", "--host", HOST, "import", "--change", 'CMD ["python3"]', archive, BASE)
        finally:
            archive.unlink(missing_ok=True)


def _mirror() -> str:
    """Returns where this machine's own packages come from."""
    sites = run("apt-get", "indextargets", "--format", "$(SITE)", f"Codename: {RELEASE}").split()
    if not sites:
        raise BedError(
            f"apt-get knows no mirror of Debian {RELEASE}: build the base image on a machine with that release"
        )
    return sites[0]


def main() -> None:
    """Runs a command of the command line."""
    parser = argparse.ArgumentParser(
        prog="images", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("base")
    commands.add_parser("build").add_argument("stage")
    commands.add_parser("run").add_argument("words", nargs=argparse.REMAINDER, metavar="CMD...")
    arguments = parser.parse_args()
    try:
        match arguments.command:
            case "base":
                with _daemon():
                    _make_base()
                print(BASE)
            case "build":
                print(build_stage(arguments.stage))
            case "run":
                with _daemon():
                    sys.exit(subprocess.run(arguments.words, env=_environment(), check=False).returncode)
    except BedError as error:
        sys.exit(f"images: {error}")
