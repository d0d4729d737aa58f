from __future__ import annotations

from datetime import date

import pytest

from environments.sources.cumulated_oracle import cumulated
from environments.sources.events import EventSource
from jobs.cumulative import cumulate as job
from jobs.cumulative.audit import AuditFailed, as_states, audit, complaints_about, read_rows
from jobs.cumulative.cumulate import Layout, YesterdayMissing, cumulate, days_held, require_yesterday

DAY_1, DAY_2, DAY_3 = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)
SOURCE = EventSource(events=60, churn=3)


@pytest.fixture
def layout(tmp_path):
    """A lake and a landing folder with three days of events."""
    (tmp_path / "clicks").mkdir()
    made = Layout(str(tmp_path), str(tmp_path / "lake"), DAY_1)
    for day in (DAY_1, DAY_2, DAY_3):
        lines = [event.payload().decode() for _, event in SOURCE.emitted(day)]
        (tmp_path / "clicks" / f"{day}.jsonl").write_text("\n".join(lines))
    return made


def must_hold(layout, *days):
    wanted = cumulated({day: SOURCE.rows(day) for day in days})
    assert as_states(read_rows(layout, {}, since=DAY_1)) == wanted


@pytest.mark.slow
@pytest.mark.needs("spark")
@pytest.mark.stages("dev")
def test_two_days_at_once_corrupt_the_table_unless_the_later_one_is_refused(spark, layout, monkeypatch):
    """Three active runs, the lab's own setting: the run of the third day does not see the second."""
    cumulate(spark, day=DAY_1, layout=layout, storage={})
    with pytest.raises(YesterdayMissing, match="run 2026-01-02 first"):
        cumulate(spark, day=DAY_3, layout=layout, storage={})
    must_hold(layout, DAY_1)

    monkeypatch.setattr(job, "require_yesterday", lambda *_: None)
    cumulate(spark, day=DAY_3, layout=layout, storage={})

    with pytest.raises(AuditFailed, match="no state of the day before 2026-01-03"):
        audit(day=DAY_1, layout=layout, storage={})
    with pytest.raises(AssertionError):
        must_hold(layout, DAY_1, DAY_2, DAY_3)


@pytest.mark.slow
@pytest.mark.needs("spark")
@pytest.mark.stages("dev")
def test_a_start_that_moves_loses_history(spark, layout):
    moved = Layout(layout.landing, f"{layout.lake}/moved", DAY_2)
    for where in (layout, moved):
        cumulate(spark, day=where.start, layout=where, storage={})
        cumulate(spark, day=DAY_2, layout=where, storage={})

    must_hold(layout, DAY_1, DAY_2)
    with pytest.raises(AssertionError):
        must_hold(moved, DAY_1, DAY_2)


def test_a_table_that_is_not_there_holds_no_day(layout):
    assert days_held(layout, {}) == set()


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
