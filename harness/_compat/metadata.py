"""Airflow's metadata database as one SQLite file: migrated once per user, copied for each run, bound after the fork.

Bridges: Airflow 3 keeps its engine and sessions as globals of `airflow.settings`, made at import; a child of the fork
server has to point them at its own copy.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import sqlite3
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from filelock import FileLock

BUNDLE = "dags-folder"
"""Name of the one bundle that Airflow configures by default; its path is `[core] dags_folder`."""

_SETTINGS = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


@cache
def version_key() -> str:
    """Hash the installed Airflow distributions: one that is added or changed may bring tables of its own."""
    found = {(d.name, d.version) for d in distributions() if d.name and d.name.startswith("apache-airflow")}
    return hashlib.sha256(repr(sorted(found)).encode()).hexdigest()[:16]


def template(cache_folder: Path) -> Path:
    """Return the migrated file, making it first when this version of Airflow has none; other processes wait for it."""
    ready = cache_folder / "airflow" / f"metadata-{version_key()}.db"
    if ready.is_file():
        return ready
    ready.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{ready}.lock", timeout=300):
        if not ready.is_file():
            making = ready.with_suffix(f".{os.getpid()}")
            _migrate(making)
            making.rename(ready)
    return ready


def _migrate(path: Path) -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.utils.db import initdb

    bind(path)
    initdb()
    DagBundlesManager().sync_bundles_to_db()
    release()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()


def clone(template_file: Path, path: Path) -> None:
    """Copy the migrated file and bind this process to the copy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template_file, path)
    bind(path)


def bind(path: Path) -> None:
    """Make `path` this process's metadata database.

    The engine is made once, in the fork server, and asks for the path when it connects: so its compiled statements
    serve every run. A task that is forked inherits open connections, which it must neither use nor close ("How To
    Corrupt An SQLite Database File", section 2.6): the Task SDK bars it from the first, `_tune` from the second.
    """
    from airflow import settings
    from sqlalchemy import event

    url = f"sqlite:///{path}"
    os.environ[_SETTINGS] = url
    if settings.engine is not None and event.contains(settings.engine, "do_connect", _redirect):
        settings.SQL_ALCHEMY_CONN = url
        settings.engine.dispose()
        return
    settings.dispose_orm(do_log=False)
    settings.configure_vars()
    settings.configure_orm()
    event.listen(settings.engine, "do_connect", _redirect)
    event.listen(settings.engine, "connect", _tune)


def release() -> None:
    """Close the connections to the database, before it is moved or removed."""
    from airflow import settings

    settings.Session.remove()
    settings.engine.dispose()


def _redirect(_dialect: object, _record: object, arguments: list[str], _named: object) -> None:
    from airflow import settings

    arguments[0] = settings.SQL_ALCHEMY_CONN.removeprefix("sqlite:///")


def _tune(connection: sqlite3.Connection, _: object) -> None:
    # a run's copy is thrown away after a crash, so nothing is worth waiting for the disk
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA busy_timeout=20000")
    # one reference that nobody gives back: the garbage collector of a fork must not close it
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


def add_pools(pools: dict[str, int]) -> None:
    """Create pools, or set their size: name to slots."""
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session

    with create_session() as session:
        for name, slots in pools.items():
            Pool.create_or_update_pool(name, slots, "", False, session=session)
