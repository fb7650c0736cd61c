"""From a table to a tuned, typed, monitored, autoscaled prediction service."""

__version__ = "0.1.0"
