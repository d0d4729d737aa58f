"""`harness init`: adds the harness to an existing Airflow project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Root of the project.")] = Path(),
) -> None:
    """Add environments, a first test and a workflow to a project with DAGs; no file that is there is changed.

    What the DAGs use (connections, variables, pools, buckets, topics) is read from their code, and from the
    airflow_settings.yaml of an Astro project.
    """
    from harness.errors import ConfigError
    from harness.scaffold.project import look
    from harness.scaffold.write import write

    root = folder.resolve()
    if not root.is_dir():
        raise ConfigError(f"there is no folder {folder}", hint="name the root of an Airflow project")
    found = look(root)
    written, kept = write(found)
    for name in written:
        typer.echo(f"wrote {name}")
    for name in kept:
        typer.echo(f"kept  {name}: it was there, and stays as it is")
    where = "" if found.dags == "dags" else f" --dags {found.dags}"
    typer.echo(f"{len(found.dag_ids)} DAGs in {found.dags}: {', '.join(found.dag_ids)}")
    typer.echo("next:")
    typer.echo("  harness env show dev          # what was guessed, to be corrected in environments/base.yaml")
    typer.echo(f"  harness check --env dev {found.dags}")
    typer.echo(f"  harness run {found.dag_ids[0]} --env dev{where}")
    if where:
        typer.echo(f"  pytest{where}                 # or `harness_dags = {found.dags}` in pytest's settings")
