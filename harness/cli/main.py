"""The `harness` command: which words it knows, and how every failure ends.

The table below is all that `harness --help` reads; a command's module is imported when that command is called.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import tempfile
import traceback
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Annotated, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from harness.errors import HarnessError, NothingChecked

EXIT_USAGE = 2
EXIT_INTERNAL = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE: never to be taken for a verdict
EXIT_TERMINATED = 143  # 128 + SIGTERM


class Command(NamedTuple):
    """Where a command lives (`module:attribute`, a Typer application or a function), and its line in the help."""

    target: str
    help: str


COMMANDS = {
    "doctor": Command("harness.cli.doctor:doctor", "What works on this machine, what is missing, how to get it."),
    "env": Command("harness.cli.env:app", "List environments, show one resolved, print their schema."),
    "up": Command("harness.cli.session:up", "Start the services of an environment."),
    "down": Command("harness.cli.session:down", "Stop the services of an environment."),
    "status": Command("harness.cli.session:status", "Show which services run, where, and for whom."),
    "logs": Command("harness.cli.session:logs", "Show the log of a service."),
    "exec": Command("harness.cli.session:exec_", "Run a command with the environment's connections set."),
    "images": Command("harness.cli.images:app", "List the images of the container engine, and build them."),
    "check": Command("harness.cli.check:check", "Judge DAG files before they run: what is wrong, where, what to do."),
    "run": Command("harness.cli.run:run", "Run a DAG on an environment, and judge it."),
    "prove": Command("harness.cli.prove:prove", "Decide by experiment whether DAGs are safe to operate."),
    "diff": Command("harness.cli.diff:diff", "Compare two environments in what DAGs find there."),
    "gate": Command("harness.cli.gate:gate", "Decide whether a stage may be entered, and leave the evidence."),
    "report": Command("harness.cli.report:report", "Show a run as one HTML page, JUnit XML, or Markdown."),
    "init": Command("harness.cli.init:init", "Add the harness to an existing Airflow project."),
    "evidence": Command("harness.cli.evidence:app", "Verify evidence files, and merge those of a matrix."),
}


def load(name: str) -> TyperCommand | TyperGroup:
    """Import the command of that name and build it; the price of a command is paid here."""
    module, _, attribute = COMMANDS[name].target.partition(":")
    target = getattr(importlib.import_module(module), attribute)
    if not isinstance(target, typer.Typer):
        application = typer.Typer(add_completion=False, rich_markup_mode=None)
        application.command(name)(target)
        target = application
    command = typer.main.get_command(target)
    command.name = name
    return command  # type: ignore[return-value]  # typer annotates its own private base class


class LazyGroup(TyperGroup):
    """Knows its commands by name and help line, and exchanges the one that is called for the real one."""

    def __init__(self, **attributes: object) -> None:
        super().__init__(**attributes)  # type: ignore[arg-type]  # handed through as typer gives them
        for name, command in COMMANDS.items():
            self.add_command(TyperCommand(name, help=command.help, rich_markup_mode=None))

    def resolve_command(self, ctx, args):  # type: ignore[no-untyped-def]  # their types are private to typer
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest


app = typer.Typer(cls=LazyGroup, add_completion=False, rich_markup_mode=None)


def show_version(asked: bool) -> None:
    """Print the version of the installed distribution."""
    if asked:
        from importlib.metadata import version

        typer.echo(f"dtap-harness {version('dtap-harness')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=show_version, is_eager=True)
    ] = False,
) -> None:
    """Run Airflow pipelines on real services, stage by stage, and judge what they did."""
    if debug:
        os.environ["HARNESS_DEBUG"] = "1"
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(EXIT_USAGE)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; nothing but `SystemExit` leaves this function."""
    words = sys.argv[1:] if arguments is None else arguments
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        code = call(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader is gone; without this the interpreter complains once more when it flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    finally:
        signal.signal(signal.SIGTERM, before)
    return code


def call(words: list[str]) -> int:
    """Call the command and turn each way in which it can end into an exit code."""
    try:
        command = typer.main.get_command(app)
        with command.make_context("harness", list(words)) as context:
            command.invoke(context)
    except typer.Exit as ending:
        return ending.exit_code
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last line of defence: nothing goes past it
        return explain(words, error)
    return 0


def explain(words: list[str], error: BaseException) -> int:
    """Tell why the command failed, and return the exit code that stands for it."""
    match error:
        case typer.TyperException() if error.format_message().startswith("Usage: "):
            typer.echo(error.format_message())  # a group without a command answers with its help
            return error.exit_code
        case typer.TyperException():
            return fail(words, usage(error), error.exit_code)
        case NothingChecked():
            return fail(words, str(error), error.exit_code, "empty")
        case HarnessError():
            return fail(words, str(error), error.exit_code)
        case KeyboardInterrupt() | typer.Abort():
            return fail(words, "interrupted", EXIT_INTERRUPTED)
    return fail(words, internal(error), EXIT_INTERNAL)


def terminate(number: int, frame: FrameType | None) -> None:
    """Unwind on SIGTERM, so that every `with` gives back what it holds."""
    raise SystemExit(EXIT_TERMINATED)


def usage(error: typer.TyperException) -> str:
    """Say in one line what was wrong with the words, and where to read on."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "harness"
    return f"{error.format_message().rstrip('.')}; try '{path} --help'"


def internal(error: BaseException) -> str:
    """Keep the traceback in a file (or show it, when asked to), and return the line for the user."""
    text = "".join(traceback.format_exception(error))
    if os.environ.get("HARNESS_DEBUG", "0") not in {"", "0"}:
        typer.echo(text, err=True)
    descriptor, path = tempfile.mkstemp(prefix="harness-", suffix=".traceback", text=True)
    os.close(descriptor)
    Path(path).write_text(text, encoding="utf-8")
    return f"internal error: {type(error).__name__}: {error}; please report it; traceback in {path}"


def fail(words: list[str], message: str, code: int, verdict: str = "error") -> int:
    """Tell the user on stderr, and whoever asked for JSON on stdout; return `code`."""
    if wants_json(words):
        command = next((word for word in words if word in COMMANDS), "harness")
        typer.echo(json.dumps({"schema": f"harness.{command}/1", "verdict": verdict, "reasons": [message]}))
    colour = None if "NO_COLOR" not in os.environ else False
    typer.secho(message, err=True, fg="red", color=colour)
    return code


def wants_json(words: list[str]) -> bool:
    """Tell whether the caller reads JSON; what follows `--` is another program's."""
    own = words[: words.index("--")] if "--" in words else words
    return "--json" in own or "--format=json" in own or ("--format", "json") in pairwise(own)
