from __future__ import annotations

from datetime import date

import pytest

from environments.seeds.users_cumulated import put_events, source_of
from environments.sources.cumulated_oracle import States, cumulated
from harness import expect_table

pytestmark = [pytest.mark.slow, pytest.mark.needs("s3", "spark")]

DAG = "users_cumulated"
DAY_1, DAY_2, DAY_3 = date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)
#: three days in order, since each is built on the one before, and the first again
after_three_days = pytest.mark.dag_runs(DAG, {"from_": str(DAY_1), "to": str(DAY_3)}, DAY_1)
COLUMNS = ("user_id", "ds", "first_active", "last_active", "days_active")
GREEN = {"cumulate": "success", "audit": "success"}


@pytest.fixture
def source(environment):
    return source_of(environment.spec.data)


@pytest.fixture
def must_hold(s3):
    """Compares the table with the oracle, row by row."""

    def compare(wanted: States) -> None:
        rows = [(user, day, *state) for day, users in wanted.items() for user, state in users.items()]
        expect_table(s3, "lake/cumulative/users_cumulated", rows, columns=COLUMNS, key=COLUMNS[:2])

    return compare


@after_three_days
def test_the_state_of_each_day_is_what_all_days_up_to_it_say(dag_runs, must_hold, source):
    report = dag_runs[0]

    assert report.passed, report.reasons
    assert [run.states for run in report.runs] == [GREEN] * 3
    wanted = cumulated({day: source.rows(day) for day in (DAY_1, DAY_2, DAY_3)})
    must_hold(wanted)
    sizes = [len(wanted[day]) for day in (DAY_1, DAY_2, DAY_3)]
    assert sizes == sorted(set(sizes))
    assert report.runs[-1].task("audit").xcoms["return_value"] == {"2026-01-03": sizes[-1]}
    assert {days for _, _, days in wanted[DAY_3].values()} == {1, 2, 3}


@after_three_days
def test_running_a_day_again_changes_nothing(dag_runs):
    again = dag_runs[1]

    assert again.passed, again.reasons
    assert again.runs[0].outputs == ()


@pytest.mark.stages("dev")
def test_a_day_that_was_corrected_takes_the_later_ones_with_it(run_dag, must_hold, source, s3):
    run_dag(DAG, from_=str(DAY_1), to=str(DAY_2))
    kept = [event for event in source.rows(DAY_1) if event.user_id != source.rows(DAY_1)[0].user_id]
    put_events(s3, DAY_1, kept)

    report = run_dag(DAG, date=str(DAY_1))

    assert report.passed, report.reasons
    assert report.runs[0].task("cumulate").xcoms["return_value"] == ["2026-01-01", "2026-01-02"]
    must_hold(cumulated({DAY_1: kept, DAY_2: source.rows(DAY_2)}))


@pytest.mark.stages("dev")
def test_a_day_whose_yesterday_is_missing_fails_at_once_and_writes_nothing(run_dag, s3):
    report = run_dag(DAG, date=str(DAY_3))

    assert report.verdict == "fail"
    assert report.runs[0].states == {"cumulate": "failed", "audit": "upstream_failed"}
    (only_try,) = report.runs[0].task("cumulate").tries
    assert "there is no state of 2026-01-02" in only_try.error
    assert "Contents" not in s3.client.list_objects_v2(Bucket=s3.physical("lake"))


@pytest.mark.proofs
@pytest.mark.stages("dev")
def test_a_day_can_be_run_again_and_no_task_fails_unseen(prove_dag):
    prove_dag("users_cumulated", "rerun", "masked")
