from __future__ import annotations

import copy
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.models import backfill
from airflow.models.backfill import InvalidBackfillDirection, ReprocessBehavior

from harness._compat.dagbag import load_dag_bag

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "dags" / "cumulative"
DAY_1, DAY_3 = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def bag():
    return load_dag_bag(FOLDER)


@pytest.fixture
def dag(bag):
    """A copy that a test may spoil."""
    return copy.deepcopy(bag.dags["users_cumulated"])


def must_run_one_day_after_the_other(dag):
    assert dag.max_active_runs == 1
    assert all(task.depends_on_past for task in dag.tasks)
    assert dag.start_date == DAY_1
    assert dag.catchup


def must_refuse_to_go_backwards(dag):
    with pytest.raises(InvalidBackfillDirection):
        backfill._validate_backfill_params(dag, True, DAY_1, DAY_3, ReprocessBehavior.COMPLETED)


def test_days_run_one_after_the_other_from_a_day_that_never_moves(dag):
    must_run_one_day_after_the_other(dag)


def test_a_backfill_that_runs_backwards_is_refused(dag):
    must_refuse_to_go_backwards(dag)


def three_runs_at_once(dag):
    dag.max_active_runs = 3


def forgetting_the_past(dag):
    for task in dag.tasks:
        task.depends_on_past = False


def starting_yesterday(dag):
    dag.start_date = datetime.now(tz=UTC)


@pytest.mark.parametrize("spoil", [three_runs_at_once, forgetting_the_past, starting_yesterday])
def test_versions_that_would_corrupt_the_table_are_found(dag, spoil):
    spoil(dag)

    with pytest.raises(AssertionError):
        must_run_one_day_after_the_other(dag)


def test_without_the_past_airflow_would_run_it_backwards(dag):
    forgetting_the_past(dag)

    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        must_refuse_to_go_backwards(dag)
