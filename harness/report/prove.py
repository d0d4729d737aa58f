"""Shows proofs: the scenario under way while they go; at the end a table of properties, and each refutation in full."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.markup import escape

from harness.models.proof import DagProofs, ProofEvent, ProofResult, ProveReport
from harness.report.console import console

if TYPE_CHECKING:
    from rich.status import Status

_STYLES = {"holds": "green", "refuted": "bold red", "skipped": "dim", "undecided": "yellow"}


class ProveProgress:
    """Takes the events of `prove`: a line for each decided property, and what is being done on a terminal."""

    def __init__(self) -> None:
        self._out = console(stderr=True)
        self._status: Status | None = None

    def __enter__(self) -> Self:
        if self._out.is_terminal:
            self._status = self._out.status("")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()

    def __call__(self, event: ProofEvent) -> None:
        if event.outcome is None:
            if self._status:
                self._status.update(f"{event.dag_id} {event.property}: {escape(event.detail)} (step {event.runs + 1})")
            return
        style = _STYLES[event.outcome]
        self._out.print(f"{event.dag_id} {event.property}: [{style}]{event.outcome}[/{style}] {escape(event.detail)}")


def print_proofs(report: ProveReport) -> None:
    """Print the whole result for people."""
    out = console()
    for dag in report.dags:
        out.print(_table(dag))
        for one in dag.proofs:
            if one.outcome == "refuted":
                _print_refutation(dag.dag_id, one)
    proofs = [one for dag in report.dags for one in dag.proofs]
    counts = ", ".join(
        f"{sum(one.outcome == outcome for one in proofs)} {outcome}"
        for outcome in _STYLES
        if any(one.outcome == outcome for one in proofs)
    )
    style = "bold green" if report.passed else "bold red"
    out.print(f"[{style}]{report.verdict.upper()}[/{style}] {counts} in {report.seconds:.1f} s")


def _table(dag: DagProofs) -> object:
    from rich.table import Table

    table = Table(box=None, show_header=True, header_style="bold", pad_edge=False)
    for heading in (dag.dag_id, "outcome", "runs", "time", "why"):
        table.add_column(heading, overflow="fold")
    for one in dag.proofs:
        style = _STYLES[one.outcome]
        outcome = f"[{style}]{one.outcome}[/{style}]"
        table.add_row(one.property, outcome, str(one.runs), f"{one.seconds:.1f} s", escape(one.reason))
    return table


def _print_refutation(dag_id: str, one: ProofResult) -> None:
    out = console()
    out.print()
    out.print(f"[bold]{dag_id}: {one.property} is refuted[/bold]: {escape(one.reason)}")
    out.print("  smallest scenario found:")
    for number, step in enumerate(one.scenario, 1):
        out.print(f"    {number}. {escape(step)}", highlight=False)
    out.print("  what differs:")
    for difference in one.differences:
        out.print(f"    {escape(difference)}", highlight=False)
    out.print(f"  again: {one.reproduce}", markup=False, highlight=False)
    out.print("  as a pytest test:")
    for line in one.test.splitlines():
        out.print(f"    {line}", markup=False, highlight=False, soft_wrap=True)
