"""The example DAGs inside the installed Airflow and its providers."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def airflow_root() -> Path:
    spec = importlib.util.find_spec("airflow")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations)))


def example_files() -> list[Path]:
    found = [path for path in airflow_root().rglob("example_dags/*.py") if path.name != "__init__.py"]
    return sorted(found, key=lambda path: path.name)


def example_folders() -> tuple[Path, ...]:
    return tuple(sorted({path.parent for path in example_files()}))
