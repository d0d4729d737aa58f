"""`harness init`: adds the harness to an existing Airflow project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Root of the project.")] = Path(),
) -> None:
    """Add environments, a first test and a workflow to a project with DAGs; no file that is there is changed.

    What the DAGs use is read from their code and the project's settings: connections and their kinds, variables and
    their defaults, pools, and the names of buckets, topics and databases. Then Airflow loads the DAGs with it; a file
    that it cannot load is left out, and told.
    """
    from contextlib import chdir

    from harness.errors import ConfigError, NothingChecked
    from harness.scaffold.loading import load
    from harness.scaffold.project import look
    from harness.scaffold.write import ENVIRONMENTS, TESTS, write

    root = folder.resolve()
    if not root.is_dir():
        raise ConfigError(f"there is no folder {folder}", hint="name the root of an Airflow project")
    with chdir(root):
        found = look(root)
        written, kept = write(found, ENVIRONMENTS)
        loaded = load(root, found.dags)
    more, others = write(found, TESTS, loaded.dag_ids)
    for name in [*written, *more]:
        typer.echo(f"wrote {name}")
    for name in [*kept, *others]:
        typer.echo(f"kept  {name}: it was there, and stays as it is")
    if found.absent:
        typer.echo(f"not installed, and imported by the code: {', '.join(found.absent)}")
    for line in loaded.left_out:
        typer.echo(f"left out {line}")
    where = "" if found.dags == "dags" else f" --dags {found.dags}"
    if not loaded.dag_ids:
        hint = f"harness check {found.dags}   # says what to change, also in code that was written for Airflow 2"
        raise NothingChecked("none of the DAG files can be loaded", hint=hint)
    typer.echo(f"{len(loaded.dag_ids)} DAGs in {found.dags}: {', '.join(loaded.dag_ids)}")
    typer.echo("next:")
    typer.echo("  harness env show dev          # what was found, to be corrected in environments/base.yaml")
    typer.echo(f"  harness check --env dev {found.dags}")
    for dag_id in loaded.dag_ids[:1]:
        typer.echo(f"  harness run {dag_id} --env dev{where}")
    if where:
        typer.echo(f"  pytest{where}                 # or `harness_dags = {found.dags}` in pytest's settings")
