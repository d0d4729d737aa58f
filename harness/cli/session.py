"""`harness up`, `down`, `status`, `logs` and `exec`: the services of an environment, without a run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import EnvironmentsDir, Json, duration, print_json, seconds
from harness.errors import ConfigError, NothingChecked

if TYPE_CHECKING:
    from harness.environment import Environment
    from harness.models.service import ServiceRef
    from harness.session.records import SessionRecord

EnvName = Annotated[str, typer.Argument(metavar="ENV", help="Name of the environment, for example dev.")]
MaybeEnvName = Annotated[str | None, typer.Argument(metavar="[ENV]", help="Only this environment's session.")]


def up(
    env: EnvName,
    keep: Annotated[
        str, typer.Option("--keep", metavar="TIME", help="Stop the services after nobody used them for this long.")
    ] = "30m",
    environments: EnvironmentsDir = Path("environments"),
    as_json: Json = False,
) -> None:
    """Start the services of an environment and leave them running for later commands.

    `harness run`, `harness exec` and pytest find them and attach in a fraction of a second.
    """
    from harness.report.console import StartProgress, console
    from harness.session.client import Session

    environment = load(env, environments)
    idle = seconds(keep)
    began = time.monotonic()
    with StartProgress() as progress:
        session = Session(environment, keep=idle, on_event=progress, fork_server=True)
        session.start()
        refs = session.open_namespace("main").refs
        session.fork_server()
    session.close()
    if as_json:
        print_json({"schema": "harness.up/1", "session": session.id, "services": _addresses(refs)})
        return
    out = console(stderr=False)
    for name, where in _addresses(refs).items():
        out.print(f"{name:<10} {where}", markup=False)
    out.print(
        f"up in {duration(time.monotonic() - began)}; ends after {duration(idle)} without use, or 'harness down {env}'"
    )


def down(
    env: MaybeEnvName = None,
    every: Annotated[bool, typer.Option("--all", help="Stop the sessions of every project of this user.")] = False,
    environments: EnvironmentsDir = Path("environments"),
) -> None:
    """Stop the sessions of this project, whoever uses them; nothing of them is left when this returns."""
    from harness.report.console import console
    from harness.session import client, reaper

    reaper.sweep()
    chosen = [one for one in _sessions(env, None if every else environments) if one.alive()]
    if not chosen:
        raise NothingChecked("no session is running here", hint="'harness status --all' shows those of other projects")
    for record in chosen:
        began = time.monotonic()
        client.stop(record)
        console().print(f"{record.environment}: stopped in {duration(time.monotonic() - began)}")


def status(
    every: Annotated[bool, typer.Option("--all", help="Show the sessions of every project of this user.")] = False,
    environments: EnvironmentsDir = Path("environments"),
    as_json: Json = False,
) -> None:
    """Show the running sessions: their services, who holds them and since when, and how much memory they use."""
    from rich.table import Table

    from harness.report.console import console
    from harness.session import client

    found = []
    for record in _sessions(None, None if every else environments):
        answer = client.status_of(record)
        if answer is not None:
            found.append((record, answer))
    if as_json:
        print_json(
            {"schema": "harness.status/1", "sessions": [{**one.model_dump(), **answer} for one, answer in found]}
        )
        return
    out = console(stderr=False)
    if not found:
        out.print("no session is running")
        return
    table = Table("session", "environment", "service", "start", "memory", "held by", box=None, pad_edge=False)
    for record, answer in found:
        holders = [f"{lease['pid']} {lease['command']}" for lease in answer["leases"]]
        if not holders:
            holders = [f"nobody for {duration(answer['idle'] or 0)}, kept for {duration(answer['keep'])}"]
        for number, (service, engine) in enumerate(record.services.items() or [("no service", "-")]):
            memory = answer["memory"].get(service, 0) / 2**20
            table.add_row(
                record.id if number == 0 else "",
                record.environment if number == 0 else "",
                f"{service} ({engine})",
                duration(answer["seconds"][service]) if service in answer["seconds"] else "starting",
                f"{memory:.0f} MB",
                holders[number] if number < len(holders) else "",
            )
    out.print(table)


def logs(
    service: Annotated[
        str,
        typer.Argument(metavar="SERVICE", help="Name of the service ('kafka-2': its second instance), or 'daemon'."),
    ],
    env: Annotated[
        str | None, typer.Option("--env", "-e", metavar="NAME", help="Of this environment's session.")
    ] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of its last lines.")] = 200,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as the log grows, until Ctrl-C.")] = False,
    environments: EnvironmentsDir = Path("environments"),
) -> None:
    """Print the log of a running service."""
    from harness.session.logs import log_lines

    running = [one for one in _sessions(env, environments) if one.alive()]
    if not running:
        raise NothingChecked("no session is running here", hint="start one with 'harness up ENV'")
    if len(running) > 1:
        names = ", ".join(sorted(one.environment for one in running))
        raise ConfigError(f"several sessions are running: {names}", hint="choose one with --env NAME")
    for line in log_lines(running[0], service, lines=lines, follow=follow):
        sys.stdout.write(line)
        sys.stdout.flush()


def exec_(
    env: EnvName,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND ...", help="The command and its arguments.")],
    namespace: Annotated[
        str, typer.Option("--namespace", metavar="NAME", help="Run it in this namespace of the session.")
    ] = "main",
    environments: EnvironmentsDir = Path("environments"),
) -> None:
    """Run any command with the environment's connections, variables and tools' settings in its environment.

    Its exit code becomes this command's. For example: harness exec dev -- psql -c 'select 1'
    """
    from harness.report.console import StartProgress
    from harness.session.client import Session

    environment = load(env, environments)
    with StartProgress() as progress:
        session = Session(environment, on_event=progress)
        session.start()
    with session, session.namespace(namespace) as opened:
        try:
            done = subprocess.run(command, env={**os.environ, **opened.environ}, check=False)
        except OSError as error:
            raise ConfigError(f"{command[0]}: {error.strerror}", hint="is it installed and on PATH?") from error
    raise typer.Exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)


def load(env: str, folder: Path) -> Environment:
    """Load an environment by name; raises ConfigError with the place of what is wrong."""
    from harness.environment import Environment

    return Environment.load(env, folder=folder)


def _sessions(env: str | None, folder: Path | None) -> list[SessionRecord]:
    """Return the recorded sessions of the project that `folder` belongs to, or of all projects without it."""
    from harness.session import records

    project = str(folder.resolve().parent) if folder is not None else None
    return [
        record
        for record in records.records()
        if (project is None or record.project == project) and env in (None, record.environment)
    ]


def _addresses(refs: dict[str, ServiceRef]) -> dict[str, str]:
    return {name: f"{ref.endpoint.address} ({ref.endpoint.engine})" for name, ref in refs.items()}
