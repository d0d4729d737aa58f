"""A project whose gate has a lot to tell: two stages with evidence, a failed run, a DAG of two hundred tasks."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.gate import store
from harness.gate.evidence import open_claim, seal, statement
from harness.gate.overview import standings
from harness.models.gate import Approval, Collected, DagEvidence, Drift, Evidence, GateReport, Proved, Subject
from harness.models.run import RunReport, RunResult, TaskResult, TryResult
from harness.models.snapshot import Difference
from harness.report import page

START = datetime(2026, 1, 2, 6, tzinfo=UTC)
COMMIT = "4c0ffee" + "0" * 33
WIDE = 200
_STAGES = ("test", "acc")


def write_page(project: Path) -> Path:
    """Write the page of a refused gate to acceptance into an empty folder, and return its path."""
    dags = (_ran(project, _orders()), _ran(project, _fan()))
    for name in _STAGES:
        (project / "environments").mkdir(exist_ok=True)
        (project / "environments" / f"{name}.yaml").write_text(f"stage: {name}\n")
    evidence = {name: _evidence(name, dags) for name in _STAGES}
    subjects = [_subject(name) for name in sorted({name for dag in dags for name in dag.inputs})]
    subjects.append(Subject(name="environment acc", kind="environment", sha256=_digest("acc")))
    kept = [
        store.write(project, name, COMMIT, seal(statement(found, subjects, passed=name == "test")))
        for name, found in evidence.items()
    ]
    report = _report(evidence["acc"], kept[-1].relative_to(project).as_posix())
    view = page.of_gate(report, project, standings(project / "environments"), open_claim(kept[-1]).subjects)
    target = project / "report.html"
    target.write_text(page.render(view), encoding="utf-8")
    return target


def _report(evidence: Evidence, file: str) -> GateReport:
    return GateReport(
        verdict="fail",
        reasons=(
            "runs: orders_medallion: publish failed on its last try",
            "drift: connection partner: missing; used at dags/orders_medallion.py:31",
            "proofs: orders_medallion: rerun is refuted",
        ),
        stage="acc",
        environment="acc",
        commit=COMMIT,
        notes=("integrity: 4 findings, 1 hidden with a reason", "not as in the commit: jobs/common/tables.py"),
        collected=evidence.collected,
        dags=evidence.dags,
        drift=evidence.drift,
        approval=evidence.approval,
        evidence=file,
        seconds=612.0,
    )


def _evidence(stage: str, dags: tuple[DagEvidence, ...]) -> Evidence:
    finding = "dags/orders_medallion.py:31 DAG801 acc has no connection 'partner'"
    failed = stage == "acc"
    return Evidence(
        environment=stage,
        stage=stage,
        commit=COMMIT,
        started=START,
        finished=START + timedelta(minutes=10),
        collected=(
            Collected(
                requirement="integrity",
                outcome="fail" if failed else "pass",
                checked=14,
                failed=int(failed),
                reasons=(finding,) if failed else (),
                notes=("4 findings, 1 hidden with a reason",),
                seconds=8.2,
            ),
            Collected(requirement="unit", outcome="pass", checked=88, seconds=31.0, reused=COMMIT),
            _summed("runs", 206, 1 if failed else 0, "1 of 2 DAGs failed"),
            _summed("proofs", 4, 2 if failed else 0, "2 of 4 proofs do not hold"),
            _summed(
                "drift", 31, 1 if failed else 0, "connection partner: missing; used at dags/orders_medallion.py:31"
            ),
        ),
        dags=dags if failed else tuple(dag.model_copy(update={"verdict": "pass"}) for dag in dags),
        drift=(
            Drift(kind="connection", name="partner", change="missing", uses=("dags/orders_medallion.py:31",)),
            Drift(kind="pool", name="wide", change="extra", allowed="acceptance has one pool for each team"),
        ),
        approval=Approval(name="release-manager", reason="change 4711", at=START) if failed else None,
    )


def _summed(requirement: str, checked: int, failed: int, reason: str) -> Collected:
    return Collected(
        requirement=requirement,
        outcome="fail" if failed else "pass",
        checked=checked,
        failed=failed,
        reasons=(reason,) if failed else (),
        seconds=checked * 1.5,
    )


def _ran(project: Path, run: RunResult) -> DagEvidence:
    """Leave a run's report and logs where `Session.run` leaves them, after a green run of the day before."""
    for day, one in ((1, _green(run)), (2, run)):
        folder = project / ".harness" / "runs" / f"2026010{day}T060000-{run.dag_id}-{day}a"
        folder.mkdir(parents=True)
        for task in one.tasks:
            if task.state == "failed":
                lines = [f"[2026-01-02 06:00:{n % 60:02}] INFO - row {n} of daily_revenue" for n in range(90)]
                lines += ["Traceback (most recent call last):", "ValueError: <b>no rows</b> & nothing to publish"]
                (folder / "publish.log").write_text("\n".join(lines))
        report = RunReport(
            verdict=one.verdict,
            reasons=one.reasons,
            dag_id=one.dag_id,
            environment="acc",
            namespace="ns",
            runs=(one,),
            folder=str(folder),
            seconds=one.seconds,
        )
        (folder / page.REPORT).write_text(report.model_dump_json(by_alias=True))
    failed = sum(task.state == "failed" for task in run.tasks)
    return DagEvidence(
        dag_id=run.dag_id,
        path=f"dags/{run.dag_id}.py",
        inputs=(f"dags/{run.dag_id}.py", "jobs/common/tables.py", "jobs/medallion/silver.py"),
        verdict=run.verdict,
        reasons=run.reasons,
        runs=1,
        tasks=len(run.tasks),
        failed_tasks=failed,
        seconds=run.seconds,
        proofs=_PROOFS if failed else _PROOFS[:1],
        contracts=("daily_revenue",),
        broken=("daily_revenue: column country: 2 rows are not one of NL, DE",) if failed else (),
        folder=folder.relative_to(project).as_posix(),
    )


