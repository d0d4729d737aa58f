"""What the fork server does once, so that no run has to: a whole run of a small DAG, in the server itself.

It fills what is filled at first use: modules imported late, ORM mappings, compiled SQL, validators, the routes of the
execution API, and the migrated metadata database in the user's cache. Tasks run in forks, and what those load is gone
with them; so the last task tells which modules it had, and the server imports them.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
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
        import sys
        from pathlib import Path

        Path(__file__).with_name("modules.txt").write_text("\\n".join(sys.modules))
        return value

    third.expand(value=second(first()))


harness_warms_up()
"""

_TASKS_LOAD = ("airflow", "harness", "jinja2")
"""Packages that a task imports more of than the process that starts it; a name of any other may be no module's."""


def warm() -> None:
    """Run the small DAG in this process, and leave nothing of it but what is warm."""
    from sqlalchemy.orm import configure_mappers

    from harness._compat import execution_api, kept, metadata
    from harness.faults import control, host
    from harness.runner import apart, surroundings
    from harness.runner.controller import Controller
    from harness.runner.request import Dates, RunRequest
    from harness.services.registry import BUILT_IN, service_type
    from harness.session import records

    del apart, control, host, records, surroundings  # runs import them late
    for role in BUILT_IN:
        service_type(role)
    configure_mappers()
    metadata.version_key()
    execution_api.app()
    kept.keep_validators()
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
        for module in (folder / "dags" / "modules.txt").read_text().splitlines():
            if module.partition(".")[0] in _TASKS_LOAD:
                with contextlib.suppress(ImportError):
                    importlib.import_module(module)


def warm_aws() -> None:
    """Read once what boto3 reads for every client, and what Airflow's AWS hook asks of the stack for every connection.

    Both are half of the CPU time of a small task on S3: a megabyte of JSON about the service, which each boto3 session
    reads for itself, and the file of every module, which the first `inspect.stack()` of a process looks up.

    Raises:
        ImportError: boto3 is not installed.
    """
    import boto3
    import botocore
    import botocore.config
    import botocore.session

    if not hasattr(botocore.session.create_loader, "cache_info"):
        botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    nobody = botocore.config.Config(signature_version=botocore.UNSIGNED, region_name="us-east-1")
    boto3.session.Session().client("s3", config=nobody)
    inspect.stack()


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
