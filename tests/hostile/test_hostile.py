"""No attack takes the service down, makes it grow, or blocks its event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from _pytest.mark import ParameterSet

from hostile.attacks import ATTACKS, Attack
from hostile.service import Service, pack_service

# with few columns, so that unknown ones get a hint, and with many
COLUMNS = {"narrow": 46, "wide": 1000}
# what takes longer the more columns there are
BY_COLUMNS = ("JSON: ", "v2: ")

Start = Callable[[str], Service]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a service of some columns, unless the last test left it running."""
    running: dict[str, Service] = {}
    tags: dict[str, str] = {}
    folder = tmp_path_factory.mktemp("hostile")

    def get(columns: str) -> Service:
        if columns not in tags:
            (folder / columns).mkdir(exist_ok=True)
            tags[columns] = pack_service(folder / columns, COLUMNS[columns])
        for other in set(running) - {columns}:
            running.pop(other).stop()
        if columns in running and not running[columns].is_sound:
            running.pop(columns).stop()
        if columns not in running:
            running[columns] = Service(tags[columns], folder)
        return running[columns]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(folder / "bentoml"))
        yield get
        for service in running.values():
            service.stop()


def cases() -> Iterator[ParameterSet]:
    for columns in COLUMNS:
        for attack in ATTACKS:
            is_short = attack.is_short and columns == "narrow"
            if columns == "narrow" or attack.name.startswith(BY_COLUMNS):
                yield pytest.param(
                    columns, attack, id=f"{columns}, {attack.name}", marks=() if is_short else pytest.mark.hostile
                )


@pytest.mark.parametrize(("columns", "attack"), list(cases()))
def test_an_attack_does_no_harm(start: Start, columns: str, attack: Attack) -> None:
    service = start(columns)
    with service.watched():
        attack.run(service.target)
