"""Which dates are picked for proofs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from harness.runner.hazards import pick


def days(first: str, number: int, zone: str = "UTC", step: int = 1) -> list[datetime]:
    start = datetime.fromisoformat(first)
    return [(start + timedelta(days=step * at)).replace(tzinfo=ZoneInfo(zone)) for at in range(number)]


def picked(moments: list[datetime], count: int = 3) -> list[str]:
    return [f"{moments[one.at]:%m-%d}" for one in pick(moments, count)]


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        (days("2026-01-01", 3), ["01-01", "01-02", "01-03"]),
        (days("2026-01-01", 20), ["01-01", "01-02", "01-03"]),
        (days("2026-02-20", 30), ["02-28", "03-01", "03-10"]),
        (days("2025-12-20", 60), ["12-31", "01-01", "01-10"]),
        (days("2024-02-20", 25), ["02-29", "03-01", "03-10"]),
        (days("2026-03-20", 30, "Europe/Amsterdam"), ["03-29", "03-30", "03-31"]),
        (days("2026-10-20", 30, "Europe/Amsterdam"), ["10-25", "10-26", "10-27"]),
        (days("2026-01-04", 10, step=7), ["01-25", "02-01", "02-15"]),
    ],
    ids=["no choice", "none worth it", "month", "year", "leap day", "23 hours", "25 hours", "weeks"],
)
def test_dates_are_picked_on_which_arithmetic_goes_wrong(moments: list[datetime], expected: list[str]) -> None:
    assert picked(moments) == expected


def test_why_is_said() -> None:
    moments = days("2026-03-20", 30, "Europe/Amsterdam")
    assert [one.why for one in pick(moments, 3)][:2] == ["a day of 23 hours, Sunday and Monday"] * 2
    moments = days("2026-02-20", 30)
    assert [one.why for one in pick(moments, 3)] == [
        "the end of a month",
        "the end of a month",
        "its day begins like the 1 of 2026-03-01",
    ]


def test_fewer_than_three_are_the_first() -> None:
    assert picked(days("2026-02-27", 9), 2) == ["02-27", "02-28"]


def test_several_runs_a_day_are_dates_too() -> None:
    start = datetime(2026, 1, 30, tzinfo=UTC)
    hours = [start + timedelta(hours=6 * at) for at in range(20)]
    assert [f"{hours[one.at]:%m-%dT%H}" for one in pick(hours, 3)][:2] == ["01-31T18", "02-01T00"]