_PROOFS = (
    Proved(property="masked", outcome="holds"),
    Proved(
        property="rerun",
        outcome="refuted",
        reason="running a date again changes what is there",
        scenario=("run 2026-01-02", "run 2026-01-02 again"),
        differences=("the second run of 2026-01-02 adds 14 rows to daily_revenue",),
    ),
    Proved(property="clock", outcome="undecided", reason="the clock of a service cannot be shifted here"),
)


def _green(run: RunResult) -> RunResult:
    tasks = tuple(task.model_copy(update={"state": "success"}) for task in run.tasks)
    return run.model_copy(update={"verdict": "pass", "reasons": (), "tasks": tasks, "outputs": ()})


def _orders() -> RunResult:
    """Return a run in which the last task but one fails twice."""
    names = ("produce", "bronze", "silver", "gold")
    tasks = [_task(name, n, names[n - 1 : n], 12.0) for n, name in enumerate(names)]
    tasks.append(_task("publish", 4, ("gold",), 4.0, state="failed", tries=2))
    tasks.append(
        TaskResult(task_id="audit", state="upstream_failed", upstream=("publish",), operator="SQLCheckOperator")
    )
    changed = Difference(
        service="s3",
        name="lake/gold/daily_revenue",
        kind="delta",
        change="changed",
        rows_before=14,
        rows_after=28,
        added=14,
        removed=0,
        first_added={"event_date": "2026-01-02", "country": "NL", "orders": 3},
    )
    return RunResult(
        dag_id="orders_medallion",
        run_id="manual__2026-01-02",
        logical_date=START,
        verdict="fail",
        reasons=("publish failed on its last try: ValueError: no rows",),
        tasks=tuple(tasks),
        outputs=(changed,),
        seconds=64.0,
    )


def _fan() -> RunResult:
    """Return a run of two hundred tasks: one that fans out to groups, and the groups in steps."""
    tasks = [_task("plan", 0, (), 2.0)]
    for n in range(1, WIDE):
        before = f"region_{n - 20:03}.load" if n > 20 else "plan"
        tasks.append(_task(f"region_{n:03}.load", n, (before,), 3.0))
    return RunResult(
        dag_id="regions",
        run_id="manual__2026-01-02",
        logical_date=START,
        verdict="pass",
        tasks=tuple(tasks),
        seconds=220.0,
    )


def _task(
    name: str, at: int, upstream: tuple[str, ...], seconds: float, *, state: str = "success", tries: int = 1
) -> TaskResult:
    begin = START + timedelta(seconds=at * (12 if seconds > 3 else 1))
    every = tuple(
        TryResult(
            number=number,
            state=state if number == tries else "up_for_retry",
            start=begin + timedelta(seconds=(number - 1) * seconds),
            seconds=seconds,
            log="publish.log" if state == "failed" else None,
            error="ValueError: no rows" if state == "failed" else None,
        )
        for number in range(1, tries + 1)
    )
    return TaskResult(
        task_id=name,
        state=state,
        tries=every,
        start=begin,
        seconds=seconds * tries,
        operator="SparkSubmitOperator" if seconds > 3 else "@task",
        rendered={"application": f"jobs/medallion/{name}.py", "conf": {"spark.sql.shuffle.partitions": "2"}},
        xcoms={"return_value": {"rows": 14 * at}},
        upstream=upstream,
    )


def _subject(name: str) -> Subject:
    return Subject(name=name, kind="dag" if name.startswith("dags/") else "input", sha256=_digest(name))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
