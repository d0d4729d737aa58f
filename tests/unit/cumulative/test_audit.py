from __future__ import annotations

from datetime import date

import pytest

from jobs.cumulative.audit import complaints_about
from jobs.cumulative.cumulate import Layout, YesterdayMissing, days_held, require_yesterday

DAY_1, DAY_2, DAY_3 = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)


def test_a_table_that_is_not_there_holds_no_day(tmp_path):
    assert days_held(Layout("", str(tmp_path / "lake"), DAY_1), {}) == set()


@pytest.mark.parametrize(
    ("day", "held", "message"),
    [
        (DAY_2, [], "no state of 2026-01-01"),
        (DAY_3, [DAY_1], "no state of 2026-01-02"),
        (DAY_2, [DAY_2, DAY_3], "no state of 2026-01-01"),
        (date(2025, 12, 31), [], "before 2026-01-01"),
    ],
)
def test_a_day_without_its_yesterday_is_refused(day, held, message):
    with pytest.raises(YesterdayMissing, match=message):
        require_yesterday(day, held, DAY_1)


@pytest.mark.parametrize(("day", "held"), [(DAY_1, []), (DAY_1, [DAY_1, DAY_2]), (DAY_2, [DAY_1]), (DAY_3, [DAY_2])])
def test_the_first_day_needs_none_and_any_other_the_one_before(day, held):
    require_yesterday(day, held, DAY_1)


def row(user, ds, first=DAY_1, last=None, days=1):
    return {"user_id": user, "ds": ds, "first_active": first, "last_active": last or first, "days_active": days}


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([row("a", DAY_1), row("a", DAY_1)], "1 users are there more than once on a day, a on 2026-01-01"),
        ([row("a", DAY_1), row("b", DAY_2, DAY_2)], "1 users of the day before 2026-01-02 are gone, a for one"),
        ([row("a", DAY_1), row("a", DAY_3)], "there is no state of the day before 2026-01-03"),
        ([row("a", DAY_1, DAY_2)], "1 users of 2026-01-01 were active when they cannot have been, a for one"),
        ([row("a", DAY_1, days=2)], "1 users of 2026-01-01 were active when they cannot have been, a for one"),
        ([row("a", DAY_2)], "nobody was active up to 2026-01-01: a history that begins with nobody is not begun"),
    ],
)
def test_the_audit_says_what_cannot_be_true(rows, complaint):
    assert list(complaints_about(rows, DAY_1, DAY_1)) == [complaint]


def test_the_audit_has_nothing_to_say_about_a_sound_history():
    rows = [row("a", DAY_1), row("a", DAY_2, last=DAY_2, days=2), row("b", DAY_2, DAY_2), row("a", DAY_3)]
    rows.append(row("b", DAY_3, DAY_2))

    assert list(complaints_about(rows, DAY_1, DAY_1)) == []
    assert list(complaints_about(rows, DAY_2, DAY_1)) == []
