from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelyard.monitoring.rules import DEFAULTS, FILES, render
from promtool import promtool
from rule_cases import CASES, VALUES, Case, document

CHART = Path(__file__).parents[3] / "charts" / "modelyard-serving" / "files" / "rules"


def run_cases(folder: Path, files: Mapping[str, str], cases: list[Case]) -> subprocess.CompletedProcess[str]:
    """Runs cases against rules."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    tests = []
    for place, case in enumerate(cases):
        tests.append(folder / f"case-{place}.yaml")
        tests[-1].write_text(yaml.safe_dump(document(case, [f"{name}.yaml" for name in files])))
    return promtool("test", "rules", *tests)


def broken() -> Iterator[tuple[str, str, dict[str, str]]]:
    """The rules, each time with one of them away or turned into another, and that one's name."""
    files = {name: yaml.safe_load(text) for name, text in render(VALUES).items()}
    for name, content in files.items():
        for place, rule in enumerate(content["groups"][0]["rules"]):
            named = rule.get("record", rule.get("alert"))
            what = f"{named} {rule.get('labels', {}).get('long', '')}"
            yield f"{what} is away", named, _with(files, name, place, None)
            if "alert" in rule:
                yield f"{what} always fires", named, _with(files, name, place, rule | {"expr": "vector(1)"})
                yield f"{what} waits for ever", named, _with(files, name, place, rule | {"for": "1000d"})


def _with(files: Mapping[str, Any], name: str, place: int, rule: Mapping[str, Any] | None) -> dict[str, str]:
    group = files[name]["groups"][0]
    rules = [rule if i == place else one for i, one in enumerate(group["rules"]) if i != place or rule is not None]
    return {each: yaml.safe_dump(text) for each, text in files.items()} | {
        name: yaml.safe_dump({"groups": [{**group, "rules": rules}]})
    }


def about(named: str) -> list[Case]:
    """The cases that a rule can change, the shortest first."""
    rules = [rule for text in render(VALUES).values() for rule in yaml.safe_load(text)["groups"][0]["rules"]]
    names = {named}
    while more := {rule.get("record", rule.get("alert")) for rule in rules if _reads(rule["expr"], names)} - names:
        names |= more
    found = [case for case in CASES if case.alerts & names or any(_reads(asked, names) for _, asked in case.values)]
    return sorted(found, key=lambda case: max(minute for minute, _ in [*case.firing, *case.values]) / case.step)


def _reads(expression: str, names: set[str]) -> bool:
    return any(re.search(rf"{re.escape(name)}(?![\w:])", expression) for name in names)


def seen(folder: Path, named: str, files: Mapping[str, str]) -> bool:
    """Whether any case turns red."""
    return any(run_cases(folder, files, [case]).returncode for case in about(named))


def test_the_chart_has_the_rules() -> None:
    assert {file.stem: file.read_text() for file in CHART.glob("*.yaml")} == FILES


def test_nothing_is_left_to_fill_in() -> None:
    for text in render({}).values():
        assert not any(f"@{word}@" in text for word in DEFAULTS)


def test_every_alert_has_a_page() -> None:
    pages = CHART.parents[3] / "docs" / "runbooks"
    alerts = [
        rule["alert"]
        for text in render({}).values()
        for rule in yaml.safe_load(text)["groups"][0]["rules"]
        if "alert" in rule
    ]
    assert {file.stem for file in pages.glob("Modelyard*.md")} == set(alerts)


def test_prometheus_takes_them(tmp_path: Path) -> None:
    for name, text in render(VALUES).items():
        (tmp_path / f"{name}.yaml").write_text(text)
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", *tmp_path.glob("*.yaml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_alerts_fire_when_they_must_and_only_then(case: Case, tmp_path: Path) -> None:
    ran = run_cases(tmp_path, render(VALUES), [case])
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.mutants
def test_each_rule_is_missed_by_a_case(tmp_path: Path) -> None:
    ways = list(broken())
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda way: seen(tmp_path / str(way[0]), *way[1][1:]), enumerate(ways))
    assert [what for (what, *_), was_seen in zip(ways, found, strict=True) if not was_seen] == []
