from __future__ import annotations

from collections import Counter
from datetime import UTC, date
from decimal import Decimal

import pytest

from environments.sources.events import VOLUMES, EventSource

DAY = date(2026, 1, 1)
TYPES = ("view", "click", "purchase")


@pytest.mark.parametrize(
    ("volume", "silver", "users", "sessions", "revenue"),
    [("dev", 477, 25, 75, "2125.00"), ("test", 9534, 490, 1470, "47650.00")],
)
def test_the_stream_has_the_figures_that_were_computed_by_hand(volume, silver, users, sessions, revenue):
    rows = EventSource(events=VOLUMES[volume]).rows(DAY)
    sound = {row.event_id: row for row in rows if row.user_id and row.event_type in TYPES}.values()

    assert len(rows) == VOLUMES[volume]
    assert len(rows) - len({row.event_id for row in rows}) == len(rows) // 50
    assert len(sound) == silver
    assert len({row.user_id for row in sound}) == users
    assert len({row.session_id for row in sound}) == sessions
    assert sum(row.revenue for row in sound) == Decimal(revenue)


def test_a_seed_changes_the_order_and_nothing_else():
    one, two = EventSource(seed=1).emitted(DAY), EventSource(seed=2).emitted(DAY)

    assert one != two
    assert sorted(row.payload() for _, row in one) == sorted(row.payload() for _, row in two)
    assert one == EventSource(seed=1).emitted(DAY)


def test_churn_brings_as_many_users_as_it_takes():
    source = EventSource(churn=5)
    first, second = ({row.user_id for row in source.rows(day)} - {None} for day in (DAY, date(2026, 1, 2)))

    assert len(first) == len(second) == 25
    assert len(first - second) == len(second - first) == 5


def test_every_row_is_of_its_day():
    days = Counter(row.timestamp.astimezone(UTC).date() for row in EventSource().rows(DAY))

    assert days == {DAY: 500}
