from __future__ import annotations

from datetime import date

import pytest

from environments.seeds.users_cumulated import put_events, source_of
from environments.sources.cumulated_oracle import cumulated
from harness.state import diff, snapshot
from jobs.cumulative.audit import as_states, read_rows
from jobs.cumulative.cumulate import Layout

pytestmark = [pytest.mark.slow, pytest.mark.needs("s3", "spark")]

DAG = "users_cumulated"
DAY_1, DAY_2, DAY_3 = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)
GREEN = {"cumulate": "success", "audit": "success"}


@pytest.fixture
def source(environment):
    return source_of(environment.spec.data)


@pytest.fixture
def held(s3):
    """The table as it is, by day and user."""

    def read():
        layout = Layout("", f"s3://{s3.physical('lake')}", DAY_1)
        rows = read_rows(layout, s3.storage_options(), since=DAY_1)
        states = as_states(rows)
        assert len(rows) == sum(len(users) for users in states.values())
        return states

    return read


def test_the_state_of_each_day_is_what_all_days_up_to_it_say(run_dag, held, source):
    report = run_dag(DAG, from_=str(DAY_1), to=str(DAY_3))

    assert report.passed, report.reasons
    assert [run.states for run in report.runs] == [GREEN] * 3
    wanted = cumulated({day: source.rows(day) for day in (DAY_1, DAY_2, DAY_3)})
    assert held() == wanted
    sizes = [len(wanted[day]) for day in (DAY_1, DAY_2, DAY_3)]
    assert sizes == sorted(set(sizes))
    assert report.runs[-1].task("audit").xcoms["return_value"] == {"2026-01-03": sizes[-1]}
    assert {days for _, _, days in wanted[DAY_3].values()} == {1, 2, 3}


@pytest.mark.stages("dev")
def test_running_a_day_again_changes_nothing(run_dag, namespace):
    run_dag(DAG, date=str(DAY_1))
    before = snapshot(namespace.services)
    again = run_dag(DAG, date=str(DAY_1))

    assert again.passed, again.reasons
    assert diff(before, snapshot(namespace.services)) == []
    assert again.runs[0].outputs == ()


@pytest.mark.stages("dev")
def test_a_day_that_was_corrected_takes_the_later_ones_with_it(run_dag, held, source, s3):
    run_dag(DAG, from_=str(DAY_1), to=str(DAY_2))
    kept = [event for event in source.rows(DAY_1) if event.user_id != source.rows(DAY_1)[0].user_id]
    put_events(s3, DAY_1, kept)

    report = run_dag(DAG, date=str(DAY_1))

    assert report.passed, report.reasons
    assert report.runs[0].task("cumulate").xcoms["return_value"] == ["2026-01-01", "2026-01-02"]
    assert held() == cumulated({DAY_1: kept, DAY_2: source.rows(DAY_2)})


@pytest.mark.stages("dev")
def test_a_day_whose_yesterday_is_missing_fails_at_once_and_writes_nothing(run_dag, s3):
    report = run_dag(DAG, date=str(DAY_3))

    assert report.verdict == "fail"
    assert report.runs[0].states == {"cumulate": "failed", "audit": "upstream_failed"}
    (only_try,) = report.runs[0].task("cumulate").tries
    assert "there is no state of 2026-01-02" in only_try.error
    assert "Contents" not in s3.client.list_objects_v2(Bucket=s3.physical("lake"))
