"""Collects what a stage requires: static checks, unit tests, runs with their data, proofs."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

from harness.checks.model import CheckReport
from harness.environment.installing import how_to_install
from harness.errors import HarnessError, ServiceError
from harness.gate.contracts import Contract
from harness.gate.holds import broken
from harness.gate.rows import read
from harness.gate.subjects import Scope, named
from harness.models.gate import Collected, DagEvidence, Proved
from harness.models.run import RunReport

if TYPE_CHECKING:
    from harness.api import Session
    from harness.models.proof import ProofEvent
    from harness.runner.request import RunEvent
    from harness.session.client import Namespace


class Step(NamedTuple):
    """One step of the collection, for live displays.

    `state` is `running`, `pass`, `fail`, `reused` or `missing`, or the outcome of the proof that `detail` begins with.
    """

    requirement: str
    subject: str
    state: str
    detail: str = ""


OnStep = Callable[[Step], None]

_FOUND = 5
"""Findings that are told one by one."""


def integrity(checked: CheckReport) -> Collected:
    """Return what the static rules came to."""
    errors = [one for one in checked.findings if one.severity == "error"]
    reasons = [f"{one.place} {one.rule} {one.message}" for one in errors[:_FOUND]]
    if len(errors) > _FOUND:
        reasons.append(f"{len(errors) - _FOUND} more errors; see `harness check`")
    if not checked.passed and not reasons:
        reasons = list(checked.reasons)
    return Collected(
        requirement="integrity",
        outcome="pass" if checked.passed else "fail",
        checked=checked.files,
        failed=len({one.path for one in errors}),
        reasons=tuple(reasons),
        notes=(f"{len(checked.findings)} findings, {checked.hidden} hidden with a reason",),
        seconds=checked.seconds,
    )


def unit(project: Path, folders: Sequence[str], deadline: float) -> Collected:
    """Run the project's unit tests in a process of their own, and count them.

    Args:
        folders: from the project's root; those that are not there hold no tests.
        deadline: seconds.
    """
    there = [folder for folder in folders if (project / folder).exists()]
    if not there:
        missing = f"there are no unit tests: {', '.join(folders)} is not there"
        return Collected(requirement="unit", outcome="missing", reasons=(missing,))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="harness-unit-") as place:
        result = Path(place, "junit.xml")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={result}", *there]
        try:
            done = subprocess.run(
                command,
                cwd=project,
                capture_output=True,
                text=True,
                timeout=deadline,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            reason = f"the unit tests were still running after {deadline:g} s"
            return Collected(requirement="unit", outcome="fail", failed=1, reasons=(reason,), seconds=deadline)
        counted = _counted(result) if result.is_file() else None
    seconds = time.monotonic() - began
    if counted is None:
        words = (done.stderr or done.stdout).strip().splitlines()
        reason = f"pytest ended with exit code {done.returncode}: {words[-1] if words else 'it said nothing'}"
        return Collected(requirement="unit", outcome="fail", failed=1, reasons=(reason,), seconds=seconds)
    checked, failed = counted
    bad = bool(failed) or done.returncode not in (0, 5)
    return Collected(
        requirement="unit",
        outcome="fail" if bad else "pass",
        checked=checked,
        failed=len(failed),
        reasons=tuple(failed[:_FOUND]) or ((f"pytest ended with exit code {done.returncode}",) if bad else ()),
        seconds=seconds,
        at=datetime.now(UTC),
    )


def _counted(result: Path) -> tuple[int, list[str]]:
    """Return how many tests were not skipped, and of those that failed the names and the reasons."""
    cases = list(ET.parse(result).getroot().iter("testcase"))  # noqa: S314 - pytest wrote it a moment ago
    ran = [case for case in cases if case.find("skipped") is None]
    outcomes = [(case, _first(case.find("failure"), case.find("error"))) for case in ran]
    return len(ran), [_failed(case, why) for case, why in outcomes if why is not None]


def _first(*found: ET.Element | None) -> ET.Element | None:
    return next((one for one in found if one is not None), None)


def _failed(case: ET.Element, why: ET.Element) -> str:
    """Say in one line which test failed and why; a file that could not be collected has no test of its own to name."""
    said = why.get("message", "").splitlines()
    if said != ["collection failure"]:
        return f"{case.get('classname')}::{case.get('name')} failed: {said[0] if said else 'no reason was given'}"
    text = why.text or ""
    errors = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    # the last place is the nearest to the fault; one that cannot be parsed is told by the error itself
    places = re.findall(r"^(\S+\.py:\d+)\b", text, re.MULTILINE)
    own = [place for place in places if "/site-packages/" not in place and not place.startswith("/")]
    syntax = re.search(r'^E\s+File "[^"]*", line (\d+)', text, re.MULTILINE)
    file = (case.get("name") or "").replace(".", "/") + ".py"
    place = f"{file}:{syntax[1]}" if syntax else own[-1] if own else file
    words = errors[-1] if errors else text.strip().splitlines()[-1] if text.strip() else "no reason was given"
    return "; ".join(filter(None, (f"{file} cannot be collected: {place}: {words}", how_to_install(words))))


def run_dag(  # noqa: PLR0913, PLR0917 - one argument for each thing that a run is held against
    session: Session,
    dag_id: str,
    scope: Scope,
    contracts: Sequence[Contract],
    deadline: float,
    on_step: OnStep = lambda step: None,
) -> DagEvidence:
    """Run a DAG in a fresh namespace, and hold the data that it leaves against the contracts about it.

    Raises:
        ServiceError: a service was lost.
    """
    project = session.environment.project.resolve()
    dag = DagEvidence(dag_id=dag_id, path=scope.files[dag_id], inputs=scope.inputs[dag_id])
    try:
        with session.namespace_for(dag_id) as namespace:
            report = session.run(dag_id, namespace=namespace, deadline=deadline, on_event=_teller(dag_id, on_step))
            held, found = _hold(report, namespace, contracts)
    except ServiceError:
        raise
    except HarnessError as error:
        return dag.model_copy(update={"verdict": "error", "reasons": (str(error),), "collected": datetime.now(UTC)})
    tasks = [task for run in report.runs for task in run.tasks]
    return dag.model_copy(
        update={
            "verdict": report.verdict,
            "reasons": report.reasons,
            "runs": len(report.runs),
            "tasks": len(tasks),
            "failed_tasks": sum(task.state in ("failed", "upstream_failed") for task in tasks),
            "seconds": round(report.seconds, 1),
            "collected": datetime.now(UTC),
            "contracts": tuple(held),
            "broken": tuple(found),
            "folder": named(Path(report.folder), project) if report.folder else None,
        }
    )


def _teller(dag_id: str, on_step: OnStep) -> Callable[[RunEvent], None]:
    def tell(event: RunEvent) -> None:
        on_step(Step("runs", dag_id, "running", f"{event.run_id} {event.task} {event.state}".strip()))

    return tell


def _hold(report: RunReport, namespace: Namespace, contracts: Sequence[Contract]) -> tuple[list[str], list[str]]:
    """Return the contracts about what the runs wrote, and what of them is broken."""
    written = {(one.service, one.name) for run in report.runs for one in run.outputs}
    dates = [run.logical_date for run in report.runs if run.logical_date is not None]
    held, found = [], []
    for contract in contracts:
        if (contract.service, contract.dataset) not in written:
            continue
        held.append(contract.name)
        try:
            rows = read(namespace.services[contract.service], contract.dataset)
        except HarnessError as error:
            found.append(f"{contract.name}: {error}")
            continue
        found += broken(contract, rows, max(dates, default=None))
    return held, found


def prove_dag(
    session: Session,
    dag_id: str,
    properties: Sequence[str],
    on_proved: Callable[[Proved], None],
    on_step: OnStep = lambda step: None,
) -> None:
    """Decide the properties of one DAG.

    Args:
        on_proved: takes each as soon as it is decided.

    Raises:
        ImportError: this installation has no prover.
        ServiceError: a service was lost.
    """
    from harness.proofs import prove

    def tell(event: ProofEvent) -> None:
        one = event.result
        if one is not None:
            found = one.model_dump(include={"property", "outcome", "reason", "scenario"})
            on_proved(Proved(**found, differences=one.differences[:_FOUND], collected=datetime.now(UTC)))
        on_step(Step("proofs", dag_id, one.outcome if one else "running", f"{event.property}: {event.detail}"))

    prove(session, [dag_id], list(properties), on_event=tell)


def runs_of(dags: Iterable[DagEvidence], seconds: float = 0.0) -> Collected:
    """Sum up what running the DAGs came to."""
    ran = [dag for dag in dags if dag.verdict is not None]
    bad = [dag for dag in ran if dag.verdict != "pass"]
    reused = [dag for dag in ran if dag.reused]
    return Collected(
        requirement="runs",
        outcome="fail" if bad else "pass" if ran else "missing",
        checked=sum(dag.tasks for dag in ran),
        failed=len(bad),
        # the verdict of each DAG is judged by itself, with its own reasons
        reasons=(f"{len(bad)} of {len(ran)} DAGs failed",) if bad else () if ran else ("no DAG was run",),
        notes=(f"{len(ran)} DAGs, {sum(dag.runs for dag in ran)} runs, {len(reused)} DAGs unchanged",),
        seconds=seconds,
    )


def proofs_of(dags: Iterable[DagEvidence], environment: str, seconds: float = 0.0) -> Collected:
    """Sum up what proving the DAGs in an environment came to."""
    proofs = [one for dag in dags for one in dag.proofs]
    bad = [one for one in proofs if one.outcome in ("refuted", "undecided")]
    return Collected(
        requirement="proofs",
        outcome="fail" if bad else "pass" if proofs else "missing",
        checked=sum(one.outcome != "skipped" for one in proofs),
        failed=len(bad),
        reasons=(f"{len(bad)} of {len(proofs)} proofs do not hold",)
        if bad
        else ()
        if proofs
        else ("no DAG was proved",),
        notes=(
            f"made in {environment}; {sum(one.outcome == 'skipped' for one in proofs)} skipped with a reason, "
            f"{sum(one.reused is not None for one in proofs)} unchanged",
        ),
        seconds=seconds,
    )


def contracts_of(
    dags: Iterable[DagEvidence], contracts: Sequence[Contract], breaking: Sequence[str], notes: Sequence[str]
) -> Collected:
    """Sum up what became of the contracts: data against them, and they against those of the stage's last evidence."""
    every = list(dags)
    found = [one for dag in every for one in dag.broken]
    return Collected(
        requirement="contracts",
        outcome="fail" if found or breaking else "pass",
        checked=len(contracts),
        failed=len(found) + len(breaking),
        reasons=(*breaking, *((f"{len(found)} promises are broken",) if found else ())),
        notes=tuple(notes),
    )
