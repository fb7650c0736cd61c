#!/bin/sh
# Removes from an environment what no service and no search ever reads, and compiles the rest: on a read-only root
# nothing can be compiled later. It is given the environment's folder.
set -eu
cd "$1"/lib/python3*/site-packages

# numpy.testing and scikit-learn import parts of theirs
find . -type d -name tests -not -path './numpy/*' -not -path './sklearn/*' -prune -exec rm -rf {} +
find . -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' -o -name '*.a' -o -name '*.h' -o -name '*.hpp' \) -delete
rm -rf onnx/backend/test onnx/test
# libarrow_substrait looks as idle, but pyarrow does not start without it
rm -rf pyarrow/include pyarrow/src pyarrow/libarrow_flight* pyarrow/_flight*
rm -rf plotly/labextension
rm -rf ray/jars ray/rllib ray/cpp ray/llm ray/dashboard/client

# 0 and 1 only: a second level without docstrings would be read by nobody
python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash . || true
