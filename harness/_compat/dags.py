"""Parsing a DAG file and putting its DAGs into the metadata database.

Bridges: Airflow 3 moved DagBag to `airflow.dag_processing`, knows DAGs by bundle, and schedules from the serialized
form only.
"""

from __future__ import annotations

import os
import signal
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness._compat.metadata import BUNDLE
from harness.errors import ConfigError


@dataclass(frozen=True)
class Parsed:
    """What one file holds: DAGs by id, and the trace of what went wrong with it."""

    path: Path
    dags: dict[str, Any]
    error: str | None


def use_folder(folder: Path) -> None:
    """Let this process take `folder` for its DAG folder: Airflow computed `settings.DAGS_FOLDER` when it was imported.

    The bundle of the DAG folder, and so `ti.bundle_instance.path`, goes by it.
    """
    from airflow import settings

    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = settings.DAGS_FOLDER = str(folder)


def parse(path: Path, folder: Path) -> Parsed:
    """Import one DAG file of `folder` in this process, as a worker would."""
    from airflow.dag_processing.dagbag import BundleDagBag

    on_crash = signal.getsignal(signal.SIGSEGV)
    bag = BundleDagBag(
        dag_folder=str(path), bundle_path=folder, bundle_name=BUNDLE, safe_mode=False, load_op_links=False
    )
    # Airflow's importer leaves a handler in Python: a task that crashes later would spin in it for ever
    signal.signal(signal.SIGSEGV, on_crash)
    return Parsed(path, dict(bag.dags), next(iter(bag.import_errors.values()), None))


def store(dag: Any, *, paused: bool = False) -> None:
    """Serialize one DAG into the metadata database; not paused, so that the scheduler takes its runs.

    Raises:
        ConfigError: it cannot be serialized.
    """
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.exceptions import SerializationError
    from airflow.models.dag import DagModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        try:
            serialized = LazyDeserializedDAG.from_dag(dag)
        except SerializationError as error:
            hint = "Airflow would show an import error; a class of the project's must come from a plugin"
            raise ConfigError(str(error), path=dag.fileloc, hint=hint) from error
        update_dag_parsing_results_in_db(BUNDLE, None, [serialized], {}, None, set(), session=session)
        session.flush()
        session.execute(update(DagModel).where(DagModel.dag_id == dag.dag_id).values(is_paused=paused))


def asset_references(dag: Any) -> set[str]:
    """Return the names and URIs by which tasks refer to assets that another DAG defines."""
    from airflow.sdk.definitions.asset import AssetNameRef, AssetUriRef

    used = [asset for task in dag.tasks for asset in (*task.inlets, *task.outlets)]
    names = {asset.name for asset in used if isinstance(asset, AssetNameRef)}
    return names | {asset.uri for asset in used if isinstance(asset, AssetUriRef)}


def scheduler_dag(dag_id: str) -> Any:
    """Return the scheduler's form of a stored DAG, which knows its timetable and creates runs."""
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session

    with create_session() as session:
        return SerializedDagModel.get(dag_id, session=session).dag


def files(folder: Path) -> list[Path]:
    """Return the Python files and archives of a DAG folder that `.airflowignore` leaves, sorted."""
    from airflow._shared.module_loading import find_path_from_directory
    from airflow.configuration import conf

    syntax = conf.get_mandatory_value("core", "DAG_IGNORE_FILE_SYNTAX", fallback="glob")
    found = (Path(path) for path in find_path_from_directory(folder, ".airflowignore", syntax))
    return sorted(path for path in found if path.suffix == ".py" or zipfile.is_zipfile(path))


def text_of(path: Path) -> bytes:
    """Return what a DAG file says; of an archive, what the modules at its top say."""
    if path.suffix == ".py" or not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist() if name.endswith(".py") and "/" not in name)
