"""`harness gate`: decides whether a stage may be entered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import DagsDir, EnvironmentsDir, Json, print_json

if TYPE_CHECKING:
    from harness.models.gate import GateReport


def gate(  # noqa: PLR0913, PLR0917 - typer wants one parameter for each option
    to: Annotated[str, typer.Option("--to", metavar="STAGE", help="The environment that is to be entered.")],
    approve: Annotated[
        str | None, typer.Option("--approve", metavar="NAME", help="Say yes in this name; goes with --reason.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why it may be entered.")] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="Private key (Ed25519, PEM) to sign the evidence with.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Collect everything again, changed or not.")] = False,
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="Collect a share of the DAGs; see `harness evidence merge`."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Collect nothing; say what would be.")] = False,
    summary: Annotated[
        Path | None, typer.Option("--summary", metavar="FILE", help="Append a Markdown summary, as CI systems show.")
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.")] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one HTML page.")] = None,
    dags: DagsDir = Path("dags"),
    environments: EnvironmentsDir = Path("environments"),
    as_json: Json = False,
) -> None:
    """Decide whether the code may enter a stage: collect what its policy requires, keep the evidence, and judge it.

    What is known from valid evidence and has not changed since is not collected again. Exit code 0: it may be entered.
    1: it may not; every reason is told. 4: the stage requires nothing, or there is no DAG.
    """
    from harness.environment import Environment
    from harness.gate.promote import Ask
    from harness.gate.promote import gate as decide
    from harness.gate.shard import parse
    from harness.report.console import StartProgress
    from harness.report.gate import GateProgress, print_gate

    environment = Environment.load(to, environments)
    ask = Ask(environment, dags, everything, dry_run, approve, reason, key, parse(shard) if shard else None)
    with GateProgress() as progress, StartProgress() as services:
        report = decide(ask, lambda step: progress(*step), services)
    if as_json:
        print_json(report.model_dump(mode="json", by_alias=True))
    else:
        print_gate(report)
    _write(report, summary, junit, html, environments)
    raise typer.Exit(0 if report.passed else 1)


def _write(report: GateReport, summary: Path | None, junit: Path | None, html: Path | None, environments: Path) -> None:
    """Write what was asked for beside the answer."""
    if not (summary or junit or html):
        return
    from harness.report import page, summaries

    if summary:
        with summary.open("a", encoding="utf-8") as file:
            file.write(summaries.gate_markdown(report))
    if junit:
        junit.write_text(summaries.gate_junit(report), encoding="utf-8")
    if html:
        from harness.gate.evidence import open_claim
        from harness.gate.overview import standings

        project = environments.resolve().parent
        subjects = open_claim(project / report.evidence).subjects if report.evidence else ()
        view = page.of_gate(report, project, standings(environments), subjects)
        html.write_text(page.render(view), encoding="utf-8")
