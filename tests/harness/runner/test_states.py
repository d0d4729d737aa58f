"""Whole runs against real Airflow: task states, tries and reasons of every shape of DAG."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.runner import RunEvent


def test_linear_run_passes_and_hands_values_on(run_dag):
    report = run_dag("linear")
    (one,) = report.runs
    assert (report.verdict, report.reasons) == ("pass", ())
    assert one.states == {"extract": "success", "transform": "success", "load": "success"}
    assert one.task("load").xcoms == {"return_value": 6}
    assert one.task("extract").xcoms["return_value"] == {"day": "2026-01-02", "rows": 3}
    assert one.task("load").rendered["op_args"] == [6]


def test_each_try_has_a_log_with_what_it_printed(run_dag, tmp_path):
    (one,) = run_dag("linear").runs
    (tried,) = one.task("load").tries
    assert "loaded 6" in (tmp_path / "run" / tried.log).read_text()


def test_tasks_are_told_while_they_run(run_dag, events: list[RunEvent]):
    run_dag("linear")
    told = [(event.task, event.state) for event in events if event.kind == "task"]
    assert told == [(name, state) for name in ("extract", "transform", "load") for state in ("running", "success")]


def test_retry_then_success_passes_and_keeps_both_tries(run_dag):
    report = run_dag("retried")
    task = report.runs[0].task("flaky")
    assert report.verdict == "pass"
    assert [(one.number, one.state) for one in task.tries] == [(1, "up_for_retry"), (2, "success")] or [
        (one.number, one.state) for one in task.tries
    ] == [(1, "failed"), (2, "success")]
    assert task.tries[0].error == "ValueError: not this time"


def test_failure_names_the_task_its_try_and_what_its_error_says(run_dag):
    report = run_dag("broken")
    assert report.runs[0].states == {"extract": "success", "load": "failed", "publish": "upstream_failed"}
    assert report.reasons == (
        "load failed on its only try: ValueError: cannot load 1 rows",
        "publish did not run because what it needs failed",
    )


def test_a_task_that_may_be_tried_once_has_its_retries_when_it_is_run_again(run_dag, tmp_path):
    first = run_dag("exhausted", single_try=("load",))
    again = run_dag("exhausted", folder=tmp_path / "again", resume=tmp_path / "run")
    assert [len(report.runs[0].task("load").tries) for report in (first, again)] == [1, 3]


def test_failure_after_retries_counts_them(run_dag):
    report = run_dag("exhausted")
    assert report.reasons == ("load failed on try 2 of 2: RuntimeError: the store says no",)


def test_failure_behind_an_all_done_leaf_is_masked(run_dag):
    report = run_dag("masked")
    (one,) = report.runs
    assert (one.airflow_state, one.verdict) == ("success", "fail")
    assert one.reasons[0] == "masked failure: Airflow calls the run a success although load failed"


def test_declared_failure_is_not_a_failure(run_dag):
    drill = {"expect": {"load": {"states": ["failed"], "reason": "drill"}}}
    report = run_dag("masked", dags={"masked": drill})
    assert (report.verdict, report.runs[0].task("load").declared) == ("pass", "drill")


@pytest.mark.parametrize(
    ("dag_id", "task", "error"),
    [
        ("exits", "leave", "Task exited with code 3"),
        ("exits_hard", "leave", "exit code 7"),
        ("segfault", "crash", "killed by SIGSEGV"),
    ],
)
def test_task_that_ends_its_process_fails_with_the_way_it_ended(run_dag, dag_id: str, task: str, error: str):
    report = run_dag(dag_id)
    assert report.runs[0].task(task).state == "failed"
    assert report.runs[0].task(task).tries[0].error == error


def test_execution_timeout_is_real_time(run_dag):
    report = run_dag("times_out", compression=1000)
    (tried,) = report.runs[0].task("slow").tries
    assert report.verdict == "fail"
    assert tried.error is not None
    assert "Timeout" in tried.error
    assert tried.seconds is not None
    assert tried.seconds >= 1.0


def test_branch_skips_the_other_side_and_joins(run_dag):
    report = run_dag("branches")
    assert report.verdict == "pass"
    assert report.runs[0].states == {"choose": "success", "left": "success", "right": "skipped", "join": "success"}


def test_short_circuit_skips_what_is_after_it(run_dag):
    report = run_dag("short_circuits")
    assert (report.verdict, report.runs[0].states) == ("pass", {"gate": "success", "work": "skipped"})


def test_run_whose_only_task_skips_itself_ran_nothing_to_the_end(run_dag):
    report = run_dag("all_skipped")
    assert report.runs[0].states == {"only": "skipped"}
    assert report.verdict == "pass"


def test_mapped_tasks_run_once_for_each_value(run_dag):
    report = run_dag("maps")
    (one,) = report.runs
    assert report.verdict == "pass"
    assert [one.task(f"double[{n}]").xcoms["return_value"] for n in range(3)] == [2, 4, 6]
    assert one.task("total").xcoms["return_value"] == 12


def test_one_failed_map_index_is_named(run_dag):
    report = run_dag("maps_badly")
    assert report.runs[0].states == {
        "numbers": "success",
        "divide[0]": "success",
        "divide[1]": "failed",
        "divide[2]": "success",
        "total": "upstream_failed",
    }
    assert report.reasons[0].startswith("divide[1] failed on its only try: ZeroDivisionError")


def test_mapped_task_whose_upstream_failed_does_not_run(run_dag):
    report = run_dag("maps_nothing")
    assert report.runs[0].states == {"numbers": "failed", "double": "upstream_failed"}


def test_task_groups_keep_their_names(run_dag):
    report = run_dag("groups")
    assert report.verdict == "pass"
    assert list(report.runs[0].states) == ["source", "staging.clean", "staging.check", "sink"]
    assert report.runs[0].task("sink").xcoms["return_value"] == 3


def test_teardown_runs_after_a_failure_which_is_not_hidden(run_dag):
    report = run_dag("tears_down")
    assert report.runs[0].states == {"create": "success", "work": "failed", "delete": "success"}
    assert report.verdict == "fail"


def test_pool_bounds_how_many_run_at_once(run_dag, tmp_path):
    report = run_dag("pooled", pools={"narrow": 1}, parallelism=3, environ={"HARNESS_MARKS": str(tmp_path)})
    assert report.reasons == ()


def test_tasks_that_a_pool_can_hold_run_at_the_same_time(run_dag, tmp_path):
    report = run_dag("meets", pools={"narrow": 3}, parallelism=3, environ={"HARNESS_MARKS": str(tmp_path)})
    assert report.reasons == ()


def test_task_that_no_pool_can_hold_is_a_stall_with_its_reason(run_dag):
    report = run_dag("too_wide", pools={"narrow": 1})
    assert report.verdict == "fail"
    assert "1 open slots in pool narrow and require 5" in report.reasons[0]


def test_asset_outlet_is_no_obstacle(run_dag):
    assert run_dag("publishes").verdict == "pass"


def test_callbacks_of_tasks_and_of_the_dag_are_called(run_dag, tmp_path):
    (one,) = run_dag("calls_back", environ={"HARNESS_MARKS": str(tmp_path)}).runs
    called = {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()}
    assert called == dict.fromkeys(("task_success", "task_failure", "dag_failure"), f"{one.run_id}\n")


def test_failed_task_is_resumed_with_all_that_is_after_it(run_dag, tmp_path: Path):
    flag = tmp_path / "flag"
    first = run_dag("recovers", environ={"HARNESS_FLAG": str(flag)})
    flag.touch()
    again = run_dag("recovers", environ={"HARNESS_FLAG": str(flag)}, resume=tmp_path / "run", folder=tmp_path / "again")
    assert first.runs[0].states == {"extract": "success", "load": "failed", "publish": "upstream_failed"}
    assert (again.verdict, again.runs[0].run_id) == ("pass", first.runs[0].run_id)
    assert len(again.runs[0].task("extract").tries) == 1
    assert len(again.runs[0].task("load").tries) == 2


def test_one_task_alone(run_dag):
    report = run_dag("groups", task="source")
    assert (report.verdict, report.runs[0].states) == ("pass", {"source": "success"})


def test_rows_stand_in_topological_order_and_then_by_map_index(run_dag):
    (one,) = run_dag("maps_widely").runs
    assert list(one.states) == ["zero", *(f"widen[{n}]" for n in range(12)), "add"]


def test_a_teardown_that_must_not_fail_fails_its_run(run_dag):
    report = run_dag("must_tear_down")
    assert report.reasons == ("delete failed on its only try: ConnectionError: the cluster still runs",)
    assert report.warnings == ()


def test_a_declared_state_that_no_run_needed_is_named_and_does_not_fail(run_dag):
    drill = {"states": ["failed"], "reason": "a drill"}
    report = run_dag("linear", dags={"linear": {"expect": {"load": drill, "laod": drill}}})
    assert report.verdict == "pass"
    assert report.warnings == (
        "dags.linear.expect.load was not needed: declared to be failed (a drill), it was success",
        "dags.linear.expect.laod was not needed: declared to be failed (a drill), there is no such task",
    )


def test_a_declared_state_that_one_date_needed_is_not_named(run_dag):
    skips = {"states": ["skipped"], "reason": "the other arm"}
    report = run_dag("branches", dags={"branches": {"expect": {"right": skips}}})
    assert (report.verdict, report.warnings) == ("pass", ())
