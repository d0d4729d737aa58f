"""What the fork server does once, so that no run has to: a whole run of a small DAG, in the server itself.

It fills what is filled at first use: modules imported late, ORM mappings, compiled SQL, validators, the routes of the
execution API, and the migrated metadata database in the user's cache.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_DAG = """
from datetime import datetime

from airflow.sdk import dag, task


@dag(schedule="@daily", start_date=datetime(2025, 1, 1), catchup=False)
def harness_warms_up():
    @task
    def first(ds=None):
        return {"ds": ds}

    @task(retries=1)
    def second(value):
        return [value, value]

    @task
    def third(value):
        return value

    third.expand(value=second(first()))


harness_warms_up()
"""


def warm() -> None:
    """Run the small DAG in this process, and leave nothing of it but what is warm."""
    from sqlalchemy.orm import configure_mappers

    from harness._compat import execution_api, metadata
    from harness.runner import apart, surroundings
    from harness.runner.controller import Controller
    from harness.runner.request import Dates, RunRequest

    del apart, surroundings
    configure_mappers()
    metadata.version_key()
    execution_api.app()
    with tempfile.TemporaryDirectory(prefix="harness-warm-") as name, _restored():
        folder = Path(name)
        (folder / "dags").mkdir()
        (folder / "dags" / "warm.py").write_text(_DAG)
        request = RunRequest(
            dag_id="harness_warms_up",
            dags_folder=folder / "dags",
            project=folder,
            folder=folder / "run",
            dates=Dates(date="2026-01-02"),
            compression=1,
        )
        Controller(request, lambda event: None).run()
        metadata.release()


@contextlib.contextmanager
def _restored() -> Iterator[None]:
    """Put back what a run changes in its process: variables, import path, modules, signals, standard output."""
    environ, path, modules = dict(os.environ), list(sys.path), set(sys.modules)
    signals = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environ)
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if name.startswith("unusual_prefix_"):
                del sys.modules[name]
        for signum, handler in signals.items():
            signal.signal(signum, handler)
        signal.set_wakeup_fd(-1)
