"""Runs that asset events make: those of a producer's consumers, and those of declared events."""

from __future__ import annotations

import pytest

from harness.environment.spec import DagSpec
from harness.errors import ConfigError


def test_producers_run_goes_on_with_the_run_of_its_consumer(run_dag):
    report = run_dag("asset_producer")
    (producer,) = report.runs
    (consumer,) = producer.triggered
    assert (report.verdict, consumer.dag_id, consumer.airflow_state) == ("pass", "asset_consumer", "success")
    assert consumer.run_id.startswith("asset_triggered__")
    assert consumer.task("read").xcoms["return_value"] == [7]


def test_failure_of_a_consumer_fails_the_producers_run(run_dag):
    report = run_dag("rates_producer")
    (producer,) = report.runs
    assert producer.states == {"fetch": "success"}
    assert [run.dag_id for run in producer.triggered] == ["asset_failing_consumer"]
    assert report.reasons == (
        "the run of asset_failing_consumer that it triggered failed",
        "asset_failing_consumer: price failed on its only try: ValueError: no rate for CHF",
    )


def test_consumer_alone_runs_by_declared_events(run_dag):
    declared = DagSpec.model_validate({"events": [{"asset": "landed", "extra": {"rows": 3}}]})
    report = run_dag("asset_consumer", dags={"asset_consumer": declared})
    (one,) = report.runs
    assert report.verdict == "pass"
    assert one.run_id.startswith("asset_triggered__")
    assert one.task("read").xcoms["return_value"] == [3]


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "asset_join runs when assets change, and no event of one is declared: it waits for orders_table, rates"),
        (["rates"], "asset_join does not run by the declared events alone (rates): it waits for orders_table, rates"),
    ],
    ids=["none", "one of two"],
)
def test_consumer_alone_says_what_it_waits_for(run_dag, events, said):
    declared = DagSpec.model_validate({"events": [{"asset": name} for name in events]})
    with pytest.raises(ConfigError, match=r"dags\.asset_join\.events") as refused:
        run_dag("asset_join", dags={"asset_join": declared})
    assert said in str(refused.value)


def test_condition_on_two_assets_needs_the_events_of_both(run_dag):
    uri = "postgres://wh:5432/warehouse/public/orders"
    declared = DagSpec.model_validate({"events": [{"asset": "rates"}, {"asset": uri}]})
    assert run_dag("asset_join", dags={"asset_join": declared}).runs[0].states == {"join": "success"}
