from __future__ import annotations

import pytest

from harness.environment.spec import DagSpec
from harness.errors import ServiceError
from harness.models.fault import Fired, TaskFault
from harness.models.proof import Claim, Empties, Ends, Equals, Fails, Keeps, Must, Scenario, Step
from harness.models.run import RunReport, RunResult, ServiceHealth
from harness.models.snapshot import Dataset
from harness.proofs.judge import CutOff, _published, judge
from harness.proofs.lab import Left, refuse_ruins
from harness.proofs.registry import Undecidable
from harness.state import Snapshot


def objects(*names: str) -> Snapshot:
    return Snapshot(datasets=tuple(Dataset(service="s3", name=name, kind="object", rows=1) for name in names))


@pytest.mark.parametrize(
    ("left", "published"),
    [
        (("raw/1/data.csv", "raw/2/data.csv"), ("raw/2/data.csv",)),
        (("raw/1/_SUCCESS",), ("raw/1/_SUCCESS",)),  # a promise that is not kept is a half
        (("raw/1/data.csv", "raw/1/_SUCCESS"), ("raw/1/data.csv", "raw/1/_SUCCESS")),
    ],
)
def test_a_folder_without_its_marker_is_not_there_for_its_readers(
    left: tuple[str, ...], published: tuple[str, ...]
) -> None:
    whole = objects("raw/1/data.csv", "raw/1/_SUCCESS")

    assert _published(objects(*left), [whole], "/_SUCCESS") == objects(*published)


def test_a_project_may_have_a_marker_of_its_own() -> None:
    whole, half = objects("lake/a/1.csv", "lake/a/_manifest.json"), objects("lake/a/1.csv")
    assert _published(half, [whole], "/_manifest.json") == objects()
    assert _published(half, [whole], "/_SUCCESS") == half


DAY = ("2026-01-01",)
RUN: Scenario = (Step(dates=DAY, inputs=DAY),)
FAILS_MEANWHILE: Scenario = (Step(dates=DAY, inputs=DAY, faults=(TaskFault(task="load", attempt=None),)),)
BY_ITSELF = (Step(dates=DAY),)


class Told:
    """A lab in which it is known how every scenario ends; the plain run passes and leaves one row."""

    spec = DagSpec()

    def __init__(self, **ends: object) -> None:
        self.ends = ends

    def carry_out(self, scenario: Scenario) -> Left:
        if scenario == RUN:
            return left("pass", "success")
        how = {"verdict": "fail", "airflow_state": "failed", "rows": 1} | self.ends
        return left(how.pop("verdict"), how.pop("airflow_state"), **how)


def left(verdict: str, airflow_state: str, *, rows: int = 1, timed_out: bool = False) -> Left:
    fired = (Fired(fault=TaskFault(task="load", attempt=None), task="load", attempt=1),)
    run = RunResult(
        dag_id="d",
        run_id="r",
        logical_date=None,
        verdict=verdict,
        airflow_state=airflow_state,
        fired=fired,
        reasons=("R",),
    )
    report = RunReport(
        verdict=verdict, dag_id="d", environment="dev", namespace="n", runs=(run,), timed_out=timed_out, reasons=("R",)
    )
    outputs = Snapshot(datasets=(Dataset(service="p", name="w.t", kind="table", rows=rows, digests={"1": rows}),))
    return Left(report, outputs, outputs)


@pytest.mark.parametrize(
    ("scenario", "must"),
    [
        pytest.param(FAILS_MEANWHILE, Fails(task="load"), id="masked"),
        pytest.param(FAILS_MEANWHILE, Equals(references=(RUN,)), id="half of an output"),
        pytest.param(BY_ITSELF, Equals(references=(RUN,)), id="a re-run that does not end"),
        pytest.param(BY_ITSELF, Empties(outcome="fail"), id="a declared failure"),
        pytest.param(BY_ITSELF, Keeps(reference=RUN), id="old data"),
    ],
)
def test_what_was_cut_off_proves_nothing(scenario: Scenario, must: Must) -> None:
    lab = Told(airflow_state="running", timed_out=True, rows=0)

    with pytest.raises(CutOff, match="was cut off, so what it left proves nothing: R"):
        judge(lab, Claim(scenario=scenario, must=(must,), because="because"))


def test_a_wait_that_does_not_end_is_what_a_deadline_is_about() -> None:
    lab = Told(airflow_state="running", timed_out=True)

    assert judge(lab, Claim(scenario=BY_ITSELF, must=(Ends(),), because="because")) == ["the run does not end: R"]


def test_a_run_that_stalls_is_no_declared_failure() -> None:
    (found,) = judge(
        Told(airflow_state="running"), Claim(scenario=BY_ITSELF, must=(Empties(outcome="fail"),), because="b")
    )

    assert found.startswith("a run without input is declared to fail, and it ended as no end")


def report(*, passed: bool = False, healthy: bool = True, runs: int = 1) -> RunReport:
    health = ServiceHealth(service="postgres", engine="embedded", healthy=healthy, detail="its process ended")
    whole = left("pass" if passed else "fail", "failed").report
    return whole.model_copy(update={"services": (health,), "runs": whole.runs[:runs]})


def test_a_failure_while_a_service_is_lost_ends_the_proofs() -> None:
    with pytest.raises(ServiceError, match="lost during 'run 2026-01-01': its process ended"):
        refuse_ruins(RUN[0], report(healthy=False))


def test_a_step_that_came_to_no_run_is_undecidable() -> None:
    with pytest.raises(Undecidable, match="'run 2026-01-01' came to no run: R"):
        refuse_ruins(RUN[0], report(runs=0))


def test_a_failure_with_all_services_there_is_a_result() -> None:
    refuse_ruins(RUN[0], report())
