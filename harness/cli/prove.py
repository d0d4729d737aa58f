"""`harness prove`: decides by experiment whether DAGs are safe to operate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import DagsDir, EnvironmentsDir, EnvOption, Json, print_json, seconds
from harness.cli.session import load


def prove(  # noqa: PLR0913, PLR0917 - typer wants one parameter for each option
    dags_to_prove: Annotated[list[str], typer.Argument(metavar="DAG ...", help="Ids of the DAGs.")],
    env: EnvOption = "dev",
    properties: Annotated[
        list[str] | None,
        typer.Option("--property", "-p", metavar="P", help="Decide this property; repeat it. By default all."),
    ] = None,
    deadline: Annotated[
        str | None, typer.Option("--deadline", metavar="TIME", help="Time for each proof; by default its own.")
    ] = None,
    dags: DagsDir = Path("dags"),
    environments: EnvironmentsDir = Path("environments"),
    as_json: Json = False,
) -> None:
    """Run DAGs under re-runs, disorder, crashes, outages and shifted clocks, and say which properties hold.

    Each scenario runs in fresh namespaces on the environment's services. Exit code 0: every property holds, or is
    skipped by declaration. 1: one is refuted or undecided.
    """
    from harness.api import Session
    from harness.proofs import prove as decide
    from harness.report.console import StartProgress
    from harness.report.prove import ProveProgress, print_proofs

    with StartProgress() as starting:
        session = Session(load(env, environments), dags=dags, on_event=starting)
        session.start()
    with session, ProveProgress() as progress:
        limit = seconds(deadline) if deadline else None
        report = decide(session, dags_to_prove, properties or (), deadline=limit, on_event=progress)
    if as_json:
        print_json(report.model_dump(mode="json", by_alias=True))
    else:
        print_proofs(report)
    raise typer.Exit(0 if report.passed else 1)
