"""One HTML page of a run or a gate: offline, without a script or font from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.models.gate import GateReport, StageStanding, Subject
from harness.models.run import RunReport, RunResult, TaskResult
from harness.report.graph import Layout, layout
from harness.report.text import tail
from harness.state.diff import in_words

REPORT = "report.json"
"""What `Session.run` leaves in a run's folder."""

_LOG_LINES = 60
_VALUE = 2000
"""Characters of a rendered field or an XCom that are shown."""


@dataclass(frozen=True)
class TaskView:
    """One task of one run, as the page shows it. `left` and `width` place its bar, in per cent of the run."""

    name: str
    state: str
    operator: str
    tries: int
    seconds: float | None
    left: float
    width: float
    declared: str
    error: str
    log: str
    rendered: Sequence[tuple[str, str]]
    xcoms: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class RunView:
    """One run of a DAG."""

    label: str
    run_id: str
    verdict: str
    reasons: Sequence[str]
    seconds: float
    tasks: Sequence[TaskView]
    graph: Layout
    states: dict[str, str]
    outputs: Sequence[str]
    warnings: Sequence[str] = ()
    since: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """All that one page shows.

    Args:
        facts: name and value pairs for the head.
        dags: id -> its runs.
        gate: the gate's answer, when the page is about one.
        stages: how all stages stand, side by side.
        subjects: what the gate's evidence is about.
        warnings: what did not fail, and should be known.
    """

    title: str
    verdict: str
    reasons: Sequence[str]
    facts: Sequence[tuple[str, str]]
    dags: dict[str, list[RunView]] = field(default_factory=dict)
    gate: GateReport | None = None
    stages: Sequence[StageStanding] = ()
    subjects: Sequence[Subject] = ()
    warnings: Sequence[str] = ()

    @property
    def states(self) -> list[str]:
        """Return the states that tasks are in."""
        return sorted({task.state for runs in self.dags.values() for run in runs for task in run.tasks})


def load(folder: Path) -> RunReport:
    """Read the report of a run's folder.

    Raises:
        ConfigError: the folder has none, or it cannot be read.
    """
    from pydantic import ValidationError

    try:
        return RunReport.model_validate_json((folder / REPORT).read_bytes())
    except (OSError, ValidationError) as error:
        words = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"has no report that can be read: {words}", path=folder, hint="name a folder of .harness/runs"
        ) from error


def newest(project: Path) -> Path:
    """Return the folder of the last run; raises ConfigError when nothing was run yet."""
    found = sorted((project / ".harness" / "runs").glob(f"*/{REPORT}"))
    if not found:
        raise ConfigError(f"no run has left a report in {project / '.harness' / 'runs'}", hint="harness run DAG")
    return found[-1].parent


def of_run(report: RunReport) -> Page:
    """Return the page of one `harness run`."""
    services = ", ".join(f"{one.service} ({one.engine}{'' if one.healthy else ', lost'})" for one in report.services)
    facts = [
        ("environment", report.environment),
        ("runs", f"{len(report.runs)}"),
        ("tasks", f"{sum(len(run.tasks) for run in report.runs)}"),
        ("seconds", f"{report.seconds:.1f}"),
        ("services", services or "none"),
        ("folder", report.folder or ""),
    ]
    return Page(report.dag_id, report.verdict, report.reasons, facts, _dags([report]), warnings=report.warnings)


def of_gate(
    report: GateReport, project: Path, stages: Sequence[StageStanding] = (), subjects: Sequence[Subject] = ()
) -> Page:
    """Return the page of a gate, with the runs that its evidence rests on, where their folders are still there."""
    facts = [
        ("stage", report.stage),
        ("environment", report.environment),
        ("commit", report.commit or "none"),
        ("evidence", report.evidence or "none"),
        ("signature", report.signature),
    ]
    if report.approval:
        facts.append(("approved by", f"{report.approval.name}: {report.approval.reason}"))
    folders = [project / dag.folder for dag in report.dags if dag.folder]
    runs = [load(folder) for folder in folders if (folder / REPORT).is_file()]
    title = f"Gate to {report.environment}"
    return Page(title, report.verdict, report.reasons, facts, _dags(runs), report, stages, subjects)


