"""A task fails or dies before or after its work, in the tries that are meant and in no other."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from harness import faults


def test_task_that_fails_before_its_work_has_done_none(run_dag, marks):
    with faults.fail("first"):
        report = run_dag("marks")
    assert (report.runs[0].states, marks()) == ({"first": "failed", "second": "upstream_failed"}, [])
    assert "InjectedFault: first fails before its work" in report.runs[0].task("first").tries[0].error


def test_task_that_fails_after_its_work_has_done_all_of_it(run_dag, marks):
    with faults.fail("first", after=True):
        report = run_dag("marks")
    assert (report.runs[0].states["first"], marks()) == ("failed", ["first"])


def test_task_that_is_killed_says_by_what(run_dag, marks):
    with faults.kill("first"):
        report = run_dag("marks")
    (tried,) = report.runs[0].task("first").tries
    assert (tried.state, marks()) == ("failed", [])
    assert tried.error.startswith("killed by SIGKILL")


def test_fault_of_the_first_try_leaves_the_second_alone(run_dag, marks):
    with faults.kill("second", after=True):
        report = run_dag("marks")
    assert report.passed, report.reasons
    assert [one.state for one in report.runs[0].task("second").tries] == ["failed", "success"]
    assert marks() == ["first", "second 1", "second 1"]


def test_fault_of_every_try_fails_them_all(run_dag):
    with faults.fail("second", attempt=None):
        report = run_dag("marks")
    assert [one.state for one in report.runs[0].task("second").tries] == ["failed", "failed"]


def test_report_tells_which_faults_fired(run_dag):
    with faults.fail("second"), faults.fail("nobody"):
        report = run_dag("marks")
    assert [(fired.task, fired.attempt, str(fired.fault)) for fired in report.runs[0].fired] == [
        ("second", 1, "second fails before its work")
    ]


def test_faults_end_with_their_block():
    with faults.fail("load"), faults.outage("s3", during="load"):
        inside = faults.active()
    assert (len(inside), faults.active()) == (2, ())


def test_write_needs_its_moment():
    with pytest.raises(ValidationError, match="goes with the moment 'at_write'"):
        faults.TaskFault(task="load", write=2)
