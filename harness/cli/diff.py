"""`harness diff`: how two environments differ in what DAGs find there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import DagsDir, EnvironmentsDir, Json, print_json

if TYPE_CHECKING:
    from harness.models.gate import DriftReport


def diff(  # noqa: PLR0913, PLR0917 - typer wants one parameter for each option
    a: Annotated[str, typer.Argument(metavar="ENV", help="The environment that is known to work.")],
    b: Annotated[str, typer.Argument(metavar="ENV", help="The one that is compared with it.")],
    probe: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Ask external services whether what is declared is there.")
    ] = True,
    dags: DagsDir = Path("dags"),
    environments: EnvironmentsDir = Path("environments"),
    as_json: Json = False,
) -> None:
    """Show how two environments differ in what DAGs use: missing, extra, of another type or version; never values.

    Exit code 0: no difference, or each is declared with a reason (`gate: drift: allow:`). 1: there are others.
    """
    from harness.environment import Environment
    from harness.gate.compare import diff as compare
    from harness.gate.material import read
    from harness.report.check import CheckProgress

    first, second = Environment.load(a, environments), Environment.load(b, environments)
    with CheckProgress() as progress:
        uses = read(dags, second, progress).project.usages
    report = compare(first, second, uses, ask=probe)
    if as_json:
        print_json(report.model_dump(mode="json", by_alias=True))
    else:
        _print(report)
    raise typer.Exit(0 if report.verdict == "pass" else 1)


def _print(report: DriftReport) -> None:
    from rich.markup import escape

    from harness.report.console import console

    out = console(stderr=False)
    for one in report.differences:
        style = "dim" if one.allowed else "red" if one.change == "missing" else "yellow"
        out.print(f"[{style}]{escape(one.sentence)}[/{style}]")
    style = "bold green" if report.verdict == "pass" else "bold red"
    allowed = sum(one.allowed is not None for one in report.differences)
    asked = f"; asked: {', '.join(report.probed)}" if report.probed else ""
    out.print(
        f"[{style}]{report.verdict.upper()}[/{style}] {report.a} -> {report.b}: {report.compared} things compared, "
        f"{len(report.differences) - allowed} differ, {allowed} differ with a reason{escape(asked)}"
    )
