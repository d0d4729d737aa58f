"""Runs that wait: for ever, too long, or just long enough, with waits compressed."""

from __future__ import annotations

import psutil


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
    assert "TaskDeferralError" in report.reasons[0]


def test_trigger_that_never_fires_times_out(run_dag):
    report = run_dag("trigger_is_silent", compression=60)
    assert report.runs[0].states == {"event": "failed"}
    assert "Timeout" in report.reasons[0]
