"""From a table to a tuned, typed, monitored, autoscaled prediction service."""

import os

__version__ = "0.1.0"

# ONNX Runtime reports each process and session to its maker unless it is told so before it is imported
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
