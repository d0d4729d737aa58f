from __future__ import annotations

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task

from harness.errors import ConfigError
from harness.unit import graph_scenario, task_states


@pytest.fixture
def orders() -> DAG:
    with DAG("orders", schedule=None) as dag:

        @task.branch
        def choose():
            return "full"

        load = EmptyOperator(task_id="load")
        join = EmptyOperator(task_id="join", trigger_rule="none_failed_min_one_success")
        notify = EmptyOperator(task_id="notify", trigger_rule="all_done")
        load >> choose() >> [EmptyOperator(task_id="full"), EmptyOperator(task_id="delta")] >> join >> notify
    return dag


def test_all_succeed_unless_it_is_said(orders):
    assert set(task_states(orders).values()) == {"success"}


def test_failure_reaches_all_that_need_it_and_is_masked_by_the_leaf(orders):
    found = graph_scenario(orders, {"load": "failed"})
    assert found.states["join"] == "upstream_failed"
    assert (found.states["notify"], found.run_state) == ("success", "success")


@pytest.mark.parametrize("followed", ["delta", ["delta"], ("delta",)])
def test_branch_skips_what_it_does_not_follow(orders, followed):
    states = task_states(orders, {"choose": followed})
    assert (states["full"], states["delta"], states["join"]) == ("skipped", "success", "success")


def test_branch_that_fails_skips_nothing(orders):
    assert task_states(orders, {"choose": "failed"})["full"] == "upstream_failed"


@pytest.mark.parametrize(
    ("outcomes", "complaint"),
    [
        ({"lod": "failed"}, "orders has no task 'lod'; did you mean 'load'"),
        ({"load": "broken"}, "load cannot end in 'broken'"),
        ({"load": ["full"]}, "load cannot end in"),
        ({"choose": "ful"}, "choose cannot follow 'ful'; did you mean 'full'"),
    ],
)
def test_scenario_that_cannot_be_is_refused(orders, outcomes, complaint):
    with pytest.raises(ConfigError, match=complaint):
        graph_scenario(orders, outcomes)
