"""Shows a gate: what is being collected, and at the end the table of requirements and every reason to refuse."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.markup import escape

from harness.models.gate import GateReport
from harness.report.console import console, styled

if TYPE_CHECKING:
    from rich.status import Status


class GateProgress:
    """Shows each step on standard error: what runs now on a terminal, a line for what is done. Use it with `with`."""

    def __init__(self) -> None:
        self._console = console()
        self._status: Status | None = None

    def __enter__(self) -> GateProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def __call__(self, requirement: str, subject: str, state: str, detail: str = "") -> None:
        """Show one step: `running`, or how it ended."""
        what = f"{requirement} {subject}".rstrip()
        if state == "running":
            if self._console.is_terminal:
                text = f"{escape(what)} [dim]{escape(detail)}[/dim]"
                if self._status is None:
                    self._status = self._console.status(text)
                    self._status.start()
                self._status.update(text)
            return
        self._clear()
        word = "[dim]unchanged[/dim]" if state == "reused" else styled(state)
        self._console.print(f"{escape(what):<32} {word} {escape(detail)}")

    def _clear(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None


def print_gate(report: GateReport) -> None:
    """Print the requirements with what they came to, the DAGs, the reasons, and the verdict."""
    from rich.table import Table

    out = console(stderr=False)
    if report.collected:
        table = Table("requirement", "outcome", "checked", "failed", "seconds", box=None)
        for one in report.collected:
            outcome = styled(one.outcome)
            again = " [dim](unchanged)[/dim]" if one.reused else ""
            table.add_row(one.requirement, outcome + again, f"{one.checked}", f"{one.failed}", f"{one.seconds:.1f}")
        out.print(table)
    _print_dags(report)
    for note in report.notes:
        out.print(f"[dim]note: {escape(note)}[/dim]")
    for reason in report.reasons:
        out.print(f"[red]refused[/red] {escape(reason)}")
    for what in report.todo:
        out.print(f"would collect: {escape(what)}")
    if report.approval is not None:
        word = "" if report.signature == "verified" else " (unauthenticated)"
        out.print(f"approved by {escape(report.approval.name)}{word}: {escape(report.approval.reason)}")
    style = "bold green" if report.passed else "bold red"
    where = f"; evidence: {report.evidence}" if report.evidence else ""
    commit = report.commit[:12] or "no commit"
    out.print(
        f"[{style}]{report.verdict.upper()}[/{style}] {report.environment} at {commit}: "
        f"{len(report.reasons)} reasons to refuse{escape(where)}"
    )


def _print_dags(report: GateReport) -> None:
    from rich.table import Table

    if not report.dags:
        return
    table = Table("DAG", "runs", "tasks", "seconds", "proofs", "contracts", box=None)
    for dag in report.dags:
        holds = sum(one.outcome == "holds" for one in dag.proofs)
        proofs = f"{holds}/{len(dag.proofs)} hold" if dag.proofs else ""
        state = styled(dag.verdict) + (" [dim](unchanged)[/dim]" if dag.reused else "")
        kept = f"{len(dag.contracts)} kept" if dag.contracts and not dag.broken else f"{len(dag.broken)} broken"
        table.add_row(
            escape(dag.dag_id), state, f"{dag.tasks}", f"{dag.seconds:.1f}", proofs, kept if dag.contracts else ""
        )
    console(stderr=False).print(table)
