"""Runs that wait: for ever, too long, or just long enough, with waits compressed."""

from __future__ import annotations

import json

import psutil
import pytest

from harness.runner import tasklog


def test_poke_sensor_that_never_succeeds_ends_at_the_deadline_and_leaves_no_process(run_dag, fork_server):
    report = run_dag("hangs", deadline=12)
    (one,) = report.runs
    assert report.verdict == "fail"
    assert one.reasons[0] == "the deadline of 12 s passed while arrival (try 1) was running"
    assert one.states == {"before": "success", "arrival": "running"}
    assert "in poke" in one.stacks["arrival"] or "in execute" in one.stacks["arrival"]
    assert psutil.Process(fork_server.pid).children(recursive=True) == []


def test_sensor_times_out_in_compressed_time(run_dag):
    report = run_dag("poke_times_out", compression=60)
    assert report.runs[0].states == {"arrival": "failed"}
    assert "AirflowSensorTimeout" in report.reasons[0]


def test_rescheduled_sensor_pokes_until_it_succeeds(run_dag):
    report = run_dag("reschedules", compression=600)
    task = report.runs[0].task("arrival")
    assert (report.verdict, task.state, len(task.tries)) == ("pass", "success", 1)


def test_deferred_tasks_resume_with_the_event_of_their_trigger(run_dag):
    report = run_dag("defers", compression=600)
    (one,) = report.runs
    assert report.verdict == "pass"
    assert one.states == {"event": "success", "time": "success", "sensor": "success"}
    assert one.task("event").xcoms["return_value"] == {"word": "hello"}


def test_failed_trigger_fails_its_task(run_dag):
    report = run_dag("trigger_fails")
    assert report.runs[0].states == {"event": "failed"}
    assert report.reasons == ("event failed on its only try: RuntimeError: the other side hung up",)


def test_trigger_that_never_fires_times_out(run_dag):
    report = run_dag("trigger_is_silent", compression=60)
    assert report.runs[0].states == {"event": "failed"}
    assert "Timeout" in report.reasons[0]


def test_trigger_that_is_ended_is_not_said_to_have_been_out_of_memory(run_dag, tmp_path):
    report = run_dag("trigger_is_silent", compression=60)
    log = tasklog.render(tmp_path / "run" / report.runs[0].task("event").tries[0].log)
    assert "TaskDeferralTimeout" in log
    assert "memory" not in log


@pytest.mark.parametrize("how", ["poke", "deferred"])
def test_sensor_waits_as_long_deferred_as_it_does_poking(run_dag, how):
    report = run_dag(
        f"file_{how}", environ={"AIRFLOW_CONN_FS_DEFAULT": json.dumps({"conn_type": "fs", "extra": {"path": "/"}})}
    )
    assert report.runs[0].states == {"arrival": "success", "drop_later": "success", "clean": "success"}


def test_each_wait_is_shortened_once_and_an_execution_timeout_never(run_dag):
    report = run_dag("waits_once", compression=600, parallelism=3)
    (one,) = report.runs
    assert one.states == {"job": "success", "moment": "success", "sensor": "success"}
    assert one.task("sensor").xcoms["return_value"] == [1.0, 10.0]
    assert one.task("job").xcoms["return_value"] == [1.0, 60.0]


def test_rescheduled_sensor_times_out_by_its_own_timeout(run_dag):
    report = run_dag("reschedule_times_out", compression=60)
    assert report.runs[0].states == {"arrival": "failed"}
    assert "exceeds the specified timeout of 150" in report.reasons[0]
