from __future__ import annotations

import pytest

from harness.environment.spec import StateDeclaration
from harness.models.run import TaskResult, TryResult
from harness.runner.verdict import declare, judge, warn


def task(name: str, state: str | None, *errors: str | None) -> TaskResult:
    tries = tuple(TryResult(number=n, state=state or "none", error=error) for n, error in enumerate(errors, 1))
    return TaskResult(task_id=name, state=state, tries=tries)


GOOD = task("good", "success", None)


@pytest.mark.parametrize(
    ("tasks", "airflow", "reasons"),
    [
        pytest.param([GOOD], "success", (), id="all well"),
        pytest.param([GOOD, task("off", "skipped")], "success", (), id="a skip is no failure"),
        pytest.param(
            [GOOD, task("bad", "failed", "E: no")], "failed", ("bad failed on its only try: E: no",), id="failed"
        ),
        pytest.param(
            [task("bad", "failed", "E: one", "E: two")], "failed", ("bad failed on try 2 of 2: E: two",), id="retried"
        ),
        pytest.param(
            [task("bad", "failed", "E: no"), GOOD],
            "success",
            (
                "masked failure: Airflow calls the run a success although bad failed",
                "bad failed on its only try: E: no",
            ),
            id="masked",
        ),
        pytest.param(
            [GOOD, task("a", "upstream_failed"), task("b", "upstream_failed")],
            "failed",
            ("a and b did not run because what they need failed",),
            id="upstream failed",
        ),
        pytest.param(
            [GOOD, task("slow", "running", None), task("late", None)],
            "running",
            ("slow did not end: it was running", "late never got a state"),
            id="not terminal",
        ),
        pytest.param([], "success", ("zero tasks ran: the DAG has none",), id="empty"),
        pytest.param([task("off", "skipped")], "success", ("zero tasks ran: all were skipped",), id="all skipped"),
    ],
)
def test_verdict_comes_from_the_tasks_up(tasks: list[TaskResult], airflow: str, reasons: tuple[str, ...]):
    assert judge(tasks, airflow) == ("fail" if reasons else "pass", reasons)


def test_deadline_is_the_first_reason():
    assert judge([GOOD], "running", stopped="the deadline of 5 s passed")[1][0] == "the deadline of 5 s passed"


@pytest.mark.parametrize("name", ["load", "load[2]"])
def test_declared_state_is_no_failure(name: str):
    expect = {name: StateDeclaration(states=["failed"], reason="drill")}
    failed = TaskResult(task_id="load", map_index=2, state="failed", tries=(TryResult(number=1, state="failed"),))
    assert judge([declare(failed, expect)], "failed") == ("pass", ())


def teardown(state: str) -> TaskResult:
    return declare(task("delete", state, "E: still in use").model_copy(update={"teardown": True}), {})


def test_a_teardown_that_may_fail_is_a_warning():
    tasks = [GOOD, teardown("failed")]
    assert judge(tasks, "success") == ("pass", ())
    assert warn(tasks) == (
        "delete failed on its only try: E: still in use (a teardown without on_failure_fail_dagrun: "
        "the run does not fail by it)",
    )


def test_a_teardown_that_did_not_run_is_blocked_as_any_task():
    assert judge([GOOD, teardown("upstream_failed")], "success")[0] == "fail"


def test_declaration_of_another_state_does_not_cover():
    expect = {"load": StateDeclaration(states=["skipped"], reason="drill")}
    assert judge([declare(task("load", "failed", "E: no"), expect)], "failed")[0] == "fail"
