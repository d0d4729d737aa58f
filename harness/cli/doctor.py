"""`harness doctor`: what works on this machine, what is missing, and how to get it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Json, print_json
from harness.errors import ServiceError

if TYPE_CHECKING:
    from harness.doctor import Finding

#: columns when nobody looks: `harness doctor | grep` finds whole lines
WIDTH = 200
STYLES = {"ok": "green", "warn": "yellow", "missing": "red"}


def doctor(
    groups: Annotated[
        list[str] | None,
        typer.Argument(metavar="[GROUP]...", help="Only these: machine, packages, java, tools, docker."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at this machine: what works, what is missing, what each thing is needed for, and how to get it.

    Ends with 0 when the embedded services can work here, and with 3 when something that they need is missing.
    """
    from harness.doctor import diagnose

    findings = diagnose(groups or ())
    missing = [f"{finding.name}: {finding.seen}; {finding.how}" for finding in findings if finding.status == "missing"]
    if as_json:
        verdict = "error" if missing else "pass"
        found = [asdict(finding) for finding in findings]
        print_json({"schema": "harness.doctor/1", "verdict": verdict, "reasons": missing, "findings": found})
    else:
        show(findings)
    if missing:
        typer.echo("\n".join(f"missing: {line}" for line in missing), err=True)
        raise typer.Exit(ServiceError.exit_code)


def show(findings: list[Finding]) -> None:
    """Print one row for each finding, and what to do below those that are not ok."""
    from rich.table import Table

    from harness.report.console import console

    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading in ("", "what", "seen", "needed for"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        table.add_row(
            f"[{STYLES[finding.status]}]{finding.status}[/]", finding.name, _plain(finding.seen), finding.needed_for
        )
    out = console(stderr=False)
    if not out.is_terminal:
        out.width = WIDTH
    out.print(table)
    hints = [finding for finding in findings if finding.how]
    if hints:
        out.print("\nHow to get what is not there:")
    for finding in hints:
        out.print(f"  {finding.name}: {finding.how}", markup=False)


def _plain(text: str) -> str:
    """Keep square brackets of a fact from being read as markup."""
    from rich.markup import escape

    return escape(text)
