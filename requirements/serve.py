"""Starts the bento of an image: by the server that it carries, or by BentoML if modelyard 0.1 packed it.

python serve.py BENTO [OPTION...]; both take the same options.
"""

import os
import sys

bento, *options = sys.argv[1:]
source = os.path.join(bento, "src")
if os.path.isfile(os.path.join(source, "modelyard_bentos", "server.py")):
    # modules are looked for in the bento, and not in the working directory
    os.environ.update(PYTHONPATH=source, PYTHONSAFEPATH="1")
    command = ["-m", "modelyard_bentos.server"]
else:
    command = ["-m", "bentoml", "serve", bento]
os.execv(sys.executable, [sys.executable, *command, *options])
