"""How the loading of a file by Airflow itself ended; asked only when files are loaded."""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.config import Settings
from harness.checks.project import Loaded
from harness.checks.registry import Hit, rule

FAMILY = "loading"


@rule("DAG001", "import-error", family=FAMILY, severity="error")
def import_error(outcome: Loaded) -> Iterator[Hit]:
    """A file cannot be loaded.

    Airflow shows an import error, and none of the file's DAGs exist.

    Bad:
        import orders_that_do_not_exist  # <-
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load")
    Good:
        import json
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load")
    Tricky:
        with DAG("orders", schedule=None):
            EmptyOperator(task_id="load", retries="many" + 1)  # <-
    Limits: without loading, only syntax errors are found.
    Source: "Data Pipelines with Apache Airflow", chapter 9: DAG integrity tests.
    """
    if outcome.error and not outcome.ended:
        missing = "_NOT_FOUND" in outcome.error
        hint = "with --env NAME it finds that environment's variables and connections" if missing else ""
        yield Hit(outcome.line, outcome.error, hint)


@rule("DAG002", "load-timeout", family=FAMILY, severity="error")
def load_timeout(outcome: Loaded, settings: Settings) -> Iterator[Hit]:
    """A file does not finish loading.

    Airflow gives up after `[core] dagbag_import_timeout` (30 s), and none of the file's DAGs exist.

    Limits: only when files are loaded.
    Source: Airflow configuration, `dagbag_import_timeout`.
    """
    if outcome.ended == "timeout":
        message = f"the file was still loading after {settings.load_seconds:g} s"
        yield Hit(outcome.line, message, "do the work in a task; load-seconds sets the limit")


@rule("DAG003", "load-kills", family=FAMILY, severity="error")
def load_kills(outcome: Loaded) -> Iterator[Hit]:
    """Loading a file ends the process that loads it.

    It calls sys.exit, takes more memory than there is, or crashes in native code: Airflow's DAG processor loses its
    child, and none of the file's DAGs exist.

    Limits: only when files are loaded.
    Source: "Data Pipelines with Apache Airflow", chapter 9.
    """
    if outcome.ended in ("exit", "killed", "memory"):
        yield Hit(outcome.line, outcome.error or "loading the file ends its process", "find out with: python FILE")


@rule("DAG004", "unreadable-file", family=FAMILY, severity="warning")
def unreadable_file(outcome: Loaded) -> Iterator[Hit]:
    """A file cannot be read, or is too large to be a DAG file; or what Airflow made of it cannot be read.

    Limits: files of more than 2 MB are not looked at.
    Source: none; a DAG file is text that people write.
    """
    if outcome.ended == "unreadable":
        hint = "move it out of the DAG folder, or list it in .airflowignore"
        yield Hit(1, outcome.error or "the file cannot be read", hint)
    elif outcome.ended == "unread":
        message = f"what Airflow made of the file could not be read, so only its source is judged: {outcome.error}"
        yield Hit(1, message, "please report this", severity="info")


@rule("DAG409", "slow-import", family=FAMILY, severity="warning")
def slow_import(outcome: Loaded, settings: Settings) -> Iterator[Hit]:
    """A file takes long to load.

    It is loaded every 30 seconds, and once more for each task.

    Limits: only when files are loaded; the time is that of this machine, the cost of a shared module is charged to each
        file that imports it.
    Source: Airflow documentation, Best practices, "Test dag loader".
    """
    if outcome.seconds > settings.import_seconds and not outcome.ended:
        costly = "".join(f"; {name} alone takes {seconds:.1f} s" for name, seconds in outcome.costly[:1])
        # what differs from one check to the next stands in the hint: a baseline knows a finding by its message
        message = f"loading the file takes more than {settings.import_seconds:g} s"
        hint = f"it took {outcome.seconds:.1f} s{costly}: import what is slow inside the tasks"
        yield Hit(outcome.line, message, f"{hint}; import-seconds sets the limit")


_EFFECTS = {
    "network": ("connects to {}", "error"),
    "process": ("starts {}", "error"),
    "write": ("writes the file {}", "warning"),
    "fork": ("forks its process", "error"),
}


@rule("DAG410", "side-effect", family=FAMILY, severity="error")
def side_effect(outcome: Loaded) -> Iterator[Hit]:
    """Loading a file does something besides making DAGs.

    It connects to another machine, starts a program or writes a file, every 30 seconds; seen while it was loaded,
    however deep inside a library it happens.

    Limits: only when files are loaded.
    Source: Airflow documentation, Best practices, "Top level Python code"; Python audit events (PEP 578).
    """
    for kind, detail, line in outcome.effects:
        words, severity = _EFFECTS[kind]
        yield Hit(line, f"while it is loaded, the file {words.format(detail)}", "do it in a task", severity=severity)  # type: ignore[arg-type]
