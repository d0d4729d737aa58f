from __future__ import annotations

import pytest

from scripts import traps
from scripts.traps import Judged
from tests.traps.catalogue import Trap

ORDERS = Trap("orders", "append-only load", dynamic=True, detector="property", found_by="rerun")
ROOM = Trap("room", "endless poke", dynamic=False, detector="rule", found_by="DAG211")


def verdicts(*, orders: bool, room: bool, twins: bool = False) -> traps.Verdicts:
    twin = Judged(twins, "refuted: it does" if twins else "holds: it does not")
    return {
        "trap_orders": Judged(orders, "refuted: twice"),
        "trap_room": Judged(room, "a loop waits"),
        "twin_orders": twin,
        "twin_room": twin,
    }


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (verdicts(orders=True, room=True), 0),
        (verdicts(orders=True, room=False), 1),
        (verdicts(orders=True, room=True, twins=True), 1),
    ],
    ids=["all found", "one missed", "a twin accused"],
)
def test_only_all_found_and_no_twin_accused_is_success(said: traps.Verdicts, code: int) -> None:
    assert traps.outcome([ORDERS, ROOM], said) == code


def test_the_table_says_what_was_missed_and_what_the_others_found() -> None:
    answers = {
        "airflow": {"trap_orders": {}, "twin_orders": {}, "trap_room": {"tested": "failed"}, "twin_room": {}},
        "box": "it cannot be installed",
    }
    said = verdicts(orders=False, room=True)
    assert list(traps.rows([ORDERS, ROOM], said, answers)) == [
        ["orders", "append-only load", "rerun", "**missed**", "holds", "-", "-", "not measured"],
        ["room", "endless poke", "DAG211", "found", "holds", "-", "found", "not measured"],
    ]


def test_the_page_says_why_a_tool_could_not_be_asked() -> None:
    answers = {"airflow": {}, "box": "uv is not installed"}
    assert "box could not be asked: uv is not installed" in traps.page(
        [ORDERS], verdicts(orders=True, room=True), answers
    )


def test_a_trap_that_is_not_there_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        traps.choose(["append_lode"])
    assert "append_lode" in capsys.readouterr().err
