"""A DagBag of one folder in this process, for integrity tests.

Bridges: Airflow 3.2 moved `DagBag` from `airflow.models` to `airflow.dag_processing.dagbag`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def load_dag_bag(folder: Path) -> Any:
    """Parse every DAG file of a folder, and nothing else: no examples of Airflow's.

    Args:
        folder: where the DAG files are.
    """
    # before the first import: Airflow reads its configuration then
    os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(folder))
