"""Turns an environment's `airflow:` block into process environment, with the names of one namespace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from harness.environment.spec import AirflowSpec, ConnectionSpec, EnvironmentSpec, NameRef
from harness.models.service import Connection
from harness.services.base import Service


def airflow_environ(spec: EnvironmentSpec, services: Mapping[str, Service[Any]]) -> dict[str, str]:
    """Return everything that a task or a tool of this environment must find in its process environment.

    Connections and variables in Airflow's own form (AIRFLOW_CONN_*, AIRFLOW_VAR_*), then the settings by which the
    services' own tools find them, then what `airflow.environ` adds.
    """
    return airflow_variables(spec.airflow, services)


def airflow_variables(airflow: AirflowSpec, services: Mapping[str, Service[Any]]) -> dict[str, str]:
    """Return the same from the environment's `airflow` block alone."""
    environ: dict[str, str] = {}
    for service in services.values():
        environ |= service.environ()
    for name, connection in airflow.connections.items():
        environ[f"AIRFLOW_CONN_{name.upper()}"] = resolve_connection(connection, services).as_json()
    for name, value in airflow.variables.items():
        environ[f"AIRFLOW_VAR_{name.upper()}"] = resolve_variable(value, services)
    return environ | {name: resolve_variable(value, services) for name, value in airflow.environ.items()}


def resolve_connection(spec: ConnectionSpec, services: Mapping[str, Service[Any]]) -> Connection:
    """Return the connection, asking its service for the coordinates when it names one."""
    if spec.service is not None:
        return services[spec.service].connection(spec)
    fields = spec.model_dump(by_alias=True, exclude={"service", "database", "bucket", "app"}, exclude_none=True)
    return Connection.model_validate(fields)


def resolve_variable(value: NameRef | Any, services: Mapping[str, Service[Any]]) -> str:
    """Return the variable's text: what a reference stands for, JSON for anything that is not a string."""
    if isinstance(value, NameRef):
        slice = services[value.service].slice
        if value.part is not None:
            return _part(value, services[value.service])
        for kind in ("bucket", "topic", "database"):
            logical = getattr(value, kind)
            if logical is not None:
                return slice.physical(kind, logical)
    return value if isinstance(value, str) else json.dumps(value)


def _part(ref: NameRef, service: Service[Any]) -> str:
    """Return a part of a service's coordinates; the URL of a database server is SQLAlchemy's, with the password."""
    at = service.endpoint
    if ref.part != "url":
        return str(getattr(at, str(ref.part)) or "")
    databases = service.slice.names.get("database")
    if at.role == "postgres" and databases:
        name = databases[ref.database] if ref.database else next(iter(databases.values()))
        return f"postgresql://{quote(at.user or '')}:{quote(at.password or '')}@{at.address}/{name}"
    return f"{at.options.get('scheme', 'http')}://{at.address}"
