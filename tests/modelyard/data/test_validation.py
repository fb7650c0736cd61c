from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from modelyard.config.models import DataSettings
from modelyard.data import QualityReport, infer_contract, load_data, validate_data_quality
from modelyard.errors import ColumnNotFound


def found(report: QualityReport) -> dict[tuple[str, str | None], str]:
    return {(finding.kind, finding.column): finding.severity for finding in report.findings}


def test_mixed_table(people):
    table = pd.concat([people, people[:30]], ignore_index=True)
    table.loc[0, "income"] = None
    table.loc[5, "height"] = 3000.0
    table.loc[6, "height"] = np.inf
    codes = np.random.default_rng(0).integers(2**40, 2**41, 300)
    table["code"] = np.r_[codes, codes[:30]]
    report = validate_data_quality(table, settings=DataSettings(target="income"))
    kinds = found(report)
    assert kinds[("leakage", "grade")] == "warning"
    assert kinds[("null_target", "income")] == "warning"
    assert kinds[("duplicate_rows", None)] == "warning"
    assert kinds[("missing", "height")] == "info"
    assert kinds[("outliers", "height")] == "info"
    assert kinds[("infinite", "height")] == "warning"
    assert kinds[("large_integers", "code")] == "warning"
    assert kinds[("set_aside", "country")] == "info"
    assert kinds[("class_balance", "income")] == "info"
    assert [key for key in kinds if key[0] == "leakage"] == [("leakage", "grade")]
    assert report.ok
    order = [finding.severity for finding in report.findings]
    assert order == sorted(order, key=["error", "warning", "info"].index)


def test_report_as_json_and_table(people):
    report = validate_data_quality(people, settings=DataSettings(target="income"))
    assert QualityReport.model_validate_json(report.to_json()) == report
    assert json.loads(report.to_json())["rows"] == 300
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(report.table())
    assert "alone predicts 'income'" in console.export_text()


def test_the_table_shows_the_first_columns_of_a_kind_and_counts_the_others():
    frame = pd.DataFrame({f"c{column:02d}": [None, 1.0, 2.0] for column in range(30)})
    frame = pd.concat([frame, frame.dropna() * 3, frame.dropna() * 5], ignore_index=True)
    report = validate_data_quality(frame)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(report.table())
    text = console.export_text()
    assert len(report.of("info")) == 30
    assert ("c07" in text, "c08" in text) == (True, False)
    assert "and 22 more columns (missing)" in text


def test_without_target(people):
    kinds = found(validate_data_quality(people))
    assert ("missing", "height") in kinds
    assert not {kind for kind, _ in kinds} & {"leakage", "class_balance"}


@pytest.mark.parametrize("shape", ["scaled", "cubed", "missing", "late_rare"])
def test_leaks_of_numbers(shape):
    draw = np.random.default_rng(0)
    y = draw.lognormal(0, 2, 2000)
    if shape in ("missing", "late_rare"):
        y = np.where(draw.random(2000) < 0.03, "rare", "usual")
    leak = {
        "scaled": lambda: y * 1.1 - 3,
        "cubed": lambda: -(y**3),
        "missing": lambda: np.where(y == "rare", 1.0 + draw.random(2000), np.nan),
        "late_rare": lambda: np.where(y == "rare", 5 + draw.random(2000), draw.random(2000) * 5),
    }[shape]()
    table = pd.DataFrame({"noise": draw.normal(size=2000), "honest": draw.random(2000), "leak": leak, "y": y})
    report = validate_data_quality(table, settings=DataSettings(target="y"))
    assert [finding.column for finding in report.findings if finding.kind == "leakage"] == ["leak"]


def test_strong_but_honest_columns_are_no_leaks():
    for name in ("iris", "breast_cancer", "wine", "diabetes"):
        report = validate_data_quality(load_data(f"sklearn://{name}"))
        assert not [finding for finding in report.findings if finding.kind == "leakage"]


def test_rare_classes_and_balance(people):
    table = people.drop(columns="grade").assign(income=["a"] * 294 + ["b"] * 6)
    report = validate_data_quality(table, settings=DataSettings(target="income"), folds=5)
    assert found(report)[("rare_class", "income")] == "warning"
    assert found(report)[("class_balance", "income")] == "warning"
    assert ("rare_class", "income") not in found(
        validate_data_quality(table, settings=DataSettings(target="income"), folds=3)
    )
    single = table.assign(income=["a"] * 299 + ["b"])
    assert not validate_data_quality(single, settings=DataSettings(target="income")).ok


def test_high_cardinality(people):
    draw = np.random.default_rng(0)
    table = people.assign(word=[f"w{place}" for place in draw.integers(0, 250, 300)])
    report = validate_data_quality(table, settings=DataSettings(target="income", max_categories=50))
    finding = next(finding for finding in report.findings if finding.kind == "high_cardinality")
    assert finding.column == "word"
    assert finding.figures["left_out"] == table.word.nunique() - 50


def test_rows_that_do_not_fit_a_contract(people):
    contract = infer_contract(people, DataSettings(target="income", drop=["grade", "seen"]))
    later = people.drop(columns="member").assign(
        age=people.age + 40,
        city=people.city.replace("Bern", "Linz"),
        active="maybe",
        joined=people.joined.mask(people.age > 50),
    )
    report = validate_data_quality(later, contract)
    messages = {finding.column: finding for finding in report.findings if finding.kind == "contract_violation"}
    assert set(messages) == {"member", "age", "city", "active", "joined"}
    assert messages["member"].severity == messages["active"].severity == "error"
    assert messages["age"].severity == "warning"
    assert "'Linz'" in messages["city"].message
    assert "row 1: 'maybe' is not a boolean" in messages["active"].message
    assert messages["joined"].figures["share"] == pytest.approx((people.age > 50).mean())
    assert not report.ok
    refusing = contract.model_copy(
        update={"columns": tuple(column.model_copy(update={"on_unknown": "refuse"}) for column in contract.columns)}
    )
    severities = {finding.column: finding.severity for finding in validate_data_quality(later, refusing).findings}
    assert severities["city"] == "error"


def test_fitting_rows_have_no_violation(people):
    contract = infer_contract(people, DataSettings(target="income"))
    assert "contract_violation" not in {
        finding.kind for finding in validate_data_quality(people[:50], contract).findings
    }


def test_unusable_targets_are_findings(people):
    contract = infer_contract(people, DataSettings(target="income"))
    report = validate_data_quality(people.assign(income="middle"), contract)
    assert "'middle' is none of the classes" in report.of("error")[0].message
    assert not validate_data_quality(people.assign(income="low"), settings=DataSettings(target="income")).ok
    assert validate_data_quality(pd.DataFrame()).findings[0].kind == "empty_table"
    with pytest.raises(ColumnNotFound):
        validate_data_quality(people, settings=DataSettings(target="incom"))
