"""Shows a run: its tasks while they go; at the end a table of states, what changed in the stores, and the verdict."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.markup import escape

from harness.models.run import RunReport, RunResult, TaskResult, task_names
from harness.report.console import console, styled
from harness.runner.request import RunEvent
from harness.state.diff import count, in_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

_LOG_LINES = 12


def print_report(report: RunReport, *, stderr: bool = False) -> None:
    """Print the whole result for people."""
    out = console(stderr=stderr)
    if report.runs:
        print_tasks(report, out)
        _print_outputs(report, out)
    for run in report.runs:
        _print_failures(run, Path(report.folder or ""), out)
    for service in report.services:
        if not service.healthy:
            out.print(f"[red]service {service.service} ({service.engine})[/red] {escape(service.detail)}")
    runs = [run for group in _by_dag(report).values() for run in group]
    for run in runs:
        for words in run.waits_for:
            out.print(f"{run.dag_id} of {_label(run)}: {words}", markup=False)
    tasks = sum(len(run.tasks) for run in runs)
    where = f"{count(len(runs), 'run')}, {count(tasks, 'task')} in {report.seconds:.1f} s"
    out.print(f"{_verdict(report.verdict)} {report.dag_id}: {where}")
    for reason in report.reasons:
        out.print(f"  {escape(reason)}")
    for words in report.warnings:
        out.print(f"  [yellow]warning:[/yellow] {escape(words)}")
    if report.folder and report.verdict != "pass":
        out.print(f"  logs and rendered fields: {report.folder}", markup=False)


def _verdict(verdict: str) -> str:
    style = "bold green" if verdict == "pass" else "bold red"
    return f"[{style}]{verdict.upper()}[/{style}]"


def _label(run: RunResult) -> str:
    if run.logical_date is None:
        return run.run_id
    date = run.logical_date
    return f"{date:%Y-%m-%d}" if (date.hour, date.minute, date.second) == (0, 0, 0) else f"{date:%Y-%m-%d %H:%M}"


def print_tasks(report: RunReport, out: Console) -> None:
    """One row for each task, one column for each run: what differs from date to date stands side by side."""
    from rich.table import Table

    for dag_id, runs in _by_dag(report).items():
        table = Table(escape(dag_id), *(_label(run) for run in runs), box=None)
        for name in task_names(runs):
            found = ({task.name: task for task in run.tasks}.get(name) for run in runs)
            table.add_row(escape(name), *(_cell(task) if task else "" for task in found))
        out.print(table)


def _by_dag(report: RunReport) -> dict[str, list[RunResult]]:
    """Group the runs, and those that they triggered, by DAG, in the order in which they began."""
    groups: dict[str, list[RunResult]] = {}
    waiting = list(report.runs)
    while waiting:
        run = waiting.pop(0)
        groups.setdefault(run.dag_id, []).append(run)
        waiting.extend(run.triggered)
    return groups


def _cell(task: TaskResult) -> str:
    parts = [styled(task.state)]
    if task.seconds is not None:
        parts.append(f"{task.seconds:.1f} s")
    if len(task.tries) > 1:
        parts.append(f"[yellow]{len(task.tries)} tries[/yellow]")
    if task.declared:
        parts.append("[dim](declared)[/dim]")
    return " ".join(parts)


def _print_outputs(report: RunReport, out: Console) -> None:
    """What each run changed in the stores; that it was nothing is worth a line too."""
    names = {(one.service, one.name): one.kind for run in report.runs for one in run.outputs}
    if not names and report.services:
        out.print("no store was changed")
    if counted := sorted(key for key, kind in names.items() if kind != "object"):
        _print_rows(report, counted, out)
    if any(kind == "object" for kind in names.values()):
        _print_objects(report, out)


def _print_objects(report: RunReport, out: Console) -> None:
    """How many objects each run added, changed and removed, by bucket and first folder: names differ with the date."""
    from rich.table import Table

    found: list[Counter[tuple[str, str, str]]] = [
        Counter((one.service, _folder(one.name), one.change) for one in run.outputs if one.kind == "object")
        for run in report.runs
    ]
    table = Table("objects of the run", *(_label(run) for run in report.runs), box=None)
    for service, folder in sorted({key[:2] for changes in found for key in changes}):
        marks = {"added": "+", "changed": "~", "removed": "-"}
        cells = [
            " ".join(
                f"{mark}{changes[key]}"
                for change, mark in marks.items()
                if (key := (service, folder, change)) in changes
            )
            for changes in found
        ]
        table.add_row(escape(f"{service} {folder}"), *(cell or "[dim](same)[/dim]" for cell in cells))
    out.print(table)


def _folder(name: str) -> str:
    parts = name.split("/")
    return "/".join(parts[: min(2, len(parts) - 1)]) + "/"


def _print_rows(report: RunReport, counted: list[tuple[str, str]], out: Console) -> None:
    """Row counts after each run, for every dataset that some run changed."""
    from rich.table import Table

    table = Table("rows after the run", *(_label(run) for run in report.runs), box=None)
    for key in counted:
        last = ""
        cells = []
        for run in report.runs:
            found = next((one for one in run.outputs if (one.service, one.name) == key), None)
            if found is not None:
                change = f"+{found.added}" + (f" -{found.removed}" if found.removed else "")
                last = f"{found.rows_after:,}"
                cells.append(f"{last} [dim]({change})[/dim]")
            else:
                cells.append(f"{last} [dim](same)[/dim]" if last else "")
        table.add_row(escape(f"{key[0]} {key[1]}"), *cells)
    out.print(table)


def _print_failures(run: RunResult, folder: Path, out: Console) -> None:
    for task in run.tasks:
        if task.state != "failed" or task.declared:
            continue
        last = task.tries[-1] if task.tries else None
        error = (last.error if last else None) or "failed"
        out.print(f"[red]{escape(task.name)}[/red] of {_label(run)}: {escape(error)}")
        if last and last.log:
            out.print(f"  log: {folder / last.log}", markup=False)
    for name, stack in run.stacks.items():
        out.print(f"[red]{escape(name)}[/red] was here when its time was up:")
        out.print("\n".join(f"  {line}" for line in stack.splitlines()[-_LOG_LINES:]), markup=False)


def changes_in_words(report: RunReport) -> str:
    """Return one sentence for each difference of each run, for reports of failing tests."""
    return "\n".join(f"{_label(run)}: {in_words(one)}" for run in report.runs for one in run.outputs)


class RunProgress:
    """Says on standard error what starts and how it ends; on a terminal the running tasks stand in a status line."""

    def __init__(self, *, live: bool = True) -> None:
        self._console = console()
        self._live = live and self._console.is_terminal
        self._running: dict[str, None] = {}
        self._status: Status | None = None

    def __enter__(self) -> RunProgress:
        if self._live:
            self._status = self._console.status("starting")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def __call__(self, event: RunEvent) -> None:
        """Show one step."""
        if event.kind == "task":
            self._show_task(event)
        elif event.kind == "run" and event.state == "running":
            self._console.print(f"{event.dag_id} {event.run_id}", markup=False)
        if self._status is not None:
            doing = ", ".join(self._running) or event.state
            self._status.update(escape(doing))

    def _show_task(self, event: RunEvent) -> None:
        if event.state == "running":
            self._running[event.task] = None
            return
        self._running.pop(event.task, None)
        took = f" {event.seconds:.1f} s" if event.seconds is not None else ""
        which = f" (try {event.try_number})" if event.try_number > 1 else ""
        detail = f" [dim]{escape(event.detail)}[/dim]" if event.detail else ""
        self._console.print(f"  {escape(event.task):<20} {styled(event.state)}{took}{which}{detail}")
