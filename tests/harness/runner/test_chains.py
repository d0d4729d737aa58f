"""Runs of several DAGs that wait for each other."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError


def test_dags_of_one_run_see_each_other(run_dag):
    report = run_dag("report", also=("ingest",))
    assert report.verdict == "pass"
    assert {run.dag_id: run.states for run in report.runs} == {
        "ingest": {"load": "success"},
        "report": {"wait": "success", "publish": "success"},
    }


def test_upstream_adds_the_run_that_a_sensor_looks_for(run_dag):
    report = run_dag("report_of_the_day_before", upstream=True)
    dates = {run.dag_id: f"{run.logical_date:%Y-%m-%d}" for run in report.runs}
    assert (report.verdict, dates) == ("pass", {"ingest": "2026-01-01", "report_of_the_day_before": "2026-01-02"})
    assert report.runs[-1].waits_for == ("wait waits for ingest.load of 2026-01-01",)


def test_sensor_that_nothing_can_satisfy_fails_by_the_name_of_the_missing_dag(run_dag):
    report = run_dag("report_of_the_day_before")
    assert report.runs[0].states == {"wait": "failed"}
    assert report.reasons[0] == (
        "wait waits for ingest.load of 2026-01-01, which nothing here runs; add ingest to the command, or --upstream"
    )


def test_deadline_that_passes_while_tasks_wait_for_a_slot_names_the_parallelism(run_dag):
    report = run_dag("busy", deadline=4, parallelism=2)
    assert report.reasons[0].startswith("the deadline of 4 s passed while slow_0 (try 1), slow_1 (try 1) was running")
    assert report.reasons[0].endswith("and 1 task was waiting for one of 2 slots (--parallelism)")


def test_task_that_runs_alone_has_no_other_dags(run_dag):
    with pytest.raises(ConfigError, match="task 'wait' runs alone, and other DAGs are asked for"):
        run_dag("report", also=("ingest",), task="wait")
