"""The hook class that the installed providers have for a type of connection.

Bridges: the Task SDK's provider manager, by which `Connection.get_hook` finds the class, has no public name.
"""

from __future__ import annotations

from typing import Any


def hook_class(conn_type: str) -> type | None:
    """Return the class, or None when no installed provider has one for the type."""
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    hooks = ProvidersManagerTaskRuntime().hooks
    info = hooks.get(conn_type) if conn_type in hooks else None
    return None if info is None or not info.hook_class_name else _imported(info.hook_class_name)


def connection_types() -> list[str]:
    """Return the types of connections that installed providers have hooks for."""
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    return sorted(ProvidersManagerTaskRuntime().hooks)


def connection(conn_id: str) -> Any:
    """Return the connection that tasks in this process would get, or None when there is none."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None


def _imported(name: str) -> type:
    from airflow.sdk._shared.module_loading import import_string

    found: type = import_string(name)
    return found
