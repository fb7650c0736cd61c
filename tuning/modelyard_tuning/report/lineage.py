"""Lineage: what a person needs to make the same model again, or to trust this one."""

from __future__ import annotations

from modelyard_tuning.report.html import card, facts, missing, number, parameter, section, table
from modelyard_tuning.report.material import Material

__all__ = ["lineage_section"]


def lineage_section(material: Material) -> str:
    """Returns the part of the page on where the model comes from."""
    return section("lineage", "Model and lineage", _model(material), _origin(material))


def _model(material: Material) -> str:
    title, model = "Model", material.card
    if model is None:
        return missing(title, "The run has no model yet.")
    parity = model.parity
    compared = (
        f"{parity.failures:,} of {parity.rows:,} rows differ, at most by {parity.worst_difference:.2g}"
        if parity is not None
        else "not compared"
    )
    pairs = [
        ("Algorithm", model.algorithm),
        ("Served", "the compiled graph" if model.served == "compiled" else f"the original: {model.reason}"),
        ("Compiled against original", compared),
        ("Cross-validation", model.cross_validation),
        ("Fitted on rows", model.rows),
        ("Boosting rounds", model.rounds),
    ]
    if model.task == "binary":
        pairs.append(("Threshold", model.threshold))
    if model.task != "regression":
        pairs.append(("Calibrated", "no" if model.calibration is None else "yes, on out-of-fold predictions"))
    if model.latency is not None:
        pairs.append(
            ("One row, median / 99 %", f"{number(model.latency.median_us)} / {number(model.latency.p99_us)} µs")
        )
    params = table(
        "Parameters",
        ("parameter", "value"),
        [(name, parameter(value)) for name, value in model.params.items()],
    )
    says = "The winner, refitted on all search rows; never on held-out ones."
    return card(title, says, facts(pairs) + (params if model.params else ""), wide=True)


def _origin(material: Material) -> str:
    info, model = material.info, material.card
    source = info.get("data") or {}
    pairs = [
        ("Run", material.name),
        ("State", info.get("state")),
        ("Created", info.get("created")),
        ("Data", source.get("source")),
        ("Data SHA-256", (model.source_digest if model else "") or source.get("digest")),
        ("Contract SHA-256", material.contract.digest if material.contract else None),
        ("Seed", info.get("seed")),
        ("Revision", info.get("revision")),
    ]
    versions = table("Packages", ("package", "version"), (info.get("versions") or {}).items())
    return card("Lineage", "What this run was made from and with.", facts(pairs) + versions, wide=True)
