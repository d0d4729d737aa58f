from __future__ import annotations

from datetime import date

import pytest

from environments.sources.cumulated_oracle import cumulated
from environments.sources.events import EventSource
from jobs.cumulative import cumulate as job
from jobs.cumulative.audit import AuditFailed, as_states, audit, read_rows
from jobs.cumulative.cumulate import Layout, YesterdayMissing, cumulate

pytestmark = [pytest.mark.slow, pytest.mark.needs("spark"), pytest.mark.stages("dev")]

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


def test_a_start_that_moves_loses_history(spark, layout):
    moved = Layout(layout.landing, f"{layout.lake}/moved", DAY_2)
    for where in (layout, moved):
        cumulate(spark, day=where.start, layout=where, storage={})
        cumulate(spark, day=DAY_2, layout=where, storage={})

    must_hold(layout, DAY_1, DAY_2)
    with pytest.raises(AssertionError):
        must_hold(moved, DAY_1, DAY_2)
