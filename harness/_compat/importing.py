"""Importing one DAG file as the DAG processor does, but so that whatever the file does reaches the caller.

Bridges: Airflow's `PythonDagImporter` catches every exception, SystemExit too, and leaves a signal handler behind that
makes a crash spin; DAGs register themselves in a context of `airflow.sdk` that has no public name.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from harness._compat.lines import Lines


def import_dags(path: str, lines: Lines) -> list[Any]:
    """Import a file, or the modules at the top of an archive, and return the DAGs that it makes, checked and complete.

    Whatever the file raises is raised. Afterwards cluster policies were applied and template files were read, as in the
    DAG processor.
    """
    from airflow.sdk import DAG
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    DagContext.autoregistered_dags.clear()
    with lines.of(path):
        modules = list(_archive(path)) if zipfile.is_zipfile(path) else [_module(path)]
    found: dict[int, tuple[Any, ModuleType]] = {}
    for module in modules:
        found.update({id(v): (v, module) for v in vars(module).values() if isinstance(v, DAG)})
    found.update({id(dag): (dag, module) for dag, module in DagContext.autoregistered_dags})
    DagContext.current_autoregister_module_name = None
    DagContext.autoregistered_dags.clear()
    for dag, module in found.values():
        dag.fileloc = module.__file__ or path
        _finish(dag)
    return [dag for dag, _ in found.values()]


def _module(path: str) -> ModuleType:
    from airflow.dag_processing.importers.python_importer import get_unique_dag_module_name
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    name = get_unique_dag_module_name(path)
    sys.modules.pop(name, None)
    DagContext.current_autoregister_module_name = name
    loader = importlib.machinery.SourceFileLoader(name, path)
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def _archive(path: str) -> Iterator[ModuleType]:
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    with zipfile.ZipFile(path) as archive:
        inside = [Path(info.filename) for info in archive.infolist()]
    for member in inside:
        if member.suffix in (".py", ".pyc") and len(member.parts) == 1 and member.stem != "__init__":
            sys.modules.pop(member.stem, None)
            DagContext.current_autoregister_module_name = member.stem
            with _importable(path):
                yield importlib.import_module(member.stem)


@contextmanager
def _importable(path: str) -> Iterator[None]:
    sys.path.insert(0, path)
    try:
        yield
    finally:
        sys.path.remove(path)


def _finish(dag: Any) -> None:
    from airflow import settings

    validate: Callable[[], None] | None = getattr(dag, "validate", None)
    if validate is not None:
        validate()
    dag.check_cycle()
    dag.resolve_template_files()
    settings.dag_policy(dag)
    for task in dag.tasks:
        settings.task_policy(task)
