"""`harness report`: a run as one HTML page, JUnit XML, or Markdown."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Json


def report(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[RUN_DIR]", help="A folder of .harness/runs; the last one by default.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML as well.")] = None,
    summary: Annotated[
        Path | None,
        typer.Option("--summary", metavar="FILE", help="Append Markdown for $GITHUB_STEP_SUMMARY."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write one offline HTML page of a run: graph, tasks, times, logs, what it changed. Its path is printed."""
    from harness.cli.options import print_json
    from harness.report import page, summaries

    place = folder or page.newest(Path.cwd())
    found = page.load(place)
    target = place / "report.html"
    target.write_text(page.render(page.of_run(found)), encoding="utf-8")
    if junit:
        junit.write_text(summaries.run_junit(found), encoding="utf-8")
    if summary:
        with summary.open("a", encoding="utf-8") as file:
            file.write(summaries.run_markdown(found))
    if as_json:
        print_json({"schema": "harness.report/1", "verdict": found.verdict, "page": str(target)})
    else:
        typer.echo(str(target))
    if open_:
        webbrowser.open(target.resolve().as_uri())
