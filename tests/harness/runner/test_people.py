"""Runs of tasks that ask a person: by declared answers, by their own defaults, and with nobody there."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from harness._compat.stalls import in_words
from harness.environment.spec import DagSpec

#: as docs/environments.md says
asks_here = pytest.mark.skipif(version("apache-airflow").startswith("3.2."), reason="answers need Airflow 3.3")

QUESTION = (
    "approve of scheduled__2026-01-02T00:00:00+00:00 waits for a person: "
    "'Pay out 2026-01-02?' (options Approve, Reject)"
)


@asks_here
@pytest.mark.parametrize(("option", "then"), [("Approve", "success"), ("Reject", "skipped")])
def test_declared_answer_decides_what_follows(run_dag, option, then):
    report = run_dag("asks_for_approval", dags=_answers("asks_for_approval", approve={"options": [option]}))
    assert report.runs[0].states == {"draft": "success", "approve": "success", "pay": then}


@asks_here
def test_branch_and_form_take_their_answers(run_dag):
    answers = _answers("asks_for_more", choose={"options": ["right"]}, enter={"params": {"rows": 7}})
    (one,) = run_dag("asks_for_more", dags=answers).runs
    assert one.states == {"choose": "success", "enter": "success", "left": "skipped", "right": "success"}
    assert one.task("enter").xcoms["return_value"]["params_input"] == {"rows": 7, "unit": "kg"}


@asks_here
def test_run_without_an_answer_says_that_it_waits_for_a_person(run_dag):
    report = run_dag("asks_for_approval")
    assert report.verdict == "fail"
    assert report.reasons[0] == (
        f"{QUESTION}; declare dags.asks_for_approval.answers.approve: {{options: [Approve]}}, "
        "or say --answer approve=Approve"
    )
    assert "(success=" not in " ".join(report.reasons)


@asks_here
def test_answer_that_is_no_option_is_refused_by_its_name(run_dag):
    report = run_dag("asks_for_approval", dags=_answers("asks_for_approval", approve={"options": ["Yes"]}))
    said = "dags.asks_for_approval.answers.approve names Yes, which is none of its options (Approve, Reject)"
    assert report.reasons[0] == f"{QUESTION}; {said}"


@asks_here
def test_default_is_taken_when_the_time_for_an_answer_is_over(run_dag):
    report = run_dag("takes_its_default", compression=60)
    assert (report.verdict, report.runs[0].states) == ("pass", {"approve": "success", "go": "success"})


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (
            "Task's trigger rule 'all_success' requires all upstream tasks to have succeeded, but found 1 "
            "non-success(es). upstream_states=_UpstreamTIStates(success=1, skipped=0), upstream_task_ids={'approve'}",
            "Task's trigger rule 'all_success' requires all upstream tasks to have succeeded, but found 1 "
            "non-success(es).",
        ),
        (
            "depends_on_past is true for this task's DAG, but the previous task instance "
            "<TaskInstance: billing.load scheduled__2026-01-01T00:00:00+00:00 [failed]> is in the state 'failed'",
            "depends_on_past is true for this task's DAG, but the previous task instance "
            "load of scheduled__2026-01-01T00:00:00+00:00 is in the state 'failed'",
        ),
        ("Execution date <DateTime object at 0x7f> is in the future", "Execution date is in the future"),
    ],
    ids=["states", "instance", "object"],
)
def test_reasons_of_airflow_lose_its_representations(reason, words):
    assert in_words(reason) == words


def _answers(dag_id, **answers):
    return {dag_id: DagSpec.model_validate({"answers": answers})}
