"""Shows proofs: the scenario under way while they go; at the end a table of properties, and each refutation in full."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.markup import escape

from harness.models.proof import DagProofs, ProofEvent, ProofResult, ProveReport
from harness.models.words import count
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
        if event.result is None:
            if self._status:
                self._status.update(f"{event.dag_id} {event.property}: {escape(event.detail)} (step {event.runs + 1})")
            return
        outcome = event.result.outcome
        style = _STYLES[outcome]
        self._out.print(f"{event.dag_id} {event.property}: [{style}]{outcome}[/{style}] {escape(event.detail)}")


def print_proofs(report: ProveReport) -> None:
    """Print the whole result for people."""
    out = console()
    for dag in report.dags:
        out.print(_table(dag))
        if dag.dates:
            out.print(f"dates: {_dates(dag)}", markup=False, highlight=False)
        for one in dag.proofs:
            if one.outcome == "refuted":
                first, *rest = refutation(dag.dag_id, one)
                out.print()
                out.print(first, style="bold", markup=False, highlight=False)
                out.print("\n".join(rest), markup=False, highlight=False, soft_wrap=True)
    proofs = [one for dag in report.dags for one in dag.proofs]
    counts = ", ".join(
        f"{sum(one.outcome == outcome for one in proofs)} {outcome}"
        for outcome in _STYLES
        if any(one.outcome == outcome for one in proofs)
    )
    for dag in report.dags:
        if names := [one.property for one in dag.proofs if one.outcome == "skipped"]:
            out.print(f"{dag.dag_id}: not judged, by declaration: {', '.join(names)}", markup=False, highlight=False)
    style = "bold green" if report.passed else "bold red"
    out.print(f"[{style}]{report.verdict.upper()}[/{style}] {counts} in {report.seconds:.1f} s")


def _dates(dag: DagProofs) -> str:
    """Say on which dates it was proved, and what is special about them."""
    shown = ((date.removesuffix("T00:00:00+00:00"), why) for date, why in dag.dates.items())
    return ", ".join(f"{date} ({why})" if why else date for date, why in shown)


def _table(dag: DagProofs) -> object:
    from rich.table import Table

    table = Table(box=None, show_header=True, header_style="bold", pad_edge=False)
    for heading in (dag.dag_id, "outcome", "judged by", "runs", "time", "why"):
        table.add_column(heading, overflow="fold")
    for one in dag.proofs:
        style = _STYLES[one.outcome]
        outcome = f"[{style}]{one.outcome}[/{style}]"
        table.add_row(one.property, outcome, judged_by(one), str(one.runs), f"{one.seconds:.1f} s", escape(one.reason))
    return table


def judged_by(one: ProofResult) -> str:
    """Return what a proof had to go by, `2 outputs`: those that the runs changed which it compared with."""
    if one.outcome == "skipped":
        return "not judged"
    return count(len(one.judged), "output") if one.judged else "nothing"


def refutation(dag_id: str, one: ProofResult) -> list[str]:
    """Return a refutation in full, line by line: scenario, differences, and how to see it again."""
    return [
        f"{dag_id}: {one.property} is refuted: {one.reason}",
        "  smallest scenario found:",
        *(f"    {number}. {step}" for number, step in enumerate(one.scenario, 1)),
        "  what differs:",
        *(f"    {difference}" for difference in one.differences),
        f"  again: {one.reproduce}",
        "  as a pytest test:",
        *(f"    {line}".rstrip() for line in one.test.splitlines()),
    ]


def unproven(dag: DagProofs) -> str:
    """Return what is refuted or undecided, as text; nothing when every property holds or is skipped by declaration."""
    lines = []
    for one in dag.proofs:
        if one.outcome == "refuted":
            lines += refutation(dag.dag_id, one)
        elif one.outcome == "undecided":
            lines.append(f"{dag.dag_id}: {one.property} is undecided: {one.reason}")
    return "\n".join(lines)
