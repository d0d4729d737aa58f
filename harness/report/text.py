"""A run as plain text sections, for the report of a failing test."""

from __future__ import annotations

import io
from collections import deque
from pathlib import Path

from rich.console import Console

from harness.models.run import RunReport
from harness.report.run import changes_in_words, print_tasks

LOG_TAIL = 40
"""Lines of each failed task's log: enough for a traceback and what led to it."""


def run_sections(report: RunReport) -> list[tuple[str, str]]:
    """Return (title, text) pairs: the verdict with its tasks, what changed in the stores, the logs of failed tasks."""
    told = [*report.reasons, *(f"warning: {words}" for words in report.warnings), task_table(report)]
    sections = [(f"harness run {report.dag_id}: {report.verdict}", "\n".join(told))]
    if changes := changes_in_words(report):
        sections.append((f"what {report.dag_id} changed", changes))
    for run in report.runs:
        for task in run.tasks:
            last = task.tries[-1] if task.tries else None
            if task.state == "failed" and last is not None and last.log:
                sections.append(
                    (f"log of {task.name}, try {last.number}, {run.run_id}", tail(Path(report.folder or "", last.log)))
                )
    return sections


def task_table(report: RunReport) -> str:
    """Return the table of tasks and dates without colours."""
    out = Console(file=io.StringIO(), width=160, no_color=True, highlight=False)
    print_tasks(report, out)
    text = out.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO from above
    return str(text).rstrip()


def tail(path: Path, lines: int = LOG_TAIL) -> str:
    """Return the last lines of a file, or why there are none."""
    try:
        with path.open(errors="replace") as file:
            return "".join(deque(file, maxlen=lines)).rstrip()
    except OSError as error:
        return f"no log: {error}"
