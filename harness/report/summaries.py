"""A run or a gate for machines and CI pages: JUnit XML, and the Markdown that GITHUB_STEP_SUMMARY shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from harness.models.gate import GateReport
from harness.models.run import RunReport, task_names
from harness.state.diff import in_words


def run_junit(report: RunReport) -> str:
    """Return one test case for each task of each run; a failure carries the error."""
    cases = [
        (f"{report.dag_id}.{run.run_id}", task.name, task.seconds or 0.0, _why(task.state, task.declared, task.tries))
        for run in report.runs
        for task in run.tasks
    ]
    # a verdict that no task explains is a case of its own: a masked failure, a deadline
    cases.append((report.dag_id, "verdict", report.seconds, None if report.passed else "; ".join(report.reasons)))
    return _junit("harness run", cases)


def _why(state: str | None, declared: str | None, tries: Iterable[object]) -> str | None:
    if declared or state in ("success", "skipped", "removed"):
        return None
    errors = [str(getattr(one, "error", "")) for one in tries if getattr(one, "error", None)]
    return errors[-1] if errors else f"the task is {state or 'without a state'}"


def gate_junit(report: GateReport) -> str:
    """Return one test case for each requirement and each DAG; a failure carries the reasons."""
    cases: list[tuple[str, str, float, str | None]] = []
    for one in report.collected:
        why = None if one.outcome == "pass" else "; ".join(one.reasons) or one.outcome
        cases.append((f"gate.{report.environment}", one.requirement, one.seconds, why))
    for dag in report.dags:
        bad = [*dag.reasons, *dag.broken, *(f"{p.property}: {p.outcome}" for p in dag.proofs if p.outcome == "refuted")]
        why = "; ".join(bad) or (None if dag.verdict in ("pass", None) else str(dag.verdict))
        cases.append((f"gate.{report.environment}.dags", dag.dag_id, dag.seconds, why))
    cases.append((f"gate.{report.environment}", "verdict", report.seconds, "\n".join(report.reasons) or None))
    return _junit("harness gate", cases)


def _junit(name: str, cases: Sequence[tuple[str, str, float, str | None]]) -> str:
    failed = sum(why is not None for *_, why in cases)
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", name=name, tests=str(len(cases)), failures=str(failed), errors="0")
    for classname, case, seconds, why in cases:
        node = ET.SubElement(suite, "testcase", classname=classname, name=case, time=f"{seconds:.3f}")
        if why is not None:
            ET.SubElement(node, "failure", message=why.splitlines()[0] if why else "").text = why
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def run_markdown(report: RunReport) -> str:
    """Return a table of tasks by dates, what changed, the reasons and the warnings."""
    lines = [f"## {_mark(report.passed)} {report.dag_id} on {report.environment}", ""]
    names = task_names(report.runs)
    heads = [f"{run.logical_date:%Y-%m-%d}" if run.logical_date else run.run_id for run in report.runs]
    rows = []
    for name in names:
        found = [{task.name: task for task in run.tasks}.get(name) for run in report.runs]
        rows.append([f"`{name}`", *(f"{t.state} {t.seconds or 0:.1f} s" if t else "" for t in found)])
    lines += _table(["task", *heads], rows)
    lines += ["", *(f"- {in_words(one)}" for run in report.runs for one in run.outputs)]
    warnings = ["", *(f"- warning: {words}" for words in report.warnings)] if report.warnings else []
    return "\n".join([*lines, *_reasons(report.reasons), *warnings]) + "\n"


def gate_markdown(report: GateReport) -> str:
    """Return a table of requirements, one of DAGs, and the reasons to refuse."""
    lines = [f"## {_mark(report.passed)} gate to {report.environment}, commit `{report.commit[:12] or 'none'}`", ""]
    collected = [[one.requirement, one.outcome, f"{one.checked}", f"{one.failed}"] for one in report.collected]
    lines += _table(["requirement", "outcome", "checked", "failed"], collected)
    dags = [
        [
            f"`{dag.dag_id}`",
            dag.verdict or "not run",
            f"{dag.tasks}",
            "unchanged" if dag.reused else f"{dag.seconds:.1f} s",
        ]
        for dag in report.dags
    ]
    lines += ["", *(_table(["DAG", "verdict", "tasks", "time"], dags) if dags else [])]
    return "\n".join([*lines, *_reasons(report.reasons)]) + "\n"


def _mark(passed: bool) -> str:
    return "✅ PASS" if passed else "❌ FAIL"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    escaped = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *escaped)]


def _reasons(reasons: Sequence[str]) -> list[str]:
    return ["", *(f"- **{reason}**" for reason in reasons)] if reasons else []
