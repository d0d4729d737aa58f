"""`harness run`: runs a DAG on an environment's services and judges it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.options import DagsDir, EnvironmentsDir, EnvOption, Json, print_json, seconds
from harness.cli.session import load
from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.api import RunOptions, Session
    from harness.models.run import RunReport
    from harness.session.client import Namespace

KEEP_FAILED = 1800.0
"""Seconds that a failed namespace is kept for somebody to look into."""

TaskOption = Annotated[
    str | None,
    typer.Option("--task", metavar="TASK", help="Run this task alone; what is before it counts as done."),
]
UpstreamOption = Annotated[
    bool, typer.Option("--upstream", help="Run what the DAG's ExternalTaskSensors wait for as well.")
]
AnswerOption = Annotated[
    list[str] | None,
    typer.Option("--answer", metavar="TASK=OPTION", help="What a person answers a task that asks; OPTION,OPTION."),
]


def run(  # noqa: PLR0913, PLR0917 - typer wants one parameter for each option
    dag: Annotated[list[str], typer.Argument(metavar="DAG...", help="Ids of DAGs, which run in one namespace.")],
    env: EnvOption = "dev",
    date: Annotated[
        str | None,
        typer.Option("--date", metavar="DATE", help="A calendar date, a timestamp (one run), or 'none' (no date)."),
    ] = None,
    from_: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First of several dates.")] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last of several dates, included.")] = None,
    manual: Annotated[bool, typer.Option("--manual", help="Manual runs instead of scheduled ones.")] = False,
    conf: Annotated[str | None, typer.Option("--conf", metavar="JSON", help="What dag_run.conf holds.")] = None,
    task: TaskOption = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume", metavar="FOLDER", help="Run the failed tasks of this earlier run again, and all after."
        ),
    ] = None,
    upstream: UpstreamOption = False,
    answer: AnswerOption = None,
    deadline: Annotated[str, typer.Option("--deadline", metavar="TIME", help="Time for all of it.")] = "10m",
    parallelism: Annotated[int, typer.Option("--parallelism", min=1, help="How many tasks run at once.")] = 2,
    waits: Annotated[
        float, typer.Option("--waits", metavar="FACTOR", min=1, help="Shorten waits by this factor; 1 is real time.")
    ] = 60.0,
    together: Annotated[bool, typer.Option("--together", help="Submit all dates at once, as a backfill does.")] = False,
    no_seed: Annotated[bool, typer.Option("--no-seed", help="Do not put the dates' inputs in place.")] = False,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", metavar="NAME", help="Run in this one, which stays; 'main' is the plain names."),
    ] = None,
    keep_failed: Annotated[
        bool, typer.Option("--keep-failed", help="Leave the stores of a failed run, and say how to look into them.")
    ] = False,
    pdb: Annotated[
        bool, typer.Option("--pdb", help="Run the tasks below this process: breakpoints work, failures open pdb.")
    ] = False,
    dags: DagsDir = Path("dags"),
    environments: EnvironmentsDir = Path("environments"),
    as_json: Json = False,
) -> None:
    """Run DAGs for one or more dates on an environment's services, and judge it task by task.

    They run in a namespace of their own that is removed afterwards. Exit code 0: it passed. 1: it failed.
    """
    from harness.api import Session
    from harness.cli.beforehand import refuse_dates, refuse_seeds
    from harness.report.console import StartProgress
    from harness.report.run import print_report

    options: RunOptions = {
        "date": date,
        "from_": from_,
        "to": to,
        "manual": manual,
        "conf": _conf(conf),
        "task": task,
        "resume": resume.resolve() if resume else None,
        "deadline": seconds(deadline),
        "parallelism": parallelism,
        "compression": waits,
        "together": together,
        "seed": not no_seed,
        "also": tuple(dag[1:]),
        "upstream": upstream,
        "answers": _answers(answer or []),
        "debugger": pdb,
    }
    with ExitStack() as stack:
        with StartProgress() as progress:
            environment = load(env, environments)
            refuse_dates(date)
            if not no_seed:
                refuse_seeds(environment, dags, *dag)
            session = stack.enter_context(Session(environment, dags=dags, on_event=progress))
            opened = session.open_namespace(namespace, alone={one.service for one in session.named(dag)})
        report = _run(session, dag[0], options, opened, keep=namespace is not None, keep_failed=keep_failed)
    if as_json:
        print_json(report.model_dump(mode="json", by_alias=True))
    else:
        print_report(report)
    raise typer.Exit(0 if report.passed else 1)


def _run(  # noqa: PLR0913 - what `run` was given
    session: Session, dag: str, options: RunOptions, opened: Namespace, *, keep: bool, keep_failed: bool
) -> RunReport:
    from harness.report.run import RunProgress

    kept = keep
    try:
        with RunProgress(live=not options["debugger"]) as progress:
            report = session.run(dag, namespace=opened, on_event=progress, **options)
        if keep_failed and not report.passed and not kept:
            kept = True
            session.retain(opened.name, KEEP_FAILED)
            _say_how_to_attach(session, opened)
        return report
    finally:
        if not kept:
            session.close_namespace(opened.name)


def _say_how_to_attach(session: Session, opened: Namespace) -> None:
    from harness.cli.options import duration
    from harness.report.console import console

    out = console()
    env = session.environment.name
    out.print(f"namespace {opened.name} is kept for {duration(KEEP_FAILED)}; look into it with:")
    for service in opened.services.values():
        if hint := service.attach_hint():
            out.print(f"  harness exec {env} --namespace {opened.name} -- {hint}", markup=False)


def _answers(texts: list[str]) -> dict[str, list[str]]:
    found = {}
    for text in texts:
        task, _, options = text.partition("=")
        if not task or not options:
            raise ConfigError(f"--answer {text!r} names no option", hint="write for example --answer approve=Approve")
        found[task] = options.split(",")
    return found


def _conf(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"--conf is not JSON: {error}", hint="""write for example --conf '{"limit": 10}'"""
        ) from error
    if not isinstance(value, dict):
        raise ConfigError("--conf must be a JSON object", hint="""write for example --conf '{"limit": 10}'""")
    return value
