"""`harness env list`, `show` and `schema`: environments as they are written, and as they are resolved."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import EnvironmentsDir, Json, print_json
from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.environment.outline import Line

DEFAULT_FOLDER = Path("environments")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="List environments, show one resolved, print the schema of the files.",
)


@app.command("list")
def list_(environments: EnvironmentsDir = DEFAULT_FOLDER, as_json: Json = False) -> None:
    """List the environments of a folder: stage, parents, services and their engines.

    Values are shown as they are written: a variable that is not set here does not matter. A file without a stage is
    there to be extended.
    """
    from harness.environment.merge import environment_files

    rows = [_row(name, environments) for name in environment_files(environments)]
    if not rows:
        raise ConfigError(f"no environment files in {environments}", hint="write one, or run 'harness init'")
    if as_json:
        print_json({"schema": "harness.env.list/1", "environments": rows})
    else:
        _print_table(rows)
    errors = [row["error"] for row in rows if "error" in row]
    for error in errors:
        typer.echo(error, err=True)
    if errors:
        raise typer.Exit(ConfigError.exit_code)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ENV", help="Name of the environment, for example dev.")],
    environments: EnvironmentsDir = DEFAULT_FOLDER,
    as_json: Json = False,
) -> None:
    """Show an environment with parents merged and variables filled, and the line that each value comes from.

    Secrets are redacted.
    """
    from harness.environment import Environment
    from harness.environment.outline import outline, resolved

    environment = Environment.load(name, environments)
    if not as_json:
        _print_outline(list(outline(environment)))
        return
    print_json(
        {
            "schema": "harness.env.show/1",
            "name": environment.name,
            "extends": list(environment.parents),
            "services_key": environment.services_key(),
            "environment": resolved(environment),
            "origins": {path: str(origin) for path, origin in environment.origins.items()},
        }
    )


@app.command()
def schema(environments: EnvironmentsDir = DEFAULT_FOLDER) -> None:
    """Print the JSON Schema (draft 2020-12) of environment files, with the roles of plugins, for editors."""
    from harness.environment.schema import json_schema

    print_json(json_schema(_project_plugins(environments), environments.resolve().parent))


def _row(name: str, folder: Path) -> dict[str, Any]:
    """Return what the list shows of one environment; an `error` instead, when it cannot be read."""
    from harness.environment.merge import chain
    from harness.environment.source import shown

    try:
        found = chain(name, folder)
    except ConfigError as error:
        return {"name": name, "error": str(error)}
    said = found.tree.plain()
    return {
        "name": name,
        "file": shown(found.files[0]),
        "stage": said.get("stage"),
        "extends": list(found.parents),
        "services": _engines(said.get("services")),
    }


def _engines(services: object) -> dict[str, str]:
    if not isinstance(services, dict):
        return {}
    return {
        name: str(block.get("engine", "embedded")) if isinstance(block, dict) else "embedded"
        for name, block in services.items()
    }


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    cells = [("NAME", "STAGE", "EXTENDS", "SERVICES")]
    for row in rows:
        if "error" in row:
            cells.append((row["name"], "?", "", "cannot be read, see below"))
            continue
        by_engine: dict[str, list[str]] = {}
        for service, engine in row["services"].items():
            by_engine.setdefault(engine, []).append(service)
        services = "; ".join(f"{engine}: {', '.join(names)}" for engine, names in by_engine.items())
        cells.append((row["name"], str(row["stage"] or "-"), " < ".join(row["extends"]) or "-", services or "-"))
    widths = [max(len(line[column]) for line in cells) for column in range(3)]
    for line in cells:
        typer.echo("  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[3]]))


def _print_outline(lines: Sequence[Line]) -> None:
    """Print the outline with its comments in one column; greyed on a terminal."""
    width = min(max((len(line.text) for line in lines if line.origin), default=0), 72)
    if not sys.stdout.isatty():
        for line in lines:
            typer.echo(f"{line.text.ljust(width)}  # {line.origin}" if line.origin else line.text)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        text = Text(line.text.ljust(width) if line.origin else line.text)
        console.print(text.append(f"  # {line.origin}", style="bright_black") if line.origin else text)


def _project_plugins(folder: Path) -> list[str]:
    """Return the modules that any environment of the folder names under `plugins`; unreadable files name none."""
    from harness.environment.merge import chain, environment_files

    named: dict[str, None] = {}
    for name in environment_files(folder) if folder.is_dir() else ():
        try:
            plugins = chain(name, folder).tree.plain().get("plugins")
        except ConfigError as error:
            typer.echo(f"left out: {error}", err=True)
            continue
        named |= dict.fromkeys(plugin for plugin in plugins or () if isinstance(plugin, str))
    return list(named)
