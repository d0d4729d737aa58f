"""DAG-level callbacks (`on_success_callback`, `on_failure_callback` of a DAG).

Bridges: Airflow has the dag-processor run them, in a process that parses the file once more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def call_back(dag: Any, request: Any) -> None:
    """Call what the scheduler asked for (a DagCallbackRequest), each function once."""
    callbacks = dag.on_failure_callback if request.is_failure_callback else dag.on_success_callback
    found: list[Callable[[Any], Any]] = callbacks if isinstance(callbacks, list) else [callbacks]
    context = _context(dag, request)
    for callback in found:
        if callback is not None:
            callback(context)


def _context(dag: Any, request: Any) -> Any:
    from airflow.sdk import DAG

    assert isinstance(dag, DAG)
    context: dict[str, Any] = {"dag": dag, "run_id": request.run_id, "reason": request.msg}
    server = request.context_from_server
    if server is not None and server.dag_run is not None:
        context["dag_run"] = server.dag_run
        context["logical_date"] = server.dag_run.logical_date
        context["ds"] = server.dag_run.logical_date and server.dag_run.logical_date.strftime("%Y-%m-%d")
    return context