def render(page: Page) -> str:
    """Return the page as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("harness.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return found.get_template("page.html.j2").render(page=page)


def _dags(reports: Sequence[RunReport]) -> dict[str, list[RunView]]:
    found: dict[str, list[RunView]] = {}
    for report in reports:
        folder = Path(report.folder or ".")
        green = _last_green(folder, report)
        waiting = list(report.runs)
        while waiting:
            run = waiting.pop(0)
            waiting += run.triggered
            found.setdefault(run.dag_id, []).append(_run(run, folder, green))
    return found


def _last_green(folder: Path, report: RunReport) -> RunReport | None:
    """Return the last report of the same DAG before this one that passed; folders sort by time."""
    others = [path for path in folder.parent.glob(f"*-{report.dag_id}-*/{REPORT}") if path.parent.name < folder.name]
    for path in sorted(others, reverse=True)[:20]:
        try:
            earlier = load(path.parent)
        except ConfigError:
            continue
        if earlier.passed and earlier.dag_id == report.dag_id:
            return earlier
    return None


def _run(run: RunResult, folder: Path, green: RunReport | None) -> RunView:
    starts = [one.start for task in run.tasks for one in task.tries if one.start]
    begin = min(starts, default=None)
    upstream: dict[str, tuple[str, ...]] = {task.task_id: task.upstream for task in run.tasks}
    return RunView(
        label=f"{run.logical_date:%Y-%m-%d %H:%M}" if run.logical_date else run.run_id,
        run_id=run.run_id,
        verdict=run.verdict,
        reasons=run.reasons,
        seconds=run.seconds,
        tasks=[_task(task, folder, begin, _span(run, begin)) for task in run.tasks],
        graph=layout(upstream),
        states=_states(run.tasks),
        outputs=[in_words(one) for one in run.outputs],
        warnings=run.warnings,
        since=_since(run, green),
    )


def _states(tasks: Sequence[TaskResult]) -> dict[str, str]:
    """Return the state that stands for all instances of a task: the worst."""
    order = ("failed", "upstream_failed", "none", "up_for_retry", "running", "skipped", "removed", "success")
    found: dict[str, str] = {}
    for task in tasks:
        state = task.state or "none"
        known = found.get(task.task_id, "success")
        rank = {name: number for number, name in enumerate(order)}
        found[task.task_id] = min(state, known, key=lambda name: rank.get(name, 3))
    return found


def _span(run: RunResult, begin: datetime | None) -> float:
    ends = [
        (one.start - begin).total_seconds() + (one.seconds or 0)
        for task in run.tasks
        for one in task.tries
        if one.start and begin
    ]
    return max([*ends, 0.001])


def _task(task: TaskResult, folder: Path, begin: datetime | None, span: float) -> TaskView:
    last = task.tries[-1] if task.tries else None
    start = (task.start - begin).total_seconds() if task.start and begin else 0.0
    end = (last.start - begin).total_seconds() + (last.seconds or 0) if last and last.start and begin else start
    return TaskView(
        name=task.name,
        state=task.state or "none",
        operator=task.operator or "",
        tries=len(task.tries),
        seconds=task.seconds,
        left=round(100 * start / span, 2),
        width=max(round(100 * (end - start) / span, 2), 0.4) if task.tries else 0.0,
        declared=task.declared or "",
        error=next((one.error for one in reversed(task.tries) if one.error), None) or "",
        log=tail(folder / last.log, _LOG_LINES) if last and last.log else "",
        rendered=_values(task.rendered),
        xcoms=_values(task.xcoms),
    )


def _values(given: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, _value(value)) for name, value in given.items() if value not in (None, "", [], {})]


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}… ({len(text)} characters)"


def _since(run: RunResult, green: RunReport | None) -> list[str]:
    """Say how the run differs from the same date of the last green report, else from its last run."""
    if green is None or not green.runs:
        return []
    same = [one for one in green.runs if one.dag_id == run.dag_id and one.logical_date == run.logical_date]
    other = (same or list(green.runs))[-1]
    if other.dag_id != run.dag_id:
        return []
    before, now = other.states, run.states
    words = [f"{name}: {before[name]} → {now[name]}" for name in now if name in before and before[name] != now[name]]
    words += [f"{name}: new task" for name in now if name not in before]
    words += [f"{name}: task is gone" for name in before if name not in now]
    return words
