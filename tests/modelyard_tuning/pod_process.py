"""A pod of a search as a process of its own: like `modelyard_tuning.pod`, but on ports and in a folder of its own.

python pod_process.py head|worker FIRST_PORT SCRATCH CPUS FILE|DRIVER'S ARGUMENTS

A worker finds the head by the file, which holds its address, in place of a name.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from modelyard_tuning.driver import Order
from modelyard_tuning.pod import Head, Node, Worker

OBJECT_STORE_BYTES = 80 * 2**20
WORKER_PORTS = 40


def main() -> int:
    role, first_port, scratch, cpus, *rest = sys.argv[1:]
    node = Node("127.0.0.1", int(cpus), OBJECT_STORE_BYTES, int(first_port), WORKER_PORTS, Path(scratch))
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    if role == "head":
        return Head(node, Order.parse(rest), rest, stopping).run()
    return Worker(node, lambda: Path(rest[0]).read_text() or None, stopping).run()


if __name__ == "__main__":
    sys.exit(main())
