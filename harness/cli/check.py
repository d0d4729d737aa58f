"""`harness check`: judges DAG files before they run."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import EnvironmentsDir, Json, print_json
from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.checks.config import Settings
    from harness.checks.model import CheckReport


class Format(StrEnum):
    """How findings are written."""

    text = "text"
    json = "json"
    junit = "junit"
    sarif = "sarif"
    github = "github"


class Least(StrEnum):
    """The least serious finding that makes the check fail."""

    error = "error"
    warning = "warning"
    info = "info"


def check(  # noqa: PLR0913, PLR0917 - typer wants one parameter for each option
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="DAG files and folders of them; ./dags by default.")
    ] = None,
    env: Annotated[
        str | None,
        typer.Option("--env", "-e", metavar="NAME", help="Also check that this environment has what DAGs use."),
    ] = None,
    explain: Annotated[str | None, typer.Option("--explain", metavar="RULE", help="Show the page of a rule.")] = None,
    select: Annotated[
        str | None, typer.Option("--select", metavar="IDS", help="Only these rules: DAG1,DAG301.")
    ] = None,
    ignore: Annotated[str | None, typer.Option("--ignore", metavar="IDS", help="All but these rules.")] = None,
    fail_on: Annotated[Least | None, typer.Option("--fail-on", help="The least serious finding that fails.")] = None,
    usage: Annotated[bool, typer.Option("--usage", help="List what DAGs use of an environment instead.")] = False,
    load: Annotated[
        bool, typer.Option("--load/--no-load", help="Have Airflow load the files, or only read them.")
    ] = True,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Look at every file again, changed or not.")] = False,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FILE", help="Known findings: hide them; the list can only shrink."),
    ] = None,
    start: Annotated[
        bool, typer.Option("--start-baseline", help="Write the list of --baseline: all that is found now is known.")
    ] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Repair what is mechanical, then check.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what --fix would change, and change nothing.")] = False,
    statistics: Annotated[
        bool, typer.Option("--statistics", help="Show how often each rule was found instead.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show every finding: repeated ones are folded.")
    ] = False,
    format_: Annotated[Format, typer.Option("--format", help="How findings are written.")] = Format.text,
    environments: EnvironmentsDir = Path("environments"),
    as_json: Json = False,
) -> None:
    """Judge DAG files: what is wrong with them, where, and what to do about it.

    Exit code 0: nothing serious was found, or all of it was repaired. 1: something was. 4: there was no DAG to check.
    With --diff, 1 says that there is something to repair.
    """
    if explain is not None:
        _explain(explain)
        return
    from harness.checks.run import Request
    from harness.checks.run import check as run_check
    from harness.report.check import CheckProgress

    if start and baseline is None:
        raise ConfigError("--start-baseline writes the file of --baseline", hint="add --baseline FILE")
    wanted = tuple(paths or [Path("dags")])
    environment = _environment(env, environments)
    settings = _settings(wanted, select, ignore, fail_on)
    request = Request(wanted, settings, environment, load=load, cache=not no_cache, baseline=baseline, start=start)
    if fix or diff:
        _repair(request, write=not diff)
    if usage:
        _print_usage(request, as_json=as_json or format_ is Format.json)
        return
    with CheckProgress() as progress:
        report = run_check(request, progress)
    _print(report, Format.json if as_json else format_, statistics=statistics, every=every)
    raise typer.Exit(0 if report.passed else 1)


def _repair(request: Any, *, write: bool) -> None:
    """Repair what is mechanical, and say what was; or show it, and end with exit code 1 when there is something."""
    from harness.checks.fix import repair

    done = repair(request, write=write)
    for file in done:
        if write:
            for one in file.fixed:
                typer.echo(f"{one.path}:{one.line} {one.rule} repaired: {one.what}", err=True)
        else:
            typer.echo(file.diff, nl=False)
    if not write:
        raise typer.Exit(1 if done else 0)


def _explain(rule_id: str) -> None:
    from harness.checks.config import Settings
    from harness.checks.registry import registry_of
    from harness.checks.run import project_root
    from harness.report.check import print_page

    here = Path.cwd()
    print_page(registry_of(Settings.load(here).plugins, project_root(here)).get(rule_id))


def _environment(name: str | None, folder: Path) -> Any:
    if name is None:
        return None
    from harness.environment import Environment

    return Environment.load(name, folder)


def _settings(paths: tuple[Path, ...], select: str | None, ignore: str | None, fail_on: Least | None) -> Settings:
    """Return the project's settings with what was said on the command line over them."""
    from harness.checks.config import Settings

    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise ConfigError(f"there is no {missing}", hint="name a folder of DAG files, or a DAG file")
    settings = Settings.load(paths[0])
    changes: dict[str, Any] = {}
    if select:
        changes["select"] = _ids(select)
    if ignore:
        changes["ignore"] = {**settings.ignore, **dict.fromkeys(_ids(ignore), "left out on the command line")}
    if fail_on:
        changes["fail_on"] = fail_on.value
    return settings.model_copy(update=changes)


def _ids(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _print(report: CheckReport, format_: Format, *, statistics: bool, every: bool) -> None:
    from harness.report import check as formats

    match format_:
        case Format.text if statistics:
            formats.print_statistics(report)
        case Format.text:
            formats.print_text(report, every=every)
        case Format.json:
            print_json(report.model_dump(mode="json", by_alias=True))
        case Format.junit:
            sys.stdout.write(formats.junit(report) + "\n")
        case Format.github:
            sys.stdout.writelines(f"{line}\n" for line in formats.github(report))
        case Format.sarif:
            from importlib.metadata import version

            from harness.checks.registry import Registry

            log = formats.sarif(report, list(Registry.load().rules.values()), version("dtap-harness"))
            sys.stdout.write(json.dumps(log, indent=2) + "\n")


def _print_usage(request: Any, *, as_json: bool) -> None:
    from harness.checks.engine import Judge
    from harness.checks.registry import Registry
    from harness.checks.run import examine, nothing_in

    project = examine(request, Judge(Registry([]), request.settings))
    if not project.count:
        raise nothing_in(request.paths)
    uses = project.usages
    if as_json:
        rows = [use.model_dump(mode="json") for use in uses]
        print_json({"schema": "harness.check.usage/1", "usages": rows})
        return
    for use in uses:
        note = " (has a default)" if use.optional else ""
        typer.echo(f"{use.path}:{use.line}:{use.column} {use.kind} {use.name}{note}")
