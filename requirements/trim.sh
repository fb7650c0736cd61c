#!/bin/sh
# Removes from an environment what no service and no search ever reads, and compiles the rest: on a read-only root
# nothing can be compiled later. It is given the environment's folder.
set -eu
cd "$1"/lib/python3*/site-packages

# scikit-learn imports parts of its own
find . -type d -name tests -not -path './sklearn/*' -prune -exec rm -rf {} +
find . -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' -o -name '*.a' -o -name '*.h' -o -name '*.hpp' \) -delete
# the same library again, for programs in C
rm -rf onnxruntime/capi/libonnxruntime.so.*
rm -rf onnx/backend/test onnx/test tornado/test
# libarrow_substrait looks as idle, but pyarrow does not start without it
rm -rf pyarrow/include pyarrow/src pyarrow/libarrow_flight* pyarrow/_flight*
rm -rf plotly/labextension ../../../share/jupyter
rm -rf ray/jars ray/rllib ray/cpp ray/llm ray/dashboard/client

# A compiled file holds by its name alone, whatever time its source gets when the image is unpacked. What an earlier
# stage compiled is left as it is.
find . -name '*.py' | while read -r source; do
    name=${source##*/}
    set -- "${source%/*}/__pycache__/${name%.py}".*.pyc
    [ -e "$1" ] || echo "$source"
done > /tmp/sources
python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash -i /tmp/sources
rm /tmp/sources
