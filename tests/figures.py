"""What a service counted, by as many labels as a test cares for."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["figure"]


def figure(source: CollectorRegistry | str, name: str, **labels: str) -> float | None:
    """Returns the sum of the series that have these labels, whatever others they have; none where there is none.

    Args:
        source: A registry, or what it exposed as text.
        name: Of the series.
        labels: That they have.
    """
    families = text_string_to_metric_families(source) if isinstance(source, str) else source.collect()
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    found = [sample.value for sample in samples if labels.items() <= sample.labels.items()]
    return sum(found) if found else None
